"""Metrics from the confusion table of voxels: tp, fp, fn, tn.

Empty masks: NaN where truth and prediction are both empty, 0 where one of them is, unless a docstring says otherwise.
"""

from __future__ import annotations

import math

from refold.evaluate.metrics.registry import metric
from refold.evaluate.pair import Pair


def _ratio(pair: Pair, part: int, whole: int) -> float:
    if pair.state == "both_empty":
        return math.nan
    return part / whole if whole else 0.0


@metric()
def dice(pair: Pair) -> float:
    """2 tp / (2 tp + fp + fn) (Dice 1945, Sørensen 1948)."""
    return _ratio(pair, 2 * pair.tp, 2 * pair.tp + pair.fp + pair.fn)


@metric()
def dice_lenient(pair: Pair) -> float:
    """Dice, but 1 where both are empty."""
    return 1.0 if pair.state == "both_empty" else dice(pair)


@metric()
def iou(pair: Pair) -> float:
    """Tp / (tp + fp + fn): intersection over union (Jaccard 1912)."""
    return _ratio(pair, pair.tp, pair.tp + pair.fp + pair.fn)


@metric()
def iou_lenient(pair: Pair) -> float:
    """IoU, but 1 where both are empty."""
    return 1.0 if pair.state == "both_empty" else iou(pair)


@metric()
def precision(pair: Pair) -> float:
    """Tp / (tp + fp): positive predictive value. An empty prediction of a present label counts 0, as with Dice."""
    return _ratio(pair, pair.tp, pair.tp + pair.fp)


@metric()
def recall(pair: Pair) -> float:
    """Tp / (tp + fn): sensitivity. A prediction of an absent label counts 0, as with Dice."""
    return _ratio(pair, pair.tp, pair.tp + pair.fn)


@metric()
def specificity(pair: Pair) -> float:
    """Tn / (tn + fp), over the whole image, so close to 1 for small labels. NaN where the truth fills the image."""
    negatives = pair.tn + pair.fp
    return pair.tn / negatives if negatives else math.nan


@metric()
def accuracy(pair: Pair) -> float:
    """(tp + tn) / all, over the whole image, so it is close to 1 for small labels. Always defined."""
    return (pair.tp + pair.tn) / math.prod(pair.shape)


@metric()
def f1(pair: Pair) -> float:
    """Harmonic mean of precision and recall: the same number as Dice for a binary mask (van Rijsbergen 1979)."""
    return dice(pair)
