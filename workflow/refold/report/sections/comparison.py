"""Methods compared: their means, ranks and differences, and their lesions."""

from __future__ import annotations

import math
from typing import Any

from refold.core.language import N_, _
from refold.evaluate.metrics import METRICS
from refold.report.cells import Cell, Row, Table, label_name, number, p_value
from refold.report.export import Kept
from refold.report.inputs import Experiment
from refold.report.tables import (
    COMPARED,
    beneath,
    counted,
    decimals,
    evaluation,
    heading,
    headings,
    in_sets,
    interval,
    metric,
    present,
    unit,
)
from refold.settings.names import ALL, MEAN


def context(e: Experiment, kept: Kept) -> dict[str, Any]:
    """What the template shows."""
    return {
        "methods": [(s, kept.table(f"methods-{s}", by_method(e, s))) for s in e.sets],
        "comparisons": kept.table("comparisons", comparisons(e)),
        "ranks": kept.table("ranks", ranks(e)),
        "lesions": kept.table("lesions", lesions(e)),
        "lesion_sizes": kept.table("lesion-sizes", lesion_sizes(e)),
        "every_number": kept.table("every-number", every_number(e)),
    }


MAIN = ("dice", "nsd", "hd95", "assd", "precision", "recall")


def by_method(e: Experiment, set_: str) -> Table:
    """Methods by label, best first: the mean and its interval of the main metrics."""
    names = present(e, MAIN)
    order = e.ordered(set_)
    best = order[0]
    rows = []
    for method in order:
        for label in ([MEAN] if len(e.labels) > 1 else []) + list(e.parts):
            cells = [Cell(method), label_name(label)]
            first = e.row(set_, method, label, "dice")
            count = first["n"] if first else math.nan
            cells.append(number(count, 0))
            for name in names:
                row = e.row(set_, method, label, name)
                digits = decimals(name, e.voxel)
                cells.append(number(row["mean"], digits, beneath(row, digits, count)) if row else number(math.nan))
            if len(e.methods) > 1:
                cells.insert(4, _behind(e, set_, method, best, label))
            rows.append(Row(cells, label == MEAN))
    columns = [_("Method"), _("Label"), "n", *(heading(e, n) for n in names)]
    if len(e.methods) > 1:
        columns.insert(4, _("Dice minus {method}’s", method=best))
    return Table(columns, rows)


def _behind(e: Experiment, set_: str, method: str, best: str, label: str) -> Cell:
    """The paired difference of Dice to the best method, with its corrected p beneath."""
    for r in e.comparisons:
        if (r["set"], r["label"], r["metric"]) == (set_, label, "dice") and {r["method_a"], r["method_b"]} == {
            method, best,
        }:  # fmt: skip
            sign = 1 if r["method_a"] == method else -1
            return number(sign * r["difference"], 4, f"p {p_value(r['p_holm']).text}")
    return number(math.nan)


def every_number(e: Experiment) -> Table:
    """summary.csv over all folds: each metric, method and label with its whole spread."""
    rows = []
    order = {n: i for i, n in enumerate(METRICS)}
    summary = [
        r
        for r in e.summary
        if r["fold"] == ALL and r["method"] in e.methods and not (r["label"] == MEAN and metric(r["metric"]).by_label)
    ]
    labels = [MEAN, *e.parts]
    for r in sorted(
        summary,
        key=lambda r: (
            r["set"],
            order.get(r["metric"], 99),
            r["metric"],
            e.methods.index(r["method"]),
            labels.index(r["label"]) if r["label"] in labels else 99,
        ),
    ):
        digits = decimals(r["metric"], e.voxel)
        cells = [evaluation(e, r["set"]), Cell(heading(e, r["metric"])), Cell(r["method"]), label_name(r["label"])]
        cells += [number(r[k], 0) for k in ("n", "n_nan")]
        cells += [number(r[k], digits) for k in ("mean", "ci_low", "ci_high", "sd", "median", "min", "max")]
        rows.append(Row(cells))
    columns = [
        _("Evaluation"),
        _("Metric"),
        _("Method"),
        _("Label"),
        "n",
        _("Not defined"),
        _("Mean"),
        _("CI low"),
        _("CI high"),
        _("SD"),
        _("Median"),
        _("Min"),
        _("Max"),
    ]
    return Table(columns, rows)


