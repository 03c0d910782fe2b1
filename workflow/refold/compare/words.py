"""Every sentence of a comparison that is not in its template."""

from __future__ import annotations

import math
from typing import Any

from refold.compare.differences import Keys
from refold.compare.locations import COMMIT, EXPERIMENT
from refold.compare.pairs import DEFINES, Change, Pair, shared
from refold.compare.reading import Run
from refold.core.language import N_, _, joined, listed, plural
from refold.evaluate.metrics import METRICS, REGISTRY
from refold.report.cells import NOT_DEFINED, label_name, shown
from refold.report.prose.writing import percent
from refold.report.sections.cautions import Caution, few_patients
from refold.report.sections.comparison import verdict, winner
from refold.settings.evaluate import Evaluate
from refold.settings.names import CV, HOLDOUT, MEAN

SHOWN = 6  # changed files named
KEYS = {  # of section evaluate, that say how differences are tested
    "confidence": N_("the level of the intervals"),
    "interval": N_("the kind of interval"),
    "bootstrap": N_("the number of bootstrap samples"),
    "test": N_("the test"),
    "seed": N_("the seed of bootstrap and permutations"),
}
SETS = {CV: N_("cross-validation"), HOLDOUT: N_("held-out test set")}

ANOTHER_GRID = N_("no picture: the two label maps do not lie on one grid")
UNREADABLE = N_("no picture: a file of this case is missing, damaged, or changed since the tables were made")


def whose(run: Run) -> str:
    """``A (main)``."""
    return _("{mark} ({name})", mark=run.mark, name=run.place.name)


def title(runs: list[Run]) -> str:
    return _("{runs} compared", runs=listed(r.place.name for r in runs))


def evaluation(pair: Pair) -> str:
    if pair.set == CV and all(r.splits and len(r.splits["folds"]) == 1 for r in pair.runs):
        return _("training and test split")
    return _(SETS[pair.set])


# ---------------------------------------------------------------- pictures


def no_predictions(run: Run) -> str:
    if run.place.commit:
        return _(
            "no picture: DVC’s cache lacks the predictions of {run} (`dvc pull` in that commit brings them)",
            run=run.mark,
        )
    return _("no picture: the folder of {run} lacks the predictions", run=run.mark)


def another_prediction(run: Run) -> str:
    return _("no picture: the label map of {run} was changed since it was evaluated", run=run.mark)


def no_data(run: Run) -> str:
    return _("no picture: {run} has no data/cases.csv and data/dataset.json beside its results", run=run.mark)


def no_image(run: Run) -> str:
    where = _("DVC’s cache") if run.place.commit else _("its folder of raw data")
    return _("no picture: image and label of {run} are not in {where}", run=run.mark, where=where)


# ---------------------------------------------------------------- what was compared


def kind(run: Run) -> str:
    known = {COMMIT: N_("record"), EXPERIMENT: N_("experiment of DVC")}
    return _(known.get(run.place.kind, N_("folder")))


def commit(run: Run) -> str:
    """The commit of a record; of a folder that which its provenance tells."""
    if run.place.commit:
        return run.place.commit[:10]
    source = run.source
    if not source.get("commit"):
        return _("not known")
    short = source["commit"][:10]
    return short if source.get("clean") else _("{commit}, with changes", commit=short)


def date(run: Run) -> str:
    return run.place.date or run.source.get("date") or _("not known")


def line(run: Run) -> str:
    """Which run a letter is, on the terminal."""
    if not (run.place.commit or run.source.get("commit")):
        return f"{run.mark}: {run.place.given} ({kind(run)})"
    name, _comma, changes = commit(run).partition(",")
    return f"{run.mark}: {run.place.given} ({kind(run)}, commit {name} of {date(run)}{',' * bool(changes)}{changes})"


def warning(caution: Caution) -> str:
    return f"careful: {caution.text}" + (f" ({caution.named})" if caution.cases else "")


