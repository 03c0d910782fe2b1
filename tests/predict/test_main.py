"""Prediction as its command runs it, with the method that needs no TensorFlow."""

import argparse
import json
from typing import ClassVar

import nibabel
import numpy as np
import pytest
from PIL import Image as Pillow

from refold.core import paths, seals
from refold.core.errors import RefoldError
from refold.core.files import sha256_file
from refold.experiment.params import KINDS, Params
from refold.experiment.reading import validate
from refold.imaging import cases, geometry, images, store
from refold.imaging.cases import Case
from refold.imaging.dataset import Description, Labels
from refold.imaging.place import FILE, Place
from refold.predict import __main__ as predict
from refold.settings.predict import Predict
from refold.settings.stamps import Stamps
from refold.train import __main__ as train

NAMES = [f"case{i}" for i in range(6)]
VALUES = (0, 2, 255)
BOTH = ["results/models/otsu/fold-0/card.json", "results/models/otsu/fold-1/card.json"]


def affine_3d():
    """LPS with a shift: the file's first two axes run against the world's."""
    affine = np.diag([-1.0, -1.5, 2.0, 1.0])
    affine[:3, 3] = [30, 20, -10]
    return affine


def make(folder, name, shape, seed):
    rng = np.random.default_rng(seed)
    label = np.zeros(shape, np.uint8)
    label[tuple(slice(2, 5) for _ in shape)] = 1
    label[tuple(slice(6, 9) for _ in shape)] = 2
    image = (10.0 * label + 1 + rng.uniform(0, 0.5, shape)).astype(np.float32)[..., None]
    affine = affine_3d() if len(shape) == 3 else np.eye(3)
    record = geometry.record(shape, affine)
    moved = geometry.canonical(label, record.transform)
    store.write(
        folder,
        name,
        geometry.canonical(image, record.transform),
        moved,
        {i: np.argwhere(moved == i) for i in (1, 2)},
        np.zeros((0, 1), np.float32),
        record,
    )
    return label


@pytest.fixture(params=[(10, 11, 12), (10, 11)], ids=["3d", "2d"])
def project(request, tmp_path, monkeypatch):
    """A project after preprocess and split, in the current folder."""
    monkeypatch.chdir(tmp_path)
    shape = request.param
    (tmp_path / "data/preprocessed").mkdir(parents=True)
    truths = {n: make("data/preprocessed", n, shape, i) for i, n in enumerate(NAMES)}
    labels = Labels(VALUES, ("background", "a", "b"))
    spacing = (1.0, 1.5, 2.0)[: len(shape)]
    cases.write([Case(n, n, (n,), n, 1, shape, spacing, "LPS", (1, 1, 1), n) for n in NAMES])
    Description("t", "raw", len(shape), ("MR",), ("MR",), labels, "case").write(beside=[paths.CASES])
    stored = {n: {"sha256": sha256_file(store.path("data/preprocessed", n))} for n in NAMES}
    seals.write("data/fingerprint.json", {"normalisation": ["none"], "cases": stored})
    write_splits(
        [(["case0", "case1"], ["case2", "case3"]), (["case2", "case3"], ["case0", "case1"])], ["case4", "case5"]
    )
    Stamps().write(validate({"methods": {"otsu": {"kind": "threshold"}}}).frozen())
    return truths


def test_the_prediction_of_a_nifti_of_two_axes_has_two(tmp_path):
    labels = Labels(VALUES, ("background", "a", "b"))
    output = predict.Output(tmp_path, Description("t", "raw", 3, ("MR",), ("MR",), labels, "case"))
    affine = np.diag([-0.5, 0.5, 1, 1])
    shape = (5, 6, 1)
    odds = np.zeros((*shape, 3), np.float32)
    odds[..., 0], odds[1, 2, 0] = 0.5, (0.1, 0.2, 0.7)
    for flat, wanted in ((True, (5, 6)), (False, (5, 6, 1))):
        record = geometry.record(shape, affine, flat=flat)
        indices, more = output.write_probabilities("x", geometry.canonical(odds, record.transform), record)
        written = nibabel.load(tmp_path / output.write("x", indices, record)["file"])
        assert written.shape == wanted and np.argwhere(written.dataobj)[0][:2].tolist() == [1, 2]
        found = images.read(tmp_path / "x.nii.gz", label=True)
        images.require_grid(found, "x", shape, affine, "its case")
        assert found.data.max() == 255 and found.flat == flat
        assert images.read_probabilities(tmp_path / more["probabilities"]["file"]).shape == (5, 6, 1, 2)


