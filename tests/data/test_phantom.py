"""The phantom: same bytes from the same seed, right places, every variation that docs/reference/phantom.md names."""

from __future__ import annotations

import hashlib
import json
from collections import Counter
from types import SimpleNamespace

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import ndimage
from scipy.spatial.transform import Rotation

from refold.classical.threshold import ThresholdSegmenter
from refold.core.errors import RefoldError
from refold.core.rng import generator
from refold.data import phantom
from refold.settings.dataset import Phantom

SETTINGS = Phantom(seed=3, patients=8, second_scans=4, without_lesion=0.25)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    folder = tmp_path_factory.mktemp("phantom")
    phantom.generate(SETTINGS, folder)
    return folder


@pytest.fixture(scope="module")
def scans(folder):
    """Each scan by case: plan, image (x, y, z, 2), label, affine, spacing, orientation."""
    found = {}
    for plan in phantom._plan(SETTINGS):
        image = nibabel.load(folder / "imagesTr" / f"{plan.case}.nii.gz")
        label = nibabel.load(folder / "labelsTr" / f"{plan.case}.nii.gz")
        np.testing.assert_array_equal(image.affine, label.affine)
        found[plan.case] = SimpleNamespace(
            plan=plan,
            image=np.asarray(image.dataobj),
            label=np.asarray(label.dataobj),
            affine=image.affine,
            spacing=np.array(image.header.get_zooms()[:3], float),
            orientation="".join(nibabel.aff2axcodes(image.affine)),
        )
    return found


def both(scans):
    """The first and second scan of every patient who has two."""
    first = {s.plan.patient: s for s in scans.values() if s.plan.scan == 1}
    return [(first[s.plan.patient], s) for s in scans.values() if s.plan.scan == 2]


def centroid(scan, label):
    """Centre of a label in mm, RAS+."""
    return nibabel.affines.apply_affine(scan.affine, np.argwhere(scan.label == label).mean(axis=0))


def volume(scan, label):
    return (scan.label == label).sum() * scan.spacing.prod()


def on_grid(array, affine, order):
    """``array`` at the points of a 1 mm grid of the world, 30 mm wide; axis 0 goes from left to right."""
    steps = np.arange(-15.0, 16.0)
    points = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"), -1)
    at = nibabel.affines.apply_affine(np.linalg.inv(affine), points)
    return ndimage.map_coordinates(array.astype(float), np.moveaxis(at, -1, 0), order=order, mode="nearest")


def digest(folder):
    return {str(p.relative_to(folder)): hashlib.sha256(p.read_bytes()).hexdigest() for p in folder.rglob("*.*")}


# ---------------------------------------------------------------- files


def test_same_seed_same_bytes_other_seed_other_bytes(tmp_path):
    digests = []
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        (tmp_path / name).mkdir()
        phantom.generate(Phantom(seed=seed, patients=4, second_scans=1, size=24), tmp_path / name)
        digests.append(digest(tmp_path / name))
    a, b, c = digests
    assert len(a) == 2 * 5 + 1
    assert a == b
    common = a.keys() & c.keys()
    assert len(common) >= 9 and all(a[name] != c[name] for name in common)


def test_layout_is_that_of_the_decathlon(folder, scans):
    meta = json.loads((folder / "dataset.json").read_text())
    assert meta["modality"] == {"0": "T1", "1": "FLAIR"}
    assert meta["labels"] == {"0": "background", "1": "organ", "2": "lesion"}
    assert meta["licence"] and meta["reference"] and meta["description"]
    listed = {folder / entry[key] for entry in meta["training"] for key in ("image", "label")}
    assert listed == set(folder.glob("*Tr/*.nii.gz"))
    assert meta["numTraining"] == len(meta["training"]) == len(scans) == 12
    for scan in scans.values():
        assert scan.image.dtype == np.int16 and scan.image.shape == (*scan.label.shape, 2)
        assert scan.label.dtype == np.uint8


def test_generate_refuses_a_folder_that_is_missing_or_not_empty(tmp_path):
    with pytest.raises(RefoldError, match="no folder"):
        phantom.generate(SETTINGS, tmp_path / "absent")
    (tmp_path / "mine.txt").write_text("keep me")
    with pytest.raises(RefoldError, match="not empty"):
        phantom.generate(SETTINGS, tmp_path)
    assert [p.name for p in tmp_path.iterdir()] == ["mine.txt"]


