import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refold.core.errors import RefoldError
from refold.evaluate.metrics import METRICS, REGISTRY, compute, metric
from refold.evaluate.pair import Pair, pairs
from refold.evaluate.structures import Structure

NAN = math.nan
MASKS = [m for m in METRICS if REGISTRY[m].group == "masks"]


def box(shape, *slices):
    mask = np.zeros(shape, bool)
    mask[slices] = True
    return mask


def of(truth, prediction, spacing=None, tolerance=1.0):
    return compute(Pair(truth, prediction, spacing or (1.0,) * truth.ndim, tolerance))


def test_each_metric_has_one_record_and_its_place_in_the_tables():
    assert set(REGISTRY) == set(METRICS)
    assert METRICS[:2] == ("dice", "dice_lenient") and METRICS[-3:] == ("ece", "brier", "entropy")
    assert all(m.title and REGISTRY[m.name] is m for m in REGISTRY.values())
    with pytest.raises(ValueError, match="registered twice"):
        metric("Dice", REGISTRY["dice"].empty)(REGISTRY["dice"].function)


def test_overlap_of_shifted_cubes_by_hand():
    # 4 x 4 x 4 in 10^3, shifted by one along x: tp 48, fp 16, fn 16, tn 920
    cube = slice(3, 7)
    got = of(box((10, 10, 10), cube, cube, cube), box((10, 10, 10), slice(4, 8), cube, cube), (1.0, 2.0, 5.0))
    expected = {
        "dice": 96 / 128, "dice_lenient": 96 / 128, "f1": 96 / 128, "iou": 48 / 80, "iou_lenient": 48 / 80,
        "precision": 48 / 64, "recall": 48 / 64, "specificity": 920 / 936, "accuracy": 968 / 1000,
        "volume": 0.64, "volume_error": 0.0,
    }  # fmt: skip
    assert {k: got[k] for k in expected} == pytest.approx(expected)


def test_precision_and_recall_part_by_hand():
    # truth 2 voxels, prediction 8 that hold them; 2 mm voxels
    got = of(box((4, 4, 4), 0, 0, slice(0, 2)), box((4, 4, 4), slice(0, 2), slice(0, 2), slice(0, 2)), (2.0, 2.0, 2.0))
    assert got["precision"] == 2 / 8
    assert got["recall"] == 1
    assert got["specificity"] == 56 / 62
    assert got["volume"] == pytest.approx(0.064)
    assert got["volume_error"] == pytest.approx(0.048)


def disc(radius, shape=(64, 64)):
    return np.hypot(*(np.indices(shape) - 31.5)) <= radius


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("thickness", [1.0, 999.0])
def test_a_single_slice_has_the_distances_of_a_picture(axis, thickness):
    """Discs of radius 20 and 26, 6 apart all around. With the slice's faces as surface, most of it would be shared."""
    spacing = list(np.insert([1.0, 1.0], axis, thickness))
    flat = of(disc(20), disc(26))
    got = of(*(np.expand_dims(disc(r), axis) for r in (20, 26)), spacing)
    distances = ("hd95", "hd95_penalised", "assd", "nsd")
    assert {m: got[m] for m in distances} == {m: flat[m] for m in distances}
    assert got["nsd"] == 0 and 5 < got["assd"] < got["hd95"] < 7
    missed = of(np.expand_dims(disc(20), axis), np.zeros(np.insert((64, 64), axis, 1), bool), spacing)
    assert missed["hd95_penalised"] == pytest.approx(64 * math.sqrt(2))
    assert got["volume"] == pytest.approx(disc(26).sum() * thickness / 1000)  # ml, as the header has the slice


def test_one_slice_of_several_has_faces():
    """The image decides, not what is labelled in it."""
    stack = [np.stack([np.zeros((64, 64), bool), disc(r)], -1) for r in (20, 26)]
    got = of(*stack, (1.0, 1.0, 1.0))
    assert 0.7 < got["nsd"] < 0.9


@pytest.mark.parametrize("dimension", [2, 3])
def test_distances_of_two_voxels_by_hand(dimension):
    # corners at x = 0, 2 mm and x = 6, 8 mm, each with half the surface: 4 mm and 6 mm, both ways
    shape = (6, 3, 3)[:dimension]
    a, b = np.zeros(shape, bool), np.zeros(shape, bool)
    a[(0,) * dimension], b[(3, *(0,) * (dimension - 1))] = True, True
    spacing = (2.0, 1.0, 1.0)[:dimension]
    got = of(a, b, spacing, tolerance=4.0)
    assert (got["hd95"], got["hd95_penalised"], got["assd"], got["nsd"]) == pytest.approx((6, 6, 5, 0.5))
    assert of(a, b, spacing, tolerance=3.99)["nsd"] == 0
    assert of(a, b, spacing, tolerance=6.0)["nsd"] == 1


