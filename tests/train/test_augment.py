"""refold.train.augment: patches and their random changes, against values by hand and by SciPy."""

from __future__ import annotations

import re
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.transform import Rotation

from refold.core import rng
from refold.settings.augment import Augment
from refold.train import augment
from refold.train.augment import INTENSITY, Augmenter, Draw

OFF = {name: {"p": 0} for name in ("rotation", "scaling", "crop", *INTENSITY)}


def chosen(dimension: int = 3, **sections) -> Augmenter:
    """All operations off but these."""
    return Augmenter(Augment.model_validate({**OFF, **sections}), dimension)


def geometry(matrix, place=None, flips=()) -> Draw:
    d = len(matrix)
    return Draw(np.asarray(matrix, float), np.zeros(d) if place is None else np.asarray(place, float), flips, ())


def plain(dimension: int, flips=(), changes=()) -> Draw:
    return Draw(None, np.zeros(dimension), flips, changes)


def volume(shape=(20, 24, 18), channels=1, labels=3, seed=0):
    """Random voxels and a random map of blobs."""
    random = np.random.default_rng(seed)
    image = random.standard_normal((*shape, channels), dtype=np.float32)
    smooth = ndimage.gaussian_filter(random.standard_normal(shape), 2)
    edges = np.quantile(smooth, np.linspace(0, 1, labels + 1)[1:-1])
    return image, np.digitize(smooth, edges).astype(np.uint8)


def middle(shape):
    return [(n - 1) / 2 for n in shape]


def cut(image, label, patch, draw, centre=None, augmenter=None, seed=0):
    augmenter = augmenter or chosen(len(patch))
    centre = middle(label.shape) if centre is None else centre
    return augmenter.sample(image, label, centre, patch, draw, np.random.default_rng(seed))


class Spy:
    """An array that remembers which boxes were asked of it."""

    def __init__(self, array):
        self.array, self.shape, self.read = array, array.shape, []

    def __getitem__(self, key):
        self.read.append(tuple((s.start, s.stop) for s in key))
        return self.array[key]


# ---------------------------------------------------------------- cutting


def test_nothing_fires_gives_the_plain_crop_bit_for_bit():
    image, label = volume(channels=2)
    augmenter = chosen()
    generator = np.random.default_rng(1)
    draw = augmenter.draw(generator)
    assert not draw.geometric and draw.flips == () and draw.changes == ()
    patch, labels = augmenter.sample(image, label, (10, 11.5, 9), (5, 8, 7), draw, generator)
    assert patch.dtype == np.float32 and labels.dtype == np.uint8
    assert patch.flags.c_contiguous and labels.flags.c_contiguous
    np.testing.assert_array_equal(patch, image[8:13, 8:16, 6:13])
    np.testing.assert_array_equal(labels, label[8:13, 8:16, 6:13])


def test_a_patch_shares_no_memory_with_the_volume():
    image, label = volume()
    before = image.copy(), label.copy()
    augmenter = chosen(brightness={"p": 1, "range": [2, 2]}, noise={"p": 1})
    patch, labels = cut(image, label, label.shape, plain(3, changes=("noise", "brightness")), augmenter=augmenter)
    assert not np.shares_memory(patch, image) and not np.shares_memory(labels, label)
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(label, before[1])


def test_over_the_border_there_are_zeros():
    image, label = np.ones((8, 8, 8, 1), np.float32), np.ones((8, 8, 8), np.uint8)
    patch, labels = cut(image, label, (4, 4, 4), plain(3), centre=(0.5, 7.5, 3.5))
    expected = np.zeros((4, 4, 4), np.uint8)
    expected[1:, :2, :] = 1  # x -1..2, y 6..9, z 2..5
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_array_equal(patch[..., 0], expected)


def test_a_patch_outside_the_volume_is_empty():
    image, label = np.ones((8, 8, 8, 2), np.float32), np.ones((8, 8, 8), np.uint8)
    for draw in (plain(3), geometry(augment.rotation([0.3, 0.2, 0.1]))):
        for centre in ((40, 4, 4), (-40, -40, 4)):
            patch, labels = cut(image, label, (4, 4, 4), draw, centre=centre)
            assert patch.shape == (4, 4, 4, 2) and not patch.any() and not labels.any()