# ---------------------------------------------------------------- labels


def test_labels_present_and_large_enough_to_be_learnt(scans):
    for scan in scans.values():
        assert set(np.unique(scan.label)) == ({0, 1, 2} if scan.plan.lesion else {0, 1})
        assert volume(scan, 1) > 700
        assert not scan.plan.lesion or volume(scan, 2) > 90
    thin = [s for s in scans.values() if not s.plan.thick]
    assert np.median([(s.label == 1).sum() for s in thin]) > 600
    assert min((s.label == 2).sum() for s in thin if s.plan.lesion) >= 60


def test_organ_is_on_the_right_in_every_scan_whatever_the_orientation(scans):
    assert len({s.orientation for s in scans.values()}) == len(phantom.ORIENTATIONS)
    for scan in scans.values():
        assert scan.orientation == scan.plan.orientation
        x, y, z = centroid(scan, 1)
        assert 4 < x < 13 and abs(y) < 5 and abs(z) < 5, scan.plan.case


def test_second_scan_shows_the_same_anatomy_at_the_same_place(scans):
    assert len(both(scans)) == 4
    for first, second in both(scans):
        assert np.linalg.norm(centroid(first, 1) - centroid(second, 1)) < 4
        assert volume(second, 1) == pytest.approx(volume(first, 1), rel=0.08)
        a, b = (on_grid(s.image[..., 0], s.affine, 1) for s in (first, second))
        same, mirrored = (np.corrcoef(a.ravel(), x.ravel())[0, 1] for x in (b, b[::-1]))
        assert same > 0.6 and same > mirrored + 0.1


def test_lesions_of_the_second_scan_have_grown_a_little(scans):
    grown = [(volume(a, 2), volume(b, 2)) for a, b in both(scans) if a.plan.lesion]
    assert grown
    for before, after in grown:
        assert 1.05 < after / before < 1.8


def test_anatomy_differs_between_patients(scans):
    first = [s for s in scans.values() if s.plan.scan == 1]
    masks = [on_grid(s.label == 1, s.affine, 0) > 0 for s in first]
    overlaps = [2 * (a & b).sum() / (a.sum() + b.sum()) for i, a in enumerate(masks) for b in masks[:i]]
    # Overlapping so much that place helps, and so little that an average organ is no answer.
    assert 0.4 < np.mean(overlaps) < 0.85


# ---------------------------------------------------------------- plan


@given(patients=st.integers(4, 60), second=st.floats(0, 1), share=st.floats(0, 1), seed=st.integers(0, 2**32))
def test_plan_keeps_the_numbers_asked_for(patients, second, share, seed):
    second = int(second * patients)
    settings = Phantom(patients=patients, second_scans=second, without_lesion=share, seed=seed)
    plan = phantom._plan(settings)
    assert len(plan) == len({s.case for s in plan}) == patients + second
    assert sum(s.scan == 2 for s in plan) == second
    assert len({s.patient for s in plan}) == patients
    assert abs(sum(not s.lesion for s in plan) - round(share * len(plan))) <= 1
    assert len({(s.patient, s.lesion) for s in plan}) == patients
    for shares in (Counter(s.orientation for s in plan), Counter(s.borders for s in plan)):
        assert max(shares.values()) - min(shares.values()) <= 1
    assert sum(s.thick for s in plan) == max(1, round(0.1 * len(plan)))


# ---------------------------------------------------------------- variations


def test_grids_vary(scans):
    thick = [s.spacing[2] for s in scans.values() if s.plan.thick]
    thin = [s.spacing for s in scans.values() if not s.plan.thick]
    assert thick and set(thick) == {3.0}
    for spacing in thin:
        assert spacing[0] == spacing[1] and 0.9 <= spacing[0] <= 1.3 and 0.9 <= spacing[2] <= 1.6
    assert len({tuple(s.round(3)) for s in thin}) == len(thin)
    extents = np.array([s.spacing * s.label.shape for s in scans.values() if s.plan.borders == "none"])
    assert extents.min() > 38 and extents.max() < 50 and np.ptp(extents) > 3


