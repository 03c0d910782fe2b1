"""The report's tables: rows of text beside the numbers they are sorted by."""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from functools import cached_property
from statistics import median
from typing import Any

from refold.core.language import N_, _, joined, listed, plural
from refold.evaluate.metrics import METRICS, REGISTRY, Metric
from refold.evaluate.metrics.registry import ALWAYS
from refold.experiment import descriptions
from refold.experiment import params as model
from refold.report.inputs import Experiment
from refold.settings.names import ALL, CV, HOLDOUT, MEAN

COMPARED = tuple(name for name in METRICS if REGISTRY[name].compared == "shown")
MAIN = ("dice", "nsd", "hd95", "assd", "precision", "recall")


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


def shown(value: float, digits: int = 4) -> str:
    """A number as the report writes it; a dash where it is not defined."""
    if math.isnan(value):
        return NOT_DEFINED
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


@dataclass(frozen=True)
class Cell:
    """What is read, what stands small beneath it, and what it is sorted by where that is not what is read.

    bad: it is a failure, and is set off.
    """

    text: str
    key: str | None = None
    small: str = ""
    numeric: bool = False
    bad: bool = False


@dataclass(frozen=True)
class Row:
    """whole: a mean over the labels, set off from them. anchor: its id, for links."""

    cells: list[Cell]
    whole: bool = False
    anchor: str = ""


@dataclass(frozen=True)
class Table:
    """Columns and rows, ready for the template."""

    columns: list[str]
    rows: list[Row]

    @cached_property
    def numeric(self) -> list[bool]:
        """Which columns hold numbers."""
        return [any(row.cells[i].numeric for row in self.rows) for i in range(len(self.columns))]


NOT_DEFINED = "–"


def number(value: float, digits: int = 4, small: str = "") -> Cell:
    """A numeric cell; what is not defined sorts last."""
    text = shown(value, digits)
    return Cell(text, "" if text == NOT_DEFINED else text if small else None, small, True)


def label_name(label: str) -> Cell:
    return Cell(_("mean of labels") if label == MEAN else label)


EVALUATIONS = {CV: N_("cross-validation"), HOLDOUT: N_("holdout")}


def evaluations(e: Experiment) -> dict[str, str]:
    """What each set of the tables is called in this experiment, not yet translated."""
    return EVALUATIONS | {CV: N_("one training and test split")} if e.single else EVALUATIONS


def evaluation(e: Experiment, set_: str) -> Cell:
    return Cell(_(evaluations(e)[set_]))


def _interval(row: dict[str, Any], digits: int) -> str:
    if math.isnan(row["ci_low"]):
        return ""
    return _("{low} to {high}", low=shown(row["ci_low"], digits), high=shown(row["ci_high"], digits))


def _present(e: Experiment, names: tuple[str, ...]) -> list[str]:
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


def by_method(e: Experiment, set_: str) -> Table:
    """Methods by label, best first: the mean and its interval of the main metrics."""
    names = _present(e, MAIN)
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
                cells.append(number(row["mean"], digits, _beneath(row, digits, count)) if row else number(math.nan))
            if len(e.methods) > 1:
                cells.insert(4, _behind(e, set_, method, best, label))
            rows.append(Row(cells, label == MEAN))
    columns = [_("Method"), _("Label"), "n", *(heading(e, n) for n in names)]
    if len(e.methods) > 1:
        columns.insert(4, _("Dice minus {method}’s", method=best))
    return Table(columns, rows)


def _beneath(row: dict[str, Any], digits: int, count: float) -> str:
    """The interval of a mean, and its n where that is not ``count``, the n of the table's row."""
    own = "" if row["n"] == count else f"n {row['n']:.0f}"
    return joined(text for text in (_interval(row, digits), own) if text)


def _behind(e: Experiment, set_: str, method: str, best: str, label: str) -> Cell:
    """The paired difference of Dice to the best method, with its corrected p beneath."""
    for r in e.comparisons:
        if (r["set"], r["label"], r["metric"]) == (set_, label, "dice") and {r["method_a"], r["method_b"]} == {
            method, best,
        }:  # fmt: skip
            sign = 1 if r["method_a"] == method else -1
            return number(sign * r["difference"], 4, f"p {p_value(r['p_holm']).text}")
    return number(math.nan)


FAILURES = ("missed", "false_positive")  # measures of counts.csv


def count_of(row: dict[str, Any]) -> str:
    """``5 of 7``, of a row of counts.csv."""
    return _("{count} of {all}", count=f"{row['count']:.0f}", all=f"{row['of']:.0f}")


def shares(row: dict[str, Any]) -> str:
    """``36 % to 92 %``: the interval of a share; empty where there is none."""
    if math.isnan(row["ci_low"]):
        return ""
    low, high = (f"{100 * row[k]:.0f} %" for k in ("ci_low", "ci_high"))
    return _("{low} to {high}", low=low, high=high)


