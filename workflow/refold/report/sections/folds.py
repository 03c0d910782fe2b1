"""Folds, and how the mean Dice scatters between them; learning curves."""

from __future__ import annotations

import math
from typing import Any

from refold.core.language import _
from refold.report import figures
from refold.report.cells import Cell, Row, Table, label_name, number
from refold.report.export import Kept
from refold.report.inputs import Experiment
from refold.report.prose.train import loss
from refold.report.tables import headings, in_sets
from refold.settings.names import CV, HOLDOUT, MEAN


def context(e: Experiment, kept: Kept) -> dict[str, Any]:
    """What the template shows."""
    return {
        "folds": kept.table("folds", by_fold(e)),
        "variance": kept.table("variance", variance(e)),
        **drawings(e, kept),
    }


def drawings(e: Experiment, kept: Kept) -> dict[str, Any]:
    """A figure a quantity: the loss that is minimised and the cross-entropy of the inner validation differ in scale."""
    curves = []
    for index, method in enumerate(e.methods):
        histories = {f: h for (m, f), h in e.histories.items() if m == method and h}
        if not histories:
            continue
        each = (
            ("loss", _("Training: {loss}", loss=loss(e.params.train_of(method).loss)), "loss"),
            ("validation_loss", _("Inner validation: cross-entropy"), "validation-loss"),
            ("validation_dice", _("Inner validation: Dice"), "dice"),
        )
        drawn = [
            figures.curves(histories, column, title, f"curve-{index}-{name}")
            for column, title, name in each
            if figures.drawable(histories, column)
        ]
        if drawn:
            curves.append({"method": method, "svgs": [kept.drawing(d) for d in drawn]})
    return {"curves": curves}


def by_fold(e: Experiment) -> Table:
    """Mean Dice of each label in each fold."""
    labels = ([MEAN] if len(e.labels) > 1 else []) + list(e.parts)
    rows = []
    for method in e.methods:
        for label in labels:
            cells = [Cell(method), label_name(label)]
            for fold in e.folds:
                row = e.row(HOLDOUT if fold == HOLDOUT else CV, method, label, "dice", fold)
                row = row or (e.row(HOLDOUT, method, label, "dice") if fold == HOLDOUT else None)
                cells.append(number(row["mean"], 4, f"n {row['n']:.0f}") if row else number(math.nan))
            whole = e.row(CV, method, label, "dice")
            cells.append(number(whole["mean"], 4, f"n {whole['n']:.0f}") if whole else number(math.nan))
            rows.append(Row(cells, label == MEAN))
    names = [_("Held out") if f == HOLDOUT else _("Fold {fold}", fold=f) for f in e.folds]
    return Table([_("Method"), _("Label"), *names, _("All folds")], rows)


def variance(e: Experiment) -> Table | None:
    """How much the mean Dice scatters between folds, repeats and seeds; None where nothing can be told."""
    rows = []
    for r in e.variance:
        known = [not math.isnan(r[f"sd_{k}"]) for k in ("folds", "repeats", "seeds")]
        if r["metric"] != "dice" or r["method"] not in e.methods or not any(known):
            continue
        cells = [Cell(r["method"]), label_name(r["label"])]
        for kind in ("folds", "repeats", "seeds"):
            n = r[f"n_{kind}"]
            cells.append(number(r[f"sd_{kind}"], 4, f"n {n:.0f}" if n > 1 else ""))
        rows.append(Row(in_sets(e, cells, r["set"]), r["label"] == MEAN))
    columns = (_("Method"), _("Label"), _("Between folds"), _("Between repeats"), _("Between seeds"))
    return Table(headings(e, *columns), rows) if rows else None
