"""Figures of calibration and uncertainty."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
from markupsafe import Markup

from refold.core.language import _
from refold.evaluate.uncertainty import risk_coverage
from refold.report import figures
from refold.report.inputs import Experiment
from refold.settings.names import HOLDOUT

Lines = list[tuple[str, list[float], list[float]]]


def calibrated(e: Experiment, set_: str, label: str, methods: list[str]) -> Lines:
    """(method, mean probability, share of truth) of the bins that have voxels."""
    found = []
    for method in methods:
        rows = [r for r in e.calibration if (r["set"], r["method"], r["label"]) == (set_, method, label) and r["n"] > 0]
        if rows:
            found.append((method, [r["probability"] for r in rows], [r["frequency"] for r in rows]))
    return found


def selected(e: Experiment, set_: str, label: str, methods: list[str]) -> Lines:
    """(method, coverage, mean risk of the cases kept), least entropy first."""
    found = []
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
            found.append((method, [(k + 1) / n for k in range(n)], risks.tolist()))
    return found


def _mean(values: list[float]) -> float:
    known = [v for v in values if not math.isnan(v)]
    return sum(known) / len(known) if known else math.nan


def drawings(
    e: Experiment, methods: dict[str, list[str]], draw: Callable[[figures.Drawing], Markup | None]
) -> list[dict[str, Any]]:
    """By evaluation and label a reliability diagram and a risk-coverage curve, a line for each of ``methods``."""
    found = []
    for set_ in e.sets:
        for i, label in enumerate(e.parts):
            reliable, risky = (f(e, set_, label, methods[set_]) for f in (calibrated, selected))
            if not reliable:
                continue
            name, axes = f"reliability-{set_}-{i}", (_("probability"), _("share of truth"))
            alt = _(
                "Share of truth against probability for {label}, a line a method; calibration.csv has the numbers.",
                label=label,
            )
            svgs = [draw(figures.lines(reliable, label, *axes, name, alt, diagonal=True))]
            if risky:
                name, axes = f"risk-{set_}-{i}", (_("share of cases kept"), _("mean of 1 - Dice"))
                alt = _(
                    "Mean of 1 - Dice of {label} over the least doubtful cases, a line a method, by their share.",
                    label=label,
                )
                svgs.append(draw(figures.lines(risky, label, *axes, name, alt, top=None)))
            found.append({"set": set_, "label": label, "svgs": svgs})
    return found
