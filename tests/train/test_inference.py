import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refold.core.errors import RefoldError
from refold.train import inference


def two_labels(batch):
    """A 'network' that answers voxel by voxel."""
    p = 1 / (1 + np.exp(-batch[..., :1]))
    return np.concatenate([1 - p, p], -1).astype(np.float32)


@settings(max_examples=40, deadline=None)
@given(
    st.tuples(*[st.integers(3, 21)] * 3),
    st.tuples(*[st.sampled_from([4, 8, 12])] * 3),
    st.sampled_from([0.0, 0.25, 0.5, 0.75]),
)
def test_tiles_add_up_to_one_and_give_what_the_whole_gives(shape, tile, overlap):
    image = np.random.default_rng(1).normal(size=(*shape, 1)).astype(np.float32)
    tiled = inference.probabilities(two_labels, image, 2, (4, 4, 4), tile, overlap)
    assert tiled.shape == (*shape, 2)
    np.testing.assert_allclose(tiled.sum(-1), 1, atol=1e-5)
    np.testing.assert_allclose(tiled, inference.probabilities(two_labels, image, 2, (4, 4, 4)), atol=1e-5)


def test_gaussian_by_hand():
    weight = inference.gaussian((8,))
    np.testing.assert_allclose(weight, np.exp(-0.5 * (np.arange(8) - 3.5) ** 2), rtol=1e-6, atol=1e-4 * weight.max())
    assert inference.gaussian((16, 8)).shape == (16, 8)
    assert inference.gaussian((64, 64, 64)).min() > 0


@given(st.integers(1, 300), st.integers(4, 64), st.sampled_from([0.0, 0.25, 0.5]))
def test_starts_cover_the_axis(size, tile, overlap):
    first = inference.starts(size, tile, overlap)
    covered = np.zeros(max(size, tile), int)
    for s in first:
        assert 0 <= s <= max(0, size - tile)
        covered[s : s + tile] += 1
    assert covered.all()


def test_half_overlap_by_hand():
    assert inference.starts(16, 8, 0.5) == [0, 4, 8]
    assert inference.starts(8, 8, 0.5) == [0]
    assert inference.starts(18, 8, 0.5) == [0, 3, 7, 10]


def test_mirroring_averages_all_combinations_and_turns_answers_back():
    calls = []

    def first_voxel(batch):
        calls.append(batch.copy())
        out = np.zeros((*batch.shape[:-1], 2), np.float32)
        out[:, 0, 0] = 1  # answers at a corner, wherever the image points
        return out

    image = np.zeros((1, 4, 4, 1), np.float32)
    answer = inference.mirrored(first_voxel, ["x", "y"])(image)
    assert len(calls) == 4
    corners = [(0, 0), (0, 3), (3, 0), (3, 3)]
    assert all(answer[0, i, j, 0] == 0.25 for i, j in corners)
    assert answer.sum() == pytest.approx(2.0)
    assert inference.mirrored(two_labels, ["z"])(image) == pytest.approx(two_labels(image))  # no such axis in 2-D


def test_a_volume_by_slices():
    image = np.random.default_rng(2).normal(size=(5, 7, 11, 1)).astype(np.float32)
    np.testing.assert_allclose(inference.slices(two_labels, image, 2, (4, 4), batch=3), two_labels(image), atol=1e-6)


def test_large_volumes_are_gathered_in_a_file(monkeypatch):
    monkeypatch.setattr(inference, "IN_MEMORY", 1000)
    image = np.random.default_rng(3).normal(size=(20, 20, 20, 1)).astype(np.float32)
    out = inference.probabilities(two_labels, image, 2, (4, 4, 4), (8, 8, 8))
    assert isinstance(out, np.memmap)
    np.testing.assert_allclose(out, two_labels(image), atol=1e-5)


def test_tile_size():
    assert inference.tile_size("whole", (101, 100, 100), (8, 8, 8), (4, 4, 4)) == (104, 100, 100)
    assert inference.tile_size("auto", (8, 8, 16), (8, 8, 8), (4, 4, 4)) == (8, 8, 16)
    # a small image is surrounded by as many zeros as in training
    assert inference.tile_size("auto", (5, 8, 3), (8, 8, 8), (4, 4, 4)) == (8, 8, 8)
    assert inference.tile_size("auto", (8, 8, 17), (8, 8, 8), (4, 4, 4)) == (8, 8, 8)
    with pytest.raises(RefoldError, match=r"predict\.tile: \[8, 8\] has 2 axes, the network has 3"):
        inference.tile_size([8, 8], (50, 50, 50), (8, 8, 8), (4, 4, 4))
    assert inference.tile_size([9, 10, 12], (50, 50, 50), (8, 8, 8), (4, 4, 4)) == (12, 12, 12)
