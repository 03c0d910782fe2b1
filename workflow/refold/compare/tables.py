"""The tables of a comparison: for the page, as CSV, and short for the terminal."""

from __future__ import annotations

import math
from pathlib import Path
from typing import Any

from refold.compare import words
from refold.compare.differences import Keys
from refold.compare.pairs import Pair
from refold.compare.reading import Run
from refold.core.files import write_csv
from refold.core.language import _, joined, plural
from refold.imaging import lengths
from refold.report.cells import NOT_DEFINED, Cell, Row, Table, label_name, number, p_value, shown
from refold.report.sections.cautions import Caution
from refold.report.tables import COMPARED, count_of, decimals, metric, unit
from refold.settings.names import MEAN

METRICS_CSV = (
    "set", "run_a", "run_b", "method_a", "method_b", "label", "metric", "cases", "left_out", "mean_a", "mean_b", "n",
    "difference", "ci_low", "ci_high", "test", "p", "p_holm", "better",
)  # fmt: skip
CASES_CSV = (
    "set", "run_a", "run_b", "method_a", "method_b", "case", "patient", "folds_a", "folds_b", "label",
    "dice_a", "dice_b", "difference",
)  # fmt: skip


def dimension(runs: list[Run]) -> int:
    """Of the data set; 3 where no run tells."""
    return next((r.description.dimension for r in runs if r.description), 3)


def voxel(runs: list[Run]) -> float:
    """Voxel size within a slice in mm, by which decimals are chosen; 1 where no run tells."""
    return next((lengths.voxel(list(r.cases.values())) for r in runs if r.cases), 1.0)


def metrics(pairs: list[Pair], every: bool = False) -> Table:
    """The metrics side by side, of pairs of the same two runs: the main ones, or all that are compared."""
    first, second = pairs[0].runs
    size, fine = dimension([first, second]), voxel([first, second])
    rows = []
    several = len({p.methods for p in pairs}) > 1
    sets = len({p.set for p in pairs}) > 1
    for pair in pairs:
        for r in pair.rows:
            if r["metric"] not in COMPARED and not every:
                continue
            digits = decimals(r["metric"], fine)
            small = words.interval(r, digits)
            difference = Cell(words.signed(r["difference"], digits), _key(r["difference"], digits), small, True)
            cells = [
                *([Cell(words.evaluation(pair))] if sets else []),
                *([Cell(words.method(pair))] if several else []),
                Cell(_(metric(r["metric"]).title), None, unit(r["metric"], size)),
                label_name(r["label"]),
                number(r["cases"], 0, words.patients(r["n"])),
                number(r["mean_a"], digits),
                number(r["mean_b"], digits),
                difference,
                _p(r),
                Cell(words.judged(r, pair)),
            ]
            rows.append(Row(cells, r["label"] == MEAN))
    return Table([*words.metric_columns(sets, several, first, second)], rows)


def _p(row: dict[str, Any]) -> Cell:
    """The corrected p value, beneath it the other where that is another."""
    cell, before = p_value(row["p_holm"]), p_value(row["p"])
    alone = "" if cell.text == before.text else words.alone(before.text)
    return Cell(cell.text, cell.key if cell.key is not None else cell.text, alone, True)


def _key(value: float, digits: int) -> str:
    """What a signed number is sorted by."""
    return "" if math.isnan(value) else shown(value, digits)


def failures(pairs: list[Pair]) -> Table | None:
    """Labels missed, of the cases compared that have them, and false positives, of the others; None if not known."""
    sets = len({p.set for p in pairs}) > 1
    rows = []
    for pair in pairs:
        for label, (a, b) in (pair.empty or {}).items():
            # where the label is it can be missed, elsewhere there can be a false positive
            absent = [side["false_positive"] + side["both_empty"] for side in (a, b)]
            present = [sum(len(c.folds[i]) for c in pair.changes) - absent[i] for i in (0, 1)]
            counts = [
                _of(side[state], all_)
                for state, these in (("missed", present), ("false_positive", absent))
                for side, all_ in zip((a, b), these, strict=True)
            ]
            head = [Cell(words.evaluation(pair))] if sets else []
            rows.append(Row([*head, Cell(words.method(pair)), label_name(label), *counts]))
    return Table(words.failure_columns(sets, *pairs[0].runs), rows) if rows else None


def _of(count: int, all_: int) -> Cell:
    """``5 of 7``, sorted by the share."""
    if not all_:
        return Cell(NOT_DEFINED, "", numeric=True)
    return Cell(count_of({"count": count, "of": all_}), shown(count / all_, 6), numeric=True)


