import json
import math
from dataclasses import replace

import numpy as np
import pytest

from refold.core import paths
from refold.core.errors import RefoldError
from refold.core.files import read_csv, write_json
from refold.evaluate.__main__ import main
from refold.evaluate.metrics import COMPARED
from refold.evaluate.variance import twins
from refold.imaging import cases as case_table
from refold.imaging import images
from refold.imaging.dataset import Description
from tests.evaluate.conftest import AFFINE, VALUES, sha
from tests.evaluate.test_metrics import MASKS

METHODS = {"good": 0.1, "bad": 0.6}


@pytest.fixture
def evaluated(project):
    """Two methods, two folds and a held-out case; the bad one misses a lesion."""
    miss = np.where(project.truth["c2"] == 2, 0, project.truth["c2"]).astype(np.uint8)
    for method, wrong in METHODS.items():
        for fold in ("0", "1", "holdout"):
            project.predict(method, fold, wrong, **({"c2": miss} if method == "bad" else {}))
            project.evaluate(method, fold)
    return project


def aggregate(*folds, methods=("good", "bad")):
    main(["aggregate", "--methods", *methods, "--folds", *folds])


def rows(name, **wanted):
    return [r for r in read_csv(f"results/metrics/{name}.csv") if all(r[k] == v for k, v in wanted.items())]


def test_summary_holds_the_numbers_of_the_cases(evaluated):
    aggregate("0", "1", "holdout")
    for label in ("organ", "lesion"):
        dice = [
            float(r["value"])
            for r in rows("cases", method="good", label=label, metric="dice")
            if r["fold"] != "holdout"
        ]
        assert len(dice) == 5
        (row,) = rows("summary", set="cross-validation", method="good", fold="all", label=label, metric="dice")
        assert (row["n"], row["n_nan"]) == ("5", "0")
        expected = {"mean": np.mean(dice), "sd": np.std(dice, ddof=1), "median": np.median(dice)}
        expected |= {"min": min(dice), "max": max(dice)}
        assert {k: float(row[k]) for k in expected} == pytest.approx(expected, abs=1e-6)
        assert 0 <= float(row["ci_low"]) < np.mean(dice) < float(row["ci_high"]) <= 1
    (row,) = rows("summary", set="holdout", method="good", label="organ", metric="dice")
    assert (row["fold"], row["n"], row["ci_low"], row["sd"]) == ("all", "1", "nan", "nan")
    assert len(rows("summary", method="good", set="cross-validation")) == 3 * 3 * len(MASKS)


def test_mean_label_is_the_mean_over_the_labels_of_a_case(evaluated):
    aggregate("0", "1")
    cases = ("c2", "c3", "c4")
    means = [np.mean([float(r["value"]) for r in rows("cases", method="bad", case=c, metric="dice")]) for c in cases]
    (row,) = rows("summary", method="bad", fold="1", label="mean", metric="dice")
    assert [float(row[k]) for k in ("mean", "min", "max")] == pytest.approx(
        [np.mean(means), min(means), max(means)], abs=1e-6
    )


def test_a_missed_label_counts_and_is_counted(evaluated):
    aggregate("0", "1")
    (dice,) = rows("summary", method="bad", fold="1", label="lesion", metric="dice")
    assert (dice["n"], dice["n_missed"], dice["min"]) == ("3", "1", "0.000000")
    (hd95,) = rows("summary", method="bad", fold="1", label="lesion", metric="hd95")
    assert (hd95["n"], hd95["n_nan"]) == ("2", "1")
    (penalised,) = rows("summary", method="bad", fold="1", label="lesion", metric="hd95_penalised")
    assert float(penalised["max"]) == pytest.approx(math.hypot(6, 10, 12), abs=1e-6)
    (good,) = rows("summary", method="good", fold="1", label="lesion", metric="dice")
    assert good["n_missed"] == "0"
    (both,) = rows("summary", method="bad", fold="all", label="mean", metric="hd95")
    # of that case, the organ alone has a distance: NaN is left out, not made 0
    assert (both["n"], both["n_missed"]) == ("5", "1")


