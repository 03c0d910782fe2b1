"""The top of the page: the finding of each evaluation in a sentence, and the numbers beneath it."""

from __future__ import annotations

import math
from typing import Any

from refold.core.language import N_, _, joined, listed, plural
from refold.report.cells import shown
from refold.report.export import Kept
from refold.report.inputs import Experiment
from refold.report.prose.split import evaluation
from refold.report.prose.writing import level, share
from refold.report.tables import count_of, decimals, heading, interval, metric, shares
from refold.settings.names import CV, HOLDOUT, MEAN

NAMED = 4  # methods named in the finding beside the best
MOST = 8  # methods in a figure that has one line or panel a method


def context(e: Experiment, kept: Kept) -> dict[str, Any]:
    """What the template shows."""
    best = ranking(e)[0][0]
    return {
        "findings": [finding(e, s) for s in e.sets],
        "headline": [
            {"title": heading(e, name), "note": _(metric(name).note), **headline(e, best, name)}
            for name in ("dice", "nsd", "hd95_penalised")
            if e.row(CV, best, MEAN, name) is not None
        ],
        "best": best,
        "tolerance": f"{e.length('nsd_tolerance'):g} {'mm' if e.description.dimension == 3 else 'px'}",
        "tiles": failure_tiles(e, best),
        "most": MOST,
    }


def ranking(experiment: Experiment, set_: str = CV) -> list[tuple[str, dict[str, Any]]]:
    """Methods with their summary row of the mean Dice, best first; those without a defined Dice last."""
    rows = [(m, experiment.row(set_, m, MEAN, "dice")) for m in experiment.ordered(set_)]
    return [(m, r) for m, r in rows if r is not None]


def best_methods(e: Experiment, set_: str) -> list[str]:
    """The methods that figures with a panel or line a method show: the best ones, in the order of the experiment."""
    best = {method for method, row in ranking(e, set_)[:MOST]}
    return [m for m in e.methods if m in best]


def finding(experiment: Experiment, set_: str = CV) -> dict[str, Any]:
    """The finding of one evaluation: the parts of its sentence, so that the template can mark the number."""
    method, row = ranking(experiment, set_)[0]
    names = experiment.fold_numbers if set_ == CV else [HOLDOUT]
    cases = {c for f in names for c in experiment.fold(f)["test"]}
    others = [(m, r) for m, r in ranking(experiment, set_)[1:]]
    named = others if len(others) <= NAMED + 1 else others[:NAMED]
    return {
        "set": set_,
        "method": method,
        "dice": share(row["mean"]),
        "defined": not math.isnan(row["mean"]),
        "interval": _("not known")
        if math.isnan(row["ci_low"])
        else _("{low} to {high}", low=share(row["ci_low"]), high=share(row["ci_high"])),
        "level": level(experiment),
        "labels": listed(list(experiment.labels)),
        "n": int(row["n"]),
        "n_nan": int(row["n_nan"]),
        "cases": plural(len(cases), "case"),
        "patients": plural(len({experiment.cases[c].patient for c in cases}), "patient"),
        "evaluation": evaluation(experiment, set_),
        "of": len(others) + 1,
        "others": joined(f"{m} {share(r['mean'])}" for m, r in named),
        "more": plural(len(others) - len(named), "other") if len(named) < len(others) else "",
        "failed": failed(experiment, set_, method),
    }


def failed(e: Experiment, set_: str, method: str) -> str:
    """What a mean of Dice does not tell of a method: lesions found, false positives and labels missed, with their n."""
    lesions = e.params.evaluate.lesions
    named = len(lesions) > 1 or bool(set(lesions) - set(e.labels))
    if set_ == CV and e.repeats > 1:  # a case has a prediction in each repeat
        said = {
            "lesion_sensitivity": N_("found {count} lesions labelled {label}, each repeat counted")
            if named
            else N_("found {count} lesions, each repeat counted"),
            "false_positive": N_("marked {label} in {count} predictions of cases without it"),
            "missed": N_("missed {label} in {count} predictions of cases that have it"),
        }
    else:
        said = {
            "lesion_sensitivity": N_("found {count} lesions labelled {label}")
            if named
            else N_("found {count} lesions"),
            "false_positive": N_("marked {label} in {count} cases without it"),
            "missed": N_("missed {label} in {count} cases that have it"),
        }
    failures = []
    for measure, text in said.items():
        # that nothing was missed goes without saying; that there was no false positive depends on how many could be
        rows = [(r, x) for x, r in countable(e, set_, method, measure) if r["count"] or measure != "missed"]
        failures += [(r, x, text) for r, x in sorted(rows, key=lambda row: -row[0]["share"])]
    parts = []
    for row, label, text in failures[:NAMED]:
        part = _(text, label=label, count=count_of(row))
        parts.append(_("{text} ({interval})", text=part, interval=shares(row)) if shares(row) else part)
    if len(failures) > NAMED:
        parts.append(_("more in the table of failures"))
    return listed(parts) if parts else ""


def countable(e: Experiment, set_: str, method: str, measure: str) -> list[tuple[str, dict[str, Any]]]:
    """(label, row of counts.csv) of the labels where it could happen; of regions where lesions are of these alone."""
    for names in (e.labels, e.params.evaluate.regions if measure.startswith("lesion") else ()):
        rows = [(label, e.count(set_, method, label, measure)) for label in names]
        if rows := [(label, row) for label, row in rows if row is not None and row["of"]]:
            return rows
    return []


def headline(e: Experiment, method: str, name: str) -> dict[str, str]:
    """A method's mean of a metric over the labels, for the top of the page."""
    row = e.row(CV, method, MEAN, name)
    assert row is not None
    digits = decimals(name, e.voxel)
    return {"name": name, "value": shown(row["mean"], digits), "interval": interval(row, digits)}


def failure_tiles(e: Experiment, method: str) -> list[dict[str, str]]:
    """Failures and lesions of a method in the cross-validation, for the top of the page.

    Over the labels there is a count but no interval: a patient's labels do not fail independently.
    """
    titles = {
        "missed": _("Labels missed"),
        "false_positive": _("False positives"),
        "lesion_sensitivity": _("Lesions found"),
    }
    tiles = []
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
        tiles.append({"title": title, "value": count_of(row), "small": beneath})
    return tiles
