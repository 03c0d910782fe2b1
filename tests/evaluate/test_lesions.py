import itertools
import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage.measure import label as label_components

from refold.evaluate.lesions import match
from refold.evaluate.metrics import METRICS, REGISTRY, compute
from refold.evaluate.pair import Pair
from tests.evaluate.test_metrics import MASKS

NAN = math.nan
LESIONS = [m for m in METRICS if REGISTRY[m].group == "lesions"]


def line(text):
    """A 2-D mask of one row: ``#`` is inside."""
    return np.array([[c == "#" for c in text]])


def measured(truth, prediction, threshold=0.1):
    pair = Pair(truth, prediction, (1.0,) * truth.ndim, lesion_iou=threshold)
    return {m: v for m, v in compute(pair).items() if m in LESIONS}


def test_by_hand():
    # found with IoU 3/4, found with IoU 1/2, missed; invented twice
    truth = line("####..##.....###......")
    prediction = line("###....###.......#..##")
    assert measured(truth, prediction) == pytest.approx(
        {
            "lesion_sensitivity": 2 / 3,
            "lesion_precision": 2 / 4,
            "lesion_f1": 4 / 7,
            "lesions_missed": 1,
            "lesions_false_positive": 2,
            "panoptic_quality": (3 / 4 + 1 / 4) / (2 + 1 / 2 + 2 / 2),
        }
    )
    # at 0.5 the second is missed and invented
    assert measured(truth, prediction, 0.5)["panoptic_quality"] == pytest.approx(3 / 4 / (1 + 2 / 2 + 3 / 2))


def test_one_component_over_two_lesions_finds_one():
    got = measured(line("###.###"), line("#######"))
    assert [got[m] for m in ("lesion_sensitivity", "lesion_precision", "lesions_missed")] == [1 / 2, 1, 1]


def test_the_best_matching_is_not_always_the_greedy_one():
    # truth A overlaps P (IoU 5/11) and Q (3/7), truth B only P (3/9): greedy takes A-P and leaves B
    truth = line("########.######")
    prediction = line("####...########")
    found = match(truth, prediction, 0.05)
    assert (found.truth, found.prediction) == (2, 2)
    assert found.iou == pytest.approx(sorted([6 / 8, 4 / 8], reverse=True))


@pytest.mark.parametrize(
    ("truth", "prediction", "expected"),
    [
        ("...", "...", [NAN, NAN, NAN, 0, 0, NAN]),
        ("...", "#.#", [NAN, 0, 0, 0, 2, 0]),
        ("#.#", "...", [0, NAN, 0, 2, 0, 0]),
    ],
)
def test_empty_masks(truth, prediction, expected):
    got = measured(line(truth), line(prediction))
    assert list(got.values()) == pytest.approx(expected, nan_ok=True)


def test_corners_join():
    mask = np.zeros((2, 2, 2), bool)
    mask[0, 0, 0] = mask[1, 1, 1] = True
    assert match(mask, mask, 0.5).truth == 1


def test_without_lesions_none_are_measured():
    assert set(compute(Pair(line("#"), line("#"), (1.0, 1.0)))) == set(MASKS)


masks = st.integers(0, 2**32 - 1).map(lambda seed: np.random.default_rng(seed).random((2, 5, 8, 3)) < 0.22)


@settings(max_examples=60, deadline=None)
@given(masks, st.sampled_from([0.05, 0.2, 0.34, 0.5, 0.8, 1.0]))
def test_no_other_matching_has_a_larger_sum(both, threshold):
    truth, prediction = both
    found = match(truth, prediction, threshold)
    first, n = label_components(truth, connectivity=3, return_num=True)
    second, m = label_components(prediction, connectivity=3, return_num=True)
    assert (found.truth, found.prediction) == (n, m)
    iou = np.zeros((n, m))
    for i, j in itertools.product(range(n), range(m)):
        a, b = first == i + 1, second == j + 1
        iou[i, j] = (a & b).sum() / (a | b).sum()
    iou[iou < threshold] = 0

    def most(rows, free):
        if not rows:
            return 0.0
        rest = [iou[rows[0], j] + most(rows[1:], free - {j}) for j in free if iou[rows[0], j]]
        return max([most(rows[1:], free), *rest])

    assert found.iou.sum() == pytest.approx(most(list(range(n)), frozenset(range(m))))
    assert (found.iou >= threshold).all() and (np.diff(found.iou) <= 0).all()
