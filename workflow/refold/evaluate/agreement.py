"""Agreement of predicted with true volumes."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
import pandas as pd
from scipy import stats

from refold.core.files import significant
from refold.evaluate.statistics import by_patient, interval, standard_error
from refold.settings.evaluate import Evaluate
from refold.settings.names import MEAN

COLUMNS = (
    "set", "method", "label", "n", "patients", "bias", "bias_low", "bias_high", "sd",
    "lower", "lower_low", "lower_high", "upper", "upper_low", "upper_high", "pearson", "concordance",
)  # fmt: skip


def limits(differences: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Bland and Altman's (1986) 95 % limits of agreement: mean - and + 1.96 standard deviations (n - 1).

    Args:
        differences: (..., n), n over 1.

    Returns:
        lower and upper limit, each of shape (...).

    >>> low, high = limits(np.array([-1.0, 0.0, 1.0, 2.0]))
    >>> round(float(low), 2), round(float(high), 2)
    (-2.03, 3.03)
    """
    mean, sd = differences.mean(-1), differences.std(-1, ddof=1)
    return mean - 1.96 * sd, mean + 1.96 * sd


def reach(differences: np.ndarray, patients: Sequence[str], confidence: float) -> float:
    """How far the interval of either limit goes to both sides of it.

    Bland and Altman's (1999) for normal differences: Student's t times sqrt(1/n + 1.96^2 / 2n) standard deviations.
    Where patients have several cases, n is the number of independent ones that would give the mean its standard error.

    Args:
        differences: (n,) of the cases. patients: (n,) whose they are.

    Returns:
        it; NaN with fewer than two patients.
    """
    sums, numbers = by_patient(differences, patients)
    if len(sums) < 2:
        return math.nan
    t = stats.t.ppf((1 + confidence) / 2, len(sums) - 1)
    return float(t * standard_error(sums, numbers) * math.sqrt(1 + 1.96**2 / 2))


def correlation(truth: np.ndarray, predicted: np.ndarray) -> tuple[float, float]:
    """Pearson's r, and Lin's concordance (1989), which also asks for the line through 0 at 45 degrees.

    Args:
        truth, predicted: (n,) volumes.

    Returns:
        both; NaN where one of them does not vary or there are fewer than two.

    >>> correlation(np.array([1.0, 2.0, 3.0]), np.array([2.0, 3.0, 4.0]))  # 1 too much throughout
    (1.0, 0.5714285714285715)
    """
    if len(truth) < 2 or not (truth.std() > 0 and predicted.std() > 0):
        return math.nan, math.nan
    covariance = float(((truth - truth.mean()) * (predicted - predicted.mean())).mean())
    pearson = covariance / float(truth.std() * predicted.std())
    concordance = 2 * covariance / float(truth.var() + predicted.var() + (truth.mean() - predicted.mean()) ** 2)
    return pearson, concordance


def agree(
    name: str, tables: dict[str, pd.DataFrame], evaluate: Evaluate, patients: dict[str, str]
) -> Iterator[dict[str, Any]]:
    """Rows of agreement.csv for one set: volumes in ml (2-D: mm²), predicted minus true, by method and label.

    Args:
        tables: of each method a row for each case, a column for each (label, metric). patients: of each case.
    """
    for method, table in tables.items():
        for label in dict.fromkeys(table.columns.get_level_values(0)):
            if label == MEAN:
                continue
            predicted, error = (table[label, m].to_numpy() for m in ("volume", "volume_error"))
            known = [patients[c] for c in table.index]
            several = len(error) > 1
            bias_low, bias_high = interval(
                evaluate.interval, *by_patient(error, known), evaluate.bootstrap, evaluate.confidence, evaluate.seed
            )
            lower, upper = limits(error) if several else (math.nan, math.nan)
            far = reach(error, known, evaluate.confidence)
            pearson, concordance = correlation(predicted - error, predicted)
            scale = float(np.abs([predicted, predicted - error]).max())
            volumes = {
                "bias": error.mean(),
                "bias_low": bias_low,
                "bias_high": bias_high,
                "sd": error.std(ddof=1) if several else math.nan,
                "lower": lower,
                "lower_low": lower - far,
                "lower_high": lower + far,
                "upper": upper,
                "upper_low": upper - far,
                "upper_high": upper + far,
            }
            yield {
                "set": name,
                "method": method,
                "label": label,
                "n": len(error),
                "patients": len(set(known)),
                **{k: significant(v, scale) for k, v in volumes.items()},
                "pearson": pearson,
                "concordance": concordance,
            }
