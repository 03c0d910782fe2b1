"""Patch size and pooling of a network from the shapes and spacing of the data.

The rules are nnU-Net's (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z), with a number of voxels in place of its
estimate of GPU memory.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil, prod
from typing import Any

from refold.core.errors import RefoldError

MAX_VOXELS = {2: 512**2, 3: 96**3}  # largest planned patch: fits a training with 32 base features into 8 GB
SMALLEST = 4  # an axis is not pooled below this many voxels
SMALLEST_FORCED = 2  # nor below this, when the number of stages is given
_LEVEL = 2.0  # an axis waits while its spacing is this many times the finest


@dataclass(frozen=True)
class Plan:
    """A patch and how the network halves it.

    patch: voxels (x, y[, z]). strides: one row a stage, one number an axis, 1 or 2; the first stage is all ones.
    """

    patch: tuple[int, ...]
    strides: tuple[tuple[int, ...], ...]

    @property
    def stages(self) -> int:
        return len(self.strides)

    @property
    def divisor(self) -> tuple[int, ...]:
        """What each axis of an input must be a multiple of."""
        return tuple(prod(s) for s in zip(*self.strides, strict=True))


def plan_patch(shape: Sequence[int], spacing: Sequence[float], max_voxels: int) -> tuple[int, ...]:
    """Patch as alike as possible in mm along all axes, no larger than ``shape``, of at most ``max_voxels``.

    Args:
        shape: median voxels. If all of it fits, it is the patch.
        spacing: mm.

    >>> plan_patch((320, 320, 20), (0.6, 0.6, 3.6), max_voxels=96**3)
    (210, 210, 20)
    """
    if prod(shape) <= max_voxels:
        return tuple(int(n) for n in shape)
    # a single slice takes no part: its thickness is no distance
    free, patch = {a for a, n in enumerate(shape) if n > 1}, list(map(float, shape))
    while free:
        left = max_voxels / prod(patch[a] for a in range(len(shape)) if a not in free)
        side = (left * prod(spacing[a] for a in free)) ** (1 / len(free))  # mm
        full = {a for a in free if side / spacing[a] >= shape[a]}
        if not full:
            for a in free:
                patch[a] = side / spacing[a]
            break
        free -= full
    return tuple(max(1, min(int(p + 1e-9), n)) for p, n in zip(patch, shape, strict=True))


def plan_stages(
    patch: Sequence[int],
    spacing: Sequence[float],
    smallest: int = SMALLEST,
    stages: int | None = None,
    whole: Sequence[int] = (),
) -> tuple[tuple[int, ...], ...]:
    """Strides of each stage.

    An axis is halved while it has at least twice ``smallest`` voxels and its spacing is under twice the finest.

    Args:
        patch: voxels; odd sizes count as rounded up, so that a padded patch gives the same.
        spacing: mm.
        smallest: voxels below which no axis goes.
        stages: stop at this many.
        whole: axes that are never halved and that no other waits for.

    Returns:
        one row a stage, one number an axis, 1 or 2.

    >>> plan_stages((64, 64, 16), (0.6, 0.6, 3.6))  # z waits until x and y are about as coarse
    ((1, 1, 1), (2, 2, 1), (2, 2, 1), (2, 2, 2), (2, 2, 2))
    """
    size, mm = list(patch), list(spacing)
    strides = [(1,) * len(size)]
    while stages is None or len(strides) < stages:
        able = [a for a, n in enumerate(size) if n >= 2 * smallest and a not in whole]
        if not able:
            break
        finest = min(mm[a] for a in able)
        stride = tuple(2 if a in able and mm[a] / finest < _LEVEL else 1 for a in range(len(size)))
        size = [ceil(n / s) for n, s in zip(size, stride, strict=True)]
        mm = [v * s for v, s in zip(mm, stride, strict=True)]
        strides.append(stride)
    return tuple(strides)


def plan(
    fingerprint: dict[str, Any],
    dimension: int,
    patch: str | Sequence[int] = "auto",
    stages: str | int = "auto",
    max_voxels: int | None = None,
    whole: Sequence[int] = (),
) -> Plan:
    """Plan a network for a data set.

    Args:
        fingerprint: ``data/fingerprint.json``; its ``median`` shape and spacing of the stored grids are read.
        dimension: of the network. 2 on 3-D data: slices across z, so only x and y count.
        patch: ``auto`` or voxels an axis (``train.patch``).
        stages: ``auto`` or a number (``methods.<name>.stages``).
        max_voxels: of an ``auto`` patch; default `MAX_VOXELS`.
        whole: axes that the network does not pool.

    Raises:
        RefoldError: 3-D network on 2-D data, or a patch that cannot be pooled as asked.
    """
    shape, spacing = fingerprint["median"]["shape"], fingerprint["median"]["spacing"]
    if dimension > len(shape):
        raise RefoldError(f"a {dimension}-D network cannot take {len(shape)}-D data; set its dimension to 2 or auto")
    shape, spacing = shape[:dimension], spacing[:dimension]
    smallest, wanted = (SMALLEST, None) if stages == "auto" else (SMALLEST_FORCED, int(stages))
    given = None if isinstance(patch, str) else tuple(patch)
    if given is not None and len(given) != dimension:
        raise RefoldError(
            f"train.patch: {list(given)} has {len(given)} axes, the network has {dimension}; give as many"
        )
    size = plan_patch(shape, spacing, max_voxels or MAX_VOXELS[dimension]) if given is None else given
    strides = plan_stages(size, spacing, smallest, wanted, whole)
    what = f"train.patch: auto, planned as {list(size)}," if given is None else f"train.patch: {list(size)}"
    if wanted is not None and len(strides) < wanted:
        raise RefoldError(
            f"{what} can be pooled {len(strides) - 1} times, stages: {wanted} asks for {wanted - 1}; "
            f"at most {len(strides)} stages, or a larger patch"
        )
    divisor = Plan(size, strides).divisor
    padded = tuple(ceil(n / d) * d for n, d in zip(size, divisor, strict=True))
    if given is not None and padded != size:
        raise RefoldError(
            f"{what} cannot be pooled {len(strides) - 1} times: its axes must be multiples of {list(divisor)}; "
            f"the next that fits is {list(padded)}"
        )
    return Plan(padded, strides)
