"""Surfaces of masks, and the distances between two of them.

A surface passes through the corners between voxels: each 2 x 2 (x 2) neighbourhood that holds both inside and outside
contributes one point, at its corner, and the length (area) of the piece of contour (surface) within it. This is the
definition of Nikolov et al. 2018 (arXiv:1809.04430) and of their package surface-distance, whose values are met.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import lru_cache
from itertools import pairwise

import numpy as np
from scipy.spatial import KDTree

# Triangles that marching cubes (Lorensen and Cline 1987) lays through the middles of the edges of a 2 x 2 x 2
# neighbourhood, by the absolute components of their area vectors in eighths. Non-planar polygons are cut as in
# Lorensen's table, which surface-distance (Apache-2.0) and scikit-image share; tests compare with both.
_TRIANGLES = {
    "a": (1, 1, 1),
    "b": (2, 2, 0),
    "c": (2, 0, 2),
    "d": (0, 2, 2),
    "e": (4, 0, 0),
    "f": (0, 4, 0),
    "g": (0, 0, 4),
    "h": (2, 2, 2),
    "i": (3, 3, 3),
}
# One word for each neighbourhood code 0 to 127; code 255 - c, its complement, has the same surface.
_WORDS = """
    - a a bb a cc aa eha a aa cc eha bb eha eha ee
    a dd aa fha aa gha aaa ahha aa dda cca aidc abb idab eaha eah
    a aa dd fah aa acc dda idac aa aaa gha hhaa abb ehaa diab eha
    bb fha fah ff bba icab afha fha abb fhaa ibac fha bbbb bba abb bb
    a aa aa abb dd gha dda idab aa aaa acc ehaa fha hhaa cida eha
    cc gha acc ciba gha gg aahg ahg cca ghaa cccc acc ciba gha acc cc
    aa aaa add faha dda ghaa dddd dda aaa aaaa ghaa aaa fhaa aaa dda aa
    eha haha idac fha ibda ahg add dd ehaa aaa cca aa bba aa aa a
