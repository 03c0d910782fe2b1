"""Calibration and uncertainty: whether probabilities are right, and entropy finds the bad cases."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from refold.core.language import _
from refold.evaluate.uncertainty import risk_coverage
from refold.report import figures
from refold.report.cells import Cell, Row, Table, label_name, number
from refold.report.export import Kept
from refold.report.inputs import Experiment
from refold.report.sections.finding import best_methods
from refold.report.tables import beneath, headings, in_sets
from refold.settings.names import HOLDOUT, MEAN


def context(e: Experiment, kept: Kept) -> dict[str, Any]:
    """What the template shows."""
    return {"uncertainty": kept.table("uncertainty", uncertainty(e)), **drawings(e, kept)}


def uncertainty(e: Experiment) -> Table | None:
    """Calibration and uncertainty by method and label; None where no method has probabilities."""
    selected = {tuple(r[k] for k in ("set", "method", "label")): r for r in e.uncertainty}
    rows = []
    for (set_, method, label), r in selected.items():
        if method not in e.methods:
            continue
        cells = [Cell(method), label_name(label)]
        for name in ("ece", "brier"):  # of the cases whose truth has the label alone
            row = e.row(set_, method, label, name)
            cells.append(number(row["mean"], 4, beneath(row, 4, r["n"])) if row else number(math.nan))
        cells += [
            number(r["n"], 0),
            number(r["spearman"]),
            number(r["aurc"]),
            number(r["aurc_random"]),
            number(r["gain"]),
        ]
        rows.append(Row(in_sets(e, cells, set_), label == MEAN))
    if not rows:
        return None
    names = (
        _("Calibration error (ECE)"),
        _("Brier score"),
        "n",
        _("Entropy and risk, Spearman"),
        _("Risk by entropy (AURC)"),
        _("Risk by chance"),
        _("Gain"),
    )
    return Table(headings(e, _("Method"), _("Label"), *names), rows)


Lines = list[tuple[str, list[float], list[float]]]


def calibrated(e: Experiment, set_: str, label: str, methods: list[str]) -> Lines:
    """(method, mean probability, share of truth) of the bins that have voxels."""
    lines = []
    for method in methods:
        rows = [r for r in e.calibration if (r["set"], r["method"], r["label"]) == (set_, method, label) and r["n"] > 0]
        if rows:
            lines.append((method, [r["probability"] for r in rows], [r["frequency"] for r in rows]))
    return lines


def selected(e: Experiment, set_: str, label: str, methods: list[str]) -> Lines:
    """(method, coverage, mean risk of the cases kept), least entropy first."""
    lines = []
    for method in methods:
        both: dict[str, list[tuple[float, float]]] = {}
        for s in e.scored:
            if s.method != method or (s.fold == HOLDOUT) != (set_ == HOLDOUT):
                continue
            pair = s.value(label, "entropy"), 1 - s.value(label, "dice")
            both.setdefault(s.case, []).append(pair)
        # over the repeats of a case first, as the table has it
        means = [[_mean([p[k] for p in pairs]) for k in (0, 1)] for pairs in both.values()]
        known = np.array([m for m in means if not any(map(math.isnan, m))])
        if len(known) > 1:
            risks = risk_coverage(known[:, 0], known[:, 1])
            n = len(risks)
            lines.append((method, [(k + 1) / n for k in range(n)], risks.tolist()))
    return lines


def _mean(values: list[float]) -> float:
    known = [v for v in values if not math.isnan(v)]
    return sum(known) / len(known) if known else math.nan


def drawings(e: Experiment, kept: Kept) -> dict[str, Any]:
    """By evaluation and label a reliability diagram and a risk-coverage curve, a line for each of the best methods."""
    reliability = []
    for set_ in e.sets:
        methods = best_methods(e, set_)
        for i, label in enumerate(e.parts):
            reliable, risky = (f(e, set_, label, methods) for f in (calibrated, selected))
            if not reliable:
                continue
            name, axes = f"reliability-{set_}-{i}", (_("probability"), _("share of truth"))
            alt = _(
                "Share of truth against probability for {label}, a line a method; calibration.csv has the numbers.",
                label=label,
            )
            svgs = [kept.drawing(figures.lines(reliable, label, *axes, name, alt, diagonal=True))]
            if risky:
                name, axes = f"risk-{set_}-{i}", (_("share of cases kept"), _("mean of 1 - Dice"))
                alt = _(
                    "Mean of 1 - Dice of {label} over the least uncertain cases, a line a method, by their share.",
                    label=label,
                )
                svgs.append(kept.drawing(figures.lines(risky, label, *axes, name, alt, top=None)))
            reliability.append({"set": set_, "label": label, "svgs": svgs})
    return {"reliability": reliability}
