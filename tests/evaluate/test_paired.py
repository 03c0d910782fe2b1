"""Which cases count in a comparison, and with what value."""

import math
import re
from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from scipy import stats

from refold.evaluate import aggregate
from refold.evaluate.metrics import COMPARED, METRICS, REGISTRY, compute
from refold.evaluate.metrics.registry import DIAGONAL, KEEP, OUT
from refold.evaluate.pair import Pair
from refold.evaluate.paired import better, comparable, limits, paired, with_means
from refold.evaluate.uncertainty import Histograms
from refold.settings.evaluate import Evaluate

NAN = math.nan
EMPTY = np.zeros((3, 4, 12), bool)
SOME = EMPTY.copy()
SOME[1, 1, 1:3] = True
SPACING = (1.0, 2.0, 0.5)
WIDE = math.hypot(3, 8, 6)  # the diagonal in mm
STATES = ("both_empty", "truth_empty", "prediction_empty")
# by hand: a number is its value, None that the case does not count, "own" its value in cases.csv
EXPECTED = {
    "dice": (1, 0, 0), "dice_lenient": (1, 0, 0), "iou": (1, 0, 0), "iou_lenient": (1, 0, 0), "f1": (1, 0, 0),
    "precision": (1, 0, 0), "recall": (None, None, 0), "specificity": (1, 142 / 144, 1),
    "accuracy": (1, 142 / 144, 142 / 144), "hd95": (0, WIDE, WIDE), "hd95_penalised": (0, WIDE, WIDE),
    "assd": (0, WIDE, WIDE), "nsd": (1, 0, 0), "volume": (0, 0.002, 0), "volume_error": (0, 0.002, -0.002),
    "lesion_sensitivity": (None, None, 0), "lesion_precision": (1, 0, 0), "lesion_f1": (1, 0, 0),
    "lesions_missed": (0, 0, 1), "lesions_false_positive": (0, 1, 0), "panoptic_quality": (1, 0, 0),
    "ece": (None, None, "own"), "brier": (None, None, "own"), "entropy": ("own", "own", "own"),
}  # fmt: skip


def table(**cases: tuple[np.ndarray, np.ndarray]) -> pd.DataFrame:
    """All metrics of a label x of (truth, prediction), a row a case, as `aggregate.frame` gives them."""
    found = {}
    for case, (truth, prediction) in cases.items():
        whole = tuple(slice(0, n) for n in truth.shape) if truth.any() else None
        sure = Histograms.of((prediction * 200).astype(np.uint8), whole, truth if whole else None)
        pair = Pair(truth, prediction, SPACING, lesion_iou=0.1, uncertainty=sure)
        found["0", case] = {("x", m): v for m, v in compute(pair).items()}
    made = pd.DataFrame.from_dict(found, orient="index")
    made.index = made.index.set_names(["fold", "case"])
    made.columns = pd.MultiIndex.from_tuples(made.columns, names=["label", "metric"])
    return with_means(made, [])


def test_every_metric_has_a_rule_and_what_it_is_worth_where_a_mask_is_empty():
    assert set(EXPECTED) == set(METRICS)
    cases = {"both_empty": (EMPTY, EMPTY), "truth_empty": (EMPTY, SOME), "prediction_empty": (SOME, EMPTY)}
    own = table(**cases)
    got = comparable(own, [])
    for metric, wanted in EXPECTED.items():
        for state, value in zip(STATES, wanted, strict=True):
            value = own.loc[("0", state), ("x", metric)] if value == "own" else NAN if value is None else value
            assert got.loc[("0", state), ("x", metric)] == pytest.approx(value, nan_ok=True), (metric, state)
            assert got.loc[("0", state), ("mean", metric)] == pytest.approx(value, nan_ok=True), (metric, state)


def test_where_both_masks_hold_something_nothing_is_changed():
    own = table(a=(SOME, SOME), b=(SOME, np.roll(SOME, 1, 2)), c=(SOME, np.roll(SOME, 4, 2)))
    pd.testing.assert_frame_equal(comparable(own, []), own)


def test_only_the_truth_may_leave_a_case_out():
    for metric, rule in ((name, m.empty) for name, m in REGISTRY.items()):
        assert rule.prediction_empty != OUT, metric
        assert (rule.both_empty == OUT) == (rule.truth_empty == OUT), metric


def test_the_page_has_the_same_rules():
    page = (Path(__file__).resolve().parents[2] / "docs/reference/evaluate.md").read_text()
    section = page.split("### Where methods are compared")[1].split("\n#")[0]
    words = {"not counted": OUT, "diagonal": DIAGONAL, "as it is": KEEP}
    found = {}
    for names, *cells in re.findall(r"^\| (`.*?) \| (.*?) \| (.*?) \| (.*?) \|$", section, re.M):
        for name in re.findall(r"`(\w+)`", names):
            found[name] = tuple(words[c] if c in words else float(c) for c in cells)
    assert found == {
        m: (r.both_empty, r.truth_empty, r.prediction_empty)
        for m, r in ((name, known.empty) for name, known in REGISTRY.items())
    }


