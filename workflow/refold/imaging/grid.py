"""Rules about voxel grids that several phases share: which axes count, what is one grid, how voxel sizes are written.

An affine is (d + 1, d + 1): voxel indices to mm. Its columns are the axes, their lengths the voxel sizes.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np

TOLERANCE = 1e-3  # of the voxel size along the same axis; of direction cosines
FAR = 0.5  # voxels that the last voxel may lie apart, where small differences add up along the axes
DIGITS = 7  # significant ones of a voxel size: NIfTI headers hold single precision, and no more


def mm(spacing: Iterable[float]) -> list[float]:
    """Voxel sizes as they are written: by significant digits, so that 32.5 nm stays 3.25e-05 mm.

    >>> mm([3.2500001e-05, 1.0])
    [3.25e-05, 1.0]
    """
    return [float(f"{s:.{DIGITS}g}") for s in spacing]


def spatial(shape: Sequence[int]) -> tuple[int, ...]:
    """Axes of an image that are axes of space: those of more than one voxel.

    A single slice has no neighbours across and no surface there; how thick its header calls it says nothing about
    distances. Two axes are always left: of a line the first ones.

    >>> spatial((240, 240, 155)), spatial((240, 240, 1))
    ((0, 1, 2), (0, 1))
    """
    axes = tuple(a for a, n in enumerate(shape) if n > 1)
    if len(axes) >= 2:
        return axes
    others = [a for a in range(len(shape)) if a not in axes]
    return tuple(sorted((*axes, *others[: 2 - len(axes)])))


def squeezed(mask: np.ndarray, shape: Sequence[int]) -> np.ndarray:
    """A view of ``mask``, part of an image of ``shape``, without the axes that are none of space."""
    kept = spatial(shape)
    return mask[tuple(slice(None) if a in kept else 0 for a in range(mask.ndim))]


def filled(mask: np.ndarray) -> np.ndarray:
    """A mask (x, y[, z]) of a whole image with its holes filled: what faces of voxels of space enclose."""
    from scipy.ndimage import binary_fill_holes

    # across a single slice everything would be open
    return binary_fill_holes(squeezed(mask, mask.shape)).reshape(mask.shape)


def sizes(affine: np.ndarray) -> np.ndarray:
    """(d,) voxel sizes in mm.

    >>> sizes(np.diag([0.5, 0.5, 3.0, 1.0]))
    array([0.5, 0.5, 3. ])
    """
    return np.sqrt((np.asarray(affine, float)[:-1, :-1] ** 2).sum(axis=0))


def differences(shape: Sequence[int], first: np.ndarray, second: np.ndarray, times: float = 1.0) -> list[str]:
    """In what two grids of one shape differ: ``spacing``, ``origin``, ``direction``; empty where they are the same.

    Each axis is measured by its own voxel size, so that thick slices are as free as thin ones. What is too small to
    count at one voxel may add up along the axes: no voxel may lie over `FAR` voxels apart. A single slice's thickness
    is not compared.

    Args:
        shape: (d,) voxels.
        first, second: affines, the first not singular.
        times: tolerances are this many times `TOLERANCE`.
    """
    first, second = np.asarray(first, float), np.asarray(second, float)
    a, b = first[:-1, :-1], second[:-1, :-1]
    (size_a, size_b), limit = (sizes(first), sizes(second)), TOLERANCE * times
    long = np.array(shape) > 1
    found = []
    stretched = np.abs(size_b - size_a) / size_a * long
    if not (stretched <= limit).all():  # so put, what is no number is different
        found.append("spacing")
    away = np.abs(np.linalg.solve(a, second[:-1, -1] - first[:-1, -1]))
    # origins are in single precision too, and may be far from the image in tiny voxels
    rounding = 2 * np.finfo(np.float32).eps * np.abs([first[:-1, -1], second[:-1, -1]]).max() / size_a
    if not (away <= limit + rounding).all():
        found.append("origin")
    if not (np.abs(a / size_a - b / size_b) <= limit).all():
        found.append("direction")
    if not found:
        corners = (np.array(list(np.ndindex((2,) * len(shape)))) * (np.array(shape) - 1)).T
        if np.abs(np.linalg.solve(a, (b - a) @ corners)).max() > FAR:
            found.append("spacing" if (stretched * (np.array(shape) - 1)).max() > FAR / 2 else "direction")
    return found