@pytest.mark.parametrize("draw", [plain(3), geometry(np.eye(3))], ids=["plain", "interpolated"])
def test_a_volume_smaller_than_the_patch_is_centred(draw):
    image, label = np.ones((3, 8, 4, 1), np.float32), np.ones((3, 8, 4), np.uint8)
    patch, labels = cut(image, label, (6, 4, 8), draw, centre=(0, 3.5, 3))
    expected = np.zeros((6, 4, 8), np.uint8)
    expected[1:4, :, 2:6] = 1  # 3 voxels short on x: 1 before, 2 after
    np.testing.assert_array_equal(labels, expected)
    np.testing.assert_allclose(patch[..., 0], expected, atol=1e-5)


def test_only_the_box_needed_is_read():
    image, label = volume((60, 60, 60))
    spies = Spy(image), Spy(label)
    cut(*spies, (10, 12, 8), plain(3), centre=(30.5, 29.5, 31.5))
    assert spies[0].read == spies[1].read == [((26, 36), (24, 36), (28, 36))]


def test_a_turned_patch_reads_its_own_box_and_no_more():
    image, label = volume((60, 60, 60))
    spies = Spy(image), Spy(label)
    cut(*spies, (10, 10, 10), geometry(augment.rotation([0, 0, np.pi / 4])), centre=(29.5, 29.5, 29.5))
    # the half diagonal of the square of voxel centres is 4.5 * sqrt(2) = 6.36
    assert spies[0].read == spies[1].read
    ((x, y, z),) = spies[0].read
    assert x == y == (23, 37) and z[0] in (24, 25) and z[1] in (35, 36)


def test_corners_of_a_turned_patch_hold_real_voxels():
    image, label = np.ones((60, 60, 60, 1), np.float32), np.ones((60, 60, 60), np.uint8)
    patch, labels = cut(image, label, (20, 20, 20), geometry(augment.rotation([0.5, 0.5, 0.5]) * 1.4))
    np.testing.assert_allclose(patch, 1, atol=1e-6)
    assert (labels == 1).all()


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_single_slice_is_turned_within_itself_alone(axis):
    """A slice of ones stays ones far from its border; turned out of itself it would leave the patch."""
    sections = {"rotation": {"p": 1, "degrees": 90}, "scaling": {"p": 1}, "crop": {"p": 1}}
    augmenter = Augmenter(Augment.model_validate({**OFF, **sections}), 3)
    shape, patch = [60, 60, 60], [12, 12, 12]
    shape[axis] = patch[axis] = 1
    image, label = np.ones((*shape, 1), np.float32), np.ones(shape, np.uint8)
    turned = 0
    for seed in range(20):
        draw = augmenter.draw(np.random.default_rng(seed), shape)
        planes, labels = cut(image, label, patch, draw, augmenter=augmenter)
        np.testing.assert_allclose(planes, 1, atol=1e-5)
        assert (labels == 1).all()
        inside = np.delete(np.delete(draw.matrix, axis, 0), axis, 1)
        size = np.sqrt(np.linalg.det(inside))  # a rotation times a factor
        np.testing.assert_allclose(inside @ inside.T, size**2 * np.eye(2), atol=1e-9)
        turned += abs(inside[0, 1]) > 0.1
        # what a volume of several slices is drawn is as it was
        plain, other = (augmenter.draw(np.random.default_rng(seed), s) for s in ((), (60, 60, 60)))
        assert np.array_equal(plain.matrix, other.matrix) and np.array_equal(plain.place, other.place)
    assert turned > 10


def test_hdf5_and_memory_maps_give_the_same_bytes(tmp_path):
    image, label = volume(channels=2)
    with h5py.File(tmp_path / "case.h5", "w") as file:
        file["image"], file["label"] = image, label
    np.save(tmp_path / "image.npy", image)
    mapped = np.load(tmp_path / "image.npy", mmap_mode="r")
    augmenter = Augmenter(Augment.model_validate({"flip": {"axes": ["x", "y", "z"]}, "rotation": {"p": 1}}), 3)
    draw = augmenter.draw(np.random.default_rng(3))
    with h5py.File(tmp_path / "case.h5") as file:
        results = [
            cut(*case, (10, 9, 8), draw, augmenter=augmenter)
            for case in ((image, label), (file["image"], file["label"]), (mapped, label))
        ]
    for patch, labels in results[1:]:
        np.testing.assert_array_equal(patch, results[0][0])
        np.testing.assert_array_equal(labels, results[0][1])


