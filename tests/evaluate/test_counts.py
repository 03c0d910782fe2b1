"""Counts among those that could be, against values by hand and statsmodels."""

import math

import numpy as np
import pytest
from scipy import stats

from refold.core import paths
from refold.evaluate.counts import SIZES, count, lesion_rows, thirds
from refold.evaluate.statistics import score, standard_error
from refold.imaging import cases as case_table
from refold.imaging import images
from refold.imaging.dataset import Description
from tests.evaluate.conftest import AFFINE, VALUES, sha
from tests.evaluate.test_aggregate import aggregate, rows

NAN = math.nan


class Fold:
    def __init__(self, states, lesions=None):
        self.method, self.fold = "m", "0"
        self.rows = [{"case": c} for c in states for _ in range(2)]
        self.about = {
            "empty": {c: {"x": s} for c, s in states.items() if s != "found"},
            "lesions": {c: {"x": sides} for c, sides in (lesions or {}).items()},
        }


def wilson(hits, n):
    got = stats.binomtest(hits, n).proportion_ci(0.95, method="wilson")
    return got.low, got.high


def counted(fold, patients=None):
    patients = patients or {r["case"]: r["case"] for r in fold.rows}
    return list(count("cv", "m", ["x"], [fold], lesion_rows("cv", [fold], patients), patients, 0.95))


def test_missed_of_those_that_have_the_label_and_false_positives_of_the_others():
    states = {f"c{i}": "false_positive" if i < 5 else "both_empty" if i < 7 else "found" for i in range(20)}
    missed, false = counted(Fold(states))
    assert (missed["measure"], missed["count"], missed["of"], missed["share"]) == ("missed", 0, 13, 0)
    assert (missed["ci_low"], missed["ci_high"]) == pytest.approx(wilson(0, 13))
    assert (false["measure"], false["count"], false["of"], false["patients"]) == ("false_positive", 5, 7, 7)
    # 5 of 7: 36 to 92 %
    assert (false["ci_low"], false["ci_high"]) == pytest.approx(wilson(5, 7))
    assert (false["ci_low"], false["ci_high"]) == pytest.approx((0.359, 0.918), abs=5e-4)


def test_no_scan_without_the_label_has_no_share():
    (_, false) = counted(Fold({"c0": "found", "c1": "missed"}))
    assert (false["count"], false["of"]) == (0, 0)
    assert all(math.isnan(false[k]) for k in ("share", "ci_low", "ci_high"))


def test_lesions_are_pooled_and_patients_are_the_units():
    # found of 1, 2, 3, 4 lesions: 1, 2, 1, 4
    found = {"c0": [1], "c1": [1, 1], "c2": [1, 0, 0], "c3": [1, 1, 1, 1]}
    lesions = {
        c: {"truth": [[0.1 * (i + 1), 0.5 * hit] for i, hit in enumerate(hits)], "prediction": [[0.2, 0.5]] * sum(hits)}
        for c, hits in found.items()
    }
    lesions["c2"]["prediction"] += [[0.01, 0.0]] * 2
    table = counted(Fold(dict.fromkeys(found, "found"), lesions))
    whole = next(r for r in table if (r["measure"], r["size"]) == ("lesion_sensitivity", "all"))
    assert (whole["count"], whole["of"], whole["patients"], whole["share"]) == (8, 10, 4, 0.8)
    # the scans' mean would be (1 + 1 + 1/3 + 1) / 4
    right = next(r for r in table if r["measure"] == "lesion_precision")
    assert (right["count"], right["of"]) == (8, 10)
    # Wilson's with the effective number: 0.8 x 0.2 / se^2, se of a ratio with residuals 0.2, 0.4, -1.4, 0.8
    se = math.sqrt(4 / 3 * (0.04 + 0.16 + 1.96 + 0.64)) / 10
    assert standard_error(np.array([1, 2, 1, 4.0]), np.array([1, 2, 3, 4])) == pytest.approx(se)
    n, z = 0.16 / se**2, stats.norm.ppf(0.975) * stats.t.ppf(0.975, 3) / stats.t.ppf(0.975, 9)
    ends = [
        (0.8 + z * z / (2 * n) + s * z * math.sqrt(0.16 / n + z * z / (4 * n * n))) / (1 + z * z / n) for s in (-1, 1)
    ]
    assert (whole["ci_low"], whole["ci_high"]) == pytest.approx(ends)
    assert [(r["size"], r["count"], r["of"]) for r in table if r["size"] in SIZES] == [
        ("small", 4, 4), ("medium", 2, 3), ("large", 2, 3),
    ]  # fmt: skip
    low, high = (next(r for r in table if r["size"] == s)["size_high"] for s in ("small", "medium"))
    assert (low, high) == (0.1, 0.2)


