"""Good data sets of each layout pass; warnings; the values in the table of cases."""

from __future__ import annotations

import csv
import hashlib
import json
import shutil
import time
from pathlib import Path

import numpy as np
import pytest

from refold.cli import originals
from refold.core.errors import RefoldError
from refold.data import checks
from refold.data.__main__ import main
from refold.data.problems import CHECKS, Problem, table
from refold.experiment.params import Params
from refold.imaging import cases, images
from refold.imaging.dataset import Description
from refold.imaging.images import read

from .conftest import AFFINE, SHAPE, decathlon, label, nifti, nnunet, picture, pictures, pictures_by_number, volume

ROOT = Path(__file__).resolve().parents[2]
SHARED = ROOT.parent / "shared" / "data"


def warnings(project):
    written = json.loads((project / "data/checks.json").read_text())
    assert written["errors"] == []
    return {w["check"] for w in written["warnings"]}


def test_the_table_of_cases(tmp_path, project, catalogue):
    source = decathlon(tmp_path / "d")
    catalogue(source.folder, patient_pattern=r"^(patient\d+)")
    rows = cases.read()
    assert [r.case for r in rows] == ["patient001_a", "patient002_a", "patient003_a"]
    first = rows[0]
    assert first.patient == "patient001" and first.channels == 1 and first.orientation == "RAS"
    assert first.shape == SHAPE and first.spacing == (1.0, 1.0, 2.0)
    # label(1): x 1-3, y 2-4, z 3-4 is label 1; one voxel is label 2
    assert first.voxels == (6 * 7 * 8 - 18 - 1, 18, 1)
    both = source.image(1).read_bytes() + source.label(1).read_bytes()
    assert first.sha256 == hashlib.sha256(both).hexdigest()
    assert warnings(project) == set()
    with open("data/cases.csv", newline="") as handle:
        assert tuple(next(csv.reader(handle))) == cases.COLUMNS
    assert str(tmp_path) not in "".join(p.read_text() for p in (project / "data").glob("*.*"))
    assert not (project / "logs").exists() or not list((project / "logs").rglob("*.json"))


@pytest.mark.parametrize(
    "make, channels, dimension",
    [
        (lambda f: decathlon(f, channels=2), 2, 3),
        (lambda f: nnunet(f, channels=2), 2, 3),
        (lambda f: nnunet(f, channels=1), 1, 3),
        (lambda f: pictures(f, ".png", 3), 3, 2),
        (lambda f: pictures(f, ".png", 1), 1, 2),
        (pictures_by_number, 3, 2),
        (lambda f: pictures(f, ".tif", 3), 3, 2),
        (lambda f: pictures(f, ".tiff", 1), 1, 2),
    ],
)
def test_good_data_pass(make, channels, dimension, tmp_path, project, catalogue):
    catalogue(make(tmp_path / "d").folder, "--processes", "2")
    rows = cases.read()
    assert len(rows) == 3 and {r.channels for r in rows} == {channels}
    assert {len(r.shape) for r in rows} == {dimension}
    assert warnings(project) == {"each-case-a-patient"}


def test_pictures_of_mixed_sizes_are_columns_by_rows(tmp_path, project, catalogue):
    catalogue(pictures(tmp_path / "d").folder)
    rows = cases.read()
    assert [r.shape for r in rows] == [(20, 11), (20, 12), (20, 13)]
    assert rows[0].voxels == (20 * 11 - 3 * 3, 3 * 3) and rows[0].orientation == "XY"


def test_the_same_bytes_whatever_the_processes(tmp_path, project, catalogue):
    source = decathlon(tmp_path / "d", count=5)
    written = []
    for processes in ("1", "3"):
        catalogue(source.folder, "--processes", processes)
        written.append([Path(p).read_bytes() for p in ("data/cases.csv", "data/dataset.json", "data/checks.json")])
    assert written[0] == written[1]


def test_integral_floats_and_scaled_integers_are_labels(tmp_path, project, catalogue):
    source = decathlon(tmp_path / "d")
    nifti(source.label(1), label(1).astype(np.float32))
    nifti(source.label(2), label(2).astype(np.float64))
    catalogue(source.folder)
    assert cases.read()[0].voxels == (317, 18, 1)
    assert warnings(project) == {"each-case-a-patient", "label-float"}