"""


@lru_cache(maxsize=256)
def element_sizes(spacing: tuple[float, ...]) -> np.ndarray:
    """Size of the surface in a neighbourhood, by its code.

    Args:
        spacing: mm along each axis, 2 or 3 of them.

    Returns:
        (16,) contour lengths in mm or (256,) surface areas in mm^2, float64.
    """
    if len(spacing) == 2:
        x, y = spacing
        corner = math.hypot(x, y) / 2
        half = [0, corner, corner, y, corner, x, 2 * corner, corner]
    else:
        x, y, z = spacing
        area = {k: math.hypot(a * y * z, b * x * z, c * x * y) / 8 for k, (a, b, c) in _TRIANGLES.items()}
        half = [sum(area[k] for k in word.strip("-")) for word in _WORDS.split()]
    return np.array(half + half[::-1])


def codes(mask: np.ndarray) -> np.ndarray:
    """The neighbourhood code at every corner of the voxel grid; outside the array there is background.

    Args:
        mask: (x, y[, z]) bool.

    Returns:
        (x + 1, y + 1[, z + 1]) uint8; the first voxel of a neighbourhood has the highest bit.
    """
    code = np.zeros([n + 2 for n in mask.shape], np.uint8)
    code[(slice(1, -1),) * mask.ndim] = mask
    for axis in range(mask.ndim):
        lower, upper = [slice(None)] * mask.ndim, [slice(None)] * mask.ndim
        lower[axis], upper[axis] = slice(None, -1), slice(1, None)
        code = (code[tuple(lower)] << 2 ** (mask.ndim - 1 - axis)) | code[tuple(upper)]
    return code


@dataclass(frozen=True)
class Distances:
    """From each element of one surface to the nearest point of the other, nearest first.

    distance: (n,) mm. size: (n,) mm^2 (mm in 2-D) of the elements; equal distances stand by ascending size.
    """

    distance: np.ndarray
    size: np.ndarray


REACH = 3
_STAGES = (0, 18, 80, (2 * REACH + 1) ** 3)
_BLOCK = 8192


@lru_cache(maxsize=256)
def _steps(spacing: tuple[float, ...]) -> tuple[np.ndarray, np.ndarray]:
    """All steps of whole voxels shorter than any that leaves the box of +-REACH, and their lengths, shortest first."""
    axes = [np.arange(-REACH, REACH + 1)] * len(spacing)
    steps = np.stack(np.meshgrid(*axes, indexing="ij"), axis=-1).reshape(-1, len(spacing))
    lengths = np.sqrt(((steps * spacing) ** 2).sum(axis=1))
    order = np.argsort(lengths, kind="stable")
    order = order[(lengths[order] > 0) & (lengths[order] < (REACH + 1) * min(spacing))]
    return steps[order], lengths[order]


def _to_nearest(start: np.ndarray, border: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """Distance in mm from each of the points ``start`` (n, d) to the nearest point of ``border``, not empty.

    Most lie within a few voxels, which a look at the shortest steps finds; a k-d tree finds the others. Both in double
    precision, from whole voxels, so that equal steps give equal distances wherever they lie.
    """
    steps, lengths = _steps(spacing)
    padded = np.zeros([n + 2 * REACH for n in border.shape], bool)
    padded[(slice(REACH, -REACH),) * border.ndim] = border
    strides = np.array(padded.strides)
    at, by = (start + REACH) @ strides, steps @ strides
    padded = padded.ravel()
    result = np.full(len(start), np.nan)
    for block in range(0, len(start), _BLOCK):
        todo = np.arange(block, min(block + _BLOCK, len(start)))
        for first, last in pairwise(_STAGES):
            met = padded[at[todo, None] + by[first:last]]
            nearest = met.argmax(axis=1)
            found = met[np.arange(len(todo)), nearest]
            result[todo[found]] = lengths[first + nearest[found]]
            todo = todo[~found]
            if not len(todo) or last >= len(by):
                break
    far = np.flatnonzero(np.isnan(result))
    if len(far):
        points = np.argwhere(border)
        tree = KDTree(points * spacing, balanced_tree=False, compact_nodes=False)
        nearest = points[tree.query(start[far] * spacing)[1]]
        result[far] = np.sqrt((((nearest - start[far]) * spacing) ** 2).sum(axis=1))
    return result


def distances(truth: np.ndarray, prediction: np.ndarray, spacing: tuple[float, ...]) -> tuple[Distances, Distances]:
    """Distances from the truth's surface to the prediction's, and back.

    Args:
        truth, prediction: (x, y[, z]) bool, of the same shape, neither empty.
        spacing: mm along each axis.

    >>> truth = np.zeros((8, 8), bool)
    >>> truth[2:5, 2:5] = True
    >>> there, back = distances(truth, np.roll(truth, 1, axis=0), (1.0, 1.0))  # moved by one voxel
    >>> there.distance
    array([0., 0., 0., 0., 0., 0., 1., 1., 1., 1., 1., 1.])
    """
    spacing = tuple(map(float, spacing))
    both = [codes(m) for m in (truth, prediction)]
    # codes 0 and the full one, inside or outside all over, alone lie beyond this after the subtraction
    surface = np.uint8(2 ** (2**truth.ndim) - 2)
    border = [(c - np.uint8(1)) < surface for c in both]
    result = []
    for own, other in ((0, 1), (1, 0)):
        size = element_sizes(spacing)[both[own][border[own]]]
        distance = np.zeros(len(size))
        apart = ~border[other][border[own]]
        if apart.any():
            distance[apart] = _to_nearest(np.argwhere(border[own] & ~border[other]), border[other], spacing)
        order = np.lexsort((size, distance))
        result.append(Distances(distance[order], size[order]))
    return result[0], result[1]
