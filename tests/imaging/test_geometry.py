import itertools
import tracemalloc

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.ndimage import zoom

from refold.core.errors import RefoldError
from refold.imaging import geometry
from refold.imaging.record import Record

ORIENTATIONS = list(itertools.product(itertools.permutations(range(3)), itertools.product((1, -1), repeat=3)))


def affine_of(permutation, flips, spacing=(1.5, 0.8, 2.0)):
    """File axis i runs along world axis permutation[i], backwards where flips[i] is -1."""
    affine = np.zeros((4, 4))
    for i, (world, flip) in enumerate(zip(permutation, flips, strict=True)):
        affine[world, i] = flip * spacing[i]
    affine[:, 3] = (12.0, -30.0, 7.0, 1.0)
    return affine


def one_hot(label, n):
    return (label[..., None] == np.arange(n)).astype(np.float32)


def dice(a, b):
    return 2 * np.count_nonzero(a & b) / (np.count_nonzero(a) + np.count_nonzero(b))


def ball(shape, radius, spacing=(1, 1, 1)):
    grid = np.indices(shape).T
    centre = (np.array(shape) - 1) / 2 + 0.3
    return ((((grid - centre) * spacing) ** 2).sum(-1) <= radius**2).T


# ---------------------------------------------------------------- orientation


@pytest.mark.parametrize(("permutation", "flips"), ORIENTATIONS)
def test_marked_voxel_comes_back_to_its_place_in_the_world(permutation, flips):
    affine, shape, marked = affine_of(permutation, flips), (5, 6, 7), (1, 4, 2)
    image = np.zeros((*shape, 1), np.float32)
    image[marked] = 9
    world = affine @ (*marked, 1)

    codes, transform = geometry.orientation(affine)
    assert codes == "".join(nibabel.aff2axcodes(affine))
    turned = geometry.canonical(image, transform)
    reference = nibabel.as_closest_canonical(nibabel.Nifti1Image(image, affine))
    assert np.array_equal(turned, reference.get_fdata())
    box = tuple((1, n) for n in turned.shape[:3])  # a crop on top: one voxel off the low side of each axis
    if any(p == 0 for p in np.argwhere(turned[..., 0])[0]):
        box = tuple((0, n - 1) for n in turned.shape[:3])
    record = geometry.record(shape, affine, box)
    stored = turned[(*geometry.slices(box), 0)]
    found = np.argwhere(stored)[0]
    assert np.allclose(record.stored_affine @ (*found, 1), world)
    assert (np.diag(record.stored_affine)[:3] > 0).all()

    back = geometry.to_original(one_hot((stored > 0).astype(int), 2), record)
    assert back.shape == shape
    assert [tuple(p) for p in np.argwhere(back)] == [marked]


def test_decanonical_inverts_canonical_with_channels():
    array = np.random.default_rng(0).normal(size=(3, 4, 5, 2))
    for permutation, flips in ORIENTATIONS:
        _, transform = geometry.orientation(affine_of(permutation, flips))
        turned = geometry.canonical(array, transform)
        assert turned.shape[:3] == geometry.reorder(array.shape[:3], transform)
        assert np.array_equal(geometry.decanonical(turned, transform), array)


def test_pictures_are_left_alone():
    codes, transform = geometry.orientation(np.eye(3))
    array = np.arange(24).reshape(4, 3, 2)
    assert codes == "XY"
    assert np.array_equal(geometry.canonical(array, transform), array)
    assert np.array_equal(geometry.decanonical(array, transform), array)


def test_affine_without_direction_is_refused():
    affine = np.eye(4)
    affine[2, 2] = 0
    with pytest.raises(RefoldError, match="no direction"):
        geometry.orientation(affine)


# ---------------------------------------------------------------- crop


def test_crop_is_the_box_of_any_channel():
    image = np.zeros((6, 7, 8, 2))
    image[1, 2, 3, 0] = 1
    image[4, 5, 3, 1] = -2
    assert geometry.crop_nonzero(image) == ((1, 5), (2, 6), (3, 4))


def test_crop_of_nothing_is_the_whole():
    assert geometry.crop_nonzero(np.zeros((3, 4, 1))) == ((0, 3), (0, 4))