def warned(check, make=decathlon, **keys):
    def register(function):
        WARNED[function.__name__] = (function, make, check, keys)
        return function

    return register


WARNED: dict = {}


@warned("empty-label")
def scan_without_a_lesion(s):
    nifti(s.label(1), np.zeros(SHAPE, np.uint8))


@warned("label-never-present")
def label_in_no_case(s):
    s.save(labels={**s.values["labels"], "3": "vessel"})


@warned("constant-channel", make=lambda f: decathlon(f, channels=2))
def channel_filled(s):
    data = volume(1, channels=2)
    data[..., 1] = 0
    nifti(s.image(1), data)


@warned("unlisted-file")
def file_not_listed(s):
    nifti(s.folder / "imagesTr/other.nii.gz", volume(9))


@warned("count-differs")
def number_of_cases_is_wrong(s):
    s.save(numTraining=4)


@warned("sform-qform")
def sform_and_qform_disagree(s):
    shifted = AFFINE.copy()
    shifted[0, 3] = 3
    nifti(s.image(1), volume(1), qform=shifted)


@warned("no-orientation")
def no_sform_no_qform(s):
    import nibabel

    for path, data in ((s.image(1), volume(1)), (s.label(1), label(1))):
        image = nibabel.Nifti1Image(data, None)
        nibabel.save(image, path)
        assert nibabel.load(path).header["sform_code"] == nibabel.load(path).header["qform_code"] == 0


@warned("sheared")
def axes_not_orthogonal(s):
    sheared = AFFINE.copy()
    sheared[0, 1] = 0.2
    for path, data in ((s.image(1), volume(1)), (s.label(1), label(1))):
        nifti(path, data, sheared, qform=None)


@warned("single-slice")
def one_slice(s):
    nifti(s.image(1), volume(1)[:, :, 4:5])
    nifti(s.label(1), label(1)[:, :, 4:5])


@warned("alpha-dropped", make=pictures)
def transparent_picture(s):
    random = np.random.default_rng(1)
    picture(s.image(1, ".png"), random.integers(0, 255, (11, 20, 4)).astype(np.uint8))


@warned("alpha-dropped", make=lambda f: pictures(f, ".tif"))
def tiff_of_four_channels(s):
    random = np.random.default_rng(1)
    picture(s.image(1, ".tif"), random.integers(0, 255, (11, 20, 4)).astype(np.uint8))


@warned("spacing-differs")
def sform_half_a_percent_off(s):
    nifti(s.image(1), volume(1), qform=None, pixdim=[1, 1, 1, 2.01, 1, 1, 1, 1])


@warned("zero-rounded")
def zeros_lost_by_scaling(s):
    data = np.random.default_rng(1).normal(0, 3, SHAPE)
    data[:, 2:] = 0
    squeezed(s.image(1), data)


@warned("single-slice, label-float")
def label_of_one_slice_in_floats(s):
    nifti(s.image(1), volume(1)[:, :, 4])
    nifti(s.label(1), label(1)[:, :, 4].astype(np.float32) * np.float32(1.0000005))


def saved(path, data, **options):
    from PIL import Image as Pillow

    Pillow.fromarray(data).save(path, **options)


def colours_of(number):
    return np.random.default_rng(number).integers(0, 256, (10 + number, 20, 3), np.uint8)


@warned("lossy-image, mixed-pictures", make=pictures)
def jpeg_among_png(s):
    saved(s.image(1, ".jpg"), colours_of(1))
    s.image(1, ".png").unlink()
    s.values["training"][0]["image"] = "imagesTr/patient001_a.jpg"
    s.save()


def packed(path, lossless, data):
    import tifffile

    tifffile.imwrite(path, data, photometric="rgb", compression="webp", compressionargs={"lossless": lossless})


@warned("lossy-image", make=lambda f: pictures(f, ".tif"))
def images_in_webp(s):
    for i in (1, 2, 3):
        packed(s.image(i, ".tif"), False, colours_of(i))