def agreement(runs: list[Run], key: str) -> list[str]:
    """For each run which earlier one has the same hash: ``6919aa74 (as A)``."""
    found = []
    for i, run in enumerate(runs):
        value = run.hashes[key]
        same = next((r.mark for r in runs[:i] if r.hashes[key] == value), None)
        short = value[:10]
        if same:
            found.append(_("{hash}, as {run}", hash=short, run=same))
        else:
            found.append(_("{hash}, another", hash=short) if i else short)
    return found


def tested(run: Run) -> tuple[str, str]:
    """Numbers of cases and of patients with a score."""
    return str(len(run.patients)), str(len(set(run.patients.values())))


# ---------------------------------------------------------------- the finding


def finding(pair: Pair, level: str) -> dict[str, Any]:
    """One sentence in parts, so that the template can mark the numbers."""
    label = MEAN if len(pair.labels) > 1 else pair.labels[0]
    row = pair.row(label, "dice")
    assert row is not None  # every label has its Dice
    first, second = pair.runs
    rightly_empty = sum(c.empty for c in pair.changes)
    return {
        "method": method(pair),
        "set": pair.set,
        "a": whose(first),
        "b": whose(second),
        "mean_a": shown(row["mean_a"]),
        "mean_b": shown(row["mean_b"]),
        "difference": signed(row["difference"]),
        "interval": interval(row),
        "level": level,
        "n": plural(row["cases"], "case"),
        "patients": plural(row["n"], "patient"),
        "verdict": _told(winner(_as_methods(row, pair))),
        "p": p(row["p_holm"]),
        "empty": plural(rightly_empty, "case") if rightly_empty else "",
        "same": all(c.worth[x][0] == c.worth[x][1] for c in pair.changes for x in pair.labels),
    }


def empty(dice: float) -> str:
    """What stands beneath a Dice that counts as 1, since nothing is there and nothing was predicted."""
    return _("rightly empty") if math.isnan(dice) else ""


def _told(better: str | None) -> str:
    if better is None:
        return _("there is no test")
    return _("{run} is better", run=better) if better else _("no clear difference")


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
    return _("{low} to {high}", low=signed(row["ci_low"], digits), high=signed(row["ci_high"], digits))


def p(value: float) -> str:
    return _("not defined") if math.isnan(value) else _("under 0.0001") if value < 0.0001 else f"{value:.4f}"


def judged(row: dict[str, Any], pair: Pair) -> str:
    """Which run is better by the corrected test."""
    return verdict(_as_methods(row, pair))


def _as_methods(row: dict[str, Any], pair: Pair) -> dict[str, Any]:
    """A row as if the runs were methods of one experiment."""
    first, second = pair.runs
    return {**row, "method_a": first.mark, "method_b": second.mark}


# ---------------------------------------------------------------- figures


def method(pair: Pair) -> str:
    """``unet``, or ``unet of A, wide of B`` where the names differ."""
    names = zip(pair.methods, pair.runs, strict=True)
    if len(set(pair.methods)) == 1:
        return pair.methods[0]
    return joined(_("{method} of {run}", method=m, run=r.mark) for m, r in names)


def minus(second: Run, first: Run) -> str:
    return _("{one} minus {other}", one=second.mark, other=first.mark)


def heading(pair: Pair, pairs: list[Pair]) -> str:
    """Names a pair as far as the others make it necessary."""
    first, second = pair.runs
    parts = [method(pair)]
    if len({p.runs[1].mark for p in pairs}) > 1:
        parts.append(minus(second, first))
    if len({p.set for p in pairs}) > 1:
        parts.append(evaluation(pair))
    return joined(parts)


def hover(pair: Pair, change: Change, label: str) -> str:
    a, b = change.worth[label]
    first, second = pair.runs
    return _(
        "{case}: {one} {a}, {other} {b} ({difference})",
        case=change.case,
        one=first.mark,
        a=shown(a),
        other=second.mark,
        b=shown(b),
        difference=signed(change.gain(label)),
    )


def axis(run: Run, method: str) -> str:
    return _("Dice in {run}, {method}", run=run.mark, method=method)