def write_splits(folds, holdout=()):
    seals.write(
        "results/splits.json",
        {
            "folds": [{"fold": i, "repeat": 0, "train": a, "test": b} for i, (a, b) in enumerate(folds)],
            "holdout": list(holdout),
            "patients": {n: n for n in NAMES},
        },
    )


def arguments(fold, **changes):
    values = {
        "method": "otsu",
        "fold": fold,
        "models": None,
        "params": "results/.params",
        "cases": paths.CASES,
        "dataset": paths.DATASET,
        "fingerprint": "data/fingerprint.json",
        "preprocessed": "data/preprocessed",
        "splits": "results/splits.json",
        "place": FILE,
        "out": None,
        "checkpoints": "results/.checkpoints",
    }
    return argparse.Namespace(**{**values, **changes})


def trained(*folds):
    for fold in folds:
        train.run(arguments(fold))


def test_a_fold_on_the_cases_own_grid_with_the_declared_values(project):
    trained(0)
    predict.run(arguments("0"))
    manifest = seals.read("results/predictions/otsu/fold-0/predictions.json")
    assert set(manifest["cases"]) == {"case2", "case3"} and manifest["fold"] == 0
    assert manifest["hashes"]["models"]["0"] == sha256_file("results/models/otsu/fold-0/model.json")
    for case, entry in manifest["cases"].items():
        path = f"results/predictions/otsu/fold-0/{entry['file']}"
        assert sha256_file(path) == entry["sha256"]
        image = images.read(path, label=True)
        expected = np.array(VALUES)[project[case]]
        np.testing.assert_array_equal(image.data, expected)
        assert image.data.dtype == np.uint8
        if image.dimension == 3:
            np.testing.assert_allclose(image.affine, affine_3d())


def test_twice_the_same_bytes_and_no_leftovers(project):
    trained(0)
    predict.run(arguments("0"))
    folder = predict.Path("results/predictions/otsu/fold-0")
    before = {p.name: p.read_bytes() for p in folder.iterdir()}
    (folder / "old.nii.gz").write_bytes(b"of an earlier split")
    predict.run(arguments("0"))
    assert {p.name: p.read_bytes() for p in folder.iterdir()} == before


def test_a_method_that_predicts_otherwise(project, monkeypatch):
    """The same model, made with the section `predict` as it changes it; read as plain values, without the checks."""
    other = {"kind": "prediction", "of": "otsu", "predict": {"overlap": 0.25, "mirror_axes": ["x"]}}
    methods = {"otsu": {"kind": "threshold"}, "other": other}
    Stamps().write(Params.model_validate({"methods": methods, "predict": {"overlap": 0.75, "threads": 2}}).frozen())
    trained(0)
    threshold, seen = KINDS["threshold"], []
    create = threshold.create
    monkeypatch.setattr(threshold, "create", lambda self, how: seen.append(how) or create(self, how))
    for method in ("otsu", "other"):
        predict.run(arguments("0", method=method))
    assert seen == [
        Predict(overlap=0.75, threads=2),
        Predict(overlap=0.25, threads=2, mirror_axes=["x"]),
    ]
    manifest = seals.read("results/predictions/other/fold-0/predictions.json")
    assert manifest["hashes"]["models"] == {"0": sha256_file("results/models/otsu/fold-0/model.json")}
    assert set(manifest["hashes"]["params"]) == {"methods.other", "methods.otsu", "predict"}