def test_thirds():
    assert thirds(np.array([1.0, 2, 3, 4, 5, 6])) == (2, 4)
    assert thirds(np.array([1.0, 1, 1, 1])) is None, "no three groups"
    assert thirds(np.array([])) is None


def test_scans_of_one_patient_widen_the_interval_of_a_count():
    one = {f"c{i}": "missed" if i % 4 == 0 else "found" for i in range(40)}
    alone = counted(Fold(one))[0]
    # the scans of a patient share their fate
    both = counted(Fold(one), {c: f"p{int(c[1:]) % 4}-{int(c[1:]) // 8}" for c in one})[0]
    assert (alone["count"], alone["of"]) == (both["count"], both["of"]) == (10, 40)
    assert both["patients"] == 20
    assert both["ci_high"] - both["ci_low"] > 1.3 * (alone["ci_high"] - alone["ci_low"])


def test_nothing_missed_in_many_scans_of_few_patients_says_as_much_as_the_patients():
    low, high = score(np.zeros(6), np.full(6, 10), 0.95, counts=True)
    z = stats.norm.ppf(0.975) * stats.t.ppf(0.975, 5) / stats.t.ppf(0.975, 59)
    assert low == 0 and high == pytest.approx(z * z / (6 + z * z))
    assert all(map(math.isnan, score(np.zeros(1), np.array([9]), 0.95, counts=True)))


def test_every_lesion_stands_in_the_tables(project):
    """Two lesions of 2 and 8 voxels in c2; the larger is found with an IoU of 4/8; one false positive."""
    truth, prediction = np.zeros((2, 6, 5, 4), np.uint8)
    truth[0, 0, :2] = 2
    truth[3:5, 2:4, 1:3] = 2
    prediction[3:5, 2:4, 1] = 2
    prediction[0, 4, 3] = 2
    images.write_label(project.root / "raw/labelsTr/c2.nii.gz", VALUES[truth], AFFINE)
    from dataclasses import replace

    case_table.write([replace(c, sha256=sha(project.root, c.case)) for c in case_table.read()])
    Description.read().write(beside=[paths.CASES])
    project.stamp(lesions=["lesion"])
    for fold in ("0", "1"):
        project.predict("m", fold, 0.0, **({"c2": prediction} if fold == "1" else {}))
        project.evaluate("m", fold)
    aggregate("0", "1", methods=["m"])
    voxel = 1 * 2 * 3 / 1000
    table = [(r["side"], r["lesion"], float(r["volume"]), r["iou"], r["found"]) for r in rows("lesions", case="c2")]
    assert table == [
        ("truth", "1", pytest.approx(2 * voxel), "0.000000", "0"),
        ("truth", "2", pytest.approx(8 * voxel), "0.500000", "1"),
        ("prediction", "1", pytest.approx(voxel), "0.000000", "0"),
        ("prediction", "2", pytest.approx(4 * voxel), "0.500000", "1"),
    ]
    every = rows("lesions", side="truth")
    (whole,) = rows("counts", label="lesion", measure="lesion_sensitivity", size="all")
    assert (whole["count"], whole["of"]) == (str(sum(int(r["found"]) for r in every)), str(len(every)))
    assert len(every) - int(whole["count"]) == 1
    scans = [float(r["value"]) for r in rows("cases", label="lesion", metric="lesion_sensitivity")]
    assert min(scans) == 0.5
    assert {r["measure"] for r in rows("counts", label="organ")} == {"missed", "false_positive"}
