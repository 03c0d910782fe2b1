"""What is held against what, with values worked out by hand or by SciPy."""

import json
import math

import numpy as np
import pytest
from scipy import stats

from refold.compare import differences, locations, page, pairs, reading, tables, words
from refold.core import seals
from refold.core.errors import RefoldError
from refold.core.files import read_csv, read_json, sha256_file, write_csv, write_json
from refold.core.hashes import of_params
from refold.settings.evaluate import Evaluate
from tests.compare.conftest import BOTH, COLUMNS, INVENTED, MISSED, provenance, told, write

# eight patients of one case each; label x and, in two cases, y
A = {f"c{i}": {"x": 0.5 + 0.02 * i, "y": 0.6} for i in range(1, 9)}
GAIN = [0.01, 0.02, -0.03, 0.04, 0.05, 0.06, 0.07, 0.08]
B = {f"c{i}": {"x": 0.5 + 0.02 * i + GAIN[i - 1], "y": 0.6} for i in range(1, 9)}


def read(*folders):
    return reading.read_all([locations._folder(str(f), f) for f in folders])


def compared(*folders, methods=()):
    made = page.hold(read(*folders), list(methods))
    return made.runs, made.pairs, made.cautions, made.keys


@pytest.fixture
def two(tmp_path):
    """One method each, of the same name."""
    return write(tmp_path / "old", {"m": A}), write(tmp_path / "new", {"m": B})


# ---------------------------------------------------------------- numbers


def test_means_difference_and_test_of_one_label(two):
    _, [pair], _, _ = compared(*two)
    row = pair.row("x", "dice")
    gains = np.round([B[c]["x"] - A[c]["x"] for c in sorted(A)], 6)
    assert row["mean_a"] == pytest.approx(0.59) and row["mean_b"] == pytest.approx(0.59 + np.mean(GAIN))
    assert row["difference"] == pytest.approx(np.mean(GAIN), abs=1e-6)
    assert row["p"] == pytest.approx(stats.wilcoxon(gains).pvalue)
    assert (row["cases"], row["n"], row["test"]) == (8, 8, "wilcoxon")
    assert row["ci_low"] < row["difference"] < row["ci_high"]
    assert pair.row("y", "dice")["difference"] == 0 and pair.row("y", "dice")["p"] == 1
    assert pair.row("mean", "dice")["difference"] == pytest.approx(np.mean(GAIN) / 2, abs=1e-6)
    assert pair.row("x", "hd95_penalised")["difference"] == pytest.approx(-10 * np.mean(GAIN), abs=1e-5)


def test_the_interval_of_few_patients_is_students(tmp_path):
    few = ["c1", "c2", "c3", "c4"]
    a = write(tmp_path / "a", {"m": {c: {"x": A[c]["x"]} for c in few}})
    b = write(tmp_path / "b", {"m": {c: {"x": B[c]["x"]} for c in few}})
    _, [pair], cautions, _ = compared(a, b)
    gains = np.array(GAIN[:4])
    half = stats.t.ppf(0.975, 3) * gains.std(ddof=1) / 2
    row = pair.row("x", "dice")
    assert (row["ci_low"], row["ci_high"]) == pytest.approx((gains.mean() - half, gains.mean() + half), abs=1e-6)
    assert "mean" not in {r["label"] for r in pair.rows}, "with one label its mean is itself"
    assert "Only 4 patients" in told(cautions)


def test_scans_of_one_patient_are_one_difference(tmp_path):
    patients = {f"c{i}": f"P{(i + 1) // 2}" for i in range(1, 9)}
    folders = [write(tmp_path / n, {"m": s}, patients=patients) for n, s in (("a", A), ("b", B))]
    _, [pair], _, _ = compared(*folders)
    each = np.array(GAIN).reshape(4, 2).mean(axis=1)
    row = pair.row("x", "dice")
    assert (row["cases"], row["n"]) == (8, 4)
    assert row["p"] == pytest.approx(stats.wilcoxon(each).pvalue)