def comparisons(e: Experiment) -> Table | None:
    """Paired differences between methods in the metrics that matter most; None for a single method."""
    rows = []
    order = {n: i for i, n in enumerate(METRICS)}
    known = [r for r in e.comparisons if {r["method_a"], r["method_b"]} <= set(e.methods) and r["metric"] in COMPARED]
    labels = [MEAN, *e.parts]
    for r in sorted(
        known,
        key=lambda r: (
            r["set"],
            order[r["metric"]],
            r["method_a"],
            r["method_b"],
            labels.index(r["label"]) if r["label"] in labels else 99,
        ),
    ):
        digits = decimals(r["metric"], e.voxel)
        cells = [
            Cell(_("{one} minus {other}", one=r["method_a"], other=r["method_b"])),
            Cell(heading(e, r["metric"])),
            label_name(r["label"]),
            number(r["n"], 0),
            number(r["difference"], digits, interval(r, digits)),
            p_value(r["p"]),
            p_value(r["p_holm"]),
            Cell(verdict(r)),
        ]
        if len(e.sets) > 1:
            cells.insert(0, evaluation(e, r["set"]))
        rows.append(Row(cells, r["label"] == MEAN))
    if not rows:
        return None
    columns = (_("Methods"), _("Metric"), _("Label"), _("Patients"), _("Mean difference"))
    return Table(headings(e, *columns, "p", _("p (Holm)"), _("Verdict")), rows)


def winner(row: dict[str, Any]) -> str | None:
    """Which method is better by the corrected test; empty where there is no clear difference, None without a test."""
    return {"a": row["method_a"], "b": row["method_b"], "neither": ""}.get(row["better"])


def verdict(row: dict[str, Any]) -> str:
    """Which method is better by the corrected test, in words."""
    better = winner(row)
    if better is None:
        return _("not tested")
    return _("{method} better", method=better) if better else _("no clear difference")


def ranks(e: Experiment) -> Table | None:
    """The order of the methods by the mean over the labels, and how stable it is; None for a single method."""
    order = {n: i for i, n in enumerate(METRICS)}
    known = [r for r in e.ranks if r["method"] in e.methods and r["label"] == MEAN]
    if len(e.methods) < 2:
        return None
    rows = []
    for r in sorted(known, key=lambda r: (r["set"], order[r["metric"]], r["rank"], r["method"])):
        cells = [
            Cell(heading(e, r["metric"])),
            Cell(r["method"]),
            number(r["rank"], 0 if r["rank"] % 1 == 0 else 1),
            Cell(
                _("not known")
                if math.isnan(r["rank_low"])
                else _("{low} to {high}", low=f"{r['rank_low']:g}", high=f"{r['rank_high']:g}")
            ),
            number(100 * r["share_same"], 0),
            number(100 * r["share_first"], 0),
        ]
        if len(e.sets) > 1:
            cells.insert(0, evaluation(e, r["set"]))
        rows.append(Row(cells, r["metric"] == "dice"))
    columns = (_("Metric"), _("Method"), _("Rank"), _("Ranks in bootstrap samples"), _("Same rank, %"), _("Best, %"))
    return Table(headings(e, *columns), rows)


LESION = (
    "lesion_sensitivity",
    "lesion_precision",
    "lesion_f1",
    "lesions_missed",
    "lesions_false_positive",
    "panoptic_quality",
)


def lesions(e: Experiment) -> Table | None:
    """Lesions of the labels and regions in `evaluate.lesions`; None where there are none.

    First of all lesions together, then the means over scans, which weigh a scan with one lesion like one with ten.
    """
    rows = []
    for set_ in e.sets:
        for method in e.methods:
            for label in e.parts:
                asked = ((name, e.row(set_, method, label, name)) for name in LESION)
                by_metric = {name: row for name, row in asked if row is not None}
                if len(by_metric) < len(LESION):
                    continue
                cells = [Cell(method), Cell(label)]
                cells += [counted(e.count(set_, method, label, m)) for m in ("lesion_sensitivity", "lesion_precision")]
                for name, row in by_metric.items():
                    digits = metric(name).digits
                    cells.append(number(row["mean"], digits, beneath(row, digits, math.nan)))
                rows.append(Row(in_sets(e, cells, set_)))
    if not rows:
        return None
    pooled = (_("Lesions found"), _("Predicted lesions that are true positives"))
    means = (
        _("Sensitivity per scan"),
        _("Precision per scan"),
        _("F1 per scan"),
        _("Missed per scan"),
        _("False positives per scan"),
        heading(e, "panoptic_quality"),
    )
    return Table(headings(e, _("Method"), _("Label"), *pooled, *means), rows)


SIZES = {"small": N_("small"), "medium": N_("medium"), "large": N_("large")}


def lesion_sizes(e: Experiment) -> Table | None:
    """Lesions found among the small, medium and large ones; None where they make no three groups."""
    u, rows = unit("volume", e.description.dimension), []
    for set_ in e.sets:
        for method in e.methods:
            for label in e.parts:
                for size, word in SIZES.items():
                    row = e.count(set_, method, label, "lesion_sensitivity", size)
                    if row is None:
                        continue
                    size_high = row["size_high"]
                    high = f"{size_high:.3g}" if size_high < 1000 else f"{size_high:.0f}"
                    end = _("up to {size} {unit}", size=high, unit=u)
                    cells = [Cell(method), Cell(label), Cell(_(word)), Cell(end), counted(row)]
                    rows.append(Row(in_sets(e, cells, set_)))
    columns = (_("Method"), _("Label"), _("Lesions"), _("Volume"), _("Found"))
    return Table(headings(e, *columns), rows) if rows else None
