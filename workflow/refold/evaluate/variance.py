"""How much the mean of a method depends on the fold, the repeat of the split and the seed."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

import pandas as pd

from refold.core.files import sha256_json

COLUMNS = (
    "set", "method", "label", "metric", "n_folds", "sd_folds", "n_repeats", "sd_repeats", "n_seeds", "sd_seeds",
)  # fmt: skip


def twins(entries: dict[str, dict[str, Any]]) -> dict[str, list[str]]:
    """Of each method those that differ from it in their seed alone, itself among them; one for each seed.

    Args:
        entries: the frozen entry under ``methods`` of each; its seed is `train.seed`, of a classical method ``seed``.
    """
    groups: dict[str, dict[int | None, str]] = {}
    keys = {}
    for method, entry in entries.items():
        rest = {k: v for k, v in entry.items() if k != "seed"}
        seed = entry.get("seed")
        if "train" in entry:
            rest["train"] = {k: v for k, v in entry["train"].items() if k != "seed"}
            seed = entry["train"]["seed"]
        keys[method] = sha256_json(rest)
        groups.setdefault(keys[method], {}).setdefault(seed, method)
    return {method: list(groups[key].values()) for method, key in keys.items()}


def spread(
    name: str,
    frames: dict[str, pd.DataFrame],
    whole: dict[str, pd.DataFrame],
    repeats: dict[str, int],
    alike: dict[str, list[str]],
    metrics: tuple[str, ...],
) -> Iterator[dict[str, Any]]:
    """Rows of variance.csv for one set: standard deviations (n - 1) of means.

    Between the folds of one repeat, pooled over the repeats; between repeats all of whose folds were run, of the mean
    over all cases; between methods that differ in their seed alone, of the mean over all cases and repeats.

    Args:
        frames: of each method a row for each (fold, case). whole: a row for each case, the mean over its folds.
        repeats: the repeat of each fold of the split; a fold that is not among them has no spread between folds.
        alike: as `twins` gives. metrics: those wanted.
    """
    over_cases = {method: table.mean() for method, table in whole.items()}
    members: dict[int, list[str]] = {}
    for fold, repeat in repeats.items():
        members.setdefault(repeat, []).append(fold)
    for method, table in frames.items():
        folds = table.groupby(level="fold").mean()
        run = {r: [f for f in fs if f in folds.index] for r, fs in members.items()}
        means = pd.DataFrame(
            [table[table.index.isin(fs, level="fold")].mean() for r, fs in run.items() if fs and fs == members[r]],
            columns=table.columns,
        )
        seeds = pd.DataFrame([over_cases[m] for m in alike[method]])
        for label, metric in table.columns:
            if metric not in metrics:
                continue
            values = [folds.loc[fs, (label, metric)].dropna() for fs in run.values()]
            freedom = sum(len(v) - 1 for v in values if len(v))
            squares = sum(float(((v - v.mean()) ** 2).sum()) for v in values)
            yield {
                "set": name,
                "method": method,
                "label": label,
                "metric": metric,
                "n_folds": sum(map(len, values)),
                "sd_folds": math.sqrt(squares / freedom) if freedom else math.nan,
                "n_repeats": int(means[label, metric].count()),
                "sd_repeats": means[label, metric].std(ddof=1),
                "n_seeds": int(seeds[label, metric].count()),
                "sd_seeds": seeds[label, metric].std(ddof=1),
            }
