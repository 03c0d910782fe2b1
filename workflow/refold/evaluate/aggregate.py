"""All folds of all methods together: tables, intervals, comparisons."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from itertools import combinations
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd

from refold.core import log, seals
from refold.core.errors import RefoldError
from refold.core.files import number, read_csv, sha256_file, sha256_json, significant, write_csv, write_json
from refold.core.paths import FOLDS, SPLITS, TABLES
from refold.evaluate import agreement, counts, uncertainty, variance
from refold.evaluate.fold import COLUMNS
from refold.evaluate.metrics import COMPARED, METRICS, REGISTRY, VOLUMES
from refold.evaluate.paired import better, comparable, limits, paired, with_means
from refold.evaluate.statistics import by_patient, holm, interval, ranks
from refold.settings.evaluate import Evaluate
from refold.settings.names import ALL, CV, HOLDOUT, MEAN
from refold.settings.stamps import Stamps

STATES = ("both_empty", "false_positive", "missed")
SUMMARY = (
    "set", "method", "fold", "label", "metric", "n", "n_nan", "mean", "sd", "median", "min", "max", "ci_low", "ci_high",
    *(f"n_{s}" for s in STATES),
)  # fmt: skip
OWN = ("table", "predictions")  # hashes of a fold alone
HEADLINES = ("dice", "nsd", "hd95_penalised")  # of the mean over the labels, in metrics.json; of a label its Dice
COMPARISONS = (
    "set", "method_a", "method_b", "label", "metric", "n", "cases", "left_out", "mean_a", "mean_b", "difference",
    "ci_low", "ci_high", "test", "p", "p_holm", "better",
)  # fmt: skip
RANKS = (
    "set", "label", "metric", "method", "n", "left_out", "mean", "rank", "rank_low", "rank_high", "share_same",
    "share_first",
)  # fmt: skip


@dataclass(frozen=True)
class Fold:
    """One evaluated fold. rows: of its CSV file, as text. about: its JSON file."""

    method: str
    fold: str
    file: Path
    rows: list[dict[str, str]]
    about: dict[str, Any]


def _flat(hashes: dict[str, Any], prefix: str = "") -> dict[str, str]:
    """Nested hashes as dotted keys."""
    found: dict[str, str] = {}
    for key, value in hashes.items():
        found |= _flat(value, f"{prefix}{key}.") if isinstance(value, dict) else {prefix + key: value}
    return found


def read(folder: Path, methods: list[str], folds: list[str], evaluate: Evaluate) -> list[Fold]:
    """Read the folds and refuse those that do not belong together.

    Data, split and every section of the parameters that two folds share must be the same, and `evaluate` that of now;
    within a method, so must the models behind the held-out set and the folds.

    Raises:
        RefoldError: a file is missing, altered, or disagrees with another; names the files and what differs.
    """
    found: list[Fold] = []
    seen: dict[str, tuple[str, Path]] = {
        "evaluate": (sha256_json(evaluate.model_dump(mode="json")), Path("params.yaml"))
    }
    for method in methods:
        for fold in folds:
            file = folder / method / f"fold-{fold}.json"
            about = seals.read(file)
            table = file.with_suffix(".csv")
            rows = read_csv(table)
            hashes = about["hashes"]
            seals.check(table, hashes.get("table"), file)
            for key in ("data", "split", "evaluate"):
                if key not in hashes:
                    raise RefoldError(f"{file} lacks the hash {key!r}; evaluate that fold again")
            for key, value in _flat(hashes).items():
                if key in OWN:
                    continue
                # the models of a fold are its method's own; all else is shared
                name = f"{method} {key}" if key.startswith("models.") else key
                other, where = seen.setdefault(name, (value, file))
                if value != other:
                    raise RefoldError(
                        f"{file} and {where} disagree about {key} ({value[:12]}, {other[:12]}): they come from "
                        "different runs and may not be averaged; let snakemake make the older again"
                    )
            found.append(Fold(method, fold, table, rows, about))
    return found


def _frame(folds: list[Fold], regions: Collection[str]) -> pd.DataFrame:
    rows = pd.DataFrame([r for f in folds for r in f.rows], columns=list(COLUMNS))
    if rows.empty:
        raise RefoldError(f"{folds[0].file} holds no case; evaluate that fold again")
    return frame(rows, regions)


def frame(rows: pd.DataFrame, regions: Collection[str], metrics: Iterable[str] = METRICS) -> pd.DataFrame:
    """A row for each (fold, case), a column for each (label, metric) that there is.

    Label ``mean`` is the mean over the labels; regions, which hold labels again, have no part in it.

    Args:
        rows: of cases.csv, the values as text or numbers.
        regions: names of the labels that are regions.
        metrics: those wanted.

    Raises:
        ValueError: a value is no number, or stands twice.
    """
    metrics, labels = list(metrics), list(dict.fromkeys(rows["label"]))
    rows = rows.assign(value=rows["value"].astype(float))
    table = rows.pivot(index=["fold", "case"], columns=["label", "metric"], values="value")
    table = with_means(table, regions)
    return table[[(label, m) for label in (*labels, MEAN) for m in metrics if (label, m) in table.columns]]


def _states(folds: list[Fold], regions: Collection[str]) -> dict[str, Counter]:
    """How often each label was empty, and how; label ``mean`` counts all labels, regions not among them."""
    found: dict[str, Counter] = {MEAN: Counter()}
    for fold in folds:
        for states in fold.about["empty"].values():
            for label, state in states.items():
                found.setdefault(label, Counter())[state] += 1
                found[MEAN][state] += label not in regions
    return found


def _reliability(folds: list[Fold]) -> dict[str, np.ndarray]:
    """The sums of the folds' tables of reliability, by label."""
    found: dict[str, np.ndarray] = {}
    for fold in folds:
        for label, bins in fold.about["reliability"].items():
            found[label] = found.get(label, 0) + np.array(bins)
    return found


