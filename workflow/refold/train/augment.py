"""Random changes of training patches, and the cutting of patches out of volumes.

The operations, their order and their default ranges are nnU-Net's (Isensee et al., Nature Methods 18, 2021). A volume
is read only where the patch needs it, geometry costs one interpolation and is skipped where it does not fire, and
everything is float32. Every value is a function of the generator handed in; an `Augmenter` keeps no state, so threads
may share it, and its time is spent in NumPy and SciPy operations that release the interpreter lock.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from scipy import ndimage

from refold.settings.augment import Augment

AXES = "xyz"

INTENSITY = ("noise", "blur", "brightness", "contrast", "low_resolution", "gamma_inverted", "gamma")
"""The intensity changes, in the order in which they are made."""

BLUR_TRUNCATE = 3.0
"""The Gaussian kernel of `blur` ends at this many standard deviations."""

_GEOMETRY_DRAWS = 14
_SLAB = 32768  # voxels interpolated at a time, so that the arrays on the way stay in the processor's cache


@dataclass(frozen=True, eq=False)
class Draw:
    """What was drawn for one patch.

    Attributes:
        matrix: (d, d) float64, from an offset in the patch to the offset in the volume, both in voxels and from the
            centre; None where neither rotation nor scaling nor cropping fires.
        place: (d,) float64, moves the crop: an offset in the patch, as a share of its size, added before `matrix`.
        flips: numbers of the axes that are flipped.
        changes: names of the intensity changes that fire, in the order of `INTENSITY`.
    """

    matrix: np.ndarray | None
    place: np.ndarray
    flips: tuple[int, ...]
    changes: tuple[str, ...]

    @property
    def geometric(self) -> bool:
        """Whether the patch is interpolated: rotation, scaling or cropping fires."""
        return self.matrix is not None


class Augmenter:
    """Cuts patches out of volumes and changes them at random.

    Args:
        settings: the section `augment` of ``params.yaml``.
        dimension: 2 or 3.

    Attributes:
        ignored: letters of ``flip.axes`` that name no axis here: z, in 2-D.

    Raises:
        ValueError: another dimension.
    """

    def __init__(self, settings: Augment, dimension: int):
        if dimension not in (2, 3):
            raise ValueError(f"dimension {dimension}: 2 or 3")
        self.settings = settings
        self.dimension = dimension
        self.ignored = tuple(letter for letter in AXES[dimension:] if letter in settings.flip.axes)
        self._flips = tuple(a for a, letter in enumerate(AXES[:dimension]) if letter in settings.flip.axes)

    def draw(self, generator: np.random.Generator, shape: Sequence[int] = ()) -> Draw:
        """All decisions, and the geometry, for one patch of a volume of ``shape``.

        A single slice is turned within itself alone: turned out of itself, nothing of it would be left in the patch.

        Takes the same count of numbers from the generator whatever the settings: another probability of one
        operation leaves the decisions about the others as they were.
        """
        settings, d = self.settings, self.dimension
        u = generator.random(_GEOMETRY_DRAWS + len(INTENSITY))
        matrix, place = np.eye(d), np.zeros(d)
        thin = {a for a, n in enumerate(shape) if n == 1}
        if rotates := u[0] < settings.rotation.p:
            angles = np.deg2rad(settings.rotation.degrees) * (2 * u[1 : 4 if d == 3 else 2] - 1)
            for about in range(len(angles)) if thin else ():
                if thin - {about if d == 3 else None}:
                    angles[about] = 0
            matrix = rotation(angles)
        if scales := u[4] < settings.scaling.p:
            matrix = matrix / _between(settings.scaling.range, u[5])
        if crops := u[6] < settings.crop.p:
            kept = _between(settings.crop.range, u[7])
            matrix = matrix * kept
            place = (1 - kept) / kept * (u[8 : 8 + d] - 0.5)
            place[list(thin)] = 0
        flips = tuple(a for a in self._flips if u[11 + a] < settings.flip.p)
        changes = tuple(
            name
            for name, value in zip(INTENSITY, u[_GEOMETRY_DRAWS:], strict=True)
            if value < self._patch_probability(name)
        )
        return Draw(matrix if rotates or scales or crops else None, place, flips, changes)

    def sample(
        self,
        image: Any,
        label: Any,
        centre: Sequence[float] | np.ndarray,
        patch: Sequence[int],
        draw: Draw,
        generator: np.random.Generator,
    ) -> tuple[np.ndarray, np.ndarray]:
        """One patch and its label map, cut out and changed as drawn.

        Args:
            image: (x, y[, z], C) numbers: an array, or anything with ``shape`` that slices like one (HDF5 data set,
                memory map). Only the box that the patch needs is read.
            label: (x, y[, z]) label indices 0..255, likewise.
            centre: the patch's centre in voxel coordinates of the volume (voxel i has its centre at i). It is moved
                by at most half a voxel, so that the unchanged patch falls on voxels. Along an axis on which the patch
                holds the whole volume, the volume is centred in the patch instead.
            patch: size of the patch in voxels. Where it reaches over the border, image and label are 0.
            draw: what `draw` returned.
            generator: source of the values that differ by channel or voxel.

        Returns:
            (px, py[, pz], C) float32 and (px, py[, pz]) uint8, contiguous, sharing no memory with the volume.

        Raises:
            ValueError: shapes that contradict each other or the dimension.
        """
        shape, patch = tuple(image.shape[:-1]), tuple(int(p) for p in patch)
        if not len(shape) == len(patch) == len(centre) == self.dimension or tuple(label.shape) != shape:
            raise ValueError(
                f"image {tuple(image.shape)}, label {tuple(label.shape)}, patch {patch}, centre {tuple(centre)}: "
                f"{self.dimension} spatial axes are wanted, and one more in the image, for its channels"
            )
        start = np.array(
            [
                -((p - n) // 2) if n <= p else math.floor(c - (p - 1) / 2 + 0.5)
                for n, p, c in zip(shape, patch, centre, strict=True)
            ]
        )
        if draw.matrix is None:
            planes, labels = _read(image, label, start, start + patch)
        else:
            planes, labels = _transformed(image, label, start, patch, draw)
        if draw.flips:
            order = tuple(slice(None, None, -1 if a in draw.flips else None) for a in range(self.dimension))
            planes, labels = planes[(slice(None), *order)], labels[order]
        planes = np.ascontiguousarray(planes)
        self._change(planes, draw.changes, generator)
        self._drop(planes, generator)
        return np.ascontiguousarray(np.moveaxis(planes, 0, -1)), np.ascontiguousarray(labels)

    def _patch_probability(self, name: str) -> float:
        """nnU-Net blurs and coarsens half of the channels, in twice as many patches; `p` counts channels."""
        p = getattr(self.settings, name).p
        return min(1.0, 2 * p) if name in ("blur", "low_resolution") else p

    def _drop(self, planes: np.ndarray, generator: np.random.Generator) -> None:
        """Set channels to 0, the value that a missing one has at prediction, but never all of them."""
        if p := self.settings.channel_dropout.p:
            dropped = generator.random(len(planes)) < p
            if dropped.all():
                dropped[generator.integers(len(planes))] = False
            planes[dropped] = 0

    def _change(self, planes: np.ndarray, changes: Sequence[str], generator: np.random.Generator) -> None:
        """Change the intensities of (C, px, py[, pz]) planes in place."""
        for name in changes:
            values = getattr(self.settings, name)
            if name == "noise":
                noise(planes, _between(values.variance, generator.random()), generator)
                continue
            chosen = generator.random(len(planes)) * self._patch_probability(name) < values.p
            for plane in (planes[c] for c in np.flatnonzero(chosen)):
                if name == "blur":
                    blur(plane, [_between(values.sigma, u) for u in generator.random(plane.ndim)])
                elif name == "low_resolution":
                    low_resolution(plane, _between(values.range, generator.random()))
                elif name == "brightness":
                    plane *= np.float32(_around_one(values.range, generator))
                elif name == "contrast":
                    contrast(plane, _around_one(values.range, generator))
                else:
                    gamma(plane, _around_one(values.range, generator), inverted=name == "gamma_inverted")


# ---------------------------------------------------------------- values


def _between(limits: tuple[float, float], u: float) -> float:
    return limits[0] + (limits[1] - limits[0]) * u


def _around_one(limits: tuple[float, float], generator: np.random.Generator) -> float:
    """Evenly between the limits; where they enclose 1, as often below as above it, as nnU-Net draws."""
    side, u = generator.random(2)
    if limits[0] < 1 < limits[1]:
        limits = (limits[0], 1.0) if side < 0.5 else (1.0, limits[1])
    return _between(limits, u)


# ---------------------------------------------------------------- geometry


def rotation(angles: Sequence[float]) -> np.ndarray:
    """Rotation matrix: one angle turns the plane (2, 2); three turn about x, then y, then z (3, 3). In radians."""
    c, s = np.cos(angles), np.sin(angles)
    if len(angles) == 1:
        return np.array([[c[0], -s[0]], [s[0], c[0]]])
    about_x = np.array([[1, 0, 0], [0, c[0], -s[0]], [0, s[0], c[0]]])
    about_y = np.array([[c[1], 0, s[1]], [0, 1, 0], [-s[1], 0, c[1]]])
    about_z = np.array([[c[2], -s[2], 0], [s[2], c[2], 0], [0, 0, 1]])
    return about_z @ about_y @ about_x


def _read(image: Any, label: Any, start: np.ndarray, stop: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The box [start, stop), zeros outside the volume: (C, *box) float32 and (*box) uint8, freshly allocated."""
    low, high = np.maximum(start, 0), np.minimum(stop, label.shape)
    size = tuple(stop - start)
    allocate = np.empty if (low == start).all() and (high == stop).all() else np.zeros
    planes, labels = allocate((image.shape[-1], *size), np.float32), allocate(size, np.uint8)
    if (low < high).all():
        source = tuple(map(slice, low.tolist(), high.tolist()))
        target = tuple(map(slice, low - start, high - start))
        planes[(slice(None), *target)] = np.moveaxis(image[source], -1, 0)
        labels[target] = label[source]
    return planes, labels


