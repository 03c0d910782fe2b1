"""What to be careful about: the failures, every warning of every phase, and the limits of the evaluation itself."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from typing import Any

from refold.core.language import _, joined, listed, plural
from refold.report import provenance
from refold.report.cells import Cell, Row, Table
from refold.report.export import Kept
from refold.report.inputs import Experiment
from refold.report.prose.split import evaluation, folds
from refold.report.prose.writing import percent
from refold.report.tables import counted, evaluations, headings, in_sets
from refold.settings.names import HOLDOUT

SHOWN = 12  # cases named beside a warning
FEW = {"studentised": 40, "percentile": 50}  # patients under which intervals cover less than they say, and
FEWEST = 12  # under which none was simulated: docs/reference/evaluate.md


def context(e: Experiment, kept: Kept) -> dict[str, Any]:
    """What the template shows."""
    return {
        "failures": kept.table("failures", failure_table(e)),
        "fitted": fitted(e),
        "cautions": collect(e),
    }


FAILURES = ("missed", "false_positive")  # measures of counts.csv


def failure_table(e: Experiment) -> Table:
    """Labels missed, of the cases that have them, and false positives, of those that have not.

    A row even where nothing failed: a zero is a result too.
    """
    rows = [
        Row(in_sets(e, [Cell(method), Cell(label), *(counted(row, True) for row in counts)], set_))
        for set_ in e.sets
        for method in e.methods
        for label in e.parts
        if any(counts := [e.count(set_, method, label, measure) for measure in FAILURES])
    ]
    return Table(headings(e, _("Method"), _("Label"), _("Missed"), _("False positives")), rows)


@dataclass
class Caution:
    """One point. serious: it may change what the numbers mean. cases: whom it concerns."""

    where: str
    text: str
    serious: bool = False
    cases: list[str] = field(default_factory=list)

    @property
    def named(self) -> str:
        rest, first = len(self.cases) - SHOWN, joined(self.cases[:SHOWN])
        return _("{some} and {count} more", some=first, count=rest) if rest > 0 else first


def _warning(entry: Any) -> tuple[str, str, str]:
    """(check, case, message) of a warning that is a text or a record."""
    if isinstance(entry, dict):
        return str(entry.get("check") or ""), str(entry.get("case") or ""), str(entry.get("message") or entry)
    return "", "", str(entry)


def _gathered(where: str, entries: list[Any]) -> Iterator[Caution]:
    """Warnings of one origin; one check is told once, with the cases it concerns and its first message."""
    groups: dict[str, tuple[list[str], list[str]]] = {}
    for check, case, message in map(_warning, entries):
        messages, cases = groups.setdefault(check or message, ([], []))
        messages.append(message)
        if case and case not in cases:
            cases.append(case)
    for check, (messages, cases) in groups.items():
        text = messages[0]
        if len(set(messages)) > 1:
            text = _(
                "{check} ({number} times). The first: {first}",
                check=check.replace("-", " ").replace("_", " ").capitalize(),
                number=len(messages),
                first=text,
            )
        yield Caution(where, text, cases=cases)


def _failed(e: Experiment) -> Iterator[Caution]:
    for method, why in e.failed.items():
        where = _("method {method}").format(method=method)
        yield Caution(where, _("It failed and has no row in any table: {why}.").format(why=why), True)


def _folds_left_out(e: Experiment) -> Iterator[Caution]:
    ran, there = e.fold_numbers, e.splits["folds"]
    if len(ran) == len(there):
        return
    tested = {c for fold in ran for c in e.fold(fold)["test"]}
    never = {c for fold in there for c in fold["test"]} - tested
    if never:
        text = _(
            "Only {folds} of {all} ({names}): {number} of {cases} were never tested, and the interval knows "
            "nothing of the other folds.",
            folds=plural(len(ran), "fold"),
            all=len(there),
            names=listed(ran),
            number=len(never),
            cases=plural(len(never | tested), "case"),
        )
    else:
        text = _(
            "Only {folds} of {all} ({names}): the interval knows nothing of the other folds.",
            folds=plural(len(ran), "fold"),
            all=len(there),
            names=listed(ran),
        )
    yield Caution(_("split"), text, bool(never))


def _cases_taken_for_patients(e: Experiment) -> Iterator[Caution]:
    if e.description.patients == "case":
        text = _(
            "Each case is its own patient, because neither a pattern nor a table says which belong together. "
            "If a patient has several cases, the same patient was trained on and tested on, and the numbers "
            "are too high."
        )
        yield Caution(_("data"), text, True)


def _repeated(e: Experiment) -> Iterator[Caution]:
    if e.repeats > 1:
        text = _(
            "The split was drawn {repeats} times, so each case is predicted up to {repeats} times. In means "
            "over all folds it counts once, as the mean of its repeats; failures are counted once a "
            "prediction.",
            repeats=e.repeats,
        )
        yield Caution(_("split"), text)


def _best_chosen(e: Experiment) -> Iterator[Caution]:
    if len(e.methods) > 1 and HOLDOUT not in e.folds:
        text = _(
            "The best of several methods was chosen on the cases it is reported on, so its number is slightly "
            "optimistic."
        )
        yield Caution(_("methods"), text)


def _in_set(e: Experiment, where: str, set_: str) -> str:
    """With the evaluation where there are two."""
    return joined([where, *([_(evaluations(e)[set_])] if len(e.sets) > 1 else [])])


def _order_and_patients(e: Experiment) -> Iterator[Caution]:
    """Of each evaluation: an order that the means do not have, and too few patients."""
    for set_ in e.sets:
        if e.ordered(set_) != (means := e.ordered(set_, ranked=False)):
            text = _(
                "Methods stand in the order of their ranks, in which a case rightly left empty counts as 1. By "
                "the mean Dice, which leaves such cases out, the order is {order}.",
                order=listed(means),
            )
            yield Caution(_in_set(e, _("methods"), set_), text)
        tested = [c for f in e.folds if (f == HOLDOUT) == (set_ == HOLDOUT) for c in e.fold(f)["test"]]
        patients = {e.cases[c].patient for c in tested}
        if few := few_patients(len(patients), e.params.evaluate.interval):
            few.where = _in_set(e, few.where, set_)
            yield few


def _recorded(e: Experiment) -> Iterator[Caution]:
    """What the phases before training wrote into their files, and the evaluation."""
    # each case its own patient is told by `_cases_taken_for_patients`, whoever else says it
    checks = [
        w for w in e.checks.get("errors", []) + e.checks.get("warnings", []) if _warning(w)[0] != "each-case-a-patient"
    ]
    yield from _gathered(_("data"), checks)
    yield from _gathered(_("preprocess"), e.fingerprint.get("warnings", []))
    yield from _gathered(_("evaluate"), e.hashes.get("warnings", []))
    yield from _gathered(_("split"), [n for n in e.splits.get("notes", []) if "its own patient" not in str(n)])


def _recorded_by_fold(e: Experiment) -> Iterator[Caution]:
    """What trainings and predictions wrote; what several folds of a method say is told once."""
    for phase, records in (("train", e.cards), ("predict", e.predictions)):
        for method in e.methods:
            saying: dict[str, list[str]] = {}  # the folds by what they say
            for fold in e.folds:
                for caution in _gathered(phase, records.get((method, fold), {}).get("warnings", [])):
                    text = (
                        _("{text} ({cases})", text=caution.text, cases=caution.named) if caution.cases else caution.text
                    )
                    saying.setdefault(text, []).append(fold)
            for text, names in saying.items():
                yield Caution(joined([_(phase), method, folds(names)]), text)


def _mixed_machines(e: Experiment) -> Iterator[Caution]:
    for phase, kinds in provenance.machines(e).items():
        yield from (c for method in e.methods if (c := _mixed(phase, method, kinds)) is not None)


CAUTIONS: tuple[Callable[[Experiment], Iterator[Caution]], ...] = (
    _failed,
    _folds_left_out,
    _cases_taken_for_patients,
    _repeated,
    _best_chosen,
    _order_and_patients,
    _recorded,
    _recorded_by_fold,
    _mixed_machines,
)


def collect(e: Experiment) -> list[Caution]:
    """All cautions, the serious ones first within their kinds."""
    return sorted((caution for each in CAUTIONS for caution in each(e)), key=lambda c: not c.serious)


def few_patients(number: int, interval: str) -> Caution | None:
    """What so few patients mean for intervals of a kind (docs/reference/evaluate.md); None where they are enough.

    Args:
        interval: `evaluate.interval`.
    """
    if number >= FEW[interval]:
        return None
    patients = plural(number, "patient")
    if number < FEWEST:
        text = _("Only {patients} tested: no interval of so few can be trusted.", patients=patients)
    elif interval == "percentile":
        text = _(
            "Only {patients} tested: percentile intervals of so few are too narrow (evaluate.interval: studentised "
            "ones less often).",
            patients=patients,
        )
    else:
        text = _(
            "Only {patients} tested: intervals of so few hold for values that scatter evenly, but are too narrow where "
            "a few cases fail, since the sample may hold none of them.",
            patients=patients,
        )
    return Caution(_("evaluation"), text, interval == "percentile" or number < FEWEST)


def _mixed(phase: str, method: str, kinds: list[dict[str, Any]]) -> Caution | None:
    """Folds of one method that ran on machines whose bytes differ."""
    own = [
        (k, names) for k in kinds if (names := [f for m, f in (j.split("/fold-") for j in k["jobs"]) if m == method])
    ]
    if len(own) < 2:
        return None
    each = _("; ").join(
        _("{folds}: {machine}", folds=folds(names), machine=provenance.in_words(k["machine"])) for k, names in own
    )
    return Caution(
        joined([_(phase), method]),
        _(
            "The folds ran on machines that round differently ({what}), so another distribution of the jobs would give "
            "slightly other numbers. {each}.",
            what=listed(provenance.differing([k for k, names in own])),
            each=f"{each[0].upper()}{each[1:]}",
        ),
    )


def fitted(e: Experiment) -> list[str]:
    """What was learnt from which cases, so that a reader can rule leaks out."""
    texts = [
        _(
            "No patient is on two sides of any split ({evaluation}); checked again while this report was made.",
            evaluation=evaluation(e),
        ),
        _("Weights, thresholds and intensity statistics of a fold were learnt from its training cases only."),
    ]
    inner = []
    for t in (e.params.train_of(m) for m in e.methods if e.params.methods[m].network):
        share = percent(t.validation_fraction)
        if not t.validation_fraction:
            text = _("There was no inner validation; the number of epochs was fixed beforehand.")
        elif t.early_stopping:
            text = _(
                "{share} of each fold's training patients were its inner validation, which also decided when to stop.",
                share=share,
            )
        else:
            text = _(
                "{share} of each fold's training patients were its inner validation, for the learning curves only.",
                share=share,
            )
        inner.append(text)
    texts += dict.fromkeys(inner)
    if e.params.preprocess.spacing == "median":
        texts.append(
            _(
                "The target spacing and the patch size are the one thing taken from all cases: from their headers and "
                "shapes, not from intensities or labels."
            )
        )
    return texts
