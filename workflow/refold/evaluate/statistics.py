"""Intervals and tests. Patients, not scans, are the independent units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from refold.core import rng

_BLOCK = 4_000_000


def by_patient(values: np.ndarray, patients: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the values of each patient, patients in ascending order; NaN values are left out.

    Returns:
        (p,) sums and (p,) numbers, for the patients who have a value.
    """
    values = np.asarray(values, float)
    known = ~np.isnan(values)
    _, index = np.unique(np.asarray(patients, object)[known].astype(str), return_inverse=True)
    return np.bincount(index, weights=values[known]), np.bincount(index)


@lru_cache(maxsize=4)
def _drawn(seed: int, patients: int, start: int, samples: int) -> np.ndarray:
    """How often each patient is drawn in each sample: (samples, patients) float64."""
    index = rng.generator(seed, "bootstrap", patients, start).integers(0, patients, (samples, patients))
    index += patients * np.arange(samples)[:, None]
    return np.bincount(index.ravel(), minlength=samples * patients).reshape(samples, patients).astype(float)


def bootstrap(sums: np.ndarray, numbers: np.ndarray, samples: int, confidence: float, seed: int) -> tuple[float, float]:
    """Percentile bootstrap interval of a mean over cases, patients drawn with replacement (Efron 1979).

    The draws depend on the seed and the number of patients alone, so methods on the same patients share theirs.

    Args:
        sums, numbers: (p,) sum and number of the values of each patient.
        samples: bootstrap samples.
        confidence: level of the interval.

    Returns:
        its ends; NaN with fewer than two patients.
    """
    patients = len(sums)
    if patients < 2:
        return math.nan, math.nan
    sums, numbers = np.asarray(sums, float), np.asarray(numbers, float)
    rows = max(1, _BLOCK // patients)
    means = []
    for start in range(0, samples, rows):
        drawn = _drawn(seed, patients, start, min(rows, samples - start))
        # einsum, not a matrix product: BLAS sums in an order that depends on its threads
        means.append(np.einsum("bp,p->b", drawn, sums) / np.einsum("bp,p->b", drawn, numbers))
    low, high = np.quantile(np.concatenate(means), [(1 - confidence) / 2, (1 + confidence) / 2])
    return float(low), float(high)


def wilcoxon(differences: np.ndarray) -> float:
    """Two-sided p of Wilcoxon's signed-rank test (1945), zero differences left out; 1 where all are zero.

    NaN without any difference.
    """
    from scipy import stats

    if not len(differences):
        return math.nan
    differences = differences[differences != 0]
    return float(stats.wilcoxon(differences).pvalue) if len(differences) else 1.0


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979) of one family of tests, in the order given; NaN are no tests and stay NaN."""
    order = sorted((i for i, x in enumerate(p) if not math.isnan(x)), key=lambda i: p[i])
    result, running = [math.nan] * len(p), 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(order) - rank) * p[i]))
        result[i] = running
    return result
