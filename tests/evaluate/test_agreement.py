import math

import numpy as np
import pytest
from scipy import stats

from refold.evaluate.agreement import COLUMNS, correlation, limits, reach
from tests.evaluate.test_aggregate import aggregate, rows


def test_limits_by_hand():
    # mean 2, sd sqrt((4 + 1 + 1 + 4) / 4)
    lower, upper = limits(np.array([0.0, 1, 3, 4]))
    sd = math.sqrt(10 / 3)
    assert (lower, upper) == pytest.approx((2 - 1.96 * sd, 2 + 1.96 * sd))


def test_correlation_equals_scipy_and_lin():
    truth = np.array([1.0, 2, 4, 5, 9])
    r, ccc = correlation(truth, 2 * truth + 1)
    assert r == pytest.approx(1)
    # Lin 1989, by his formula: 2 cov / (var + var + difference of means squared), biased moments
    other = np.array([1.5, 1, 5, 4, 7])
    r, ccc = correlation(truth, other)
    assert r == pytest.approx(stats.pearsonr(truth, other).statistic)
    cov = np.cov(truth, other, bias=True)
    assert ccc == pytest.approx(2 * cov[0, 1] / (cov[0, 0] + cov[1, 1] + (truth.mean() - other.mean()) ** 2))
    assert correlation(truth, truth) == pytest.approx((1, 1))
    assert all(math.isnan(x) for x in correlation(truth, np.full(5, 3.0)))
    assert all(math.isnan(x) for x in correlation(truth[:1], truth[:1]))


def test_reach_of_the_limits_by_hand():
    differences = np.random.default_rng(1).normal(0.3, 2, 30)
    patients = [f"p{i:02}" for i in range(30)]
    far = reach(differences, patients, 0.95)
    # Bland and Altman 1999: the standard error of a limit is about sqrt(2.92 / n) sd
    assert far == pytest.approx(2.045 * math.sqrt(2.9208 / 30) * differences.std(ddof=1), rel=1e-3)
    # a patient scanned twice with the same result says no more than one scanned once
    assert reach(np.repeat(differences, 2), list(np.repeat(patients, 2)), 0.95) == pytest.approx(far)
    assert math.isnan(reach(differences, ["p"] * 30, 0.9))


@pytest.mark.parametrize("scans", [1, 2])
def test_intervals_cover_the_limits(scans):
    # normal differences of 40 patients, two scans correlated by 0.8; 2,000 intervals at 95 % hold the true limit within
    # three standard errors, or, of correlated scans, at least that often: squares are less correlated than values
    random, hits = np.random.default_rng(7), 0
    for _ in range(2000):
        own = np.repeat(random.normal(0, np.sqrt(0.8), 40), scans)
        values = own + random.normal(0, np.sqrt(0.2), len(own))
        lower, far = limits(values)[0], reach(values, [str(k // scans) for k in range(len(own))], 0.95)
        hits += abs(lower + 1.96) <= far
    share, error = hits / 2000, 3 * math.sqrt(0.95 * 0.05 / 2000)
    assert share > 0.95 - error
    assert scans == 2 or share < 0.95 + error


def test_the_table_holds_the_volumes_of_the_cases(project):
    for fold in ("0", "1", "holdout"):
        project.predict("good", fold, 0.4)
        project.evaluate("good", fold)
    aggregate("0", "1", "holdout", methods=("good",))
    (row,) = rows("agreement", set="cross-validation", label="lesion")
    assert list(row) == list(COLUMNS)
    volumes = {
        r["case"]: float(r["value"]) for r in rows("cases", label="lesion", metric="volume") if r["fold"] != "holdout"
    }
    truth = {c: (project.truth[c] == 2).sum() * 6 / 1000 for c in volumes}
    differences = np.array([volumes[c] - truth[c] for c in volumes])
    assert (row["n"], row["patients"]) == ("5", "4")
    expected = {
        "bias": differences.mean(),
        "sd": differences.std(ddof=1),
        "lower": differences.mean() - 1.96 * differences.std(ddof=1),
        "upper": differences.mean() + 1.96 * differences.std(ddof=1),
        "pearson": stats.pearsonr(list(truth.values()), list(volumes.values())).statistic,
    }
    assert {k: float(row[k]) for k in expected} == pytest.approx(expected, abs=2e-6)
    assert float(row["bias_low"]) < differences.mean() < float(row["bias_high"])
    assert float(row["lower_low"]) <= float(row["lower_high"]) <= float(row["upper_high"])
    (held,) = rows("agreement", set="holdout", label="organ")
    assert [held[k] for k in ("n", "sd", "lower", "bias_low", "pearson")] == ["1", *["nan"] * 4]
