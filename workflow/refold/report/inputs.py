"""Everything the report reads, checked once and held together."""

from __future__ import annotations

import itertools
import math
from collections.abc import Collection
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from refold.core import seals
from refold.core.errors import RefoldError
from refold.core.files import read_csv, read_json, sha256_file, sha256_json
from refold.core.paths import PARAMS
from refold.experiment.params import Params
from refold.imaging import cases as case_table
from refold.imaging import lengths, place
from refold.imaging.dataset import Description
from refold.imaging.place import Place
from refold.imaging.splits import tested
from refold.settings.names import ALL, CV, HOLDOUT, MEAN
from refold.settings.stamps import Stamps

SHARED = ("train", "augment")  # sections that a network has a copy of

SUMMARY_KEYS = ("set", "method", "fold", "label", "metric")
SUMMARY_NUMBERS = (
    "n",
    "n_nan",
    "mean",
    "sd",
    "median",
    "min",
    "max",
    "ci_low",
    "ci_high",
    "n_both_empty",
    "n_false_positive",
    "n_missed",
)
COMPARISON_KEYS = ("set", "method_a", "method_b", "label", "metric", "better")
COMPARISON_NUMBERS = ("n", "cases", "left_out", "mean_a", "mean_b", "difference", "ci_low", "ci_high", "p", "p_holm")
RANK_KEYS = ("set", "label", "metric", "method")
RANK_NUMBERS = ("n", "left_out", "mean", "rank", "rank_low", "rank_high", "share_same", "share_first")
PART_KEYS = ("set", "method", "label")
AGREEMENT_NUMBERS = (
    "n", "patients", "bias", "bias_low", "bias_high", "sd", "lower", "lower_low", "lower_high", "upper", "upper_low",
    "upper_high", "pearson", "concordance",
)  # fmt: skip
CALIBRATION_NUMBERS = ("bin", "low", "high", "n", "probability", "frequency")
UNCERTAINTY_NUMBERS = ("n", "spearman", "aurc", "aurc_best", "aurc_random", "gain")
COUNT_KEYS = (*PART_KEYS, "measure", "size")
COUNT_NUMBERS = ("size_low", "size_high", "count", "of", "patients", "share", "ci_low", "ci_high")
VARIANCE_NUMBERS = ("n_folds", "sd_folds", "n_repeats", "sd_repeats", "n_seeds", "sd_seeds")
SCORE_KEYS = ("method", "fold", "case", "patient", "label", "metric", "value")


@dataclass(frozen=True)
class Folders:
    """Where the inputs lie, relative to the project root. metrics: the tables, if not in ``results``.

    place: the file that tells where the raw data are.
    """

    data: Path = Path("data")
    results: Path = Path("results")
    params: Path = Path(PARAMS)
    metrics: Path | None = None
    place: Path = Path(place.FILE)

    @property
    def tables(self) -> Path:
        return self.metrics or self.results / "metrics"


@dataclass(frozen=True)
class Scored:
    """One case as one method's fold predicted it.

    fold: a number as text, or ``holdout``. values: {label: {metric: value}}, NaN where the metric is not defined.
    regions: the same of unions of labels. anchor: id of its row in the report; made of a number, so that no case name
    can break the page.
    """

    method: str
    fold: str
    case: str
    patient: str
    values: dict[str, dict[str, float]]
    anchor: str
    regions: dict[str, dict[str, float]] = field(default_factory=dict)

    def value(self, part: str, metric: str) -> float:
        """Of a label or region; NaN where the metric is not defined or was not measured."""
        return (self.values.get(part) or self.regions.get(part) or {}).get(metric, math.nan)

    def mean(self, metric: str) -> float:
        """Mean over the labels where the metric is defined; NaN where it is for none."""
        known = [v[metric] for v in self.values.values() if not math.isnan(v.get(metric, math.nan))]
        return sum(known) / len(known) if known else math.nan

    @property
    def defined(self) -> int:
        """How many labels have a Dice."""
        return sum(not math.isnan(v["dice"]) for v in self.values.values())

    @property
    def worst_label(self) -> str:
        """The label with the lowest defined Dice; the first label where none is defined."""
        return min(self.values, key=lambda name: (math.isnan(d := self.values[name]["dice"]), d))