def test_other_number_types_are_converted():
    image, label = volume()
    patch, labels = cut(image.astype(np.float64), label.astype(np.int64), (5, 5, 5), plain(3))
    reference = cut(image, label, (5, 5, 5), plain(3))
    assert patch.dtype == np.float32 and labels.dtype == np.uint8
    np.testing.assert_array_equal(patch, reference[0])
    np.testing.assert_array_equal(labels, reference[1])


@pytest.mark.parametrize(
    ("image", "label", "patch"),
    [((8, 8, 8, 1), (8, 8, 7), (4, 4, 4)), ((8, 8, 8), (8, 8, 8), (4, 4, 4)), ((8, 8, 8, 1), (8, 8, 8), (4, 4))],
    ids=["label of another shape", "no channel axis", "patch with two axes"],
)
def test_contradicting_shapes_are_refused(image, label, patch):
    with pytest.raises(ValueError, match="3 spatial axes"):
        cut(np.zeros(image, np.float32), np.zeros(label, np.uint8), patch, plain(3), (4, 4, 4), chosen())


def test_another_dimension_is_refused():
    with pytest.raises(ValueError, match="2 or 3"):
        chosen(4)


# ---------------------------------------------------------------- geometry


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_rotation_by_90_degrees_is_rot90(axis):
    image, label = volume((12, 12, 12))
    angles = [0.0, 0.0, 0.0]
    angles[axis] = np.pi / 2
    patch, labels = cut(image, label, (12, 12, 12), geometry(augment.rotation(angles)))
    plane = ((1, 2), (2, 0), (0, 1))[axis]
    np.testing.assert_allclose(patch, np.rot90(image, -1, plane), atol=1e-5)
    np.testing.assert_array_equal(labels, np.rot90(label, -1, plane))


def test_rotation_in_the_plane_by_90_degrees_is_rot90():
    image, label = volume((15, 15), channels=3)
    patch, labels = cut(image, label, (15, 15), geometry(augment.rotation([np.pi / 2])))
    np.testing.assert_allclose(patch, np.rot90(image, -1), atol=1e-5)
    np.testing.assert_array_equal(labels, np.rot90(label, -1))


def test_rotation_matrix_is_scipys():
    angles = [0.3, -0.4, 0.5]
    np.testing.assert_allclose(augment.rotation(angles), Rotation.from_euler("xyz", angles).as_matrix(), atol=1e-12)


def test_scaling_by_two_doubles_a_cube():
    label = np.zeros((40, 40, 40), np.uint8)
    label[16:24, 16:24, 16:24] = 1
    augmenter = chosen(scaling={"p": 1, "range": [2, 2]})
    draw = augmenter.draw(np.random.default_rng(0))
    _, labels = cut(label[..., None].astype(np.float32), label, (40, 40, 40), draw, augmenter=augmenter)
    expected = np.zeros((40, 40, 40), np.uint8)
    expected[12:28, 12:28, 12:28] = 1
    expected[np.ix_([12, 27], [12, 27], [12, 27])] = 0  # the very corners hold 0.75 ** 3 of the cube, under one half
    np.testing.assert_array_equal(labels, expected)


@pytest.mark.parametrize("share", [0.5, 0.8])
def test_a_crop_is_enlarged_and_lies_inside_the_patch(share):
    shape = (40, 40, 40)
    image = np.stack(np.meshgrid(*map(np.arange, shape), indexing="ij"), -1).astype(np.float32)
    augmenter = chosen(crop={"p": 1, "range": [share, share]})
    seen = []
    for seed in range(20):
        draw = augmenter.draw(np.random.default_rng(seed))
        patch, _ = cut(image, np.zeros(shape, np.uint8), (20, 20, 20), draw, augmenter=augmenter)
        # each channel holds the coordinate of one axis, so the patch tells where it was taken
        low, high = patch[0, 0, 0], patch[-1, -1, -1]
        np.testing.assert_allclose(high - low, share * 19, atol=1e-3)
        assert (low >= 9.5 + share / 2 - 1e-3).all() and (high <= 29.5 - share / 2 + 1e-3).all()
        seen.append(low)
    assert np.ptp(seen, axis=0).min() > 0.5 * (1 - share) * 20