def test_zero_borders_of_three_kinds(scans):
    for scan in scans.values():
        zero = ~scan.image.any(axis=-1)
        faces = [np.take(zero, end, axis).all() for axis in range(3) for end in (0, -1)]
        assert not (scan.label[zero] > 0).any()
        if scan.plan.borders == "padded":
            assert any(faces)
        elif scan.plan.borders == "masked":
            assert 0.15 < zero.mean() < 0.8
        else:
            assert zero.mean() < 0.05 and not any(faces)


def test_intensity_scale_varies_between_scans_and_channels(scans):
    scale = np.array([np.percentile(s.image, 95, axis=(0, 1, 2)) for s in scans.values()])
    assert (scale.max(axis=0) / scale.min(axis=0) > 5).all()
    assert np.ptp(np.log(scale[:, 0] / scale[:, 1])) > 1
    assert scale.min() > 20 and max(s.image.max() for s in scans.values()) < np.iinfo(np.int16).max


def test_noise_is_rician(scans):
    """Without signal a Rician distribution is Rayleigh's, whose mean is 1.913 times its standard deviation."""
    ratios = []
    for scan in scans.values():
        for channel in range(2):
            # a weak scale would leave a few integers only
            if scan.plan.borders == "none" and np.percentile(scan.image[..., channel], 95) > 300:
                air = scan.image[-5:, -5:, -5:, channel]
                ratios.append(air.mean() / air.std())
    assert len(ratios) >= 2
    assert np.mean(ratios) == pytest.approx(1.913, rel=0.15)


def one_scan(orientation="RAS", thick=False, borders="none"):
    plan = phantom._Scan(1, 1, True, orientation, borders, thick)
    anatomy = phantom._anatomy(generator(5, "phantom", 1, 0), 0.7, True)
    return phantom._scan(anatomy, plan, generator(5, "phantom", 1, 1), 0.7, 28)


def test_orientation_changes_the_order_of_the_array_and_nothing_else():
    image, label, affine = one_scan("RAS")
    turned, turned_label, turned_affine = one_scan("LPS")
    np.testing.assert_array_equal(turned, image[::-1, ::-1])
    np.testing.assert_array_equal(turned_label, label[::-1, ::-1])
    last = np.array(label.shape) - 1
    corner = turned_affine @ [0, 0, 0, 1]
    np.testing.assert_allclose(corner, affine @ [last[0], last[1], 0, 1])


@pytest.mark.parametrize("orientation", phantom.ORIENTATIONS)
def test_third_stored_axis_is_that_of_the_slices(orientation):
    _, label, affine = one_scan(orientation, thick=True)
    assert "".join(nibabel.aff2axcodes(affine)) == orientation
    np.testing.assert_allclose(nibabel.affines.voxel_sizes(affine)[2], 3)
    assert label.shape[2] < min(label.shape[:2])


def test_padding_moves_no_voxel_in_the_world():
    image, label, affine = one_scan()
    padded, padded_label, padded_affine = one_scan(borders="padded")
    offset = np.linalg.solve(affine[:3, :3], affine[:3, 3] - padded_affine[:3, 3]).round(6).astype(int)
    inner = tuple(slice(o, o + n) for o, n in zip(offset, label.shape, strict=True))
    assert offset.sum() >= 2
    np.testing.assert_array_equal(padded[inner], image)
    np.testing.assert_array_equal(padded_label[inner], label)
    assert padded_label.sum() == label.sum()


def test_bias_field_is_smooth_and_of_some_strength(monkeypatch):
    image = one_scan()[0].astype(float)
    original = phantom._polynomial
    monkeypatch.setattr(phantom, "_polynomial", lambda random, shape: 0 * original(random, shape))
    flat = one_scan()[0].astype(float)
    strong = (flat > np.percentile(flat, 60, axis=(0, 1, 2))).all(axis=-1)
    ratio = (image / np.maximum(flat, 1))[..., 0]
    assert np.percentile(ratio[strong], 95) / np.percentile(ratio[strong], 5) > 1.1
    step = np.abs(np.diff(ratio, axis=0))[strong[1:] & strong[:-1]]
    assert np.median(step) < 0.05


# ---------------------------------------------------------------- parts


