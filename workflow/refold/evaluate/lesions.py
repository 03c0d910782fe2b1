"""Lesions, which are connected components, of truth and prediction, and which of them are the same lesion."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from scipy.optimize import linear_sum_assignment


@dataclass(frozen=True)
class Matched:
    """Components of two masks. truth, prediction: how many there are. iou: (n,) of the n matched pairs, largest first.

    truth_voxels, prediction_voxels: of each component; truth_iou, prediction_iou: with its partner, 0 without one: it
    was missed, or is a false positive.
    """

    truth: int
    prediction: int
    iou: np.ndarray
    truth_voxels: np.ndarray
    truth_iou: np.ndarray
    prediction_voxels: np.ndarray
    prediction_iou: np.ndarray


def match(truth: np.ndarray, prediction: np.ndarray, threshold: float) -> Matched:
    """Match components one to one, so that their IoU add up to the most; pairs under the threshold are none.

    Components are joined by faces, edges and corners. From a threshold of 0.5 on there is only one way to match
    (Kirillov et al. 2019); below it the assignment problem is solved (Kuhn 1955), as panoptica does.

    Args:
        truth, prediction: (x, y[, z]) bool of the same shape.
        threshold: least IoU of a pair, over 0.

    >>> truth, prediction = np.zeros((2, 8, 8), bool)
    >>> truth[:2, :2] = truth[6:, 6:] = prediction[:2, 0] = True  # half of one lesion is found, nothing of the other
    >>> matched = match(truth, prediction, 0.1)
    >>> matched.truth, matched.prediction, matched.iou
    (2, 1, array([0.5]))
    """
    neighbours = np.ones((3,) * truth.ndim)
    (first, n), (second, m) = (ndimage.label(mask, neighbours) for mask in (truth, prediction))
    both = truth & prediction
    pairs, common = np.unique(np.stack([first[both], second[both]]), axis=1, return_counts=True)
    sizes = [np.bincount(x.ravel(), minlength=k + 1) for x, k in ((first, n), (second, m))]
    iou = common / (sizes[0][pairs[0]] + sizes[1][pairs[1]] - common)
    enough = iou >= threshold
    (rows, row), (columns, column) = (np.unique(p[enough], return_inverse=True) for p in pairs)
    table = np.zeros((len(rows), len(columns)))
    table[row, column] = iou[enough]
    chosen = linear_sum_assignment(table, maximize=True)
    values = table[chosen]
    each = [np.zeros(k) for k in (n, m)]
    for side, names, picked in zip(each, (rows, columns), chosen, strict=True):
        side[names[picked] - 1] = values
    voxels = [s[1:] for s in sizes]
    return Matched(n, m, np.sort(values[values > 0])[::-1], voxels[0], each[0], voxels[1], each[1])
