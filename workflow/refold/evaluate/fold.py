"""Metrics of one fold of one method."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from refold.core import log, seals
from refold.core.errors import RefoldError
from refold.core.files import sha256_file, sha256_json, significant, write_csv
from refold.core.paths import CASES, DATASET, FOLDS, PREDICTIONS, SPLITS
from refold.evaluate.metrics import VOLUMES, compute
from refold.evaluate.pair import Pair, pairs
from refold.evaluate.structures import Structure, structures
from refold.imaging import cases as case_table
from refold.imaging import images, lengths, place
from refold.imaging.dataset import Labels, Rule
from refold.imaging.splits import tested
from refold.run import life
from refold.settings.evaluate import AUTO_LENGTHS, Evaluate

COLUMNS = ("method", "fold", "case", "patient", "label", "metric", "value")


@dataclass(frozen=True)
class Task:
    """What one process needs to evaluate one case.

    listing: holds the hashes of the predicted files. probabilities: file and sha256, where there are some.
    """

    case: str
    truth: str
    prediction: str
    sha256: str
    listing: str
    probabilities: tuple[str, str] | None
    row: case_table.Case
    root: str
    labels: Labels
    rule: Rule
    structures: tuple[Structure, ...]
    evaluate: Evaluate


Measured = tuple[str, str, dict[str, float], np.ndarray | None, dict[str, list] | None]


def lesions(pair: Pair) -> dict[str, list[list[float]]] | None:
    """[volume in ml (2-D: mm²), IoU with its partner or 0] of each lesion of ``truth`` and ``prediction``, as `match`
    finds them; None where lesions are not counted.
    """
    if not pair.lesion_iou:
        return None
    m = pair.lesions
    sides = {"truth": (m.truth_voxels, m.truth_iou), "prediction": (m.prediction_voxels, m.prediction_iou)}
    return {
        side: [[float(f"{v * pair.voxel:.9g}"), round(float(i), 6)] for v, i in zip(*both, strict=True)]
        for side, both in sides.items()
    }


def evaluate_case(task: Task) -> list[Measured]:
    """Name, state (`Pair.state`), metrics, of probabilities `Histograms.reliability`, and `lesions` of each structure.

    Raises:
        RefoldError: the prediction is not the file that was predicted, or lies on another grid than the label.
    """
    case_table.verify(task.row, task.root)
    seals.check(task.prediction, task.sha256, task.listing, task.listing)
    truth, prediction = (images.read(p, True, task.rule) for p in (task.truth, task.prediction))
    images.require_grid(prediction, task.prediction, truth.data.shape, truth.affine, task.truth)
    true = task.labels.indices(truth.data, task.truth)
    predicted = task.labels.indices(prediction.data, task.prediction)
    probabilities = None
    if task.probabilities:
        seals.check(*task.probabilities, task.listing, task.listing)
        probabilities = images.read_probabilities(task.probabilities[0])
        if probabilities.shape != (*truth.data.shape, len(task.labels) - 1):
            raise RefoldError(f"{task.probabilities[0]} has shape {probabilities.shape}; predict {task.case!r} again")
    e = task.evaluate
    tolerance, margin = e.nsd_tolerance, e.calibration_margin
    assert not isinstance(tolerance, str) and not isinstance(margin, str)  # see `lengths.resolve`
    found = pairs(true, predicted, task.structures, truth.spacing, tolerance, e.lesion_iou, probabilities, margin)
    return [
        (s.name, pair.state, compute(pair), pair.uncertainty.reliability() if pair.uncertainty else None, lesions(pair))
        for s, pair in zip(task.structures, found, strict=True)
    ]


def _all(tasks: list[Task], processes: int) -> Iterator[list]:
    """Results in the order of the tasks, whatever the number of processes."""
    if processes == 1:
        yield from map(evaluate_case, tasks)
        return
    try:
        with ProcessPoolExecutor(min(processes, len(tasks)), initializer=life.with_parent) as pool:
            yield from pool.map(evaluate_case, tasks)
    except BrokenProcessPool:
        raise RefoldError(
            "a process that computed metrics was killed, most likely for want of memory; lower --processes"
        ) from None


def _probabilities(folder: Path, entry: dict[str, Any]) -> tuple[str, str] | None:
    about = entry.get("probabilities")
    return (str(folder / about["file"]), about["sha256"]) if about else None


def run(
    method: str,
    fold: str,
    evaluate: Evaluate,
    case_file: str | Path = CASES,
    dataset_file: str | Path = DATASET,
    split_file: str | Path = SPLITS,
    predictions: str | Path = PREDICTIONS,
    output: str | Path = FOLDS,
    processes: int = 1,
    place_file: str | Path = place.FILE,
) -> None:
    """Evaluate a fold: write ``<output>/<method>/fold-<fold>.csv`` and ``.json``.

    The JSON holds the hashes behind the predictions and that of section `evaluate`, which labels are empty in the truth
    (``false_positive``), the prediction (``missed``) or both (``both_empty``), and ``reliability``: of each label, in
    bins of its probability, the voxels, the sum of their probabilities in 255ths, and the voxels of the truth; and
    ``lesions``: of each case, and label whose lesions are counted, what `lesions` gives; ``settings``: lengths in mm,
    those that were ``auto`` too; ``warnings``.

    Raises:
        RefoldError: a prediction is missing, altered, on another grid or of another split; names the file.
    """
    splits = seals.read(split_file)
    known, description = case_table.load(case_file, dataset_file, place.Place.read(place_file).root)
    wanted = tested(splits, fold, split_file)
    folder = Path(predictions) / method / f"fold-{fold}"
    listing = folder / "predictions.json"
    predicted = seals.read(listing)
    if (predicted.get("method"), str(predicted.get("fold"))) != (method, fold):
        raise RefoldError(f"{listing} is of method {predicted.get('method')!r}, fold {predicted.get('fold')!r}")
    if lacking := sorted(set(wanted) - predicted["cases"].keys()):
        raise RefoldError(
            f"{listing} lacks the prediction of case {lacking[0]!r}"
            + (f" and {len(lacking) - 1} more" if len(lacking) > 1 else "")
            + f", tested in fold {fold}; run the predict phase again"
        )
    for key, file in (("data", case_file), ("split", split_file)):
        if predicted["hashes"].get(key) != sha256_file(file):
            raise RefoldError(f"{listing} does not belong to {file} as it is now; train and predict again")

    rows = {c.case: c for c in known}
    given, evaluate = evaluate, lengths.resolve(evaluate, known)
    fine = lengths.fine_tolerance(evaluate, known)
    if fine:
        log.get().warning(fine)
    measured = structures(description.labels, evaluate)
    tasks = [
        Task(
            case=case,
            row=rows[case],
            root=description.root,
            truth=str(Path(description.root) / rows[case].label),
            prediction=str(folder / Path(predicted["cases"][case]["file"]).name),
            sha256=predicted["cases"][case]["sha256"],
            listing=str(listing),
            probabilities=_probabilities(folder, predicted["cases"][case]),
            labels=description.labels,
            rule=description.rule(),
            structures=measured,
            evaluate=evaluate,
        )
        for case in wanted
    ]
    table: list[dict[str, Any]] = []
    empty: dict[str, dict[str, str]] = {}
    counts: Counter[str] = Counter()
    reliability: dict[str, np.ndarray] = {}
    components: dict[str, dict[str, Any]] = {}
    results = log.progress(_all(tasks, processes), f"metrics of {method}, fold {fold}", total=len(tasks))
    for task, result in zip(tasks, results, strict=True):
        for label, state, values, bins, found in result:
            if found is not None:
                components.setdefault(task.case, {})[label] = found
            if bins is not None:
                reliability[label] = reliability.get(label, 0) + bins
            counts[state] += label not in evaluate.regions
            if state != "found":
                empty.setdefault(task.case, {})[label] = state
            table += [
                dict(zip(COLUMNS, (method, fold, task.case, rows[task.case].patient, label, *item), strict=True))
                for item in values.items()
            ]
    dice = [
        r["value"]
        for r in table
        if r["metric"] == "dice" and r["label"] not in evaluate.regions and not math.isnan(r["value"])
    ]
    log.get().info(
        f"{method}, fold {fold}: mean Dice {np.mean(dice) if dice else math.nan:.4f} over {len(tasks)} cases; "
        f"{counts['missed']} labels missed, {counts['false_positive']} found where there are none"
    )
    target = Path(output) / method
    for row in table:
        if row["metric"] in VOLUMES:
            row["value"] = significant(row["value"])
    write_csv(target / f"fold-{fold}.csv", COLUMNS, table)
    seals.write(
        target / f"fold-{fold}.json",
        {
            "method": method,
            "fold": predicted["fold"],
            "cases": len(tasks),
            "empty": empty,
            "lesions": components,
            "settings": {key: getattr(evaluate, key) for key in AUTO_LENGTHS},
            "warnings": [{"check": "nsd-tolerance", "case": "", "file": "", "message": fine}] if fine else [],
            "reliability": {label: bins.tolist() for label, bins in reliability.items()},
            "hashes": {
                **predicted["hashes"],
                "evaluate": sha256_json(given.model_dump(mode="json")),
                "predictions": sha256_file(listing),
                "table": sha256_file(target / f"fold-{fold}.csv"),
            },
        },
    )
