"""The data, and who is trained on and tested on."""

from __future__ import annotations

import math
from collections import Counter
from statistics import median
from typing import Any

from refold.core.language import N_, _, joined, listed, plural
from refold.report.cells import NOT_DEFINED, Cell, Row, Table, number
from refold.report.export import Kept
from refold.report.inputs import Experiment
from refold.report.tables import decimals, with_unit
from refold.settings.names import HOLDOUT


def context(e: Experiment, kept: Kept) -> dict[str, Any]:
    """What the template shows."""
    facts = data(e)
    kept.table("data", facts["cases"])
    return {"data": facts, "split": split(e)}


def data(e: Experiment) -> dict[str, Any]:
    """The data set at a glance, and its labels."""
    d, cases = e.description, list(e.cases.values())
    patients = Counter(c.patient for c in cases)
    physical = d.dimension == 3
    axes = [_("x (to the right)"), _("y (to the front)"), _("z (upwards)")] if physical else ["x", "y"]
    shapes, spacings = ([_canonical(getattr(c, what), c.orientation) for c in cases] for what in ("shape", "spacing"))
    facts = [
        (_("Data set"), d.name),
        (
            _("Cases"),
            _("{n}; {out} more were left out", n=len(cases), out=len(d.excluded)) if d.excluded else str(len(cases)),
        ),
        (
            _("Patients"),
            _(
                "{n}, of whom {several} with several cases",
                n=len(patients),
                several=sum(n > 1 for n in patients.values()),
            )
            if len(patients) < len(cases)
            else str(len(patients)),
        ),
        (
            _("Patients from"),
            {
                "case": _("each case is its own patient"),
                "pattern": _("a pattern on the case's name"),
                "table": _("a table"),
                "phantom": _("the phantom"),
            }.get(d.patients, d.patients),
        ),
        (
            _("Channels"),
            joined(f"{c} ({m})" if m and m != c else c for c, m in zip(d.channels, d.modalities, strict=False))
            or NOT_DEFINED,
        ),
        (
            with_unit(_("Shape"), _("voxels") if physical else _("pixels")),
            joined(f"{a}: {_spread([s[i] for s in shapes], 0)}" for i, a in enumerate(axes)),
        ),
        (
            _("Spacing (mm)"),
            joined(f"{a}: {_sizes([s[i] for s in spacings])}" for i, a in enumerate(axes)) if physical else "",
        ),
        (_("Orientations"), joined(f"{o} ({n})" for o, n in sorted(Counter(c.orientation for c in cases).items()))),
        (_("Licence"), d.licence),
        (_("Reference"), d.reference),
    ]
    labels = []
    for i, (value, name) in enumerate(zip(d.labels.values, d.labels.names, strict=True)):
        scale = [math.prod(c.spacing) / 1000 if physical else 1.0 for c in cases]
        sizes = [c.voxels[i] * s for c, s in zip(cases, scale, strict=True) if c.voxels[i]]
        labels.append(
            {
                "value": value,
                "name": name,
                "cases": len(sizes),
                "size": _spread(sizes, decimals("volume", e.voxel) if physical else 0) if sizes else NOT_DEFINED,
            }
        )
    rows = [
        Row(
            [
                Cell(c.case),
                Cell(c.patient),
                Cell(" × ".join(map(str, c.shape))),
                Cell(" × ".join(f"{s:g}" for s in c.spacing)),
                Cell(c.orientation),
                *(number(v, 0) for v in c.voxels[1:]),
            ]
        )
        for c in cases
    ]
    columns = [
        _("Case"),
        _("Patient"),
        _("Shape in the file"),
        _("Spacing in the file (mm)"),
        _("Orientation of the file"),
        *(_("Voxels of {label}", label=name) for name in d.labels.foreground),
    ]
    return {
        "facts": [(k, v) for k, v in facts if v],
        "excluded": list(d.excluded.items()),
        "labels": labels,
        "unit": "ml" if physical else _("pixels"),
        "cases": Table(columns, rows),
    }


def _spread(values: list[float], digits: int) -> str:
    low, middle, high = min(values), median(values), max(values)
    text = lambda v: f"{v:.{digits}f}".rstrip("0").rstrip(".") if digits else f"{v:.0f}"  # noqa: E731
    if low == high:
        return text(low)
    return _("{middle} ({low} to {high})", middle=text(middle), low=text(low), high=text(high))


def _sizes(values: list[float]) -> str:
    """Voxel sizes in mm: three decimals, or as many as three digits of the smallest take."""
    return _spread(values, max(3, 2 - math.floor(math.log10(min(values)))))


def _canonical(values: tuple, orientation: str) -> tuple:
    """Of each axis of a file, such as its spacing, in the order in which volumes are processed: RAS+."""
    axes = [i for pair in ("RL", "AP", "SI") for i, code in enumerate(orientation) if code in pair]
    return tuple(values[i] for i in axes) if len(axes) == 3 else values


STRATA = N_("labels present and quantile of foreground volume")  # as the split phase writes it


def split(e: Experiment) -> dict[str, Any]:
    """Who is trained on and who is tested on, fold by fold."""
    rows = []
    for fold in e.folds:
        sides = e.fold(fold)
        patients = {side: sorted({e.cases[c].patient for c in sides[side]}) for side in ("train", "test")}
        counts = {
            label: sum(e.cases[c].voxels[i] > 0 for c in sides["test"]) for i, label in enumerate(e.labels, start=1)
        }
        rows.append(
            {
                "fold": _("held out") if fold == HOLDOUT else fold,
                "cases": sorted(sides["test"]),
                "n_test": plural(len(sides["test"]), "case"),
                "p_test": plural(len(patients["test"]), "patient"),
                "n_train": plural(len(sides["train"]), "case"),
                "p_train": plural(len(patients["train"]), "patient"),
                "labels": listed(_("{label} in {n}", label=name, n=n) for name, n in counts.items()),
            }
        )
    seed, what = e.splits.get("seed"), e.splits.get("stratified_by")
    if isinstance(what, dict):
        what = listed(_(STRATA) if kind == STRATA else kind for kind in what)
    return {
        "rows": rows,
        "hash": e.split_hash,
        "how": joined(
            [
                e.splits.get("kind", ""),
                *([] if seed is None else [_("seed {seed}", seed=seed)]),
                *([_("stratified by {what}", what=what)] if what else []),
            ]
        ),
    }