def test_rotation_scaling_and_crop_are_one_interpolation_equal_to_scipys():
    image, label = volume((40, 44, 36))
    augmenter = chosen(rotation={"p": 1}, scaling={"p": 1}, crop={"p": 1})
    for seed in range(5):
        draw = augmenter.draw(np.random.default_rng(seed))
        patch = (16, 20, 14)
        ours, _ = cut(image, label, patch, draw, centre=(19.5, 21.5, 17.5), augmenter=augmenter)
        half = (np.array(patch) - 1) / 2
        offset = np.array([19.5, 21.5, 17.5]) + draw.matrix @ (draw.place * patch - half)
        theirs = ndimage.affine_transform(
            image[..., 0].astype(float), draw.matrix, offset, patch, order=1, mode="grid-constant"
        )
        np.testing.assert_allclose(ours[..., 0], theirs, atol=2e-4)


@pytest.mark.parametrize("dimension", [2, 3])
def test_labels_are_those_with_the_largest_linear_weight(dimension):
    shape, patch = (40, 44, 36)[:dimension], (24, 20, 22)[:dimension]
    image, label = volume(shape, labels=4)
    augmenter = chosen(dimension, rotation={"p": 1, "degrees": 90}, scaling={"p": 1})
    for seed in range(5):
        draw = augmenter.draw(np.random.default_rng(seed))
        _, ours = cut(image, label, patch, draw, augmenter=augmenter, centre=[10.5] * dimension)
        start = np.array([np.floor(10.5 - (p - 1) / 2 + 0.5) for p in patch])
        half = (np.array(patch) - 1) / 2
        offset = start + half - draw.matrix @ half
        weights = np.stack(
            [
                ndimage.affine_transform(
                    np.pad((label == v).astype(float), 30, constant_values=v == 0),
                    draw.matrix,
                    offset + 30,
                    patch,
                    order=1,
                )
                for v in range(4)
            ]
        )
        two = np.sort(weights, axis=0)[-2:]
        clear = two[1] - two[0] > 1e-4  # elsewhere rounding decides
        assert clear.mean() > 0.99
        np.testing.assert_array_equal(ours[clear], weights.argmax(0)[clear])


def test_slabs_do_not_show(monkeypatch):
    image, label = volume((40, 44, 36), channels=2)
    draw = geometry(augment.rotation([0.3, 0.2, 0.4]))
    whole = cut(image, label, (20, 22, 18), draw)
    monkeypatch.setattr(augment, "_SLAB", 1)
    for a, b in zip(whole, cut(image, label, (20, 22, 18), draw), strict=True):
        np.testing.assert_array_equal(a, b)


@settings(max_examples=40, deadline=None)
@given(
    seed=st.integers(0, 2**32),
    dimension=st.sampled_from([2, 3]),
    values=st.lists(st.integers(0, 255), min_size=1, max_size=4, unique=True),
)
def test_no_label_is_invented(seed, dimension, values):
    random = np.random.default_rng(seed)
    shape = tuple(random.integers(3, 20, dimension))
    label = np.array(values, np.uint8)[random.integers(len(values), size=shape)]
    patch = tuple(random.integers(2, 20, dimension))
    augmenter = chosen(
        dimension,
        rotation={"p": 0.7, "degrees": 180},
        scaling={"p": 0.7, "range": [0.3, 3]},
        crop={"p": 0.7, "range": [0.2, 1]},
        flip={"axes": ["x", "y"]},
    )
    centre = random.uniform(-3, 23, dimension)
    patch_image, labels = cut(
        np.zeros((*shape, 1), np.float32), label, patch, augmenter.draw(random), centre, augmenter
    )
    assert labels.shape == patch and patch_image.shape == (*patch, 1)
    assert set(np.unique(labels)) <= {0, *values}


@settings(max_examples=40, deadline=None)
@given(seed=st.integers(0, 2**32), dimension=st.sampled_from([2, 3]))
def test_image_and_label_stay_aligned(seed, dimension):
    random = np.random.default_rng(seed)
    shape = (24, 28, 22)[:dimension]
    label = np.zeros(shape, np.uint8)
    corner = random.integers(4, 10, dimension)
    label[tuple(slice(c, c + random.integers(3, 9)) for c in corner)] = 1
    augmenter = chosen(
        dimension,
        rotation={"p": 0.5, "degrees": 180},
        scaling={"p": 0.5},
        crop={"p": 0.5},
        flip={"axes": ["x", "y", "z"]},
    )
    draw = augmenter.draw(random)
    patch, labels = cut(label[..., None].astype(np.float32), label, (16, 20, 18)[:dimension], draw, augmenter=augmenter)
    # linear interpolation of the structure itself passes one half exactly where its label wins
    clear = np.abs(patch[..., 0] - 0.5) > 1e-4
    np.testing.assert_array_equal((patch[..., 0] > 0.5)[clear], (labels == 1)[clear])