def label_words(label: str) -> str:
    return label_name(label).text


def scatter_alt(pair: Pair, label: str) -> str:
    first, second = pair.runs
    known = [gain for c in pair.changes if not math.isnan(gain := c.gain(label))]
    up, down = sum(gain > 0 for gain in known), sum(gain < 0 for gain in known)
    return _(
        "Dice of {label}, {cases}: along {first}, up {second}. {up} higher in {b}, {down} higher in {a}, {equal} "
        "equal. The numbers stand in the table of cases.",
        label=label_words(label),
        cases=plural(len(known), "case"),
        first=whose(first),
        second=whose(second),
        up=up,
        down=down,
        a=first.mark,
        b=second.mark,
        equal=len(known) - up - down,
    )


def picture_alt(pair: Pair, change: Change, channel: str, plane: str) -> str:
    return _(
        "Case {case}, {channel}, {plane}: outlines of truth, of {first} and of {second}",
        case=change.case,
        channel=channel,
        plane=_(plane),
        first=whose(pair.runs[0]),
        second=whose(pair.runs[1]),
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
        *_evaluation(runs, pairs, evaluate, differing, leave),
        *_origin(runs, keys),
    ]
    return sorted(found, key=lambda c: not c.serious)


def _cases(runs: list[Run], pairs: list[Pair]) -> list[Caution]:
    found, told = [], []
    for pair in pairs:
        for run, other, only in zip(pair.runs, pair.runs[::-1], pair.only, strict=True):
            if only and (key := (run.mark, other.mark, pair.set, only)) not in told:
                told.append(key)
                text = _(
                    "Left out of the {evaluation}: {cases} of {run} not tested in {other}. Compared: the {both} tested "
                    "in both.",
                    evaluation=evaluation(pair),
                    cases=plural(len(only), "case"),
                    run=whose(run),
                    other=other.mark,
                    both=plural(len(pair.cases), "case"),
                )
                found.append(Caution(_("cases"), text, True, only))
    for run in runs[1:]:
        found += _data(runs[0], run)
    return found


def _data(first: Run, run: Run) -> list[Caution]:
    """Whether the cases that both have are the same images, label maps and patients."""
    found, common = [], sorted(set(first.patients) & set(run.patients))
    if first.hashes["data"] != run.hashes["data"]:
        if first.cases is None or run.cases is None:
            text = _(
                "The tables of cases of {first} and {run} differ, and one of them (data/cases.csv) is not at hand: "
                "whether images and label maps are the same is not known.",
                first=first.mark,
                run=run.mark,
            )
            found.append(Caution(_("data"), text, True))
        else:
            ours, theirs = ({c: known[c] for c in common if c in known} for known in (first.cases, run.cases))
            other = [c for c in common if c in ours and c in theirs and ours[c].sha256 != theirs[c].sha256]
            size = [c for c in other if (ours[c].shape, ours[c].voxels) != (theirs[c].shape, theirs[c].voxels)]
            if size:
                text = _(
                    "Another grid or other label volumes in {run} than in {first}: {cases}. There the difference is "
                    "one of the truth, too.",
                    run=run.mark,
                    first=first.mark,
                    cases=plural(len(size), "case"),
                )
                found.append(Caution(_("data"), text, True, size))
            if rest := [c for c in other if c not in size]:
                text = _(
                    "Other bytes in {run} than in {first}, with the same grid and label volumes: {cases}.",
                    run=run.mark,
                    first=first.mark,
                    cases=plural(len(rest), "case"),
                )
                found.append(Caution(_("data"), text, False, rest))
    if moved := [c for c in common if first.patients[c] != run.patients[c]]:
        text = _(
            "Of another patient in {run} than in {first}: {cases}. Intervals and tests take the patients of {first}.",
            run=run.mark,
            first=first.mark,
            cases=plural(len(moved), "case"),
        )
        found.append(Caution(_("data"), text, True, moved))
    return found


