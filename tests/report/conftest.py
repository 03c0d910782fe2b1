"""Small but complete results in all the formats the report reads, with right numbers."""

from __future__ import annotations

import itertools
import math
from pathlib import Path

import numpy as np
import pytest
from PIL import Image as Pillow

from refold.core import seals
from refold.core.files import sha256_file, write_csv, write_json
from refold.evaluate.aggregate import COMPARISONS, RANKS, SUMMARY
from refold.evaluate.agreement import COLUMNS as AGREEMENT
from refold.evaluate.counts import COUNTS
from refold.evaluate.fold import COLUMNS as SCORES
from refold.evaluate.uncertainty import BINNED, SELECTED
from refold.evaluate.variance import COLUMNS as VARIANCE
from refold.experiment.reading import validate
from refold.imaging import cases as case_table
from refold.imaging import images
from refold.imaging.cases import Case
from refold.imaging.dataset import Description, Labels
from refold.imaging.place import Place
from refold.report.inputs import Folders
from refold.settings.stamps import Stamps

METRICS = (
    "dice", "iou", "f1", "precision", "recall", "hd95", "hd95_penalised", "assd", "nsd", "volume", "volume_error",
)  # fmt: skip
LESIONS = (
    "lesion_sensitivity", "lesion_precision", "lesion_f1", "lesions_missed", "lesions_false_positive",
    "panoptic_quality",
)  # fmt: skip
PROBABILITY = ("ece", "brier", "entropy")
NAN = math.nan


class Made:
    """A results folder. ``folders`` is what `refold.report.inputs.read` takes."""

    def __init__(self, root: Path, methods: dict, folds: list[int]):
        self.root = root
        self.methods = list(methods)
        self.folds = folds
        results = root / "results"
        self.folders = Folders(root / "data", results, results / ".params", place=results / ".data/place.json")

    def arguments(self) -> list[str]:
        f = self.folders
        return [
            "--methods",
            *self.methods,
            "--folds",
            *map(str, self.folds),
            "--data",
            str(f.data),
            "--results",
            str(f.results),
            "--params",
            str(f.params),
            "--place",
            str(f.place),
            "--out",
            str(self.root / "report.html"),
        ]

    def seal(self) -> None:
        """Let the tables be what the evaluate phase wrote, after a test has changed them."""
        folder = self.folders.results / "metrics"
        tables = {p.name: sha256_file(p) for p in folder.iterdir() if p.name != "hashes.json"}
        seals.write(folder / "hashes.json", seals.read(folder / "hashes.json") | {"tables": tables})


def _ball(shape, centre, radius) -> np.ndarray:
    grid = np.indices(shape).reshape(len(shape), -1).T
    return (((grid - np.array(centre)) ** 2).sum(axis=1) <= radius**2).reshape(shape)


def score(truth: np.ndarray, prediction: np.ndarray, spacing) -> dict[str, float]:
    """Metrics of one mask; the distances are between all foreground voxels, which is enough to fill a table."""
    both = float((truth & prediction).sum())
    t, p = float(truth.sum()), float(prediction.sum())
    if t == p == 0:
        return dict.fromkeys(METRICS, NAN) | {"volume": 0.0, "volume_error": 0.0}
    dice = 2 * both / (t + p)
    found = {
        "dice": dice,
        "f1": dice,
        "iou": both / (t + p - both),
        "precision": both / p if p else 0.0,
        "recall": both / t if t else 0.0,
        "volume": p * math.prod(spacing) / 1000,
        "volume_error": (p - t) * math.prod(spacing) / 1000,
        "hd95": NAN,
        "assd": NAN,
        "nsd": 0.0,
        "hd95_penalised": float(np.linalg.norm(np.array(truth.shape) * spacing)),
    }
    if t and p:
        a, b = (np.argwhere(m)[::3] * np.array(spacing) for m in (truth, prediction))
        near = np.sqrt(((a[:, None] - b[None]) ** 2).sum(-1)).min(axis=1)
        far = float(np.percentile(near, 95))
        found |= {"hd95": far, "hd95_penalised": far, "assd": float(near.mean()), "nsd": float((near <= 1).mean())}
    return found


