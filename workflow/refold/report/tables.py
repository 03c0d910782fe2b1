"""What several tables of results share: how metrics, intervals, counts and evaluations are written."""

from __future__ import annotations

import math
from typing import Any

from refold.core.language import N_, _, joined
from refold.evaluate.metrics import METRICS, REGISTRY, Metric
from refold.evaluate.metrics.registry import ALWAYS
from refold.report.cells import NOT_DEFINED, Cell, shown
from refold.report.inputs import Experiment
from refold.settings.names import CV, HOLDOUT

COMPARED = tuple(name for name in METRICS if REGISTRY[name].compared == "shown")


def metric(name: str) -> Metric:
    """How to show a metric; one of another version is shown under its own name with 4 decimals."""
    return REGISTRY.get(name) or Metric(name, lambda pair: math.nan, name, ALWAYS, better="none")


def unit(name: str, dimension: int) -> str:
    """``mm``, ``ml`` or ``bit``, pixels for pictures, or nothing."""
    unit = metric(name).unit
    if unit in ("mm", "ml"):
        return unit if dimension == 3 else "px"
    return unit if unit == "bit" else ""


def decimals(name: str, voxel: float) -> int:
    """Of a metric's values: lengths and volumes of fine voxels need more, or nothing is left of them.

    Args:
        voxel: size within a slice in mm, as `lengths.voxel` gives; 1 for pictures.
    """
    m = metric(name)
    if m.unit == "ml":
        return max(m.digits, m.digits - math.ceil(3 * math.log10(voxel)))
    return max(m.digits, m.digits - 1 - math.floor(math.log10(voxel))) if m.unit == "mm" else m.digits


EVALUATIONS = {CV: N_("cross-validation"), HOLDOUT: N_("holdout")}


def evaluations(e: Experiment) -> dict[str, str]:
    """What each set of the tables is called in this experiment, not yet translated."""
    return EVALUATIONS | {CV: N_("one training and test split")} if e.single else EVALUATIONS


def evaluation(e: Experiment, set_: str) -> Cell:
    """The name of an evaluation."""
    return Cell(_(evaluations(e)[set_]))


def interval(row: dict[str, Any], digits: int) -> str:
    """``0.61 to 0.83``; empty where there is none."""
    if math.isnan(row["ci_low"]):
        return ""
    return _("{low} to {high}", low=shown(row["ci_low"], digits), high=shown(row["ci_high"], digits))


def present(e: Experiment, names: tuple[str, ...]) -> list[str]:
    """Those of ``names`` that summary.csv has."""
    there = {r["metric"] for r in e.summary}
    return [n for n in names if n in there]


def heading(e: Experiment, name: str) -> str:
    """``HD95 (mm)``; of a metric with a threshold that threshold too."""
    title = _(metric(name).title)
    if name == "panoptic_quality":
        title = _("{what} (IoU ≥ {iou:g})", what=title, iou=e.params.evaluate.lesion_iou)
    return with_unit(title, unit(name, e.description.dimension))


def with_unit(text: str, unit: str) -> str:
    """``HD95 (mm)``."""
    return _("{what} ({unit})", what=text, unit=unit) if unit else text


def beneath(row: dict[str, Any], digits: int, count: float) -> str:
    """The interval of a mean, and its n where that is not ``count``, the n of the table's row."""
    own = "" if row["n"] == count else f"n {row['n']:.0f}"
    return joined(text for text in (interval(row, digits), own) if text)


def count_of(row: dict[str, Any]) -> str:
    """``5 of 7``, of a row of counts.csv."""
    return _("{count} of {all}", count=f"{row['count']:.0f}", all=f"{row['of']:.0f}")


def shares(row: dict[str, Any]) -> str:
    """``36 % to 92 %``: the interval of a share; empty where there is none."""
    if math.isnan(row["ci_low"]):
        return ""
    low, high = (f"{100 * row[k]:.0f} %" for k in ("ci_low", "ci_high"))
    return _("{low} to {high}", low=low, high=high)


def counted(row: dict[str, Any] | None, bad: bool = False) -> Cell:
    """A count among those that could be, its interval beneath; sorted by the share. bad: it counts failures."""
    if row is None or not row["of"]:
        return Cell(NOT_DEFINED, "", numeric=True)
    return Cell(count_of(row), shown(row["share"], 6), shares(row), True, bad and row["count"] > 0)


def in_sets(e: Experiment, cells: list[Cell], set_: str) -> list[Cell]:
    """With the evaluation before them where there are two."""
    return [evaluation(e, set_), *cells] if len(e.sets) > 1 else cells


def headings(e: Experiment, *names: str) -> list[str]:
    """With that of the evaluation before them where there are two."""
    return [_("Evaluation"), *names] if len(e.sets) > 1 else list(names)