def test_hd95_drops_five_percent_of_the_surface_and_weighs_by_area():
    # a contour of 40 x 40 pixels, and the same with one pixel more, 12 pixels away
    truth = box((60, 60), slice(0, 40), slice(0, 40))
    prediction = truth.copy()
    prediction[51, 0] = True
    got = of(truth, prediction)
    # the far pixel has 4 * sqrt(1/2) of about 160 mm of contour: 1.7 %
    assert got["hd95"] == 0
    big = of(truth, truth | box((60, 60), slice(45, 49), slice(0, 4)))
    # the near edge of the 4 x 4 block lies 5 pixels away, its far edge 9; of 4 * 3 + 4 * sqrt(1/2) = 14.8 mm beside
    # 158.8 mm, the farthest 5 % (8.7 mm) end at 6 pixels
    assert big["hd95"] == 6


def test_a_tolerance_met_exactly_counts_whatever_the_rounding():
    a, b = np.zeros((8, 1), bool), np.zeros((8, 1), bool)
    a[0], b[4] = True, True
    # three steps between the nearest corners, four to the farther ones
    assert 3 * 0.1 > 0.3
    assert of(a, b, (0.1, 1.0), tolerance=0.3)["nsd"] == 0.5
    assert of(a, b, (0.1, 1.0), tolerance=0.299)["nsd"] == 0


EMPTY, SOME = np.zeros((3, 4, 12), bool), box((3, 4, 12), 1, 1, slice(1, 3))
DIAGONAL = 13.0
POLICY = {
    # metric: both empty, truth empty (false positive), prediction empty (missed)
    "dice": (NAN, 0, 0), "dice_lenient": (1, 0, 0), "iou": (NAN, 0, 0), "iou_lenient": (1, 0, 0), "f1": (NAN, 0, 0),
    "precision": (NAN, 0, 0), "recall": (NAN, 0, 0),
    "hd95": (NAN, NAN, NAN), "hd95_penalised": (NAN, DIAGONAL, DIAGONAL), "assd": (NAN, NAN, NAN), "nsd": (NAN, 0, 0),
    "specificity": (1, 142 / 144, 1), "accuracy": (1, 142 / 144, 142 / 144),
    "volume": (0, 0.002, 0), "volume_error": (0, 0.002, -0.002),
}  # fmt: skip


@pytest.mark.parametrize(
    ("column", "state", "truth", "prediction"),
    [(0, "both_empty", EMPTY, EMPTY), (1, "false_positive", EMPTY, SOME), (2, "missed", SOME, EMPTY)],
)
def test_policy_for_empty_masks(column, state, truth, prediction):
    pair = Pair(truth, prediction, (1.0, 1.0, 1.0))
    assert pair.state == state
    assert compute(pair) == pytest.approx({m: POLICY[m][column] for m in MASKS}, nan_ok=True)


def test_specificity_is_not_defined_where_the_truth_fills_the_image():
    assert math.isnan(of(~EMPTY, SOME)["specificity"])


def test_cropped_pairs_of_a_label_map_equal_whole_masks():
    random = np.random.default_rng(3)
    truth, prediction = np.zeros((2, 12, 11, 10), np.uint8)
    truth[3:8, 2:9, 4:7] = random.integers(0, 4, (5, 7, 3))
    prediction[2:7, 3:9, 4:8] = random.integers(0, 3, (5, 6, 4))
    found = list(pairs(truth, prediction, [Structure(str(i), (i,)) for i in range(1, 5)], (1.0, 2.0, 3.0), 1.0))
    assert [p.state for p in found] == ["found", "found", "missed", "both_empty"]
    for label, pair in enumerate(found, start=1):
        whole = of(truth == label, prediction == label, (1.0, 2.0, 3.0))
        assert compute(pair) == pytest.approx(whole, nan_ok=True, rel=1e-12)


def test_shapes_must_agree():
    with pytest.raises(RefoldError, match="shape"):
        Pair(np.zeros((2, 2), bool), np.zeros((2, 3), bool), (1, 1))
    with pytest.raises(RefoldError, match="2 or 3"):
        Pair(np.zeros((2, 2), bool), np.zeros((2, 2), bool), (1, 1, 1))


