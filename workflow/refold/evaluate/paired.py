"""Which cases count where methods or runs are compared, with what value, and the paired comparison itself.

In the tables of cases a metric is NaN where a mask is empty, by the policy of docs/reference/evaluate.md. A comparison
cannot leave such a case out: it would drop the very cases in which one method is rightly empty and the other has false
positives. So a case counts unless the truth alone leaves the metric undefined, which is so for all methods alike.
"""

from __future__ import annotations

import math
from collections.abc import Collection, Mapping
from typing import Any

import numpy as np
import pandas as pd

from refold.evaluate.metrics import METRICS, REGISTRY
from refold.evaluate.metrics.registry import DIAGONAL, KEEP, OUT, OVERLAP
from refold.evaluate.statistics import by_patient, direction, interval, permutation, wilcoxon
from refold.settings.evaluate import Evaluate
from refold.settings.names import MEAN


def limits(metric: str) -> tuple[float, float]:
    """Between what the values of a metric lie."""
    if metric == "volume_error":  # the one that may be below 0
        return -math.inf, math.inf
    return (0.0, 1.0) if REGISTRY[metric].unit in ("", "bit") else (0.0, math.inf)


def states(values: Mapping[str, np.ndarray]) -> dict[str, np.ndarray] | None:
    """In which rows both masks of a label were empty, the truth's or the prediction's, as the metrics tell it.

    No Dice is where both are, no HD95 where one is, and no volume where that one is the prediction.

    Args:
        values: {metric: (n,) values} of the label.

    Returns:
        {``both_empty``, ``false_positive``, ``missed``: (n,) bool}; None where a metric that tells is lacking.
    """
    if not {"dice", "hd95", "volume"} <= values.keys():
        return None
    both = np.isnan(values["dice"])
    one = ~both & np.isnan(values["hd95"])
    return {"both_empty": both, "false_positive": one & (values["volume"] > 0), "missed": one & (values["volume"] == 0)}


def comparable(table: pd.DataFrame, regions: Collection[str]) -> pd.DataFrame:
    """The same table with the values that count in a comparison, by their rules.

    Where a table does not tell which masks were empty (`states`), only metrics that need no more than the Dice are
    compared.

    Args:
        table: as `aggregate.frame` gives: a row a case (or prediction), a column for each (label, metric).
        regions: names of the labels that are regions; they have no part in the mean over the labels.

    Returns:
        the table; label `MEAN` is the mean of these values over the labels.
    """
    found: dict[tuple[str, str], np.ndarray] = {}
    for label in dict.fromkeys(table.columns.get_level_values(0).drop(MEAN, errors="ignore")):
        values = {metric: table[label, metric].to_numpy() for metric in table[label].columns}
        told = states(values) if "hd95_penalised" in values else None
        empty = list(told.values()) if told else [np.isnan(values["dice"])]
        for metric, own in values.items():
            rule = REGISTRY[metric].empty
            worths = (rule.both_empty, rule.truth_empty, rule.prediction_empty)[: len(empty)]
            if not told and not (rule is OVERLAP and REGISTRY[metric].group == "masks"):
                continue
            own = own.copy()
            for here, worth in zip(empty, worths, strict=True):
                if worth != KEEP:
                    stands: dict[Any, Any] = {DIAGONAL: values.get("hd95_penalised", own)[here], OUT: math.nan}
                    own[here] = stands.get(worth, worth)
            found[label, metric] = own
    columns = pd.MultiIndex.from_tuples(found, names=table.columns.names)
    result = pd.DataFrame(dict(enumerate(found.values())), index=table.index)
    return with_means(result.set_axis(columns, axis=1), regions)


def with_means(table: pd.DataFrame, regions: Collection[str]) -> pd.DataFrame:
    """With label `MEAN` behind the others: of each metric the mean over the labels, those without a value left out."""
    own = table[[c for c in table.columns if c[0] not in regions]]
    there = set(own.columns.get_level_values(1))
    means = {(MEAN, m): own.xs(m, axis=1, level=1).mean(axis=1) for m in METRICS if m in there}
    result = pd.concat([table, pd.DataFrame(means, index=table.index)], axis=1)
    return result.rename_axis(columns=table.columns.names)


def paired(a: pd.Series, b: pd.Series, patients: dict[str, str], evaluate: Evaluate, metric: str) -> dict[str, Any]:
    """Mean difference a minus b of a metric, with its interval and test by patient.

    Args:
        a, b: values of `comparable` by case.
        patients: of each case.
        evaluate: interval, level, samples, seed and test.

    Returns:
        ``n`` patients and ``cases`` on which all rests, cases ``left_out``, both means over those cases, the rest, and
        ``favours``: 1 where the test speaks for higher values of a, -1 for those of b, 0 for neither.
    """
    difference = a - b
    counts = difference.notna()
    sums, numbers = by_patient(difference.to_numpy(), [patients[c] for c in difference.index])
    most = limits(metric)[1]
    low, high = interval(
        evaluate.interval, sums, numbers, evaluate.bootstrap, evaluate.confidence, evaluate.seed, limits=(-most, most)
    )
    each = sums / numbers
    return {
        "n": len(sums),
        "cases": int(counts.sum()),
        "left_out": int((~counts).sum()),
        "mean_a": float(a[counts].mean()),
        "mean_b": float(b[counts].mean()),
        "difference": float(sums.sum() / numbers.sum()) if len(sums) else math.nan,
        "ci_low": low,
        "ci_high": high,
        "test": evaluate.test,
        "p": wilcoxon(each) if evaluate.test == "wilcoxon" else permutation(each, evaluate.seed),
        "favours": direction(evaluate.test, each),
    }


def better(row: dict[str, Any], confidence: float) -> str:
    """Which is better by the corrected test at level 1 - confidence: ``a``, ``b``, ``neither``; empty without a test.

    Neither too where mean and test point different ways, as when one case in thirty is lost and the others gain.

    Args:
        row: with metric, difference, favours and p_holm.
    """
    if math.isnan(row["difference"]) or math.isnan(row["p_holm"]):
        return ""
    # 1 - 0.95 is a little over 0.05, 1 - 0.9 a little under 0.1
    if row["p_holm"] >= round(1 - confidence, 9) or np.sign(row["difference"]) * row["favours"] <= 0:
        return "neither"
    return "a" if (row["difference"] > 0) == (REGISTRY[row["metric"]].better == "higher") else "b"
