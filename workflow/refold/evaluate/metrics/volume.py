"""Volumes, in ml (3-D); areas, in mm^2, for pictures. Defined for empty masks too."""

from __future__ import annotations

from refold.core.language import N_
from refold.evaluate.metrics.registry import ALWAYS, metric
from refold.evaluate.pair import Pair


@metric(N_("Predicted volume"), ALWAYS, unit="ml", better="none", digits=3)
def volume(pair: Pair) -> float:
    """Volume of the prediction."""
    return (pair.tp + pair.fp) * pair.voxel


@metric(N_("Volume error"), ALWAYS, unit="ml", better="none", digits=3, note=N_("prediction minus truth"))
def volume_error(pair: Pair) -> float:
    """Volume of the prediction minus that of the truth: above 0 where too much is predicted."""
    return (pair.fp - pair.fn) * pair.voxel
