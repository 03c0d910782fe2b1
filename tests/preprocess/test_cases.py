import dataclasses
import os
import subprocess
import sys
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image as Pillow

from refold.core.errors import RefoldError
from refold.core.files import read_json, sha256_file
from refold.imaging import cases as table
from refold.imaging import geometry, intensity, store
from refold.preprocess import cases, fingerprint
from refold.settings.preprocess import Preprocess

WORKFLOW = Path(__file__).resolve().parents[2] / "workflow"
LPS = np.array([[-1.0, 0, 0, 5], [0, -1, 0, 9], [0, 0, 2, -3], [0, 0, 0, 1]])


def content(folder):
    return {p.name: p.read_bytes() for p in sorted(Path(folder).glob("*.h5"))}


def test_stored_arrays_are_canonical_cropped_and_normalised(project, make):
    image, label = make(1)
    image[:4], label[:4] = 0, 0  # file axis 0 runs right to left: these planes are at the high end of canonical x
    project.add("a", image, label, LPS)
    project.run(spacing="original")
    with store.open(project.folder, "a") as case:
        record = case.record
        assert record.codes == "LPS"
        assert record.crop == ((0, 20), (0, 20), (0, 16))
        turned = image[::-1, ::-1][:20].astype(float)
        want = (turned - turned.mean()) / turned.std()
        assert np.allclose(case.image[...], want, atol=1e-4)
        assert np.array_equal(case.label[...], label[::-1, ::-1][:20])
        hot = (case.label[...][..., None] == np.arange(3)).astype(np.float32)
        assert np.array_equal(geometry.to_original(hot, record), label)


def test_foreground_points_and_intensities(project, make):
    image, label = make(2)
    project.add("a", image, label)
    project.run()
    with store.open(project.folder, "a") as case:
        for index in (1, 2):
            points = case.foreground(index)
            assert (case.label[...][tuple(points.T)] == index).all()
        assert len(case.foreground(2)) == (label == 2).sum()
        # raw values, before normalisation, all from the foreground
        raw = set(image[label > 0][:, 0].tolist())
        assert set(case.intensities[:, 0].tolist()) <= raw
        assert 0 < len(case.intensities) <= (label > 0).sum()


def test_large_foreground_is_sampled_the_same_way_again(project, make):
    image, label = make(3, (48, 48, 48))
    project.add("a", image, label)
    project.run()
    project.run(folder=project.root / "again")
    assert content(project.folder) == content(project.root / "again")
    with store.open(project.folder, "a") as case:
        points = case.foreground(1)
        assert len(points) == cases.SAMPLE < (label == 1).sum()
        assert len(np.unique(points, axis=0)) == len(points)
        # spread over the whole label (12 to 35 along each axis), not its first voxels
        assert points.min(0).tolist() == [12] * 3 and points.max(0).tolist() == [35] * 3
        assert len(case.intensities) <= cases.SAMPLE


def test_declared_values_become_indices(project, make):
    project.values = (0, 100, 255)
    image, label = make(4)
    project.add("a", image, np.array(project.values, np.uint8)[label])
    project.add("floats", image, np.array(project.values, np.float32)[label])
    result = project.run()
    for name in ("a", "floats"):
        with store.open(project.folder, name) as case:
            assert np.array_equal(case.label[...], label)
    assert result["cases"]["a"]["voxels"]["lesion"] == (label == 2).sum()


def test_undeclared_value_is_refused(project, make):
    image, label = make(4)
    label[0, 0, 0] = 7
    project.add("a", image, label)
    with pytest.raises(RefoldError, match=r"a_label.*holds 7;"):
        project.run()
    assert not list(project.folder.glob("*"))


def test_not_a_number_is_refused(project, make):
    image, label = make(4)
    image[3, 3, 3] = np.nan
    project.add("a", image, label)
    with pytest.raises(RefoldError, match=r"case a: NaN"):
        project.run()


