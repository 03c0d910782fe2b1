import math

import numpy as np
import pytest
from scipy import stats

from refold.core import rng
from refold.evaluate.statistics import bootstrap, by_patient, holm, wilcoxon

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


def test_wilcoxon_by_hand():
    # five positive differences: 2 of the 2^5 sign patterns are as extreme
    assert wilcoxon(np.array([0.1, 0.2, 0.3, 0.4, 0.5])) == pytest.approx(2 / 32)
    assert wilcoxon(np.array([0.1, 0.0, 0.2, 0.3, 0.0, 0.4, 0.5])) == pytest.approx(2 / 32)
    assert wilcoxon(np.zeros(4)) == 1
    assert math.isnan(wilcoxon(np.array([])))


def test_holm_by_hand():
    # sorted .01 .02 .03 .04 times 4 3 2 1, then never falling
    assert holm([0.04, 0.01, 0.03, 0.02]) == pytest.approx([0.06, 0.04, 0.06, 0.06])
    assert holm([0.6, 0.7]) == [1, 1]
    assert holm([]) == []
    assert holm([NAN, 0.02, 0.01]) == pytest.approx([NAN, 0.02, 0.02], nan_ok=True)
