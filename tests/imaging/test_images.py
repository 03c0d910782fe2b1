import gzip
import os
import time
import zlib

import nibabel
import numpy as np
import pytest
import tifffile
from PIL import Image as Pillow

from refold.core.errors import RefoldError
from refold.imaging import images

AFFINE = np.array([[-1.5, 0, 0, 10], [0, 0, 2, -20], [0, 3, 0, 30], [0, 0, 0, 1.0]])
RANDOM = np.random.default_rng(1)


def nifti(path, data, affine=AFFINE, dtype=None):
    image = nibabel.Nifti1Image(data, affine, dtype=dtype)
    nibabel.save(image, path)
    return path


# ---------------------------------------------------------------- names


@pytest.mark.parametrize(
    ("name", "suffix", "stem"),
    [
        ("a.b.nii.gz", ".nii.gz", "a.b"),
        ("a.nii", ".nii", "a"),
        ("A.NII.GZ", ".nii.gz", "A"),
        ("x/y/a_0000.png", ".png", "a_0000"),
        ("a.TIFF", ".tiff", "a"),
        ("a.tif", ".tif", "a"),
        ("a.gz", "", "a.gz"),
        ("a.JPG", ".jpg", "a"),
        ("a.jpeg", ".jpeg", "a"),
        ("a.bmp", "", "a.bmp"),
        ("nii", "", "nii"),
    ],
)
def test_suffix_and_stem(name, suffix, stem):
    assert (images.suffix(name), images.stem(name)) == (suffix, stem)


# ---------------------------------------------------------------- NIfTI


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
def test_volume_with_one_channel(tmp_path, ending):
    data = RANDOM.integers(-1000, 1000, (3, 4, 5)).astype(np.int16)
    image = images.read(nifti(tmp_path / f"a{ending}", data))
    assert image.data.shape == (3, 4, 5, 1) and image.data.dtype == np.int16
    assert np.array_equal(image.data[..., 0], data)
    assert image.dimension == 3 and np.array_equal(image.affine, AFFINE)
    # mm along each array axis: the length of the affine's columns
    assert image.spacing == (1.5, 3.0, 2.0)


def test_channels_on_the_fourth_axis(tmp_path):
    data = RANDOM.random((3, 4, 5, 2), np.float32)
    image = images.read(nifti(tmp_path / "a.nii.gz", data))
    assert np.array_equal(image.data, data) and image.dimension == 3


def test_channels_on_the_fifth_axis(tmp_path):
    """NIfTI's own way: axis 4 is time, axis 5 holds a vector."""
    data = RANDOM.random((3, 4, 5, 1, 2), np.float32)
    image = images.read(nifti(tmp_path / "a.nii.gz", data))
    assert np.array_equal(image.data, data[:, :, :, 0])


@pytest.mark.parametrize("ending", [".nii", ".nii.gz"])
@pytest.mark.parametrize("kind", [nibabel.Nifti1Image, nibabel.Nifti2Image])
@pytest.mark.parametrize("order", ["<", ">"])
def test_both_versions_and_both_byte_orders(tmp_path, ending, kind, order):
    data = RANDOM.integers(-1000, 1000, (3, 4, 5)).astype(f"{order}i2")
    header = kind.header_class(endianness=order)
    header.set_data_dtype(data.dtype)
    kind(data, AFFINE, header).to_filename(tmp_path / f"a{ending}")
    image = images.read(tmp_path / f"a{ending}")
    assert np.array_equal(image.data[..., 0], data) and np.allclose(image.affine, AFFINE)


def test_time_and_channels_together_are_refused(tmp_path):
    path = nifti(tmp_path / "a.nii.gz", np.zeros((3, 4, 5, 2, 2), np.float32))
    with pytest.raises(RefoldError, match=r"a\.nii\.gz has shape \(3, 4, 5, 2, 2\): an image needs 2 or 3 axes, or 4"):
        images.read(path)


@pytest.mark.parametrize("third", [1, 0])
def test_a_nifti_of_two_axes_is_one_slice(tmp_path, third):
    """Its third voxel size may be anything: it has no meaning."""
    data = RANDOM.integers(0, 9, (3, 4)).astype(np.int16)
    plain = nibabel.Nifti1Image(data, np.diag([1.5, 3, 1, 1]))
    plain.set_sform(np.diag([1.5, 3, third, 1]), 1)
    nibabel.save(plain, tmp_path / "a.nii")
    image, label = images.read(tmp_path / "a.nii"), images.read(tmp_path / "a.nii", label=True)
    assert image.flat and label.flat and image.dimension == 3
    assert np.array_equal(image.data[..., 0, 0], data) and np.array_equal(label.data, data[..., None])
    assert image.spacing == (1.5, 3.0, 1.0)
    images.write_label(tmp_path / "b.nii.gz", label.data[..., 0], label.affine)
    again = nibabel.load(tmp_path / "b.nii.gz")
    assert again.shape == (3, 4) and images.read(tmp_path / "b.nii.gz", label=True).flat
    assert not images.read(nifti(tmp_path / "c.nii", data[..., None])).flat


