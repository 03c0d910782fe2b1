"""Lesion-wise metrics: connected components, matched one to one where their IoU is at least `evaluate.lesion_iou`.

With found, missed and invented the numbers of lesions matched, of the truth alone and of the prediction alone.
"""

from __future__ import annotations

import math

from refold.evaluate.metrics.registry import metric
from refold.evaluate.pair import Pair


def _counts(pair: Pair) -> tuple[int, int, int]:
    matched = pair.lesions
    found = len(matched.iou)
    return found, matched.truth - found, matched.prediction - found


@metric(group="lesions")
def lesion_sensitivity(pair: Pair) -> float:
    """Found / (found + missed). NaN where the truth has no lesion."""
    found, missed, _ = _counts(pair)
    return found / (found + missed) if found + missed else math.nan


@metric(group="lesions")
def lesion_precision(pair: Pair) -> float:
    """Found / (found + invented). NaN where the prediction has no lesion."""
    found, _, invented = _counts(pair)
    return found / (found + invented) if found + invented else math.nan


@metric(group="lesions")
def lesion_f1(pair: Pair) -> float:
    """2 found / (2 found + missed + invented). NaN where neither has a lesion."""
    found, missed, invented = _counts(pair)
    return 2 * found / (2 * found + missed + invented) if found + missed + invented else math.nan


@metric("lesions", "lower", group="lesions")
def lesions_missed(pair: Pair) -> float:
    """Lesions of the truth without a partner, in this scan. Always defined."""
    return float(_counts(pair)[1])


@metric("lesions", "lower", group="lesions")
def lesions_invented(pair: Pair) -> float:
    """False positives a scan: lesions of the prediction without a partner. Always defined."""
    return float(_counts(pair)[2])


@metric(group="lesions")
def panoptic_quality(pair: Pair) -> float:
    """Sum of the IoU of the lesions found / (found + missed / 2 + invented / 2) (Kirillov et al. 2019).

    NaN where neither has a lesion.
    """
    found, missed, invented = _counts(pair)
    whole = found + (missed + invented) / 2
    return float(pair.lesions.iou.sum()) / whole if whole else math.nan
