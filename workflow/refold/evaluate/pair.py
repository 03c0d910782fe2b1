"""One label of one case: truth and prediction, and what several metrics need of them, worked out once."""

from __future__ import annotations

import math
from collections.abc import Iterator
from functools import cached_property

import numpy as np
from scipy.ndimage import find_objects

from refold.core.errors import RefoldError
from refold.evaluate.surfaces import Distances, distances

Box = tuple[slice, ...]


def _union(a: Box | None, b: Box | None) -> Box | None:
    if a is None or b is None:
        return a or b
    return tuple(slice(min(p.start, q.start), max(p.stop, q.stop)) for p, q in zip(a, b, strict=True))


class Pair:
    """Truth and prediction of one label.

    Attributes:
        tp, fp, fn, tn: voxel counts of the confusion table, over the whole image.
        shape: voxels of the whole image (x, y[, z]).
        spacing: mm along each axis.
        tolerance: of the normalised surface distance, in mm.
    """

    def __init__(
        self,
        truth: np.ndarray,
        prediction: np.ndarray,
        spacing: tuple[float, ...],
        tolerance: float = 1.0,
        shape: tuple[int, ...] | None = None,
    ):
        """Args: truth, prediction: (x, y[, z]) bool, whole or cropped alike to a box that holds both masks.

        shape: of the whole image where the masks are cropped.

        Raises:
            RefoldError: shapes differ, or are not those of a 2-D or 3-D image.
        """
        if truth.shape != prediction.shape:
            raise RefoldError(f"truth has shape {truth.shape}, prediction {prediction.shape}; they must be equal")
        if truth.ndim not in (2, 3) or len(spacing) != truth.ndim:
            raise RefoldError(f"masks of {truth.ndim} axes with {len(spacing)} spacings; 2 or 3 of both are wanted")
        self.shape = truth.shape if shape is None else tuple(shape)
        if shape is None:
            box = next(iter(find_objects((truth | prediction).view(np.uint8))), None)
            box = box or (slice(0, 0),) * truth.ndim
            truth, prediction = truth[box], prediction[box]
        self._truth, self._prediction = truth, prediction
        self.spacing = tuple(map(float, spacing))
        self.tolerance = tolerance
        self.tp = int(np.count_nonzero(truth & prediction))
        self.fn = int(np.count_nonzero(truth)) - self.tp
        self.fp = int(np.count_nonzero(prediction)) - self.tp
        self.tn = math.prod(self.shape) - self.tp - self.fn - self.fp

    @property
    def truth_empty(self) -> bool:
        return self.tp + self.fn == 0

    @property
    def prediction_empty(self) -> bool:
        return self.tp + self.fp == 0

    @property
    def state(self) -> str:
        """``both_empty``, ``false_positive`` (truth alone empty), ``missed`` (prediction alone empty) or ``found``."""
        if self.truth_empty:
            return "both_empty" if self.prediction_empty else "false_positive"
        return "missed" if self.prediction_empty else "found"

    @property
    def diagonal(self) -> float:
        """Diagonal of the whole image in mm, outer voxel edges included."""
        return math.hypot(*(n * s for n, s in zip(self.shape, self.spacing, strict=True)))

    @cached_property
    def distances(self) -> tuple[Distances, Distances]:
        """From truth to prediction and back. Neither mask may be empty."""
        return distances(self._truth, self._prediction, self.spacing)


def pairs(
    truth: np.ndarray, prediction: np.ndarray, labels: int, spacing: tuple[float, ...], tolerance: float
) -> Iterator[Pair]:
    """The pairs of labels 1 to ``labels - 1``, each cropped to the box of both masks.

    Args:
        truth, prediction: (x, y[, z]) label maps of indices, uint8.
        labels: number of labels, background included.
    """
    if truth.shape != prediction.shape:
        raise RefoldError(f"truth has shape {truth.shape}, prediction {prediction.shape}; they must be equal")
    boxes = [find_objects(m, max_label=labels - 1) for m in (truth, prediction)]
    for label in range(1, labels):
        box = _union(boxes[0][label - 1], boxes[1][label - 1]) or (slice(0, 0),) * truth.ndim
        yield Pair(truth[box] == label, prediction[box] == label, spacing, tolerance, truth.shape)
