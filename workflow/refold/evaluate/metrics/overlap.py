"""Metrics from the confusion table of voxels: tp, fp, fn, tn.

Empty masks: NaN where truth and prediction are both empty, 0 where one of them is, unless a docstring says otherwise.
"""

from __future__ import annotations

import math

from refold.core.language import N_
from refold.evaluate.metrics.registry import ALWAYS, OF_TRUTH, OVERLAP, metric
from refold.evaluate.pair import Pair


def _ratio(pair: Pair, part: int, whole: int) -> float:
    if pair.state == "both_empty":
        return math.nan
    return part / whole if whole else 0.0


@metric(N_("Dice"), OVERLAP, note=N_("overlap, 0 to 1; equal to F1"), compared="shown")
def dice(pair: Pair) -> float:
    """2 tp / (2 tp + fp + fn) (Dice 1945, Sørensen 1948).

    >>> import numpy as np
    >>> truth, prediction = np.zeros((2, 8, 8), bool)
    >>> truth[:4, :2] = prediction[:2, :2] = True
    >>> round(dice(Pair(truth, prediction, (1.0, 1.0))), 3)  # 4 of 8 voxels, and none besides
    0.667
    """
    return _ratio(pair, 2 * pair.tp, 2 * pair.tp + pair.fp + pair.fn)


@metric(N_("Dice, lenient"), OVERLAP, note=N_("both empty counts as 1"))
def dice_lenient(pair: Pair) -> float:
    """Dice, but 1 where both are empty."""
    return 1.0 if pair.state == "both_empty" else dice(pair)


@metric(N_("IoU"), OVERLAP, note=N_("intersection over union"), compared="tested")
def iou(pair: Pair) -> float:
    """Tp / (tp + fp + fn): intersection over union (Jaccard 1912)."""
    return _ratio(pair, pair.tp, pair.tp + pair.fp + pair.fn)


@metric(N_("IoU, lenient"), OVERLAP, note=N_("both empty counts as 1"))
def iou_lenient(pair: Pair) -> float:
    """IoU, but 1 where both are empty."""
    return 1.0 if pair.state == "both_empty" else iou(pair)


@metric(N_("Precision"), OVERLAP, note=N_("share of the prediction that is right"), compared="tested")
def precision(pair: Pair) -> float:
    """Tp / (tp + fp): positive predictive value. An empty prediction of a present label counts 0, as with Dice."""
    return _ratio(pair, pair.tp, pair.tp + pair.fp)


@metric(N_("Recall"), OF_TRUTH, note=N_("share of the truth that is found; sensitivity"), compared="tested")
def recall(pair: Pair) -> float:
    """Tp / (tp + fn): sensitivity. A prediction of an absent label counts 0, as with Dice."""
    return _ratio(pair, pair.tp, pair.tp + pair.fn)


@metric(N_("Specificity"), ALWAYS, note=N_("share of the rest left alone; near 1 for small structures"))
def specificity(pair: Pair) -> float:
    """Tn / (tn + fp), over the whole image, so close to 1 for small labels. NaN where the truth fills the image."""
    negatives = pair.tn + pair.fp
    return pair.tn / negatives if negatives else math.nan


@metric(N_("Accuracy"), ALWAYS, note=N_("near 1 for small structures whatever the method"))
def accuracy(pair: Pair) -> float:
    """(tp + tn) / all, over the whole image, so it is close to 1 for small labels. Always defined."""
    return (pair.tp + pair.tn) / math.prod(pair.shape)


@metric(N_("F1"), OVERLAP, note=N_("the same number as Dice, by definition"))
def f1(pair: Pair) -> float:
    """Harmonic mean of precision and recall: the same number as Dice for a binary mask (van Rijsbergen 1979)."""
    return dice(pair)