@dataclass(frozen=True)
class Experiment:
    """All inputs of a report.

    folds: those run, as text, with ``holdout`` last where there is a held-out set. failed: methods that have no row,
    and why. checked: files that pictures are drawn from, once they were held against their hashes.
    """

    folders: Folders
    description: Description
    cases: dict[str, case_table.Case]
    splits: dict[str, Any]
    split_hash: str
    methods: list[str]
    folds: list[str]
    scored: list[Scored]
    summary: list[dict[str, Any]]
    counts: list[dict[str, Any]]
    comparisons: list[dict[str, Any]]
    ranks: list[dict[str, Any]]
    agreement: list[dict[str, Any]]
    calibration: list[dict[str, Any]]
    uncertainty: list[dict[str, Any]]
    variance: list[dict[str, Any]]
    metrics: dict[str, Any]
    hashes: Any
    checks: dict[str, Any]
    fingerprint: dict[str, Any]
    params: Params
    stamps: dict[str, Any]
    cards: dict[tuple[str, str], dict[str, Any]]
    histories: dict[tuple[str, str], list[dict[str, float]]]
    predictions: dict[tuple[str, str], dict[str, Any]]
    failed: dict[str, str] = field(default_factory=dict)
    checked: set[str] = field(default_factory=set)

    @cached_property
    def shown(self) -> dict[str, Any]:
        """The stamps as a reader wants them."""
        return shown(self.stamps)

    @property
    def labels(self) -> tuple[str, ...]:
        return self.description.labels.foreground

    @property
    def parts(self) -> tuple[str, ...]:
        """The labels, then the regions."""
        return (*self.labels, *self.params.evaluate.regions)

    def length(self, key: str) -> float:
        """A length of section evaluate in mm, as it was taken where params.yaml has ``auto``."""
        return float(self.hashes["settings"][key])

    @cached_property
    def voxel(self) -> float:
        """Voxel size within a slice in mm, as ``auto`` takes it."""
        return lengths.voxel(list(self.cases.values()))

    @property
    def sets(self) -> list[str]:
        """The evaluations there are: cross-validation, then the held-out test set if one was kept."""
        return [CV, HOLDOUT] if HOLDOUT in self.folds else [CV]

    @property
    def repeats(self) -> int:
        """Of how many repeats of the split there are folds: up to so many predictions has each case."""
        return len({f.get("repeat", 0) for f in self.splits["folds"] if str(f["fold"]) in self.fold_numbers})

    @property
    def fold_numbers(self) -> list[str]:
        return [f for f in self.folds if f != HOLDOUT]

    def row(self, set_: str, method: str, label: str, metric: str, fold: str = ALL) -> dict[str, Any] | None:
        """One row of summary.csv, or None."""
        return self._index.get((set_, method, fold, label, metric))

    @cached_property
    def _index(self) -> dict[tuple, dict[str, Any]]:
        return {tuple(r[k] for k in SUMMARY_KEYS): r for r in self.summary}

    @property
    def single(self) -> bool:
        """Whether there is one training and test split in place of folds."""
        return len(self.splits["folds"]) == 1

    def ordered(self, set_: str, ranked: bool = True) -> list[str]:
        """The methods from best to worst: by their rank, which counts a rightly empty case, then by mean Dice.

        Args:
            ranked: False: by mean Dice alone.
        """
        key = (set_, MEAN, "dice")
        ranks = {r["method"]: r["rank"] for r in self.ranks if ranked and (r["set"], r["label"], r["metric"]) == key}
        means = {m: row["mean"] if (row := self.row(set_, m, MEAN, "dice")) else math.nan for m in self.methods}
        undefined = {m: math.isnan(mean) for m, mean in means.items()}
        return sorted(
            self.methods, key=lambda m: (undefined[m], ranks.get(m, math.inf), 0.0 if undefined[m] else -means[m], m)
        )

    def count(self, set_: str, method: str, label: str, measure: str, size: str = ALL) -> dict[str, Any] | None:
        """One row of counts.csv, or None."""
        return self._counts.get((set_, method, label, measure, size))

    @cached_property
    def _counts(self) -> dict[tuple, dict[str, Any]]:
        return {tuple(r[k] for k in COUNT_KEYS): r for r in self.counts}

    def fold(self, fold: str) -> dict[str, list[str]]:
        """Train and test cases of a fold; the held-out set is trained on by all the others."""
        if fold == HOLDOUT:
            held = set(self.splits[HOLDOUT])
            return {"train": [c for c in self.cases if c not in held], "test": list(self.splits[HOLDOUT])}
        train: list[str] = next((f["train"] for f in self.splits["folds"] if str(f["fold"]) == fold), [])
        return {"train": train, "test": tested(self.splits, fold)}

    def prediction_file(self, method: str, fold: str, case: str) -> Path:
        """A prediction, held against the hash in its predictions.json. Raises `RefoldError` where it was changed."""
        folder = self.folders.results / "predictions" / method / f"fold-{fold}"
        entry = self.predictions[method, fold].get("cases", {}).get(case)
        if entry is None:
            raise RefoldError(f"{folder / 'predictions.json'} has no case {case!r}; run the predict phase again")
        path = folder / Path(entry["file"]).name
        if str(path) not in self.checked:
            seals.check(path, entry["sha256"], folder / "predictions.json", folder / "predictions.json")
            self.checked.add(str(path))
        return path

    def raw_case(self, case: str) -> case_table.Case:
        """A case, its raw files held against cases.csv. Raises `RefoldError` where one was changed."""
        if case not in self.checked:
            case_table.verify(self.cases[case], self.description.root)
            self.checked.add(case)
        return self.cases[case]


