import math

import numpy as np
import pytest
from scipy import stats

from refold.core import rng
from refold.evaluate.statistics import (
    EXACT,
    FEW,
    bootstrap,
    by_patient,
    holm,
    interval,
    permutation,
    ranks,
    studentised,
    wilcoxon,
)

NAN = math.nan


def test_by_patient_leaves_nan_out():
    sums, numbers = by_patient(np.array([1, NAN, 3, 4, NAN]), ["b", "a", "b", "c", "d"])
    assert (sums.tolist(), numbers.tolist()) == ([4, 4], [2, 1])


def test_bootstrap_equals_scipy():
    values = np.random.default_rng(0).normal(0.85, 0.05, 30)
    expected = stats.bootstrap(
        (values,), np.mean, n_resamples=500, confidence_level=0.9, method="percentile", vectorized=True,
        rng=rng.generator(7, "bootstrap", 30, 0),
    ).confidence_interval  # fmt: skip
    got = bootstrap(values, np.ones(30), 500, 0.9, 7)
    assert got == pytest.approx((expected.low, expected.high), abs=1e-12)


def test_bootstrap_draws_patients_with_all_their_scans():
    # two patients, with 3 scans of 0 and 1 scan of 1: the mean is 0, 1/4 or 1 with chances 1/4, 1/2, 1/4
    assert bootstrap(np.array([0, 1.0]), np.array([3, 1]), 4000, 0.95, 1) == (0, 1)
    assert bootstrap(np.array([0, 1.0]), np.array([3, 1]), 4000, 0.4, 1) == (0.25, 0.25)


def test_bootstrap_of_few_patients():
    assert all(map(math.isnan, bootstrap(np.array([1.0]), np.array([2]), 100, 0.95, 1)))
    assert all(map(math.isnan, bootstrap(np.array([]), np.array([]), 100, 0.95, 1)))


def test_bootstrap_in_several_blocks(monkeypatch):
    monkeypatch.setattr("refold.evaluate.statistics._BLOCK", 2 * 500)
    got = bootstrap(np.array([0, 1.0]), np.array([3, 1]), 4000, 0.95, 1)
    assert got == (0, 1)
    # blocks of 500 samples differ from each other: the share of samples that draw the first patient twice is near 1/4
    assert bootstrap(np.array([0, 1.0]), np.array([3, 1]), 4000, 0.54, 1) == (0, 1)
    assert bootstrap(np.array([0, 1.0]), np.array([3, 1]), 4000, 0.46, 1) == (0.25, 0.25)


def test_ranks_by_hand():
    # patient 0 prefers a, patient 1 b; c equals b; d has no value
    sums = np.array([[3.0, 0.0], [1.0, 1.5], [1.0, 1.5], [0.0, 0.0]])
    numbers = np.array([[1, 1], [1, 1], [1, 1], [0, 0]])
    now, then = ranks(sums, numbers, 4000, 1)
    assert now.tolist() == [1, 2.5, 2.5, 4]
    kinds, counts = np.unique(then, axis=0, return_counts=True)
    assert kinds.tolist() == [[1, 2.5, 2.5, 4], [3, 1.5, 1.5, 4]]
    assert counts[1] / 4000 == pytest.approx(1 / 4, abs=0.03)  # patient 1 twice
    assert ranks(sums[:, :1], numbers[:, :1], 10, 1)[1].shape == (0, 4)  # of one patient nothing is known
    assert ranks(np.array([[0.1, 0.2, 0.3], [0.3, 0.2, 0.1]]), np.ones((2, 3)), 10, 1)[0].tolist() == [1.5, 1.5]
    assert ranks(sums, numbers, 10, 1, higher=False)[0].tolist() == [3, 1.5, 1.5, 4]


