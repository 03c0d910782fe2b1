"""Intervals and tests. Patients, not scans, are the independent units."""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache

import numpy as np

from refold.core import rng

FEW = 8  # patients
MANY = 0.4  # of the patients, at one end of the scale: as simulated in docs/reference/evaluate.md
EXACT, FLIPS = 13, 10_000
_BLOCK = 4_000_000


def by_patient(values: np.ndarray, patients: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
    """Sum and number of the values of each patient, patients in ascending order; NaN values are left out.

    Returns:
        (p,) sums and (p,) numbers, for the patients who have a value.

    >>> by_patient(np.array([0.8, 0.9, 0.7, math.nan]), ["p1", "p1", "p2", "p3"])
    (array([1.7, 0.7]), array([2, 1]))
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


def studentised(
    sums: np.ndarray,
    numbers: np.ndarray,
    samples: int,
    confidence: float,
    seed: int,
    limits: tuple[float, float] = (-math.inf, math.inf),
) -> tuple[float, float]:
    """Bootstrap-t interval of a mean over cases, patients drawn with replacement (Efron 1982, Hall 1988).

    Each sample's mean is measured in standard errors of that sample, so that skewed values, as Dice has, do not make
    the interval too narrow. The standard error is that of a ratio of sums by patient. With fewer than `FEW` patients
    Student's t stands in: so few give too few different samples.

    Args:
        sums, numbers, samples, confidence, seed: as of `bootstrap`, with the same draws.
        limits: of what the mean can be; the interval ends there.

    Returns:
        its ends; NaN with fewer than two patients.
    """
    patients = len(sums)
    if patients < 2:
        return math.nan, math.nan
    sums, numbers = np.asarray(sums, float), np.asarray(numbers, float)
    mean, error = _ratio(patients, *(np.array([x.sum()]) for x in _moments(sums, numbers)))
    tails = [(1 - confidence) / 2, (1 + confidence) / 2]
    if not error[0] > 0:
        low = high = mean[0]
    elif patients < FEW:
        from scipy import stats

        low, high = mean[0] + error[0] * stats.t.ppf(tails, patients - 1)
    else:
        moments, rows, found = _moments(sums, numbers), max(1, _BLOCK // patients), []
        for start in range(0, samples, rows):
            drawn = _drawn(seed, patients, start, min(rows, samples - start))
            means, errors = _ratio(patients, *(np.einsum("bp,p->b", drawn, x) for x in moments))
            some = errors > 1e-9 * error[0]  # a sample of one patient alone has no spread
            found.append((means[some] - mean[0]) / errors[some])
        left, right = np.quantile(np.concatenate(found), tails)
        low, high = mean[0] - right * error[0], mean[0] - left * error[0]
    return float(max(low, limits[0])), float(min(high, limits[1]))


def standard_error(sums: np.ndarray, numbers: np.ndarray) -> float:
    """Of a mean over cases, patients being independent: that of a ratio of sums by patient. At least two patients."""
    return float(_ratio(len(sums), *(np.array([x.sum()]) for x in _moments(sums, numbers)))[1][0])


def _moments(sums: np.ndarray, numbers: np.ndarray) -> tuple[np.ndarray, ...]:
    """What `_ratio` needs of each patient."""
    return sums, numbers, sums * sums, sums * numbers, numbers * numbers


def _ratio(
    patients: int, s: np.ndarray, n: np.ndarray, ss: np.ndarray, sn: np.ndarray, nn: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Mean over cases and its standard error, from sums over the patients of `_moments`; arrays of one shape."""
    mean = s / n
    spread = np.maximum(ss - 2 * mean * sn + mean * mean * nn, 0)
    return mean, np.sqrt(spread * patients / (patients - 1)) / n


def score(
    sums: np.ndarray,
    numbers: np.ndarray,
    confidence: float,
    limits: tuple[float, float] = (0.0, 1.0),
    counts: bool = False,
) -> tuple[float, float]:
    """Wilson's (1927) score interval of a mean between two limits, of an effective number of observations.

    That is the number of yes-or-no observations whose mean would have the standard error that the mean over cases has
    with patients as the independent units (Kish 1965; Korn and Graubard 1998 for shares in clustered samples). Where
    all values lie at one limit nothing is known of their spread, and patients are taken for yes-or-no observations, so
    that the interval is never a point. Where patients have several values each, the normal quantile is widened by the
    ratio of Student's t of patients and of observations, which is Korn and Graubard's correction of that number; with
    one value a patient, yes or no, the interval is Wilson's own.

    Args:
        sums, numbers: (p,) sum and number of the values of each patient.
        confidence: level of the interval.
        limits: between what the values lie.
        counts: the values are yes or no, so that no more is known than so many independent ones would tell.

    Returns:
        its ends; NaN where nothing is known: no value, one patient with several, or equal values within the limits.
    """
    from scipy import stats

    patients, all_ = len(sums), float(np.sum(numbers))
    single = counts and bool(np.all(np.asarray(numbers) == 1))
    if patients < 2 and not (single and patients):
        return math.nan, math.nan
    low, width = limits[0], limits[1] - limits[0]
    mean = min(max((float(np.sum(sums)) / all_ - low) / width, 0.0), 1.0)
    variance = mean * (1 - mean)
    n = least = all_**2 / float(np.sum(np.square(numbers)))  # as many patients of equal weight
    if variance > 1e-12:
        error = standard_error(sums, numbers) / width if patients > 1 else math.inf
        if not error > 1e-9 and not counts:
            return math.nan, math.nan
        n = max(variance / error**2, least) if error > 0 else all_
    n = min(n, all_) if counts else n
    tail = (1 + confidence) / 2
    z = float(stats.norm.ppf(tail))
    if patients > 1:
        z *= float(stats.t.ppf(tail, patients - 1) / stats.t.ppf(tail, all_ - 1))
    middle = (mean + z * z / (2 * n)) / (1 + z * z / n)
    half = z / (1 + z * z / n) * math.sqrt(variance / n + z * z / (4 * n * n))
    return low + width * max(middle - half, 0.0), low + width * min(middle + half, 1.0)


def interval(
    kind: str,
    sums: np.ndarray,
    numbers: np.ndarray,
    samples: int,
    confidence: float,
    seed: int,
    limits: tuple[float, float] = (-math.inf, math.inf),
) -> tuple[float, float]:
    """`studentised` or, for ``percentile``, `bootstrap`; never of zero width.

    Where all patients have the same value it is not known how much they vary: NaN, or `score` at a limit of the metric.
    `score` also stands in for `studentised` where more than a share of `MANY` of the patients lie at one limit, as with
    lesions found: samples of few other values say little of the spread, and such intervals were too narrow.

    Args:
        sums, numbers, samples, confidence, seed, limits: as of `studentised`.
    """
    if len(sums) < 2:
        return math.nan, math.nan
    own, near = sums / numbers, 1e-9
    ends = [float(np.mean(np.abs(own - limit) <= near)) if math.isfinite(limit) else 0.0 for limit in limits]
    bounded = all(map(math.isfinite, limits))
    if np.ptp(own) <= near * max(1e-3, float(np.abs(own).max())):
        return score(sums, numbers, confidence, limits) if bounded and max(ends) == 1 else (math.nan, math.nan)
    if kind == "percentile":
        return bootstrap(sums, numbers, samples, confidence, seed)
    if bounded and max(ends) > MANY:
        return score(sums, numbers, confidence, limits)
    return studentised(sums, numbers, samples, confidence, seed, limits)


def ranks(
    sums: np.ndarray, numbers: np.ndarray, samples: int, seed: int, higher: bool = True
) -> tuple[np.ndarray, np.ndarray]:
    """Ranks of methods by their mean over cases, 1 the best, and the same in bootstrap samples of the patients.

    How stable a ranking is (Wiesenfarth et al. 2021). All methods share the draws of `bootstrap`. Equal means share the
    mean of their ranks; a method without a value is last.

    Args:
        sums, numbers: (methods, patients) sum and number of the values of each patient.
        higher: whether a higher mean is better.

    Returns:
        (methods,) and (samples, methods) float64; no samples with fewer than two patients.
    """
    methods, patients = sums.shape
    samples = samples if patients > 1 else 0
    rows, found = max(1, _BLOCK // max(1, patients)), [np.ones((1, patients))]
    found += [_drawn(seed, patients, start, min(rows, samples - start)) for start in range(0, samples, rows)]
    sign, result = -1.0 if higher else 1.0, []
    for drawn in found:
        number = np.einsum("bp,mp->bm", drawn, numbers)
        means = np.full(number.shape, math.inf)
        np.divide(sign * np.einsum("bp,mp->bm", drawn, sums), number, out=means, where=number > 0)
        means = np.round(means, 10)  # equal values in another order of addition are equal still
        better = (means[:, None, :] < means[:, :, None]).sum(-1)
        equal = (means[:, None, :] == means[:, :, None]).sum(-1)
        result.append(better + (equal + 1) / 2)
    return result[0][0], np.concatenate([np.empty((0, methods)), *result[1:]])


def wilcoxon(differences: np.ndarray) -> float:
    """Two-sided p of Wilcoxon's signed-rank test (1945), zero differences left out; 1 where all are zero.

    Exact with up to `EXACT` differences, ties or not; of more as SciPy does. NaN without any difference.

    >>> wilcoxon(np.array([0.02, 0.05, 0.01, 0.04, 0.03]))  # all five above 0: 2 of 32 signs are as extreme
    0.0625
    """
    from scipy import stats

    if not len(differences):
        return math.nan
    differences = np.round(differences, 10)  # equal values in another order of addition are equal still
    differences = differences[differences != 0]
    if not len(differences):
        return 1.0
    if len(differences) > EXACT:
        return float(stats.wilcoxon(differences).pvalue)
    # SciPy asks a function for each of the signs where there are ties, which takes seconds
    ranks = np.sign(differences) * stats.rankdata(np.abs(differences))
    sums = np.abs(np.einsum("fn,n->f", _signs(len(ranks), 0), ranks))
    return float(np.mean(sums >= sums[0]))  # halves of whole numbers: no rounding


@lru_cache(maxsize=2)
def _signs(n: int, seed: int) -> np.ndarray:
    """Signs of n differences, the observed ones first: (flips, n) float64."""
    if n <= EXACT:
        return 1.0 - 2 * (np.arange(2**n)[:, None] >> np.arange(n) & 1)
    signs = 1.0 - 2 * rng.generator(seed, "permutation", n).integers(0, 2, (FLIPS, n))
    signs[0] = 1
    return signs


def permutation(differences: np.ndarray, seed: int) -> float:
    """Two-sided p of the sign-flip test of a mean of 0 (Fisher 1935): how often other signs give as large a mean.

    All signs of up to `EXACT` differences are tried; of more, `FLIPS` random ones, the observed among them (Phipson and
    Smyth 2010). NaN without any difference.
    """
    differences = np.asarray(differences, float)
    n = len(differences)
    if not n:
        return math.nan
    sums = np.abs(np.einsum("fn,n->f", _signs(n, seed), differences))
    # sums of the same numbers differ in their last digits by the order of signs
    return float(np.mean(sums >= sums[0] - 1e-9 * np.abs(differences).sum()))


def direction(test: str, differences: np.ndarray) -> float:
    """What `wilcoxon` or `permutation` speaks for: 1 where differences are above 0, -1 below, 0 for neither."""
    from scipy import stats

    differences = np.round(np.asarray(differences, float), 10)
    differences = differences[differences != 0]
    sizes = np.abs(differences)
    return float(np.sign(np.sum(np.sign(differences) * (stats.rankdata(sizes) if test == "wilcoxon" else sizes))))


def holm(p: Sequence[float]) -> list[float]:
    """Holm's step-down correction (1979) of one family of tests, in the order given; NaN are no tests and stay NaN.

    >>> holm([0.01, 0.04, 0.03])
    [0.03, 0.06, 0.06]
    """
    order = sorted((i for i, x in enumerate(p) if not math.isnan(x)), key=lambda i: p[i])
    result, running = [math.nan] * len(p), 0.0
    for rank, i in enumerate(order):
        running = max(running, min(1.0, (len(order) - rank) * p[i]))
        result[i] = running
    return result
