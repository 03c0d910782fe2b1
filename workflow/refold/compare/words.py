"""Every sentence of a comparison that is not in its template."""

from __future__ import annotations

import math
from typing import Any

from refold.compare.differences import Keys
from refold.compare.inputs import Run
from refold.compare.pairs import DEFINES, Change, Pair, shared
from refold.compare.places import COMMIT, EXPERIMENT
from refold.core.sections import Evaluate
from refold.report.cautions import Caution
from refold.report.inputs import CV, HOLDOUT, MEAN
from refold.report.tables import METRICS, NOT_DEFINED, shown, verdict
from refold.report.words import listed, percent, plural

SHOWN = 6  # changed files named
FEW = 20  # patients; fewer is worth a caution, as in the report
KEYS = {  # of section evaluate, that say how differences are tested
    "confidence": "the level of the intervals",
    "interval": "the kind of interval",
    "bootstrap": "the number of bootstrap samples",
    "test": "the test",
    "seed": "the seed of bootstrap and permutations",
}
SETS = {CV: "cross-validation", HOLDOUT: "held-out test set"}

ANOTHER_GRID = "no picture: the two label maps do not lie on one grid"
UNREADABLE = "no picture: a file of this case is missing, damaged, or changed since the tables were made"


def whose(run: Run) -> str:
    """``A (main)``."""
    return f"{run.mark} ({run.place.name})"


def title(runs: list[Run]) -> str:
    return f"{listed([r.place.name for r in runs])} compared"


# ---------------------------------------------------------------- pictures


def no_predictions(run: Run) -> str:
    if run.place.commit:
        return f"no picture: DVC’s cache lacks the predictions of {run.mark} (`dvc pull` in that commit brings them)"
    return f"no picture: the folder of {run.mark} lacks the predictions"


def another_prediction(run: Run) -> str:
    return f"no picture: the label map of {run.mark} was changed since it was evaluated"


def no_data(run: Run) -> str:
    return f"no picture: {run.mark} has no data/cases.csv and data/dataset.json beside its results"


def no_image(run: Run) -> str:
    where = "DVC’s cache" if run.place.commit else "its folder of raw data"
    return f"no picture: image and label of {run.mark} are not in {where}"


# ---------------------------------------------------------------- what was compared


def kind(run: Run) -> str:
    return {COMMIT: "record", EXPERIMENT: "experiment of DVC"}.get(run.place.kind, "folder")


def commit(run: Run) -> str:
    """The commit of a record; of a folder that which its provenance tells."""
    if run.place.commit:
        return run.place.commit[:10]
    source = run.source
    if not source.get("commit"):
        return "not known"
    return source["commit"][:10] + ("" if source.get("clean") else ", with changes")


def date(run: Run) -> str:
    return run.place.date or run.source.get("date") or "not known"


def line(run: Run) -> str:
    """Which run a letter is, on the terminal."""
    if not (run.place.commit or run.source.get("commit")):
        return f"{run.mark}: {run.place.given} ({kind(run)})"
    name, _, changes = commit(run).partition(",")
    return f"{run.mark}: {run.place.given} ({kind(run)}, commit {name} of {date(run)}{',' * bool(changes)}{changes})"


def warning(caution: Caution) -> str:
    return f"careful: {caution.text}" + (f" ({caution.named})" if caution.cases else "")


def agreement(runs: list[Run], key: str) -> list[str]:
    """For each run which earlier one has the same hash: ``6919aa74 (as A)``."""
    found = []
    for i, run in enumerate(runs):
        value = run.hashes[key]
        same = next((r.mark for r in runs[:i] if r.hashes[key] == value), None)
        found.append(f"{value[:10]}, as {same}" if same else f"{value[:10]}{', another' if i else ''}")
    return found


def tested(run: Run) -> tuple[str, str]:
    """Numbers of cases and of patients with a score."""
    return str(len(run.patients)), str(len(set(run.patients.values())))


# ---------------------------------------------------------------- the finding