def test_metrics_json_agrees_with_the_summary_and_writes_null_for_nan(project):
    nothing = np.zeros((6, 5, 4), np.uint8)
    for case in ("c0", "c1"):  # no lesion: its Dice is not defined
        healthy = np.where(project.truth[case] == 2, 0, project.truth[case])
        images.write_label(project.root / f"raw/labelsTr/{case}.nii.gz", VALUES[healthy], AFFINE)
    table = [replace(c, sha256=sha(project.root, c.case)) for c in case_table.read()]
    case_table.write(table)
    Description.read().write(beside=[paths.CASES])
    project.predict("unet", "0", 0.1, c0=nothing, c1=nothing)
    project.evaluate("unet", "0")
    aggregate("0", methods=["unet"])
    metrics = json.loads((project.root / "results/metrics/metrics.json").read_text())
    labels = {r["label"] for r in rows("summary", fold="all")} - {"mean"}
    assert {k: set(v) for k, v in metrics["unet"].items()} == {
        **{label: {"dice"} for label in labels},
        "mean": {"dice", "nsd", "hd95_penalised"},
    }
    seen = set()
    for label, values in metrics["unet"].items():
        for metric, value in values.items():
            (row,) = rows("summary", fold="all", label=label, metric=metric)
            assert value is None if row["mean"] == "nan" else value == float(row["mean"])
            seen.add(value)
    assert {0, None} <= seen
    (row,) = rows("summary", fold="all", label="organ", metric="hd95")
    assert (row["n"], row["n_nan"], row["mean"], row["ci_low"]) == ("0", "2", "nan", "nan")
    assert rows("comparisons") == rows("ranks") == []


def test_ranks_agree_with_the_summary(evaluated):
    aggregate("0", "1")
    for label in ("organ", "lesion", "mean"):
        for metric in ("dice", "nsd", "hd95_penalised"):
            first, second = rows("ranks", label=label, metric=metric)
            assert (first["method"], second["method"]) == ("good", "bad")
            assert (float(first["rank"]), float(second["rank"])) == (1, 2)
            for row in (first, second):
                (summary,) = rows("summary", fold="all", **{k: row[k] for k in ("set", "method", "label", "metric")})
                assert (row["mean"], row["n"]) == (summary["mean"], summary["n"])
                assert float(row["rank_low"]) <= float(row["rank"]) <= float(row["rank_high"])
            assert float(first["share_first"]) + float(second["share_first"]) >= 1
            assert float(first["share_same"]) > 0.95  # it is better for every patient, or nearly


def test_ranks_of_one_patient_have_no_stability(evaluated):
    aggregate("0", "1", "holdout")
    for row in rows("ranks", set="holdout", label="organ", metric="dice"):
        assert row["rank"] in ("1.000000", "2.000000")
        assert {row[k] for k in ("rank_low", "rank_high", "share_same", "share_first")} == {"nan"}


def test_comparison_by_hand(evaluated):
    aggregate("0", "1", "holdout")
    assert len(rows("comparisons")) == 2 * 3 * len([m for m in COMPARED if m in MASKS])
    (row,) = rows("comparisons", set="cross-validation", label="organ", metric="dice")
    good, bad = (
        {r["case"]: float(r["value"]) for r in rows("cases", method=m, label="organ", metric="dice")} for m in METHODS
    )
    by_case = {c: good[c] - bad[c] for c in ("c0", "c1", "c2", "c3", "c4")}
    # c0 and c1 are one patient, whose differences are averaged for the test
    assert (row["method_a"], row["method_b"], row["n"]) == ("good", "bad", "4")
    assert float(row["difference"]) == pytest.approx(np.mean(list(by_case.values())), abs=1e-6)
    assert float(row["ci_low"]) < float(row["difference"]) < float(row["ci_high"])
    # bad misses the lesion of c2 but has its organ exactly, the least of four differences in size and alone negative:
    # of the 2^4 sign patterns, 2 at either end are as extreme
    others = [(by_case["c0"] + by_case["c1"]) / 2, by_case["c3"], by_case["c4"]]
    assert 0 < -by_case["c2"] < min(others)
    assert (row["p"], row["p_holm"]) == ("0.250000", "0.250000")