def test_holm_over_the_pairs_of_methods(tmp_path):
    scores = {"m": A, "k": A}
    worse = {c: {"x": v["x"] - 0.01 * (1 + i / 50), "y": v["y"]} for i, (c, v) in enumerate(A.items())}
    folders = write(tmp_path / "a", scores), write(tmp_path / "b", {"m": B, "k": worse})
    _, found, _, _ = compared(*folders)
    p = {pair.methods[0]: pair.row("x", "dice") for pair in found}
    assert p["k"]["p"] < p["m"]["p"]
    assert p["k"]["p_holm"] == pytest.approx(2 * p["k"]["p"])
    assert p["m"]["p_holm"] == pytest.approx(max(p["m"]["p"], 2 * p["k"]["p"]))
    assert words.judged(p["k"], found[1]) == "A better" and p["k"]["difference"] < 0


def test_lower_distances_are_better(tmp_path):
    better = {c: {"x": v["x"] + 0.05 + i / 1000, "y": v["y"]} for i, (c, v) in enumerate(A.items())}
    _, [pair], _, _ = compared(write(tmp_path / "a", {"m": A}), write(tmp_path / "b", {"m": better}))
    row = pair.row("x", "hd95_penalised")
    assert row["difference"] < 0 and words.judged(row, pair) == "B better"


def test_the_settings_of_the_first_run_hold(tmp_path):
    a = write(tmp_path / "a", {"m": A}, params={"evaluate": {"test": "permutation", "confidence": 0.9}})
    b = write(tmp_path / "b", {"m": B})
    _, [pair], cautions, keys = compared(a, b)
    row = pair.row("x", "dice")
    assert row["test"] == "permutation"
    # all 256 signs of eight differences: as large a sum as that observed, with either sign
    signs = 1 - 2 * (np.arange(256)[:, None] >> np.arange(8) & 1)
    sums = np.abs(signs @ np.array(GAIN))
    assert row["p"] == pytest.approx(np.mean(sums >= sums[0] - 1e-9))
    assert "differ in the level of the intervals and the test; here the settings of A hold" in told(cautions)
    assert keys.rows == [("evaluate.confidence", ["0.9", "0.95"]), ("evaluate.test", ["permutation", "wilcoxon"])]


def test_a_tolerance_of_its_own_takes_nsd_out(tmp_path):
    a = write(tmp_path / "a", {"m": A}, params={"evaluate": {"nsd_tolerance": 2.0}})
    _, [pair], cautions, _ = compared(a, write(tmp_path / "b", {"m": B}))
    assert {r["metric"] for r in pair.rows} == {"dice", "hd95_penalised"}
    assert "Not compared: NSD, since evaluate.nsd_tolerance is not the same in all runs." in told(cautions)


def test_metrics_that_mean_something_else_are_left_out(tmp_path):
    a = write(tmp_path / "a", {"m": A}, params={"evaluate": {"lesion_iou": 0.5, "calibration_margin": 1.0}})
    b = write(tmp_path / "b", {"m": B})
    for folder in (a, b):
        path = folder / "results/metrics/cases.csv"
        rows = read_csv(path)
        write_csv(path, COLUMNS, rows + [{**r, "metric": "lesion_f1"} for r in rows if r["metric"] == "dice"])
        sealed(path)
    assert "lesion_f1" in {r["metric"] for r in compared(b, b)[1][0].rows}
    _, [pair], cautions, _ = compared(a, b)
    assert {r["metric"] for r in pair.rows} == {"dice", "hd95_penalised", "nsd"}
    assert "since evaluate.lesion_iou is not the same in all runs." in told(cautions)


def test_every_key_of_evaluate_is_thought_of():
    elsewhere = {"regions", "lesions", "calibration_margin"}  # told apart by name, or of no metric that is compared
    assert {*words.KEYS, *pairs.DEFINES, *elsewhere} == set(Evaluate.model_fields)