@warned("perhaps-lossy-label, mixed-pictures", make=lambda f: pictures(f, ".tif"))
def mask_in_webp(s):
    packed(s.label(2, ".tif"), True, np.dstack([read(s.label(2, ".tif"), label=True).data.T] * 3))


@warned("channels-changed, mixed-pictures", make=lambda f: pictures(f, ".png", 1))
def grey_stored_as_rgb(s):
    saved(s.image(1, ".png"), np.repeat(colours_of(1)[..., :1], 3, axis=2))


@warned("mixed-pictures", make=lambda f: pictures(f, ".png", 1))
def one_picture_of_16_bits(s):
    saved(s.image(1, ".png"), colours_of(1)[..., 0].astype(np.uint16) * 16)


@warned("turned", make=pictures)
def tags_that_agree(s):
    from PIL import Image as Pillow

    tags = Pillow.Exif()
    tags[0x0112] = 6
    saved(s.image(1, ".png"), colours_of(1), exif=tags)
    saved(s.label(1, ".png"), np.asarray(Pillow.open(s.label(1, ".png"))), exif=tags)


@warned("turned", make=pictures)
def turned_as_its_mask_shows(s):
    from PIL import Image as Pillow

    tags = Pillow.Exif()
    tags[0x0112] = 6  # shown, the picture is 11 wide and 20 high
    saved(s.image(1, ".png"), colours_of(1), exif=tags)
    saved(s.label(1, ".png"), np.ascontiguousarray(np.asarray(Pillow.open(s.label(1, ".png"))).T))


@warned("turned", make=pictures, pixels="stored")
def turned_and_read_as_stored(s):
    from PIL import Image as Pillow

    tags = Pillow.Exif()
    tags[0x0112] = 3
    saved(s.image(1, ".png"), colours_of(1), exif=tags)


@warned("duplicate-image-same-patient", patient_table="table.csv")
def the_same_scan_twice_of_one_patient(s):
    Path("table.csv").write_text("case,patient\npatient001_a,x\npatient002_a,y\npatient003_a,x\n")
    s.image(3).write_bytes(s.image(1).read_bytes())
    s.label(3).write_bytes(s.label(1).read_bytes())


@warned("patient-table-unused", patient_table="table.csv")
def patient_table_with_a_row_too_many(s):
    rows = "patient001_a,x\npatient002_a,y\npatient003_a,x\npatient04_a,z\n"
    Path("table.csv").write_text("case,patient\n" + rows)


@pytest.mark.parametrize("name", WARNED)
def test_warned(name, tmp_path, project, catalogue):
    change, make, check, keys = WARNED[name]
    source = make(tmp_path / "d")
    change(source)
    catalogue(source.folder, **keys)
    assert warnings(project) - {"each-case-a-patient"} - ({"sform-qform"} if check == "sheared" else set()) == set(
        check.split(", ")
    )
    assert len(cases.read()) == 3


def squeezed(path: Path, data: np.ndarray) -> None:
    """Floats under the int16 header of another image, as nibabel writes them."""
    import nibabel

    nibabel.save(nibabel.Nifti1Image(data, AFFINE, nibabel.Nifti1Image(volume(1), AFFINE).header), path)


def said(check: str) -> str:
    found = json.loads(Path("data/checks.json").read_text())["warnings"]
    return " ".join(w["message"] for w in found if w["check"] == check)


LABELLED = {
    # single precision has steps of 1.9e-6 at 17
    "a rounding error": lambda path, x: nifti(path, np.array([0, 16.999998, 9], np.float32)[x]),
    # 17 / 65535 a step, so 9 is 2.6e-4 / 2 off at most
    "a scan's header": lambda path, x: squeezed(path, np.array([0.0, 17, 9])[x]),
    # half a step of 0.085 is 0.0425; 106 of them are 9.01
    "8 bits": lambda path, x: nifti(path, np.array([0, 200, 106], np.uint8)[x], scl_slope=0.085, scl_inter=0),
}