def _table(path: Path, keys: tuple[str, ...], numbers: tuple[str, ...]) -> list[dict[str, Any]]:
    """A CSV file with the named columns, numbers parsed (empty and ``nan`` become NaN)."""
    rows = read_csv(path)
    missing = [c for c in (*keys, *numbers) if rows and c not in rows[0]]
    if missing:
        raise RefoldError(f"{path} has no column {', '.join(missing)}; make it again with the evaluate phase")
    table = []
    for line, row in enumerate(rows, start=2):
        try:
            table.append({**{k: row[k] for k in keys}, **{k: float(row[k] or "nan") for k in numbers}})
        except (TypeError, ValueError):
            raise RefoldError(f"{path}, line {line} is damaged: a number is wanted in {', '.join(numbers)}") from None
    return table


def _scored(path: Path, methods: list[str], folds: list[str], regions: Collection[str]) -> list[Scored]:
    found: dict[tuple[str, str, str], tuple[str, dict, dict]] = {}
    for row in _table(path, SCORE_KEYS[:-1], ("value",)):
        if row["method"] not in methods or row["fold"] not in folds or row["label"] == MEAN:
            continue
        key = (row["method"], row["fold"], row["case"])
        _, labels, unions = found.setdefault(key, (row["patient"], {}, {}))
        values = unions if row["label"] in regions else labels
        values.setdefault(row["label"], {})[row["metric"]] = row["value"]
    order = sorted(found, key=lambda k: (methods.index(k[0]), folds.index(k[1]), k[2]))
    return [
        Scored(*key, patient, labels, f"case-{i}", unions)
        for i, key in enumerate(order)
        for patient, labels, unions in [found[key]]
    ]


