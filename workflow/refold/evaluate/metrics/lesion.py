"""Lesion-wise metrics: connected components, matched one to one where their IoU is at least `evaluate.lesion_iou`.

With found, missed and false positive the numbers of lesions matched, of the truth alone and of the prediction alone.
"""

from __future__ import annotations

import math

from refold.core.language import N_
from refold.evaluate.metrics.registry import ALWAYS, OF_TRUTH, OVERLAP, metric
from refold.evaluate.pair import Pair


def _counts(pair: Pair) -> tuple[int, int, int]:
    matched = pair.lesions
    found = len(matched.iou)
    return found, matched.truth - found, matched.prediction - found


@metric(N_("Lesion sensitivity"), OF_TRUTH, group="lesions", note=N_("share of the lesions that are found"))
def lesion_sensitivity(pair: Pair) -> float:
    """Found / (found + missed). NaN where the truth has no lesion."""
    found, missed, _ = _counts(pair)
    return found / (found + missed) if found + missed else math.nan


@metric(N_("Lesion precision"), OVERLAP, group="lesions", note=N_("share of the lesions predicted that are there"))
def lesion_precision(pair: Pair) -> float:
    """Found / (found + false). NaN where the prediction has no lesion."""
    found, _, false = _counts(pair)
    return found / (found + false) if found + false else math.nan


@metric(
    N_("Lesion F1"),
    OVERLAP,
    group="lesions",
    note=N_("of lesions found, missed and false positives"),
    compared="tested",
)
def lesion_f1(pair: Pair) -> float:
    """2 found / (2 found + missed + false). NaN where neither has a lesion."""
    found, missed, false = _counts(pair)
    return 2 * found / (2 * found + missed + false) if found + missed + false else math.nan


@metric(N_("Lesions missed"), ALWAYS, unit="lesions", better="lower", group="lesions", digits=2, note=N_("a scan"))
def lesions_missed(pair: Pair) -> float:
    """Lesions of the truth without a partner, in this scan. Always defined."""
    return float(_counts(pair)[1])


@metric(
    N_("False positive lesions"), ALWAYS, unit="lesions", better="lower", group="lesions", digits=2, note=N_("a scan")
)
def lesions_false_positive(pair: Pair) -> float:
    """False positives a scan: lesions of the prediction without a partner. Always defined."""
    return float(_counts(pair)[2])


@metric(N_("Panoptic quality"), OVERLAP, group="lesions", note=N_("lesions found, and how well"), compared="tested")
def panoptic_quality(pair: Pair) -> float:
    """Sum of the IoU of the lesions found / (found + missed / 2 + false / 2) (Kirillov et al. 2019).

    NaN where neither has a lesion.
    """
    found, missed, false = _counts(pair)
    whole = found + (missed + false) / 2
    return float(pair.lesions.iou.sum()) / whole if whole else math.nan
