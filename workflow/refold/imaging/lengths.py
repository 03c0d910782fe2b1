"""Lengths in mm that follow the data: what ``auto`` means where a length is wanted."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from refold.imaging.cases import Case
from refold.imaging.grid import spatial
from refold.settings.evaluate import AUTO_LENGTHS, Evaluate

MOST = 0.9  # share of the cases whose voxels within a slice are no larger than `voxel`
SIGNIFICANT = 2  # digits of a length that ``auto`` gives


def in_plane(case: Case) -> float:
    """The coarser spacing within a slice, in mm: of the two finest axes of space; a thick slice does not count."""
    return sorted(case.spacing[a] for a in spatial(case.shape))[1]


def voxel(cases: Sequence[Case]) -> float:
    """The voxel size in mm within a slice that nine in ten cases do not exceed, rounded up to `SIGNIFICANT` digits."""
    size = float(np.quantile([in_plane(c) for c in cases], MOST, method="inverted_cdf"))
    step = 10.0 ** (math.floor(math.log10(size)) + 1 - SIGNIFICANT)
    # a header's rounding, as of 0.1 in single precision, is no reason for the next step
    return float(f"{math.ceil(size / step - 1e-4) * step:.{SIGNIFICANT}g}")


def resolve(evaluate: Evaluate, cases: Sequence[Case]) -> Evaluate:
    """The same section with numbers for lengths that are ``auto``: so many `voxel` of the data set.

    Args:
        cases: all of the data set, so that each fold has the same.
    """
    auto = {key: times for key, times in AUTO_LENGTHS.items() if getattr(evaluate, key) == "auto"}
    size = voxel(cases) if auto else 0.0
    return evaluate.model_copy(update={key: float(f"{times * size:.6g}") for key, times in auto.items()})


def fine_tolerance(evaluate: Evaluate, cases: Sequence[Case]) -> str | None:
    """A warning where the tolerance of the NSD is below the voxels of more than a tenth of the cases; None where not.

    Args:
        evaluate: as `resolve` gives.
    """
    tolerance = evaluate.nsd_tolerance
    assert not isinstance(tolerance, str)
    coarse = [size for c in cases if (size := in_plane(c)) > tolerance * (1 + 1e-4)]
    if len(coarse) <= (1 - MOST) * len(cases) + 1e-9:
        return None
    return (
        f"evaluate.nsd_tolerance is {tolerance:g} mm, below the voxel size within a slice of "
        f"{len(coarse)} of {len(cases)} cases (up to {max(coarse):.4g} mm): there a surface one voxel off counts as "
        "wrong, so that NSD measures the voxel size too; auto would be "
        f"{AUTO_LENGTHS['nsd_tolerance'] * voxel(cases):g} mm"
    )
