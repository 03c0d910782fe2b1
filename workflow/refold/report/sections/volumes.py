"""How far predicted and true volumes agree."""

from __future__ import annotations

from typing import Any

from refold.core.language import _
from refold.report import figures
from refold.report.cells import Cell, Row, Table, number
from refold.report.export import Kept
from refold.report.inputs import Experiment
from refold.report.sections.finding import best_methods
from refold.report.tables import decimals, headings, in_sets, interval, unit, with_unit
from refold.settings.names import HOLDOUT


def context(e: Experiment, kept: Kept) -> dict[str, Any]:
    """What the template shows."""
    return {"agreement": kept.table("agreement", agreement(e)), **drawings(e, kept)}


def drawings(e: Experiment, kept: Kept) -> dict[str, Any]:
    """Bland-Altman figures of the best methods, by evaluation and method."""
    rows = {(r["set"], r["method"], r["label"]): r for r in e.agreement}
    u, digits = unit("volume", e.description.dimension), decimals("volume", e.voxel)
    volumes = []
    for set_ in e.sets:
        for method in best_methods(e, set_):
            scored = [s for s in e.scored if s.method == method and (s.fold == HOLDOUT) == (set_ == HOLDOUT)]
            index = e.methods.index(method)
            drawn = [
                figures.bland_altman(scored, label, row, index, u, digits, f"volumes-{set_}-{index}-{i}")
                for i, label in enumerate(e.parts)
                if (row := rows.get((set_, method, label))) is not None
            ]
            volumes.append({"set": set_, "method": method, "svgs": [kept.drawing(d) for d in drawn]})
    return {"volumes": volumes}


def agreement(e: Experiment) -> Table:
    """agreement.csv: bias and limits of agreement of the volumes, with their intervals."""
    digits, u = decimals("volume", e.voxel), unit("volume", e.description.dimension)
    rows = []
    for r in e.agreement:
        if r["method"] not in e.methods:
            continue

        def with_interval(name: str, r: dict[str, Any] = r) -> Cell:
            ends = {"ci_low": r[f"{name}_low"], "ci_high": r[f"{name}_high"]}
            return number(r[name], digits, interval(ends, digits))

        cells = [
            Cell(r["method"]),
            Cell(r["label"]),
            number(r["n"], 0),
            *map(with_interval, ("bias", "lower", "upper")),
        ]
        cells += [number(r["pearson"]), number(r["concordance"])]
        rows.append(Row(in_sets(e, cells, r["set"])))
    names = [with_unit(text, u) for text in (_("Bias"), _("Lower limit"), _("Upper limit"))]
    return Table(headings(e, _("Method"), _("Label"), "n", *names, _("Pearson’s r"), _("Lin’s concordance")), rows)
