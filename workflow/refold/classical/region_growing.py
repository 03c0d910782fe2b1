"""Regions grown from certain voxels over neighbours of like intensity."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from refold.classical import arrays
from refold.classical.seeds import Appearance, best_setting, mixed, seeds
from refold.train.fold import Fold
from refold.train.segmenter import Segmenter

KIND = "region_growing"


def grow(
    channel: np.ndarray, markers: np.ndarray, allowed: np.ndarray, posterior: np.ndarray, tolerance: float
) -> np.ndarray:
    """Label indices (x, y[, z]) of the regions.

    A region holds the voxels that are connected with a seed of its label by faces over voxels whose intensity differs
    from the mean of all seeds of that label by at most ``tolerance`` standard deviations of the seeds. A voxel reached
    by two labels goes to the more probable one.

    Args:
        channel: (x, y[, z]) intensities. markers: label index + 1 of the seeds, else 0. allowed: (x, y[, z], labels)
            where a region may be. posterior: (x, y[, z], labels), to decide between labels.
    """
    predicted, best = np.zeros(channel.shape, np.intp), np.zeros(channel.shape)
    least = 1e-3 * float(channel.std())  # seeds of one intensity have a spread too, whatever the unit
    for label in range(1, posterior.shape[-1]):
        mine = markers == label + 1
        if not mine.any():
            continue
        values = channel[mine]
        spread = max(float(values.std()), least)
        like = (np.abs(channel - values.mean()) <= tolerance * spread) & allowed[..., label]
        components, _ = ndimage.label((like & (markers == 0)) | mine)
        reached = np.isin(components, np.unique(components[mine])) & (posterior[..., label] >= best)
        predicted[reached], best[reached] = label, posterior[..., label][reached]
    return predicted


class RegionGrowingSegmenter(Segmenter):
    """Seeds by `Appearance`, then `grow`; of the given tolerances the one with the best Dice on the training cases.

    Attributes after `fit`:
        tolerance: the chosen one.
        training_dice: its mean Dice on the training cases, on which it was chosen.
    """

    file = arrays.FILE
    appearance: Appearance  # after `fit` or `load`

    def __init__(self, channel: int, certainty: float, tolerances: Sequence[float]):
        super().__init__()
        self.channel, self.certainty, self.tolerances = channel, certainty, tolerances
        self.tolerance = 0.0
        self.training_dice = 0.0

    def fit(self, fold: Fold) -> dict[str, Any]:
        self.appearance = Appearance.learn(fold)
        cases = ((self._prepared(fold.image(c)), c.label[...]) for c in fold.training.values())
        self.tolerance, self.training_dice, self.score = best_setting(
            self.tolerances, lambda parts, tolerance: grow(*parts, tolerance), cases, fold.labels, "training cases"
        )
        return {"tolerance": self.tolerance, "training_dice": round(self.training_dice, 6)}

    def _prepared(self, image: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        posterior = self.appearance.posterior(image)
        # where no training case had the label nearby, a leak has begun
        allowed = self.appearance.place.probabilities(image.shape[:-1]) > 0
        return image[..., self.channel], seeds(posterior, self.certainty), allowed, posterior

    def predict_proba(self, image: np.ndarray) -> np.ndarray:
        """(x, y[, z], labels) float32: the region's label dominates, the rest is the posterior of the seeds."""
        parts = self._prepared(image)
        return mixed(parts[-1], grow(*parts, self.tolerance))

    def save(self, folder: Path) -> None:
        facts = {"channel": self.channel, "certainty": self.certainty, "tolerance": self.tolerance}
        arrays.save(folder / self.file, KIND, self.appearance.arrays(), facts)

    def load(self, folder: Path, card: dict[str, Any]) -> None:
        path = folder / self.file
        found, facts = arrays.load(path, KIND)
        self.appearance = Appearance.of(found, path, KIND)
        arrays.need({"channel", "certainty", "tolerance"} <= facts.keys(), path, KIND)
        self.channel, self.certainty, self.tolerance = facts["channel"], facts["certainty"], facts["tolerance"]