def test_empty_masks(tmp_path):
    a = {**A, "c1": {"x": 0.5, "y": BOTH}, "c2": {"x": 0.5, "y": MISSED}}
    b = {**A, "c1": {"x": 0.5, "y": INVENTED}, "c2": {"x": 0.5, "y": 0.4}}
    _, [pair], _, _ = compared(write(tmp_path / "a", {"m": a}), write(tmp_path / "b", {"m": b}))
    assert pair.empty["y"] == (
        {"missed": 1, "false_positive": 0, "both_empty": 1},
        {"missed": 0, "false_positive": 1, "both_empty": 0},
    )
    # y can be missed in the seven cases that have it, and falsely found in the one that has not
    assert [[cell.text for cell in row.cells] for row in tables.failures([pair]).rows] == [
        ["m", "x", "0 of 8", "0 of 8", "–", "–"],
        ["m", "y", "1 of 7", "0 of 7", "0 of 1", "1 of 1"],
    ]
    row = pair.row("y", "dice")
    assert (row["cases"], row["left_out"]) == (8, 0), "a case rightly empty in one run counts, as 1"
    assert row["difference"] == pytest.approx((0.4 - 1) / 8)
    assert row["mean_b"] - row["mean_a"] == pytest.approx(row["difference"])
    # penalised HD95 is 0 where rightly empty, 20 where not; 10 (1 - Dice) elsewhere
    assert pair.row("y", "hd95_penalised")["difference"] == pytest.approx((20 - 0 + 6 - 20) / 8)
    worse, better = pair.changed(3)
    assert [c.case for c in worse] == ["c1"] and worse[0].difference == pytest.approx(0.25 - 0.75)
    assert math.isnan(worse[0].dice["y"][0]) and worse[0].empty and not better[0].empty
    # the table of cases shows what counts, and so a difference that is that of the numbers beside it
    (row,) = [r.cells for r in tables.cases(pair).rows if r.cells[0].text == "c1"]
    shown = [(cell.text, cell.small) for cell in row[4:]]
    assert shown[:3] == [("0.7500", ""), ("0.2500", ""), ("−0.5000", "")], "mean"
    assert shown[6:] == [("1.0000", "rightly empty"), ("0.0000", ""), ("−1.0000", "")], "y"
    assert words.hover(pair, worse[0], "y").endswith("A 1.0000, B 0.0000 (−1.0000)")
    assert words.finding(pair, "95 %")["empty"] == "1 case"
    assert "rightly left empty: 1 case" in tables.short(list(pair.runs), [pair], [])
    assert [c.case for c in better] == ["c2"] and better[0].difference == pytest.approx(0.45 - 0.25)
    assert worse[0].most == "y", "it has a false positive"
    assert better[0].most == "y"


def test_a_case_of_several_repeats_counts_once(tmp_path):
    folders = [write(tmp_path / n, {"m": s}) for n, s in (("a", A), ("b", B))]
    for folder, value in zip(folders, (0.1, 0.3), strict=True):
        path = folder / "results/metrics/cases.csv"
        rows = read_csv(path)
        more = [{**r, "fold": "2", "value": str(value) if r["metric"] == "dice" else r["value"]} for r in rows]
        write_csv(path, COLUMNS, rows + [r for r in more if r["case"] == "c1"])
        sealed(path)
    _, [pair], _, _ = compared(*folders)
    change = next(c for c in pair.changes if c.case == "c1")
    assert change.folds == (["0", "2"], ["0", "2"])
    assert change.dice["x"] == pytest.approx(((0.52 + 0.1) / 2, (0.53 + 0.3) / 2))
    assert pair.row("x", "dice")["cases"] == 8