def test_crop_and_paste_back():
    label = np.zeros((6, 5, 4), np.uint8)
    label[2:4, 1:4, 1:3] = np.arange(12).reshape(2, 3, 2) % 3
    record = geometry.record(label.shape, np.diag((1, 2, 3, 1.0)), ((2, 4), (1, 4), (1, 3)))
    stored = label[geometry.slices(record.crop)]
    assert np.array_equal(geometry.to_original(one_hot(stored, 3), record), label)


# ---------------------------------------------------------------- record


@given(
    st.sampled_from(ORIENTATIONS),
    st.lists(st.tuples(st.integers(2, 40), st.floats(0.05, 9)), min_size=3, max_size=3),
    st.none() | st.lists(st.floats(0.1, 9), min_size=3, max_size=3),
    st.data(),
)
@settings(max_examples=60, deadline=None)
def test_record_round_trip(orientation, axes, target, data):
    shape, spacing = zip(*axes, strict=True)
    affine = affine_of(*orientation, spacing)
    whole = geometry.reorder(shape, geometry.orientation(affine)[1])
    crop = []
    for n in whole:
        start = data.draw(st.integers(0, n - 1))
        crop.append((start, data.draw(st.integers(start + 1, n))))
    record = geometry.record(shape, affine, crop, target)
    assert Record.from_json(record.to_json()) == record
    assert record.canonical_shape == whole
    extent = np.multiply(record.cropped_shape, record.cropped_spacing)
    assert np.allclose(np.multiply(record.stored_shape, record.stored_spacing), extent)
    assert np.allclose(np.diag(record.stored_affine)[:3], record.stored_spacing)


def test_record_of_another_version_is_refused():
    text = geometry.record((3, 4), np.eye(3)).to_json().replace("raw_shape", "old_shape")
    with pytest.raises(RefoldError, match="preprocess again"):
        Record.from_json(text)


# ---------------------------------------------------------------- target spacing


def test_target_spacing_original_and_given():
    assert geometry.target_spacing([[1, 2]], [[5, 5]], "original") is None
    assert geometry.target_spacing([[1, 2]], [[5, 5]], [0.5, 3]) == (0.5, 3.0)
    with pytest.raises(RefoldError, match=r"preprocess\.spacing.*2 axes"):
        geometry.target_spacing([[1, 2]], [[5, 5]], [1, 1, 1])


def test_median_spacing():
    spacings = [[1, 1, 2], [1.2, 1, 2], [0.9, 1, 2.5]]
    assert geometry.target_spacing(spacings, [[100, 100, 50]] * 3, "median") == (1.0, 1.0, 2.0)


def test_the_thickness_of_single_slices_is_no_distance_between_slices():
    sizes = [[9, 9, 4], [9, 9, 1], [9, 9, 1]]
    assert geometry.target_spacing([[1, 1, 2], [1, 1, 50], [1, 1, 50]], sizes, "median") == (1.0, 1.0, 2.0)
    assert geometry.target_spacing([[1, 1, 2], [1, 1, 3], [1, 1, 2.5]], [[9, 9, 1]] * 3, "median") == (1.0, 1.0, 2.5)
    record = geometry.record((9, 9, 1), np.diag((1, 1, 50, 1.0)), target=(0.5, 1, 2))
    assert record.stored_shape == (18, 9, 1) and record.stored_spacing == (0.5, 1.0, 50.0)
    # a box of one slice of several has an extent
    record = geometry.record((9, 9, 4), np.diag((1, 1, 4, 1.0)), ((0, 9), (0, 9), (1, 2)), (1, 1, 2))
    assert record.stored_shape == (9, 9, 2)


def test_target_spacing_has_significant_digits():
    assert geometry.target_spacing([[3.25e-5, 3.25e-5]], [[5, 5]], "median") == (3.25e-5, 3.25e-5)


