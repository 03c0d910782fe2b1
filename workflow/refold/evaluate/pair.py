"""One label or region of one case: truth and prediction, and what several metrics need of them, worked out once."""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from functools import cached_property, reduce

import numpy as np
from scipy.ndimage import find_objects

from refold.core.errors import RefoldError
from refold.evaluate.lesions import Matched, match
from refold.evaluate.structures import Structure
from refold.evaluate.surfaces import Distances, distances
from refold.evaluate.uncertainty import Histograms
from refold.imaging.grid import spatial, squeezed
from refold.imaging.images import STEPS

Box = tuple[slice, ...]


def _union(a: Box | None, b: Box | None) -> Box | None:
    if a is None or b is None:
        return a or b
    return tuple(slice(min(p.start, q.start), max(p.stop, q.stop)) for p, q in zip(a, b, strict=True))


class Pair:
    """Truth and prediction of one label or region.

    Attributes:
        tp, fp, fn, tn: voxel counts of the confusion table, over the whole image.
        shape: voxels of the whole image (x, y[, z]).
        spacing: mm along each axis.
        tolerance: of the normalised surface distance, in mm.
        lesion_iou: least IoU of two components that are the same lesion; None: components are not counted.
        uncertainty: histograms of the probability; None: it is not known.
    """

    def __init__(
        self,
        truth: np.ndarray,
        prediction: np.ndarray,
        spacing: tuple[float, ...],
        tolerance: float = 1.0,
        shape: tuple[int, ...] | None = None,
        lesion_iou: float | None = None,
        uncertainty: Histograms | None = None,
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
        self.lesion_iou = lesion_iou
        self.uncertainty = uncertainty
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
        """Diagonal of the whole image in mm, outer voxel edges included; of a single slice, that within it."""
        return math.hypot(*(self.shape[a] * self.spacing[a] for a in spatial(self.shape)))

    @cached_property
    def distances(self) -> tuple[Distances, Distances]:
        """From truth to prediction and back. Neither mask may be empty.

        A single slice has no surface on its faces: contours are compared within it, as of a picture.
        """
        truth, prediction = (squeezed(m, self.shape) for m in (self._truth, self._prediction))
        return distances(truth, prediction, tuple(self.spacing[a] for a in spatial(self.shape)))

    @cached_property
    def lesions(self) -> Matched:
        """Connected components, matched. `lesion_iou` may not be None."""
        assert self.lesion_iou is not None
        return match(self._truth, self._prediction, self.lesion_iou)

    @property
    def voxel(self) -> float:
        """Volume of a voxel in ml; in 2-D its area in mm²."""
        return math.prod(self.spacing) / (1000 if len(self.shape) == 3 else 1)


def pairs(
    truth: np.ndarray,
    prediction: np.ndarray,
    structures: Sequence[Structure],
    spacing: tuple[float, ...],
    tolerance: float,
    lesion_iou: float = 0.5,
    probabilities: np.ndarray | None = None,
    margin: float = 5.0,
) -> Iterator[Pair]:
    """The pairs of all structures, each cropped to the box of both masks.

    Args:
        truth, prediction: (x, y[, z]) label maps of indices, uint8.
        lesion_iou: for the structures whose components are counted.
        probabilities: (x, y[, z], foreground labels) uint8 in 255ths, if they are known.
        margin: mm about the truth in which probabilities are judged; the same voxels whatever was predicted.
    """
    if truth.shape != prediction.shape:
        raise RefoldError(f"truth has shape {truth.shape}, prediction {prediction.shape}; they must be equal")
    most = max(i for structure in structures for i in structure.labels)
    found = [find_objects(m, max_label=most) for m in (truth, prediction)]
    boxes = [_union(*both) for both in zip(*found, strict=True)]
    wide = [math.ceil(margin / s) for s in spacing]
    for structure in structures:
        box = reduce(_union, (boxes[i - 1] for i in structure.labels))
        wanted = np.zeros(256, bool)
        wanted[list(structure.labels)] = True
        uncertainty = None
        if probabilities is not None:
            own = reduce(_union, (found[0][i - 1] for i in structure.labels))
            about = own and tuple(slice(max(0, b.start - w), b.stop + w) for b, w in zip(own, wide, strict=True))
            uncertainty = Histograms.of(
                _sum(probabilities, structure.labels), about, wanted[truth[about]] if about else None
            )
        box = box or (slice(0, 0),) * truth.ndim
        yield Pair(
            wanted[truth[box]], wanted[prediction[box]], spacing, tolerance, truth.shape,
            lesion_iou if structure.lesions else None, uncertainty,
        )  # fmt: skip


def _sum(probabilities: np.ndarray, labels: Sequence[int]) -> np.ndarray:
    """The probability of a union of labels, (x, y[, z]) uint8."""
    total = probabilities[..., labels[0] - 1]
    for label in labels[1:]:
        other = probabilities[..., label - 1]
        total = total + np.minimum(other, STEPS - total)  # rounded one by one, they may add up to more than 1
    return total