def test_the_largest_changes_come_first(two):
    _, [pair], _, _ = compared(*two)
    worse, better = pair.changed(2)
    assert [c.case for c in worse] == ["c3"]
    assert [c.case for c in better] == ["c8", "c7"]
    assert better[0].most == "x"
    assert pair.changed(0) == ([], [])


# ---------------------------------------------------------------- what does not agree


def test_only_cases_of_both_are_compared(tmp_path):
    a = write(tmp_path / "a", {"m": A})
    b = write(tmp_path / "b", {"m": {c: B[c] for c in list(B)[2:]} | {"new": {"x": 0.9, "y": 0.9}}})
    runs, [pair], cautions, _ = compared(a, b)
    assert pair.cases == ["c3", "c4", "c5", "c6", "c7", "c8"]
    assert pair.only == (["c1", "c2"], ["new"])
    assert pair.row("x", "dice")["difference"] == pytest.approx(np.mean(GAIN[2:]), abs=1e-6)
    text = told(cautions)
    assert "2 cases of A (a) not tested in B" in text and "1 case of B (b) not tested in A" in text
    assert "Compared: the 6 cases tested in both" in text and '["c1", "c2"], true' in text
    assert "different splits" in text
    assert [words.tested(r) for r in runs] == [("8", "8"), ("7", "7")]


def test_means_are_over_the_labels_of_both(tmp_path):
    other = {c: {"x": v["x"], "z": 0.1} for c, v in A.items()}
    _, [pair], cautions, _ = compared(write(tmp_path / "a", {"m": A}), write(tmp_path / "b", {"m": other}))
    assert pair.labels == ["x"]
    assert pair.changes[0].dice["mean"] == (0.52, 0.52)
    assert "A alone has y; B alone has z" in told(cautions)


def test_regions_are_compared_where_they_are_the_same(tmp_path):
    folders = []
    for name, scores, union in (("a", A, ["x", "y"]), ("b", B, ["y", "x"]), ("c", B, ["x"])):
        scores = {c: {**v, "r": v["x"] / 2} for c, v in scores.items()}
        folders.append(write(tmp_path / name, {"m": scores}, params={"evaluate": {"regions": {"r": union}}}))
    _, [pair], cautions, _ = compared(*folders[:2])
    assert pair.row("r", "dice")["difference"] == pytest.approx(np.mean(GAIN) / 2, abs=1e-6)
    assert pair.row("mean", "dice")["difference"] == pytest.approx(np.mean(GAIN) / 2, abs=1e-6), "of x and y alone"
    assert "Not compared" not in told(cautions)
    _, [pair], cautions, _ = compared(folders[0], folders[2])
    assert {r["label"] for r in pair.rows} == {"mean", "x", "y"}
    assert "Not compared: r, which A and B do not take as one region of the same labels" in told(cautions)


def test_other_label_maps_and_other_bytes(tmp_path):
    a = write(tmp_path / "a", {"m": A})
    b = write(tmp_path / "b", {"m": B}, voxels=99, sha="1" * 64)
    assert "Another grid or other label volumes in B than in A: 8 cases" in told(compared(a, b)[2])
    c = write(tmp_path / "c", {"m": B}, sha="1" * 64)
    text = told(compared(a, c)[2])
    assert "Other bytes in B than in A, with the same grid and label volumes: 8 cases" in text
    (c / "data/cases.csv").unlink()
    assert "whether images and label maps are the same is not known" in told(compared(a, c)[2])


def test_other_patients(tmp_path):
    a = write(tmp_path / "a", {"m": A})
    b = write(tmp_path / "b", {"m": B}, patients={c: "P" if c in ("c1", "c2") else c for c in A})
    _, [pair], cautions, _ = compared(a, b)
    assert "Of another patient in B than in A: 2 cases" in told(cautions)
    assert pair.row("x", "dice")["n"] == 8