def _row(values: pd.Series, patients: dict[str, str], evaluate: Evaluate, metric: str) -> dict[str, float | str]:
    known = values.dropna()
    low, high = interval(
        evaluate.interval, *by_patient(values.to_numpy(), [patients[c] for c in values.index]),
        evaluate.bootstrap, evaluate.confidence, evaluate.seed, limits=limits(metric),
    )  # fmt: skip
    some = len(known) > 0
    found = {
        "mean": known.mean() if some else math.nan,
        "sd": known.std(ddof=1) if len(known) > 1 else math.nan,
        "median": known.median() if some else math.nan,
        "min": known.min() if some else math.nan,
        "max": known.max() if some else math.nan,
        "ci_low": low,
        "ci_high": high,
    }
    if metric in VOLUMES and some:
        scale = known.abs().max()
        found = {k: significant(v, scale) for k, v in found.items()}
    return {"n": len(known), "n_nan": len(values) - len(known), **found}


def over_repeats(table: pd.DataFrame) -> pd.DataFrame:
    """One row a case: the mean over the folds that tested it."""
    return table.groupby(level="case", sort=True).mean()


def summarise(
    folds: list[Fold], table: pd.DataFrame, evaluate: Evaluate, patients: dict[str, str]
) -> Iterator[dict[str, Any]]:
    """Rows of summary.csv for one set and one method.

    ``all`` first: each case once, as its mean over the repeats; then each fold. Counts of empty labels are of
    predictions, so a case counts once a repeat.
    """
    name = HOLDOUT if folds[0].fold == HOLDOUT else CV
    parts = [(ALL, over_repeats(table), folds)]
    if name == CV:
        parts += [(f.fold, table.loc[f.fold], [f]) for f in folds]
    for fold, part, members in parts:
        states = _states(members, evaluate.regions)
        for label, metric in part.columns:
            counts = states.get(label, Counter())
            yield {
                "set": name,
                "method": folds[0].method,
                "fold": fold,
                "label": label,
                "metric": metric,
                **_row(part[label, metric], patients, evaluate, metric),
                **{f"n_{s}": counts[s] for s in STATES},
            }


def compare(
    name: str, tables: dict[str, pd.DataFrame], evaluate: Evaluate, patients: dict[str, str]
) -> Iterator[dict[str, Any]]:
    """Rows of comparisons.csv for one set: each pair of methods, label and metric.

    The difference is that of case means, a minus b; its interval draws patients; the test is on one difference a
    patient. Holm's family: the pairs of methods within a set, label and metric.

    Args:
        tables: of each method, as `comparable` gives, a row a case.
    """
    if len(tables) < 2:
        return
    columns = next(iter(tables.values())).columns
    for label in dict.fromkeys(columns.get_level_values(0)):
        for metric in COMPARED:
            there = [m for m, table in tables.items() if (label, metric) in table.columns]
            family = [
                {
                    "set": name,
                    "method_a": a,
                    "method_b": b,
                    "label": label,
                    "metric": metric,
                    **paired(tables[a][label, metric], tables[b][label, metric], patients, evaluate, metric),
                }
                for a, b in combinations(there, 2)
            ]
            corrected = holm([r["p"] for r in family])
            for row, p in zip(family, corrected, strict=True):
                row["p_holm"] = p
                row["better"] = better(row, evaluate.confidence)
                del row["favours"]
                yield row