@st.composite
def masks(draw):
    """Two masks, neither empty, of 2 or 3 axes, from noise of any density; and a spacing."""
    dimension = draw(st.integers(2, 3))
    shape = tuple(draw(st.integers(2, 7)) for _ in range(dimension))
    random = np.random.default_rng(draw(st.integers(0, 2**32)))
    found = [random.random(shape) < draw(st.floats(0.05, 0.95)) for _ in range(2)]
    for mask in found:
        mask.flat[random.integers(mask.size)] = True
    return *found, tuple(draw(st.sampled_from([0.31, 0.7, 1.0, 1.9, 4.7])) for _ in range(dimension))


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@settings(max_examples=120, deadline=None)
@given(masks(), st.sampled_from([0.45, 1.1, 2.6]))
def test_agrees_with_surface_distance(pair, tolerance):
    package = pytest.importorskip("surface_distance.metrics")
    truth, prediction, spacing = pair
    got = of(truth, prediction, spacing, tolerance)
    reference = package.compute_surface_distances(truth, prediction, spacing)
    means = package.compute_average_surface_distance(reference)
    sizes = reference["surfel_areas_gt"].sum(), reference["surfel_areas_pred"].sum()
    expected = {
        "dice": package.compute_dice_coefficient(truth, prediction),
        "hd95": package.compute_robust_hausdorff(reference, 95),
        "nsd": package.compute_surface_dice_at_tolerance(reference, tolerance),
        "assd": np.average(means, weights=sizes),
    }
    assert {k: got[k] for k in expected} == pytest.approx(expected, abs=1e-6)


@settings(max_examples=40, deadline=None)
@given(masks())
def test_agrees_with_scikit_learn(pair):
    from sklearn import metrics as sk

    truth, prediction, spacing = pair
    got = of(truth, prediction, spacing)
    flat = truth.ravel(), prediction.ravel()
    expected = {
        "dice": sk.f1_score(*flat), "f1": sk.f1_score(*flat), "iou": sk.jaccard_score(*flat),
        "precision": sk.precision_score(*flat), "recall": sk.recall_score(*flat), "accuracy": sk.accuracy_score(*flat),
    }  # fmt: skip
    assert {k: got[k] for k in expected} == pytest.approx(expected, abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(masks())
def test_swapping_truth_and_prediction(pair):
    truth, prediction, spacing = pair
    one, other = of(truth, prediction, spacing), of(prediction, truth, spacing)
    for name in ("dice", "iou", "f1", "accuracy", "hd95", "hd95_penalised", "assd", "nsd"):
        assert one[name] == pytest.approx(other[name], rel=1e-12), name
    assert one["precision"] == other["recall"]
    assert one["volume_error"] == pytest.approx(-other["volume_error"])


@settings(max_examples=40, deadline=None)
@given(masks(), st.integers(0, 2))
def test_a_flip_or_a_margin_changes_nothing(pair, axis):
    truth, prediction, spacing = pair
    one = of(truth, prediction, spacing)
    axis %= truth.ndim
    flipped = of(np.flip(truth, axis), np.flip(prediction, axis), spacing)
    assert flipped == pytest.approx(one, nan_ok=True, rel=1e-9)
    wider = of(np.pad(truth, 2), np.pad(prediction, 2), spacing)
    for name in ("dice", "precision", "recall", "hd95", "assd", "nsd", "volume"):
        assert wider[name] == pytest.approx(one[name], rel=1e-12), name


@settings(max_examples=40, deadline=None)
@given(masks())
def test_distances_scale_with_the_spacing(pair):
    truth, prediction, spacing = pair
    one = of(truth, prediction, spacing, 1.0)
    two = of(truth, prediction, tuple(2 * s for s in spacing), 2.0)
    for name in ("hd95", "hd95_penalised", "assd"):
        assert two[name] == pytest.approx(2 * one[name], rel=1e-12), name
    for name in ("dice", "nsd", "specificity"):
        assert two[name] == pytest.approx(one[name], rel=1e-12, nan_ok=True), name
    assert two["volume"] == pytest.approx(2**truth.ndim * one["volume"])


@settings(max_examples=20, deadline=None)
@given(masks())
def test_a_perfect_prediction(pair):
    got = of(pair[0], pair[0], pair[2])
    assert [got[m] for m in ("dice", "iou", "precision", "recall", "accuracy", "nsd")] == [1] * 6
    assert [got[m] for m in ("hd95", "assd", "volume_error")] == [0] * 3