def test_holm_corrects_over_the_pairs_of_methods(evaluated):
    for fold in ("0", "1"):
        evaluated.predict("middle", fold, 0.3)
        evaluated.evaluate("middle", fold)
    aggregate("0", "1", methods=("good", "middle", "bad"))
    table = rows("comparisons", label="lesion", metric="dice")
    assert [(r["method_a"], r["method_b"]) for r in table] == [("good", "middle"), ("good", "bad"), ("middle", "bad")]
    # all three pairs differ with the same sign in each of four patients: p = 1/8, times three
    assert [(r["p"], r["p_holm"]) for r in table] == [("0.125000", "0.375000")] * 3


def test_the_same_method_twice_differs_by_nothing(project):
    for method in ("one", "two"):
        for fold in ("0", "1"):
            project.predict(method, fold, 0.0)
            project.evaluate(method, fold)
    aggregate("0", "1", methods=["one", "two"])
    (row,) = rows("comparisons", label="organ", metric="dice")
    # equal differences do not tell how much differences vary
    assert [row[k] for k in ("difference", "ci_low", "ci_high", "p")] == ["0.000000", "nan", "nan", "1.000000"]


def test_spread_between_folds_and_repeats(project):
    # two repeats of two folds; the numbers of the cases decide the folds
    tests = {"0": ["c0", "c1"], "1": ["c2", "c3"], "2": ["c0", "c2"], "3": ["c1", "c3"]}
    project.change(
        "results/splits.json",
        lambda v: v.update(folds=[{"fold": int(k), "repeat": int(k) // 2, "test": t} for k, t in tests.items()]),
    )
    project.folds = tests
    nothing = np.zeros((6, 5, 4), np.uint8)
    # Dice 1 but where nothing is found: means of the folds 1/2, 1, then 1, 0
    for fold, missed in (("0", ["c0"]), ("1", []), ("2", []), ("3", ["c1", "c3"])):
        project.predict("unet", fold, 0.0, **dict.fromkeys(missed, nothing))
        project.evaluate("unet", fold)
    aggregate("0", "1", "2", "3", methods=["unet"])
    (row,) = rows("variance", label="organ", metric="dice")
    # squares about the means of the repeats: 2 (1/4)^2 and 2 (1/2)^2, over 1 + 1 degrees of freedom; of the repeats,
    # means 3/4 and 1/2
    assert float(row["sd_folds"]) == pytest.approx(math.sqrt((2 / 16 + 2 / 4) / 2), abs=1e-6)
    assert float(row["sd_repeats"]) == pytest.approx(math.sqrt(2 * (1 / 8) ** 2), abs=1e-6)
    assert [row[k] for k in ("n_folds", "n_repeats", "n_seeds", "sd_seeds")] == ["4", "2", "1", "nan"]
    # a repeat that was not run whole has no mean over all cases
    aggregate("0", "1", "2", methods=["unet"])
    (row,) = rows("variance", label="organ", metric="dice")
    assert [row[k] for k in ("n_folds", "sd_folds", "n_repeats", "sd_repeats")] == ["3", "0.353553", "1", "nan"]


def test_one_split_has_a_mean_and_no_spread_between_folds(project):
    project.change("results/splits.json", lambda v: v.update(folds=[{"fold": 0, "repeat": 0, "test": ["c0", "c1"]}]))
    project.folds = {"0": ["c0", "c1"]}
    project.predict("unet", "0", 0.0, c1=np.zeros((6, 5, 4), np.uint8))
    project.evaluate("unet", "0")
    aggregate("0", methods=["unet"])
    (row,) = rows("variance", label="organ", metric="dice")
    assert [row[k] for k in ("n_folds", "sd_folds", "n_repeats", "sd_repeats")] == ["1", "nan", "1", "nan"]
    (row,) = rows("summary", label="organ", metric="dice", fold="all")
    assert (row["n"], row["mean"]) == ("2", "0.500000")


def test_spread_between_seeds(evaluated):
    train = {"seed": 1, "epochs": 5}
    for name, seed in (("bad", 1), ("good", 2)):
        entry = {"kind": "unet", "train": {**train, "seed": seed}}
        write_json(f"results/.params/methods.{name}.json", entry)
    aggregate("0", "1", "holdout")
    for name in ("cross-validation", "holdout"):
        table = rows("variance", set=name, label="organ", metric="dice")
        means = [float(r["mean"]) for r in rows("summary", set=name, fold="all", label="organ", metric="dice")]
        assert [r["n_seeds"] for r in table] == ["2", "2"]
        assert [float(r["sd_seeds"]) for r in table] == pytest.approx([np.std(means, ddof=1)] * 2, abs=2e-6)
    assert [table[0][k] for k in ("n_folds", "sd_folds", "n_repeats", "sd_repeats")] == ["0", "nan", "0", "nan"]


def test_twins_differ_in_their_seed_alone():
    train = {"seed": 1, "epochs": 5}
    entries = {
        "a": {"kind": "unet", "train": train},
        "b": {"kind": "unet", "train": {**train, "seed": 2}},
        "again": {"kind": "unet", "train": train},
        "longer": {"kind": "unet", "train": {**train, "epochs": 6, "seed": 2}},
        "forest": {"kind": "random_forest", "trees": 9, "seed": 1},
        "other_forest": {"kind": "random_forest", "trees": 9, "seed": 4},
        "otsu": {"kind": "threshold"},
    }
    assert twins(entries) == {
        "a": ["a", "b"], "b": ["a", "b"], "again": ["a", "b"], "longer": ["longer"],
        "forest": ["forest", "other_forest"], "other_forest": ["forest", "other_forest"], "otsu": ["otsu"],
    }  # fmt: skip


def test_another_split_than_the_file_is_refused(evaluated):
    evaluated.change("results/splits.json", lambda v: v.update(kind="kfold"))
    with pytest.raises(RefoldError, match=r"good/fold-0\.json does not belong to results/splits\.json as it is now"):
        aggregate("0", "1")


def test_repeats_count_each_case_once(project):
    project.change(
        "results/splits.json",
        lambda v: v.update(folds=[{"fold": k, "repeat": k, "train": [], "test": ["c0", "c1"]} for k in (0, 1)]),
    )
    project.folds = {"0": ["c0", "c1"], "1": ["c0", "c1"]}
    nothing = np.zeros((6, 5, 4), np.uint8)
    project.predict("unet", "0", 0.0)
    project.predict("unet", "1", 0.0, c0=nothing)
    for fold in ("0", "1"):
        project.evaluate("unet", fold)
    aggregate("0", "1", methods=["unet"])
    (row,) = rows("summary", fold="all", label="organ", metric="dice")
    assert (row["n"], row["mean"], row["min"], row["n_missed"]) == ("2", "0.750000", "0.500000", "1")


@pytest.mark.parametrize(
    ("key", "message"),
    [("data", "data"), ("split", "split"), ("evaluate", "evaluate"), ("predict", r"params\.predict")],
)
def test_folds_of_different_runs_are_refused(evaluated, key, message):
    def spoil(v):
        (v["hashes"]["params"] if key == "predict" else v["hashes"])[key] = "f" * 64

    evaluated.change("results/metrics/folds/bad/fold-1.json", spoil)
    with pytest.raises(RefoldError, match=rf"bad/fold-1\.json and .* disagree about {message} \(ffffffffffff, "):
        aggregate("0", "1")
    assert not (evaluated.root / "results/metrics/summary.csv").exists()


def test_a_holdout_of_other_models_is_refused(evaluated):
    evaluated.change("results/metrics/folds/bad/fold-0.json", lambda v: v["hashes"]["models"].update({"0": "e" * 64}))
    with pytest.raises(RefoldError, match=r"fold-holdout\.json and .*bad/fold-0\.json disagree about models\.0"):
        aggregate("0", "1", "holdout")


def test_folds_of_another_tolerance_are_refused(evaluated):
    evaluated.stamp(nsd_tolerance=2.0)
    with pytest.raises(RefoldError, match=r"good/fold-0\.json and params\.yaml disagree about evaluate"):
        aggregate("0", "1")


def test_an_edited_table_is_refused(evaluated):
    path = evaluated.root / "results/metrics/folds/good/fold-1.csv"
    path.write_text(path.read_text().replace("c3", "c9"))
    with pytest.raises(RefoldError, match=r"fold-1\.csv is not what the evaluate phase wrote .*fold-1\.json says"):
        aggregate("0", "1")


def test_a_missing_fold_is_named(evaluated):
    (evaluated.root / "results/metrics/folds/bad/fold-1.json").unlink()
    with pytest.raises(RefoldError, match=r"bad/fold-1\.json is missing"):
        aggregate("0", "1")


def test_hashes(evaluated):
    aggregate("0", "1", "holdout")
    hashes = json.loads((evaluated.root / "results/metrics/hashes.json").read_text())
    assert hashes.keys() == {
        "data", "split", "params", "models", "folds", "tables", "seal", "settings", "warnings",
    }  # fmt: skip
    # the voxels are 1 x 2 x 3 mm: 2 mm within a slice
    assert hashes["settings"] == {"nsd_tolerance": 2.0, "calibration_margin": 10.0} and hashes["warnings"] == []
    assert hashes["models"] == {m: {"0": "0" * 64, "1": "1" * 64} for m in METHODS}
    assert hashes["params"].keys() == {"methods.good", "methods.bad", "predict", "evaluate"}


def test_a_tolerance_under_the_voxel_size_is_a_warning(project):
    project.stamp(nsd_tolerance=1.5, calibration_margin=0)
    project.predict("good", "0", 0.1)
    project.evaluate("good", "0")
    aggregate("0", methods=["good"])
    hashes = json.loads((project.root / "results/metrics/hashes.json").read_text())
    assert hashes["settings"] == {"nsd_tolerance": 1.5, "calibration_margin": 0}
    (warning,) = hashes["warnings"]
    assert warning["message"].startswith(
        "evaluate.nsd_tolerance is 1.5 mm, below the voxel size within a slice of 6 of 6 cases (up to 2 mm)"
    )


def test_same_bytes_again(evaluated):
    def written():
        return {p.name: p.read_bytes() for p in (evaluated.root / "results/metrics").glob("*.*")}

    aggregate("0", "1", "holdout")
    first = written()
    assert first.keys() == {
        "cases.csv",
        "summary.csv",
        "comparisons.csv",
        "counts.csv",
        "lesions.csv",
        "ranks.csv",
        "variance.csv",
        "agreement.csv",
        "calibration.csv",
        "uncertainty.csv",
        "metrics.json",
        "hashes.json",
    }
    aggregate("0", "1", "holdout")
    assert written() == first


def test_the_ranking_says_in_words_that_an_interval_is_not_known(evaluated):
    from refold.evaluate import ranking

    aggregate("0", "1", "holdout")
    text = ranking.text("results/metrics/summary.csv", 0.95)
    first, held = text.split("holdout, mean over the labels:")
    assert held.count("not known") == 2 and "not known" not in first and "- to -" not in text