def rank(
    name: str, tables: dict[str, pd.DataFrame], evaluate: Evaluate, patients: dict[str, str]
) -> Iterator[dict[str, Any]]:
    """Rows of ranks.csv for one set: the methods from best to worst, for each label and headline metric.

    ``rank_low`` to ``rank_high`` holds `evaluate.confidence` of the bootstrap samples by patient; ``share_same`` is the
    share of samples in which the method has the rank that it has, ``share_first`` that in which none is better.

    Args:
        tables: of each method, as `comparable` gives, a row a case.
    """
    if len(tables) < 2:
        return
    columns = next(iter(tables.values())).columns
    everybody = sorted({patients[c] for table in tables.values() for c in table.index})
    place = {p: i for i, p in enumerate(everybody)}
    tails = [(1 - evaluate.confidence) / 2, (1 + evaluate.confidence) / 2]
    for label in dict.fromkeys(columns.get_level_values(0)):
        for metric in HEADLINES:
            sums, numbers = np.zeros((2, len(tables), len(everybody)))
            for i, table in enumerate(tables.values()):
                known = table[label, metric].dropna()
                index = [place[patients[c]] for c in known.index]
                sums[i] = np.bincount(index, known, len(everybody))
                numbers[i] = np.bincount(index, minlength=len(everybody))
            higher = REGISTRY[metric].better == "higher"
            now, then = ranks(sums, numbers, evaluate.bootstrap, evaluate.seed, higher)
            # a share of samples, so that no rank lies between two
            low, high = np.full((2, len(tables)), math.nan)
            if some := len(then) > 0:
                low, high = np.quantile(then, tails, axis=0, method="inverted_cdf")
            methods = list(tables)
            for i in sorted(range(len(methods)), key=lambda i: (now[i], methods[i])):
                n = int(numbers[i].sum())
                yield {
                    "set": name,
                    "label": label,
                    "metric": metric,
                    "method": methods[i],
                    "n": n,
                    "left_out": len(tables[methods[i]]) - n,
                    "mean": sums[i].sum() / n if n else math.nan,
                    "rank": now[i],
                    "rank_low": low[i],
                    "rank_high": high[i],
                    "share_same": float((then[:, i] == now[i]).mean()) if some else math.nan,
                    "share_first": float((then[:, i] == then.min(axis=1)).mean()) if some else math.nan,
                }


def _hashes(found: list[Fold]) -> dict[str, Any]:
    """What stands behind the tables: data, split, parameters by section; by method and fold models and JSON files.

    And lengths in mm that may have been ``auto`` (``settings``), and ``warnings``.
    """
    # lengths and warnings rest on data and parameters, which are the same behind all folds
    about = found[0].about
    result: dict[str, Any] = {
        "params": {}, "models": {}, "folds": {}, "settings": about["settings"], "warnings": about["warnings"],
    }  # fmt: skip
    for fold in found:
        result["folds"].setdefault(fold.method, {})[fold.fold] = sha256_file(fold.file.with_suffix(".json"))
        for key, value in fold.about["hashes"].items():
            if isinstance(value, dict) and key != "models":  # parameters by section, code by kind
                result.setdefault(key, {}).update(value)
            elif key == "evaluate":
                result["params"][key] = value
            elif key == "models":
                result["models"].setdefault(fold.method, {}).update(value)
            elif key not in OWN:
                result[key] = value
    return result