def test_the_mean_over_labels_is_of_what_counts_and_regions_have_no_part():
    one = table(a=(EMPTY, EMPTY), b=(SOME, EMPTY))
    two = one.rename(columns={"x": "y"}, level=0).drop(columns="mean", level=0)
    both = with_means(pd.concat([one.drop(columns="mean", level=0), two], axis=1), ["y"])
    both.loc[("0", "b"), ("x", "dice")] = 0.5
    both.loc[("0", "b"), ("x", "hd95")] = 3.0
    assert comparable(both, [])["mean", "dice"].tolist() == [1, 0.25]
    assert comparable(both, ["y"])["mean", "dice"].tolist() == [1, 0.5]


def test_a_table_of_few_metrics_keeps_those_that_its_dice_decides():
    columns = pd.MultiIndex.from_tuples(
        [("x", m) for m in ("dice", "nsd", "recall", "assd")], names=["label", "metric"]
    )
    index = pd.MultiIndex.from_tuples([("0", "a"), ("0", "b")], names=["fold", "case"])
    few = pd.DataFrame([[NAN] * 4, [0.0, 0.0, 0.0, NAN]], index, columns)
    got = comparable(few, [])
    assert set(got.columns.get_level_values("metric")) == {"dice", "nsd"}
    assert got["x", "dice"].tolist() == [1, 0]


def lesion_free() -> tuple[dict[str, pd.DataFrame], dict[str, str]]:
    """Forty scans of a patient each; A leaves the ten without a lesion empty, B has a false positive in each.

    In the thirty others the Dice differ by chance: 15 times by 0.001 to 0.015 in favour of A, as often of B.
    """
    random = np.random.default_rng(4)
    base = random.uniform(0.6, 0.9, 30)
    gaps = np.repeat(np.arange(1, 16) / 1000, 2) * np.tile([1, -1], 15)
    tables = {}
    for method, dice in (("A", base + gaps), ("B", base)):
        rows = {}
        for i in range(40):
            found, empty = i < 30, method == "A"
            score = dice[i] if found else NAN if empty else 0.0
            far = 2.0 if found else NAN
            rows["0", f"c{i:02}"] = {
                ("lesion", "dice"): score, ("lesion", "nsd"): score, ("lesion", "hd95"): far,
                ("lesion", "hd95_penalised"): 2.0 if found else NAN if empty else 100.0,
                ("lesion", "volume"): 0.0 if not found and empty else 1.0,
            }  # fmt: skip
        made = pd.DataFrame.from_dict(rows, orient="index")
        made.index = made.index.set_names(["fold", "case"])
        made.columns = pd.MultiIndex.from_tuples(made.columns, names=["label", "metric"])
        tables[method] = with_means(made, [])
    return tables, {f"c{i:02}": f"p{i:02}" for i in range(40)}


def test_a_method_that_is_rightly_empty_is_better():
    tables, patients = lesion_free()
    fair = {m: aggregate.over_repeats(comparable(t, [])) for m, t in tables.items()}
    evaluate = Evaluate(bootstrap=500)
    rows = {(r["label"], r["metric"]): r for r in aggregate.compare("cross-validation", fair, evaluate, patients)}
    dice = rows["lesion", "dice"]
    assert (dice["n"], dice["cases"], dice["left_out"]) == (40, 40, 0)
    assert dice["difference"] == pytest.approx(10 / 40) == pytest.approx(dice["mean_a"] - dice["mean_b"])
    assert 0.1 < dice["ci_low"] < 0.25 < dice["ci_high"] < 0.45
    # ten equal differences of 1 above all others: Wilcoxon's test of SciPy
    each = [1.0] * 10 + list(np.repeat(np.arange(1, 16) / 1000, 2) * np.tile([1, -1], 15))
    assert dice["p"] == pytest.approx(stats.wilcoxon(np.round(each, 9)).pvalue, rel=1e-6) and dice["p"] < 0.02
    assert dice["better"] == "a"
    far = rows["lesion", "hd95_penalised"]
    assert far["difference"] == pytest.approx(-100 * 10 / 40) and far["better"] == "a"
    ranks = [r for r in aggregate.rank("cross-validation", fair, evaluate, patients) if r["label"] == "lesion"]
    for metric in ("dice", "nsd", "hd95_penalised"):
        first, second = (r for r in ranks if r["metric"] == metric)
        assert (first["method"], second["method"]) == ("A", "B")
        assert (first["n"], first["left_out"], second["n"]) == (40, 0, 40)
        assert first["mean"] - second["mean"] == pytest.approx(rows["lesion", metric]["difference"])