def test_a_zero_that_the_scaling_moved_is_zero(tmp_path):
    """Floats from -3 to 4 in the integers of another header: steps of 7 / 65535, and 0 lies between two of them."""
    data = np.zeros((6, 6, 6))
    data[2:4, 2:4, 2:4] = RANDOM.uniform(-3, 4, (2, 2, 2))
    data[2, 2, 2], data[3, 3, 3] = -3, 4
    header = nibabel.Nifti1Image(np.zeros((6, 6, 6), np.int16), AFFINE).header
    nibabel.save(nibabel.Nifti1Image(data, AFFINE, header), tmp_path / "a.nii.gz")
    stored = np.asanyarray(nibabel.load(tmp_path / "a.nii.gz").dataobj)
    assert stored[0, 0, 0] != 0 and abs(stored[0, 0, 0]) < 7 / 65535
    image = images.read(tmp_path / "a.nii.gz")
    assert np.array_equal(image.data[..., 0] == 0, data == 0)
    assert image.zero == (pytest.approx(stored[0, 0, 0]), 6**3 - 2**3)
    assert np.array_equal(image.data[..., 0][data != 0], stored[data != 0])


def test_a_scaling_that_keeps_zero_changes_nothing(tmp_path):
    path = tmp_path / "a.nii"
    for slope, inter in ((1, -1024), (0.5, 10), (0.1, 0)):
        image = nibabel.Nifti1Image(np.arange(1000, 1060, dtype=np.int16).reshape(3, 4, 5), np.eye(4))
        image.header.set_slope_inter(slope, inter)
        image.to_filename(path)
        found = images.read(path)
        assert found.zero is None and np.array_equal(found.data[..., 0], np.asanyarray(nibabel.load(path).dataobj))


@pytest.mark.parametrize(
    "values, off", [([0, 1.0009, 3], 9e-4), ([0, 1, 3], 0), ([0, 1.0011, 3], 0), ([0, np.nan, 3], 0)]
)
def test_labels_near_whole_numbers_are_read_as_these(tmp_path, values, off):
    """All or none: where one value is further off, the file is no label and is left as it is."""
    data = np.array(values * 4, np.float32).reshape(2, 3, 2)
    found = images.read(nifti(tmp_path / "a.nii.gz", data), label=True)
    assert found.rounded == pytest.approx(off, rel=1e-2)
    np.testing.assert_array_equal(found.data, np.rint(data) if off else data)
    np.testing.assert_array_equal(images.read(tmp_path / "a.nii.gz").data[..., 0], data)


def test_scaled_integers_are_unscaled(tmp_path):
    path = tmp_path / "a.nii"
    image = nibabel.Nifti1Image(np.arange(24, dtype=np.int16).reshape(2, 3, 4), np.eye(4))
    image.header.set_slope_inter(0.5, 10)
    image.to_filename(path)
    assert np.array_equal(images.read(path).data[..., 0], 10 + 0.5 * np.arange(24).reshape(2, 3, 4))
    assert images.read(path).data.dtype == np.float64


def test_labels_have_no_channel_axis(tmp_path):
    data = RANDOM.integers(0, 3, (3, 4, 5)).astype(np.uint8)
    assert np.array_equal(images.read(nifti(tmp_path / "a.nii.gz", data), label=True).data, data)
    assert np.array_equal(images.read(nifti(tmp_path / "b.nii.gz", data[..., None]), label=True).data, data)
    path = nifti(tmp_path / "c.nii.gz", np.stack([data, data], -1))
    with pytest.raises(RefoldError, match=r"c\.nii\.gz has shape \(3, 4, 5, 2\): a label needs 2 or 3 axes"):
        images.read(path, label=True)


def test_a_marked_voxel_stays_at_its_place_in_the_world(tmp_path):
    data = np.zeros((3, 4, 5), np.uint8)
    data[2, 1, 3] = 1
    images.write_label(tmp_path / "a.nii.gz", data, AFFINE)
    other = nibabel.load(tmp_path / "a.nii.gz")
    (index,) = np.argwhere(np.asarray(other.dataobj))
    # by hand: x = 10 - 1.5 * 2, y = -20 + 2 * 3, z = 30 + 3 * 1
    assert nibabel.affines.apply_affine(other.affine, index).tolist() == [7, -14, 33]