def test_the_same_results_need_no_caution_but_for_their_number(two):
    _, [pair], cautions, keys = compared(two[0], two[0])
    assert [c.text for c in cautions] == ["Only 8 patients tested: no interval of so few can be trusted."]
    assert keys.rows == []
    assert words.finding(pair, "95 %")["same"]


def test_cross_validation_and_held_out_set_are_kept_apart(tmp_path):
    a = write(tmp_path / "a", {"m": A}, held=("c7", "c8"))
    b = write(tmp_path / "b", {"m": B}, held=("c6", "c7", "c8"))
    _, found, cautions, _ = compared(a, b)
    assert [(p.set, p.cases) for p in found] == [
        ("cross-validation", ["c1", "c2", "c3", "c4", "c5"]),
        ("holdout", ["c7", "c8"]),
    ]
    assert "Left out of the cross-validation: 1 case of A (a)" in told(cautions)
    assert "Left out of the held-out test set: 1 case of B (b)" in told(cautions)


def test_one_official_split_is_told_as_that(tmp_path):
    split = {"split": {"kind": "file", "file": "official.json"}}
    a, b = (
        write(tmp_path / n, {"m": s}, folds=1, held=h, params=split) for n, s, h in (("a", A, ()), ("b", B, ("c8",)))
    )
    _, [pair], cautions, _ = compared(a, b)
    assert words.evaluation(pair) == "training and test split" and pair.cases == [f"c{i}" for i in range(1, 8)]
    assert "Left out of the training and test split: 1 case of A (a)" in told(cautions)
    assert "cross-validation" not in told(cautions)


def test_some_folds_alone(tmp_path):
    a, b = write(tmp_path / "a", {"m": A}), write(tmp_path / "b", {"m": B}, run=(1,))
    _, [pair], cautions, _ = compared(a, b)
    assert pair.cases == ["c2", "c4", "c6", "c8"]
    assert "B (b) ran 1 of 2 folds" in told(cautions)


def test_nothing_in_common(tmp_path):
    a = write(tmp_path / "a", {"m": A})
    b = write(tmp_path / "b", {"m": {f"other{i}": v for i, v in enumerate(A.values())}})
    with pytest.raises(RefoldError, match=r"no case is in both .*a \(c1, c3, c5, ...\) and .*b \(other0"):
        compared(a, b)
    c = write(tmp_path / "c", {"m": {c: {"liver": 0.5} for c in A}})
    with pytest.raises(RefoldError, match=r"no label is in both .*\(x, y, ...\) and .*\(liver, ...\)"):
        compared(a, c)


def test_a_third_run_with_nothing_in_common_is_not_dropped(two, tmp_path):
    c = write(tmp_path / "c", {"m": {"z1": {"x": 0.5}}})
    with pytest.raises(RefoldError, match=r"no case is in both .*old .* and .*/c \(z1"):
        compared(*two, c)


def test_a_metric_is_compared_for_the_labels_that_both_have_it_of(two):
    path = two[1] / "results/metrics/cases.csv"
    write_csv(path, COLUMNS, [r for r in read_csv(path) if (r["label"], r["metric"]) != ("y", "nsd")])
    sealed(path)
    _, [pair], _, _ = compared(*two)
    of_nsd = {r["label"] for r in pair.rows if r["metric"] == "nsd"}
    assert of_nsd and not of_nsd & {"y", "mean"}
    assert {"y", "mean"} <= {r["label"] for r in pair.rows if r["metric"] == "dice"}


# ---------------------------------------------------------------- methods


def test_methods_are_paired_by_name(tmp_path):
    a = write(tmp_path / "a", {"m": A, "k": A, "only": A})
    b = write(tmp_path / "b", {"k": B, "m": B})
    _, found, _, _ = compared(a, b)
    assert [p.methods for p in found] == [("m", "m"), ("k", "k")]
    _, found, _, _ = compared(a, b, methods=["only=k", "m", "m=m"])
    assert [p.methods for p in found] == [("only", "k"), ("m", "m")]
    assert words.method(found[0]) == "only of A, k of B" and words.method(found[1]) == "m"