def _counted(row: dict[str, Any] | None, bad: bool = False) -> Cell:
    """A count among those that could be, its interval beneath; sorted by the share. bad: it counts failures."""
    if row is None or not row["of"]:
        return Cell(NOT_DEFINED, "", numeric=True)
    return Cell(count_of(row), shown(row["share"], 6), shares(row), True, bad and row["count"] > 0)


def failure_table(e: Experiment) -> Table:
    """Labels missed, of the cases that have them, and false positives, of those that have not.

    A row even where nothing failed: a zero is a result too.
    """
    rows = [
        Row(_in_sets(e, [Cell(method), Cell(label), *(_counted(row, True) for row in counts)], set_))
        for set_ in e.sets
        for method in e.methods
        for label in e.parts
        if any(counts := [e.count(set_, method, label, measure) for measure in FAILURES])
    ]
    return Table(_columns(e, _("Method"), _("Label"), _("Missed"), _("False positives")), rows)


def failure_tiles(e: Experiment, method: str) -> list[dict[str, str]]:
    """Failures and lesions of a method in the cross-validation, for the top of the page.

    Over the labels there is a count but no interval: a patient's labels do not fail independently.
    """
    titles = {
        "missed": _("Labels missed"),
        "false_positive": _("False positives"),
        "lesion_sensitivity": _("Lesions found"),
    }
    found = []
    for measure, title in titles.items():
        rows = countable(e, CV, method, measure)
        if not rows:
            continue
        label, row = rows[0]
        if len(rows) > 1 and label in e.labels:
            row = {k: sum(r[k] for _label, r in rows) for k in ("count", "of")}
            small = [_("over {n} labels", n=len(rows))]
        else:  # regions may share lesions, which would count twice
            small = [label if len(e.parts) > 1 else "", shares(row)]
        if e.repeats > 1:
            small.append(_("in {n} repeats", n=e.repeats))
        beneath = joined(text for text in small if text)
        found.append({"title": title, "value": count_of(row), "small": beneath})
    return found


def countable(e: Experiment, set_: str, method: str, measure: str) -> list[tuple[str, dict[str, Any]]]:
    """(label, row of counts.csv) of the labels where it could happen; of regions where lesions are of these alone."""
    for names in (e.labels, e.params.evaluate.regions if measure.startswith("lesion") else ()):
        rows = [(label, e.count(set_, method, label, measure)) for label in names]
        if rows := [(label, row) for label, row in rows if row is not None and row["of"]]:
            return rows
    return []


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
        _("Low"),
        _("High"),
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
            number(r["difference"], digits, _interval(r, digits)),
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
    return Table(_columns(e, *columns, "p", _("p (Holm)"), _("In words")), rows)


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
    columns = (_("Metric"), _("Method"), _("Rank"), _("Ranks in samples"), _("Same rank, %"), _("Best, %"))
    return Table(_columns(e, *columns), rows)


LESION = (
    "lesion_sensitivity", "lesion_precision", "lesion_f1", "lesions_missed", "lesions_false_positive",
    "panoptic_quality",
)  # fmt: skip


def _in_sets(e: Experiment, cells: list[Cell], set_: str) -> list[Cell]:
    """With the evaluation before them where there are two."""
    return [evaluation(e, set_), *cells] if len(e.sets) > 1 else cells


def _columns(e: Experiment, *names: str) -> list[str]:
    return [_("Evaluation"), *names] if len(e.sets) > 1 else list(names)


def lesions(e: Experiment) -> Table | None:
    """Lesions of the labels and regions in `evaluate.lesions`; None where there are none.

    First of all lesions together, then the means over scans, which weigh a scan with one lesion like one with ten.
    """
    rows = []
    for set_ in e.sets:
        for method in e.methods:
            for label in e.parts:
                found = [(name, row) for name in LESION if (row := e.row(set_, method, label, name)) is not None]
                if len(found) < len(LESION):
                    continue
                cells = [Cell(method), Cell(label)]
                cells += [_counted(e.count(set_, method, label, m)) for m in ("lesion_sensitivity", "lesion_precision")]
                cells += [
                    number(r["mean"], metric(n).digits, _beneath(r, metric(n).digits, math.nan)) for n, r in found
                ]
                rows.append(Row(_in_sets(e, cells, set_)))
    if not rows:
        return None
    pooled = (_("Lesions found"), _("Predicted lesions that are there"))
    means = (
        _("Sensitivity a scan"),
        _("Precision a scan"),
        _("F1 a scan"),
        _("Missed a scan"),
        _("False positives a scan"),
        heading(e, "panoptic_quality"),
    )
    return Table(_columns(e, _("Method"), _("Label"), *pooled, *means), rows)


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
                    cells = [Cell(method), Cell(label), Cell(_(word)), Cell(end), _counted(row)]
                    rows.append(Row(_in_sets(e, cells, set_)))
    columns = (_("Method"), _("Label"), _("Lesions"), _("Volume"), _("Found"))
    return Table(_columns(e, *columns), rows) if rows else None


