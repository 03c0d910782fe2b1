"""Metrics from the distances between the surfaces, in mm; every element counts by its area (2-D: its length)."""

from __future__ import annotations

import math

import numpy as np

from refold.core.language import N_
from refold.evaluate.metrics.registry import DISTANCE, OVERLAP, metric
from refold.evaluate.pair import Pair
from refold.evaluate.surfaces import Distances

# A NIfTI affine is float32: a distance that equals the tolerance may come out this much larger, relatively.
ROUNDING = 1e-6


def _percentile(surface: Distances, percent: float) -> float:
    """Least distance within which at least ``percent`` of the surface lies."""
    share = np.cumsum(surface.size) / np.sum(surface.size)
    return float(surface.distance[min(int(np.searchsorted(share, percent / 100)), len(share) - 1)])


@metric(
    N_("HD95"),
    DISTANCE,
    unit="mm",
    better="lower",
    digits=2,
    note=N_("95th percentile of the surface distance; not defined where a mask is empty"),
)
def hd95(pair: Pair) -> float:
    """The larger of the two directed 95th percentiles (Huttenlocher et al. 1993; Nikolov et al. 2018).

    NaN where either mask is empty.
    """
    if pair.state != "found":
        return math.nan
    return max(_percentile(surface, 95) for surface in pair.distances)


@metric(
    N_("HD95, penalised"),
    DISTANCE,
    unit="mm",
    better="lower",
    digits=2,
    note=N_("the image's diagonal where one mask is empty"),
    compared="shown",
)
def hd95_penalised(pair: Pair) -> float:
    """HD95, but the image's diagonal where one mask is empty. NaN where both are."""
    if pair.state == "both_empty":
        return math.nan
    return hd95(pair) if pair.state == "found" else pair.diagonal


@metric(
    N_("ASSD"),
    DISTANCE,
    unit="mm",
    better="lower",
    digits=2,
    note=N_("average symmetric surface distance"),
    compared="tested",
)
def assd(pair: Pair) -> float:
    """Average symmetric surface distance: the mean over all elements of both surfaces (Heimann et al. 2009).

    NaN where either mask is empty.
    """
    if pair.state != "found":
        return math.nan
    total = sum(float(np.sum(s.distance * s.size)) for s in pair.distances)
    return total / sum(float(np.sum(s.size)) for s in pair.distances)


@metric(N_("NSD"), OVERLAP, note=N_("share of the surfaces within the tolerance"), compared="shown")
def nsd(pair: Pair) -> float:
    """Normalised surface distance, or surface Dice: share of both surfaces within the tolerance (Nikolov et al. 2018).

    NaN where both masks are empty, 0 where one is.
    """
    if pair.state != "found":
        return math.nan if pair.state == "both_empty" else 0.0
    limit = pair.tolerance * (1 + ROUNDING)
    close = sum(float(np.sum(s.size[: np.searchsorted(s.distance, limit, "right")])) for s in pair.distances)
    return close / sum(float(np.sum(s.size)) for s in pair.distances)
