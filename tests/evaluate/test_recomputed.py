"""Every table of a finished experiment again, from label maps and probabilities, by other code than refold's.

Written from docs/reference/evaluate.md: scikit-learn, surface-distance, scikit-image, SciPy and statsmodels compute,
and nothing of refold. What is drawn at random is drawn otherwise, and held to what so many draws may differ.
"""

from __future__ import annotations

import itertools
import json
import os
from pathlib import Path
from types import SimpleNamespace

import nibabel
import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from scipy import stats
from skimage import measure
from sklearn import metrics as sk
from statsmodels.stats.multitest import multipletests
from statsmodels.stats.proportion import proportion_confint
from surface_distance import metrics as surfaces

from tests.evaluate import experiment

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Please import:DeprecationWarning")]

LABELS = {"organ": (3,), "lesion": (7,), "all of it": (3, 7)}  # of the files' values
OWN = ("organ", "lesion")  # without the region
SETTINGS = experiment.parameters()["evaluate"]
CV, HOLDOUT = "cross-validation", "holdout"
KEYS = ["method", "fold", "case", "label"]
DRAWS = 8000
RATIO = {
    "dice", "dice_lenient", "iou", "iou_lenient", "precision", "recall", "specificity", "accuracy", "f1", "nsd",
    "lesion_sensitivity", "lesion_precision", "lesion_f1", "panoptic_quality", "ece", "brier", "entropy",
}  # fmt: skip
SIGNED = {"volume_error"}
LOWER = {"hd95", "hd95_penalised", "assd", "lesions_missed", "lesions_false_positive", "ece", "brier"}


# ---------------------------------------------------------------- one case


def overlap(t: np.ndarray, p: np.ndarray) -> dict[str, float]:
    t, p = t.ravel(), p.ravel()
    precision, recall, f1, _ = sk.precision_recall_fscore_support(t, p, labels=[False, True], zero_division=0)
    none = not t.any() and not p.any()
    dice, iou = (np.nan, np.nan) if none else (f1[1], sk.jaccard_score(t, p, zero_division=0))
    return {
        "dice": dice,
        "f1": dice,
        "iou": iou,
        "dice_lenient": 1.0 if none else dice,
        "iou_lenient": 1.0 if none else iou,
        "precision": np.nan if none else precision[1],
        "recall": np.nan if none else recall[1],
        "specificity": np.nan if t.all() else recall[0],
        "accuracy": sk.accuracy_score(t, p),
    }


def distance(t: np.ndarray, p: np.ndarray, spacing: tuple[float, ...]) -> dict[str, float]:
    diagonal = float(np.linalg.norm(np.array(t.shape) * spacing))
    if not t.any() and not p.any():
        return dict.fromkeys(("hd95", "hd95_penalised", "assd", "nsd"), np.nan)
    if not t.any() or not p.any():
        return {"hd95": np.nan, "assd": np.nan, "hd95_penalised": diagonal, "nsd": 0.0}
    found = surfaces.compute_surface_distances(t, p, spacing)
    there, back = (
        (found[f"distances_{way}"], found[f"surfel_areas_{of}"])
        for way, of in (("gt_to_pred", "gt"), ("pred_to_gt", "pred"))
    )
    hd95 = surfaces.compute_robust_hausdorff(found, 95)
    whole = sum(areas.sum() for _, areas in (there, back))
    return {
        "hd95": hd95,
        "hd95_penalised": hd95,
        "assd": sum((d * areas).sum() for d, areas in (there, back)) / whole,
        "nsd": surfaces.compute_surface_dice_at_tolerance(found, SETTINGS["nsd_tolerance"]),
    }


def best(rows: list[int], taken: frozenset[int], iou: dict[tuple[int, int], float]) -> dict[tuple[int, int], float]:
    """The pairs whose IoU add up to the most, by trying every partner of every lesion, and none."""
    if not rows:
        return {}
    ways = [best(rows[1:], taken, iou)]
    for (i, j), value in iou.items():
        if i == rows[0] and j not in taken:
            ways.append({(i, j): value} | best(rows[1:], taken | {j}, iou))
    return max(ways, key=lambda way: sum(way.values()))


def matched(t: np.ndarray, p: np.ndarray) -> tuple[np.ndarray, np.ndarray, dict[tuple[int, int], float]]:
    """Lesions of both masks, numbered, and the IoU of those that are the same."""
    a, b = (measure.label(x, connectivity=3) for x in (t, p))
    iou = {}
    for i, j in set(zip(a[t & p].tolist(), b[t & p].tolist(), strict=True)):
        one, other = a == i, b == j
        if (value := (one & other).sum() / (one | other).sum()) >= SETTINGS["lesion_iou"]:
            iou[i, j] = value
    return a, b, best(sorted({i for i, _ in iou}), frozenset(), iou)


def lesions(a: np.ndarray, b: np.ndarray, pairs: dict[tuple[int, int], float]) -> dict[str, float]:
    n, m, found = a.max(), b.max(), len(pairs)
    missed, invented = n - found, m - found
    return {
        "lesion_sensitivity": found / n if n else np.nan,
        "lesion_precision": found / m if m else np.nan,
        "lesion_f1": 2 * found / (2 * found + missed + invented) if n + m else np.nan,
        "lesions_missed": missed,
        "lesions_false_positive": invented,
        "panoptic_quality": sum(pairs.values()) / (found + missed / 2 + invented / 2) if n + m else np.nan,
    }