def test_held_out_cases_by_the_mean_of_the_folds(project):
    trained(0, 1)
    predict.run(arguments("holdout", models=BOTH))
    manifest = seals.read("results/predictions/otsu/fold-holdout/predictions.json")
    assert set(manifest["cases"]) == {"case4", "case5"} and manifest["fold"] == "holdout"
    assert set(manifest["hashes"]["models"]) == {"0", "1"}


def test_probabilities_of_the_folds_are_averaged(project, monkeypatch):
    trained(0, 1)
    seen = []

    class Fixed:
        file = "model.json"
        warnings: ClassVar[list] = []
        answers = iter([[0.6, 0.4, 0.0], [0.1, 0.2, 0.7]] * 2)

        def load(self, folder, card):
            pass

        def predict_proba(self, image):
            return np.broadcast_to(np.array(next(Fixed.answers), np.float32), (*image.shape[:-1], 3)).copy()

    monkeypatch.setattr(KINDS["threshold"], "create", lambda *a: Fixed())
    original = geometry.to_original
    monkeypatch.setattr(
        geometry, "to_original", lambda p, *r: seen.append(p.reshape(-1, 3)[0].copy()) or original(p, *r)
    )
    predict.run(arguments("holdout", models=BOTH))
    np.testing.assert_allclose(seen[0], [0.35, 0.3, 0.35], atol=1e-6)


def test_a_fallback_names_its_case(project, monkeypatch, caplog):
    trained(0)
    seen = []
    create = KINDS["threshold"].create

    class Watched:
        """The threshold method, which does not know the first image it sees."""

        def __init__(self, inner):
            self.inner, self.file, self.warnings = inner, inner.file, inner.warnings

        def load(self, folder, card):
            self.inner.load(folder, card)
            self.warnings.append("loaded as well as could be")

        def predict_proba(self, image):
            seen.append(image)
            return self.inner.predict_proba(image * (len(seen) > 1))

    monkeypatch.setattr(KINDS["threshold"], "create", lambda self, how: Watched(create(self, how)))
    predict.run(arguments("0"))
    manifest = seals.read("results/predictions/otsu/fold-0/predictions.json")
    general, own = manifest["warnings"]
    assert general == "loaded as well as could be"
    assert own["case"] == "case2" and "predicted as background: channel 0 has fewer than" in own["message"]
    assert "case2: threshold method: predicted as background" in caplog.text


def test_the_two_names_of_a_models_file_must_be_one(project, monkeypatch):
    """A user sets them in two classes; Snakemake would wait for a file that nobody writes."""
    monkeypatch.setattr(KINDS["threshold"], "file", "means.npz")
    with pytest.raises(RefoldError, match=r"methods/threshold\.py: .* 'means\.npz', ThresholdSegmenter 'model\.json'"):
        trained(0)
    assert not predict.Path("results/models/otsu/fold-0/card.json").exists()


def test_a_model_that_saw_the_patient_is_refused(project):
    trained(0)
    card = seals.read("results/models/otsu/fold-0/card.json")
    card["training"]["inner_validation"] = ["case2"]
    seals.write("results/models/otsu/fold-0/card.json", card)
    with pytest.raises(RefoldError, match=r"trained on patients to be predicted: case2"):
        predict.run(arguments("0"))
    assert not predict.Path("results/predictions/otsu/fold-0/predictions.json").exists()


def test_another_split_is_refused(project):
    trained(0)
    write_splits([(["case0", "case2"], ["case1", "case3"])])
    with pytest.raises(RefoldError, match="another split"):
        predict.run(arguments("0"))


def test_a_changed_model_is_refused(project):
    trained(0)
    path = predict.Path("results/models/otsu/fold-0/model.json")
    path.write_text(json.dumps({**json.loads(path.read_text()), "assignment": [0, 0, 0]}))
    with pytest.raises(RefoldError, match=r"model\.json is not what the train phase wrote .*card\.json says"):
        predict.run(arguments("0"))