def test_flip_moves_a_marked_voxel():
    label = np.zeros((6, 8, 10), np.uint8)
    label[1, 2, 3] = 2
    for flips, place in (((0,), (4, 2, 3)), ((1,), (1, 5, 3)), ((0, 1, 2), (4, 5, 6))):
        patch, labels = cut(label[..., None].astype(np.float32), label, label.shape, plain(3, flips=flips))
        assert np.argwhere(labels).tolist() == [list(place)]
        assert np.argwhere(patch[..., 0]).tolist() == [list(place)]


def test_without_axes_nothing_is_ever_flipped():
    augmenter = Augmenter(Augment.model_validate({"flip": {"p": 1, "axes": []}}), 3)
    assert all(augmenter.draw(np.random.default_rng(s)).flips == () for s in range(300))


def test_only_named_axes_are_flipped():
    augmenter = chosen(flip={"p": 0.5, "axes": ["z", "y"]})
    drawn = [augmenter.draw(np.random.default_rng(s)).flips for s in range(400)]
    assert set(drawn) == {(), (1,), (2,), (1, 2)}


def test_in_two_dimensions_z_is_ignored_and_says_so():
    augmenter = chosen(2, flip={"p": 1, "axes": ["x", "z"]})
    assert augmenter.ignored == ("z",)
    assert augmenter.draw(np.random.default_rng(0)).flips == (0,)
    assert chosen(3, flip={"p": 1, "axes": ["x", "z"]}).ignored == ()


# ---------------------------------------------------------------- intensities


def test_brightness_multiplies():
    image, label = volume()
    augmenter = chosen(brightness={"p": 1, "range": [1.2, 1.2]})
    patch, _ = cut(image, label, (8, 8, 8), plain(3, changes=("brightness",)), augmenter=augmenter)
    reference, _ = cut(image, label, (8, 8, 8), plain(3))
    np.testing.assert_allclose(patch, reference * 1.2, rtol=1e-6)


def test_contrast_by_hand():
    plane = np.array([[0, 2], [4, 10]], np.float32)  # mean 4
    augment.contrast(plane, 0.5)
    np.testing.assert_allclose(plane, [[2, 3], [4, 7]])
    plane = np.array([[0, 2], [4, 10]], np.float32)
    augment.contrast(plane, 2)  # -4, 0, 4, 16, kept in 0..10
    np.testing.assert_allclose(plane, [[0, 0], [4, 10]])


@given(seed=st.integers(0, 2**32), factor=st.floats(0.1, 0.99))
@settings(max_examples=30, deadline=None)
def test_less_contrast_keeps_the_mean_and_stays_in_range(seed, factor):
    plane = np.random.default_rng(seed).normal(3, 2, (9, 8, 7)).astype(np.float32)
    before = plane.copy()
    augment.contrast(plane, factor)
    assert plane.min() >= before.min() and plane.max() <= before.max()
    np.testing.assert_allclose(plane.mean(), before.mean(), atol=1e-5)
    np.testing.assert_allclose(plane.std(), factor * before.std(), rtol=1e-4)


@given(seed=st.integers(0, 2**32), exponent=st.floats(0.5, 2), inverted=st.booleans())
@settings(max_examples=30, deadline=None)
def test_gamma_keeps_mean_deviation_and_order(seed, exponent, inverted):
    plane = np.random.default_rng(seed).normal(-2, 5, (9, 8, 7)).astype(np.float32)
    before = plane.copy()
    augment.gamma(plane, exponent, inverted)
    np.testing.assert_allclose(plane.mean(), before.mean(), atol=1e-4)
    np.testing.assert_allclose(plane.std(), before.std(), rtol=1e-4)
    in_order = plane.ravel()[np.argsort(before, axis=None)]
    assert (np.diff(in_order) >= -1e-5).all()


def test_gamma_by_hand():
    # 0, 1, 2 become 0, .5, 1 and, squared, 0, .25, 1: (-5, -2, 7) / 12 about their mean, with deviation sqrt(26) / 12;
    # the deviation was sqrt(2 / 3) and the mean 1
    expected = [[0.19936, 0.67974, 2.12090]]
    plane = np.array([[0, 1, 2]], np.float32)
    augment.gamma(plane, 2)
    np.testing.assert_allclose(plane, expected, atol=1e-5)
    mirrored = np.array([[0, -1, -2]], np.float32)
    augment.gamma(mirrored, 2, inverted=True)  # minus gamma of the negated image
    np.testing.assert_allclose(mirrored, np.negative(expected), atol=1e-5)


