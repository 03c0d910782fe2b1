from pathlib import Path

import numpy as np
import pytest

from refold.core import seals
from refold.core.files import sha256_file, write_json
from refold.evaluate.__main__ import main
from refold.imaging import cases as case_table
from refold.imaging import images
from refold.imaging.cases import Case
from refold.imaging.dataset import Description, Labels
from refold.imaging.place import Place
from refold.settings.evaluate import Evaluate

VALUES = np.array([0, 2, 5], np.uint8)
AFFINE = np.diag([-1.0, 2.0, 3.0, 1.0])


def sha(root: Path, case: str) -> str:
    return case_table.digest([root / f"raw/labelsTr/{case}.nii.gz"])


class Project:
    """A project with six cases of five patients, predictions of methods and a held-out case, in the current folder."""

    def __init__(self, root: Path):
        self.root = root
        random = np.random.default_rng(5)
        self.truth = {f"c{i}": random.integers(0, 3, (6, 5, 4)).astype(np.uint8) for i in range(6)}
        self.patient = {c: "p0" if c in ("c0", "c1") else c.replace("c", "p") for c in self.truth}
        for case, label in self.truth.items():
            images.write_label(root / f"raw/labelsTr/{case}.nii.gz", VALUES[label], AFFINE)
        case_table.write(
            [
                Case(c, p, (), f"labelsTr/{c}.nii.gz", 1, (6, 5, 4), (1.0, 2.0, 3.0), "LAS", (1, 1, 1), sha(root, c))
                for c, p in self.patient.items()
            ]
        )
        labels = Labels((0, 2, 5), ("background", "organ", "lesion"))
        Description("toy", "raw", 3, ("T1",), ("MR",), labels, "pattern").write(beside=["data/cases.csv"])
        Place("raw").write()
        self.folds = {"0": ["c0", "c1"], "1": ["c2", "c3", "c4"], "holdout": ["c5"]}
        seals.write(
            "results/splits.json",
            {
                "kind": "grouped",
                "folds": [{"fold": k, "repeat": 0, "train": [], "test": self.folds[str(k)]} for k in (0, 1)],
                "holdout": ["c5"],
            },
        )
        self.stamp()

    def stamp(self, **values):
        write_json("results/.params/evaluate.json", Evaluate(bootstrap=200, **values).model_dump(mode="json"))

    def predict(self, method: str, fold: str, wrong: float, **changed: np.ndarray) -> Path:
        """Predictions with that share of voxels drawn anew; or exactly the label maps ``changed``."""
        stamp = self.root / f"results/.params/methods.{method}.json"
        if not stamp.exists():
            write_json(stamp, {"kind": "threshold", "smoothing": len(method)})
        folder = self.root / f"results/predictions/{method}/fold-{fold}"
        listed = {}
        for case in self.folds[fold]:
            random = np.random.default_rng([*method.encode(), int(case[1:])])
            truth = self.truth[case]
            label = np.where(random.random(truth.shape) < wrong, random.integers(0, 3, truth.shape), truth)
            label = changed.get(case, label)
            images.write_label(folder / f"{case}.nii.gz", VALUES[label], AFFINE)
            listed[case] = {"file": f"{case}.nii.gz", "sha256": sha256_file(folder / f"{case}.nii.gz")}
        hashes = {
            "data": sha256_file("data/cases.csv"),
            "split": sha256_file("results/splits.json"),
            "params": {f"methods.{method}": "a" * 64, "predict": "b" * 64},
            "models": {k: k * 64 for k in (("0", "1") if fold == "holdout" else (fold,))},
        }
        number = fold if fold == "holdout" else int(fold)
        seals.write(
            folder / "predictions.json",
            {"method": method, "fold": number, "hashes": hashes, "cases": listed, "warnings": []},
        )
        return folder

    def evaluate(self, method: str, fold: str, *more: str) -> Path:
        main(["fold", "--method", method, "--fold", fold, *more])
        return self.root / f"results/metrics/folds/{method}/fold-{fold}.csv"

    def change(self, path: str, function) -> None:
        """As another run would have written it."""
        value = seals.read(self.root / path)
        function(value)
        seals.write(path, value)


@pytest.fixture
def project(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    return Project(tmp_path)