def test_blocks_average_and_double_interpolates():
    fine = np.zeros((2, 4, 3))
    fine[0, 0, 0], fine[1, 3, 2] = 6, 12
    np.testing.assert_allclose(phantom._blocks(fine, np.array([2, 2, 3])), [[[0.5], [1.0]]])
    ramp = np.stack(np.meshgrid(*[np.arange(4.0)] * 3, indexing="ij"))
    fine = phantom._double(ramp)
    assert fine.shape == (3, 8, 8, 8)
    np.testing.assert_allclose(fine[2, 3, 3, 1:-1], np.arange(0.25, 3, 0.5))
    np.testing.assert_allclose(fine[0, [0, -1], 2, 2], [0, 3])


def test_bent_ellipsoid_has_its_volume_and_lies_in_its_box():
    shape = phantom._Ellipsoid.make((1, -2, 0.5), (4, 8, 5), Rotation.from_euler("z", 20, degrees=True), 0.05)
    steps = np.arange(-13, 13, 0.5)
    points = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"))
    inside = shape.radius(points) < 1
    # bending is a shear: the volume stays
    assert inside.sum() * 0.5**3 == pytest.approx(4 / 3 * np.pi * 4 * 8 * 5, rel=0.02)
    box = shape.box(points[:, ::2, ::2, ::2], 1.0, 1.0)
    assert inside[box].sum() == inside.sum() and inside[box].size < inside.size / 2
    assert shape.radius(np.array([1.0, -2.0, 0.5])) == 0


def test_field_has_mean_0_and_spread_1_and_is_smooth():
    steps = np.arange(-30.0, 31.0)
    points = np.stack(np.meshgrid(steps, steps, steps, indexing="ij"))
    values = phantom._Field(generator(1, "field"), 3.0, 30.0)(points)
    assert values.mean() == pytest.approx(0, abs=0.1) and values.std() == pytest.approx(1, abs=0.1)
    rough = phantom._Field(generator(1, "field"), 1.0, 30.0)(points)
    assert np.diff(values, axis=0).std() < 0.6 * np.diff(rough, axis=0).std()


# ---------------------------------------------------------------- difficulty


def dice(a, b):
    return 2 * (a & b).sum() / (a.sum() + b.sum()) if a.any() or b.any() else np.nan


@pytest.mark.parametrize("channel", [0, 1])
@pytest.mark.parametrize("classes", [3, 4])
def test_thresholds_fail(scans, channel, classes):
    """Intensity alone does not find the labels, whichever channel: else the phantom would be no test of a network."""
    pairs = {True: [], False: []}
    for scan in scans.values():
        pairs[scan.plan.patient <= 5].append((scan.image.astype(np.float32), scan.label))
    model = ThresholdSegmenter(classes, channel).learn(pairs[True], 3)
    scores = []
    for image, label in pairs[False]:
        predicted = model.predict_proba(image).argmax(axis=-1)
        scores.append([dice(predicted == v, label == v) for v in (1, 2)])
    assert len(scores) >= 3
    assert np.nanmean(scores) < 0.5
    assert (np.nanmean(scores, axis=0) < 0.5).all()


def test_no_window_of_one_channel_finds_a_label(scans):
    """Not even thresholds chosen on the answer, scan by scan, reach what a network should."""
    for value in (1, 2):
        scores = []
        for scan in scans.values():
            truth = scan.label == value
            if truth.any():
                scores.append(max(best_window(scan.image[..., c], truth) for c in range(2)))
        assert np.mean(scores) < 0.6


def best_window(image, truth):
    """Highest Dice of any interval of intensities, from 65 quantiles."""
    edges = np.unique(np.quantile(image, np.linspace(0, 1, 65)))
    bins = np.clip(np.searchsorted(edges, image, side="right") - 1, 0, len(edges) - 2)
    hits = np.r_[0, np.cumsum(np.bincount(bins[truth], minlength=len(edges) - 1))]
    sizes = np.r_[0, np.cumsum(np.bincount(bins.ravel(), minlength=len(edges) - 1))]
    i, j = np.triu_indices(len(edges), 1)
    return (2 * (hits[j] - hits[i]) / (sizes[j] - sizes[i] + truth.sum())).max()
