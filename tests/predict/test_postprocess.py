"""Postprocessing: each operation by hand, and that the choice looks at the training side alone."""

from types import SimpleNamespace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from skimage import measure

from refold.methods.postprocessing import Postprocessing
from refold.predict.postprocess import Operations, apply, best, cropped, dice, training_side


def picture(*rows: str) -> np.ndarray:
    return np.array([[int(c) for c in row] for row in rows])


ISLANDS = picture(
    "1100002",
    "1101002",
    "0000000",
    "0111100",
    "0100100",
    "0111100",
)


def test_small_components_go():
    out = apply(ISLANDS, {1: Operations(min_size=4)}, voxel=1)
    assert np.array_equal(out == 1, picture("1100000", "1100000", "0000000", "0111100", "0100100", "0111100") == 1)
    assert np.array_equal(out == 2, ISLANDS == 2)
    # 1 voxel of 3 mm³ is no less than 3 mm³
    assert np.array_equal(apply(ISLANDS, {1: Operations(min_size=3)}, voxel=3), ISLANDS)
    assert (apply(ISLANDS, {1: Operations(min_size=3.1)}, voxel=3) == 1).sum() == 14


def test_the_largest_stays_and_touching_corners_hold_together():
    out = apply(ISLANDS, {1: Operations(largest_component=True)}, voxel=1)
    assert (out == 1).sum() == 10 and (out[:3] == 1).sum() == 0
    diagonal = picture("100", "010", "001")
    assert np.array_equal(apply(diagonal, {1: Operations(largest_component=True)}, voxel=1), diagonal)


def test_holes_are_filled_where_they_are_background():
    ring = picture("11111", "10001", "10201", "10001", "11111")
    out = apply(ring, {1: Operations(fill_holes=True)}, voxel=1)
    assert np.array_equal(out, np.where(ring == 2, 2, 1))
    # open at a corner is closed for the other colour: an enclosed voxel's diagonal is no way out
    assert apply(picture("110", "101", "111"), {1: Operations(fill_holes=True)}, 1)[1, 1] == 1


def test_holes_of_a_single_slice_are_filled_within_it():
    ring = picture("11111", "10001", "10001", "11111")
    fill = {1: Operations(fill_holes=True)}
    assert (apply(ring[..., None], fill, 1) == 1).all()
    stack = np.stack([0 * ring, ring, 0 * ring], -1)
    assert np.array_equal(apply(stack, fill, 1), stack)
    # nor is a label that lies in one slice of a volume taken for a single slice where the choice is made
    for z in range(3):
        stack = np.zeros((*ring.shape, 3), int)
        stack[..., z] = ring
        answer, truth = cropped(stack, stack)
        assert answer.shape == (4, 5, 2) and np.array_equal(apply(answer, fill, 1), truth)


@given(st.integers(0, 10**6), st.integers(2, 3), st.sampled_from([0.0, 2.0, 5.0]), st.booleans(), st.booleans())
@settings(max_examples=60, deadline=None)
def test_against_scikit_image(seed, dimension, size, largest, holes):
    """An independent way to the same masks; a second time changes nothing."""
    mask = np.random.default_rng(seed).random((7,) * dimension) < 0.4
    out = apply(mask.astype(int), {1: Operations(size, largest, False)}, voxel=1) == 1
    regions = [r for r in measure.regionprops(measure.label(mask, connectivity=dimension)) if r.area >= size]
    if largest and regions:
        most = max(r.area for r in regions)
        regions = [next(r for r in regions if r.area == most)]
    expected = np.zeros_like(mask)
    for region in regions:
        expected[tuple(region.coords.T)] = True
    if largest and regions:  # of equals, any one
        assert out.sum() == expected.sum() and measure.label(out, connectivity=dimension).max() == 1
    else:
        assert np.array_equal(out, expected)
    todo = {1: Operations(size, largest, holes)}
    once = apply(mask.astype(int), todo, 1)
    assert np.array_equal(apply(once, todo, 1), once)