def test_gamma_of_the_darkest_voxel_is_zero_whatever_the_exponent():
    plane = np.array([[0, 1, 1, 2]], np.float32)
    augment.gamma(plane, 0.05)
    curve = np.array([0, 0.5**0.05, 0.5**0.05, 1])
    expected = (curve - curve.mean()) / curve.std() * np.sqrt(0.5) + 1
    np.testing.assert_allclose(plane[0], expected, atol=1e-5)


def test_gamma_with_exponent_one_and_on_a_constant_image_changes_nothing():
    plane = np.random.default_rng(0).normal(size=(9, 8)).astype(np.float32)
    before = plane.copy()
    augment.gamma(plane, 1)
    np.testing.assert_allclose(plane, before, atol=2e-6)
    constant = np.full((4, 4), 3, np.float32)
    augment.gamma(constant, 1.5)
    augment.contrast(constant, 1.5)
    np.testing.assert_array_equal(constant, 3)


def test_noise_has_the_variance_and_is_independent_by_channel():
    planes = np.zeros((2, 40, 40, 40), np.float32)
    augment.noise(planes, 0.09, np.random.default_rng(0))
    # the standard error of a variance from n draws is var * sqrt(2 / n)
    for plane in planes:
        assert abs(plane.var() - 0.09) < 5 * 0.09 * np.sqrt(2 / plane.size)
        assert abs(plane.mean()) < 5 * 0.3 / np.sqrt(plane.size)
    assert abs(np.corrcoef(planes[0].ravel(), planes[1].ravel())[0, 1]) < 5 / np.sqrt(planes[0].size)


@pytest.mark.parametrize("shape", [(12, 9, 10), (12, 9), (12, 1, 10)])
def test_blur_is_scipys_gaussian(shape):
    plane = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    sigmas = [0.5, 0.8, 1.0][: len(shape)]
    expected = ndimage.gaussian_filter(plane.astype(float), sigmas, mode="mirror", truncate=augment.BLUR_TRUNCATE)
    augment.blur(plane, sigmas)
    np.testing.assert_allclose(plane, expected, atol=1e-6)


def test_blur_of_one_voxel_by_hand():
    plane = np.zeros((7, 7), np.float32)
    plane[3, 3] = 1
    augment.blur(plane, [0.5, 0])
    one, two = np.exp(-1 / 0.5), np.exp(-4 / 0.5)  # the kernel reaches 3 * 0.5 + 0.5 = 2 voxels
    np.testing.assert_allclose(plane[1:6, 3], np.array([two, one, 1, one, two]) / (1 + 2 * one + 2 * two), rtol=1e-5)
    assert not plane[:, 2].any()


def test_low_resolution_by_hand():
    plane = np.array([0, 1, 2, 3, 4, 5, 6, 7], np.float32)[:, None].copy()
    augment.low_resolution(plane, 0.5)
    # kept are voxels 1, 3, 5, 7, whose coarse voxels have their centres at 0.5, 2.5, 4.5, 6.5
    np.testing.assert_allclose(plane[:, 0], [1, 1.5, 2.5, 3.5, 4.5, 5.5, 6.5, 7])


@pytest.mark.parametrize("shape", [(12, 9, 10), (13, 8), (1, 5, 4)])
def test_low_resolution_with_factor_one_is_the_identity(shape):
    plane = np.random.default_rng(0).standard_normal(shape).astype(np.float32)
    before = plane.copy()
    augment.low_resolution(plane, 1.0)
    np.testing.assert_array_equal(plane, before)


@given(seed=st.integers(0, 2**32), factor=st.floats(0.05, 1))
@settings(max_examples=30, deadline=None)
def test_low_resolution_stays_in_range_and_keeps_a_constant(seed, factor):
    random = np.random.default_rng(seed)
    plane = random.standard_normal(tuple(random.integers(1, 15, 3))).astype(np.float32)
    before = plane.copy()
    augment.low_resolution(plane, factor)
    assert plane.min() >= before.min() - 1e-6 and plane.max() <= before.max() + 1e-6
    constant = np.full((7, 6, 5), 2.5, np.float32)
    augment.low_resolution(constant, factor)
    np.testing.assert_allclose(constant, 2.5)