def test_the_only_method_of_each_is_paired(tmp_path):
    _, [pair], _, keys = compared(write(tmp_path / "a", {"m": A}), write(tmp_path / "b", {"k": B}))
    assert pair.methods == ("m", "k")
    assert keys.rows == [], "two names of the same settings"


def test_three_runs_are_held_against_the_first(tmp_path):
    folders = [write(tmp_path / n, {m: s}) for n, m, s in (("a", "m", A), ("b", "k", B), ("c", "m", B))]
    _, found, _, _ = compared(*folders)
    assert [(p.runs[0].mark, p.runs[1].mark, p.methods) for p in found] == [
        ("A", "B", ("m", "k")),
        ("A", "C", ("m", "m")),
    ]
    assert [p.row("x", "dice")["p_holm"] for p in found] == pytest.approx([2 * p.row("x", "dice")["p"] for p in found])
    assert compared(*folders, methods=["m=k=m"])[1][0].methods == ("m", "k")


@pytest.mark.parametrize(
    "methods, message",
    [
        (["mm"], r"--methods mm: .*a has no method 'mm' \(did you mean 'm'\?\); it has m, k"),
        (["m=k"], r"--methods m=k: .*b has no method 'k'; it has p, q"),
        (["m=p=q"], "--methods m=p=q names 3 methods for 2 runs; .*: m=p"),
        ([], "no method has the same name in both: .*a has m, k, .*b has p, q; .*--methods m=p"),
    ],
)
def test_methods_that_cannot_be_paired(tmp_path, methods, message):
    a, b = write(tmp_path / "a", {"m": A, "k": A}), write(tmp_path / "b", {"p": B, "q": B})
    with pytest.raises(RefoldError, match=message):
        compared(a, b, methods=methods)


def test_label_maps_of_another_program(tmp_path):
    a = write(tmp_path / "a", {"m": A})
    kinds = {"nnunet": {"kind": "external", "folder": "elsewhere", "program": "nnU-Net"}}
    b = write(tmp_path / "b", {"nnunet": B}, params={"methods": kinds})
    _, [pair], cautions, _ = compared(a, b)
    assert pair.row("x", "dice")["difference"] == pytest.approx(np.mean(GAIN), abs=1e-6)
    assert "Label maps of another program in B (b): nnunet" in told(cautions)


# ---------------------------------------------------------------- parameters and versions


def test_only_parameters_that_differ(tmp_path):
    nets = [{"u": {"kind": "unet", "features": f}, "m": {"kind": "threshold"}} for f in (8, 16)]
    a = write(tmp_path / "a", {"u": A, "m": A}, params={"methods": nets[0], "train": {"learning_rate": 0.01}})
    b = write(tmp_path / "b", {"u": B}, params={"methods": {"u": nets[1]["u"]}, "train": {"learning_rate": 0.002}})
    _, _, _, keys = compared(a, b)
    assert keys.rows == [
        ("train.learning_rate", ["0.01", "0.002"]),
        ("methods.m", ["threshold", "–"]),
        ("methods.u.features", ["8", "16"]),
    ]


def test_a_change_of_one_method_is_told_as_its_own(tmp_path):
    folders = []
    for name, entry in (("a", {}), ("b", {"train": {"learning_rate": 0.1}})):
        methods = {"u": {"kind": "unet", **entry}}
        folders.append(write(tmp_path / name, {"u": A}, params={"methods": methods, "train": {"learning_rate": 0.01}}))
    assert compared(*folders)[3].rows == [("methods.u.train.learning_rate", ["–", "0.1"])]


def test_folds_that_were_chosen(tmp_path):
    a = write(tmp_path / "a", {"m": A})
    b = write(tmp_path / "b", {"m": B}, params={"split": {"run_folds": [1]}}, run=(1,))
    assert compared(a, b)[3].rows == [("split.run_folds", ["[0, 1]", "[1]"])]


