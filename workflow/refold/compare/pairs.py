"""Which results are held against which, and what comes of it."""

from __future__ import annotations

import math
from collections.abc import Collection
from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from refold.compare.reading import Run
from refold.core.errors import RefoldError
from refold.evaluate.aggregate import frame, over_repeats
from refold.evaluate.metrics import COMPARED, METRICS
from refold.evaluate.paired import better, comparable, paired, states
from refold.evaluate.statistics import holm
from refold.settings.base import nearest
from refold.settings.evaluate import Evaluate
from refold.settings.names import CV, HOLDOUT, MEAN

# keys of section evaluate, and the metrics that mean something else where they differ
DEFINES = {"nsd_tolerance": ("nsd",), "lesion_iou": ("lesion_f1", "panoptic_quality")}
STATES = ("missed", "false_positive", "both_empty")


@dataclass(frozen=True)
class Change:
    """One case: the folds tested in, and by label the Dice in the first and the second run.

    dice: as in cases.csv, NaN where it is not defined. worth: what counts in the comparison, where rightly empty is 1.
    """

    case: str
    patient: str
    folds: tuple[list[str], list[str]]
    dice: dict[str, tuple[float, float]]
    worth: dict[str, tuple[float, float]]
    anchor: str

    @property
    def difference(self) -> float:
        """Second minus first, of the mean over the labels."""
        return self.gain(MEAN)

    def gain(self, label: str) -> float:
        """Second minus first, of one label."""
        first, second = self.worth[label]
        return round(second - first, 9)  # equal numbers added in another order are equal still

    @property
    def empty(self) -> bool:
        """Whether a label is rightly empty in a run, so that its Dice counts as 1."""
        return any(math.isnan(dice) for label, two in self.dice.items() if label != MEAN for dice in two)

    @property
    def most(self) -> str:
        """The label that changed most."""
        labels = [name for name in self.worth if name != MEAN]
        return max(labels, key=lambda name: abs(self.gain(name)))


@dataclass(frozen=True)
class Pair:
    """A method of one run and one of another, in one evaluation, over the cases that both tested.

    number: its place among the pairs, for ids in the page. only: cases that one run alone tested. rows: those of
    metrics.csv. empty: {label: (counts of the first run, of the second)}, a count for each of `STATES`; None where the
    tables do not tell.
    """

    number: int
    runs: tuple[Run, Run]
    methods: tuple[str, str]
    set: str
    labels: list[str]
    cases: list[str]
    only: tuple[list[str], list[str]]
    changes: list[Change]
    empty: dict[str, tuple[dict[str, int], dict[str, int]]] | None
    rows: list[dict[str, Any]] = field(default_factory=list)

    def row(self, label: str, metric: str) -> dict[str, Any] | None:
        return next((r for r in self.rows if (r["label"], r["metric"]) == (label, metric)), None)

    def changed(self, count: int) -> tuple[list[Change], list[Change]]:
        """The ``count`` cases that lost most mean Dice and those that gained most, the largest changes first."""
        known = sorted(
            (c for c in self.changes if not math.isnan(c.difference) and c.difference != 0),
            key=lambda c: (c.difference, c.case),
        )
        worse = [c for c in known if c.difference < 0][:count]
        better = [c for c in known[::-1] if c.difference > 0][:count]
        return worse, better


def choose(runs: list[Run], wanted: list[str]) -> list[tuple[Run, Run, str, str]]:
    """Each later run against the first: which methods are paired.

    Args:
        runs: two or more.
        wanted: such as ``unet`` (of that name in all runs) or ``unet=wide`` (a name for each run); none: the methods
            that both runs have by name, or the only one of each.

    Raises:
        RefoldError: a name is not among a run's methods, or nothing can be paired.
    """
    first, *others = runs
    if not wanted:
        found = []
        for other in others:
            common = [m for m in first.methods if m in other.methods]
            if not common and len(first.methods) == len(other.methods) == 1:
                found.append((first, other, first.methods[0], other.methods[0]))
            elif not common:
                raise RefoldError(
                    f"no method has the same name in both: {first.place.given} has {', '.join(first.methods)}, "
                    f"{other.place.given} has {', '.join(other.methods)}; pair them by hand: "
                    f"--methods {first.methods[0]}={other.methods[0]}"
                )
            found += [(first, other, m, m) for m in common]
        return found
    found = []
    for text in wanted:
        names = text.split("=")
        if len(names) == 1:
            names = names * len(runs)
        if len(names) != len(runs):
            raise RefoldError(
                f"--methods {text} names {len(names)} methods for {len(runs)} runs; give one name, or one a run: "
                f"{'='.join(r.methods[0] for r in runs)}"
            )
        for run, name in zip(runs, names, strict=True):
            if name not in run.methods:
                raise RefoldError(
                    f"--methods {text}: {run.place.given} has no method {name!r}{nearest(name, run.methods)}; it has "
                    f"{', '.join(run.methods)}"
                )
        pairs = [(first, other, names[0], name) for other, name in zip(others, names[1:], strict=True)]
        told = {(other.mark, a, b) for _, other, a, b in found}
        found += [(f, o, a, b) for f, o, a, b in pairs if (o.mark, a, b) not in told]
    return found


def judge(runs: list[Run]) -> tuple[Evaluate, list[str]]:
    """The settings of the comparison, those of the first run that tells them, and the keys in which runs differ."""
    known = [r.evaluate for r in runs if r.evaluate is not None]
    if not known:
        return Evaluate(), []
    values = [e.model_dump(mode="json") for e in known]
    return known[0], [k for k in values[0] if any(v[k] != values[0][k] for v in values)]


