"""Every case: strips of points, and the table of all of them."""

from __future__ import annotations

import math
from typing import Any

from refold.core.language import _
from refold.report import figures
from refold.report.cells import Cell, Row, Table, number
from refold.report.export import Kept
from refold.report.inputs import Experiment
from refold.report.tables import decimals, metric, unit, with_unit
from refold.settings.names import HOLDOUT

STRIPS = ("dice", "nsd", "hd95")


def context(e: Experiment, kept: Kept) -> dict[str, Any]:
    """What the template shows."""
    return {"all_cases": kept.table("all-cases", all_cases(e)), **drawings(e, kept)}


def drawings(e: Experiment, kept: Kept) -> dict[str, Any]:
    """A figure an evaluation and metric, with a point a case."""
    there = {m for s in e.scored for v in s.values.values() for m in v}
    strips = []
    for set_ in e.sets:
        scored = [s for s in e.scored if (s.fold == HOLDOUT) == (set_ == HOLDOUT)]
        for name in STRIPS:
            if name not in there:
                continue
            m, u = metric(name), unit(name, e.description.dimension)
            drawing = figures.strip(e, scored, name, _(m.title), u, decimals(name, e.voxel), f"strip-{set_}-{name}")
            strips.append({"set": set_, "svg": kept.drawing(drawing)})
    return {"strips": strips}


def all_cases(e: Experiment) -> Table:
    """Every case of every method, worst mean Dice first; cases without any defined Dice last."""
    ranked = sorted(e.scored, key=lambda s: (math.isnan(s.mean("dice")), s.mean("dice"), s.case, s.method, s.fold))
    lengths = "mm" if e.description.dimension == 3 else "px"
    several = len(e.labels) > 1
    columns = [_("Case"), _("Method"), _("Fold"), _("Patient")]
    columns += (
        ([_("Mean Dice")] if several else [])
        + [f"Dice {name}" for name in e.parts]
        + [with_unit(f"HD95 {name}", lengths) for name in e.parts]
    )
    rows = []
    for s in ranked:
        cells = [Cell(s.case), Cell(s.method), Cell(_("held out") if s.fold == HOLDOUT else s.fold), Cell(s.patient)]
        cells += [number(s.mean("dice"))] if several else []
        cells += [number(s.value(name, "dice")) for name in e.parts]
        cells += [number(s.value(name, "hd95"), decimals("hd95", e.voxel)) for name in e.parts]
        rows.append(Row(cells, anchor=s.anchor))
    return Table(columns, rows)