def test_parameters_changed_after_the_run(two):
    path = two[1] / "results/.params/methods.m.json"
    write_json(path, {**read_json(path), "classes": 4})
    _, _, cautions, keys = compared(*two)
    assert "The parameters of B (new) are not those behind its tables (methods.m)" in told(cautions)
    assert [k for k, _ in keys.rows] == ["methods.m.classes"]


def test_parameters_changed_after_the_run_in_a_section_that_provenance_knows(two):
    stamps = two[1] / "results/.params"
    before = of_params({p.stem: read_json(p) for p in stamps.glob("*.json")})
    provenance(two[1], params=before)
    write_json(stamps / "split.json", {**read_json(stamps / "split.json"), "seed": 9})
    write_json(stamps / "report.json", {**read_json(stamps / "report.json"), "title": "another"})
    assert "not those behind its tables (split): they were changed after the run" in told(compared(*two)[2])


def test_defaults_of_another_version(two):
    for path in (two[1] / "results/.params").iterdir():
        path.unlink()
    text = {"dataset": {"name": "toy", "source": "raw"}, "methods": {"m": {"kind": "threshold", "classes": 5}}}
    (two[1] / "params.yaml").write_text(json.dumps(text))
    [caution] = [c for c in compared(*two)[2] if c.where == "parameters"]
    assert not caution.serious and "(methods.m): its params.yaml was changed after the run, or this" in caution.text


def test_without_frozen_parameters_params_yaml_is_read(two):
    old, new = two
    for path in (new / "results/.params").iterdir():
        path.unlink()
    assert compared(old, new)[3] is None
    text = {"dataset": {"name": "toy", "source": "raw"}, "split": {"folds": 2, "seed": 7}}
    (new / "params.yaml").write_text(json.dumps(text | {"methods": {"m": {"kind": "threshold"}}}))
    keys = compared(old, new)[3]
    assert keys.rows == [("split.seed", ["1", "7"])] and not keys.partly
    (new / "params.yaml").write_text(json.dumps(text | {"methods": {"m": {"kind": "of_old"}}}))
    _, _, cautions, keys = compared(old, new)
    assert keys.rows == [("split.seed", ["1", "7"]), ("methods.m.kind", ["threshold", "of_old"])] and keys.partly
    assert "params.yaml of B (new) does not fit this version of refold" in told(cautions)


def test_versions_and_code_that_differ(two):
    runs = read(*two)
    assert differences.versions(runs) is None and differences.code(runs) is None
    git = {"commit": "a" * 40, "date": "2026-01-02T03:04:05+00:00", "clean": False, "modified": ["x.py"], "note": None}
    provenance(two[0], versions={"numpy": "2.4", "scipy": "1.17"}, code={"train": "1", "predict": "1"}, git=git)
    provenance(two[1], versions={"numpy": "2.5", "scipy": "1.17"}, code={"train": "2", "predict": "1"}, git={})
    runs, _, cautions, _ = compared(*two)
    assert differences.versions(runs).rows == [("numpy", ["2.4", "2.5"])]
    assert differences.code(runs) == ["train"]
    assert "A (old) was made with changes that were not committed: x.py" in told(cautions)
    assert words.commit(runs[0]) == "aaaaaaaaaa, with changes" and words.date(runs[0]) == "2026-01-02T03:04:05+00:00"
    assert words.commit(runs[1]) == words.date(runs[1]) == "not known"
    provenance(two[0], versions={"numpy": "2.4"}, tables={"cases.csv": "of an earlier run"})
    assert read(*two)[0].provenance is None


# ---------------------------------------------------------------- folders that are none


def test_a_folder_of_results_or_of_the_project(two):
    runs = read(two[0], two[1] / "results")
    assert [r.place.name for r in runs] == ["old", "new"]
    assert runs[1].cases is not None, "data lie beside the results"