@pytest.mark.parametrize("how, off", [("a rounding error", 1.9e-6), ("a scan's header", 1.3e-4), ("8 bits", 0.0101)])
def test_labels_within_rounding_are_those_labels(how, off, tmp_path, project, catalogue):
    source = decathlon(tmp_path / "d")
    source.save(labels={"0": "background", "17": "organ", "9": "lesion"})
    for i in (2, 3):
        nifti(source.label(i), np.array([0, 17, 9], np.uint8)[label(i)])
    LABELLED[how](source.label(1), label(1))
    catalogue(source.folder)
    assert cases.read()[0].voxels == (317, 1, 18)  # background, 9, 17
    assert warnings(project) == {"each-case-a-patient", "label-float"}
    told = float(said("label-float").split("up to ")[1].split()[0])
    assert 0 < told <= off
    found = read(source.label(1), label=True)
    assert set(np.unique(found.data)) == {0, 9, 17} and told == pytest.approx(found.rounded, rel=0.05)


def test_what_a_compression_does_is_said_as_far_as_the_file_tells(tmp_path, project, catalogue):
    source = pictures(tmp_path / "d", ".tif")
    images_in_webp(source)
    mask_in_webp(source)
    saved(source.image(3, ".tif"), colours_of(3), compression="jpeg")
    catalogue(source.folder)
    assert said("lossy-image") == (
        "1 of 3 images: compressed as JPEG "
        "2 of 3 images: compressed as WebP, which may be lossy: the file does not tell"
    )
    assert said("perhaps-lossy-label") == (
        "1 of 3 masks: compressed as WebP, which may be lossy: the file does not tell, its values decide"
    )
    assert ", JPEG: 1, such as" in said("mixed-pictures") and ", WebP: 2, such as" in said("mixed-pictures")


def test_a_label_just_below_its_number_is_that_number(tmp_path, project, catalogue):
    """What is a rounding error under 2 is 2, and not cut down to 1."""
    source = decathlon(tmp_path / "d")
    nifti(source.label(1), np.where(label(1) == 1, 1.9999999, label(1)).astype(np.float64))
    catalogue(source.folder)
    assert cases.read()[0].voxels == (317, 0, 19)


def test_both_voxel_sizes_of_a_header_are_said(tmp_path, project, catalogue):
    source = decathlon(tmp_path / "d")
    sform_half_a_percent_off(source)
    catalogue(source.folder)
    assert said("spacing-differs") == (
        "the voxel size is [1.0, 1.0, 2.0] mm in the sform and [1.0, 1.0, 2.01] mm in pixdim; [1.0, 1.0, 2.0] is used"
    )
    assert cases.read()[0].spacing == (1.0, 1.0, 2.0)


def test_how_thick_a_single_slice_is_in_one_header_is_said(tmp_path, project, catalogue):
    """No distance depends on it; volumes in ml do."""
    source = decathlon(tmp_path / "d")
    thick = np.diag([1.0, 1, 5, 1])
    for i in (1, 2, 3):
        thin = {"qform": None, "pixdim": [1, 1, 1, 1, 1, 1, 1, 1]} if i == 2 else {"qform": thick}
        nifti(source.image(i), volume(i)[:, :, 3:4], thick, **thin)
        nifti(source.label(i), label(i)[:, :, 3:4], thick)
    catalogue(source.folder)
    assert said("spacing-differs") == (
        "the voxel size is [1.0, 1.0, 5.0] mm in the sform and [1.0, 1.0, 1.0] mm in pixdim; [1.0, 1.0, 5.0] is used: "
        "of an axis of one voxel, for volumes in ml alone"
    )
    assert cases.read()[1].spacing == (1.0, 1.0, 5.0)
    nifti(source.image(2), volume(2)[:, :, 3:4], thick, qform=None, pixdim=[1, 1, 1.2, 1, 1, 1, 1, 1])
    with pytest.raises(RefoldError, match="spacing-contradicts"):
        catalogue(source.folder)


