"""What to be careful about: every warning of every phase, the failures, and the limits of the evaluation itself."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from refold.report import provenance, tables
from refold.report.inputs import HOLDOUT, Experiment
from refold.report.words import evaluation, listed, percent, plural

SHOWN = 12  # cases named beside a warning


@dataclass
class Caution:
    """One point. serious: it may change what the numbers mean. cases: whom it concerns."""

    where: str
    text: str
    serious: bool = False
    cases: list[str] = field(default_factory=list)

    @property
    def named(self) -> str:
        rest = len(self.cases) - SHOWN
        return ", ".join(self.cases[:SHOWN]) + (f" and {rest} more" if rest > 0 else "")


def _warning(entry: Any) -> tuple[str, str, str]:
    """(check, case, message) of a warning that is a text or a record."""
    if isinstance(entry, dict):
        return str(entry.get("check") or ""), str(entry.get("case") or ""), str(entry.get("message") or entry)
    return "", "", str(entry)


def _gathered(where: str, entries: list[Any]) -> list[Caution]:
    """Warnings of one origin; one check is told once, with the cases it concerns and its first message."""
    groups: dict[str, tuple[list[str], list[str]]] = {}
    for check, case, message in map(_warning, entries):
        messages, cases = groups.setdefault(check or message, ([], []))
        messages.append(message)
        if case and case not in cases:
            cases.append(case)
    found = []
    for check, (messages, cases) in groups.items():
        text = messages[0]
        if len(set(messages)) > 1:
            text = (
                f"{check.replace('-', ' ').replace('_', ' ').capitalize()} ({len(messages)} times). The first: {text}"
            )
        found.append(Caution(where, text, cases=cases))
    return found


def collect(e: Experiment) -> list[Caution]:
    """All cautions, the serious ones first within their kinds."""
    found = [
        Caution(f"method {method}", f"It failed and has no row in any table: {why}.", True)
        for method, why in e.failed.items()
    ]
    ran, there = e.fold_numbers, e.splits["folds"]
    if len(ran) < len(there):
        found.append(
            Caution(
                "split",
                f"Only {plural(len(ran), 'fold')} of {len(there)} ({listed(ran)}): most cases were never "
                "tested, and the interval knows nothing of the other folds.",
                True,
            )
        )
    if e.description.patients == "case":
        found.append(
            Caution(
                "data",
                "Each case is its own patient, because neither a pattern nor a table says which belong together. If a "
                "patient has several cases, the same patient was trained on and tested on, and the numbers are too "
                "high.",
                True,
            )
        )
    repeats = len({f.get("repeat", 0) for f in there})
    if repeats > 1:
        found.append(
            Caution(
                "split",
                f"The split was drawn {repeats} times, so each case is predicted up to {repeats} times. In means "
                "over all folds it counts once, as the mean of its repeats; failures are counted once a prediction.",
            )
        )
    if len(e.methods) > 1 and HOLDOUT not in e.folds:
        found.append(
            Caution(
                "methods",
                "The best of several methods was chosen on the folds it is reported on, so its number is slightly "
                "optimistic.",
            )
        )
    patients = {e.cases[c].patient for f in e.folds for c in e.fold(f)["test"]}
    if len(patients) < 20:
        found.append(
            Caution(
                "evaluation",
                f"Only {plural(len(patients), 'patient')} tested: bootstrap intervals of so few are too narrow.",
                True,
            )
        )
    # each case its own patient is told above, whoever else says it
    known = [
        w for w in e.checks.get("errors", []) + e.checks.get("warnings", []) if _warning(w)[0] != "each-case-a-patient"
    ]
    found += _gathered("data", known)
    found += _gathered("preprocess", e.fingerprint.get("warnings", []))
    found += _gathered("split", [n for n in e.splits.get("notes", []) if "its own patient" not in str(n)])
    for what, source in (("train", e.cards), ("predict", e.predictions)):
        for method in e.methods:
            seen: dict[str, list[str]] = {}
            for fold in e.folds:
                for caution in _gathered(what, source.get((method, fold), {}).get("warnings", [])):
                    seen.setdefault(caution.text + (f" ({caution.named})" if caution.cases else ""), []).append(fold)
            for text, folds in seen.items():
                found.append(
                    Caution(f"{what}, {method}, {'fold' if len(folds) == 1 else 'folds'} {listed(folds)}", text)
                )
    for phase, kinds in provenance.machines(e).items():
        found += [c for method in e.methods if (c := _mixed(phase, method, kinds)) is not None]
    return sorted(found, key=lambda c: not c.serious)


def _mixed(phase: str, method: str, kinds: list[dict[str, Any]]) -> Caution | None:
    """Folds of one method that ran on machines whose bytes differ."""
    own = [
        (k, folds) for k in kinds if (folds := [f for m, f in (j.split("/fold-") for j in k["jobs"]) if m == method])
    ]
    if len(own) < 2:
        return None
    what = listed(provenance.differing([k for k, _ in own]))
    each = "; ".join(
        f"{'fold' if len(folds) == 1 else 'folds'} {listed(folds)}: {provenance.in_words(k['machine'])}"
        for k, folds in own
    )
    return Caution(
        f"{phase}, {method}",
        f"The folds ran on machines that round differently ({what}), so another distribution of the jobs would give "
        f"slightly other numbers. {each[0].upper()}{each[1:]}.",
    )


def fitted(e: Experiment) -> list[str]:
    """What was learnt from which cases, so that a reader can rule leaks out."""
    texts = [
        f"No patient is on two sides of any split ({evaluation(e)}); checked again while this report was made.",
        "Weights, thresholds and intensity statistics of a fold were learnt from its training cases only.",
    ]
    for t in dict.fromkeys(e.params.train_of(m) for m in e.methods if e.params.methods[m].network):
        texts.append(
            f"{percent(t.validation_fraction)} of each fold's training patients were its inner validation"
            + (", which also decided when to stop." if t.early_stopping else ", for the learning curves only.")
            if t.validation_fraction
            else "There was no inner validation; the number of epochs was fixed beforehand."
        )
    if e.params.preprocess.spacing == "median":
        texts.append(
            "The target spacing and the patch size are the one thing taken from all cases: from their headers and "
            "shapes, not "
            "from intensities or labels."
        )
    return texts


def failure_table(e: Experiment) -> list[dict[str, Any]]:
    """Failure counts of every evaluation, method and label."""
    return [{"set": s, **row} for s in e.sets for row in tables.failures(e, s)]