def test_recall_leaves_out_the_cases_without_the_label_for_both():
    cases = {"a": (SOME, SOME), "b": (EMPTY, EMPTY), "c": (EMPTY, EMPTY)}
    other = {"a": (SOME, EMPTY), "b": (EMPTY, SOME), "c": (EMPTY, EMPTY)}
    one, two = (aggregate.over_repeats(comparable(table(**t), [])) for t in (cases, other))
    row = paired(one["x", "recall"], two["x", "recall"], {c: c for c in cases}, Evaluate(), "recall")
    assert (row["cases"], row["left_out"], row["mean_a"], row["mean_b"]) == (1, 2, 1, 0)
    row = paired(one["x", "precision"], two["x", "precision"], {c: c for c in cases}, Evaluate(), "precision")
    assert (row["cases"], row["left_out"], row["difference"]) == (3, 0, pytest.approx(2 / 3))


def test_a_case_empty_in_one_repeat_counts_with_the_mean_of_its_repeats():
    both = pd.concat([table(a=(EMPTY, EMPTY)), table(a=(EMPTY, SOME)).rename(index={"0": "1"}, level=0)])
    assert aggregate.over_repeats(comparable(both, []))["x", "dice"].tolist() == [0.5]


@pytest.mark.parametrize(
    ("metric", "difference", "p", "confidence", "expected"),
    [
        ("dice", 0.1, 0.04, 0.95, "a"),
        ("dice", -0.1, 0.04, 0.95, "b"),
        ("hd95_penalised", -3.0, 0.04, 0.95, "a"),
        ("dice", 0.1, 0.05, 0.95, "neither"),
        ("dice", 0.1, 0.04, 0.99, "neither"),
        ("dice", 0.1, 0.08, 0.9, "a"),
        ("dice", 0.1, 0.1, 0.9, "neither"),
        ("dice", NAN, NAN, 0.95, ""),
    ],
)
def test_better_follows_the_level(metric, difference, p, confidence, expected):
    row = {"metric": metric, "difference": difference, "favours": np.sign(difference), "p_holm": p}
    assert better(row, confidence) == expected
    if expected in ("a", "b"):
        assert better({**row, "favours": -row["favours"]}, confidence) == "neither"


def verdict(values: dict[str, tuple[list[float], list[float]]], **settings) -> dict:
    """The row of comparisons.csv of two methods: the Dice of each patient's scans."""
    tables, patients = {}, {f"{p}-{i}": p for p, (one, _) in values.items() for i in range(len(one))}
    for k, method in enumerate("AB"):
        dice = {("0", c): values[p][k][int(c.rsplit("-", 1)[1])] for c, p in patients.items()}
        made = pd.DataFrame({("x", "dice"): pd.Series(dice), ("x", "hd95"): 1.0, ("x", "volume"): 1.0})
        made.index = made.index.set_names(["fold", "case"])
        made.columns = pd.MultiIndex.from_tuples(made.columns, names=["label", "metric"])
        tables[method] = aggregate.over_repeats(comparable(with_means(made, []), []))
    rows = aggregate.compare("cross-validation", tables, Evaluate(bootstrap=200, **settings), patients)
    return next(r for r in rows if (r["label"], r["metric"]) == ("x", "dice"))


def test_no_method_is_better_where_mean_and_test_point_different_ways():
    # 30 patients gain a little and two lose much
    few = {f"p{i}": ([0.5 + 0.0105 + i / 1e5], [0.5]) for i in range(30)} | {"y": ([0.05], [0.95]), "z": ([0.1], [0.9])}
    row = verdict(few)
    assert row["difference"] < -0.04 and row["p_holm"] < 0.001 and row["better"] == "neither"
    assert "favours" not in row
    # a test of the mean does not speak for the many
    assert verdict(few, test="permutation")["p_holm"] > 0.05
    # eleven patients gain, one with six scans loses
    row = verdict({f"p{i}": ([0.6 + i / 1e4], [0.5]) for i in range(11)} | {"z": ([0.1] * 6, [0.54] * 6)})
    assert row["difference"] < 0 and row["p_holm"] < 0.05 and row["better"] == "neither"
    assert verdict({f"p{i}": ([0.6 + i / 1e4], [0.5]) for i in range(11)})["better"] == "a"


def test_what_is_compared_has_a_direction():
    from refold.evaluate.metrics import REGISTRY

    assert all(REGISTRY[m].better in ("higher", "lower") for m in COMPARED)


def test_no_interval_reaches_where_no_value_can_be():
    """A volume is not below 0; the error of one may be. Entropy in bits is at most 1."""
    assert limits("volume") == limits("hd95") == limits("lesions_missed") == (0, math.inf)
    assert limits("volume_error") == (-math.inf, math.inf)
    assert limits("dice") == limits("entropy") == limits("ece") == (0, 1)