def test_a_thin_single_slice_leaves_sform_and_qform_their_room(tmp_path, project, catalogue):
    """A tenth of a voxel is measured along the axes of space: 0.05 mm is not much in voxels of 1 mm."""
    source = decathlon(tmp_path / "d")
    thin = np.diag([1.0, 1, 0.01, 1])
    moved = thin.copy()
    moved[0, 3] = 0.05
    for i in (1, 2, 3):
        nifti(source.image(i), volume(i)[:, :, 3:4], thin, qform=moved)
        nifti(source.label(i), label(i)[:, :, 3:4], thin)
    catalogue(source.folder)
    assert said("sform-qform") == ""


def test_voxel_sizes_keep_their_digits(tmp_path, project, catalogue):
    """Electron microscopes have voxels of a few nanometres."""
    affine = np.diag([3.25e-5, 3.25e-5, 1.234567e-3, 1])
    source = decathlon(tmp_path / "d")
    for i in (1, 2, 3):
        nifti(source.image(i), volume(i), affine)
        nifti(source.label(i), label(i), affine)
    catalogue(source.folder)
    assert cases.read()[0].spacing == (3.25e-5, 3.25e-5, 1.234567e-3)


@pytest.mark.parametrize("scale", [(None, None), (0.5, 3)])
def test_the_page_says_how_to_mend_a_header(tmp_path, project, catalogue, monkeypatch, scale):
    """A sform of unit voxels is refused; docs/reference/data.md's lines give it pixdim's, images keep values."""
    source = decathlon(tmp_path / "my-data")
    affine = np.diag([1.0, 1, 1, 1])
    affine[:3, 3] = 10, 20, 30
    for path, data in ((source.image(2), volume(2)), (source.label(2), label(2))):
        keys = {"scl_slope": scale[0], "scl_inter": scale[1]} if scale[0] and path == source.image(2) else {}
        nifti(path, data, affine, qform=None, pixdim=[1, 0.8, 0.8, 6, 1, 1, 1, 1], **keys)
    before = read(source.image(2)).data
    with pytest.raises(RefoldError, match="spacing-contradicts"):
        catalogue(source.folder)
    code = (ROOT / "docs/reference/data.md").read_text().split("## Headers that contradict themselves")[1]
    monkeypatch.chdir(tmp_path)
    exec(code.split("```python\n")[1].split("```")[0], {})
    monkeypatch.chdir(project)
    catalogue(source.folder)
    assert cases.read()[1].spacing == (0.8, 0.8, 6.0)
    after = read(source.image(2))
    np.testing.assert_array_equal(after.data, before)
    np.testing.assert_array_equal(after.affine[:3, 3], [10, 20, 30])


def test_tolerances_follow_each_axis(tmp_path, project, catalogue):
    """Slices 5 mm apart, or 5.001: 0.02 %, seven thousandths of a mm over the stack."""
    source = decathlon(tmp_path / "d")
    for i in (1, 2, 3):
        nifti(source.image(i), volume(i), np.diag([0.5, 0.5, 5, 1]))
        nifti(source.label(i), label(i), np.diag([0.5, 0.5, 5.001, 1]))
    catalogue(source.folder)
    assert cases.read()[0].spacing == (0.5, 0.5, 5.0)


def test_nifti_of_two_axes_is_a_volume_of_one_slice(tmp_path, project, catalogue):
    source = decathlon(tmp_path / "d")
    source.save(tensorImageSize="2D")
    for i in (1, 2, 3):
        nifti(source.image(i), volume(i)[:, :, 3], pixdim=[1, 1, 1, 0, 0, 0, 0, 0])
        nifti(source.label(i), label(i)[:, :, 3])
    catalogue(source.folder)
    rows = cases.read()
    assert {r.shape for r in rows} == {(6, 7, 1)} and rows[0].spacing[:2] == (1.0, 1.0)
    assert Description.read().dimension == 3
    assert rows[0].voxels == tuple(np.bincount(label(1)[:, :, 3].ravel(), minlength=3))


def test_an_opaque_alpha_channel_is_no_matter(tmp_path, project, catalogue):
    source = pictures(tmp_path / "d")
    data = np.random.default_rng(1).integers(0, 255, (11, 20, 4)).astype(np.uint8)
    data[..., 3] = 255
    picture(source.image(1, ".png"), data)
    catalogue(source.folder)
    assert warnings(project) == {"each-case-a-patient"}