def test_folds_of_different_data_are_not_averaged(project):
    trained(0, 1)
    card = seals.read("results/models/otsu/fold-1/card.json")
    card["hashes"]["data"] = "other"
    seals.write("results/models/otsu/fold-1/card.json", card)
    with pytest.raises(RefoldError, match="different data"):
        predict.run(arguments("holdout", models=BOTH))


def test_a_missing_case_is_named(project):
    trained(0)
    predict.Path("data/preprocessed/case3.h5").unlink()
    with pytest.raises(
        RefoldError, match=r"case3\.h5 is missing, .*`snakemake --forcerun preprocess_shard -- preprocess`"
    ):
        predict.run(arguments("0"))
    assert not predict.Path("results/predictions/otsu/fold-0/predictions.json").exists()


def test_no_holdout_says_what_to_set(project):
    trained(0)
    seals.write("results/splits.json", {**seals.read("results/splits.json"), "holdout": []})
    card = seals.read("results/models/otsu/fold-0/card.json")
    card["hashes"]["split"] = sha256_file("results/splits.json")
    seals.write("results/models/otsu/fold-0/card.json", card)
    with pytest.raises(RefoldError, match=r"split\.test_fraction"):
        predict.run(arguments("holdout", models=["results/models/otsu/fold-0/card.json"]))


@pytest.mark.parametrize("largest", [300, 65535])
def test_large_label_values_are_kept(project, largest):
    """16-bit masks, also in PNG."""
    description = seals.read(paths.DATASET)
    description["labels"][2]["value"] = largest
    seals.write(paths.DATASET, description)
    trained(0)
    predict.run(arguments("0"))
    for entry in seals.read("results/predictions/otsu/fold-0/predictions.json")["cases"].values():
        data = images.read(f"results/predictions/otsu/fold-0/{entry['file']}", label=True).data
        assert set(np.unique(data)) == {0, 2, largest}


# ---- label maps of another program

OTHER = (0, 1, 2)  # its values


@pytest.fixture
def elsewhere(project):
    """nnU-Net's layout for fold 0 and the held-out cases, a flat file for the rest; every answer is the truth."""
    ending = ".nii.gz" if next(iter(project.values())).ndim == 3 else ".png"
    places = {"case2": "fold_0/validation", "case3": "fold_0", "case4": "holdout"}
    for case, truth in project.items():
        folder = predict.Path("other") / places.get(case, ".")
        folder.mkdir(parents=True, exist_ok=True)
        affine = affine_3d() if truth.ndim == 3 else np.eye(3)
        images.write_label(folder / f"{case}{ending}", np.array(OTHER)[truth].astype(np.uint8), affine)
    return ending


def enter(**changes):
    entry = {"kind": "external", "folder": "other", "program": "nnU-Net", "values": list(OTHER), **changes}
    methods = {"otsu": {"kind": "threshold"}, "theirs": entry}
    Stamps().write(validate({"dataset": {"name": "own", "source": "raw"}, "methods": methods}).frozen())
    Place("raw", folders={"theirs": "other"}).write()


@pytest.mark.parametrize(
    ("fold", "tested"), [("0", ["case2", "case3"]), ("1", ["case0", "case1"]), ("holdout", ["case4", "case5"])]
)
def test_label_maps_of_another_program_are_predictions(project, elsewhere, fold, tested):
    enter()
    predict.run(arguments(fold, method="theirs"))
    folder = predict.Path(f"results/predictions/theirs/fold-{fold}")
    manifest = seals.read(folder / "predictions.json")
    assert sorted(manifest["cases"]) == tested
    for case, entry in manifest["cases"].items():
        image = images.read(folder / entry["file"], label=True)
        np.testing.assert_array_equal(image.data, np.array(VALUES)[project[case]])
        assert sha256_file(folder / entry["file"]) == entry["sha256"]
        # what was read, by its place in the folder, which may be moved
        place = {"case2": "fold_0/validation/", "case3": "fold_0/", "case4": "holdout/"}.get(case, "")
        name = f"{place}{case}{elsewhere}"
        assert entry["source"] == {"file": name, "sha256": sha256_file(predict.Path("other", name))}
        if image.dimension == 3:
            np.testing.assert_allclose(image.affine, affine_3d())
    assert "cannot know whether it was trained on the cases" in manifest["warnings"][0]
    assert manifest["hashes"]["data"] == sha256_file(paths.CASES)