def test_channels_get_their_own_values():
    image = np.ones((6, 6, 6, 4), np.float32)
    augmenter = chosen(brightness={"p": 1})
    patch, _ = cut(image, np.zeros((6, 6, 6), np.uint8), (6, 6, 6), plain(3, changes=("brightness",)), None, augmenter)
    factors = patch[0, 0, 0]
    assert len(set(factors.tolist())) == 4 and (np.abs(factors - 1) <= 0.25).all()
    assert (patch == factors).all()


def test_changes_are_made_in_nnunets_order():
    draw = chosen(**{name: {"p": 1} for name in INTENSITY}).draw(np.random.default_rng(0))
    assert draw.changes == (
        "noise", "blur", "brightness", "contrast", "low_resolution", "gamma_inverted", "gamma",
    )  # fmt: skip


# ---------------------------------------------------------------- chance and repetition


@pytest.mark.parametrize("name", ["rotation", "scaling", "crop"])
@pytest.mark.parametrize("p", [0, 0.3, 1])
def test_geometry_fires_as_often_as_asked(name, p):
    n = 2000
    augmenter = chosen(**{name: {"p": p}})
    generator = np.random.default_rng(0)
    count = sum(augmenter.draw(generator).geometric for _ in range(n))
    assert abs(count - p * n) <= 5 * np.sqrt(n * p * (1 - p))


@pytest.mark.parametrize("name", INTENSITY)
@pytest.mark.parametrize("p", [0, 0.2, 0.7, 1])
def test_a_channel_is_changed_as_often_as_asked(name, p):
    n, channels = 600, 2
    image, label = volume((6, 6, 6), channels=channels)
    # ranges in which no change is too small to see
    away = {"noise": "variance", "blur": "sigma"}.get(name, "range")
    values = {"low_resolution": [0.5, 0.5], "noise": [1, 1], "blur": [1, 1]}.get(name, [0.5, 0.6])
    augmenter = chosen(**{name: {"p": p, away: values}})
    generator = np.random.default_rng(1)
    changed = np.zeros(channels)
    for _ in range(n):
        patch, _ = augmenter.sample(image, label, middle(label.shape), (6, 6, 6), augmenter.draw(generator), generator)
        changed += (patch != image).any(axis=(0, 1, 2))
    assert (np.abs(changed - p * n) <= 5 * np.sqrt(n * p * (1 - p))).all()


def test_low_resolution_takes_half_of_the_channels_in_twice_the_patches():
    n, p = 1000, 0.3
    image, label = volume((6, 6), channels=2)
    augmenter = chosen(2, low_resolution={"p": p, "range": [0.5, 0.5]})
    generator = np.random.default_rng(2)
    both = 0
    for _ in range(n):
        patch, _ = augmenter.sample(image, label, middle(label.shape), (6, 6), augmenter.draw(generator), generator)
        both += (patch != image).any(axis=(0, 1)).all()
    expected = 2 * p * 0.25  # channels deciding alone would give p * p = 0.09
    assert abs(both - expected * n) <= 4 * np.sqrt(n * expected * (1 - expected))


def test_values_fill_their_ranges():
    augmenter = chosen(2, rotation={"p": 1, "degrees": 20}, scaling={"p": 0.5, "range": [0.7, 1.4]})
    draws = [augmenter.draw(np.random.default_rng(s)).matrix for s in range(1000)]
    angles = np.rad2deg([np.arctan2(m[1, 0], m[0, 0]) for m in draws])
    assert -20 <= angles.min() < -19.5 and 19.5 < angles.max() <= 20
    factors = np.array([1 / np.sqrt(np.linalg.det(m)) for m in draws])
    scaled = factors[np.abs(factors - 1) > 1e-9]
    assert 0.7 <= scaled.min() < 0.71 and 1.39 < scaled.max() <= 1.4


def test_values_lie_as_often_below_as_above_one():
    generator = np.random.default_rng(0)
    drawn = np.array([augment._around_one((0.7, 1.5), generator) for _ in range(4000)])
    assert drawn.min() >= 0.7 and drawn.max() <= 1.5
    assert abs((drawn < 1).mean() - 0.5) < 5 * 0.5 / np.sqrt(4000)
    above = np.array([augment._around_one((1.2, 1.4), generator) for _ in range(200)])
    assert (above >= 1.2).all() and (above <= 1.4).all()