def test_masks_in_colours_by_the_table(tmp_path, project, catalogue):
    source = pictures(tmp_path / "d")
    for i in (1, 2, 3):
        mask = np.zeros((10 + i, 20, 3), np.uint8)
        mask[2:5, 3 : 5 + i] = (200, 0, 99)
        mask[8, :4] = (0, 0, 255)  # two colours of the background
        saved(source.label(i, ".png"), mask)
    catalogue(source.folder, colours={"nucleus": [200, 0, 99], "background": ["#000000", "#0000FF"]})
    assert warnings(project) == {"each-case-a-patient"}
    rows = cases.read()
    assert [r.voxels for r in rows] == [((10 + i) * 20 - 3 * (2 + i), 3 * (2 + i)) for i in (1, 2, 3)]
    about = Description.read()
    assert about.colours == (("#000000", "#0000ff"), ("#c80063",)) and about.pixels is None
    assert about.rule().labels.values == (0, 255)


@pytest.mark.parametrize(("pixels", "inside"), [("stored", 12), ("shown", 220 - 12)])
def test_white_is_zero_as_it_is_said(tmp_path, project, catalogue, pixels, inside):
    import tifffile

    source = pictures(tmp_path / "d", ".tif")
    mask = np.zeros((11, 20), np.uint8)
    mask[2:5, 3:7] = 255
    tifffile.imwrite(source.label(1, ".tif"), mask, photometric="miniswhite")
    catalogue(source.folder, pixels=pixels)
    assert cases.read()[0].voxels == (220 - inside, inside)
    assert warnings(project) == {"each-case-a-patient", "mixed-pictures"}  # one mask unlike the others


def test_a_mask_with_a_coloured_palette_holds_indices(tmp_path):
    from PIL import Image as Pillow

    indices = np.array([[0, 1], [2, 1]], np.uint8)
    for palette, expected in (([0, 0, 0, 200, 0, 0, 0, 99, 0], indices), ([0] * 3 + [255] * 3 + [128] * 3, None)):
        mask = Pillow.fromarray(indices)
        mask.putpalette(palette)
        mask.save(tmp_path / "mask.png")
        found = read(tmp_path / "mask.png", label=True).data.T
        wanted = expected if expected is not None else np.array([[0, 255], [128, 255]])
        np.testing.assert_array_equal(found, wanted)


def test_slabs_bound_the_memory_and_cover_all(monkeypatch):
    monkeypatch.setattr(images, "SLAB", 100)
    data = volume(3)
    slabs = list(images.slabs(data))
    assert max(s.size for s in slabs) <= 100
    np.testing.assert_array_equal(np.concatenate(slabs, axis=-1), data)


def test_counts_do_not_depend_on_slabs(tmp_path, project, catalogue, monkeypatch):
    source = decathlon(tmp_path / "d")
    catalogue(source.folder)
    whole = cases.read()
    monkeypatch.setattr(images, "SLAB", 50)
    catalogue(source.folder)
    assert cases.read() == whole


def test_a_killed_process_is_said(tmp_path, project, catalogue, monkeypatch):
    monkeypatch.setattr(checks, "check_case", _die)
    with pytest.raises(RefoldError, match="was killed, most likely for memory"):
        catalogue(decathlon(tmp_path / "d").folder, "--processes", "2")
    assert not Path("data/cases.csv").exists()


def _die(*_, **__):
    import os

    os._exit(9)


def test_the_table_is_cut_but_says_so():
    problems = [Problem("missing-file", "the image does not exist", f"case{i}", "a.nii.gz") for i in range(7)]
    lines = table(problems, most=5).splitlines()
    assert lines[-1] == "... and 2 more" and sum("case" in line for line in lines[2:]) == 5


def test_every_check_is_documented():
    page = (ROOT / "docs/reference/data.md").read_text()
    rows = {line.split("`")[1]: line for line in page.splitlines() if line.startswith("| `")}
    for check, (level, action) in CHECKS.items():
        assert check in rows, check
        assert f"| {level} |" in rows[check], check
        assert action.replace("|", "\\|") in rows[check], check
    assert {c for c in rows if c in CHECKS} == set(CHECKS)


