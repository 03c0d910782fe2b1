"""Volumes, in ml (3-D); areas, in mm^2, for pictures. Defined for empty masks too."""

from __future__ import annotations

from refold.evaluate.metrics.registry import metric
from refold.evaluate.pair import Pair


@metric("ml", "none")
def volume(pair: Pair) -> float:
    """Volume of the prediction."""
    return (pair.tp + pair.fp) * pair.voxel


@metric("ml", "none")
def volume_error(pair: Pair) -> float:
    """Volume of the prediction minus that of the truth: above 0 where too much is predicted."""
    return (pair.fp - pair.fn) * pair.voxel