def box(t: np.ndarray, spacing: tuple[float, ...]) -> tuple[slice, ...] | None:
    """Where probabilities are judged."""
    where = np.argwhere(t)
    if not len(where):
        return None
    wide = np.ceil(SETTINGS["calibration_margin"] / np.array(spacing)).astype(int)
    low, high = np.maximum(where.min(0) - wide, 0), np.minimum(where.max(0) + wide + 1, t.shape)
    return tuple(slice(*ends) for ends in zip(low, high, strict=True))


def bins(levels: np.ndarray, t: np.ndarray) -> np.ndarray:
    """(3, 10): voxels, sum of their probabilities in 255ths, voxels of the truth."""
    level, truth = levels.ravel().astype(int), t.ravel()
    number = [min(v * 10 // 255, 9) for v in level.tolist()]
    table = pd.DataFrame({"bin": number, "level": level, "truth": truth}).groupby("bin").agg(
        n=("level", "size"), level=("level", "sum"), truth=("truth", "sum")
    )  # fmt: skip
    return table.reindex(range(10), fill_value=0).to_numpy().T


def probability(levels: np.ndarray, t: np.ndarray, where: tuple[slice, ...] | None) -> dict[str, float]:
    """``levels``: (x, y, z) in 255ths."""
    possible = levels.ravel()[levels.ravel() > 0.01 * 255] / 255
    entropy = stats.entropy([possible, 1 - possible], base=2).mean() if len(possible) else 0.0
    if where is None:
        return {"ece": np.nan, "brier": np.nan, "entropy": entropy}
    n, sums, truth = bins(levels[where], t[where])
    some = n > 0
    gaps = np.abs(sums[some] / 255 / n[some] - truth[some] / n[some])
    return {
        "ece": np.average(gaps, weights=n[some]),
        "brier": np.mean((levels[where] / 255 - t[where]) ** 2),
        "entropy": entropy,
    }


# ---------------------------------------------------------------- everything


def load(path: Path) -> np.ndarray:
    return np.asarray(nibabel.load(path).dataobj)


def measured(root: Path, splits: dict) -> tuple[pd.DataFrame, dict, pd.DataFrame]:
    """A row for each (method, fold, case, label) with all metrics; bins of probabilities; a row a lesion."""
    tested = {str(f["fold"]): f["test"] for f in splits["folds"]} | {HOLDOUT: splits["holdout"]}
    rows, reliability, each = [], {}, []
    for method, (fold, cases) in itertools.product(experiment.METHODS, tested.items()):
        for case in sorted(cases):
            file = nibabel.load(root / f"given/labelsTr/{case}.nii.gz")
            truth, spacing = np.asarray(file.dataobj), tuple(float(z) for z in file.header.get_zooms())
            folder = root / f"results/predictions/{method}/fold-{fold}"
            levels = None
            if method in experiment.PROGRAMS:
                # what the program wrote, not what refold made of it
                where = "holdout" if fold == HOLDOUT else f"fold_{fold}"
                answer = load(root / f"programs/{method}/{where}/{case}.nii.gz")
            else:
                answer = load(folder / f"{case}.nii.gz")
                kept = nibabel.load(folder / f"probabilities/{case}.nii.gz")
                levels = np.asarray(kept.dataobj.get_unscaled()).astype(int)
            for label, values in LABELS.items():
                t, p = np.isin(truth, values), np.isin(answer, values)
                row = {"method": method, "fold": fold, "case": case, "label": label}
                row |= {"truth_empty": not t.any(), "answer_empty": not p.any(), "patient": case[:3]}
                row["diagonal"] = float(np.linalg.norm(np.array(t.shape) * spacing))
                row |= overlap(t, p) | distance(t, p, spacing)
                ml = np.prod(spacing) / 1000
                row |= {"volume": p.sum() * ml, "volume_error": (p.sum() - float(t.sum())) * ml}
                if label in SETTINGS["lesions"]:
                    a, b, pairs = matched(t, p)
                    row |= lesions(a, b, pairs)
                    for side, x, of in (("truth", a, 0), ("prediction", b, 1)):
                        partner = {pair[of]: value for pair, value in pairs.items()}
                        each += [
                            {k: row[k] for k in (*KEYS, "patient")}
                            | {"side": side, "volume": (x == k).sum() * np.prod(spacing) / 1000}
                            | {"iou": partner.get(k, 0.0), "found": int(k in partner)}
                            for k in range(1, x.max() + 1)
                        ]
                if levels is not None:
                    mine = [("organ", "lesion").index(name) for name in OWN if set(LABELS[name]) <= set(values)]
                    level = np.minimum(levels[..., mine].sum(-1), 255)
                    about = box(t, spacing)
                    row |= probability(level, t, about)
                    found = np.zeros((3, 10), int) if about is None else bins(level[about], t[about])
                    key = (method, fold, label)
                    reliability[key] = reliability.get(key, 0) + found
                rows.append(row)
    return pd.DataFrame(rows), reliability, pd.DataFrame(each)


METRICS = (
    "dice", "dice_lenient", "iou", "iou_lenient", "precision", "recall", "specificity", "accuracy", "f1",
    "hd95", "hd95_penalised", "assd", "nsd", "volume", "volume_error",
    "lesion_sensitivity", "lesion_precision", "lesion_f1", "lesions_missed", "lesions_false_positive",
    "panoptic_quality",
    "ece", "brier", "entropy",
)  # fmt: skip
LESION = METRICS[METRICS.index("lesion_sensitivity") : METRICS.index("ece")]
PROBABILITY = METRICS[METRICS.index("ece") :]


def has(method: str, label: str, metric: str) -> bool:
    """Whether a method has a metric of a label."""
    if metric in LESION:
        return label in SETTINGS["lesions"] or (label == "mean" and bool(set(OWN) & set(SETTINGS["lesions"])))
    return metric not in PROBABILITY or method in experiment.FORESTS


def counted(table: pd.DataFrame) -> pd.DataFrame:
    """The values that comparisons and ranks count: all defined but where the truth alone leaves a metric undefined."""
    out = table.copy()
    nothing, one = table["truth_empty"] & table["answer_empty"], table["truth_empty"] ^ table["answer_empty"]
    for metric in METRICS:
        if metric in ("dice", "dice_lenient", "iou", "iou_lenient", "f1", "precision", "nsd"):
            out[metric] = table[metric].mask(nothing, 1.0).mask(one, 0.0)
        elif metric in ("hd95", "hd95_penalised", "assd"):
            out[metric] = table[metric].mask(nothing, 0.0).mask(one, table["diagonal"])
        elif metric in ("recall", "lesion_sensitivity"):
            out[metric] = table[metric].mask(table["truth_empty"], np.nan)
        elif metric in ("lesion_precision", "lesion_f1", "panoptic_quality"):
            has_lesions = table["label"].isin(SETTINGS["lesions"])
            out[metric] = table[metric].mask(nothing & has_lesions, 1.0).mask(one & has_lesions, 0.0)
    return out


def with_mean(table: pd.DataFrame) -> pd.DataFrame:
    """Label ``mean`` beside the labels: of each case and fold over the labels with a value, regions not among them."""
    own = table[table["label"].isin(OWN)]
    mean = own.groupby(["method", "fold", "case", "patient"], as_index=False)[list(METRICS)].mean()
    return pd.concat([table, mean.assign(label="mean")], ignore_index=True)


def a_case_once(table: pd.DataFrame, name: str) -> pd.DataFrame:
    """Of one set, each case as its mean over the repeats."""
    part = table[(table["fold"] == HOLDOUT) == (name == HOLDOUT)]
    return part.groupby(["method", "case", "patient", "label"], as_index=False)[list(METRICS)].mean()


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    root = tmp_path_factory.mktemp("recomputed")
    before = Path.cwd()
    os.chdir(root)
    try:
        experiment.run()
        experiment.again(test="permutation", interval="percentile")
    finally:
        os.chdir(before)
    return read(root)


def read(root: Path) -> SimpleNamespace:
    splits = json.loads((root / "results/splits.json").read_text())
    raw, reliability, each = measured(root, splits)
    for table in (raw, each):
        table["set"] = np.where(table["fold"] == HOLDOUT, HOLDOUT, CV)
    # all other tables rest on the numbers as they stand in cases.csv
    raw[list(METRICS)] = raw[list(METRICS)].astype(float).round(6)
    values, rule = with_mean(raw), with_mean(counted(raw))

    def table(name: str, folder: str = "metrics") -> pd.DataFrame:
        return pd.read_csv(root / f"results/{folder}/{name}.csv", dtype={"fold": str})

    return SimpleNamespace(
        root=root, splits=splits, raw=raw, each=each, reliability=reliability, values=values, rule=rule, table=table
    )


def same(found: float, expected: float, allowed: float = 1.1e-6) -> bool:
    return (np.isnan(found) and np.isnan(expected)) or abs(found - expected) <= allowed


def disagreeing(found: pd.DataFrame, expected: pd.DataFrame, keys: list[str], columns: list[str], allowed=1.1e-6):
    """Rows of either table whose numbers differ, or that only one has."""
    both = found.merge(expected, on=keys, how="outer", suffixes=("", "_again"), indicator=True)
    wrong = both["_merge"] != "both"
    for c in columns:
        a, b = both[c].astype(float), both[f"{c}_again"].astype(float)
        wrong |= ~((a.isna() & b.isna()) | ((a - b).abs() <= allowed))
    return both[wrong].drop(columns="_merge").head(12).to_string()


def none(text: str) -> bool:
    return text.startswith("Empty DataFrame")


# ---------------------------------------------------------------- random draws


def moments(values: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the values of each patient who has one; ``values``: columns patient, value."""
    groups = values.dropna().groupby("patient")["value"]
    return groups.sum().to_numpy(), groups.size().to_numpy().astype(float)


_DRAWN: dict[int, np.ndarray] = {}


def drawn(patients: int) -> np.ndarray:
    if patients not in _DRAWN:
        _DRAWN[patients] = np.random.default_rng(20261130).multinomial(patients, [1 / patients] * patients, DRAWS)
    return _DRAWN[patients].astype(float)


def error(values: pd.DataFrame) -> float:
    """Standard error of the mean over cases, patients being the clusters; statsmodels' is the same, but slower."""
    known = values.dropna()
    rest = (known["value"] - known["value"].mean()).groupby(known["patient"]).sum().to_numpy()
    return float(np.sqrt((rest**2).sum() * len(rest) / (len(rest) - 1)) / len(known))


# an end in a table is a quantile of 2,000 samples, that here one of 8,000: at most five standard errors apart
SCATTER = 5 * np.sqrt(0.025 * 0.975 * (1 / SETTINGS["bootstrap"] + 1 / DRAWS))
LOW, HIGH = ((p - SCATTER, p, p + SCATTER) for p in (0.025, 0.975))


def bootstrap_t(values: pd.DataFrame) -> tuple[np.ndarray, np.ndarray]:
    """Both ends of the interval, neither cut nor for few patients: each least, as it should be, at most."""
    s, n = moments(values)
    patients = len(s)
    weights = drawn(patients)
    number = weights @ n
    means = weights @ s / number
    squares = weights @ (s * s) - 2 * means * (weights @ (s * n)) + means**2 * (weights @ (n * n))
    errors = np.sqrt(np.maximum(squares, 0) * patients / (patients - 1)) / number
    mean, own = s.sum() / n.sum(), error(values)
    some = errors > 1e-9 * own
    low, high = np.quantile((means[some] - mean) / errors[some], [HIGH[::-1], LOW[::-1]])
    return mean - low * own, mean - high * own


# ---------------------------------------------------------------- the tables


def long(table: pd.DataFrame) -> pd.DataFrame:
    """Columns metric and value in place of a column a metric, where a method has that metric."""
    melted = table.melt([c for c in KEYS if c in table.columns] + ["patient"], list(METRICS), "metric", "value")
    known = {
        k: has(*k) for k in melted[["method", "label", "metric"]].drop_duplicates().itertuples(index=False, name=None)
    }
    return melted[[known[k] for k in zip(melted["method"], melted["label"], melted["metric"], strict=True)]]


def test_the_experiment_has_what_is_hard(made):
    raw = made.raw[made.raw["label"] != "all of it"]
    state = raw["truth_empty"].astype(str) + raw["answer_empty"].astype(str)
    for method in experiment.PROGRAMS[:2]:
        counts = state[raw["method"] == method].value_counts()
        assert set(counts.index) >= {"FalseFalse", "TrueTrue", "FalseTrue"}, counts
    assert (state[raw["method"] == "bold"] == "TrueFalse").sum() >= 5
    assert len(made.splits["folds"]) == 4 and len(made.splits["holdout"]) >= 4
    tested = {c for f in made.splits["folds"] for c in f["test"]}
    assert len(tested) > len({c[:3] for c in tested}) >= 8
    spacings = {nibabel.load(p).header.get_zooms() for p in (made.root / "given/labelsTr").iterdir()}
    assert len(spacings) == 2 and all(len(set(s)) == 3 for s in spacings)


def test_cases_and_fold_files(made):
    expected = long(made.raw)
    assert none(wrong := disagreeing(made.table("cases"), expected, [*KEYS, "patient", "metric"], ["value"])), wrong
    parts = [pd.read_csv(p, dtype={"fold": str}) for p in sorted((made.root / "results/metrics/folds").rglob("*.csv"))]
    assert len(parts) == 5 * len(experiment.METHODS)
    assert none(wrong := disagreeing(pd.concat(parts), expected, [*KEYS, "patient", "metric"], ["value"])), wrong
    words = {(True, True): "both_empty", (True, False): "false_positive", (False, True): "missed"}
    for (method, fold), part in made.raw.groupby(["method", "fold"]):
        about = json.loads((made.root / f"results/metrics/folds/{method}/fold-{fold}.json").read_text())
        empty: dict = {}
        for row in part.itertuples():
            if word := words.get((row.truth_empty, row.answer_empty)):
                empty.setdefault(row.case, {})[row.label] = word
        assert about["empty"] == empty and about["cases"] == part["case"].nunique()
        bins_ = {label: made.reliability[method, fold, label].tolist() for label in LABELS if has(method, label, "ece")}
        assert about["reliability"] == bins_


def parts(made):
    """(set, fold, its table with a row a case) of all that summary.csv sums up."""
    yield CV, "all", a_case_once(made.values, CV)
    yield HOLDOUT, "all", a_case_once(made.values, HOLDOUT)
    for fold in (str(f["fold"]) for f in made.splits["folds"]):
        yield CV, fold, made.values[made.values["fold"] == fold]


def test_summary_moments_and_counts(made):
    rows = []
    for name, fold, table in parts(made):
        own = made.raw[(made.raw["fold"] == HOLDOUT) == (name == HOLDOUT)]
        own = own if fold == "all" else own[own["fold"] == fold]
        states = pd.DataFrame({
            "method": own["method"], "label": own["label"],
            "n_both_empty": own["truth_empty"] & own["answer_empty"],
            "n_false_positive": own["truth_empty"] & ~own["answer_empty"],
            "n_missed": ~own["truth_empty"] & own["answer_empty"],
        })  # fmt: skip
        counts = states.groupby(["method", "label"]).sum()
        for (method, label, metric), part in long(table.drop(columns="fold", errors="ignore")).groupby(
            ["method", "label", "metric"]
        ):
            v = part["value"].dropna().to_numpy()
            few = len(v) == 0
            row = {"set": name, "method": method, "fold": fold, "label": label, "metric": metric}
            row |= {"n": len(v), "n_nan": len(part) - len(v)}
            described = {"mean": np.mean, "median": np.median, "min": np.min, "max": np.max}
            row |= {k: np.nan if few else f(v) for k, f in described.items()}
            row["sd"] = np.std(v, ddof=1) if len(v) > 1 else np.nan
            of = counts.loc[method].loc[list(OWN) if label == "mean" else [label]].sum()
            rows.append(row | of.to_dict())
    keys = ["set", "method", "fold", "label", "metric"]
    columns = ["n", "n_nan", "mean", "sd", "median", "min", "max", "n_both_empty", "n_false_positive", "n_missed"]
    assert none(wrong := disagreeing(made.table("summary"), pd.DataFrame(rows), keys, columns)), wrong


def limits(metric: str, difference: bool = False) -> tuple[float, float]:
    high = 1.0 if metric in RATIO else np.inf
    if difference or metric in SIGNED:
        return -high, high
    return 0.0, high


def wilson(share: float, observations: float, patients: int, of: int) -> tuple[float, float]:
    """Wilson's (1927) interval, widened for ``of`` observations in fewer patients (Korn and Graubard 1998)."""
    t = stats.norm.ppf(0.975) * stats.t.ppf(0.975, patients - 1) / stats.t.ppf(0.975, of - 1)
    middle = (share + t**2 / 2 / observations) / (1 + t**2 / observations)
    half = t * np.sqrt(share * (1 - share) / observations + (t / 2 / observations) ** 2) / (1 + t**2 / observations)
    return middle - half, middle + half


def interval(values: pd.DataFrame, metric: str, difference: bool = False) -> tuple[np.ndarray, np.ndarray]:
    """Ends of the interval of a mean by the rule of the page: each least, as it should be, at most."""
    known = values.dropna()
    patients = known["patient"].nunique()
    nothing = np.full((2, 3), np.nan)
    if patients < 2:
        return nothing
    s, n = moments(values)
    each, mean, low, high = s / n, s.sum() / n.sum(), *limits(metric, difference)
    ends, equal = None, np.ptp(each) < 1e-9
    if metric in RATIO and max((each == low).mean(), (each == high).mean()) > (0.999 if equal else 0.4):
        share = (mean - low) / (high - low)
        least = n.sum() ** 2 / (n**2).sum()  # as many patients of equal weight (Kish 1965)
        more = least if equal else max(least, share * (1 - share) / (error(values) / (high - low)) ** 2)
        ends = [low + (high - low) * end for end in wilson(share, more, patients, n.sum())]
    if ends is None and equal:
        ends = nothing
    if ends is None and patients < 8:
        ends = stats.t.interval(0.95, patients - 1, mean, error(values))
    if ends is None:
        ends = bootstrap_t(values)
    first, second = ends
    return np.clip(np.broadcast_to(first, 3), low, high), np.clip(np.broadcast_to(second, 3), low, high)


def held(found: pd.DataFrame, expected: list[tuple], names: tuple[str, str] = ("ci_low", "ci_high")) -> None:
    """Ends of intervals: exact where nothing is drawn, else within the scatter of draws, most of them well within."""
    wrong, apart = [], []
    for row, ends in expected:
        for (least, end, most), name in zip(ends, names, strict=True):
            value = found.loc[row, name]
            if not (np.isnan(value) and np.isnan(end)) and not least - 2e-6 <= value <= most + 2e-6:
                wrong.append((found.loc[row].to_dict(), name, least, end, most))
            elif most - least > 1e-4:
                apart.append(abs(value - end) / (most - least) * 2)
    assert not wrong, (len(wrong), wrong[:6])
    assert len(apart) > 20 and np.median(apart) < 0.3 and np.quantile(apart, 0.95) < 0.75


def test_summary_intervals(made):
    found = made.table("summary")
    expected = []
    for name, fold, table in parts(made):
        for (method, label, metric), part in long(table.drop(columns="fold", errors="ignore")).groupby(
            ["method", "label", "metric"]
        ):
            where = (found["set"] == name) & (found["fold"] == fold) & (found["method"] == method)
            (row,) = found.index[where & (found["label"] == label) & (found["metric"] == metric)]
            expected.append((row, interval(part[["patient", "value"]], metric)))
    held(found, expected)


def pairs(made, name: str, metrics: set[str]):
    """(label, metric, table with a row a case and a column a method) of what is compared in a set."""
    once = long(a_case_once(made.rule, name))
    once = once[once["metric"].isin(metrics)]
    for (label, metric), part in once.groupby(["label", "metric"]):
        yield label, metric, part.pivot(index=["case", "patient"], columns="method", values="value")


def differences(wide: pd.DataFrame, a: str, b: str) -> pd.DataFrame:
    return (wide[a] - wide[b]).rename("value").reset_index().drop(columns="case")


def signed_ranks(moved: np.ndarray) -> float:
    """p of Wilcoxon's test; of few differences by counting all signs, which SciPy does slowly where there are ties."""
    if len(moved) > 13:
        return stats.wilcoxon(moved).pvalue
    whole = (2 * stats.rankdata(np.abs(moved))).astype(int)
    ways = {0: 1}  # sum of the ranks above zero, in halves: how many signs give it
    for rank in whole.tolist():
        more = dict(ways)
        for total, count in ways.items():
            more[total + rank] = more.get(total + rank, 0) + count
        ways = more
    there, middle = whole[moved > 0].sum(), whole.sum() / 2
    return sum(c for total, c in ways.items() if abs(total - middle) >= abs(there - middle)) / 2 ** len(moved)


def test_comparisons(made):
    found = made.table("comparisons")
    rows = []
    order = {m: i for i, m in enumerate(experiment.METHODS)}
    for name in (CV, HOLDOUT):
        for label, metric, wide in pairs(made, name, set(found["metric"])):
            family = []
            for a, b in itertools.combinations(sorted(wide.columns, key=order.get), 2):
                d = differences(wide, a, b)
                known = d.dropna()
                each = known.groupby("patient")["value"].mean().round(9)
                moved = each[each != 0]
                p = np.nan if not len(each) else signed_ranks(moved.to_numpy())
                both = wide[wide[a].notna() & wide[b].notna()]
                row = {"set": name, "method_a": a, "method_b": b, "label": label, "metric": metric}
                row |= {"n": len(each), "cases": len(known), "left_out": len(d) - len(known), "p": p}
                ranks = stats.rankdata(moved.abs()) * np.sign(moved)
                row |= {"favours": np.sign(ranks.sum())}
                row |= {"mean_a": both[a].mean(), "mean_b": both[b].mean(), "difference": known["value"].mean()}
                family.append(row)
            tested = [r for r in family if not np.isnan(r["p"])]
            corrected = multipletests([r["p"] for r in tested], method="holm")[1] if tested else []
            for row in family:
                row |= {"p_holm": np.nan, "better": ""}
            for row, p in zip(tested, corrected, strict=True):
                first = (row["difference"] < 0) if metric in LOWER else (row["difference"] > 0)
                agreed = p < 0.05 and np.sign(row["difference"]) == row["favours"]
                row |= {"p_holm": p, "better": "neither" if not agreed else "a" if first else "b"}
            rows += family
    expected = pd.DataFrame(rows)
    assert set(found["metric"]) >= {"dice", "nsd", "hd95_penalised", "lesion_f1", "recall"}
    keys = ["set", "method_a", "method_b", "label", "metric"]
    columns = ["n", "cases", "left_out", "mean_a", "mean_b", "difference", "p", "p_holm"]
    assert none(wrong := disagreeing(found, expected, keys, columns)), wrong
    both = found.fillna({"better": ""}).merge(expected, on=keys)
    assert both["better_x"].tolist() == both["better_y"].tolist()
    assert set(both["better_x"]) >= {"a", "b", "neither"} and (found["test"] == "wilcoxon").all()


def test_intervals_of_differences(made):
    found = made.table("comparisons")
    wide = {
        (name, label, metric): w
        for name in (CV, HOLDOUT)
        for label, metric, w in pairs(made, name, set(found["metric"]))
    }
    expected = []
    for i, row in found.iterrows():
        d = differences(wide[row["set"], row["label"], row["metric"]], row["method_a"], row["method_b"])
        expected.append((i, interval(d, row["metric"], difference=True)))
    held(found, expected)


def test_permutation_and_percentile(made):
    """Of the same folds, evaluated with the other test and the other interval."""
    found = made.table("comparisons", "again")
    assert (found["test"] == "permutation").all()
    wide = {
        (name, label, metric): w
        for name in (CV, HOLDOUT)
        for label, metric, w in pairs(made, name, set(found["metric"]))
    }
    wrong, ends = [], []
    for i, row in found.iterrows():
        d = differences(wide[row["set"], row["label"], row["metric"]], row["method_a"], row["method_b"])
        each = d.dropna().groupby("patient")["value"].mean().to_numpy()
        p, allowed = np.nan, 2e-6
        if 0 < len(each) <= 13:
            p = stats.permutation_test(
                (each,), lambda x, axis: x.mean(axis).round(9), permutation_type="samples", vectorized=True,
                n_resamples=np.inf,
            ).pvalue  # fmt: skip
        elif len(each):
            signs = np.random.default_rng(len(each)).choice([-1.0, 1.0], (DRAWS, len(each)))
            p = np.mean(np.abs(signs @ each).round(9) >= np.abs(each.sum()).round(9))
            allowed = 5 * np.sqrt(max(p * (1 - p), 1e-3) * (1 / 10_000 + 1 / DRAWS))
        if not same(row["p"], p, allowed):
            wrong.append((row.to_dict(), p))
        s, n = moments(d)
        if len(s) > 1 and np.ptp(s / n) > 1e-9:
            weights = drawn(len(s))
            ends.append((i, np.quantile(weights @ s / (weights @ n), [LOW, HIGH])))
    assert not wrong, (len(wrong), wrong[:6])
    held(found, ends)


def test_ranks(made):
    found = made.table("ranks")
    seen = 0
    for name in (CV, HOLDOUT):
        for label, metric, wide in pairs(made, name, {"dice", "nsd", "hd95_penalised"}):
            own = found[(found["set"] == name) & (found["label"] == label) & (found["metric"] == metric)]
            assert own["rank"].tolist() == sorted(own["rank"])  # best first
            table = own.set_index("method").loc[list(wide.columns)]
            sign = 1 if metric in LOWER else -1
            mean = wide.mean()
            assert table["mean"].tolist() == pytest.approx(mean.tolist(), abs=1.1e-6)
            assert table["n"].tolist() == wide.notna().sum().tolist()
            assert table["left_out"].tolist() == wide.isna().sum().tolist()
            rank = stats.rankdata((sign * mean).round(9))
            assert table["rank"].tolist() == rank.tolist()
            patients = sorted({p for _, p in wide.index})
            sums = wide.groupby("patient").sum().loc[patients].to_numpy()
            numbers = wide.notna().groupby("patient").sum().loc[patients].to_numpy().astype(float)
            weights = drawn(len(patients))
            means = sign * (weights @ sums) / (weights @ numbers)
            samples = stats.rankdata(means.round(9), axis=1)
            assert table["share_same"].tolist() == pytest.approx((samples == rank).mean(0).tolist(), abs=0.05)
            first = samples == samples.min(axis=1, keepdims=True)
            assert table["share_first"].tolist() == pytest.approx(first.mean(0).tolist(), abs=0.05)
            ends = [np.quantile(samples, q, axis=0, method="inverted_cdf") for q in (0.015, 0.035, 0.965, 0.985)]
            assert (ends[0] <= table["rank_low"]).all() and (table["rank_low"] <= ends[1]).all()
            assert (ends[2] <= table["rank_high"]).all() and (table["rank_high"] <= ends[3]).all()
            seen += len(table)
    assert seen == len(found) == 2 * 4 * 3 * len(experiment.METHODS)


def test_agreement_of_volumes(made):
    found = made.table("agreement").set_index(["set", "method", "label"])
    frame, expected = found.reset_index(), []
    for name in (CV, HOLDOUT):
        table = a_case_once(made.values, name)
        for (method, label), part in table[table["label"] != "mean"].groupby(["method", "label"]):
            row = found.loc[name, method, label]
            d, own = part["volume_error"], part[["patient", "volume_error"]].set_axis(["patient", "value"], axis=1)
            truth, predicted = part["volume"] - d, part["volume"]
            patients = part["patient"].nunique()
            assert (row["n"], row["patients"]) == (len(d), patients)
            assert (row["bias"], row["sd"]) == pytest.approx((d.mean(), stats.tstd(d)), abs=1.1e-6)
            low, high = d.mean() - 1.96 * stats.tstd(d), d.mean() + 1.96 * stats.tstd(d)
            assert (row["lower"], row["upper"]) == pytest.approx((low, high), abs=1.1e-6)
            clusters = {"groups": pd.factorize(own["patient"])[0]}
            model = sm.OLS(d.to_numpy(), np.ones(len(d))).fit(cov_type="cluster", cov_kwds=clusters)
            assert model.bse[0] == pytest.approx(error(own))
            independent = (stats.tstd(d) / model.bse[0]) ** 2
            far = (
                stats.t.ppf(0.975, patients - 1) * stats.tstd(d) * np.sqrt(1 / independent + 1.96**2 / 2 / independent)
            )
            ends = [row[k] for k in ("lower_low", "lower_high", "upper_low", "upper_high")]
            assert ends == pytest.approx([low - far, low + far, high - far, high + far], abs=2e-6)
            r = np.corrcoef(truth, predicted)[0, 1] if np.ptp(predicted) > 1e-9 else np.nan
            concordance = (
                2 * np.cov(truth, predicted, ddof=0)[0, 1]
                / (np.var(truth) + np.var(predicted) + (truth.mean() - predicted.mean()) ** 2)
            ) if np.ptp(predicted) > 1e-9 else np.nan  # fmt: skip
            assert same(row["pearson"], r, 2e-6) and same(row["concordance"], concordance, 2e-6)
            (i,) = frame.index[(frame["set"] == name) & (frame["method"] == method) & (frame["label"] == label)]
            expected.append((i, interval(own, "volume_error")))
    assert len(expected) == len(found) == 2 * 3 * len(experiment.METHODS)
    held(frame, expected, ("bias_low", "bias_high"))


def test_calibration(made):
    found = made.table("calibration")
    rows = []
    for (method, fold, label), table in made.reliability.items():
        name = HOLDOUT if fold == HOLDOUT else CV
        columns = dict(zip(("n", "levels", "truth"), table.astype(float), strict=True))
        rows.append(pd.DataFrame({"set": name, "method": method, "label": label, "bin": range(10), **columns}))
    total = pd.concat(rows).groupby(["set", "method", "label", "bin"], as_index=False).sum()
    total["probability"], total["frequency"] = total["levels"] / 255 / total["n"], total["truth"] / total["n"]
    total["low"], total["high"] = total["bin"] / 10, (total["bin"] + 1) / 10
    keys = ["set", "method", "label", "bin"]
    columns = ["low", "high", "n", "probability", "frequency"]
    assert none(wrong := disagreeing(found, total[keys + columns], keys, columns)), wrong


def coverage(doubt: np.ndarray, risk: np.ndarray) -> float:
    """Mean over all coverages of the mean risk of the cases kept; of equal doubts every order is as likely."""
    kept = []
    for k in range(1, len(risk) + 1):
        last = np.sort(doubt)[k - 1]
        sure, equal = risk[doubt < last], risk[doubt == last]
        kept.append((sure.sum() + (k - len(sure)) * equal.mean()) / k)
    return float(np.mean(kept))


def test_uncertainty(made):
    found = made.table("uncertainty").set_index(["set", "method", "label"])
    seen = 0
    for name in (CV, HOLDOUT):
        for (method, label), part in a_case_once(made.values, name).groupby(["method", "label"]):
            if method not in experiment.FORESTS:
                continue
            row, known = found.loc[name, method, label], part[["entropy", "dice"]].dropna()
            doubt, risk = known["entropy"].to_numpy(), 1 - known["dice"].to_numpy()
            a, best, chance = coverage(doubt, risk), coverage(risk, risk), risk.mean()
            assert row["n"] == len(risk)
            assert (row["aurc"], row["aurc_best"], row["aurc_random"]) == pytest.approx((a, best, chance), abs=1.1e-6)
            assert row["gain"] == pytest.approx((chance - a) / (chance - best), abs=1e-5)
            assert row["spearman"] == pytest.approx(
                known["entropy"].corr(1 - known["dice"], method="spearman"), abs=2e-6
            )
            seen += 1
    assert seen == len(found) == 2 * 2 * 4


def test_variance(made):
    found = made.table("variance")
    repeat = {str(f["fold"]): f["repeat"] for f in made.splits["folds"]}
    own = long(made.values)
    own = own[own["metric"].isin(set(found["metric"]))]
    own = own.assign(set=np.where(own["fold"] == HOLDOUT, HOLDOUT, CV))
    keys = ["set", "method", "label", "metric"]
    over_cases = own.groupby([*keys, "case"])["value"].mean().groupby(keys).mean()
    rows = []
    for (method, label, metric), part in own.groupby(["method", "label", "metric"]):
        for name in (CV, HOLDOUT):
            mine = part[(part["fold"] == HOLDOUT) == (name == HOLDOUT)]
            row = {"set": name, "method": method, "label": label, "metric": metric, "n_folds": 0, "n_repeats": 0}
            row |= {"sd_folds": np.nan, "sd_repeats": np.nan}
            if name == CV:
                folds = mine.groupby("fold")["value"].mean().dropna()
                groups = [g.to_numpy() for _, g in folds.groupby(folds.index.map(repeat))]
                freedom = sum(len(g) - 1 for g in groups)
                pooled = np.sqrt(sum(((g - g.mean()) ** 2).sum() for g in groups) / freedom) if freedom else np.nan
                repeats = mine.groupby(mine["fold"].map(repeat))["value"].mean().dropna()
                row |= {
                    "n_folds": len(folds),
                    "sd_folds": pooled,
                    "n_repeats": len(repeats),
                    "sd_repeats": repeats.std(),
                }
            twins = experiment.FORESTS if method in experiment.FORESTS else (method,)
            seeds = [over_cases[name, twin, label, metric] for twin in twins]
            seeds = pd.Series(seeds).dropna()
            rows.append(row | {"n_seeds": len(seeds), "sd_seeds": seeds.std()})
    expected = pd.DataFrame(rows)
    columns = ["n_folds", "sd_folds", "n_repeats", "sd_repeats", "n_seeds", "sd_seeds"]
    assert none(wrong := disagreeing(found, expected, keys, columns)), wrong


def test_headlines(made):
    found = json.loads((made.root / "results/metrics/metrics.json").read_text())
    means = a_case_once(made.values, CV).groupby(["method", "label"])[list(METRICS)].mean()
    assert set(found) == set(experiment.METHODS)
    for method, labels in found.items():
        assert labels.keys() == {*LABELS, "mean"}
        for label, values in labels.items():
            assert values.keys() == ({"dice", "nsd", "hd95_penalised"} if label == "mean" else {"dice"})
            for metric, value in values.items():
                assert value == pytest.approx(means.loc[(method, label), metric], abs=1.1e-6)


def test_lesions(made):
    keys = ["set", *KEYS, "patient", "side"]
    numbers = ["volume", "iou", "found"]

    def numbered(table: pd.DataFrame) -> pd.DataFrame:
        table = table.assign(**{c: table[c].round(6) for c in numbers}).sort_values([*keys, *numbers])
        return table.assign(lesion=table.groupby(keys).cumcount())

    found = numbered(made.table("lesions"))
    assert none(wrong := disagreeing(found, numbered(made.each), [*keys, "lesion"], numbers)), wrong


def observations(made) -> pd.DataFrame:
    """A row for each thing that could happen, with ``value`` 1 where it did."""
    raw, each, rows = made.raw, made.each, []
    for name, without, happened in (
        ("missed", False, raw["answer_empty"]), ("false_positive", True, ~raw["answer_empty"]),
    ):  # fmt: skip
        rows.append(raw.assign(value=happened, measure=name, size="all")[raw["truth_empty"] == without])
    for name, side in (("lesion_sensitivity", "truth"), ("lesion_precision", "prediction")):
        part = each[each["side"] == side]
        rows.append(part.assign(value=part["found"], measure=name, size="all"))
    for (_, _), part in each[each["side"] == "truth"].groupby(["set", "label"]):
        # a lesion of the truth once, however many methods and repeats there are
        fold = part.groupby("case")["fold"].transform("min")
        once = part[(part["method"] == "good") & (part["fold"] == fold)]["volume"]
        low, high = np.quantile(once, [1 / 3, 2 / 3], method="inverted_cdf")
        size = np.select([part["volume"] <= low + 1e-9, part["volume"] <= high + 1e-9], ["small", "medium"], "large")
        ends = {"small": (0, low), "medium": (low, high), "large": (high, once.max())}
        some = part.assign(value=part["found"], measure="lesion_sensitivity", size=size)
        for i, end in enumerate(("size_low", "size_high")):
            some[end] = [ends[s][i] for s in size]
        rows.append(some)
    return pd.concat(rows)


def test_counts(made):
    found, wrong = made.table("counts"), []
    keys = ["set", "method", "label", "measure", "size"]
    groups = dict(list(observations(made).groupby(keys)))
    for _, row in found.iterrows():
        part = groups.pop(tuple(row[k] for k in keys), None)
        if part is None:
            assert row["of"] == 0 and np.isnan(row["share"]) and np.isnan(row["ci_low"])
            continue
        of, count, patients = len(part), part["value"].sum(), part["patient"].nunique()
        share, sizes = count / of, part.groupby("patient").size().to_numpy()
        if of == patients:  # each patient is one observation
            ends = proportion_confint(count, of, 0.05, method="wilson")
        elif patients < 2:
            ends = np.nan, np.nan
        else:
            least = of**2 / (sizes**2).sum()  # as many patients of equal weight (Kish 1965)
            se = 0 if share in (0, 1) else error(part[["patient", "value"]].astype({"value": float}))
            ends = wilson(share, min(of, max(least, share * (1 - share) / se**2)) if se else least, patients, of)
        again = {"count": count, "of": of, "patients": patients, "share": share, "ci_low": ends[0], "ci_high": ends[1]}
        if row["size"] != "all":
            again |= {k: part[k].iloc[0] for k in ("size_low", "size_high")}
        if not all(same(row[k], v, 2e-6) for k, v in again.items()):
            wrong.append((row.to_dict(), again))
    assert not wrong, (len(wrong), wrong[:6])
    assert not groups and len(found) > 100