def test_median_spacing_of_thick_slices_by_hand():
    # z: 2 3 4 5 6, median 4 > 3 * 1, 20 slices * 3 < 100; 10th percentile = 2 + 0.1 * 4 * 1 = 2.4
    spacings = [[1, 0.8, z] for z in (5, 3, 2, 6, 4)]
    assert geometry.target_spacing(spacings, [[100, 120, 20]] * 5, "median") == (1.0, 0.8, 2.4)
    # with many slices the rule does not fire: 40 * 3 > 100
    assert geometry.target_spacing(spacings, [[100, 120, 40]] * 5, "median") == (1.0, 0.8, 4.0)
    # never finer than the others
    fine = [[1, 0.8, z] for z in (0.2, 0.2, 4, 4, 4)]
    assert geometry.target_spacing(fine, [[100, 120, 20]] * 5, "median") == (1.0, 0.8, 1.0)


def test_stored_shape():
    assert geometry.resampled_shape((10, 10, 3), (1, 1, 5), (2, 1, 1)) == (5, 10, 15)
    assert geometry.resampled_shape((10, 1), (1, 0.1), (1 + 1e-7, 3)) == (10, 1)  # never 0 voxels
    assert geometry.resampled_shape((10, 7), (1, 1), None) == (10, 7)


def test_coarse_axis():
    assert geometry.coarse_axis((1, 1, 5), (1, 1, 5), 3) == 2
    assert geometry.coarse_axis((5, 1, 1), None, 3) == 0
    assert geometry.coarse_axis((1, 1, 1), (1, 4, 1), 3) == 1  # by the target
    assert geometry.coarse_axis((1, 1, 3), (1, 1, 1), 3) is None
    assert geometry.coarse_axis((1, 5, 5), (1, 1, 1), 3) is None  # two coarse axes are no slices
    assert geometry.coarse_axis((1, 9), (1, 1), 3) is None


# ---------------------------------------------------------------- resampling


@pytest.mark.parametrize("order", range(6))
@pytest.mark.parametrize(
    ("old", "new"), [((20, 13, 16), (33, 9, 16)), ((5, 9, 1), (7, 7, 3)), ((2, 3, 40), (5, 6, 13)), ((9, 12), (14, 5))]
)
def test_equals_scipy_zoom(old, new, order):
    array = np.random.default_rng(1).normal(size=(*old, 2))
    factors = [m / n for n, m in zip(old, new, strict=True)]
    want = np.stack([zoom(array[..., c], factors, order=order, mode="nearest", grid_mode=True) for c in (0, 1)], -1)
    low, high = array.min(axis=tuple(range(len(old)))), array.max(axis=tuple(range(len(old))))
    got = geometry.resample_image(array, new, order)
    assert got.dtype == np.float32
    assert np.allclose(got, want.clip(low, high), atol=5e-6)


def test_no_change_no_work():
    image = np.random.default_rng(0).normal(size=(4, 5, 6, 1)).astype(np.float32)
    assert geometry.resample_image(image, (4, 5, 6)) is image
    label = np.zeros((4, 5), np.uint8)
    assert geometry.resample_label(label, (4, 5)) is label


@pytest.mark.parametrize("order", (0, 1, 3))
def test_constant_stays_constant(order):
    image = np.full((9, 8, 7, 2), (0.1, 1234.567), np.float32)
    got = geometry.resample_image(image, (13, 5, 20), order)
    assert (got == image[0, 0, 0]).all()


def test_linear_ramp_is_kept_in_the_interior():
    x = np.arange(40.0)
    image = np.broadcast_to(x[:, None, None, None], (40, 6, 5, 1))
    got = geometry.resample_image(image, (60, 6, 5), 3)[:, 2, 2, 0]
    want = (np.arange(60) + 0.5) * 40 / 60 - 0.5  # voxel centres, edges of the grids aligned
    assert np.allclose(got[10:-10], want[10:-10], atol=1e-3)


def test_spline_does_not_overshoot():
    image = np.zeros((20, 4, 4, 1), np.float32)
    image[10:] = 100
    got = geometry.resample_image(image, (33, 4, 4), 3)
    assert got.min() == 0 and got.max() == 100