def test_wilcoxon_by_hand():
    # five positive differences: 2 of the 2^5 sign patterns are as extreme
    assert wilcoxon(np.array([0.1, 0.2, 0.3, 0.4, 0.5])) == pytest.approx(2 / 32)
    assert wilcoxon(np.array([0.1, 0.0, 0.2, 0.3, 0.0, 0.4, 0.5])) == pytest.approx(2 / 32)
    assert wilcoxon(np.zeros(4)) == 1
    assert math.isnan(wilcoxon(np.array([])))


def test_wilcoxon_is_scipys_with_ties_and_without():
    from scipy import stats

    random = np.random.default_rng(2)
    for n in (1, 2, 5, 6, 13, 14, 20):
        values = random.normal(0.3, 1, n)
        assert wilcoxon(values) == pytest.approx(stats.wilcoxon(values).pvalue)
    for values in ([1, 1, -1, 2, 3], [0.5, 0.5, 0.5, -0.5, 0], [2, 2, 2, 2, -1, 1], [-1, -1, 3]):
        known = np.array(values, float)
        assert wilcoxon(known) == pytest.approx(stats.wilcoxon(known[known != 0]).pvalue)
    # 0.1 + 0.2 and 0.3 are a tie
    assert wilcoxon(np.array([0.1 + 0.2, -0.3, 0.5])) == wilcoxon(np.array([0.3, -0.3, 0.5]))


def test_permutation_by_hand():
    # five positive differences: all signs as they are, or all turned
    assert permutation(np.array([0.1, 0.2, 0.3, 0.4, 0.5]), 1) == 2 / 32
    assert permutation(np.array([0.1, 0.2, -0.3, 0.0]), 1) == 1
    assert permutation(np.zeros(20), 1) == 1
    assert math.isnan(permutation(np.array([]), 1))


@pytest.mark.parametrize("n", [6, EXACT])
def test_permutation_equals_scipy(n):
    differences = np.random.default_rng(n).normal(0.3, 1, n)
    expected = stats.permutation_test((differences,), np.mean, permutation_type="samples", n_resamples=np.inf)
    assert permutation(differences, 1) == pytest.approx(expected.pvalue, abs=1e-12)


def test_permutation_of_many_is_seeded_and_near_the_t_test():
    differences = np.random.default_rng(3).normal(0.2, 1, 60)
    p = permutation(differences, 1)
    assert p == permutation(differences, 1) != permutation(differences, 2)
    assert p == pytest.approx(stats.ttest_1samp(differences, 0).pvalue, abs=0.015)
    assert permutation(differences + 9, 1) == 1e-4  # never 0


def test_holm_by_hand():
    # sorted .01 .02 .03 .04 times 4 3 2 1, then never falling
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([]) == []
    assert holm([NAN, 0.02, 0.01]) == pytest.approx([NAN, 0.02, 0.02], nan_ok=True)


def dice_like(random: np.random.Generator, *shape: int) -> np.ndarray:
    """Most near 0.9, some far below."""
    return 1 - np.minimum(random.gamma(2, 0.06, shape), 1)


def test_a_studentised_interval_by_hand():
    values = dice_like(np.random.default_rng(2), 12)
    drawn = rng.generator(3, "bootstrap", 12, 0).integers(0, 12, (400, 12))
    t = [(values[i].mean() - values.mean()) / (values[i].std(ddof=1) / 12**0.5) for i in drawn]
    low, high = np.quantile(t, [0.05, 0.95])
    error = values.std(ddof=1) / 12**0.5
    expected = values.mean() - high * error, values.mean() - low * error
    assert studentised(values, np.ones(12), 400, 0.9, 3) == pytest.approx(expected, abs=1e-12)
    assert interval("studentised", values, np.ones(12), 400, 0.9, 3) == pytest.approx(expected, abs=1e-12)
    assert interval("percentile", values, np.ones(12), 400, 0.9, 3) == bootstrap(values, np.ones(12), 400, 0.9, 3)