def cases(pair: Pair) -> Table:
    """Every case compared, the largest losses first."""
    first, second = pair.runs
    several = len(pair.labels) > 1
    labels = ([MEAN] if several else []) + pair.labels
    rows = []
    for c in sorted(pair.changes, key=lambda c: (math.isnan(c.difference), c.difference, c.case)):
        cells = [Cell(c.case), Cell(c.patient), *(Cell(words.folds(f)) for f in c.folds)]
        for label in labels:
            gain = c.gain(label)
            cells += [
                number(worth, 4, words.empty(dice)) for worth, dice in zip(c.worth[label], c.dice[label], strict=True)
            ]
            cells.append(Cell(words.signed(gain), _key(gain, 4), "", True))
        rows.append(Row(cells, anchor=c.anchor))
    return Table(words.case_columns(labels, first, second), rows)


def parameters(keys: Keys, runs: list[Run]) -> Table:
    """Keys that differ, a column a run."""
    return Table(words.key_columns(runs), [Row([Cell(key), *map(Cell, values)]) for key, values in keys.rows])


# ---------------------------------------------------------------- CSV


def _pair(pair: Pair) -> dict[str, str]:
    (a, b), (x, y) = pair.runs, pair.methods
    return {"set": pair.set, "run_a": a.place.given, "run_b": b.place.given, "method_a": x, "method_b": y}


def write(page: Path, runs: list[Run], pairs: list[Pair], keys: Keys | None) -> list[Path]:
    """Write the tables beside the page: ``<page>.metrics.csv``, ``.cases.csv`` and, where known, ``.parameters.csv``.

    Returns:
        the files written.
    """
    files = [page.with_name(f"{page.stem}.{name}.csv") for name in ("metrics", "cases", "parameters")]
    write_csv(files[0], METRICS_CSV, [r for p in pairs for r in p.rows])
    rows = [
        {
            **_pair(p),
            "case": c.case,
            "patient": c.patient,
            "folds_a": words.folds(c.folds[0]),
            "folds_b": words.folds(c.folds[1]),
            "label": label,
            "dice_a": a,
            "dice_b": b,
            "difference": c.gain(label),
        }
        for p in pairs
        for c in p.changes
        for label, (a, b) in c.worth.items()
        if label != MEAN or len(p.labels) > 1
    ]
    write_csv(files[1], CASES_CSV, rows)
    if keys is None:
        files[2].unlink(missing_ok=True)
        return files[:2]
    columns = ["key", *(f"{r.mark}: {r.place.given}" for r in runs)]
    write_csv(files[2], columns, [dict(zip(columns, [key, *values], strict=True)) for key, values in keys.rows])
    return files


# ---------------------------------------------------------------- terminal


def short(runs: list[Run], pairs: list[Pair], cautions: list[Caution]) -> str:
    """Runs, Dice by method and label in aligned columns, and what is to be known first; the page tells the rest."""
    found = []
    for pair in pairs:
        for r in pair.rows:
            if r["metric"] != "dice":
                continue
            found.append(
                [
                    words.heading(pair, pairs),
                    words.label_words(r["label"]),
                    shown(r["mean_a"]),
                    shown(r["mean_b"]),
                    words.signed(r["difference"]),
                    words.interval(r) or NOT_DEFINED,
                    words.p(r["p_holm"]),
                    words.judged(r, pair),
                ]
            )
    several = len({p.runs[1].mark for p in pairs}) > 1
    head = words.short_columns(*pairs[0].runs, several)
    widths = [max(len(row[i]) for row in [head, *found]) for i in range(len(head))]
    lines = ["  ".join(text.ljust(w) for text, w in zip(row, widths, strict=True)).rstrip() for row in [head, *found]]
    rightly = sorted({c.case for pair in pairs for c in pair.changes if c.empty})
    lines += (
        [f"Dice counts as 1 where a label is rightly left empty: {plural(len(rightly), 'case')}"] if rightly else []
    )
    return "\n".join([*map(words.line, runs), "", *lines, "", *map(words.warning, (c for c in cautions if c.serious))])


def facts(runs: list[Run]) -> list[tuple[str, list[Any]]]:
    """What was compared: a line a fact, a column a run."""
    cases, patients = zip(*(words.tested(r) for r in runs), strict=True)
    return [
        ("named", [r.place.given for r in runs]),
        ("kind", [words.kind(r) for r in runs]),
        ("commit", [words.commit(r) for r in runs]),
        ("date", [words.date(r) for r in runs]),
        ("dataset", [r.description.name if r.description else _(words.NOT_KNOWN) for r in runs]),
        ("cases", list(cases)),
        ("patients", list(patients)),
        ("methods", [joined(r.methods) for r in runs]),
        ("labels", [joined(r.labels) for r in runs]),
        ("evaluations", [joined(_(words.SETS[s]) for s in r.sets) for r in runs]),
        ("data", words.agreement(runs, "data")),
        ("split", words.agreement(runs, "split")),
    ]
