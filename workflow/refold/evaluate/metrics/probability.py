"""Metrics of the probabilities, where a method has some and they were kept (`predict.keep_probabilities`).

`ece` and `brier` are over the voxels of a box about the truth, `evaluate.calibration_margin` mm wider on each side.
Over the whole image the background, which is easy, would make both small; so would a box that a far false positive
widens.
"""

from __future__ import annotations

import math

import numpy as np

from refold.core.language import N_
from refold.evaluate.metrics.registry import ALWAYS, PROBABILITY, metric
from refold.evaluate.pair import Pair
from refold.evaluate.uncertainty import LEVELS, POSSIBLE, Histograms, entropies, expected_calibration_error


def _histograms(pair: Pair) -> Histograms:
    assert pair.uncertainty is not None  # or these metrics are left out
    return pair.uncertainty


@metric(
    N_("Calibration error"),
    PROBABILITY,
    better="lower",
    group="probabilities",
    note=N_("expected calibration error; how far probabilities are from truth"),
)
def ece(pair: Pair) -> float:
    """Expected calibration error in 10 bins of equal width (Naeini et al. 2015). NaN where the truth is empty."""
    return expected_calibration_error(_histograms(pair).reliability())


@metric(
    N_("Brier score"),
    PROBABILITY,
    better="lower",
    group="probabilities",
    note=N_("mean square of probability minus truth"),
)
def brier(pair: Pair) -> float:
    """Mean square of probability minus truth, 0 or 1 (Brier 1950). NaN where the truth is empty."""
    s = _histograms(pair)
    if s.inside is None or s.outside is None:
        return math.nan
    total = float(s.inside @ (1 - LEVELS) ** 2 + s.outside @ LEVELS**2)
    return total / float(s.inside.sum() + s.outside.sum())


@metric(
    N_("Entropy"),
    ALWAYS,
    unit="bit",
    better="none",
    group="probabilities",
    note=N_("how unsure the method is; needs no truth"),
)
def entropy(pair: Pair) -> float:
    """Mean binary entropy of the voxels where the label has a probability of over 1 %; 0 where there are none.

    It needs no truth, so that it can be had of a new case.
    """
    here = _histograms(pair).image[POSSIBLE:]
    return float(np.dot(here, entropies()[POSSIBLE:]) / here.sum()) if here.sum() else 0.0
