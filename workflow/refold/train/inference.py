"""From a preprocessed image to label probabilities: whole volume or Gaussian-weighted tiles, with mirror averaging.

Knows no deep-learning library: a network is a function from a batch of patches to probabilities.
"""

from __future__ import annotations

import itertools
import tempfile
from collections.abc import Callable, Sequence

import numpy as np

from refold.core.errors import RefoldError
from refold.train.augment import AXES

Forward = Callable[[np.ndarray], np.ndarray]  # (batch, x, y[, z], channels) -> (batch, x, y[, z], labels)
IN_MEMORY = 2**29  # bytes of probabilities; a larger volume is gathered in a temporary file


def gaussian(tile: Sequence[int]) -> np.ndarray:
    """Weights of a tile's voxels, 1 in the middle, sigma an eighth of the tile (Isensee et al. 2021); float32."""
    weight = np.ones((), np.float64)
    for size in tile:
        x = np.arange(size) - (size - 1) / 2
        weight = weight[..., None] * np.exp(-0.5 * (x / (size / 8)) ** 2)
    # a weight of zero would leave a voxel at a corner of the volume without any
    return np.maximum(weight, 1e-4 * weight.max()).astype(np.float32)


def starts(size: int, tile: int, overlap: float) -> list[int]:
    """First voxels of the tiles along an axis: evenly spread, the last ends at ``size``.

    >>> starts(100, 64, 0.5), starts(50, 64, 0.5)
    ([0, 18, 36], [0])
    """
    if size <= tile:
        return [0]
    steps = int(np.ceil((size - tile) / max(1, int(tile * (1 - overlap)))))
    return [round(i * (size - tile) / steps) for i in range(steps + 1)]


def mirrored(forward: Forward, axes: Sequence[str]) -> Forward:
    """``forward`` averaged over all combinations of mirror images along ``axes`` (letters)."""
    numbers = sorted({AXES.index(a) + 1 for a in axes})

    def average(batch: np.ndarray) -> np.ndarray:
        flips = [f for n in range(len(numbers) + 1) for f in itertools.combinations(numbers, n)]
        flips = [f for f in flips if all(axis < batch.ndim - 1 for axis in f)]
        total: np.ndarray | None = None
        for flip in flips:
            out = forward(np.ascontiguousarray(np.flip(batch, flip)) if flip else batch)
            out = np.flip(out, flip) if flip else out
            total = np.array(out, np.float32) if total is None else total + out
        assert total is not None  # the first flip is none
        return total / np.float32(len(flips))

    return average


def _gather(shape: tuple[int, ...]) -> np.ndarray:
    if int(np.prod(shape)) * 4 <= IN_MEMORY:
        return np.zeros(shape, np.float32)
    with tempfile.NamedTemporaryFile(prefix="refold-", suffix=".dat") as handle:
        # the name vanishes at once, the file with its last user
        return np.memmap(handle, np.float32, "w+", shape=shape)


def probabilities(
    forward: Forward,
    image: np.ndarray,
    labels: int,
    divisor: Sequence[int],
    tile: Sequence[int] | None = None,
    overlap: float = 0.5,
) -> np.ndarray:
    """Label probabilities of one image.

    Args:
        forward: the network; its input's size must be a multiple of ``divisor`` along each axis.
        image: (x, y[, z], channels) float32.
        labels: with the background.
        divisor: product of the network's strides, an axis each.
        tile: size of the tiles, multiples of ``divisor``; None: the whole image at once.
        overlap: share of a tile that neighbours have in common.

    Returns:
        (x, y[, z], labels) float32, summing to 1; in a temporary file when larger than 512 MB.
    """
    shape = image.shape[:-1]
    if tile is None:
        tile = tuple(-(-s // d) * d for s, d in zip(shape, divisor, strict=True))
    padded = tuple(max(s, t) for s, t in zip(shape, tile, strict=True))
    before = tuple((p - s) // 2 for p, s in zip(padded, shape, strict=True))
    corners = list(itertools.product(*(starts(p, t, overlap) for p, t in zip(padded, tile, strict=True))))
    box = np.zeros((1, *tile, image.shape[-1]), np.float32)

    def patch(corner: tuple[int, ...]) -> np.ndarray:
        box[...] = 0
        source = tuple(
            slice(max(0, c - b), min(s, c - b + t)) for c, b, s, t in zip(corner, before, shape, tile, strict=True)
        )
        target = tuple(slice(s.start - c + b, s.stop - c + b) for s, c, b in zip(source, corner, before, strict=True))
        box[0][target] = image[source]
        return box

    inner = tuple(slice(b, b + s) for b, s in zip(before, shape, strict=True))
    if len(corners) == 1:
        return np.ascontiguousarray(forward(patch(corners[0]))[0][inner], np.float32)
    weight = gaussian(tile)[..., None]
    total, weights = _gather((*padded, labels)), np.zeros((*padded, 1), np.float32)
    for corner in corners:
        where = tuple(slice(c, c + t) for c, t in zip(corner, tile, strict=True))
        total[where] += forward(patch(corner))[0] * weight
        weights[where] += weight
    for x in range(padded[0]):
        total[x] /= weights[x]
    return total[inner]


def slices(
    forward: Forward,
    image: np.ndarray,
    labels: int,
    divisor: Sequence[int],
    patch: Sequence[int] = (1, 1),
    batch: int = 8,
) -> np.ndarray:
    """Probabilities of a volume (x, y, z, channels) from a 2-D network, slice by slice across z.

    Args and result as of `probabilities`, ``forward`` and ``divisor`` in two axes.
    """
    size = whole(image.shape[:2], patch, divisor)
    before = [(t - s) // 2 for s, t in zip(image.shape[:2], size, strict=True)]
    pad = [(b, t - s - b) for s, t, b in zip(image.shape[:2], size, before, strict=True)]
    inner = tuple(slice(b, b + s) for s, b in zip(image.shape[:2], before, strict=True))
    out = _gather((*image.shape[:3], labels))
    for z in range(0, image.shape[2], batch):
        stack = np.moveaxis(np.asarray(image[:, :, z : z + batch], np.float32), 2, 0)
        result = forward(np.pad(stack, [(0, 0), *pad, (0, 0)]))[(slice(None), *inner)]
        out[:, :, z : z + batch] = np.moveaxis(result, 0, 2)
    return out


def whole(shape: Sequence[int], patch: Sequence[int], divisor: Sequence[int]) -> tuple[int, ...]:
    """Size of one tile for a whole image: no smaller than the training patch.

    Training surrounds small images with zeros up to the patch. Instance normalisation sees those zeros, so prediction
    must show it as many.
    """
    return tuple(max(p, -(-s // d) * d) for s, p, d in zip(shape, patch, divisor, strict=True))


def tile_size(
    setting: str | Sequence[int], shape: Sequence[int], patch: Sequence[int], divisor: Sequence[int]
) -> tuple[int, ...]:
    """``predict.tile`` for one image, rounded up to ``divisor``; of the `whole` image where that is asked for."""
    if setting == "whole":
        return whole(shape, patch, divisor)
    if setting == "auto":
        if np.prod(shape) <= 2 * np.prod(patch):
            return whole(shape, patch, divisor)
        setting = patch
    sizes = list(map(int, setting))
    if len(sizes) != len(shape):
        raise RefoldError(f"predict.tile: {sizes} has {len(sizes)} axes, the network has {len(shape)}")
    return tuple(-(-t // d) * d for t, d in zip(sizes, divisor, strict=True))
