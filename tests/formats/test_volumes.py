"""Every format against the array and affine that a file was made from; the files are written by other libraries."""

import itertools

import nibabel
import numpy as np
import pytest
from nibabel.orientations import axcodes2ornt, inv_ornt_aff, ornt_transform

from refold.imaging import images
from tests.formats.written import LPS, WRITERS, sitk, write_nrrd

SIDES = [("R", "L"), ("A", "P"), ("S", "I")]
# all 48: which axis of the world each axis of voxels is, and which way it goes
ORIENTATIONS = [
    "".join(SIDES[axis][side] for axis, side in zip(axes, sides, strict=True))
    for axes in itertools.permutations(range(3))
    for sides in itertools.product((0, 1), repeat=3)
]
SHAPE = (3, 4, 5)


def placed(orientation: str) -> tuple[np.ndarray, np.ndarray]:
    """(3, 4, 5) voxels of an anatomy in this order, and their affine; voxel sizes 1.5, 0.7, 3 mm along x, y, z."""
    anatomy = np.arange(np.prod(SHAPE), dtype=np.int16).reshape(SHAPE)
    affine = np.diag([1.5, 0.7, 3.0, 1.0])
    affine[:3, 3] = (-11, 22, 33)
    change = ornt_transform(axcodes2ornt("RAS"), axcodes2ornt(orientation))
    return nibabel.orientations.apply_orientation(anatomy, change), affine @ inv_ornt_aff(change, SHAPE)


@pytest.mark.parametrize("ending", WRITERS)
@pytest.mark.parametrize("orientation", ORIENTATIONS)
def test_all_orientations(tmp_path, ending, orientation):
    data, affine = placed(orientation)
    image = images.read(WRITERS[ending](tmp_path / f"a{ending}", data, affine), label=True)
    np.testing.assert_array_equal(image.data, data)
    np.testing.assert_allclose(image.affine, affine, atol=1e-5)
    assert image.notes == () and not image.flat and image.about is None


@pytest.mark.parametrize("ending", [".nrrd", ".mha"])
@pytest.mark.parametrize("dtype", ["int8", "uint8", "int16", "uint16", "int32", "uint32", "float32", "float64"])
def test_types(tmp_path, ending, dtype):
    data = np.arange(60).reshape(SHAPE).astype(dtype)
    image = images.read(WRITERS[ending](tmp_path / f"a{ending}", data, np.eye(4)))
    assert image.data.dtype == dtype and image.data.dtype.isnative
    np.testing.assert_array_equal(image.data[..., 0], data)


@pytest.mark.parametrize("ending", WRITERS)
def test_channels_come_last(tmp_path, ending):
    data, affine = np.random.default_rng(0).normal(size=(*SHAPE, 2)).astype("float32"), placed("LPS")[1]
    image = images.read(WRITERS[ending](tmp_path / f"a{ending}", data, affine, channels=True))
    np.testing.assert_array_equal(image.data, data)
    np.testing.assert_allclose(image.affine, affine, atol=1e-5)


@pytest.mark.parametrize("ending", WRITERS)
def test_oblique_axes(tmp_path, ending):
    from scipy.spatial.transform import Rotation

    affine = np.eye(4)
    affine[:3, :3] = Rotation.from_euler("xyz", [12, -7, 31], degrees=True).as_matrix() * [0.5, 0.6, 2.5]
    affine[:3, 3] = (4, 5, -6)
    data = np.ones(SHAPE, "uint8")
    image = images.read(WRITERS[ending](tmp_path / f"a{ending}", data, affine))
    np.testing.assert_allclose(image.affine, affine, atol=1e-5)
    np.testing.assert_allclose(image.spacing, [0.5, 0.6, 2.5], rtol=1e-6)


def test_simpleitk_reads_the_same_nrrd(tmp_path):
    data, affine = placed("PIR")
    path = write_nrrd(tmp_path / "a.nrrd", data, affine)
    other = sitk.ReadImage(str(path))
    np.testing.assert_array_equal(sitk.GetArrayFromImage(other).transpose(2, 1, 0), data)
    image = images.read(path)
    np.testing.assert_allclose(image.spacing, other.GetSpacing())
    np.testing.assert_allclose((LPS @ image.affine)[:3, 3], other.GetOrigin())
