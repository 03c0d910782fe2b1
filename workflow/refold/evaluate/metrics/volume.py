"""Volumes, in ml (3-D); areas, in mm^2, for pictures. Defined for empty masks too."""

from __future__ import annotations

import math

from refold.evaluate.metrics.registry import metric
from refold.evaluate.pair import Pair


def _size(pair: Pair, voxels: int) -> float:
    return voxels * math.prod(pair.spacing) / (1000 if len(pair.shape) == 3 else 1)


@metric("ml", "none")
def volume(pair: Pair) -> float:
    """Volume of the prediction."""
    return _size(pair, pair.tp + pair.fp)


@metric("ml", "none")
def volume_error(pair: Pair) -> float:
    """Volume of the prediction less that of the truth: above 0 where too much is predicted."""
    return _size(pair, pair.fp - pair.fn)
