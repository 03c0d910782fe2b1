"""Where each label lies: the mean of the training labels on a grid over the image."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from scipy import ndimage

Align = Literal["image", "centre"]


def _coordinates(shape: Sequence[int], size: Sequence[float], nodes: int) -> list[np.ndarray]:
    """For each axis the place of the voxels' centres on a grid of ``nodes`` that covers ``size`` about the middle."""
    return [((np.arange(n) - (n - 1) / 2) / s + 0.5) * nodes - 0.5 for n, s in zip(shape, size, strict=True)]


def _at(grid: np.ndarray, coordinates: Sequence[np.ndarray], outside: str) -> np.ndarray:
    """Linear interpolation at all combinations of ``coordinates``; ``outside``: scipy's mode."""
    points = np.meshgrid(*coordinates, indexing="ij")
    return ndimage.map_coordinates(grid, points, np.float64, order=1, mode=outside)


@dataclass
class Place:
    """The probability of each label at each place.

    Attributes:
        grid: (nodes, nodes[, nodes], labels) float32, background first, summing to 1.
        size: voxels an axis that the grid covers about an image's middle; None: each image's own, whatever it is.
    """

    grid: np.ndarray
    size: tuple[float, ...] | None

    @classmethod
    def learn(cls, labels: Iterable[np.ndarray], count: int, nodes: int, align: Align) -> Place:
        """From label indices (x, y[, z]) of several cases, ``count`` labels with the background.

        Args:
            align: ``image``: each image is stretched to the grid; ``centre``: images are laid upon each other by their
                middles, voxel by voxel, and the grid covers the largest.
        """
        cases = list(labels)
        size = None
        if align == "centre":
            size = tuple(float(max(sides)) for sides in zip(*(c.shape for c in cases), strict=True))
        total = np.zeros(((nodes,) * cases[0].ndim + (count,)), np.float64)
        for case in cases:
            cover = size or case.shape
            # the nodes as voxels of this case
            at = [
                ((np.arange(nodes) + 0.5) / nodes - 0.5) * s + (n - 1) / 2
                for n, s in zip(case.shape, cover, strict=True)
            ]
            inside = np.zeros((nodes,) * case.ndim)
            for label in range(1, count):
                share = _at((case == label).astype(np.float32), at, "grid-constant" if size else "nearest")
                total[..., label] += share
                inside += share
            total[..., 0] += 1 - inside
        return cls((total / len(cases)).astype(np.float32), size)

    def probabilities(self, shape: Sequence[int]) -> np.ndarray:
        """(x, y[, z], labels) float64 for an image of ``shape``, summing to 1."""
        nodes = self.grid.shape[0]
        at = _coordinates(shape, self.size or shape, nodes)
        out = np.stack([_at(self.grid[..., i], at, "nearest") for i in range(self.grid.shape[-1])], -1)
        return out / out.sum(-1, keepdims=True)