def _params(frozen: Stamps, methods: list[str]) -> tuple[Params, dict[str, Any]]:
    """The frozen parameters as a model, and the stamps as they are: {section or ``methods.<name>``: content}."""
    names = [n for n in Params.model_fields if n != "methods"]
    names[names.index("predict") : names.index("predict")] = [f"methods.{m}" for m in methods]
    stamps = {name: frozen.frozen(name) for name in names}
    sections = {n: v for n, v in stamps.items() if not n.startswith("methods.")}
    return Params.model_validate(sections | {"methods": {m: stamps[f"methods.{m}"] for m in methods}}), stamps


def shown(stamps: dict[str, Any]) -> dict[str, Any]:
    """Stamps as a reader wants them: of what all networks share, a method has only what it changes."""
    return {
        name: {
            key: _changed(value, stamps[key]) if key in SHARED and name.startswith("methods.") else value
            for key, value in content.items()
        }
        for name, content in stamps.items()
    }


def _changed(values: dict[str, Any], section: dict[str, Any]) -> dict[str, Any]:
    """What of ``values`` is otherwise than in ``section``."""
    found = {}
    for key, value in values.items():
        if isinstance(value, dict):
            if inner := _changed(value, section[key]):
                found[key] = inner
        elif value != section[key]:
            found[key] = value
    return found


def _history(path: Path) -> list[dict[str, float]]:
    rows = read_csv(path)
    try:
        return [{k: float(v or "nan") for k, v in row.items()} for row in rows]
    except (TypeError, ValueError, AttributeError):
        raise RefoldError(f"{path} is damaged: all its columns hold numbers; train that fold again") from None


def _check_split(splits: dict, patients: dict[str, str], path: Path) -> None:
    """Raise where a patient is trained on and tested on: no table may stand on such a split."""
    for fold in splits["folds"]:
        both = {patients[c] for c in fold["train"]} & {patients[c] for c in fold["test"]}
        if both:
            raise RefoldError(
                f"{path}: fold {fold['fold']} has patient {sorted(both)[0]!r} on both sides ({len(both)} such patients)"
            )
        seen = {patients[c] for c in (*fold["train"], *fold["test"])} & {patients[c] for c in splits.get("holdout", ())}
        if seen:
            raise RefoldError(f"{path}: patient {sorted(seen)[0]!r} is in fold {fold['fold']} and in the held-out set")


def _check_complete(
    scored: list[Scored], methods: list[str], folds: list[str], splits: dict, labels, path: Path
) -> None:
    """Raise where a case that a fold tests has no Dice: a mean over what is left would look like the whole."""
    there = {(s.method, s.fold, s.case): s.values for s in scored}
    tests = {str(f["fold"]): f["test"] for f in splits["folds"]} | {HOLDOUT: splits.get("holdout", [])}
    for method, fold in itertools.product(methods, folds):
        for case in tests[fold]:
            values = there.get((method, fold, case), {})
            lacking = [name for name in labels if "dice" not in values.get(name, {})]
            if lacking:
                raise RefoldError(
                    f"{path} has no Dice of {lacking[0]!r} for case {case!r}, method {method}, fold {fold}; "
                    "run the evaluate phase again"
                )


