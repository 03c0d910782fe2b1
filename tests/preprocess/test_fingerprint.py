import json
from pathlib import Path

import numpy as np
import pytest

from refold.core import seals
from refold.core.errors import RefoldError
from refold.imaging.plan import plan
from refold.preprocess import fingerprint
from refold.settings.preprocess import Preprocess

HIPPOCAMPUS = Path(__file__).resolve().parents[2].parent / "shared" / "data" / "Task04_Hippocampus"


def test_numbers_by_hand(project, make):
    image, label = make(1)
    other, _ = make(2, (30, 20, 16), empty=True)
    project.add("a", image, label, np.diag((1, 1, 2, 1.0)))
    project.add("b", other, np.zeros((30, 20, 16), np.uint8), np.diag((1, 1, 2, 1.0)))
    result = project.run()
    a, b = result["cases"]["a"], result["cases"]["b"]
    assert a["shape"] == {"raw": [24, 20, 16], "cropped": [24, 20, 16], "stored": [24, 20, 16]}
    assert a["volume_ml"]["lesion"] == pytest.approx(27 * 2 / 1000)
    assert a["voxels"] == {n: int((label == i).sum()) for i, n in enumerate(project.names)}
    values = image[label > 0][:, 0].astype(float)
    for key, want in {
        "mean": values.mean(),
        "median": np.median(values),
        "sd": values.std(),
        "p0_5": np.percentile(values, 0.5),
        "p99_5": np.percentile(values, 99.5),
    }.items():
        assert a["intensity"]["channel 0"][key] == pytest.approx(want, rel=1e-5)
    assert b["intensity"]["channel 0"] is None
    assert result["cases_with_label"] == {"organ": 1, "lesion": 1}
    assert result["median"]["shape"] == [27, 20, 16]
    assert result["median"]["spacing"] == [1, 1, 2] == result["target_spacing"]
    assert result["volume_ml"]["lesion"] == {"min": 0.054, "median": 0.054, "max": 0.054}
    for key in ("2d", "3d"):
        p = plan(result, int(key[0]))
        assert result["proposed"][key] == {"patch": list(p.patch), "strides": [list(s) for s in p.strides]}


def test_upsampling_past_twice_the_size_is_told(project, make):
    project.add("a", *make(1))
    result = project.run(spacing=[0.5, 0.5, 0.5])
    assert result["size"]["ratio"] > 2
    assert [w["check"] for w in result["warnings"]] == ["size"]


def test_written_as_json(project, make):
    project.add("a", *make(1))
    result = project.run()
    path = project.root / "data" / "fingerprint.json"
    fingerprint.run(project.cases, project.description, Preprocess(), project.folder, path)
    assert seals.read(path) == json.loads(json.dumps(result))


@pytest.fixture
def done(project, make):
    for name in ("a", "b", "c"):
        project.add(name, *make(ord(name)))
    project.run(shards=2)
    return project


def merge(project, **section):
    return fingerprint.build(project.cases, project.description, Preprocess(shards=2, **section), project.folder)


def edit(project, shard, change):
    path = project.folder / f"shard-{shard}.json"
    value = seals.read(path)
    change(value)
    seals.write(path, value)


def test_missing_shard(done):
    (done.folder / "shard-1.json").unlink()
    with pytest.raises(RefoldError, match=r"shard-1\.json is missing"):
        merge(done)


def test_missing_case(done):
    edit(done, 0, lambda m: m["cases"].pop("c"))
    with pytest.raises(RefoldError, match=r"shard-0\.json.*differ in c"):
        merge(done)


def test_case_in_two_shards(done):
    twice = seals.read(done.folder / "shard-0.json")["cases"]["a"]
    edit(done, 1, lambda m: m["cases"].update(a=twice))
    with pytest.raises(RefoldError, match=r"shard-1\.json.*differ in a"):
        merge(done)


def test_missing_file(done):
    (done.folder / "b.h5").unlink()
    with pytest.raises(RefoldError, match=r"b\.h5 is missing"):
        merge(done)


def test_other_raw_files(done, make):
    done.add("b", *make(77))
    with pytest.raises(RefoldError, match="case b was made from other raw files"):
        merge(done)


def test_shards_of_different_parameters(done):
    edit(done, 1, lambda m: m.update(modes=["minmax"]))
    with pytest.raises(RefoldError, match="other parameters"):
        merge(done)


def test_another_number_of_shards(done):
    edit(done, 1, lambda m: m.update(shards=5))
    with pytest.raises(RefoldError, match="shard 1 of 5, wanted is 1 of 2"):
        merge(done)


@pytest.mark.slow
def test_hippocampus(project):
    if not HIPPOCAMPUS.is_dir():
        pytest.skip(f"the hippocampus data are not beside the project ({HIPPOCAMPUS.name})")
    import nibabel

    for path in sorted((HIPPOCAMPUS / "imagesTr").glob("*.nii.gz"))[:24]:
        image, label = nibabel.load(path), nibabel.load(HIPPOCAMPUS / "labelsTr" / path.name)
        project.add(
            path.name.removesuffix(".nii.gz"),
            np.asanyarray(image.dataobj)[..., None],
            np.asanyarray(label.dataobj),
            image.affine,
        )
    result = project.run()
    assert result["proposed"]["3d"]["patch"] == [40, 56, 40]
    assert result["size"]["ratio"] <= 2
    assert result["warnings"] == []
