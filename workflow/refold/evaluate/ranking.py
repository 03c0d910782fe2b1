"""The methods of summary.csv from best to worst, as plain text for the end of a run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from pathlib import Path

from refold.core.files import read_csv

COLUMNS = ("rank", "method", "Dice", "95 % interval", "HD95 penalised (mm)", "cases")


def ranked(rows: list[dict[str, str]], ranks: dict[str, str], set_: str) -> list[dict[str, dict[str, str]]]:
    """{metric: row of the mean over labels} a method, best first by rank, then mean Dice; without a defined Dice last.

    Args:
        rows: of summary.csv. ranks: of each method, as ranks.csv has it; none where there is one method.
    """
    found: dict[str, dict[str, dict[str, str]]] = {}
    for row in rows:
        if (row["set"], row["fold"], row["label"]) == (set_, "all", "mean"):
            found.setdefault(row["method"], {})[row["metric"]] = row

    def key(entry: dict[str, dict[str, str]]) -> tuple[bool, float, float, str]:
        mean, method = _number(entry["dice"]["mean"]), entry["dice"]["method"]
        return math.isnan(mean), float(ranks.get(method, "inf")), -mean, method

    return sorted(found.values(), key=key)


def text(path: str | Path, level: float, failed: Mapping[str, str] | None = None) -> str:
    """The table, one block for each evaluation.

    Args:
        path: summary.csv, beside it ranks.csv.
        level: confidence of its intervals.
        failed: methods without a row of their own, and why.
    """
    rows, places = read_csv(Path(path)), read_csv(Path(path).with_name("ranks.csv"))
    blocks = []
    for set_ in dict.fromkeys(r["set"] for r in rows):
        lines = [(c.replace("95", f"{level * 100:g}", 1) if "interval" in c else c) for c in COLUMNS]
        table = [tuple(lines)]
        ranks = {
            r["method"]: r["rank"] for r in places if (r["set"], r["label"], r["metric"]) == (set_, "mean", "dice")
        }
        for place, entry in enumerate(ranked(rows, ranks, set_), start=1):
            dice = entry["dice"]
            known = not math.isnan(_number(dice["ci_low"]))
            interval = f"{_shown(dice['ci_low'])} to {_shown(dice['ci_high'])}" if known else "not known"
            hd95 = _shown(entry["hd95_penalised"]["mean"], 2)  # the plain one would gain by a missed label
            table.append((str(place), dice["method"], _shown(dice["mean"]), interval, hd95, dice["n"]))
        table += [("-", name, "failed", "", "", "") for name in failed or {}]
        widths = [max(len(row[i]) for row in table) for i in range(len(COLUMNS))]
        block = ["  ".join(cell.ljust(w) for cell, w in zip(row, widths, strict=True)).rstrip() for row in table]
        blocks.append("\n".join([f"{set_}, mean over the labels:", *block]))
    told = [f"{name}: {why}" for name, why in (failed or {}).items()]
    return "\n\n".join([*blocks, *(["\n".join(told)] if told else [])])


def _number(value: str) -> float:
    return float(value) if value else math.nan


def _shown(value: str, digits: int = 4) -> str:
    number = _number(value)
    return "-" if math.isnan(number) else f"{number:.{digits}f}"