@settings(max_examples=15, deadline=None)
@given(seed=st.integers(0, 2**32), dimension=st.sampled_from([2, 3]))
def test_the_same_generator_gives_the_same_bytes(seed, dimension):
    image, label = volume((20, 24, 18)[:dimension], channels=3)
    everything = {name: {"p": 0.5} for name in OFF} | {"flip": {"axes": ["x", "y", "z"]}}

    def once():
        augmenter = Augmenter(Augment.model_validate(everything), dimension)
        generator = rng.generator(seed, "augment", 0, 3, "case")
        return augmenter.sample(
            image, label, [9] * dimension, (12, 10, 14)[:dimension], augmenter.draw(generator), generator
        )

    for a, b in zip(once(), once(), strict=True):
        assert a.tobytes() == b.tobytes()


def test_another_probability_leaves_the_other_decisions_alone():
    more = {name: {"p": 0.5} for name in OFF} | {"flip": {"axes": ["x", "y", "z"]}}
    fewer = more | {"noise": {"p": 0}, "scaling": {"p": 0}}
    for seed in range(50):
        a, b = (Augmenter(Augment.model_validate(s), 3).draw(np.random.default_rng(seed)) for s in (more, fewer))
        assert a.flips == b.flips
        assert [c for c in a.changes if c != "noise"] == list(b.changes)


def test_threads_sharing_an_augmenter_agree_with_one_alone():
    image, label = volume((30, 30, 30), channels=2)
    augmenter = Augmenter(Augment.model_validate({name: {"p": 0.5} for name in OFF}), 3)

    def one(seed):
        generator = np.random.default_rng(seed)
        return augmenter.sample(image, label, (15, 14, 16), (16, 16, 16), augmenter.draw(generator), generator)

    alone = [one(s) for s in range(24)]
    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(one, range(24)))
    for a, b in zip(alone, together, strict=True):
        assert a[0].tobytes() == b[0].tobytes() and a[1].tobytes() == b[1].tobytes()


def test_rgb_pictures_with_everything_on():
    image, label = volume((50, 40), channels=3, labels=2)
    everything = {name: {"p": 1} for name in OFF} | {"flip": {"p": 1, "axes": ["x", "y"]}}
    augmenter = Augmenter(Augment.model_validate(everything), 2)
    generator = np.random.default_rng(0)
    draw = augmenter.draw(generator)
    assert draw.geometric and draw.flips == (0, 1) and draw.matrix.shape == (2, 2)
    patch, labels = augmenter.sample(image, label, (25, 20), (32, 24), draw, generator)
    assert patch.shape == (32, 24, 3) and labels.shape == (32, 24)
    assert np.isfinite(patch).all() and set(np.unique(labels)) <= {0, 1}


def test_channels_are_dropped_by_themselves_and_never_all():
    image, label = volume((12, 10), channels=3, labels=2)
    image += 10  # nowhere 0
    augmenter = Augmenter(Augment.model_validate({name: {"p": 0} for name in OFF} | {"channel_dropout": {"p": 0.5}}), 2)
    kept = []
    for seed in range(400):
        generator = np.random.default_rng(seed)
        patch, _ = augmenter.sample(image, label, (5.5, 4.5), (12, 10), augmenter.draw(generator), generator)
        zero = (patch == 0).all(axis=(0, 1))
        np.testing.assert_array_equal(patch[..., ~zero], image[..., ~zero])
        kept.append(~zero)
    kept = np.array(kept)
    assert kept.any(axis=1).all()
    # a half of each, and a third of the eighth where all three would have gone
    np.testing.assert_allclose(kept.mean(axis=0), 0.5 + 1 / 24, atol=0.08)
    assert len(np.unique(kept, axis=0)) == 7


# ---------------------------------------------------------------- the page


def test_the_page_names_all_operations_with_their_defaults_in_order():
    page = (Path(__file__).resolve().parents[2] / "docs/reference/augment.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `(\w+)` \| ([\d.]+) \| (.+?) \|", page, re.MULTILINE)
    assert [name for name, *_ in rows] == ["rotation", "scaling", "crop", "flip", *INTENSITY, "channel_dropout"]
    for name, p, limits in rows:
        section = getattr(Augment(), name)
        assert float(p) == section.p, name
        told = {
            "rotation": f"+-{Augment().rotation.degrees:g} degrees",
            "flip": "no axis",
            "channel_dropout": "never all",
        }
        if name in told:
            assert limits == told[name]
        else:
            (values,) = (v for k, v in section if k != "p")
            assert limits == f"{values[0]} to {values[1]}", name
    assert Augment().flip.axes == []