def _labels(runs: list[Run]) -> list[Caution]:
    found, first = [], runs[0]
    for run in runs[1:]:
        sides = ((first, run), (run, first))
        parts = [(r.mark, [x for x in r.labels if x not in other.labels]) for r, other in sides]
        alone = [_("{run} alone has {labels}", run=mark, labels=listed(names)) for mark, names in parts if names]
        if alone:
            text = _(
                "The labels differ: {differences}. Compared are the common ones; means over the labels are over these.",
                differences=_("; ").join(alone),
            )
            found.append(Caution(_("labels"), text, True))
        if other := shared(first, run)[2]:
            text = _(
                "Not compared: {names}, which {first} and {run} do not take as one region of the same labels "
                "(evaluate.regions).",
                names=listed(other),
                first=first.mark,
                run=run.mark,
            )
            found.append(Caution(_("labels"), text, True))
    return found


def _split(runs: list[Run]) -> list[Caution]:
    found, first = [], runs[0]
    for run in runs[1:]:
        if first.hashes["split"] != run.hashes["split"]:
            text = _(
                "{first} and {run} have different splits: a case was predicted by models that learnt from other cases, "
                "so part of a difference is that of the training sets.",
                first=first.mark,
                run=run.mark,
            )
            found.append(Caution(_("split"), text, True))
    for run in runs:
        there = [str(f["fold"]) for f in (run.splits or {}).get("folds", ())]
        ran = [f for f in there if f in set(run.scores["fold"])]
        if len(ran) < len(there):
            text = _(
                "{run} ran {number} of {folds}; cases of the others were not tested.",
                run=whose(run),
                number=len(ran),
                folds=plural(len(there), "fold"),
            )
            found.append(Caution(_("split"), text))
    return found


def _evaluation(
    runs: list[Run], pairs: list[Pair], evaluate: Evaluate, differing: list[str], leave: set[str]
) -> list[Caution]:
    found = []
    if leave:
        text = _(
            "Not compared: {metrics}, since {keys} is not the same in all runs.",
            metrics=listed(_(REGISTRY[m].title) for m in METRICS if m in leave),
            keys=listed(f"evaluate.{k}" for k in differing if k in DEFINES),
        )
        found.append(Caution(_("evaluate"), text, True))
    if others := [k for k in differing if k in KEYS]:
        mark = next(r.mark for r in runs if r.evaluate)
        text = _(
            "The runs differ in {settings}; here the settings of {run} hold for all.",
            settings=listed(_(KEYS[k]) for k in others),
            run=mark,
        )
        found.append(Caution(_("evaluate"), text))
    if not any(r.evaluate for r in runs):
        text = _("No run tells its section evaluate, so refold’s defaults hold.")
        found.append(Caution(_("evaluate"), text))
    fewest = min(len({c.patient for c in p.changes}) for p in pairs)
    if few := few_patients(fewest, evaluate.interval):
        found.append(few)
    return found


def _origin(runs: list[Run], keys: Keys | None) -> list[Caution]:
    found = []
    for run in runs:
        if run.mismatched:
            why = (
                N_(
                    "The parameters of {run} are not those behind its tables ({sections}): its params.yaml was changed "
                    "after the run, or this version of refold fills in other defaults."
                )
                if run.filled
                else N_(
                    "The parameters of {run} are not those behind its tables ({sections}): they were changed after the "
                    "run. Run it again, or read the parameters below with care."
                )
            )
            text = _(
                why,
                run=whose(run),
                sections=listed(run.mismatched),
            )
            found.append(Caution(_("parameters"), text, not run.filled))
        if run.unsealed:
            text = _(
                "No hash of its own was written down of these files of {run}: {files}. An earlier refold made them; "
                "a change by hand would not be seen.",
                run=whose(run),
                files=listed(run.unsealed),
            )
            found.append(Caution(_("evaluate"), text))
        changed = run.source.get("modified") or []
        if changed:
            files, more = joined(changed[:SHOWN]), len(changed) - SHOWN
            files = _("{some} and {count} more", some=files, count=more) if more > 0 else files
            text = _("{run} was made with changes that were not committed: {files}.", run=whose(run), files=files)
            found.append(Caution(_("code"), text))
        sections = {n.removeprefix("methods."): v for n, v in (run.params or {}).items() if n.startswith("methods.")}
        if external := [m for m in run.methods if sections.get(m, {}).get("kind") == "external"]:
            text = _(
                "Label maps of another program in {run}: {methods}. refold does not know what it was trained on.",
                run=whose(run),
                methods=listed(external),
            )
            found.append(Caution(_("train"), text))
    if keys is not None and keys.partly:
        whom = listed([whose(r) for r in runs if r.params is None])
        text = _(
            "params.yaml of {runs} does not fit this version of refold, so its defaults are not known: only keys that "
            "it gives are compared.",
            runs=whom,
        )
        found.append(Caution(_("parameters"), text))
    return found


