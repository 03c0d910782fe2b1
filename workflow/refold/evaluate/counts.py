"""What is counted, among those that could be: labels missed and false positives, and lesions one by one.

A mean over scans of a share of lesions is no share of the lesions: here they are pooled, numerator and denominator
stand beside the share, and its interval lets the patients be the independent units.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import numpy as np

from refold.evaluate.statistics import by_patient, score
from refold.settings.names import ALL

COUNTS = (
    "set", "method", "label", "measure", "size", "size_low", "size_high", "count", "of", "patients", "share", "ci_low",
    "ci_high",
)  # fmt: skip
LESIONS = ("set", "method", "fold", "case", "patient", "label", "side", "lesion", "volume", "iou", "found")
SIZES = ("small", "medium", "large")


def lesion_rows(name: str, folds: Sequence[Any], patients: Mapping[str, str]) -> list[dict[str, Any]]:
    """Rows of lesions.csv for one set and method: each lesion of truth and prediction.

    Args:
        folds: `aggregate.Fold` of one method.
    """
    return [
        {
            "set": name, "method": fold.method, "fold": fold.fold, "case": case, "patient": patients[case],
            "label": label, "side": side, "lesion": i, "volume": volume, "iou": iou, "found": int(iou > 0),
        }
        for fold in folds
        for case, parts in fold.about["lesions"].items()
        for label, sides in parts.items()
        for side in ("truth", "prediction")
        for i, (volume, iou) in enumerate(sides[side], start=1)
    ]  # fmt: skip


def thirds(volumes: np.ndarray) -> tuple[float, float] | None:
    """The volumes up to which a lesion is small, and medium; None where they make no three groups."""
    if not len(volumes):
        return None
    low, high = np.quantile(volumes, [1 / 3, 2 / 3], method="inverted_cdf")
    return (float(low), float(high)) if low < high < volumes.max() else None


def _row(hits: Sequence[bool], patients: Sequence[str], confidence: float) -> dict[str, Any]:
    sums, numbers = by_patient(np.array(hits, float), patients)
    low, high = score(sums, numbers, confidence, counts=True)
    of = len(hits)
    return {
        "count": int(np.sum(hits)),
        "of": of,
        "patients": len(sums),
        "share": float(np.sum(hits)) / of if of else math.nan,
        "ci_low": low,
        "ci_high": high,
    }


def count(
    name: str,
    method: str,
    labels: Sequence[str],
    folds: Sequence[Any],
    lesions: Sequence[Mapping[str, Any]],
    patients: Mapping[str, str],
    confidence: float,
) -> Iterator[dict[str, Any]]:
    """Rows of counts.csv for one set and method.

    ``missed``: predictions without the label, of those whose truth has it. ``false_positive``: predictions with the
    label, of those whose truth has not. ``lesion_sensitivity``: lesions of the truth that were found, of all and of
    each third by volume; ``lesion_precision``: predicted lesions that are there, of those predicted. With repeats of
    the split each prediction counts.

    Args:
        labels: labels and regions, in the order of the tables.
        folds: `aggregate.Fold` of the method. lesions: `lesion_rows` of them.
        patients: of each case.
        confidence: level of the intervals (`statistics.score`).
    """
    head = {"set": name, "method": method}
    nothing = {"size": ALL, "size_low": math.nan, "size_high": math.nan}
    for label in labels:
        tested = [
            (f.about["empty"].get(case, {}).get(label, "found"), patients[case])
            for f in folds
            for case in dict.fromkeys(r["case"] for r in f.rows)
        ]
        for measure, among in (("missed", ("found", "missed")), ("false_positive", ("both_empty", "false_positive"))):
            those = [(state == measure, patient) for state, patient in tested if state in among]
            found = _row([hit for hit, _ in those], [p for _, p in those], confidence)
            yield {**head, "label": label, "measure": measure, **nothing, **found}
        if not any(label in parts for f in folds for parts in f.about["lesions"].values()):
            continue
        sides = {s: [r for r in lesions if r["label"] == label and r["side"] == s] for s in ("truth", "prediction")}
        for measure, side in (("lesion_sensitivity", "truth"), ("lesion_precision", "prediction")):
            own = sides[side]
            found = _row([r["found"] > 0 for r in own], [r["patient"] for r in own], confidence)
            yield {**head, "label": label, "measure": measure, **nothing, **found}
        # each lesion once: with repeats of the split a case is there several times
        volumes = {(r["case"], r["lesion"]): r["volume"] for r in sides["truth"]}
        borders = thirds(np.array(list(volumes.values())))
        if borders is None:
            continue
        ends = (0.0, *borders, max(volumes.values()))
        for size, low, high in zip(SIZES, ends[:-1], ends[1:], strict=True):
            own = [r for r in sides["truth"] if low < r["volume"] <= high]
            found = _row([r["found"] > 0 for r in own], [r["patient"] for r in own], confidence)
            sizes = {"size": size, "size_low": low, "size_high": high}
            yield {**head, "label": label, "measure": "lesion_sensitivity", **sizes, **found}