def _row(head: dict, values: list[float], counts=(0, 0, 0)) -> dict:
    known = [v for v in values if not math.isnan(v)]
    mean = float(np.mean(known)) if known else NAN
    half = 1.96 * float(np.std(known)) / math.sqrt(len(known)) if known else NAN
    return {
        **head,
        "n": len(known),
        "n_nan": len(values) - len(known),
        "mean": mean,
        "sd": float(np.std(known, ddof=1)) if len(known) > 1 else NAN,
        "median": float(np.median(known)) if known else NAN,
        "min": min(known, default=NAN),
        "max": max(known, default=NAN),
        "ci_low": mean - half,
        "ci_high": mean + half,
        **dict(zip(("n_both_empty", "n_false_positive", "n_missed"), counts, strict=True)),
    }


def make(
    root: Path,
    names: list[str],
    methods: dict,
    folds: int,
    labels: Labels,
    dimension: int = 3,
    size: int = 22,
    run: list[int] | None = None,
    held: int = 0,
    nan_metric: str | None = None,
) -> Made:
    """Write an experiment: raw data, predictions, and every table, all belonging together."""
    rng = np.random.default_rng(7)
    params = validate(
        {
            "dataset": {"name": "toy", "source": str(root / "raw")},
            "methods": methods,
            "split": {"folds": max(2, folds)},
            "evaluate": {"regions": {"whole": list(labels.foreground)}, "lesions": [labels.foreground[-1]]}
            if len(labels) > 2
            else {},
            "report": {"title": "Toy <b>&</b> ünïcode 海马"},
        }
    )
    made = Made(root, methods, run or list(range(folds)))
    f, d = made.folders, dimension
    Stamps(f.params).write(params.frozen())
    spacing = (1.0, 1.2, 2.0) if d == 3 else (1.0, 1.0)
    shape = (size, size + 4, size - 6) if d == 3 else (2 * size, 2 * size + 8)
    affine = np.diag([-spacing[0], spacing[1], spacing[2], 1.0]) if d == 3 else np.eye(3)
    ending = ".nii.gz" if d == 3 else ".png"
    channels = ("T1", "FLAIR") if d == 3 else ("red", "green", "blue")
    values = np.array(labels.values)

    truths, cases = {}, []
    for i, name in enumerate(names):
        truth = np.zeros(shape, np.uint8)
        truth[_ball(shape, [n // 2 for n in shape], 0.28 * min(shape[:2]))] = 1
        if len(labels) > 2 and i % 4 != 1:
            truth[_ball(shape, [n // 2 + 3 for n in shape], 2 + i % 2)] = 2
        truths[name] = truth
        grey = truth.astype(np.float32)[..., None] * (60, 90, 40)[: len(channels)] + rng.normal(
            80, 9, (*shape, len(channels))
        )
        image, label = f"imagesTr/{name}{ending}", f"labelsTr/{name}{ending}"
        if d == 3:
            images.write_image(root / "raw" / image, grey.astype(np.float32), affine)
        else:
            (root / "raw/imagesTr").mkdir(parents=True, exist_ok=True)
            Pillow.fromarray(np.clip(grey, 0, 255).astype(np.uint8).swapaxes(0, 1)).save(root / "raw" / image)
        images.write_label(root / "raw" / label, values[truth].astype(np.uint8), affine)
        counts = np.bincount(truth.ravel(), minlength=len(labels))
        cases.append(
            Case(
                name,
                f"P{i // 2}" if d == 3 else name,
                (image,),
                label,
                len(channels),
                shape,
                spacing,
                "LAS" if d == 3 else "XY",
                tuple(map(int, counts)),
                case_table.digest([root / "raw" / image, root / "raw" / label]),
            )
        )
    description = Description(
        "toy", str(root / "raw"), d, channels, ("MRI",) * len(channels), labels, "table" if d == 3 else "case"
    )
    Place(str(root / "raw")).write(f.place)
    case_table.write(cases, f.data / "cases.csv")
    seals.write(
        f.data / "checks.json",
        {
            "errors": [],
            "warnings": [
                {"check": "empty-label", "case": n, "file": "x", "message": f"label 2 of {n} is empty"}
                for n in names[1::4]
                if len(labels) > 2
            ],
        },
    )
    description.write(f.data / "dataset.json", [f.data / "cases.csv"])
    seals.write(
        f.data / "fingerprint.json",
        {
            "warnings": [],
            "normalisation": ["zscore"] * len(channels),
            "target_spacing": list(spacing) if d == 3 else None,
        },
    )

    patients = {c.case: c.patient for c in cases}
    holdout = names[len(names) - held :]
    rest = [n for n in names if n not in holdout]
    groups = list(dict.fromkeys(patients[n] for n in rest))
    tests = [[n for n in rest if groups.index(patients[n]) % max(2, folds) == k] for k in range(folds)]
    seals.write(
        f.results / "splits.json",
        {
            "kind": "grouped",
            "seed": 1,
            "holdout": holdout,
            "patients": patients,
            "notes": ["a stratum was <small>"],
            "stratified_by": {"foreground": {}},
            "folds": [
                {"fold": k, "repeat": 0, "train": [n for n in rest if n not in t], "test": t}
                for k, t in enumerate(tests)
            ],
        },
    )
    split = sha256_file(f.results / "splits.json")

    rows, states = [], {}
    for m, k in itertools.product(made.methods, [*made.folds, *(["holdout"] if held else [])]):
        folder = f.results / "predictions" / m / f"fold-{k}"
        model = f.results / "models" / m / f"fold-{k}"
        weak = params.methods[m].kind == "threshold"
        done = {}
        for name in holdout if k == "holdout" else tests[k]:
            i, truth = names.index(name), truths[name]
            prediction = np.roll(truth, (3 if weak else 1, (i % 3)), (0, 1))
            if len(labels) > 2:
                if i == 2:
                    prediction[prediction == 2] = 0  # missed
                if weak and i == 1:
                    prediction[1:3, 1:3] = 2  # invented
            if d == 3:
                images.write_label(folder / f"{name}{ending}", values[prediction].astype(np.uint8), affine)
            else:
                images.write_label(folder / f"{name}{ending}", values[prediction].astype(np.uint8), affine)
            done[name] = {"file": f"{name}{ending}", "sha256": sha256_file(folder / f"{name}{ending}")}
            parts = [(label, truth == i, prediction == i) for i, label in enumerate(labels.foreground, start=1)]
            parts += [(region, truth > 0, prediction > 0) for region in params.evaluate.regions]
            for label, inside, marked in parts:
                found = score(inside, marked, spacing)
                if label in params.evaluate.lesions:
                    found |= dict.fromkeys(LESIONS, found["dice"]) | {
                        "lesions_missed": 1.0,
                        "lesions_false_positive": 0.0,
                    }
                if not weak:
                    found |= {"ece": found["dice"] / 9, "brier": found["dice"] / 5, "entropy": 1 / (3 + i)}
                states[m, str(k), name, label] = bool(inside.any()), bool(marked.any())
                for metric, value in found.items():
                    value = NAN if metric == nan_metric else value
                    rows.append(
                        {
                            "method": m,
                            "fold": str(k),
                            "case": name,
                            "patient": patients[name],
                            "label": label,
                            "metric": metric,
                            "value": value,
                        }
                    )
        seals.write(
            folder / "predictions.json",
            {
                "method": m,
                "fold": k,
                "hashes": {"split": split},
                "cases": done,
                "warnings": [f"{m} <fell> back"] if weak else [],
            },
        )
        if k == "holdout":
            continue
        columns = ["epoch", "learning_rate", "loss", "validation_loss", "validation_dice"]
        history = (
            []
            if weak
            else [
                {
                    "epoch": e,
                    "learning_rate": "0.003",
                    "loss": 2 / (e + k),
                    "validation_loss": 2.2 / (e + k) if e % 5 == 0 else NAN,
                    "validation_dice": 1 - 1 / (e + 1) if e % 5 == 0 else NAN,
                }
                for e in range(1, 21)
            ]
        )
        write_csv(model / "history.csv", columns, history)
        seals.write(
            model / "card.json",
            {
                "method": m,
                "kind": params.methods[m].kind,
                "fold": k,
                "hashes": {"split": split, "history": sha256_file(model / "history.csv")},
                "warnings": [],
                "training": {}
                if weak
                else {"plan": {"patch": [16] * d, "strides": [[1] * d, [2] * d]}, "parameters": 12345},
            },
        )

    folder = f.results / "metrics"
    write_csv(folder / "cases.csv", SCORES, rows)
    _summarise(folder, rows, states, made, labels, held, list(params.evaluate.regions))
    write_json(folder / "metrics.json", {})
    settings = {"nsd_tolerance": 1.0, "calibration_margin": 5.0}
    settings |= {k: v for k in settings if (v := getattr(params.evaluate, k)) != "auto"}
    about = {"split": split, "params": {}, "settings": settings, "warnings": []}
    seals.write(folder / "hashes.json", about)
    made.seal()
    return made


def _summarise(
    folder: Path, rows: list[dict], states: dict, made: Made, labels: Labels, held: int, regions: list[str]
) -> None:
    parts = [*labels.foreground, *regions]
    by: dict[tuple, dict] = {}
    for r in rows:
        by.setdefault((r["method"], r["label"], r["metric"]), {})[r["fold"], r["case"]] = r["value"]
    summary, sets = (
        [],
        [("cross-validation", [str(k) for k in made.folds])] + ([("holdout", ["holdout"])] if held else []),
    )
    for (set_, folds), method in itertools.product(sets, made.methods):
        for fold, metric in itertools.product(
            ["all", *(folds if set_ != "holdout" else [])], (*METRICS, *LESIONS, *PROBABILITY)
        ):
            mean_over: dict[tuple, list[float]] = {}
            for label in parts:
                if (method, label, metric) not in by:
                    continue
                part = {
                    key: v
                    for key, v in by[method, label, metric].items()
                    if key[0] in folds and fold in ("all", key[0])
                }
                for key, v in part.items() if label in labels.foreground else ():
                    mean_over.setdefault(key, []).append(v)
                kinds = [states[method, *key, label] for key in part]
                counts = [kinds.count(k) for k in ((False, False), (False, True), (True, False))]
                summary.append(
                    _row(
                        {"set": set_, "method": method, "fold": fold, "label": label, "metric": metric},
                        list(part.values()),
                        counts,
                    )
                )
            if not mean_over:
                continue
            means = [float(np.nanmean(v)) if not np.isnan(v).all() else NAN for v in mean_over.values()]
            summary.append(
                _row({"set": set_, "method": method, "fold": fold, "label": "mean", "metric": metric}, means)
            )
    write_csv(folder / "summary.csv", SUMMARY, summary)
    whole = {(r["set"], r["method"], r["label"], r["metric"]): r for r in summary if r["fold"] == "all"}
    pairs = []
    for (set_, _), (a, b) in itertools.product(sets, itertools.combinations(made.methods, 2)):
        for label, metric in itertools.product([*parts, "mean"], ("dice", "nsd", "hd95_penalised")):
            means = [whole[set_, m, label, metric]["mean"] for m in (a, b)]
            gap = means[0] - means[1]
            pairs.append(
                {
                    "set": set_,
                    "method_a": a,
                    "method_b": b,
                    "label": label,
                    "metric": metric,
                    "n": 9,
                    "cases": 9,
                    "left_out": 0,
                    "mean_a": means[0],
                    "mean_b": means[1],
                    "difference": gap,
                    "ci_low": gap - 0.01,
                    "ci_high": gap + 0.01,
                    "test": "wilcoxon",
                    "p": 0.00001,
                    "p_holm": 0.0312 if label == "mean" else 0.2,
                    # HD95 is better where lower
                    "better": ("a" if (gap > 0) == (metric != "hd95_penalised") else "b")
                    if label == "mean"
                    else "neither",
                }
            )
    write_csv(folder / "comparisons.csv", COMPARISONS, pairs)
    ranks = []
    for (set_, _), label, metric in itertools.product(
        sets, [*labels.foreground, "mean"], ("dice", "nsd", "hd95_penalised")
    ):
        means = {m: whole[set_, m, label, metric]["mean"] for m in made.methods}
        order = sorted(means, key=means.get, reverse=metric != "hd95_penalised")
        ranks += [
            {
                "set": set_, "label": label, "metric": metric, "method": m, "n": 9, "left_out": 0, "mean": means[m],
                "rank": i, "rank_low": 1, "rank_high": len(order), "share_same": 0.875, "share_first": 0.25,
            }
            for i, m in enumerate(order, start=1)
        ]  # fmt: skip
    write_csv(folder / "ranks.csv", RANKS, ranks)
    write_csv(folder / "counts.csv", COUNTS, list(_counts(sets, made.methods, parts, states, by)))
    known = [(s, m, part) for (s, _), m, part in itertools.product(sets, made.methods, parts)]
    sure = [(s, m, part) for s, m, part in known if (m, part, "ece") in by]
    write_csv(folder / "agreement.csv", AGREEMENT, [_volumes(*key, whole, i) for i, key in enumerate(known)])
    bins = [
        dict(zip(BINNED, (*key, b, b / 10, (b + 1) / 10, 7 * b, b / 10 + 0.05, 0.9 * b / 10), strict=True))
        for key, b in itertools.product(sure, range(10))
    ]
    write_csv(folder / "calibration.csv", BINNED, bins)
    doubts = [(*key, 9, 0.25 + i / 100, 0.1, 0.05, 0.2, 0.6667) for i, key in enumerate(sure)]
    write_csv(folder / "uncertainty.csv", SELECTED, [dict(zip(SELECTED, d, strict=True)) for d in doubts])
    spread = [(*key, "dice", 3, 0.0123 + i / 1000, 1, NAN, 2, 0.0456) for i, key in enumerate(known)]
    write_csv(folder / "variance.csv", VARIANCE, [dict(zip(VARIANCE, d, strict=True)) for d in spread])


def _counts(sets: list, methods: list[str], parts: list[str], states: dict, by: dict):
    """Labels missed and false positives as they are; of lesions made-up numbers, by size too."""
    for (set_, folds), method, part in itertools.product(sets, methods, parts):
        kinds = [v for (m, k, _, label), v in states.items() if (m, label) == (method, part) and k in folds]
        there, elsewhere = ([marked for inside, marked in kinds if inside == wanted] for wanted in (True, False))
        rows = [
            ("missed", "all", NAN, NAN, there.count(False), len(there)),
            ("false_positive", "all", NAN, NAN, elsewhere.count(True), len(elsewhere)),
        ]
        if (method, part, "lesion_f1") in by:
            rows += [
                ("lesion_sensitivity", "all", NAN, NAN, 17, 20),
                ("lesion_precision", "all", NAN, NAN, 17, 23),
                ("lesion_sensitivity", "small", 0, 0.0125, 3, 6),
                ("lesion_sensitivity", "medium", 0.0125, 0.25, 6, 6),
                ("lesion_sensitivity", "large", 0.25, 1.5, 8, 8),
            ]
        for *head, count, of in rows:
            share = count / of if of else NAN
            yield dict(
                zip(COUNTS, (set_, method, part, *head, count, of, of, share, share / 2, 0.5 + share / 2), strict=True)
            )


def _volumes(set_: str, method: str, label: str, whole: dict, i: int) -> dict:
    row = whole[set_, method, label, "volume_error"]
    sd = 0.0 if math.isnan(row["sd"]) else row["sd"]
    lower, upper = row["mean"] - 1.96 * sd, row["mean"] + 1.96 * sd
    values = (
        set_, method, label, row["n"], 5, row["mean"], row["ci_low"], row["ci_high"], sd,
        lower, lower - 0.1, lower + 0.1, upper, upper - 0.1, upper + 0.1, 0.9 - i / 100, 0.8 - i / 100,
    )  # fmt: skip
    return dict(zip(AGREEMENT, values, strict=True))


THREE = Labels((0, 1, 2), ("background", "organ <i>", "läsion"))
NAMES = [
    "scan_01",
    "scan_02",
    "scan_<script>alert(1)<!--",
    "scan_04",
    "scan_05",
    "scan_é海",
    "scan_07",
    "scan_08",
    "scan_09",
]


@pytest.fixture(scope="session")
def volumes(tmp_path_factory) -> Made:
    """3-D, two methods, three folds, nine cases with odd names; a missed and a false positive lesion, some empty."""
    return make(
        tmp_path_factory.mktemp("volumes"), NAMES, {"unet": {"kind": "unet"}, "otsu": {"kind": "threshold"}}, 3, THREE
    )


@pytest.fixture(scope="session")
def pictures(tmp_path_factory) -> Made:
    """2-D RGB, one label with the value 255, one method, one fold of two."""
    return make(
        tmp_path_factory.mktemp("pictures"),
        [f"n{i}" for i in range(6)],
        {"unet": {"kind": "unet"}},
        2,
        Labels((0, 255), ("background", "nucleus")),
        dimension=2,
        run=[0],
    )


@pytest.fixture(scope="session")
def held_out(tmp_path_factory) -> Made:
    """3-D with a held-out test set, and a metric that is defined for no case."""
    return make(
        tmp_path_factory.mktemp("held"),
        [f"c{i}" for i in range(8)],
        {"unet": {"kind": "unet"}},
        2,
        THREE,
        held=2,
        size=16,
        nan_metric="nsd",
    )


@pytest.fixture(scope="session")
def five(tmp_path_factory) -> Made:
    """3-D, five methods, of which the tests take one for failed; one fold of two."""
    methods = {m: {"kind": k} for m, k in zip("abcd", ("unet", "cnn", "deeplab", "residual_unet"), strict=True)}
    return make(
        tmp_path_factory.mktemp("five"),
        NAMES[:6],
        methods | {"otsu": {"kind": "threshold"}},
        2,
        THREE,
        size=16,
        run=[0],
    )