def test_thick_slices_are_never_mixed():
    image = np.zeros((8, 8, 3, 1), np.float32)
    image[:, :, 1] = np.random.default_rng(0).normal(size=(8, 8, 1))
    image[:, :, 2] = 7
    got = geometry.resample_image(image, (12, 12, 9), 3, coarse=2)
    assert np.array_equal(got[:, :, :3], np.zeros((12, 12, 3, 1)))
    assert np.allclose(got[:, :, 6:], 7)
    in_plane = zoom(image[:, :, 1, 0], 1.5, order=3, mode="nearest", grid_mode=True).clip(image.min(), image.max())
    assert np.allclose(got[:, :, 3:6, 0], in_plane[:, :, None], atol=1e-5)


def test_labels_are_never_averaged():
    label = np.zeros((20, 20), np.uint8)
    label[5:15] = 9
    got = geometry.resample_label(label, (37, 29))
    assert set(np.unique(got)) == {0, 9}
    # 3 beside 1: their average 2 must not appear between them
    side = np.where(np.arange(20) < 10, 3, 1).astype(np.uint8)[:, None].repeat(4, 1)
    assert set(np.unique(geometry.resample_label(side, (33, 4)))) == {1, 3}


def test_no_gap_opens_where_three_labels_meet():
    label = np.ones((12, 12), np.uint8)
    label[6:, :6], label[6:, 6:] = 2, 3
    assert geometry.resample_label(label, (31, 29)).min() == 1


def test_label_of_thick_slices_keeps_its_slices():
    label = np.zeros((8, 8, 3), np.uint8)
    label[2:6, 2:6, 1] = 1
    got = geometry.resample_label(label, (8, 8, 9), coarse=2)
    assert np.array_equal(np.flatnonzero(got.any(axis=(0, 1))), [3, 4, 5])


@pytest.mark.parametrize("spacing", [(1, 1, 1), (0.8, 0.8, 2.2)])
def test_smooth_shape_there_and_back(spacing):
    shape = tuple(int(40 / s) for s in spacing)
    label = ball(shape, 12, spacing).astype(np.uint8)
    record = geometry.record(shape, np.diag((*spacing, 1.0)), None, (1.3, 0.9, 1.7))
    stored = geometry.resample_label(label, record.stored_shape)
    assert stored.shape != label.shape
    assert dice(geometry.to_original(one_hot(stored, 2), record) > 0, label > 0) > 0.95


def test_smooth_image_there_and_back():
    x, y, z = np.indices((40, 36, 30))
    image = (np.sin(x / 6) + np.cos(y / 5) * np.sin(z / 7))[..., None].astype(np.float32)
    there = geometry.resample_image(image, (52, 45, 38))
    assert np.abs(geometry.resample_image(there, (40, 36, 30)) - image)[3:-3, 3:-3, 3:-3].max() < 2e-3


# ---------------------------------------------------------------- back to the original grid


def test_to_original_is_the_argmax_on_the_original_grid():
    probabilities = np.random.default_rng(3).dirichlet((1, 1, 1, 1), size=(6, 5, 4)).astype(np.float32)
    record = geometry.record((6, 5, 4), np.diag((1, 1, 2, 1.0)))
    got = geometry.to_original(probabilities, record)
    assert got.dtype == np.uint8
    assert np.array_equal(got, probabilities.argmax(-1))


def test_to_original_resamples_logarithms_before_the_argmax():
    p = np.random.default_rng(4).dirichlet((1, 1, 1), size=(6, 5, 4)).astype(np.float32)
    record = geometry.record((9, 7, 4), np.diag((1, 1, 2, 1.0)), None, (1.5, 1.4, 2.0))
    assert record.stored_shape == (6, 5, 4)
    seen = {}
    got = geometry.to_original(p, record, seen.__setitem__)
    # scipy's own splines, on the same edges
    logs = [
        zoom(np.log(p[..., i] + 1e-5), (9 / 6, 7 / 5, 1), order=3, mode="nearest", grid_mode=True) for i in range(3)
    ]
    shares = np.exp(logs) / np.exp(logs).sum(0)
    assert np.array_equal(got, np.argmax(logs, 0))
    for i, share in seen.items():
        assert np.allclose(share, shares[i], atol=1e-4)
    assert np.allclose(sum(seen.values()), 1, atol=1e-6)


