"""The page: gathers figures, tables and words, and writes one HTML file."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from refold.core import log
from refold.core.files import write_text
from refold.report import cautions, figures, pictures, provenance, tables, viewer, words
from refold.report.inputs import CV, HOLDOUT, Experiment

HERE = Path(__file__).parent
STRIPS = ("dice", "nsd", "hd95")


def _strips(e: Experiment) -> list[dict[str, Any]]:
    there = {m for s in e.scored for v in s.values.values() for m in v}
    found = []
    for set_ in e.sets:
        scored = [s for s in e.scored if (s.fold == HOLDOUT) == (set_ == HOLDOUT)]
        for name in STRIPS:
            if name not in there:
                continue
            m = tables.metric(name)
            drawing = figures.strip(
                e, scored, name, m.title, tables.unit(name, e.description.dimension), m.digits, f"strip-{set_}-{name}"
            )
            found.append({"set": set_, "svg": Markup(drawing)})
    return found


def _curves(e: Experiment) -> list[dict[str, Any]]:
    found = []
    for index, method in enumerate(e.methods):
        histories = {f: h for (m, f), h in e.histories.items() if m == method and h}
        drawings = []
        if figures.drawable(histories, "loss"):
            series = [("loss", "training"), ("validation_loss", "inner validation")]
            drawings.append(figures.curves(histories, series, "Loss", f"curve-{index}-loss"))
        if figures.drawable(histories, "validation_dice"):
            series = [("validation_dice", "inner validation")]
            drawings.append(figures.curves(histories, series, "Inner validation Dice", f"curve-{index}-dice"))
        if drawings:
            found.append({"method": method, "svgs": [Markup(d) for d in drawings]})
    return found


def _pictures(e: Experiment) -> list[dict[str, Any]]:
    found = []
    for method in e.methods:
        scored = [s for s in e.scored if s.method == method and s.fold != HOLDOUT]
        chosen = pictures.choose(scored, e.params.report.cases)
        shown = []
        for word, one in log.progress(chosen, f"pictures of {method}"):
            numbers = [(label, tables.shown(one.values[label]["dice"])) for label in e.labels]
            shown.append({"rank": word, "picture": pictures.picture(e, one), "dice": numbers})
        found.append({"method": method, "cases": shown})
    return found


def context(e: Experiment, facts: dict[str, Any]) -> dict[str, Any]:
    """Everything the template shows. ``facts``: where the results come from, as `provenance.gather` gives."""
    prose = words.methods(e)
    failures = cautions.failure_table(e)
    found = cautions.collect(e)
    dimension = e.description.dimension
    best = words.ranking(e)[0][0]
    headline = [
        {"title": tables.heading(e, name), "note": tables.metric(name).note, **tables.headline(e, best, name)}
        for name in ("dice", "nsd", "hd95")
        if e.row(CV, best, words.MEAN, name) is not None
    ]
    of_best = [f for f in failures if f["method"] == best and f["set"] == CV]
    return {
        "e": e,
        "title": e.params.report.title,
        "findings": [words.finding(e, s) for s in e.sets],
        "headline": headline,
        "best": best,
        "level": words.level(e),
        "tolerance": f"{e.params.evaluate.nsd_tolerance:g} {'mm' if dimension == 3 else 'px'}",
        "cautions": found,
        "fitted": cautions.fitted(e),
        "failures": failures,
        "missed": sum(f["missed"] for f in of_best),
        "invented": sum(f["false_positive"] for f in of_best),
        "chances": sum(f["n"] for f in of_best),
        "methods": [(s, tables.by_method(e, s)) for s in e.sets],
        "comparisons": tables.comparisons(e),
        "ranks": tables.ranks(e),
        "every_number": tables.every_number(e),
        "folds": tables.by_fold(e),
        "strips": _strips(e),
        "all_cases": tables.all_cases(e),
        "viewer": viewer.make(e),
        "pictures": _pictures(e),
        "curves": _curves(e),
        "data": tables.data(e),
        "split": tables.split(e),
        "prose": prose,
        "references": prose.references(),
        "parameters": tables.parameters(e),
        "cards": [(m, f, tables.flat(card.get("training", {}))) for (m, f), card in e.cards.items()],
        "origin": words.origin(facts["git"]),
        "runs": provenance.kinds(facts),
        "facts": facts,
        "hashes": provenance.every_hash(e, facts),
    }


def render(e: Experiment, facts: dict[str, Any] | None = None) -> str:
    """The page as text. Every value that comes from data or parameters is escaped by the template."""
    facts = provenance.gather(e) if facts is None else facts
    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    template = environment.get_template("report.html.j2")
    style, *scripts = ((HERE / n).read_text(encoding="utf-8") for n in ("report.css", "viewer.js", "report.js"))
    return template.render(context(e, facts), css=Markup(style), js=Markup("\n".join(scripts))) + "\n"


def write(e: Experiment, path: str | Path, facts: dict[str, Any] | None = None) -> None:
    """Write the report atomically; the same inputs give the same bytes."""
    write_text(path, render(e, facts))