def agreement(e: Experiment) -> Table:
    """agreement.csv: bias and limits of agreement of the volumes, with their intervals."""
    digits, u = decimals("volume", e.voxel), unit("volume", e.description.dimension)
    rows = []
    for r in e.agreement:
        if r["method"] not in e.methods:
            continue

        def with_interval(name: str, r: dict[str, Any] = r) -> Cell:
            ends = {"ci_low": r[f"{name}_low"], "ci_high": r[f"{name}_high"]}
            return number(r[name], digits, _interval(ends, digits))

        cells = [
            Cell(r["method"]),
            Cell(r["label"]),
            number(r["n"], 0),
            *map(with_interval, ("bias", "lower", "upper")),
        ]
        cells += [number(r["pearson"]), number(r["concordance"])]
        rows.append(Row(_in_sets(e, cells, r["set"])))
    names = [with_unit(text, u) for text in (_("Bias"), _("Lower limit"), _("Upper limit"))]
    return Table(_columns(e, _("Method"), _("Label"), "n", *names, _("Pearson’s r"), _("Lin’s concordance")), rows)


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
            cells.append(number(row["mean"], 4, _beneath(row, 4, r["n"])) if row else number(math.nan))
        cells += [
            number(r["n"], 0),
            number(r["spearman"]),
            number(r["aurc"]),
            number(r["aurc_random"]),
            number(r["gain"]),
        ]
        rows.append(Row(_in_sets(e, cells, set_), label == MEAN))
    if not rows:
        return None
    names = (
        _("Calibration error"),
        _("Brier score"),
        "n",
        _("Entropy and risk, Spearman"),
        _("Risk by entropy"),
        _("Risk by chance"),
        _("Gain"),
    )
    return Table(_columns(e, _("Method"), _("Label"), *names), rows)


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
        rows.append(Row(_in_sets(e, cells, r["set"]), r["label"] == MEAN))
    columns = (_("Method"), _("Label"), _("Between folds"), _("Between repeats"), _("Between seeds"))
    return Table(_columns(e, *columns), rows) if rows else None


def p_value(value: float) -> Cell:
    """4 decimals, or ``< 0.0001``."""
    if 0 <= value < 0.0001:
        return Cell("< 0.0001", "0", numeric=True)
    return number(value)


def winner(row: dict[str, Any]) -> str | None:
    """Which method is better by the corrected test; empty where there is no clear difference, None without a test."""
    return {"a": row["method_a"], "b": row["method_b"], "neither": ""}.get(row["better"])


def verdict(row: dict[str, Any]) -> str:
    """Which method is better by the corrected test, in words."""
    better = winner(row)
    if better is None:
        return _("not tested")
    return _("{method} better", method=better) if better else _("no clear difference")


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


# ---------------------------------------------------------------- data, split, parameters


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


def parameters(e: Experiment) -> list[dict[str, Any]]:
    """Every stamp, flattened: (dotted key, value, description)."""
    found = []
    for stamp, content in e.shown.items():
        known: dict[str, str] = {}
        field = model.Params.model_fields.get(stamp)
        if field is not None and isinstance(field.annotation, type) and issubclass(field.annotation, model.Section):
            known = descriptions.all_of(field.annotation)
        elif stamp.startswith("methods."):
            known = descriptions.all_of(type(e.params.methods[stamp.removeprefix("methods.")]))
        rows = [(key, value, _meaning(known, key)) for key, value in flat(content)]
        found.append({"section": stamp, "rows": rows})
    return found


def _meaning(known: dict[str, str], key: str) -> str:
    """Of a key or, where users name it themselves, of the one that holds it."""
    while key not in known and "." in key:
        key = key.rpartition(".")[0]
    return _(known[key]) if known.get(key) else ""


def flat(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """A JSON value as (dotted key, text); lists of plain values stay on one line."""
    if isinstance(value, dict) and value:
        return [pair for k in value for pair in flat(value[k], f"{prefix}{k}.")]
    if isinstance(value, list) and any(isinstance(v, (dict, list)) for v in value):
        return [pair for i, v in enumerate(value) for pair in flat(v, f"{prefix}{i}.")]
    text = f"[{', '.join(map(_plain, value))}]" if isinstance(value, list) else _plain(value)
    return [(prefix.removesuffix("."), text)]


def _plain(value: Any) -> str:
    return (
        {None: "null", True: "true", False: "false"}[value]
        if value is None or isinstance(value, bool)
        else (f"{value:.10g}" if isinstance(value, float) else str(value))
    )


def headline(e: Experiment, method: str, name: str) -> dict[str, str]:
    """A method's mean of a metric over the labels, for the top of the page."""
    row = e.row(CV, method, MEAN, name)
    assert row is not None
    digits = decimals(name, e.voxel)
    return {"name": name, "value": shown(row["mean"], digits), "interval": _interval(row, digits)}