@pytest.mark.parametrize("coloured", [False, True])
def test_pictures_of_another_program(project, elsewhere, coloured):
    """TIFF, and the colours that the data set names; predictions are written in them."""
    if elsewhere != ".png":
        pytest.skip("of pictures")
    table = np.array([[0, 0, 0], [200, 0, 10], [0, 90, 255]], np.uint8)
    if coloured:
        about = seals.read(paths.DATASET)
        seals.write(paths.DATASET, {**about, "colours": [["#000000"], ["#c8000a"], ["#005aff"]]})
    for case, path in ((c, next(predict.Path("other").rglob(f"{c}.png"))) for c in NAMES):
        truth = project[case].T
        Pillow.fromarray(table[truth] if coloured else np.array(OTHER, np.uint8)[truth]).save(path.with_suffix(".tif"))
        path.unlink()
    enter()
    predict.run(arguments("0", method="theirs"))
    for case, entry in seals.read("results/predictions/theirs/fold-0/predictions.json")["cases"].items():
        with Pillow.open(f"results/predictions/theirs/fold-0/{entry['file']}") as written:
            assert written.mode == ("P" if coloured else "L")
            np.testing.assert_array_equal(np.array(written), np.array(VALUES)[project[case].T])
            if coloured:
                np.testing.assert_array_equal(np.array(written.convert("RGB")), table[project[case].T])


def test_the_hash_of_another_programs_fold_follows_its_files(project, elsewhere):
    enter()
    found = []
    for _ in range(2):
        predict.run(arguments("0", method="theirs"))
        found.append(seals.read("results/predictions/theirs/fold-0/predictions.json")["hashes"]["models"])
        path = predict.Path(f"other/fold_0/case3{elsewhere}")
        image = images.read(path, label=True)
        image.data[0] = 1
        images.write_label(path, image.data, affine_3d() if image.dimension == 3 else np.eye(3))
    assert found[0].keys() == found[1].keys() == {"0"} and found[0] != found[1]


def test_what_does_not_fit_is_refused_and_nothing_is_written(project, elsewhere):
    enter(values=None)  # its 1 is no value of the data set
    manifest = predict.Path("results/predictions/theirs/fold-0/predictions.json")

    def refused(told):
        with pytest.raises(RefoldError, match=told):
            predict.run(arguments("0", method="theirs"))
        assert not manifest.exists()

    refused(r"case2\S* holds 1; declared label values are 0, 2, 255; or say with `values`")
    enter(values=[0, 1, 2, 3])
    refused(r"methods\.theirs\.values: 4 values; the data set has 3 labels")
    enter()
    path = predict.Path(f"other/fold_0/case3{elsewhere}")
    data = images.read(path, label=True).data
    if data.ndim == 3:
        images.write_label(path, data, affine_3d() + 0.5 * np.eye(4, k=3))
        refused("lies elsewhere than its case")
    images.write_label(path, data[1:], affine_3d() if data.ndim == 3 else np.eye(3))
    refused(r"case3\S* has shape")
    path.unlink()
    refused(rf"has no label map of case3, tested in fold 0; .*such as case3{elsewhere}")


def test_a_folder_without_label_maps_is_told(tmp_path, monkeypatch):
    entry = KINDS["external"](folder=str(tmp_path / "none"))
    with pytest.raises(RefoldError, match=r"methods\.theirs\.folder: .* is no folder"):
        entry.check("theirs")
    (tmp_path / "none").mkdir()
    with pytest.raises(RefoldError, match=r"holds no file that ends with \.png, \.tif, \.tiff, \.nii\.gz, \.nii"):
        entry.check("theirs")
    (tmp_path / "none/deep").mkdir()
    (tmp_path / "none/deep/a.nii").touch()
    (tmp_path / "none/dataset.json").touch()
    monkeypatch.setattr(type(tmp_path), "is_file", lambda path: looked.append(path) or True)
    looked = []
    for i in range(20):
        (tmp_path / f"none/deep/{i}.nii").touch()
    entry.check("theirs")
    assert len(looked) == 1  # not the whole folder: one hit is enough