def finding(pair: Pair, level: str) -> dict[str, Any]:
    """One sentence in parts, so that the template can mark the numbers."""
    label = MEAN if len(pair.labels) > 1 else pair.labels[0]
    row = pair.row(label, "dice")
    first, second = pair.runs
    return {
        "method": method(pair),
        "set": pair.set,
        "defined": row["cases"] > 0,
        "a": f"{first.mark} ({first.place.name})",
        "b": f"{second.mark} ({second.place.name})",
        "mean_a": shown(row["mean_a"]),
        "mean_b": shown(row["mean_b"]),
        "difference": signed(row["difference"]),
        "interval": interval(row),
        "level": level,
        "n": plural(row["cases"], "case"),
        "patients": plural(row["n"], "patient"),
        "verdict": {
            "not tested": "there is no test",
            "no clear difference": "no clear difference",
        }.get(v := judged(row, pair), v.replace(" better", " is better")),
        "p": p(row["p_holm"]),
        "same": all(
            c.dice[x][0] == c.dice[x][1] or all(map(math.isnan, c.dice[x])) for c in pair.changes for x in pair.labels
        ),
    }


def signed(value: float, digits: int = 4) -> str:
    """With its sign, a real minus; a dash where not defined."""
    text = shown(value, digits)
    if text == NOT_DEFINED:
        return text
    return f"−{text[1:]}" if text.startswith("-") else f"+{text}" if float(text) else text


def interval(row: dict[str, Any], digits: int = 4) -> str:
    """``−0.0010 to +0.0200``; empty where there is none."""
    if math.isnan(row["ci_low"]):
        return ""
    return f"{signed(row['ci_low'], digits)} to {signed(row['ci_high'], digits)}"


def p(value: float) -> str:
    return "not defined" if math.isnan(value) else "under 0.0001" if value < 0.0001 else f"{value:.4f}"


def judged(row: dict[str, Any], pair: Pair) -> str:
    """Which run is better by the corrected test."""
    first, second = pair.runs
    return verdict({**row, "method_a": second.mark, "method_b": first.mark})


# ---------------------------------------------------------------- figures


def method(pair: Pair) -> str:
    """``unet``, or ``unet of A, wide of B`` where the names differ."""
    names = zip(pair.methods, pair.runs, strict=True)
    return pair.methods[0] if len(set(pair.methods)) == 1 else ", ".join(f"{m} of {r.mark}" for m, r in names)


def heading(pair: Pair, pairs: list[Pair]) -> str:
    """Names a pair as far as the others make it necessary."""
    first, second = pair.runs
    parts = [method(pair)]
    if len({p.runs[1].mark for p in pairs}) > 1:
        parts.append(f"{second.mark} less {first.mark}")
    if len({p.set for p in pairs}) > 1:
        parts.append(SETS[pair.set])
    return ", ".join(parts)


def hover(pair: Pair, change: Change, label: str) -> str:
    a, b = change.dice[label]
    first, second = pair.runs
    return f"{change.case}: {first.mark} {shown(a)}, {second.mark} {shown(b)} ({signed(change.gain(label))})"


def axis(run: Run, method: str) -> str:
    return f"Dice in {run.mark}, {method}"


def label_words(label: str) -> str:
    return "mean of labels" if label == MEAN else label


def scatter_alt(pair: Pair, label: str) -> str:
    first, second = pair.runs
    known = [gain for c in pair.changes if not math.isnan(gain := c.gain(label))]
    up, down = sum(gain > 0 for gain in known), sum(gain < 0 for gain in known)
    return (
        f"Dice of {label_words(label)}, {plural(len(known), 'case')}: along {whose(first)}, up {whose(second)}. "
        f"{up} higher in {second.mark}, {down} higher in {first.mark}, {len(known) - up - down} equal. "
        "The numbers stand in the table of cases."
    )


def picture_alt(pair: Pair, change: Change, channel: str, plane: str) -> str:
    return (
        f"Case {change.case}, {channel}, {plane}: outlines of truth, of {whose(pair.runs[0])} and of "
        f"{whose(pair.runs[1])}"
    )


# ---------------------------------------------------------------- cautions


def cautions(
    runs: list[Run], pairs: list[Pair], evaluate: Evaluate, differing: list[str], leave: set[str], keys: Keys | None
) -> list[Caution]:
    """What a reader has to know before quoting a difference, the serious first."""
    found = [
        *_cases(runs, pairs),
        *_labels(runs),
        *_split(runs),
        *_evaluation(runs, pairs, differing, leave),
        *_origin(runs, keys),
    ]
    return sorted(found, key=lambda c: not c.serious)


def _cases(runs: list[Run], pairs: list[Pair]) -> list[Caution]:
    found, told = [], []
    for pair in pairs:
        for run, other, only in zip(pair.runs, pair.runs[::-1], pair.only, strict=True):
            if only and (key := (run.mark, other.mark, pair.set, only)) not in told:
                told.append(key)
                text = (
                    f"Left out of the {SETS[pair.set]}: {plural(len(only), 'case')} of {whose(run)} not tested in "
                    f"{other.mark}. Compared: the {plural(len(pair.cases), 'case')} tested in both."
                )
                found.append(Caution("cases", text, True, only))
    for run in runs[1:]:
        found += _data(runs[0], run)
    return found


