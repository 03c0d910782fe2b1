"""The page of a comparison, and ``refold compare`` from its arguments to its files."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from markupsafe import Markup

from refold.compare import differences, figures, locations, pairs, pictures, reading, tables, words
from refold.compare.pairs import Pair
from refold.compare.reading import Run
from refold.core.errors import RefoldError
from refold.core.files import write_text
from refold.core.language import _, speaking
from refold.core.paths import RAW
from refold.report import templates, translations
from refold.report.prose.writing import alpha
from refold.report.sections.cautions import Caution
from refold.run import graph
from refold.settings.evaluate import Evaluate
from refold.settings.names import MEAN

HERE = Path(__file__).parent
FOLDER = Path("results/compare")
CASES = 3  # pictured in each direction


def _scatters(pair: Pair) -> list[Markup]:
    labels = ([MEAN] if len(pair.labels) > 1 else []) + pair.labels
    x, y = (words.axis(r, m) for r, m in zip(pair.runs, pair.methods, strict=True))
    return [
        Markup(
            figures.scatter(
                pair,
                label,
                (x, y),
                words.label_words(label),
                words.scatter_alt(pair, label),
                [words.hover(pair, c, label) for c in pair.changes],
            )
        )
        for label in labels
    ]


def _changed(pair: Pair, count: int) -> list[dict[str, Any]]:
    worse, better = pair.changed(count)
    return [
        {"run": run.mark, "pictures": [pictures.picture(pair, c) for c in found]}
        for run, found in zip(pair.runs, (worse, better), strict=True)
    ]


@dataclass(frozen=True)
class Comparison:
    """Runs held against each other.

    chosen: which methods of which. differing: keys of `evaluate` that do. leave: metrics that cannot be compared. keys:
    parameters that differ, where known.
    """

    runs: list[Run]
    chosen: list[tuple[Run, Run, str, str]]
    evaluate: Evaluate
    differing: list[str]
    leave: set[str]
    pairs: list[Pair]
    keys: differences.Keys | None

    @property
    def cautions(self) -> list[Caution]:
        """In the language spoken."""
        return words.cautions(self.runs, self.pairs, self.evaluate, self.differing, self.leave, self.keys)

    @property
    def language(self) -> str:
        """Of the page: that of the first run's report, if this version of refold speaks it."""
        wanted = ((self.runs[0].params or {}).get("report") or {}).get("language")
        return wanted if wanted in translations.known() else translations.ENGLISH


def hold(runs: list[Run], methods: list[str]) -> Comparison:
    """Hold the later runs against the first; ``methods`` and what is raised as of `refold.compare.pairs.choose`."""
    chosen = pairs.choose(runs, methods)
    evaluate, differing = pairs.judge(runs)
    leave = {metric for key in differing for metric in pairs.DEFINES.get(key, ())}
    found, keys = pairs.compare(chosen, evaluate, leave), differences.parameters(runs, chosen)
    return Comparison(runs, chosen, evaluate, differing, leave, found, keys)


def context(comparison: Comparison, count: int) -> dict[str, Any]:
    """Everything the template shows."""
    runs, found, evaluate, keys = comparison.runs, comparison.pairs, comparison.evaluate, comparison.keys
    versions, code = differences.versions(runs), differences.code(runs)
    said = words.settings(evaluate)
    seconds = list(dict.fromkeys(p.runs[1].mark for p in found))
    groups = [[p for p in found if p.runs[1].mark == mark] for mark in seconds]
    names = differences.renamed(runs, comparison.chosen)
    return {
        "title": words.title(runs),
        "runs": runs,
        "whose": words.whose,
        "facts": [(_(words.FACTS[name]), values) for name, values in tables.facts(runs)],
        "findings": [words.finding(p, said["level"]) for p in found],
        "cautions": comparison.cautions,
        "level": said["level"],
        "test": said["test"],
        "alpha": alpha(evaluate.confidence),
        "bootstrap": evaluate.bootstrap,
        "groups": [
            {
                "first": g[0].runs[0],
                "second": g[0].runs[1],
                "metrics": tables.metrics(g),
                "every": tables.metrics(g, every=True),
                "failures": tables.failures(g),
            }
            for g in groups
        ],
        "pairs": [
            {
                "pair": p,
                "heading": words.heading(p, found),
                "scatters": _scatters(p),
                "cases": tables.cases(p),
                "changed": _changed(p, count),
            }
            for p in found
        ],
        "count": count,
        "signed": words.signed,
        "picture_alt": words.picture_alt,
        "dice_words": words.dice_words,
        "parameters": tables.parameters(keys, runs) if keys else None,
        "renamed": [(r.mark, b, a) for r in runs for b, a in names[r.mark].items()],
        "versions": tables.parameters(versions, runs) if versions else None,
        "code": None if code is None else [_(phase) for phase in code],
        "language": comparison.language,
    }


def render(values: dict[str, Any]) -> str:
    """The page as text. Every value that comes from data or parameters is escaped by the template."""
    template = templates.environment(HERE).get_template("compare.html.j2")
    return template.render(values, **templates.assets(HERE / "compare.css"))


def _slug(text: str) -> str:
    return re.sub(r"[^\w.-]+", "_", text).strip("._-") or "run"


def destination(out: str | None, found: list[locations.Place], here: Path) -> Path:
    """Where the page goes.

    Raises:
        RefoldError: ``out`` is no HTML file, or lies where DVC or Snakemake keep results.
    """
    if out is None:
        return FOLDER / f"{'-'.join(_slug(p.name) for p in found)}.html"
    path = here / out
    if path.suffix.lower() != ".html" or path.is_dir():
        raise RefoldError(f"--out {out}: a file that ends in .html is wanted; the tables go beside it")
    inside = path.resolve()
    kept = [o for outs in graph.OUTS.values() for o in outs] + [RAW, graph.METRICS]
    for name in kept:
        whole = Path(name).resolve()
        if inside == whole or inside.is_relative_to(whole):
            raise RefoldError(
                f"--out {out} lies in {name}, which DVC keeps and empties; take {FOLDER} or another folder"
            )
    return path


def compare(
    names: list[str], methods: list[str], out: str | None, here: Path, count: int = CASES
) -> tuple[str, list[Path]]:
    """Compare runs and write the page with its tables.

    Args:
        names: two or more runs; one is held against the project of the current folder.
        methods: which are paired; see `refold.compare.pairs.choose`.
        out: the page; default: in `FOLDER`, named after the runs.
        here: what paths are relative to.
        count: cases pictured in each direction.

    Returns:
        what the terminal shows, always in English, and the files written.

    Raises:
        RefoldError: a run is not found, damaged or has nothing in common with the first.
    """
    if count < 0:
        raise RefoldError(f"--cases {count}: 0 or more is wanted")
    wanted = [(name, here) for name in names]
    if len(wanted) == 1:
        wanted.append((".", Path.cwd()))
    with locations.opened(wanted) as found:
        page = destination(out, found, here)
        made = hold(reading.read_all(found), methods)
        with speaking(translations.catalogue(made.language)):
            write_text(page, render(context(made, count)))
        files = tables.write(page, made.runs, made.pairs, made.keys)
        return tables.short(made.runs, made.pairs, made.cautions), [page, *files]