# ---------------------------------------------------------------- pictures


def test_axis_0_of_a_picture_is_x(tmp_path):
    """A picture 3 wide and 2 high with one white pixel in the right upper corner."""
    picture = Pillow.new("L", (3, 2))
    picture.putpixel((2, 0), 255)
    picture.save(tmp_path / "a.png")
    image = images.read(tmp_path / "a.png")
    assert image.data.shape == (3, 2, 1) and image.data[2, 0, 0] == 255 and image.data.sum() == 255
    assert image.dimension == 2 and image.spacing == (1.0, 1.0) and np.array_equal(image.affine, np.eye(3))


GREY = RANDOM.integers(0, 256, (2, 3), dtype=np.uint8)
DEEP = RANDOM.integers(0, 65536, (2, 3), dtype=np.uint16)
RGB = RANDOM.integers(0, 256, (2, 3, 3), dtype=np.uint8)
RGBA = np.dstack([RGB, np.full((2, 3), 128, np.uint8)])


@pytest.mark.parametrize(
    ("stored", "wanted"), [(GREY, GREY[..., None]), (DEEP, DEEP[..., None]), (RGB, RGB), (RGBA, RGB)]
)  # fmt: skip
@pytest.mark.parametrize("ending", [".png", ".tif"])
def test_grey_deep_and_coloured_pictures(tmp_path, stored, wanted, ending):
    path = tmp_path / f"a{ending}"
    if ending == ".tif":
        tifffile.imwrite(path, stored, photometric="rgb" if stored.ndim == 3 else "minisblack")
    else:
        Pillow.fromarray(stored).save(path)
    image = images.read(path)
    assert image.data.dtype == stored.dtype
    assert np.array_equal(image.data, wanted.swapaxes(0, 1))


def test_planar_tiff(tmp_path):
    wide = RANDOM.integers(0, 256, (6, 5, 3), dtype=np.uint8)
    tifffile.imwrite(tmp_path / "a.tiff", np.moveaxis(wide, 2, 0), photometric="rgb", planarconfig="separate")
    assert np.array_equal(images.read(tmp_path / "a.tiff").data, wide.swapaxes(0, 1))


def test_float_tiff(tmp_path):
    data = RANDOM.random((2, 3), np.float32)
    tifffile.imwrite(tmp_path / "a.tif", data)
    assert np.array_equal(images.read(tmp_path / "a.tif").data[..., 0], data.T)


def test_grey_with_alpha(tmp_path):
    Pillow.fromarray(np.dstack([GREY, np.full((2, 3), 7, np.uint8)]), "LA").save(tmp_path / "a.png")
    assert np.array_equal(images.read(tmp_path / "a.png").data[..., 0], GREY.T)


def test_one_bit_mask(tmp_path):
    bits = GREY > 100
    Pillow.fromarray(bits).save(tmp_path / "a.png")
    image = images.read(tmp_path / "a.png", label=True)
    assert image.data.dtype == np.uint8 and np.array_equal(image.data, bits.T)


def palette(path, indices: np.ndarray, colours: list[int]) -> None:
    picture = Pillow.fromarray(indices, "P")
    picture.putpalette(colours)
    picture.save(path)


def test_palette_of_colours(tmp_path):
    """As a picture the colours count, as a mask the indices: PASCAL VOC's habit."""
    indices = np.array([[0, 1, 2], [2, 1, 0]], np.uint8)
    palette(tmp_path / "a.png", indices, [0, 0, 0, 128, 0, 0, 0, 128, 0])
    assert np.array_equal(images.read(tmp_path / "a.png", label=True).data, indices.T)
    colours = images.read(tmp_path / "a.png").data
    assert colours.shape == (3, 2, 3)
    assert colours[1, 0].tolist() == [128, 0, 0] and colours[2, 0].tolist() == [0, 128, 0]


def test_palette_of_greys(tmp_path):
    indices = np.array([[0, 1, 1], [1, 1, 0]], np.uint8)
    palette(tmp_path / "a.png", indices, [0, 0, 0, 255, 255, 255])
    assert np.array_equal(images.read(tmp_path / "a.png", label=True).data, 255 * indices.T)


def test_a_grey_mask_may_be_stored_as_rgb(tmp_path):
    Pillow.fromarray(np.dstack([GREY] * 3)).save(tmp_path / "a.png")
    assert np.array_equal(images.read(tmp_path / "a.png", label=True).data, GREY.T)
    Pillow.fromarray(RGB).save(tmp_path / "b.png")
    with pytest.raises(RefoldError, match=r"b\.png is a mask in 6 colours, not in label values"):
        images.read(tmp_path / "b.png", label=True)