def _data(first: Run, run: Run) -> list[Caution]:
    """Whether the cases that both have are the same images, label maps and patients."""
    found, common = [], sorted(set(first.patients) & set(run.patients))
    if first.hashes["data"] != run.hashes["data"]:
        if first.cases is None or run.cases is None:
            text = (
                f"The tables of cases of {first.mark} and {run.mark} differ, and one of them (data/cases.csv) is not "
                "at hand: whether images and label maps are the same is not known."
            )
            found.append(Caution("data", text, True))
        else:
            ours, theirs = ({c: r.cases[c] for c in common if c in r.cases} for r in (first, run))
            other = [c for c in common if c in ours and c in theirs and ours[c].sha256 != theirs[c].sha256]
            size = [c for c in other if (ours[c].shape, ours[c].voxels) != (theirs[c].shape, theirs[c].voxels)]
            if size:
                text = (
                    f"Another grid or other label volumes in {run.mark} than in {first.mark}: "
                    f"{plural(len(size), 'case')}. There the difference is one of the truth, too."
                )
                found.append(Caution("data", text, True, size))
            if rest := [c for c in other if c not in size]:
                text = (
                    f"Other bytes in {run.mark} than in {first.mark}, with the same grid and label volumes: "
                    f"{plural(len(rest), 'case')}."
                )
                found.append(Caution("data", text, False, rest))
    if moved := [c for c in common if first.patients[c] != run.patients[c]]:
        text = (
            f"Of another patient in {run.mark} than in {first.mark}: {plural(len(moved), 'case')}. Intervals and tests "
            f"take the patients of {first.mark}."
        )
        found.append(Caution("data", text, True, moved))
    return found


def _labels(runs: list[Run]) -> list[Caution]:
    found, first = [], runs[0]
    for run in runs[1:]:
        sides = ((first, run), (run, first))
        parts = [(r.mark, [x for x in r.labels if x not in other.labels]) for r, other in sides]
        if alone := [f"{mark} alone has {listed(names)}" for mark, names in parts if names]:
            text = (
                f"The labels differ: {'; '.join(alone)}. Compared are the common ones; means over the labels are over "
                "these."
            )
            found.append(Caution("labels", text, True))
        if other := shared(first, run)[2]:
            text = (
                f"Not compared: {listed(other)}, which {first.mark} and {run.mark} do not take as one region of the "
                "same labels (evaluate.regions)."
            )
            found.append(Caution("labels", text, True))
    return found


def _split(runs: list[Run]) -> list[Caution]:
    found, first = [], runs[0]
    for run in runs[1:]:
        if first.hashes["split"] != run.hashes["split"]:
            text = (
                f"{first.mark} and {run.mark} have different splits: a case was predicted by models that learnt from "
                "other cases, so part of a difference is that of the training sets."
            )
            found.append(Caution("split", text, True))
    for run in runs:
        there = [str(f["fold"]) for f in (run.splits or {}).get("folds", ())]
        ran = [f for f in there if f in set(run.scores["fold"])]
        if len(ran) < len(there):
            text = f"{whose(run)} ran {len(ran)} of {plural(len(there), 'fold')}; cases of the others were not tested."
            found.append(Caution("split", text))
    return found


def _evaluation(runs: list[Run], pairs: list[Pair], differing: list[str], leave: set[str]) -> list[Caution]:
    found = []
    if leave:
        keys = listed([f"evaluate.{k}" for k in differing if k in DEFINES])
        names = listed([METRICS[m].title for m in METRICS if m in leave])
        text = f"Not compared: {names}, since {keys} is not the same in all runs."
        found.append(Caution("evaluate", text, True))
    if others := [k for k in differing if k in KEYS]:
        mark = next(r.mark for r in runs if r.evaluate)
        text = f"The runs differ in {listed([KEYS[k] for k in others])}; here the settings of {mark} hold for all."
        found.append(Caution("evaluate", text))
    if not any(r.evaluate for r in runs):
        found.append(Caution("evaluate", "No run tells its section evaluate, so refold’s defaults hold."))
    fewest = min(len({c.patient for c in p.changes}) for p in pairs)
    if fewest < FEW:
        text = f"Only {plural(fewest, 'patient')}: intervals and tests of so few promise little."
        found.append(Caution("evaluate", text, True))
    return found