def test_probabilities_stand_beside_the_label_maps(project):
    Stamps().write(validate({"methods": {"otsu": {"kind": "atlas"}}}).frozen())
    trained(0)
    predict.run(arguments("0"))
    folder = predict.Path("results/predictions/otsu/fold-0")
    for case, entry in seals.read(folder / "predictions.json")["cases"].items():
        path = folder / entry["probabilities"]["file"]
        assert sha256_file(path) == entry["probabilities"]["sha256"]
        q = images.read_probabilities(path)
        map_ = images.read(folder / entry["file"], label=True)
        assert q.shape == (*project[case].shape, 2)
        whole = np.concatenate([255 - q.sum(-1, keepdims=True, dtype=int), q], -1)
        # the most probable label, but where rounding makes two alike
        chosen = np.take_along_axis(whole, np.searchsorted(VALUES, map_.data)[..., None], -1)[..., 0]
        assert (chosen >= whole.max(-1) - 1).all() and len(np.unique(map_.data)) > 1
    first = {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()}
    (folder / "probabilities/old.nii.gz").write_bytes(b"of an earlier split")
    predict.run(arguments("0"))
    assert {p: p.read_bytes() for p in folder.rglob("*") if p.is_file()} == first
    Stamps().write(
        validate({"methods": {"otsu": {"kind": "atlas"}}, "predict": {"keep_probabilities": False}}).frozen()
    )
    predict.run(arguments("0"))
    assert not (folder / "probabilities").exists()
    assert not any("probabilities" in e for e in seals.read(folder / "predictions.json")["cases"].values())


def test_a_method_that_only_decides_keeps_no_probabilities(project):
    trained(0, 1)
    predict.run(arguments("holdout", models=BOTH))
    assert not predict.Path("results/predictions/otsu/fold-holdout/probabilities").exists()


def test_what_is_made_from_a_model_worth_nothing_says_so(project, monkeypatch):
    methods = {
        "otsu": {"kind": "threshold"},
        "atlas": {"kind": "atlas"},
        "both": {"kind": "ensemble", "members": ["otsu", "atlas"]},
        "tidy": {"kind": "postprocessing", "of": "otsu"},
    }
    Stamps().write(validate({"methods": methods}).frozen())
    for method in ("otsu", "atlas"):
        train.run(arguments(0, method=method))

    def warned(method):
        models = [f"results/models/{m}/fold-0/card.json" for m in ("otsu", "atlas")]
        predict.run(arguments("0", method=method, models=models if method == "both" else None))
        found = seals.read(f"results/predictions/{method}/fold-0/predictions.json")["warnings"]
        return [w for w in found if "predicting nothing" in w]

    assert [warned(m) for m in methods] == [[]] * 4
    card = seals.read("results/models/otsu/fold-0/card.json")
    assert card["training"]["score"]["dice"] == 1 > card["training"]["score"]["dice_of_nothing"]
    card["training"]["score"]["dice"] = 0.1
    seals.write("results/models/otsu/fold-0/card.json", card)
    told = "made from otsu fold 0, which on training cases did no better than predicting nothing but background"
    assert [warned(m) for m in ("otsu", "both", "tidy")] == [[], [told], [told]]  # otsu's own card says it of otsu

    def everywhere(models, image):
        return np.broadcast_to(np.eye(3, dtype=np.float32)[1], (*image.shape[:-1], 3))

    monkeypatch.setattr(predict.postprocess, "mean_probabilities", everywhere)
    assert warned("tidy")[0].startswith("on cases that the postprocessing was chosen on it did no better")
