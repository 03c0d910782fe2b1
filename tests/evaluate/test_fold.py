import json

import numpy as np
import pytest

from refold.core.errors import RefoldError
from refold.core.files import read_csv, sha256_file
from refold.imaging import images
from refold.imaging.dataset import Labels
from tests.evaluate.test_metrics import MASKS

from .conftest import AFFINE, VALUES


def values(path):
    return {(r["case"], r["label"], r["metric"]): float(r["value"]) for r in read_csv(path)}


def test_table_by_hand(project):
    prediction = project.truth["c0"].copy()
    organ = np.argwhere(prediction == 1)
    prediction[tuple(organ[0])] = 2
    project.predict("unet", "0", 0.0, c0=prediction)
    path = project.evaluate("unet", "0")
    got = values(path)
    assert len(got) == 2 * 2 * len(MASKS)
    n, m = len(organ), int((project.truth["c0"] == 2).sum())
    assert got["c0", "organ", "dice"] == pytest.approx(2 * (n - 1) / (2 * n - 1), abs=1e-6)
    assert got["c0", "lesion", "precision"] == pytest.approx(m / (m + 1), abs=1e-6)
    # a voxel is 1 x 2 x 3 mm
    assert got["c0", "organ", "volume_error"] == pytest.approx(-0.006)
    assert got["c1", "organ", "dice"] == 1
    assert read_csv(path)[0] == {
        "method": "unet", "fold": "0", "case": "c0", "patient": "p0", "label": "organ", "metric": "dice",
        "value": f"{2 * (n - 1) / (2 * n - 1):.6f}",
    }  # fmt: skip


def test_about(project):
    nothing = np.zeros((6, 5, 4), np.uint8)
    project.predict("unet", "0", 0.0, c1=nothing)
    path = project.evaluate("unet", "0")
    about = json.loads(path.with_suffix(".json").read_text())
    assert about["empty"] == {"c1": {"organ": "missed", "lesion": "missed"}}
    assert about["fold"] == 0
    assert about["hashes"]["models"] == {"0": "0" * 64}
    assert about["hashes"]["table"] == sha256_file(path)
    assert values(path)["c1", "organ", "dice"] == 0
    assert np.isnan(values(path)["c1", "organ", "hd95"])


def test_same_bytes_for_one_and_two_processes(project):
    project.predict("unet", "1", 0.3)
    for n in ("1", "2"):
        project.evaluate("unet", "1", "--processes", n, "--output", n)
    for suffix in ("csv", "json"):
        one, two = (project.root / f"{n}/unet/fold-1.{suffix}" for n in ("1", "2"))
        assert one.read_bytes() == two.read_bytes()


def missing_file(project, folder):
    (folder / "c3.nii.gz").unlink()


def not_listed(project, folder):
    project.change("results/predictions/unet/fold-1/predictions.json", lambda v: v["cases"].pop("c3"))


def tampered(project, folder):
    images.write_label(folder / "c3.nii.gz", VALUES[project.truth["c2"]], AFFINE)


def _rewrite(project, folder, data, affine):
    images.write_label(folder / "c3.nii.gz", data, affine)
    digest = sha256_file(folder / "c3.nii.gz")
    listing = "results/predictions/unet/fold-1/predictions.json"
    project.change(listing, lambda v: v["cases"]["c3"].update(sha256=digest))


def other_shape(project, folder):
    _rewrite(project, folder, np.zeros((6, 5, 3), np.uint8), AFFINE)


def other_place(project, folder):
    moved = AFFINE.copy()
    moved[0, 3] = 0.5
    _rewrite(project, folder, VALUES[project.truth["c3"]], moved)


def undeclared(project, folder):
    _rewrite(project, folder, project.truth["c3"], AFFINE)  # holds 1, declared are 0, 2, 5


def other_split(project, folder):
    project.change("results/splits.json", lambda v: v.update(kind="kfold"))


def other_data(project, folder):
    with open("data/cases.csv", "a") as handle:
        handle.write("\n")


def other_fold(project, folder):
    project.change("results/predictions/unet/fold-1/predictions.json", lambda v: v.update(fold=0))


