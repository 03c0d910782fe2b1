"""Where a label surely is: a naive Bayes classifier of intensity and place, and the voxels of which it is certain."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import TypeVar

import numpy as np
from scipy import ndimage

from refold.classical import arrays
from refold.classical.prior import Place
from refold.train.fold import Fold
from refold.train.score import Score

BINS = 64
# of the histograms, by normalisation; what lies beyond falls into the outer bins
LIMITS = {"zscore": (-4.0, 4.0), "ct": (-4.0, 4.0), "minmax": (0.0, 1.0)}
PERCENTILES = (0.5, 99.5)  # of each training case, where intensities are as they come
NODES = 24
Given = TypeVar("Given")  # what a prediction is made from


class Appearance:
    """p(label) of a voxel by its place and, independently, the histogram of each channel.

    Attributes:
        place: where the labels lie, stretched to each image.
        histograms: (labels, channels, BINS) share of the label's training voxels in each bin of intensity, smoothed
            over neighbouring bins and never 0.
        limits: (channels, 2) float32, lowest and highest intensity of the bins; what lies beyond is in the outer ones.
    """

    def __init__(self, place: Place, histograms: np.ndarray, limits: np.ndarray):
        self.place, self.histograms, self.limits = place, histograms, limits

    @classmethod
    def learn(cls, fold: Fold) -> Appearance:
        limits = _limits(fold)
        counts = np.zeros((fold.labels, len(limits), BINS))
        for case in fold.training.values():
            label = case.label[...].ravel().astype(np.intp)
            bins = _bins(fold.image(case), limits).reshape(len(label), -1)
            for c in range(bins.shape[1]):
                flat = np.bincount(label * BINS + bins[:, c], minlength=fold.labels * BINS)
                counts[:, c] += flat[: fold.labels * BINS].reshape(fold.labels, BINS)
        smooth = ndimage.gaussian_filter1d(counts, 1.0, axis=-1, mode="nearest")
        smooth += 1e-4 * smooth.sum(-1, keepdims=True) + 1e-9
        histograms = (smooth / smooth.sum(-1, keepdims=True)).astype(np.float32)
        labels = (case.label[...] for case in fold.training.values())
        return cls(Place.learn(labels, fold.labels, NODES, "image"), histograms, limits)

    def posterior(self, image: np.ndarray) -> np.ndarray:
        """(x, y[, z], labels) float64, summing to 1, of a normalised image (x, y[, z], channels)."""
        p = self.place.probabilities(image.shape[:-1])
        bins = _bins(image, self.limits)
        for c in range(image.shape[-1]):
            # by label first: a gather along the last axis
            p *= np.moveaxis(self.histograms[:, c][:, bins[..., c]], 0, -1)
        total = p.sum(-1, keepdims=True)
        p[..., :1] += total == 0  # nothing speaks for any label
        return p / np.where(total == 0, 1, total)

    def arrays(self) -> dict[str, np.ndarray]:
        return {"place": self.place.grid, "histograms": self.histograms, "limits": self.limits}

    @classmethod
    def of(cls, found: dict[str, np.ndarray], path: Path, kind: str) -> Appearance:
        """From what `arrays` gave. Raises `RefoldError` where the arrays do not fit together."""
        fits = {"place", "histograms", "limits"} <= found.keys()
        fits = fits and found["place"].shape[-1] == found["histograms"].shape[0]
        fits = fits and found["limits"].shape == (found["histograms"].shape[1], 2)
        arrays.need(fits, path, kind)
        return cls(Place(found["place"], None), found["histograms"], found["limits"])


def _limits(fold: Fold) -> np.ndarray:
    """(channels, 2) float32: fixed where the normalisation gives a scale, else from the training cases."""
    given = [LIMITS.get(mode) for mode in fold.statistics.modes]
    if None in given:
        spans = [
            np.percentile(fold.image(case), PERCENTILES, axis=tuple(range(fold.description.dimension)))
            for case in fold.training.values()
        ]
        low, high = np.min(spans, axis=0)[0], np.max(spans, axis=0)[1]
        high = np.where(high > low, high, low + 1)
        given = [pair or (low[c], high[c]) for c, pair in enumerate(given)]
    return np.array(given, np.float32)


def _bins(image: np.ndarray, limits: np.ndarray) -> np.ndarray:
    low, high = limits[:, 0], limits[:, 1]
    return np.clip(((image - low) * (BINS / (high - low))).astype(np.intp), 0, BINS - 1)


def seeds(posterior: np.ndarray, certainty: float) -> np.ndarray:
    """Label index + 1 of each voxel whose posterior is ``certainty`` or more, else 0; at least one voxel a label.

    A label of which no voxel is certain gets its most probable one, if that is more probable than not. The background
    too: where it had no seed, whatever floods from the others would leave none of it.

    Args:
        posterior: (x, y[, z], labels). certainty: over 0.5, so that no voxel has two labels.
    """
    found = np.where(posterior.max(-1) >= certainty, posterior.argmax(-1) + 1, 0)
    for label in range(posterior.shape[-1]):
        if not (found == label + 1).any():
            best = np.unravel_index(posterior[..., label].argmax(), found.shape)
            if posterior[(*best, label)] > 0.5:
                found[best] = label + 1
    return found


def label_dice(predicted: np.ndarray, truth: np.ndarray, labels: int) -> list[float]:
    """Dice of each foreground label; one that is in neither is left out."""
    scores = []
    for label in range(1, labels):
        a, t = predicted == label, truth == label
        if total := int(a.sum()) + int(t.sum()):
            scores.append(2 * int((a & t).sum()) / total)
    return scores


def best_setting(
    values: Sequence[float],
    predict: Callable[[Given, float], np.ndarray],
    cases: Iterable[tuple[Given, np.ndarray]],
    labels: int,
    where: str,
) -> tuple[float, float, Score]:
    """Of ``values`` the one with the best mean Dice over cases and foreground labels, that, its score.

    Of equals the smallest; a label that is neither in a case nor in its prediction is left out.

    Args:
        predict: label indices from what is given of a case, and a value. cases: (what is given, truth), one at a time:
            whole volumes of all of them need not be in memory. where: what the cases are, in the plural.
    """  # fmt: skip
    scores: dict[float, list[float]] = {v: [] for v in values}
    whole = {v: Score(where) for v in values}
    for given, truth in cases:
        for v in values:
            indices = predict(given, v)
            scores[v] += label_dice(indices, truth, labels)
            whole[v].compare(indices, truth, labels)
    dice, negative = max((float(np.mean(found)) if found else 0.0, -v) for v, found in scores.items())
    return -negative, dice, whole[-negative]


def mixed(posterior: np.ndarray, predicted: np.ndarray) -> np.ndarray:
    """Probabilities of which ``predicted`` is the largest: the mean of the posterior and the decided label; float32."""
    return ((posterior + np.eye(posterior.shape[-1])[predicted]) / 2).astype(np.float32)
