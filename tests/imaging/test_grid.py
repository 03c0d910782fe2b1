import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refold.imaging import grid


def turned(degrees: float) -> np.ndarray:
    c, s = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    return np.array([[c, -s, 0, 0], [s, c, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])


@pytest.mark.parametrize(
    "spacing, written",
    [
        ((3.25e-5, 1.0), [3.25e-5, 1.0]),
        ((float(np.float32(0.1)), float(np.float32(5.001))), [0.1, 5.001]),
        ((1 / 3, 1234.56789), [0.3333333, 1234.568]),
    ],
)
def test_voxel_sizes_by_significant_digits(spacing, written):
    assert grid.mm(spacing) == written


@given(st.floats(1e-7, 1e4))
def test_what_is_written_is_what_single_precision_holds(size):
    (written,) = grid.mm([np.float32(size)])
    assert abs(written - size) <= 1e-6 * size


@pytest.mark.parametrize(
    "shape, axes",
    [
        ((5, 6, 7), (0, 1, 2)),
        ((5, 6, 1), (0, 1)),
        ((1, 6, 7), (1, 2)),
        ((5, 1, 1), (0, 1)),
        ((1, 1, 7), (0, 2)),
        ((1, 1, 1), (0, 1)),
        ((1, 6), (0, 1)),
    ],
)
def test_axes_of_one_voxel_are_none_of_space(shape, axes):
    assert grid.spatial(shape) == axes
    assert grid.squeezed(np.zeros(shape), shape).shape == tuple(shape[a] for a in axes)


def test_holes_of_a_single_slice_are_filled_within_it():
    ring = np.zeros((7, 7), bool)
    ring[1:6, 1:6] = True
    ring[3, 3] = False
    for axis in range(3):
        whole = np.expand_dims(ring, axis)
        assert grid.filled(whole).sum() == 25 and grid.filled(whole).shape == whole.shape
    # among other slices it is open to both sides
    stack = np.stack([np.zeros_like(ring), ring, np.zeros_like(ring)], -1)
    assert grid.filled(stack).sum() == 24


def changed(affine, scale=(1, 1, 1), shift=(0, 0, 0)):
    other = np.array(affine, float)
    other[:3, :3] *= scale
    other[:3, 3] += shift
    return other


THICK = np.diag([0.5, 0.5, 5.0, 1])
TINY = np.diag([3.25e-5, 3.25e-5, 3.25e-5, 1])


@pytest.mark.parametrize(
    "shape, first, second, found",
    [
        # thousandths of each axis's own voxel size
        ((24, 22, 24), THICK, changed(THICK, (1, 1, 1.0002)), []),
        ((24, 22, 24), THICK, changed(THICK, (1, 1, 1.0011)), ["spacing"]),
        ((24, 22, 24), THICK, changed(THICK, (1.0011, 1, 1)), ["spacing"]),
        ((24, 22, 24), THICK, changed(THICK, shift=(0, 0, 0.004)), []),
        ((24, 22, 24), THICK, changed(THICK, shift=(0.004, 0, 0)), ["origin"]),
        ((24, 22, 24), turned(30) @ THICK, changed(turned(30) @ THICK, shift=(0, 0, 0.006)), ["origin"]),
        # 0.0008 of 500 voxels are 0.4 of one, of 800 they are 0.64
        ((2, 2, 500), THICK, changed(THICK, (1, 1, 1.0008)), []),
        ((2, 2, 800), THICK, changed(THICK, (1, 1, 1.0008)), ["spacing"]),
        # 0.05 degrees: the sine is 0.00087, over 500 voxels 0.44, over 700 0.61
        ((500, 2, 2), np.eye(4), turned(0.05), []),
        ((700, 2, 2), np.eye(4), turned(0.05), ["direction"]),
        ((20, 2, 2), np.eye(4), turned(0.06), ["direction"]),
        # how thick a single slice is called is no part of its grid
        ((24, 22, 1), THICK, changed(THICK, (1, 1, 3)), []),
        # single precision ends before a thousandth of a voxel of 32.5 nm at 10 mm
        ((9, 9, 9), changed(TINY, shift=(10, 0, 0)), changed(TINY, shift=(10 + 5e-7, 0, 0)), []),
        ((9, 9, 9), TINY, changed(TINY, shift=(5e-7, 0, 0)), ["origin"]),
    ],
)  # fmt: skip
def test_grids_are_compared_by_each_axis(shape, first, second, found):
    assert grid.differences(shape, first, second) == found


def test_a_grid_that_is_no_number_is_another():
    broken = THICK.copy()
    broken[0, 0] = np.nan
    assert "spacing" in grid.differences((4, 4, 4), THICK, broken, times=10)
    broken = changed(THICK, shift=(0, np.nan, 0))
    assert grid.differences((4, 4, 4), THICK, broken, times=10) == ["origin"]


def test_tolerances_may_be_wider():
    shape, other = (24, 22, 24), changed(THICK, (1, 1, 1.005), (0.004, 0, 0))
    assert grid.differences(shape, THICK, other) == ["spacing", "origin"]
    assert grid.differences(shape, THICK, other, times=10) == []