@pytest.mark.parametrize("normalisation", ["zscore", "minmax", "ct", "none"])
def test_beyond_single_precision_is_refused(project, make, normalisation):
    image, label = make(4)
    image = image.astype(np.float64)
    image[3, 3, 3] = 1e100
    project.add("a", image, label)
    with pytest.raises(RefoldError, match=r"case a: .*beyond single precision in a_image\.nii\.gz"):
        project.run(normalisation=normalisation)


def test_zeros_that_the_scaling_moved_are_cropped_and_masked(project, make):
    """The same scan in floats, and squeezed into the integers of another header, where 0 became 3e-4."""
    image, label = make(4, (24, 24, 24))
    image -= 90  # above and below 0
    for axis in range(3):
        image[(*[slice(None)] * axis, slice(0, 5))] = 0
        label[(*[slice(None)] * axis, slice(0, 5))] = 0
    project.add("a", image, label)
    header = nibabel.Nifti1Image(np.zeros(label.shape, np.int16), np.eye(4)).header
    squeezed = nibabel.Nifti1Image(image[..., 0], np.eye(4), header)
    row = project.add("b", image, label)
    nibabel.save(squeezed, project.raw / "b_image.nii.gz")
    stored = np.asanyarray(nibabel.load(project.raw / "b_image.nii.gz").dataobj)
    assert 0 < abs(stored[0, 0, 0]) < 1e-2
    sha256 = table.digest(project.raw / n for n in (*row.images, row.label))
    project.rows[-1] = dataclasses.replace(row, sha256=sha256)
    result = project.run(spacing="original")
    with store.open(project.folder, "a") as a, store.open(project.folder, "b") as b:
        assert a.record.crop == b.record.crop == ((5, 24),) * 3
        assert np.allclose(a.image[...], b.image[...], atol=1e-3)
    assert result["cases"]["a"]["masked"] and result["cases"]["b"]["masked"]


def test_a_single_slice_is_masked_and_never_resampled_across(project, make):
    """Holes lie within the slice; its thickness, whatever it is, leaves it one slice."""
    image, label = make(4, (24, 24, 1))
    image[:5] = image[:, :5] = 0
    image[10, 10] = 0  # a hole
    label[:5] = label[:, :5] = 0
    project.add("thin", image, label, np.diag((1, 1, 2, 1.0)))
    project.add("thick", image, label, np.diag((1, 1, 50, 1.0)))
    project.run(spacing=[1, 1, 2])
    for name in ("thin", "thick"):
        with store.open(project.folder, name) as case:
            assert case.record.stored_shape == (19, 19, 1)
            inside = image[5:, 5:, 0, 0].astype(float)
            assert case.image[5, 5, 0, 0] == pytest.approx(-inside.mean() / inside.std(), rel=1e-4)


@pytest.mark.parametrize("others", [0, 2])
def test_ct_of_one_intensity_is_refused_before_training(project, make, others):
    """Also where 2 voxels of 960 have another: by the percentiles 0.5 and 99.5, as in training."""
    project.modalities = ("CT",)
    for name, seed in (("a", 1), ("b", 2)):
        image, label = make(seed)
        image[label > 0] = 1
        image[(*np.argwhere(label > 0)[:others].T,)] = 70
        project.add(name, image, label)
    empty, _ = make(3)
    project.add("c", empty, np.zeros(empty.shape[:-1], np.uint8))
    with pytest.raises(
        RefoldError, match="over 99 % of the foreground of all 2 cases that have any has the intensity 1;"
    ):
        project.run()
    image, label = make(2)
    image[label > 0] = 2  # each case has one, but not the same
    project.add("b", image, label)
    assert project.run()["normalisation"] == ["ct"]
    project.run(normalisation="zscore")
    image[label > 0] = 1
    image[(*np.argwhere(label > 0)[:20].T,)] = 70  # 2 % of its foreground, 1 % of all
    project.add("b", image, label)
    assert project.run()["normalisation"] == ["ct"]


