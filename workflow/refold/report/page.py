"""The page: gathers figures, tables and words, and writes one HTML file."""

from __future__ import annotations

import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from refold.core import log
from refold.core.files import write_text
from refold.core.language import _, joined, speaking
from refold.report import calibration, cautions, export, figures, language, pictures, provenance, tables, viewer, words
from refold.report.inputs import Experiment
from refold.settings.names import CV, HOLDOUT

HERE = Path(__file__).parent
Draw = Callable[[figures.Drawing], Markup | None]
Keep = Callable[[str, tables.Table | None], tables.Table | None]
STRIPS = ("dice", "nsd", "hd95")
LARGEST = 9.8  # MB of the whole page, unless the rest alone is more
MOST = 8  # methods in a figure that has one line or panel a method


@dataclass
class Page:
    """The page and what stands in files beside it, by name."""

    html: str
    tables: dict[str, tables.Table]
    drawings: list[figures.Drawing]


def _strips(e: Experiment, draw: Draw) -> list[dict[str, Any]]:
    there = {m for s in e.scored for v in s.values.values() for m in v}
    found = []
    for set_ in e.sets:
        scored = [s for s in e.scored if (s.fold == HOLDOUT) == (set_ == HOLDOUT)]
        for name in STRIPS:
            if name not in there:
                continue
            m, unit = tables.metric(name), tables.unit(name, e.description.dimension)
            drawing = figures.strip(
                e, scored, name, _(m.title), unit, tables.decimals(name, e.voxel), f"strip-{set_}-{name}"
            )
            found.append({"set": set_, "svg": draw(drawing)})
    return found


def _best(e: Experiment, set_: str) -> list[str]:
    """The methods that figures with a panel or line a method show: the best ones, in the order of the experiment."""
    best = {m for m, _ in words.ranking(e, set_)[:MOST]}
    return [m for m in e.methods if m in best]


def _volumes(e: Experiment, draw: Draw) -> list[dict[str, Any]]:
    """Bland-Altman figures of the best methods, by evaluation and method."""
    rows = {(r["set"], r["method"], r["label"]): r for r in e.agreement}
    unit, digits = tables.unit("volume", e.description.dimension), tables.decimals("volume", e.voxel)
    found = []
    for set_ in e.sets:
        for method in _best(e, set_):
            scored = [s for s in e.scored if s.method == method and (s.fold == HOLDOUT) == (set_ == HOLDOUT)]
            index = e.methods.index(method)
            svgs = [
                draw(figures.bland_altman(scored, label, row, index, unit, digits, f"volumes-{set_}-{index}-{i}"))
                for i, label in enumerate(e.parts)
                if (row := rows.get((set_, method, label))) is not None
            ]
            found.append({"set": set_, "method": method, "svgs": svgs})
    return found


def _curves(e: Experiment, draw: Draw) -> list[dict[str, Any]]:
    """A figure a quantity: the loss that is minimised and the cross-entropy of the inner validation differ in scale."""
    found = []
    for index, method in enumerate(e.methods):
        histories = {f: h for (m, f), h in e.histories.items() if m == method and h}
        if not histories:
            continue
        each = (
            ("loss", _("Training: {loss}", loss=words.loss(e.params.train_of(method).loss)), "loss"),
            ("validation_loss", _("Inner validation: cross-entropy"), "validation-loss"),
            ("validation_dice", _("Inner validation: Dice"), "dice"),
        )
        drawings = [
            figures.curves(histories, column, title, f"curve-{index}-{name}")
            for column, title, name in each
            if figures.drawable(histories, column)
        ]
        if drawings:
            found.append({"method": method, "svgs": [draw(d) for d in drawings]})
    return found


def _figures(e: Experiment, draw: Draw) -> dict[str, list[dict[str, Any]]]:
    """All figures, as the template takes them."""
    return {
        "strips": _strips(e, draw),
        "curves": _curves(e, draw),
        "volumes": _volumes(e, draw),
        "reliability": calibration.drawings(e, {s: _best(e, s) for s in e.sets}, draw),
    }


def _pictures(e: Experiment) -> list[dict[str, Any]]:
    found = []
    for method in e.methods:
        scored = [s for s in e.scored if s.method == method and s.fold != HOLDOUT]
        chosen = pictures.choose(scored, e.params.report.cases)
        shown = []
        for word, one in log.progress(chosen, f"pictures of {method}"):
            numbers = joined(f"{label} {tables.shown(one.values[label]['dice'])}" for label in e.labels)
            shown.append({"rank": word, "picture": pictures.picture(e, one), "dice": numbers})
        found.append({"method": method, "cases": shown})
    return found