def test_a_folder_without_results(tmp_path):
    with pytest.raises(RefoldError, match=r"holds no results of refold: neither .* `external`"):
        read(tmp_path, tmp_path)


def spoil(path, change):
    rows = read_csv(path)
    columns = list(rows[0])
    rows = change(rows)
    write_csv(path, [c for c in columns if not rows or c in rows[0]], rows)
    sealed(path)


def sealed(path):
    """The table as the evaluate phase would have written it."""
    hashes = path.with_name("hashes.json")
    seals.write(hashes, seals.read(hashes) | {"tables": {"cases.csv": sha256_file(path)}})


def without_one_dice(rows):
    gone = next(i for i, r in enumerate(rows) if (r["case"], r["label"], r["metric"]) == ("c4", "y", "dice"))
    return rows[:gone] + rows[gone + 1 :]


@pytest.mark.parametrize(
    "change, message",
    [
        (lambda rows: [], "holds no case"),
        (lambda rows: [{k: v for k, v in r.items() if k != "patient"} for r in rows], "has no column patient"),
        (lambda rows: [*rows, rows[0]], "has dice of 'x' twice for case 'c1', method m, fold 0"),
        (lambda rows: [{**rows[0], "value": "high"}, *rows[1:]], "is damaged: .*'high'.* in column value"),
        (without_one_dice, "has no Dice of some label for case 'c4', method m, fold 1"),
    ],
)
def test_a_damaged_table(two, change, message):
    spoil(two[1] / "results/metrics/cases.csv", change)
    with pytest.raises(RefoldError, match=message):
        compared(*two)


def test_files_that_are_missing_or_mixed(two):
    old, new = two
    (new / "results/metrics/hashes.json").rename(new / "hashes")
    with pytest.raises(RefoldError, match=r"new: results/metrics/hashes.json is missing, .*`snakemake evaluate`"):
        compared(old, new)
    (new / "results/metrics/hashes.json").write_text("{")
    with pytest.raises(
        RefoldError,
        match=r"new: results/metrics/hashes.json is not what the evaluate phase wrote \(it is no valid JSON",
    ):
        compared(old, new)
    (new / "results/metrics/hashes.json").write_text("{}")
    with pytest.raises(RefoldError, match="lacks the hashes of data and split"):
        compared(old, new)
    (new / "hashes").rename(new / "results/metrics/hashes.json")
    seals.write(new / "results/splits.json", {"folds": []})
    with pytest.raises(RefoldError, match=r"results/splits.json is not the one behind the tables"):
        compared(old, new)
    (new / "results/metrics/cases.csv").write_bytes(b"\xff\xfe\x00")
    (new / "results/splits.json").unlink()
    with pytest.raises(RefoldError, match=r"new: results/metrics/cases.csv is not what the evaluate phase wrote"):
        compared(old, new)
    sealed(new / "results/metrics/cases.csv")
    with pytest.raises(RefoldError, match="cannot be read as a table"):
        compared(old, new)


def test_one_run_is_no_comparison(two):
    with pytest.raises(RefoldError, match="1 runs; two to 26"):
        read(two[0])


def test_settings_that_no_run_tells(two):
    for folder in two:
        for path in (folder / "results/.params").iterdir():
            path.unlink()
    runs, _, cautions, keys = compared(*two)
    assert keys is None and pairs.judge(runs) == (Evaluate(), [])
    assert "refold’s defaults hold" in told(cautions)


def test_words_of_numbers():
    assert words.signed(0.12345) == "+0.1235" and words.signed(-0.5) == "−0.5000"
    assert words.signed(-0.00001) == "0.0000" and words.signed(math.nan) == "–"
    assert words.p(0.00001) == "under 0.0001" and words.p(0.25) == "0.2500"
    assert page._slug("exp/läsion <1>") == "exp_läsion_1"