def test_files_that_changed_since_the_catalogue_are_refused(project, make):
    row = project.add("a", *make(4))
    project.add("a", *make(4, (10, 10, 10)))
    project.rows = [row]
    with pytest.raises(RefoldError, match="the files of case a changed"):
        project.run()


def test_resampling_to_the_given_spacing(project, make):
    image, label = make(5)
    project.add("a", image, label, LPS)
    project.run(spacing=[2, 1, 1])
    with store.open(project.folder, "a") as case:
        assert case.image.shape == (12, 20, 32, 1)
        assert case.record.stored_spacing == (2.0, 1.0, 1.0)
        assert set(np.unique(case.label)) == {0, 1, 2}


def test_median_spacing_is_in_canonical_axes(project, make):
    # the same scan stored with its axes in another order: spacing 2 mm along canonical z in both
    image, label = make(6)
    project.add("a", image, label, np.diag((1, 1, 2, 1.0)))
    affine = np.zeros((4, 4))
    affine[2, 0], affine[0, 1], affine[1, 2], affine[3, 3] = 2, 1, 1, 1
    project.add("b", np.moveaxis(image, 2, 0), np.moveaxis(label, 2, 0), affine)
    result = project.run()
    assert result["target_spacing"] == [1, 1, 2]
    with store.open(project.folder, "a") as a, store.open(project.folder, "b") as b:
        assert np.array_equal(a.label[...], b.label[...])
        assert np.allclose(a.image[...], b.image[...], atol=1e-5)


def test_thick_slices_are_noted(project, make):
    image, label = make(7, (24, 24, 6))
    project.add("a", image, label, np.diag((1, 1, 4, 1.0)))
    result = project.run(spacing=[1, 1, 2])
    assert result["cases"]["a"]["thick_slices"] == "z"
    with store.open(project.folder, "a") as case:
        assert np.array_equal(case.image[:, :, 0], case.image[:, :, 1])


def test_zscore_looks_at_the_head_alone_where_the_crop_is_large(project):
    rng = np.random.default_rng(0)
    image = np.zeros((20, 20, 20, 1), np.float32)
    head = np.linalg.norm(np.indices((20, 20, 20)) - 10, axis=0) < 6
    image[head, 0] = rng.normal(50, 4, head.sum())
    image[10, 10, 10] = 0  # a hole inside belongs to the head
    project.add("a", image, head.astype(np.uint8))
    assert project.run()["cases"]["a"]["masked"] is True
    with store.open(project.folder, "a") as case:
        inside = head[geometry.slices(case.record.crop)]
        stored = case.image[...][..., 0]
        assert abs(stored[inside].mean()) < 1e-4 and abs(stored[inside].std() - 1) < 1e-4
        assert (stored[~inside] == 0).all()
    # without the crop the whole image counts
    assert project.run(crop_nonzero=False)["cases"]["a"]["masked"] is False


def test_warnings_are_told(project, make):
    image, label = make(8, empty=True)
    image[..., 0] = 5
    project.add("constant", image, label)
    image, label = make(8, empty=True)
    image[:4], label[0, 0, 0] = 0, 2
    project.add("outside", image, label)
    image, label = make(8, empty=True)
    label[12, 10, 8] = 2
    project.add("tiny", image, label)
    told = {(w["case"], w["check"]) for w in project.run(spacing=[3, 3, 3])["warnings"]}
    assert told == {("constant", "constant"), ("outside", "crop"), ("tiny", "resampling")}