def context(e: Experiment, facts: dict[str, Any], draw: Draw, keep: Keep) -> dict[str, Any]:
    """Everything the template shows.

    Args:
        facts: where the results come from, as `provenance.gather` gives.
        draw: takes a drawing and gives what stands in the page. keep: takes a table by its name and gives it.
    """
    prose, data = words.methods(e), tables.data(e)
    keep("data", data["cases"])
    found = cautions.collect(e)
    dimension = e.description.dimension
    best = words.ranking(e)[0][0]
    headline = [
        {"title": tables.heading(e, name), "note": _(tables.metric(name).note), **tables.headline(e, best, name)}
        for name in ("dice", "nsd", "hd95_penalised")
        if e.row(CV, best, words.MEAN, name) is not None
    ]
    return {
        "e": e,
        "title": e.params.report.title,
        "findings": [words.finding(e, s) for s in e.sets],
        "headline": headline,
        "best": best,
        "level": words.level(e),
        "alpha": words.alpha(e.params.evaluate.confidence),
        "tolerance": f"{e.length('nsd_tolerance'):g} {'mm' if dimension == 3 else 'px'}",
        "evaluations": tables.evaluations(e),
        "cautions": found,
        "fitted": cautions.fitted(e),
        "failures": keep("failures", tables.failure_table(e)),
        "tiles": tables.failure_tiles(e, best),
        "methods": [(s, keep(f"methods-{s}", tables.by_method(e, s))) for s in e.sets],
        "comparisons": keep("comparisons", tables.comparisons(e)),
        "ranks": keep("ranks", tables.ranks(e)),
        "lesions": keep("lesions", tables.lesions(e)),
        "lesion_sizes": keep("lesion-sizes", tables.lesion_sizes(e)),
        "every_number": keep("every-number", tables.every_number(e)),
        "folds": keep("folds", tables.by_fold(e)),
        "variance": keep("variance", tables.variance(e)),
        "all_cases": keep("all-cases", tables.all_cases(e)),
        "viewer": None,
        "pictures": _pictures(e),
        "most": MOST,
        "agreement": keep("agreement", tables.agreement(e)),
        "uncertainty": keep("uncertainty", tables.uncertainty(e)),
        **_figures(e, draw),
        "data": data,
        "split": tables.split(e),
        "prose": prose,
        "references": prose.references(),
        "parameters": tables.parameters(e),
        "cards": [(m, f, tables.flat(card.get("training", {}))) for (m, f), card in e.cards.items()],
        "origin": words.origin(facts["git"]),
        "runs": provenance.kinds(facts),
        "facts": facts,
        "libc": provenance.LIBC,
        "hashes": provenance.every_hash(e, facts),
    }


def render(e: Experiment, facts: dict[str, Any] | None = None) -> Page:
    """The page, in the language of `report.language`. Every value from data or parameters is escaped by the template.

    Figures that stand in files are in English whatever the language: fonts with its letters differ between machines.
    """
    facts = provenance.gather(e) if facts is None else facts
    kept: dict[str, tables.Table] = {}
    drawn: list[figures.Drawing] = []

    def draw(drawing: figures.Drawing) -> Markup:
        drawn.append(drawing)
        return Markup(drawing.inline())

    def keep(name: str, table: tables.Table | None) -> tables.Table | None:
        if table is not None:
            kept[name] = table
        return table

    environment = Environment(
        loader=FileSystemLoader(HERE), autoescape=True, undefined=StrictUndefined, trim_blocks=True, lstrip_blocks=True
    )
    language.equip(environment)
    template = environment.get_template("report.html.j2")
    style, *scripts = ((HERE / n).read_text(encoding="utf-8") for n in ("report.css", "viewer.js", "report.js"))
    catalogue = language.catalogue(e.params.report.language)
    with speaking(catalogue):
        shown = context(e, facts, draw, keep)
        shown |= {"css": Markup(style), "js": Markup(language.script("\n".join(scripts)))}
        # the viewer gets what the rest leaves of the page
        rest = len(template.render(shown).encode()) / 1e6
        room = LARGEST - rest if e.params.report.viewer_mb <= 10 else math.inf
        text = template.render(shown | {"viewer": viewer.make(e, room)}) + "\n"
    if catalogue is not None:
        drawn.clear()
        with speaking(None):
            _figures(e, drawn.append)
        if catalogue.lacking:
            log.get().warning("not translated into %s: %s", e.params.report.language, "; ".join(catalogue.lacking))
    return Page(text, kept, drawn)


def write(e: Experiment, path: str | Path, facts: dict[str, Any] | None = None) -> None:
    """Write the report and, in folders beside it, its tables and figures; the same inputs give the same bytes."""
    page = render(e, facts)
    folder = Path(path).parent
    with speaking(language.catalogue(e.params.report.language)):
        export.tables(page.tables, folder / "tables")
    export.figures(page.drawings, folder / "figures")
    write_text(path, page.html)