def test_a_studentised_interval_of_few_patients_is_students():
    values = dice_like(np.random.default_rng(2), FEW - 1)
    expected = stats.ttest_1samp(values, 0).confidence_interval(0.95)
    assert studentised(values, np.ones(FEW - 1), 100, 0.95, 1) == pytest.approx((expected.low, expected.high))
    assert all(map(math.isnan, studentised(np.array([1.0]), np.array([2]), 100, 0.95, 1)))
    assert studentised(np.full(9, 0.5), np.ones(9), 100, 0.95, 1) == (0.5, 0.5)


def test_an_interval_ends_where_the_metric_does():
    values = np.array([0.99, 0.98, 0.1])
    assert studentised(values, np.ones(3), 100, 0.95, 1, (0, 1)) == (0, 1)


@pytest.mark.parametrize(("scale", "shift"), [(2.5, 0.0), (-1.0, 0.0), (0.01, 3.0)])
def test_a_studentised_interval_moves_with_its_values(scale, shift):
    values = dice_like(np.random.default_rng(5), 20)
    one = studentised(values, np.ones(20), 500, 0.95, 1)
    other = studentised(scale * values + shift, np.ones(20), 500, 0.95, 1)
    assert sorted(other) == pytest.approx(sorted(scale * v + shift for v in one), rel=1e-6)


def within(rate: float, times: int, expected: float) -> bool:
    """Whether a rate seen in so many simulations lies within 4 binomial standard errors of the expected one."""
    return abs(rate - expected) < 4 * math.sqrt(expected * (1 - expected) / times)


@pytest.mark.parametrize("patients", [10, 20, 50])
def test_simulated_the_interval_of_95_covers_95(patients):
    random, times = np.random.default_rng(patients), 1500
    true = dice_like(np.random.default_rng(0), 2_000_000).mean()
    covered = {"studentised": 0, "percentile": 0}
    for values in dice_like(random, times, patients):
        for kind in covered:
            low, high = interval(kind, values, np.ones(patients), 1000, 0.95, 1)
            covered[kind] += low <= true <= high
    assert within(covered["studentised"] / times, times, 0.95)
    assert covered["percentile"] < covered["studentised"]  # why it is not the default


def test_simulated_scans_of_one_patient_are_one_observation():
    random, times, patients = np.random.default_rng(1), 1500, 20
    covered = 0
    for _ in range(times):
        numbers = random.integers(1, 4, patients)  # as many scans, which share what is their patient's
        sums = numbers * random.normal(0, 1, patients) + random.normal(0, 0.3, patients) * np.sqrt(numbers)
        low, high = studentised(sums, numbers, 1000, 0.95, 1)
        covered += low <= 0 <= high
    assert within(covered / times, times, 0.95)


@pytest.mark.parametrize("patients", [12, 50])
def test_simulated_5_of_100_tests_reject_where_nothing_differs(patients):
    random, times = np.random.default_rng(patients), 2000
    base = dice_like(random, times, patients)
    a, b = (base + random.normal(0, 0.02, base.shape) for _ in range(2))
    flipped = np.array([permutation(row, 1) for row in (a - b)[:500]])
    assert within((flipped <= 0.05).mean(), 500, 0.05)
    p = np.array([wilcoxon(row) for row in a - b])
    # of few patients the test has few values of p, so that it rejects at most as often
    most = max(v for v in np.unique(p) if v <= 0.05)
    assert within((p <= 0.05).mean(), times, 0.05 if patients > 12 else most)


def test_simulated_holm_rejects_anything_in_5_of_100_families():
    random, times = np.random.default_rng(8), 1000
    rejected = 0
    for _ in range(times):
        methods = dice_like(random, 1, 20) + random.normal(0, 0.02, (4, 20))
        p = [wilcoxon(methods[i] - methods[j]) for i in range(4) for j in range(i)]
        rejected += min(holm(p)) <= 0.05
    assert rejected / times < 0.05 + 4 * math.sqrt(0.05 * 0.95 / times)