def test_a_stack_of_pages_is_refused(tmp_path):
    tifffile.imwrite(tmp_path / "a.tif", np.zeros((5, 4, 6, 3), np.uint8), photometric="rgb")
    with pytest.raises(RefoldError, match=r"a\.tif is a stack of 5 pages"):
        images.read(tmp_path / "a.tif")


# ---------------------------------------------------------------- writing


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.png"])
@pytest.mark.parametrize("dtype", [np.uint8, np.uint16])
def test_labels_round_trip_with_the_same_bytes(tmp_path, name, dtype):
    shape = (5, 4) if name.endswith(".png") else (5, 4, 3)
    data = RANDOM.integers(0, np.iinfo(dtype).max, shape, dtype=dtype, endpoint=True)
    affine = np.eye(3) if len(shape) == 2 else AFFINE
    images.write_label(tmp_path / name, data, affine)
    first = (tmp_path / name).read_bytes()
    image = images.read(tmp_path / name, label=True)
    assert np.array_equal(image.data, data) and image.data.dtype == dtype
    assert np.array_equal(image.affine, affine)
    time.sleep(1.1 if name.endswith(".gz") and dtype is np.uint8 else 0)  # gzip's clock counts seconds
    (tmp_path / "b").mkdir()
    images.write_label(tmp_path / "b" / name, np.asfortranarray(data), affine)
    assert (tmp_path / "b" / name).read_bytes() == first
    assert os.listdir(tmp_path / "b") == [name]


@pytest.mark.parametrize("channels", [1, 3])
def test_images_round_trip(tmp_path, channels):
    data = RANDOM.integers(-9, 9, (3, 4, 5, channels)).astype(np.int16)
    images.write_image(tmp_path / "a.nii.gz", data, AFFINE)
    assert np.array_equal(images.read(tmp_path / "a.nii.gz").data, data)
    stored = nibabel.load(tmp_path / "a.nii.gz")
    assert stored.shape == ((3, 4, 5) if channels == 1 else (3, 4, 5, 3))
    assert stored.header.get_xyzt_units()[0] == "mm"


def test_a_failed_write_leaves_the_old_file(tmp_path):
    images.write_label(tmp_path / "a.nii.gz", np.ones((2, 2, 2), np.uint8), AFFINE)
    before = (tmp_path / "a.nii.gz").read_bytes()
    with pytest.raises(Exception):  # noqa: B017 -- whatever nibabel says to a dtype that NIfTI has not
        images.write_label(tmp_path / "a.nii.gz", np.array([[["a"]]]), AFFINE)
    assert (tmp_path / "a.nii.gz").read_bytes() == before and os.listdir(tmp_path) == ["a.nii.gz"]


# ---------------------------------------------------------------- damaged files


def _write(path) -> bytes:
    if path.suffix == ".png":
        Pillow.fromarray(RANDOM.integers(0, 256, (40, 40), dtype=np.uint8)).save(path)
    elif path.suffix == ".tif":
        tifffile.imwrite(path, RANDOM.integers(0, 256, (40, 40), dtype=np.uint8), compression="zlib")
    else:
        nifti(path, RANDOM.random((16, 16, 16)))
    return path.read_bytes()


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.png", "a.tif"])
@pytest.mark.parametrize("share", [0, 0.02, 0.3, 0.9])
def test_truncated_files_are_named(tmp_path, name, share):
    path = tmp_path / name
    raw = _write(path)
    path.write_bytes(raw[: int(share * len(raw))])
    with pytest.raises(RefoldError, match=rf"{name.replace('.', '[.]')} cannot be read"):
        images.read(path)


@pytest.mark.parametrize("name", ["a.nii.gz", "a.nii", "a.png", "a.tif"])
def test_files_of_another_kind_are_named(tmp_path, name):
    (tmp_path / name).write_text("<html>404</html>" * 100)
    with pytest.raises(RefoldError, match=rf"{name.replace('.', '[.]')} cannot be read"):
        images.read(tmp_path / name)