@given(st.integers(0, 10**6), st.integers(2, 3))
@settings(max_examples=60, deadline=None)
def test_in_the_box_of_the_foreground_the_choice_is_the_same(seed, dimension):
    """Also where the foreground touches the image's border, or is none."""
    random = np.random.default_rng(seed)

    def one():
        answer, truth = np.zeros((2, *(9,) * dimension), np.int64)
        box = tuple(slice(*sorted(random.integers(0, 10, 2))) for _ in range(dimension))
        answer[box] = random.choice([0, 1, 1, 2], answer[box].shape)
        truth[box] = random.choice([0, 1, 2], truth[box].shape)
        return answer, truth, 2.0

    pairs = [one() for _ in range(3)]
    small = [(*cropped(a, t), voxel) for a, t, voxel in pairs]
    wanted = Postprocessing(of="a", min_size=[4.0, 20.0], min_gain=0)
    assert best(small, 3, wanted) == best(pairs, 3, wanted)
    for (a, t, _), (b, u, _) in zip(pairs, small, strict=True):
        assert b.dtype == u.dtype == np.uint8 and (b.size < a.size or ((a > 0) | (t > 0)).any())
        for label in (1, 2):
            assert ((a == label).sum(), (t == label).sum()) == ((b == label).sum(), (u == label).sum())


def test_dice_of_empty_masks_rewards_not_inventing():
    empty, full = np.zeros((2, 2), bool), np.ones((2, 2), bool)
    assert (dice(empty, empty), dice(full, empty), dice(empty, full), dice(full, full)) == (1, 0, 0, 1)
    assert dice(np.array([1, 1, 0, 0], bool), np.array([0, 1, 1, 1], bool)) == pytest.approx(2 / 5)


def made(**more) -> Postprocessing:
    return Postprocessing(**{"of": "u", "min_size": [3], **more})


def test_what_helps_is_chosen_for_each_label_by_itself():
    truth = ISLANDS.copy()
    truth[0:2, 3] = 0  # the single voxel is false
    truth[4, 2:4] = 1  # the ring is full
    pairs = [(ISLANDS, truth, 1.0)] * 2
    chosen, scores = best(pairs, 3, made())
    assert chosen[1] == Operations(min_size=3.0, fill_holes=True)
    assert chosen[2] == Operations()  # min_size 3 would remove it
    assert scores[1] == (pytest.approx(2 * 14 / (15 + 16)), 1.0) and scores[2] == (1.0, 1.0)


@pytest.mark.parametrize("voxel", [0.003375, 1.0, 8.0])
def test_sizes_by_default_are_counts_of_voxels_whatever_their_size(voxel):
    predicted = np.zeros((12, 12), np.int64)
    predicted[0:2, 0:2] = 1  # 4 voxels, false
    predicted[4:9, 4] = 1  # 5 voxels, and there
    predicted[11, 7:12] = 2  # 5 voxels, false
    predicted[0:3, 5:12] = 2  # 21 voxels, and there
    truth = np.where(
        (np.arange(12) >= 4)[:, None] & (predicted == 1) | (np.arange(12) < 3)[:, None] & (predicted == 2), predicted, 0
    )
    chosen, _ = best([(predicted, truth, voxel)] * 2, 3, made(min_size="auto", largest_component=False))
    assert chosen == {1: Operations(min_size=5 * voxel), 2: Operations(min_size=20 * voxel)}
    assert np.array_equal(apply(predicted, chosen, voxel), truth)
    # cases of other voxels: one size, of the median voxel
    chosen, _ = best(
        [(predicted, truth, v * voxel) for v in (1, 1, 1.2)], 3, made(min_size="auto", largest_component=False)
    )
    assert chosen[2] == Operations(min_size=20 * voxel)


def test_an_operation_that_is_off_is_not_tried_and_a_small_gain_is_none():
    truth = ISLANDS.copy()
    truth[0:2, 3] = 0
    truth[4, 2:4] = 1
    pairs = [(ISLANDS, truth, 1.0)]
    assert best(pairs, 3, made(fill_holes=False))[0][1] == Operations(min_size=3.0)
    assert best(pairs, 3, made(min_gain=0.5))[0][1] == Operations()
    # where nothing is gained nothing is done
    assert best([(truth, truth, 1.0)], 3, made())[0] == {1: Operations(), 2: Operations()}


def model(fold, cases, held):
    return SimpleNamespace(card={"fold": fold, "training": {"cases": cases, "inner_validation": held}})


def test_the_choice_is_made_on_the_inner_validation_that_all_share():
    a, b = model(0, ["c1", "c2"], ["c3", "c4"]), model(0, ["c1", "c3"], ["c4", "c2"])
    assert training_side([a]) == (["c3", "c4"], False)
    assert training_side([a, b]) == (["c4"], False)
    classical = model(0, ["c1", "c2", "c3", "c4"], [])
    assert training_side([a, classical]) == (["c1", "c2", "c3", "c4"], True)
