"""Edges as walls: the watershed of the gradient, flooded from certain voxels."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage
from skimage.segmentation import watershed

from refold.classical import arrays
from refold.classical.seeds import Appearance, best_setting, mixed, seeds
from refold.train.fold import Fold
from refold.train.segmenter import Segmenter

KIND = "watershed"


def flood(channel: np.ndarray, markers: np.ndarray, sigma: float) -> np.ndarray:
    """Label indices (x, y[, z]): each marker floods the smoothed gradient until it meets another (Meyer 1994).

    Args:
        channel: (x, y[, z]) intensities. markers: label index + 1 of the seeds, else 0; without any, all is background.
        sigma: standard deviation in voxels of the Gaussian whose gradient is taken.
    """
    if not markers.any():
        return np.zeros(channel.shape, np.intp)
    edges = ndimage.gaussian_gradient_magnitude(np.asarray(channel, np.float64), sigma)
    return watershed(edges, markers).astype(np.intp) - 1


class WatershedSegmenter(Segmenter):
    """Seeds of every label, the background too, by `Appearance`, then `flood`.

    Of the given sigmas the one with the best Dice on the training cases is kept.

    Attributes after `fit`:
        sigma: the chosen one, in voxels. training_dice: its mean Dice on the training cases, on which it was chosen.
    """

    file = arrays.FILE
    appearance: Appearance  # after `fit` or `load`

    def __init__(self, channel: int, certainty: float, sigmas: Sequence[float]):
        super().__init__()
        self.channel, self.certainty, self.sigmas = channel, certainty, sigmas
        self.sigma = 0.0
        self.training_dice = 0.0

    def fit(self, fold: Fold) -> dict[str, Any]:
        self.appearance = Appearance.learn(fold)

        def prepared(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return image[..., self.channel], seeds(self.appearance.posterior(image), self.certainty)

        cases = ((prepared(fold.image(c)), c.label[...]) for c in fold.training.values())
        self.sigma, self.training_dice, self.score = best_setting(
            self.sigmas, lambda parts, sigma: flood(*parts, sigma), cases, fold.labels, "training cases"
        )
        return {"sigma": self.sigma, "training_dice": round(self.training_dice, 6)}

    def predict_proba(self, image: np.ndarray) -> np.ndarray:
        """(x, y[, z], labels) float32: the basin's label dominates, the rest is the posterior of the seeds."""
        posterior = self.appearance.posterior(image)
        predicted = flood(image[..., self.channel], seeds(posterior, self.certainty), self.sigma)
        return mixed(posterior, predicted)

    def save(self, folder: Path) -> None:
        facts = {"channel": self.channel, "certainty": self.certainty, "sigma": self.sigma}
        arrays.save(folder / self.file, KIND, self.appearance.arrays(), facts)

    def load(self, folder: Path, card: dict[str, Any]) -> None:
        path = folder / self.file
        found, facts = arrays.load(path, KIND)
        self.appearance = Appearance.of(found, path, KIND)
        arrays.need({"channel", "certainty", "sigma"} <= facts.keys(), path, KIND)
        self.channel, self.certainty, self.sigma = facts["channel"], facts["certainty"], facts["sigma"]