def odds_of_a_ball(shape, spacing, middle, radius=3.0):
    """What a network would say: log-odds that fall evenly with the distance from its surface, 8 at most."""
    where = (np.indices(shape).reshape(3, -1).T + 0.5) * spacing
    return np.clip(4 * (radius - np.linalg.norm(where - middle, axis=1)), -8, 8).reshape(shape)


def test_small_structures_keep_their_volume():
    """Linear interpolation of the same labels and probabilities would lose a good part of it."""
    shape, random = (18, 18, 18), np.random.default_rng(5)
    record = geometry.record(shape, np.eye(4), None, (1.5, 1.5, 1.5))
    volumes = dict.fromkeys(("truth", "stored", "stored linearly", "back", "back linearly"), 0.0)
    for middle in 9 + random.uniform(-1.5, 1.5, (40, 3)):
        truth = (odds_of_a_ball(shape, 1.0, middle) > 0).astype(np.uint8)
        p = (1 / (1 + np.exp(-odds_of_a_ball(record.stored_shape, 1.5, middle)))).astype(np.float32)
        volumes["truth"] += truth.sum()
        volumes["stored"] += geometry.resample_label(truth, record.stored_shape).sum() * 1.5**3
        volumes["stored linearly"] += geometry.resample_label(truth, record.stored_shape, order=1).sum() * 1.5**3
        volumes["back"] += geometry.to_original(np.stack([1 - p, p], -1), record).sum()
        volumes["back linearly"] += (zoom(p, 1.5, order=1, mode="nearest", grid_mode=True) > 0.5).sum()
    share = {name: volume / volumes["truth"] for name, volume in volumes.items()}
    assert abs(share["stored"] - 1) < 0.03 and abs(share["back"] - 1) < 0.03
    assert share["stored linearly"] < share["stored"] - 0.01 and share["back linearly"] < 0.9


def test_to_original_ties_go_to_the_lower_index():
    record = geometry.record((2, 2), np.eye(3))
    assert (geometry.to_original(np.full((2, 2, 3), 1 / 3, np.float32), record) == 0).all()


def test_to_original_refuses_another_grid():
    with pytest.raises(RefoldError, match="stored grid"):
        geometry.to_original(np.zeros((3, 3, 2)), geometry.record((4, 3), np.eye(3)))


def test_to_original_memory_does_not_grow_with_the_labels():
    record = geometry.record((60, 60, 60), np.eye(4), None, (1.3, 1.3, 1.3))

    def peak(labels):
        probabilities = np.full((*record.stored_shape, labels), 1 / labels, np.float32)
        tracemalloc.start()
        geometry.to_original(probabilities, record)
        used = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        return used

    peak(2)  # imports
    volume = 60**3 * 4
    assert peak(20) < 1.1 * peak(3) < 8 * volume


def test_to_original_shows_each_label_on_the_original_grid():
    # the file's axes run along -y, z and x
    affine = np.array([[0, 0, 1, 0], [-1, 0, 0, 0], [0, 2, 0, 0], [0, 0, 0, 1.0]])
    record = geometry.record((5, 4, 6), affine)
    p = np.random.default_rng(3).dirichlet((1, 1, 1), size=record.stored_shape).astype(np.float32)
    seen = {}
    got = geometry.to_original(p, record, seen.__setitem__)
    assert list(seen) == [0, 1, 2] and got.shape == (5, 4, 6)
    assert np.array_equal(np.stack(list(seen.values()), -1).argmax(-1), got)
    assert np.array_equal(seen[1], np.flip(p[..., 1].transpose(1, 2, 0), 0))


def test_to_original_is_sure_of_background_outside_the_box():
    record = geometry.record((8, 8), np.eye(3), [(2, 5), (3, 7)])
    seen = {}
    geometry.to_original(np.full((*record.stored_shape, 2), 0.5, np.float32), record, seen.__setitem__)
    inside = np.zeros((8, 8), bool)
    inside[2:5, 3:7] = True
    assert np.array_equal(seen[1], np.where(inside, 0.5, 0)) and np.array_equal(seen[0], np.where(inside, 0.5, 1))