def _origin(runs: list[Run], keys: Keys | None) -> list[Caution]:
    found = []
    for run in runs:
        if run.mismatched:
            why = (
                "its params.yaml was changed after the run, or this version of refold fills in other defaults"
                if run.filled
                else "they were changed after the run. Run it again, or read the parameters below with care"
            )
            text = f"The parameters of {whose(run)} are not those behind its tables ({listed(run.mismatched)}): {why}."
            found.append(Caution("parameters", text, not run.filled))
        changed = run.source.get("modified") or []
        if changed:
            more = f" and {len(changed) - SHOWN} more" if len(changed) > SHOWN else ""
            text = f"{whose(run)} was made with changes that were not committed: {', '.join(changed[:SHOWN])}{more}."
            found.append(Caution("code", text))
        sections = {n.removeprefix("methods."): v for n, v in (run.params or {}).items() if n.startswith("methods.")}
        if external := [m for m in run.methods if sections.get(m, {}).get("kind") == "external"]:
            text = (
                f"Label maps of another program in {whose(run)}: {listed(external)}. refold does not know what it was "
                "trained on."
            )
            found.append(Caution("train", text))
    if keys is not None and keys.partly:
        whom = listed([whose(r) for r in runs if r.params is None])
        text = (
            f"params.yaml of {whom} does not fit this version of refold, so "
            "its defaults are not known: only keys that it gives are compared."
        )
        found.append(Caution("parameters", text))
    return found


def settings(evaluate: Evaluate) -> dict[str, str]:
    """Level and test in words for captions."""
    return {
        "level": percent(evaluate.confidence),
        "test": "a permutation test" if evaluate.test == "permutation" else "Wilcoxon’s signed-rank test",
    }


# ---------------------------------------------------------------- columns

NOT_KNOWN = "not known"
FACTS = {
    "named": "Named",
    "kind": "Kind",
    "commit": "Commit",
    "date": "Date of the commit",
    "dataset": "Data set",
    "cases": "Cases tested",
    "patients": "Patients",
    "methods": "Methods",
    "labels": "Labels",
    "evaluations": "Evaluations",
    "data": "Hash of the table of cases",
    "split": "Hash of the split",
}


def patients(n: int) -> str:
    return plural(n, "patient")


def alone(text: str) -> str:
    """A p value before the correction."""
    return f"{text} alone"


def folds(names: list[str]) -> str:
    """``2``, ``0, 3`` with repeats, ``held out``."""
    return ", ".join("held out" if f == HOLDOUT else f for f in names)


def metric_columns(sets: bool, several: bool, first: Run, second: Run) -> list[str]:
    return [
        *(["Evaluation"] if sets else []),
        *(["Method"] if several else []),
        "Metric",
        "Label",
        "Cases",
        first.mark,
        second.mark,
        f"{second.mark} less {first.mark}",
        "p (Holm)",
        "In words",
    ]


def failure_columns(sets: bool, first: Run, second: Run) -> list[str]:
    counts = [f"{state} in {r.mark}" for state in ("Missed", "Invented", "Both empty") for r in (first, second)]
    return [*(["Evaluation"] if sets else []), "Method", "Label", *counts]


def case_columns(labels: list[str], first: Run, second: Run) -> list[str]:
    values = [
        f"{'Mean Dice' if label == MEAN else f'Dice {label}'}, {what}"
        for label in labels
        for what in (first.mark, second.mark, f"{second.mark} less {first.mark}")
    ]
    return ["Case", "Patient", f"Fold in {first.mark}", f"Fold in {second.mark}", *values]


def key_columns(runs: list[Run]) -> list[str]:
    return ["Key", *(whose(r) for r in runs)]


def short_columns(first: Run, second: Run, several: bool) -> list[str]:
    if several:
        return ["method", "Dice of", first.mark, "other", "difference", "interval", "p (Holm)", "in words"]
    difference = f"{second.mark} less {first.mark}"
    return ["method", "Dice of", first.mark, second.mark, difference, "interval", "p (Holm)", "in words"]


def dice_words(pair: Pair, change: Change) -> str:
    """``organ 0.8000, 0.9000; lesion –, 0.5000``: of each label both values."""
    labels = [x for x in change.dice if x != MEAN]
    return "; ".join(f"{x} {shown(change.dice[x][0])} → {shown(change.dice[x][1])}" for x in labels)