@pytest.mark.parametrize(
    ("spoil", "message"),
    [
        (missing_file, r"fold-1/c3\.nii\.gz is missing, which the predict phase writes; .*fold-1/predictions\.json`"),
        (not_listed, r"predictions\.json lacks the prediction of case 'c3', tested in fold 1"),
        (tampered, r"c3\.nii\.gz is not what the predict phase wrote \(sha256 \w{12}, .*predictions\.json says"),
        (other_shape, r"c3\.nii\.gz has shape \(6, 5, 3\)"),
        (other_place, r"c3\.nii\.gz lies elsewhere"),
        (undeclared, r"c3\.nii\.gz holds 1; declared label values are 0, 2, 5"),
        (other_split, r"predictions\.json does not belong to results/splits\.json"),
        (other_data, r"data/cases\.csv is not what the data phase wrote .*`snakemake --forcerun data/cases\.csv`"),
        (other_fold, r"predictions\.json is of method 'unet', fold 0"),
    ],
)
@pytest.mark.parametrize("processes", ["1", "2"])
def test_refused_and_nothing_written(project, spoil, message, processes):
    folder = project.predict("unet", "1", 0.3)
    spoil(project, folder)
    with pytest.raises(RefoldError, match=message):
        project.evaluate("unet", "1", "--processes", processes)
    assert not (project.root / "results/metrics").exists()


def test_unknown_fold_is_refused(project):
    with pytest.raises(RefoldError, match=r"--fold 7: results/splits\.json has 0, 1, holdout"):
        project.evaluate("unet", "7")


@pytest.mark.parametrize("colours", [(), (("#000000",), ("#10c020",))], ids=["values", "colours"])
def test_pictures(project, colours):
    """2-D: mask values 0 and 255 in PNG, or colours; the area in mm^2 is the number of pixels."""
    from PIL import Image as Pillow

    from refold.core import seals
    from refold.imaging import cases as case_table
    from refold.imaging.cases import Case
    from refold.imaging.dataset import Description

    mask = np.zeros((8, 6), np.uint8)
    mask[2:5, 1:4] = 255
    if colours:
        painted = (mask == 255).T[..., None] * np.array([16, 192, 32], np.uint8)
        Pillow.fromarray(painted).save("raw/a.png")
    else:
        images.write_label("raw/a.png", mask, np.eye(3))
    sha = case_table.digest(["raw/a.png"])
    case_table.write([Case("a", "a", (), "a.png", 3, (8, 6), (1.0, 1.0), "XY", (39, 9), sha)])
    labels = Labels((0, 255), ("background", "nucleus"))
    description = Description("nuclei", "raw", 2, ("R", "G", "B"), (), labels, "case", colours=colours)
    description.write(beside=["data/cases.csv"])
    seals.write("results/splits.json", {"folds": [{"fold": 0, "repeat": 0, "train": [], "test": ["a"]}], "holdout": []})
    folder = project.root / "results/predictions/unet/fold-0"
    images.write_label(folder / "a.png", np.roll(mask, 1, axis=0), np.eye(3), description.rule())
    assert Pillow.open(folder / "a.png").mode == ("P" if colours else "L")
    hashes = {"data": sha256_file("data/cases.csv"), "split": sha256_file("results/splits.json")}
    listed = {"a": {"file": "a.png", "sha256": sha256_file(folder / "a.png")}}
    seals.write(folder / "predictions.json", {"method": "unet", "fold": 0, "hashes": hashes, "cases": listed})
    got = values(project.evaluate("unet", "0"))
    assert got["a", "nucleus", "dice"] == pytest.approx(12 / 18, abs=1e-6)
    assert got["a", "nucleus", "volume"] == 9
    assert got["a", "nucleus", "hd95"] == 1


def test_a_truth_that_changed_since_the_data_phase_is_refused(project):
    project.predict("unet", "0", 0.1)
    path = project.root / "raw/labelsTr/c1.nii.gz"
    path.write_bytes((project.root / "raw/labelsTr/c2.nii.gz").read_bytes())
    with pytest.raises(RefoldError, match=r"case c1 changed since data/cases\.csv"):
        project.evaluate("unet", "0")
