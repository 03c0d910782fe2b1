"""The page: gathers what its sections show, and writes one HTML file."""

from __future__ import annotations

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refold.core import log
from refold.core.files import write_text
from refold.core.language import speaking
from refold.report import export, provenance, tables, templates, translations
from refold.report.export import Kept
from refold.report.inputs import Experiment
from refold.report.prose.writing import alpha, level
from refold.report.sections import (
    calibration,
    cases,
    cautions,
    comparison,
    dataset,
    examples,
    finding,
    folds,
    origin,
    parameters,
    viewer,
    volumes,
    words,
)

LARGEST = 9.8  # MB of the whole page, unless the rest alone is more
# what each has beside its template is a function `context`; the viewer, which takes what is left of the page, and the
# origin of the results stand apart
SECTIONS = (
    finding,
    cautions,
    comparison,
    cases,
    examples,
    folds,
    volumes,
    calibration,
    dataset,
    words,
    parameters,
)
DRAWN = (cases, folds, volumes, calibration)  # sections with `drawings`, which stand in files too


@dataclass
class Page:
    """The page and what stands in files beside it."""

    html: str
    kept: Kept


def context(e: Experiment, facts: dict[str, Any], kept: Kept) -> dict[str, Any]:
    """Everything the template shows but the viewer.

    Args:
        facts: where the results come from, as `provenance.gather` gives.
        kept: gets what stands in files too.
    """
    shown = {
        "e": e,
        "title": e.params.report.title,
        "level": level(e),
        "alpha": alpha(e.params.evaluate.confidence),
        "evaluations": tables.evaluations(e),
        "viewer": None,
    }
    for section in SECTIONS:
        shown |= section.context(e, kept)
    return shown | origin.context(e, facts)


def render(e: Experiment, facts: dict[str, Any] | None = None) -> Page:
    """The page, in the language of `report.language`. Every value from data or parameters is escaped by the template.

    Figures that stand in files are in English whatever the language: fonts with its letters differ between machines.
    """
    facts = provenance.gather(e) if facts is None else facts
    kept = Kept()
    template = templates.environment().get_template("report.html.j2")
    catalogue = translations.catalogue(e.params.report.language)
    with speaking(catalogue):
        shown = context(e, facts, kept) | templates.assets(viewer=True)
        # the viewer gets what the rest leaves of the page
        rest = len(template.render(shown).encode()) / 1e6
        room = LARGEST - rest if e.params.report.viewer_mb <= 10 else math.inf
        text = template.render(shown | {"viewer": viewer.make(e, room)})
    if catalogue is not None:
        kept.drawings.clear()
        with speaking(None):
            for section in DRAWN:
                section.drawings(e, kept)
        if catalogue.lacking:
            log.get().warning("not translated into %s: %s", e.params.report.language, "; ".join(catalogue.lacking))
    return Page(text, kept)


def write(e: Experiment, path: str | Path, facts: dict[str, Any] | None = None) -> None:
    """Write the report and, in folders beside it, its tables and figures; the same inputs give the same bytes."""
    page = render(e, facts)
    folder = Path(path).parent
    with speaking(translations.catalogue(e.params.report.language)):
        export.tables(page.kept.tables, folder / "tables")
    export.figures(page.kept.drawings, folder / "figures")
    write_text(path, page.html)