def test_ct_is_stored_raw_and_learnt_from_training_cases_alone(project, make):
    project.modalities = ("CT", "MRI")
    for i, name in enumerate(("train-1", "train-2", "held-out")):
        image, label = make(i, channels=2)
        project.add(name, image * [10, 1], label)
    project.run()
    before = content(project.folder)

    def learn(names):
        samples = []
        for name in names:
            with store.open(project.folder, name) as case:
                samples.append(case.intensities)
        return intensity.fit(samples, ("ct", "zscore"))

    first = learn(["train-1", "train-2"])
    with store.open(project.folder, "train-1") as case:
        assert case.image[...][..., 0].min() > 500  # raw
        assert abs(case.image[...][..., 1].mean()) < 1e-4

    # another held-out case changes nothing of the training cases, nor of what is learnt from them
    image, label = make(99, channels=2)
    project.add("held-out", image * [9999, 7], label)
    project.run()
    after = content(project.folder)
    assert after["held-out.h5"] != before["held-out.h5"]
    assert {k: v for k, v in after.items() if k != "held-out.h5"} == {
        k: v for k, v in before.items() if k != "held-out.h5"
    }
    assert learn(["train-1", "train-2"]) == first
    assert learn(["train-1", "held-out"]) != first


@pytest.mark.parametrize(("shape", "channels"), [((24, 20, 16), 1), ((24, 20, 16), 3), ((60, 60, 60), 1)])
def test_size_is_at_most_twice_the_raw_images(project, make, shape, channels):
    project.modalities = ("MRI",) * channels
    image, label = make(1, shape, channels)
    label[...] = 1  # the most foreground there can be
    project.add("a", image, label)
    size = project.run()["size"]
    assert size["raw_bytes"] == image.size * 4
    assert size["ratio"] <= 2
    assert size["stored_bytes"] == (project.folder / "a.h5").stat().st_size


# ---------------------------------------------------------------- pictures


@pytest.fixture
def pictures(project):
    project.modalities, project.values, project.names = ("R", "G", "B"), (0, 255), ("background", "nucleus")
    rng = np.random.default_rng(0)
    for name, shape in (("a", (40, 30)), ("b", (64, 64)), ("c", (25, 61))):
        image = rng.integers(1, 255, (*shape, 3), np.uint8)
        label = np.zeros(shape, np.uint8)
        label[5:15, 7:20] = 255
        project.add(name, image, label)
    return project


@pytest.mark.parametrize("spacing", ("original", "median"))
def test_pictures_of_mixed_sizes(pictures, spacing):
    result = pictures.run(spacing=spacing)
    assert result["dimension"] == 2 and list(result["proposed"]) == ["2d"]
    for row in pictures.cases:
        with store.open(pictures.folder, row.case) as case:
            assert case.image.shape == (*row.shape, 3)
            assert np.allclose(case.image[...].mean(axis=(0, 1)), 0, atol=1e-4)
            hot = (case.label[...][..., None] == np.arange(2)).astype(np.float32)
            back = geometry.to_original(hot, case.record)
            assert back.shape == row.shape and back.sum() == 130 and back[5, 7] == 1
            assert case.foreground(1).shape == (130, 2)


def test_grey_picture(project):
    project.values, project.names = (0, 1), ("background", "cell")
    label = np.zeros((20, 12), np.uint8)
    label[3:9, 2:5] = 1
    project.add("a", (label * 100 + 50)[..., None], label)
    project.run(spacing="original", normalisation="minmax")
    with store.open(project.folder, "a") as case:
        assert np.array_equal(case.image[...][..., 0], label)


