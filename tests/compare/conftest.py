"""Results of small runs, written as the phases write them, with values given by hand."""

from __future__ import annotations

import json
import math
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from refold.core import seals
from refold.core.files import read_json, sha256_file, write_csv
from refold.core.hashes import of_params
from refold.evaluate.fold import COLUMNS
from refold.experiment.reading import validate
from refold.imaging import cases as case_table
from refold.imaging import images
from refold.imaging.cases import Case
from refold.imaging.dataset import Description, Labels
from refold.imaging.place import FILE, Place
from refold.settings.stamps import Stamps

ROOT = Path(__file__).resolve().parents[2]
NAN = math.nan
BOTH, MISSED, INVENTED = "both empty", "missed", "invented"
SHAPE = (8, 9, 7)
AFFINE = np.diag([1.0, 1.0, 2.0, 1.0])


def metrics(dice: float | str) -> dict[str, float]:
    """All metrics of a case, for empty masks as in docs/reference/evaluate.md; surface metrics follow the Dice."""
    if dice == BOTH:
        return {"dice": NAN, "hd95": NAN, "hd95_penalised": NAN, "nsd": NAN, "volume": 0.0}
    if dice in (MISSED, INVENTED):
        return {"dice": 0.0, "hd95": NAN, "hd95_penalised": 20.0, "nsd": 0.0, "volume": float(dice == INVENTED)}
    far = 10 * (1 - dice)
    return {"dice": dice, "hd95": far, "hd95_penalised": far, "nsd": dice, "volume": 1.0}


def write(
    root: Path,
    scores: dict[str, dict[str, dict[str, float | str]]],
    patients: dict[str, str] | None = None,
    folds: int = 2,
    held: tuple[str, ...] = (),
    params: dict[str, Any] | None = None,
    voxels: int = 100,
    sha: str = "",
    pictured: bool = False,
    values: tuple[int, ...] = (0, 1, 2),
    run: tuple[int, ...] | None = None,
) -> Path:
    """A project's data/ and results/.

    Args:
        root: the project's folder.
        scores: Dice, or what is empty, by method, case and label.
        patients: of each case; default: each its own.
        folds: cases go to them in turn.
        held: cases in the held-out set.
        params: sections of params.yaml.
        voxels, sha: of all label maps, as the table of cases has them; with ``pictured`` the hash is the true one.
        pictured: write images, label maps and predictions.
        values: of background and labels in the files.
        run: folds with scores; default: all.
    """
    names = sorted({c for by_case in scores.values() for c in by_case})
    patients = patients or {c: c for c in names}
    unions = (params or {}).get("evaluate", {}).get("regions", {})
    labels = list(dict.fromkeys(x for by_case in scores.values() for by_label in by_case.values() for x in by_label))
    labels = [x for x in labels if x not in unions]
    data, results = root / "data", root / "results"
    given = {"dataset": {"name": "toy", "source": "raw"}, "split": {"folds": folds}}
    given |= {"methods": {m: {"kind": "threshold"} for m in scores}}
    for section, changes in (params or {}).items():
        given[section] = changes if section == "methods" else {**given.get(section, {}), **changes}
    Stamps(results / ".params").write(validate(given).frozen())
    table = []
    for name in names:
        image, label = f"imagesTr/{name}.nii.gz", f"labelsTr/{name}.nii.gz"
        digest = sha or "0" * 64
        if pictured:
            truth = np.zeros(SHAPE, np.uint8)
            truth[2:5, 2:6, 2:4] = values[1]
            images.write_image(root / "raw" / image, np.indices(SHAPE).sum(0)[..., None].astype(np.float32), AFFINE)
            images.write_label(root / "raw" / label, truth, AFFINE)
            digest = case_table.digest([root / "raw" / image, root / "raw" / label])
        counts = (1000, *[voxels] * len(labels))
        table.append(Case(name, patients[name], (image,), label, 1, SHAPE, (1.0, 1.0, 2.0), "RAS", counts, digest))
    case_table.write(table, data / "cases.csv")
    marks = Labels(values[: len(labels) + 1], ("background", *labels))
    Description("toy", "raw", 3, ("T1",), ("MRI",), marks, "table").write(data / "dataset.json", [data / "cases.csv"])
    Place("raw").write(root / FILE)
    rest = [n for n in names if n not in held]
    tests = {str(k): rest[k::folds] for k in range(folds)}
    listed = [
        {"fold": int(k), "repeat": 0, "train": [n for n in rest if n not in t], "test": t} for k, t in tests.items()
    ]
    seals.write(results / "splits.json", {"folds": listed, "holdout": list(held), "patients": patients})
    tests |= {"holdout": list(held)} if held else {}
    rows = []
    for shift, (method, by_case) in enumerate(scores.items(), start=1):
        for fold, cases in tests.items():
            if run is not None and fold not in map(str, run):
                continue
            done = {}
            for case in (c for c in cases if c in by_case):
                head = {"method": method, "fold": fold, "case": case, "patient": patients[case]}
                for label, dice in by_case[case].items():
                    rows += [{**head, "label": label, "metric": m, "value": v} for m, v in metrics(dice).items()]
                if pictured:
                    prediction = np.zeros(SHAPE, np.uint8)
                    prediction[2 + shift : 5 + shift, 2:6, 2:4] = values[1]
                    path = results / "predictions" / method / f"fold-{fold}" / f"{case}.nii.gz"
                    images.write_label(path, prediction, AFFINE)
                    done[case] = {"file": path.name, "sha256": sha256_file(path)}
            if pictured:
                seals.write(results / "predictions" / method / f"fold-{fold}" / "predictions.json", {"cases": done})
    write_csv(results / "metrics" / "cases.csv", COLUMNS, rows)
    stamps = {p.name.removesuffix(".json"): read_json(p) for p in (results / ".params").glob("*.json")}
    behind = [s for s in stamps if s in ("evaluate", "predict") or s.startswith("methods.")]
    hashes = {
        "data": sha256_file(data / "cases.csv"),
        "split": sha256_file(results / "splits.json"),
        "params": {s: h for s, h in of_params(stamps).items() if s in behind},
    }
    hashes["tables"] = {"cases.csv": sha256_file(results / "metrics/cases.csv")}
    seals.write(results / "metrics" / "hashes.json", hashes)
    return root


def provenance(root: Path, **facts: Any) -> None:
    """Write results/provenance.json with these facts alone, of the tables that are there."""
    facts.setdefault("tables", {"cases.csv": sha256_file(root / "results/metrics/cases.csv")})
    seals.write(root / "results" / "provenance.json", facts)


def told(found: list) -> str:
    """All cautions as one text."""
    return json.dumps([[c.text, c.cases, c.serious] for c in found], ensure_ascii=False)


@pytest.fixture
def project(monkeypatch) -> Path:
    """The command works in a project: here this repository itself, which it must not change."""
    monkeypatch.chdir(ROOT)
    return ROOT