def _transformed(
    image: Any, label: Any, start: np.ndarray, patch: tuple[int, ...], draw: Draw
) -> tuple[np.ndarray, np.ndarray]:
    """The patch at ``start``, turned, scaled and cropped in one interpolation.

    Image: linear. Label: the label with the largest linear weight, the lowest on a tie, so that outlines stay smooth
    and no label is invented.
    """
    assert draw.matrix is not None
    half = (np.array(patch) - 1) / 2
    middle = start + half + draw.matrix @ (draw.place * patch)
    reach = np.abs(draw.matrix) @ half + 1e-3  # single precision may round a point past the last voxel
    # one voxel of zeros around the volume stands for all that lies outside
    low = np.clip(np.floor(middle - reach), -1, np.array(label.shape) - 1).astype(int)
    high = np.clip(np.floor(middle + reach) + 2, 1, np.array(label.shape) + 1).astype(int)
    planes, labels = _read(image, label, low, high)
    return _interpolated(planes, labels, draw.matrix, middle - draw.matrix @ half - low, patch)


def _interpolated(
    planes: np.ndarray, labels: np.ndarray, matrix: np.ndarray, origin: np.ndarray, patch: tuple[int, ...]
) -> tuple[np.ndarray, np.ndarray]:
    """Planes (C, *box) and labels (*box) at the points ``origin + matrix @ index``, clipped to the box."""
    box = labels.shape
    strides = [math.prod(box[a + 1 :]) for a in range(labels.ndim)]
    flat, flat_labels = planes.reshape(len(planes), -1), labels.reshape(-1)
    mixed = _mixed(flat_labels, strides)
    result, result_labels = np.empty((len(planes), *patch), np.float32), np.empty(patch, np.uint8)
    # whole numbers up to 2 ** 24 are exact in single precision
    exact = np.float32 if labels.size < 2**24 else np.float64
    edges = matrix * (np.array(patch) - 1)
    inside = (origin + np.minimum(edges, 0).sum(1) >= 0) & (origin + np.maximum(edges, 0).sum(1) < np.array(box) - 1)
    rows = max(1, _SLAB // math.prod(patch[1:]))
    unsure = []
    for first in range(0, patch[0], rows):
        slab = slice(first, min(first + rows, patch[0]))
        grid = np.ix_(np.arange(slab.start, slab.stop), *map(np.arange, patch[1:]))
        index: Any = exact(0)
        weights: list[np.ndarray] = []
        for a, stride in enumerate(strides):
            point = sum((matrix[a, b] * g for b, g in enumerate(grid[:-1])), origin[a]).astype(np.float32)
            point = (point + (matrix[a, -1] * grid[-1]).astype(np.float32)).ravel()
            if not inside[a]:
                np.clip(point, 0, box[a] - 1, out=point)
            corner = np.floor(point)
            if not inside[a]:
                np.minimum(corner, box[a] - 2, out=corner)
            point -= corner
            weights.append(point)
            index = index + corner * exact(stride)
        index = index.astype(np.intp)
        for channel in range(len(planes)):
            result[channel, slab] = _linear(flat[channel], index, weights, strides).reshape(-1, *patch[1:])
        result_labels[slab] = flat_labels.take(index).reshape(-1, *patch[1:])
        where = np.flatnonzero(mixed.take(index))
        unsure.append((where + first * math.prod(patch[1:]), index[where], *(w[where] for w in weights)))
    where, index, *weights = (np.concatenate(parts) for parts in zip(*unsure, strict=True))
    if where.size:
        result_labels.reshape(-1)[where] = _vote(flat_labels, index, weights, strides)
    return result, result_labels


def _linear(flat: np.ndarray, index: np.ndarray, weights: Sequence[np.ndarray], strides: Sequence[int]) -> np.ndarray:
    """Linear interpolation between the 2^d voxels from ``index`` on, one axis after the other."""
    if not weights:
        return flat.take(index)
    low = _linear(flat, index, weights[1:], strides[1:])
    high = _linear(flat[strides[0] :], index, weights[1:], strides[1:])
    high -= low
    high *= weights[0]
    low += high
    return low


def _mixed(labels: np.ndarray, strides: Sequence[int]) -> np.ndarray:
    """Whether the 2^d voxels from each one on differ; shorter than ``labels``, without the last that have not as many.

    Rows run into the next ones here, so what stands for the last voxel of an axis means nothing.
    """
    least = most = labels
    for stride in strides:
        least, most = np.minimum(least[:-stride], least[stride:]), np.maximum(most[:-stride], most[stride:])
    return least != most


def _vote(labels: np.ndarray, index: np.ndarray, weights: Sequence[np.ndarray], strides: Sequence[int]) -> np.ndarray:
    """The label with the largest sum of linear weights over the 2^d voxels from ``index`` on."""
    offsets = [int(np.dot(corner, strides)) for corner in product((0, 1), repeat=len(strides))]
    values = np.stack([labels[offset:].take(index) for offset in offsets])
    winner, best = np.zeros(index.shape, np.uint8), np.full(index.shape, -1, np.float32)
    for candidate in np.flatnonzero(np.bincount(values.reshape(-1))):
        score = (values == candidate).astype(np.float32)
        for weight in weights:
            low, high = score[: len(score) // 2], score[len(score) // 2 :]
            high -= low
            high *= weight
            score = np.add(low, high, out=low)
        winner[score[0] > best] = candidate
        np.maximum(score[0], best, out=best)
    return winner


# ---------------------------------------------------------------- intensities, all in place


def noise(planes: np.ndarray, variance: float, generator: np.random.Generator) -> None:
    """Add Gaussian noise of this variance, independent for each voxel and channel."""
    field = generator.standard_normal(planes.shape, dtype=np.float32)
    field *= np.float32(math.sqrt(variance))
    planes += field


def blur(plane: np.ndarray, sigmas: Sequence[float]) -> None:
    """Gaussian blur, standard deviation in voxels along each axis; the image is mirrored at its border."""
    ndimage.gaussian_filter(plane, sigmas, output=plane, mode="mirror", truncate=BLUR_TRUNCATE)


def contrast(plane: np.ndarray, factor: float) -> None:
    """Stretch the intensities about their mean and clip them to the range that they had."""
    low, high, mean = plane.min(), plane.max(), plane.mean()
    plane *= np.float32(factor)
    plane += mean * np.float32(1 - factor)
    np.clip(plane, low, high, out=plane)


def low_resolution(plane: np.ndarray, factor: float) -> None:
    """Sample down by ``factor`` (nearest voxel) and up again (linear)."""
    axes = []
    for size in plane.shape:
        coarse = max(1, round(size * factor))
        kept = ((np.arange(coarse) + 0.5) * size / coarse).astype(int)
        point = np.clip((np.arange(size) + 0.5) * coarse / size - 0.5, 0, coarse - 1)
        below = np.floor(point).astype(int)
        axes.append((kept, below, np.minimum(below + 1, coarse - 1), (point - below).astype(np.float32)))
    values = plane[np.ix_(*(kept for kept, *_ in axes))]
    for a, (_, below, above, weight) in reversed(list(enumerate(axes))):
        low, high = values.take(below, axis=a), values.take(above, axis=a)
        high -= low
        high *= weight.reshape([-1 if b == a else 1 for b in range(plane.ndim)])
        low += high
        values = low
    plane[...] = values


def gamma(plane: np.ndarray, exponent: float, inverted: bool = False) -> None:
    """Raise the intensities, scaled to 0..1, to ``exponent`` and give them back their mean and standard deviation.

    With ``inverted``, the image is negated before and after. A constant image stays as it is.
    """
    low, high, mean = plane.min(), plane.max(), plane.mean()
    if not high - low > np.finfo(np.float32).tiny:
        return
    curve = plane - mean
    deviation = _root_mean_square(curve)
    if inverted:
        np.subtract(high, plane, out=curve)
    else:
        np.subtract(plane, low, out=curve)
    curve *= 1 / (high - low)
    # exp(g log v) takes half the time of power in single precision; log 0 is minus infinity and becomes 0 again
    with np.errstate(divide="ignore"):
        np.log(curve, out=curve)
    curve *= np.float32(exponent)
    np.exp(curve, out=curve)
    curve -= curve.mean()
    after = _root_mean_square(curve)
    if after > 0:
        curve *= (-deviation if inverted else deviation) / after
    np.add(curve, mean, out=plane)


def _root_mean_square(values: np.ndarray) -> np.float32:
    return np.sqrt(np.square(values).mean())