def test_pictures_are_read_by_the_rule_of_the_data_set(project):
    """One channel declared and stored as RGB, the mask in colours: what the data phase accepted."""
    project.values, project.names = (0, 7), ("background", "cell")
    label = np.zeros((20, 12), np.uint8)
    label[3:9, 2:5] = 7
    row = project.add("a", np.repeat((label * 10 + 50)[..., None], 3, axis=-1), label)
    Pillow.fromarray((label == 7).T[..., None] * np.array([9, 8, 200], np.uint8)).save(project.raw / row.label)
    digest = table.digest(project.raw / name for name in (*row.images, row.label))
    row = dataclasses.replace(row, channels=1, sha256=digest)
    description = dataclasses.replace(project.description, colours=(("#000000",), ("#0908c8",)))
    section = Preprocess(spacing="original", normalisation="minmax", shards=1)
    cases.run([row], description, section, 0, project.folder)
    with store.open(project.folder, "a") as case:
        assert np.array_equal(case.label[...], label // 7)
        assert np.array_equal(case.image[...], (label // 7)[..., None])


# ---------------------------------------------------------------- shards


def test_shards_do_not_change_a_byte(project, make):
    for i in range(5):
        project.add(f"case-{i}", *make(i), np.diag((1, 1, 1 + i / 10, 1)))
    one = project.run(shards=1)
    three = project.run(folder=project.root / "three", shards=3)
    assert content(project.folder) == content(project.root / "three") and len(content(project.folder)) == 5
    assert one == three


def test_more_shards_than_cases(project, make):
    project.add("a", *make(0))
    assert project.run(shards=3)["size"]["cases"] == 1


def test_manifest_names_each_file_and_its_hash(project, make):
    for name in ("a", "b", "c"):
        project.add(name, *make(ord(name)))
    project.run(shards=2)
    manifests = [read_json(project.folder / f"shard-{i}.json") for i in (0, 1)]
    assert [sorted(m["cases"]) for m in manifests] == [["a", "c"], ["b"]]
    for m in manifests:
        for entry in m["cases"].values():
            assert entry["sha256"] == sha256_file(project.folder / entry["file"])


def test_stale_files_vanish_and_others_stay(project, make):
    for name in ("a", "b", "gone"):
        project.add(name, *make(1))
    project.run(shards=3)
    (project.folder / "note.txt").write_text("mine")
    project.rows = [r for r in project.rows if r.case != "gone"]
    project.run(shards=2)
    # whichever shard ran last, and whatever ran before
    (project.folder / "gone.h5").write_text("again")
    fingerprint.run(project.cases, project.description, Preprocess(shards=2), project.folder, project.root / "f.json")
    assert sorted(p.name for p in project.folder.iterdir()) == [
        "a.h5",
        "b.h5",
        "note.txt",
        "shard-0.json",
        "shard-1.json",
    ]


def test_a_failed_shard_leaves_no_manifest(project, make):
    project.add("a", *make(1))
    project.add("b", *make(2))
    project.run(shards=1)
    (project.raw / "b_image.nii.gz").write_bytes(b"spoilt")
    with pytest.raises(RefoldError, match="the files of case b changed"):
        project.run(shards=1)
    assert not (project.folder / "shard-0.json").exists()
    assert not list(project.folder.glob(".tmp*"))


def test_no_such_shard(project, make):
    project.add("a", *make(1))
    with pytest.raises(RefoldError, match=r"--shard 2.*0 to 1"):
        cases.run(project.cases, project.description, Preprocess(shards=2), 2, project.folder)


def test_no_cases(project, make):
    project.add("a", *make(1))
    with pytest.raises(RefoldError, match="no case"):
        cases.run([], project.description, Preprocess(), 0, project.folder)


# ---------------------------------------------------------------- as commands


def command(project, *words):
    return subprocess.run(
        [sys.executable, "-m", "refold.preprocess", *words],
        cwd=project.root,
        env={**os.environ, "PYTHONPATH": str(WORKFLOW)},
        capture_output=True,
        text=True,
    )


def test_commands(project, make):
    for i in range(3):
        project.add(f"case-{i}", *make(i))
    project.stamp(shards=2)
    for shard in "01":
        done = command(project, "cases", "--shard", shard)
        assert done.returncode == 0, done.stderr
    done = command(project, "fingerprint")
    assert done.returncode == 0, done.stderr
    assert read_json(project.root / "data/fingerprint.json")["size"]["cases"] == 3

    (project.raw / "case-0_image.nii.gz").unlink()
    done = command(project, "cases", "--shard", "0")
    assert done.returncode == 1
    assert done.stderr.splitlines()[-1].startswith("error: ") and "case-0_image.nii.gz is missing" in done.stderr