def read(
    methods: list[str],
    folds: list[int],
    folders: Folders | None = None,
    failed: dict[str, str] | None = None,
    frozen: Stamps | None = None,
) -> Experiment:
    """Read an experiment.

    Args:
        methods: names of the methods, in the order they are shown.
        folds: the folds that were run.
        folders: where the inputs lie.
        failed: other methods, which have no tables, and why.
        frozen: the parameters, which keep what was read of them; None: those in ``folders``.

    Raises:
        RefoldError: a file is missing (named), damaged, or two files do not belong together: the table of cases lacks
            a case of a fold, a patient is on two sides of the split, or the tables were made with another split.
    """
    folders = folders or Folders()
    data, metrics_folder = folders.data, folders.tables
    known, description = case_table.load(data / "cases.csv", data / "dataset.json", Place.read(folders.place).root)
    cases = {c.case: c for c in known}
    split_file = folders.results / "splits.json"
    splits = seals.read(split_file)
    numbers = {f["fold"] for f in splits["folds"]}
    if wrong := sorted(set(folds) - numbers):
        raise RefoldError(f"--folds {wrong[0]}: {split_file} has folds {', '.join(map(str, sorted(numbers)))}")
    strangers = sorted({c for f in splits["folds"] for c in (*f["train"], *f["test"])} - set(cases))
    if strangers:
        raise RefoldError(f"{split_file} names case {strangers[0]!r}, which {data / 'cases.csv'} has not")
    _check_split(splits, {c.case: c.patient for c in cases.values()}, split_file)
    names = [str(f) for f in sorted(folds)] + ([HOLDOUT] if splits.get("holdout") else [])

    params, stamps = _params(frozen or Stamps(folders.params), [*methods, *(failed or {})])

    hashes = seals.read(metrics_folder / "hashes.json")

    for name, content in stamps.items():
        if sha256_json(content) != hashes.get("params", {}).get(name, sha256_json(content)):
            raise RefoldError(
                f"{folders.params / f'{name}.json'} holds other parameters than the tables were made with "
                f"({metrics_folder / 'hashes.json'}); run `snakemake`, which writes it anew"
            )

    def table(name: str) -> Path:
        """A table, held against the hash that aggregation wrote down."""
        digest = hashes.get("tables", {}).get(name)
        seals.check(metrics_folder / name, digest, metrics_folder / "hashes.json")
        return metrics_folder / name

    scored = _scored(table("cases.csv"), methods, names, params.evaluate.regions)
    _check_complete(scored, methods, names, splits, description.labels.foreground, metrics_folder / "cases.csv")

    split_hash = sha256_file(split_file)
    if hashes.get("split") != split_hash:
        raise RefoldError(
            f"{metrics_folder / 'hashes.json'} was made with another split than {split_file}; "
            "run the evaluate phase again"
        )
    cards, histories, predictions = {}, {}, {}
    for method in methods:
        for fold in names:
            predictions[method, fold] = seals.read(
                folders.results / "predictions" / method / f"fold-{fold}" / "predictions.json"
            )
            if fold == HOLDOUT or not params.methods[method].trained:
                continue
            model = folders.results / "models" / method / f"fold-{fold}"
            cards[method, fold] = card = seals.read(model / "card.json")
            seals.check(model / "history.csv", card["hashes"].get("history"), model / "card.json")
            histories[method, fold] = _history(model / "history.csv")
    return Experiment(
        folders=folders,
        description=description,
        cases=cases,
        splits=splits,
        split_hash=split_hash,
        methods=list(methods),
        folds=names,
        scored=scored,
        summary=_table(table("summary.csv"), SUMMARY_KEYS, SUMMARY_NUMBERS),
        counts=_table(table("counts.csv"), COUNT_KEYS, COUNT_NUMBERS),
        comparisons=_table(table("comparisons.csv"), COMPARISON_KEYS, COMPARISON_NUMBERS),
        ranks=_table(table("ranks.csv"), RANK_KEYS, RANK_NUMBERS),
        agreement=_table(table("agreement.csv"), PART_KEYS, AGREEMENT_NUMBERS),
        calibration=_table(table("calibration.csv"), PART_KEYS, CALIBRATION_NUMBERS),
        uncertainty=_table(table("uncertainty.csv"), PART_KEYS, UNCERTAINTY_NUMBERS),
        variance=_table(table("variance.csv"), (*PART_KEYS, "metric"), VARIANCE_NUMBERS),
        metrics=read_json(table("metrics.json")),
        hashes=hashes,
        checks=seals.read(data / "checks.json"),
        fingerprint=seals.read(data / "fingerprint.json"),
        params=params,
        stamps=stamps,
        cards=cards,
        histories=histories,
        predictions=predictions,
        failed=failed or {},
    )