def settings(evaluate: Evaluate) -> dict[str, str]:
    """Level and test in words for captions."""
    return {
        "level": percent(evaluate.confidence),
        "test": _("a permutation test") if evaluate.test == "permutation" else _("Wilcoxon’s signed-rank test"),
    }


# ---------------------------------------------------------------- columns

NOT_KNOWN = N_("not known")
FACTS = {
    "named": N_("Named"),
    "kind": N_("Kind"),
    "commit": N_("Commit"),
    "date": N_("Date of the commit"),
    "dataset": N_("Data set"),
    "cases": N_("Cases tested"),
    "patients": N_("Patients"),
    "methods": N_("Methods"),
    "labels": N_("Labels"),
    "evaluations": N_("Evaluations"),
    "data": N_("Hash of the table of cases"),
    "split": N_("Hash of the split"),
}


def patients(n: int) -> str:
    return plural(n, "patient")


def alone(text: str) -> str:
    """A p value before the correction."""
    return _("{p} alone", p=text)


def folds(names: list[str]) -> str:
    """``2``, ``0, 3`` with repeats, ``held out``."""
    return joined(_("held out") if f == HOLDOUT else f for f in names)


def metric_columns(sets: bool, several: bool, first: Run, second: Run) -> list[str]:
    return [
        *([_("Evaluation")] if sets else []),
        *([_("Method")] if several else []),
        _("Metric"),
        _("Label"),
        _("Cases"),
        first.mark,
        second.mark,
        minus(second, first),
        _("p (Holm)"),
        _("Verdict"),
    ]


def failure_columns(sets: bool, first: Run, second: Run) -> list[str]:
    states = (_("Missed"), _("False positives"))
    counts = [_("{what} in {run}", what=state, run=r.mark) for state in states for r in (first, second)]
    return [*([_("Evaluation")] if sets else []), _("Method"), _("Label"), *counts]


def case_columns(labels: list[str], first: Run, second: Run) -> list[str]:
    values = [
        _("{what}, {which}", what=_("Mean Dice") if label == MEAN else f"Dice {label}", which=what)
        for label in labels
        for what in (first.mark, second.mark, minus(second, first))
    ]
    folds = [_("Fold in {run}", run=r.mark) for r in (first, second)]
    return [_("Case"), _("Patient"), *folds, *values]


def key_columns(runs: list[Run]) -> list[str]:
    return [_("Key"), *(whose(r) for r in runs)]


def short_columns(first: Run, second: Run, several: bool) -> list[str]:
    """Of the table on the terminal, which is in English."""
    if several:
        return ["method", "Dice of", first.mark, "other", "difference", "interval", "p (Holm)", "in words"]
    return ["method", "Dice of", first.mark, second.mark, minus(second, first), "interval", "p (Holm)", "in words"]


def dice_words(pair: Pair, change: Change) -> str:
    """``organ 0.8000 → 0.9000; lesion 1.0000 → 0.5000``: of each label both values, 1 where it is rightly empty."""
    labels = [x for x in change.dice if x != MEAN]
    return _("; ").join(f"{x} {shown(change.worth[x][0])} → {shown(change.worth[x][1])}" for x in labels)