def run(
    methods: list[str],
    folds: list[str],
    stamps: Stamps,
    folder: str | Path = FOLDS,
    output: str | Path = TABLES,
    split_file: str | Path = SPLITS,
) -> None:
    """Write the tables of `docs/reference/evaluate.md`, metrics.json and hashes.json.

    Args:
        methods, folds: in the order they are to stand in; fold ``holdout`` is the held-out test set.

    Raises:
        RefoldError: a fold is missing or comes from another run than the others, or of another split than the file.
    """
    output = Path(output)
    evaluate = stamps.read(Evaluate)
    found = read(Path(folder), methods, folds, evaluate)
    if found[0].about["hashes"]["split"] != sha256_file(split_file):
        first = found[0].file.with_suffix(".json")
        raise RefoldError(f"{first} does not belong to {split_file} as it is now; train and predict again")
    repeats = {str(f["fold"]): f["repeat"] for f in seals.read(split_file)["folds"]}
    alike = variance.twins({m: stamps.frozen(f"methods.{m}") for m in methods})
    patients = {r["case"]: r["patient"] for f in found for r in f.rows}
    sets: dict[str, dict[str, list[Fold]]] = {}
    for fold in found:
        name = HOLDOUT if fold.fold == HOLDOUT else CV
        sets.setdefault(name, {}).setdefault(fold.method, []).append(fold)
    order = [name for name in (CV, HOLDOUT) if name in sets]
    frames = {name: {m: _frame(group, evaluate.regions) for m, group in sets[name].items()} for name in order}
    tables = {name: {method: over_repeats(t) for method, t in by.items()} for name, by in frames.items()}

    todo = [(group, frames[name][method]) for name in order for method, group in sets[name].items()]
    lesions: list[dict[str, Any]] = []
    counted: list[dict[str, Any]] = []
    for name in order:
        for method, group in sets[name].items():
            own = counts.lesion_rows(name, group, patients)
            labels = [x for x in dict.fromkeys(frames[name][method].columns.get_level_values(0)) if x != MEAN]
            counted += counts.count(name, method, labels, group, own, patients, evaluate.confidence)
            lesions += [{**row, "volume": significant(row["volume"])} for row in own]
    for row in counted:
        row |= {k: significant(row[k]) for k in ("size_low", "size_high")}
    summary = [
        row for each in log.progress(todo, "summary and intervals") for row in summarise(*each, evaluate, patients)
    ]
    fair = {
        name: {m: over_repeats(comparable(t, evaluate.regions)) for m, t in by.items()} if len(by) > 1 else {}
        for name, by in frames.items()
    }
    comparisons = [row for name in order for row in compare(name, fair[name], evaluate, patients)]
    ranking = [row for name in order for row in rank(name, fair[name], evaluate, patients)]
    volumes = [row for name in order for row in agreement.agree(name, tables[name], evaluate, patients)]
    calibration = [
        row
        for name in order
        for method, group in sets[name].items()
        for row in uncertainty.reliability_rows(name, method, _reliability(group))
    ]
    selections = [
        row for name in order for method, table in tables[name].items()
        for row in uncertainty.selection(name, method, table)
    ]  # fmt: skip
    spread = [
        row
        for name in order
        for row in variance.spread(name, frames[name], tables[name], repeats if name == CV else {}, alike, COMPARED)
    ]
    metrics: dict[str, Any] = {m: {} for m in methods}
    main = summary[0]["set"]
    for row in summary:
        shown = HEADLINES if row["label"] == MEAN else HEADLINES[:1]
        if row["set"] == main and row["fold"] == ALL and row["metric"] in shown:
            value = None if np.isnan(row["mean"]) else float(number(row["mean"]))
            metrics[row["method"]].setdefault(row["label"], {})[row["metric"]] = value

    written = {
        "cases.csv": (COLUMNS, [r for f in found for r in f.rows]),
        "summary.csv": (SUMMARY, summary),
        "counts.csv": (counts.COUNTS, counted),
        "lesions.csv": (counts.LESIONS, lesions),
        "comparisons.csv": (COMPARISONS, comparisons),
        "ranks.csv": (RANKS, ranking),
        "variance.csv": (variance.COLUMNS, spread),
        "agreement.csv": (agreement.COLUMNS, volumes),
        "calibration.csv": (uncertainty.BINNED, calibration),
        "uncertainty.csv": (uncertainty.SELECTED, selections),
    }
    for name, table in written.items():
        write_csv(output / name, *table)
    write_json(output / "metrics.json", metrics)
    # last, for it says what the others are
    digests = {name: sha256_file(output / name) for name in (*written, "metrics.json")}
    seals.write(output / "hashes.json", {**_hashes(found), "tables": digests})
    for method in methods:
        log.get().info(f"{method}: mean Dice {metrics[method][MEAN]['dice']} ({main})")