def _part(run: Run, method: str, set_: str) -> pd.DataFrame:
    return run.scores[(run.scores["method"] == method) & (run.scores["set"] == set_)]


def _empty(table: pd.DataFrame, labels: list[str]) -> dict[str, dict[str, int]] | None:
    """How often each label was empty, and how; None where the metrics do not tell.

    Args:
        table: a row for each (fold, case).
    """
    found = {}
    for label in labels:
        told = states({m: table[label, m].to_numpy() for m in table[label].columns})
        if told is None:
            return None
        found[label] = {state: int(told[state].sum()) for state in STATES}
    return found


def shared(first: Run, second: Run) -> tuple[list[str], list[str], list[str]]:
    """Names that both runs have scores of, in the first one's order.

    Returns:
        labels; regions, where they are unions of the same labels; and names that mean something else in each.
    """
    unions = [r.evaluate.regions if r.evaluate else {} for r in (first, second)]
    both = [x for x in first.labels if x in second.labels]
    labels = [x for x in both if not any(x in u for u in unions)]
    regions = [x for x in both if all(x in u and set(u[x]) == set(unions[0][x]) for u in unions)]
    return labels, regions, [x for x in both if x not in labels and x not in regions]


def _pair(
    number: int, runs: tuple[Run, Run], methods: tuple[str, str], set_: str, evaluate: Evaluate, leave: Collection[str]
) -> Pair | None:
    """None where no case is in both."""
    parts = [_part(r, m, set_) for r, m in zip(runs, methods, strict=True)]
    tested = [p["case"].unique().tolist() for p in parts]
    cases = sorted(set(tested[0]) & set(tested[1]))
    labels, regions, _ = shared(*runs)
    if not cases or not labels:
        return None
    both = [p[p["case"].isin(cases) & p["label"].isin([*labels, *regions])] for p in parts]
    there = [set(p["metric"]) for p in both]
    metrics = [m for m in METRICS if m in there[0] & there[1] and m not in leave]
    frames = [frame(p, regions, metrics) for p in both]
    tables = [over_repeats(f) for f in frames]
    fair = [over_repeats(comparable(f, regions)) for f in frames]
    patients = runs[0].patients
    shown = ([MEAN] if len(labels) > 1 else []) + labels + regions

    folds = [p.groupby("case", sort=False)["fold"].agg(lambda f: list(dict.fromkeys(f))) for p in both]
    dice, worth = (
        {label: [t[label, "dice"].to_dict() for t in two] for label in [MEAN, *labels]} for two in (tables, fair)
    )

    def both_of(values: dict[str, list[dict[str, float]]], case: str) -> dict[str, tuple[float, float]]:
        return {label: (a[case], b[case]) for label, (a, b) in values.items()}

    changes = [
        Change(
            case,
            patients[case],
            (folds[0][case], folds[1][case]),
            both_of(dice, case),
            both_of(worth, case),
            f"pair-{number}-case-{i}",
        )
        for i, case in enumerate(cases)
    ]
    rows = []
    for metric in (m for m in metrics if m in COMPARED):
        for label in shown:
            having = [{x for x in labels if (x, metric) in t.columns} for t in fair]
            if any((label, metric) not in t.columns for t in fair) or (label == MEAN and having[0] != having[1]):
                continue
            a, b = (t[label, metric] for t in fair)
            found = paired(b, a, patients, evaluate, metric)  # the later run minus the first
            found["mean_a"], found["mean_b"] = found["mean_b"], found["mean_a"]
            rows.append(
                {
                    "set": set_,
                    "run_a": runs[0].place.given,
                    "run_b": runs[1].place.given,
                    "method_a": methods[0],
                    "method_b": methods[1],
                    "label": label,
                    "metric": metric,
                    **found,
                }
            )
    mine, theirs = (_empty(f, labels) for f in frames)
    empty = {label: (mine[label], theirs[label]) for label in labels} if mine and theirs else None
    only = (sorted(set(tested[0]) - set(tested[1])), sorted(set(tested[1]) - set(tested[0])))
    return Pair(number, runs, methods, set_, labels, cases, only, changes, empty, rows)


def compare(chosen: list[tuple[Run, Run, str, str]], evaluate: Evaluate, leave: Collection[str] = ()) -> list[Pair]:
    """All pairs, with tests corrected over the pairs of one set, label and metric (Holm 1979).

    Args:
        chosen: which methods of which runs.
        evaluate: settings of intervals and tests.
        leave: metrics that mean something else in another run.

    Raises:
        RefoldError: no case, or no label, is in both runs of a pair.
    """
    found: list[Pair] = []
    for a, b, mine, theirs in chosen:
        before = len(found)
        for set_ in (CV, HOLDOUT):
            if pair := _pair(len(found), (a, b), (mine, theirs), set_, evaluate, leave):
                found.append(pair)
        if len(found) == before:
            key = "case" if set(a.labels) & set(b.labels) else "label"
            told = [f"{r.place.given} ({', '.join(list(dict.fromkeys(r.scores[key]))[:3])}, ...)" for r in (a, b)]
            raise RefoldError(
                f"no {key} is in both {told[0]} and {told[1]}, in one kind of evaluation, so there is nothing to "
                "compare; both have to be of the same data set, under the same names"
            )
    families: dict[tuple, list[dict[str, Any]]] = {}
    for pair in found:
        for row in pair.rows:
            families.setdefault((row["set"], row["label"], row["metric"]), []).append(row)
    for family in families.values():
        for row, p in zip(family, holm([r["p"] for r in family]), strict=True):
            row["p_holm"] = p
            # the difference is that of b minus a
            flipped = {"difference": -row["difference"], "favours": -row.pop("favours")}
            row["better"] = better({**row, **flipped}, evaluate.confidence)
    return found