def test_a_flipped_byte_in_a_packed_file_is_found(tmp_path):
    path = tmp_path / "a.nii.gz"
    raw = _write(path)
    for place in (len(raw) // 2, len(raw) - 5):  # in the data, and in the sum that stands at the end
        path.write_bytes(raw[:place] + bytes([raw[place] ^ 0xFF]) + raw[place + 1 :])
        with pytest.raises(RefoldError, match=r"a[.]nii[.]gz cannot be read"):
            images.read(path)
    path.write_bytes(raw[:-3])
    with pytest.raises(RefoldError, match=r"a[.]nii[.]gz cannot be read"):
        images.read(path)


def test_gzip_of_something_else(tmp_path):
    (tmp_path / "a.nii.gz").write_bytes(gzip.compress(b"no image" * 100))
    with pytest.raises(RefoldError, match=r"a[.]nii[.]gz cannot be read"):
        images.read(tmp_path / "a.nii.gz")


def test_absent_and_unknown_files(tmp_path):
    with pytest.raises(RefoldError, match=r"none[.]nii[.]gz is missing"):
        images.read(tmp_path / "none.nii.gz")
    with pytest.raises(RefoldError, match=r"none[.]png is missing"):
        images.read(tmp_path / "none.png")
    with pytest.raises(
        RefoldError, match=r"a[.]bmp: unknown image format; known are [.]nii[.]gz, [.]nii, [.]seg[.]nrrd, "
    ):
        images.read(tmp_path / "a.bmp")
    (tmp_path / "a.png").mkdir()
    with pytest.raises(RefoldError, match=r"a[.]png cannot be read"):
        images.read(tmp_path / "a.png")


def test_tiny_voxels_keep_their_size(tmp_path):
    images.write_label(tmp_path / "a.nii.gz", np.zeros((3, 4, 5), np.uint8), np.diag([3.25e-5, 3.25e-5, 1e-4, 1]))
    assert images.read(tmp_path / "a.nii.gz").spacing == pytest.approx((3.25e-5, 3.25e-5, 1e-4), rel=1e-6)


def test_both_forms_of_the_header_say_where_the_grid_lies(tmp_path):
    turned = np.array([[0.0, -1.2, 0, 10], [0.9, 0, 0, -20], [0, 0, 2.5, 5], [0, 0, 0, 1]])
    sheared = np.array([[1.0, 0.5, 0, 0], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    for affine, code in ((turned, 1), (sheared, 0)):
        images.write_label(tmp_path / "a.nii.gz", np.zeros((3, 4, 5), np.uint8), affine)
        header = nibabel.load(tmp_path / "a.nii.gz").header
        np.testing.assert_allclose(header.get_sform(), affine, atol=1e-5)
        assert (int(header["sform_code"]), int(header["qform_code"])) == (1, code)
        if code:
            np.testing.assert_allclose(header.get_qform(), affine, atol=1e-5)


@pytest.mark.parametrize(("name", "shape"), [("p.nii.gz", (5, 4, 3)), ("p.tif", (5, 4))])
def test_probabilities_round_trip_in_8_bits(tmp_path, name, shape):
    p = np.random.default_rng(1).random((2, *shape)).astype(np.float32)
    p[0].flat[:3] = 0, 1, 1 + 1e-6  # interpolation may overshoot by rounding
    affine = np.diag([-1.0, 1.5, 2, 1]) if len(shape) == 3 else np.eye(3)

    def write():
        with images.probability_writer(tmp_path / name, shape, 2, affine) as layer:
            for each in p:
                layer(each)
        return (tmp_path / name).read_bytes()

    assert write() == write()
    got = images.read_probabilities(tmp_path / name)
    assert got.shape == (*shape, 2) and got.dtype == np.uint8
    assert np.array_equal(np.moveaxis(got, -1, 0), np.rint(np.clip(p, 0, 1) * 255))
    assert [f.name for f in tmp_path.iterdir()] == [name]
    if len(shape) == 2:  # packed by Python's own zlib, whatever tifffile has at hand
        with tifffile.TiffFile(tmp_path / name) as file:
            (start,), (size,) = file.pages[1].dataoffsets, file.pages[1].databytecounts
        assert (tmp_path / name).read_bytes()[start : start + size] == zlib.compress(got[..., 1].T.tobytes())
    if len(shape) == 3:  # other programs see 0 to 1, on the image's grid
        image = nibabel.load(tmp_path / name)
        assert np.allclose(image.get_fdata(), np.moveaxis(np.clip(p, 0, 1), 0, -1), atol=0.5 / 255 + 1e-6)
        assert np.allclose(image.affine, affine)


def test_probabilities_half_written_leave_nothing(tmp_path):
    with (
        pytest.raises(RuntimeError, match="out of memory"),
        images.probability_writer(tmp_path / "p.nii.gz", (2, 2, 2), 2, np.eye(4)) as layer,
    ):
        layer(np.zeros((2, 2, 2)))
        raise RuntimeError("out of memory")
    assert list(tmp_path.iterdir()) == []
