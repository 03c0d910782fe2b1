import zlib
from contextlib import suppress

import numpy as np
import pytest

from refold.core.errors import RefoldError
from refold.formats import metaimage
from refold.formats.record import Refused
from refold.imaging import images

DATA = np.arange(24, dtype="<i2").reshape(2, 3, 4)


def write(path, data=DATA, body=None, **header):
    lines = {
        "ObjectType": "Image", "NDims": data.ndim, "BinaryData": True, "DimSize": " ".join(map(str, data.shape)),
        "ElementType": "MET_SHORT", **header,
    }  # fmt: skip
    text = "".join(f"{k} = {v}\n" for k, v in lines.items() if v is not None) + "ElementDataFile = LOCAL\n"
    path.write_bytes(text.encode() + (data.tobytes(order="F") if body is None else body))
    return path


def test_a_header_by_hand(tmp_path):
    """World axes are LPS, an axis of voxels stands after the other."""
    path = write(
        tmp_path / "a.mha", TransformMatrix="0 1 0 1 0 0 0 0 1", Offset="10 20 30", ElementSpacing="2 3 4",
        AnatomicalOrientation="RAI",
    )  # fmt: skip
    found = metaimage.read(path)
    np.testing.assert_array_equal(found.data, DATA)
    # the first axis goes by 2 mm to posterior, the second by 3 mm to the left
    assert found.affine.tolist() == [[0, -3, 0, -10], [-2, 0, 0, -20], [0, 0, 4, 30], [0, 0, 0, 1]]


@pytest.mark.parametrize("names", [("Rotation", "Origin", "ElementSize"), ("Orientation", "Position", "ElementSize")])
def test_other_names_of_the_same(tmp_path, names):
    header = dict(zip(names, ("-1 0 0 0 1 0 0 0 1", "1 2 3", "2 2 2"), strict=True))
    found = metaimage.read(write(tmp_path / "a.mha", **header))
    assert found.affine.tolist() == [[2, 0, 0, -1], [0, -2, 0, -2], [0, 0, 2, 3], [0, 0, 0, 1]]


@pytest.mark.parametrize("key", ["ElementByteOrderMSB", "BinaryDataByteOrderMSB"])
def test_the_other_order_of_bytes(tmp_path, key):
    found = metaimage.read(write(tmp_path / "a.mha", DATA.astype(">i2"), **{key: True}))
    np.testing.assert_array_equal(found.data, DATA)
    assert found.data.dtype.isnative


@pytest.mark.parametrize("size", [-1, None])
def test_voxels_at_the_end(tmp_path, size):
    body = (b"some words" if size else b"") + DATA.tobytes(order="F")
    found = metaimage.read(write(tmp_path / "a.mha", body=body, HeaderSize=size))
    np.testing.assert_array_equal(found.data, DATA)


def test_two_axes_are_a_slice(tmp_path):
    found = metaimage.read(write(tmp_path / "a.mha", DATA[0], ElementSpacing="2 3", Offset="1 1"))
    assert found.flat and found.data.shape == (3, 4, 1)
    assert found.affine.tolist() == [[-2, 0, 0, -1], [0, -3, 0, -1], [0, 0, 1, 0], [0, 0, 0, 1]]


@pytest.mark.parametrize(
    "header, check, words",
    [
        ({"DistanceUnits": "cm"}, "units", "the header is in cm"),
        ({"ElementToIntensityFunctionSlope": 2}, "scale", "scales its voxels by 2 and adds 0"),
        ({"ElementType": "MET_SHORT_ARRAY"}, "data-type", "MET_SHORT_ARRAY, not plain numbers"),
        ({"BinaryData": False}, "format", "holds its voxels as text"),
        ({"NDims": 4, "DimSize": "2 3 4 1"}, "dimension", r"shape \(2, 3, 4, 1\)"),
    ],
)
def test_what_has_no_place_is_refused(tmp_path, header, check, words):
    with pytest.raises(Refused, match=words) as error:
        metaimage.read(write(tmp_path / "a.mha", **header))
    assert error.value.check == check


def test_a_header_whose_voxels_lie_elsewhere_is_refused(tmp_path):
    path = write(tmp_path / "a.mha")
    path.write_bytes(path.read_bytes().replace(b"LOCAL", b"a.raw"))
    with pytest.raises(Refused, match="names another file for its voxels"):
        metaimage.read(path)


PACKED = zlib.compress(DATA.tobytes(order="F"))


PACK = {"CompressedData": True}


@pytest.mark.parametrize(
    "header, body",
    [
        ({}, b"\0" * 47), ({}, b"\0" * 49), (PACK, PACKED[:-6]), (PACK, PACKED[:-1]),
        (PACK, PACKED[:-1] + bytes([PACKED[-1] ^ 1])), (PACK, zlib.compress(b"\0" * 49)), ({"DimSize": "2 3"}, None),
        ({"DimSize": "2 3 x"}, None), ({"DimSize": "2 3 -4"}, None), ({"NDims": None}, None),
        ({"TransformMatrix": "1 0 0"}, None),
    ],
)  # fmt: skip
def test_a_damaged_file_says_so(tmp_path, header, body):
    path = write(tmp_path / "a.mha", body=body, **header)
    with pytest.raises(RefoldError, match=r"a\.mha cannot be read"):
        images.read(path)


def test_any_bytes_end_in_words(tmp_path):
    random = np.random.default_rng(0)
    whole = write(tmp_path / "a.mha", body=PACKED, CompressedData=True, Offset="1 2 3").read_bytes()
    for _ in range(300):
        damaged = bytearray(whole)
        for place in random.integers(0, len(whole), 3):
            damaged[place] = random.integers(0, 256)
        (tmp_path / "b.mha").write_bytes(bytes(damaged[: random.integers(1, len(whole) + 1)]))
        with suppress(RefoldError):
            images.read(tmp_path / "b.mha")