@pytest.mark.parametrize("name, count, channels", [("Task04_Hippocampus", 260, 1), ("Nuclei2D", 120, 3)])
def test_real_data_pass(name, count, channels, project, catalogue):
    folder = SHARED / name
    if not folder.is_dir():
        pytest.skip(f"{folder} is not there")
    start = time.monotonic()
    catalogue(folder, name=name)
    rows = cases.read()
    assert len(rows) == count and {r.channels for r in rows} == {channels}
    assert all(len(r.voxels) == (3 if name == "Task04_Hippocampus" else 2) and min(r.voxels) > 0 for r in rows)
    floats = [w for w in json.loads(Path("data/checks.json").read_text())["warnings"] if w["check"] == "label-float"]
    assert [w["case"] for w in floats] == (["hippocampus_003", "hippocampus_243"] if count == 260 else [])
    assert time.monotonic() - start < 60


def test_a_case_left_out_is_not_read(tmp_path, project, catalogue, caplog):
    source = decathlon(tmp_path / "d")
    shutil.copy(source.image(1), source.image(2))  # would be an error: one image under two names
    source.label(2).write_bytes(b"no label map")
    why = {"patient002_a": "the same scan as patient001_a"}
    catalogue(source.folder, exclude=why)
    assert [c.case for c in cases.read()] == ["patient001_a", "patient003_a"]
    assert Description.read().excluded == why
    assert json.loads((project / "data/dataset.json").read_text())["excluded"] == why
    assert warnings(project) == {"each-case-a-patient"}
    assert "left out by dataset.exclude: patient002_a" in caplog.text


@pytest.mark.parametrize(
    "make", [decathlon, lambda f: nnunet(f, channels=2), lambda f: pictures(f, ".png", 3), pictures_by_number]
)
def test_what_was_catalogued_is_what_is_there(tmp_path, catalogue, make):
    """Or Snakemake would be told after each run that files changed."""
    source = make(tmp_path / "d")
    catalogue(source.folder, patient_pattern=r"^(patient\d+)")
    dataset = {"name": "tiny", "source": str(source.folder), "patient_pattern": r"^(patient\d+)"}
    params = Params.model_validate({"dataset": dataset, "methods": {"a": {"kind": "threshold"}}})
    assert [one.differs for one in originals.look(params, [], thorough=True)] == [(), ()]
    label = sorted(source.folder.glob("labelsTr/*"))[0]
    label.write_bytes(label.read_bytes() + b" ")
    assert [len(one.differs) for one in originals.look(params, [])] == [1, 0]


def test_warnings_may_be_written_by_a_job_of_their_own(tmp_path, project, catalogue):
    """The same file; and where a warning changed that needs no image, with nothing read but dataset.json."""
    source = decathlon(tmp_path / "d")
    catalogue(source.folder)
    first = Path("data/checks.json").read_bytes()
    Path("data/checks.json").unlink()
    main(["catalogue", "--checks", ""])
    assert not Path("data/checks.json").exists()
    main(["checks"])
    assert Path("data/checks.json").read_bytes() == first
    kept = [Path(p).read_bytes() for p in ("data/cases.csv", "data/dataset.json")]
    for path in source.folder.glob("*/*.nii.gz"):
        path.write_bytes(b"not opened")
    values = json.loads((source.folder / "dataset.json").read_text())
    (source.folder / "dataset.json").write_text(json.dumps(values | {"numTraining": 99}))
    main(["checks"])
    assert warnings(project) == {"each-case-a-patient", "count-differs"}
    assert kept == [Path(p).read_bytes() for p in ("data/cases.csv", "data/dataset.json")]
    values["training"].append({"image": "imagesTr/no label.nii.gz"})
    (source.folder / "dataset.json").write_text(json.dumps(values))
    with pytest.raises(RefoldError, match=r"dataset\.json changed after the data were checked, run snakemake: "):
        main(["checks"])
