"""Lengths that follow the data, by hand."""

import numpy as np
import pytest

from refold.evaluate.metrics import METRICS, REGISTRY, VOLUMES, compute
from refold.evaluate.pair import pairs
from refold.evaluate.structures import Structure
from refold.imaging import lengths
from refold.imaging.cases import Case
from refold.settings.evaluate import Evaluate


def case(spacing, shape=(20, 30, 10), name="c"):
    return Case(name, name, (), "", 1, shape[: len(spacing)], spacing, "RAS", (1, 1), "0" * 64)


@pytest.mark.parametrize(
    ("spacing", "shape", "expected"),
    [
        ((0.8, 0.9, 5.0), (20, 30, 10), 0.9),  # a thick slice does not count
        ((5.0, 0.8, 0.9), (10, 30, 20), 0.9),
        ((1.0, 1.0, 0.5), (20, 30, 10), 1.0),
        ((0.5, 0.7), (20, 30), 0.7),
        ((0.5, 0.7, 0.1), (20, 30, 1), 0.7),  # a single slice
    ],
)
def test_the_voxel_size_within_a_slice(spacing, shape, expected):
    assert lengths.in_plane(case(spacing, shape)) == expected


def test_nine_in_ten_cases_have_no_larger_voxels():
    sizes = [0.5] * 8 + [0.941] + [3.0]
    assert lengths.voxel([case((s, s, 2.0)) for s in sizes]) == 0.95  # rounded up to two digits
    assert lengths.voxel([case((s, s, 2.0)) for s in [0.5] * 8 + [0.9, 0.9]]) == 0.9
    assert lengths.voxel([case((float(np.float32(0.1)),) * 3)]) == 0.1  # single precision is a little more


def test_numbers_stay_and_auto_follows_the_data():
    cases = [case((0.15, 0.15, 0.15))]
    found = lengths.resolve(Evaluate(), cases)
    assert (found.nsd_tolerance, found.calibration_margin) == (0.15, 0.75)
    given = Evaluate(nsd_tolerance=1, calibration_margin=0)
    assert lengths.resolve(given, cases) == given


def test_a_tolerance_below_the_voxels_of_many_cases_is_told():
    cases = [case((s, s, 4.0)) for s in [0.9] * 17 + [1.2] * 3]
    told = lengths.fine_tolerance(Evaluate(nsd_tolerance=1), cases)
    assert "1 mm, below the voxel size within a slice of 3 of 20 cases (up to 1.2 mm)" in told
    assert told.endswith("auto would be 1.2 mm")
    assert lengths.fine_tolerance(Evaluate(nsd_tolerance=1), cases[:18]) is None, "one in ten may be coarser"
    assert lengths.fine_tolerance(lengths.resolve(Evaluate(), cases), cases) is None


@pytest.mark.parametrize("factor", [0.1, 0.013, 7.0])
def test_a_data_set_of_another_size_has_the_same_scores(factor):
    random = np.random.default_rng(2)
    truth, prediction = random.integers(0, 2, (2, 12, 11, 10)).astype(np.uint8)
    truth[:3], prediction[:2] = 0, 0
    q = random.integers(0, 256, (*truth.shape, 1)).astype(np.uint8)
    made = []
    for times in (1.0, factor):
        spacing = (1.0 * times, 2.0 * times, 3.0 * times)
        e = lengths.resolve(Evaluate(), [case(spacing, truth.shape)])
        parts = [Structure("a", (1,), True)]
        made += [compute(p) for p in pairs(
            truth, prediction, parts, spacing, e.nsd_tolerance, e.lesion_iou, q, e.calibration_margin
        )]  # fmt: skip
    for metric in METRICS:
        power = 3 if metric in VOLUMES else 1 if REGISTRY[metric].unit == "mm" else 0
        assert made[1][metric] == pytest.approx(made[0][metric] * factor**power, rel=1e-9), metric
