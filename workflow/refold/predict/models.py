"""The fitted models that predict for a method, and the mean of their predictions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from refold.imaging import intensity
from refold.imaging.intensity import Statistics
from refold.train.segmenter import Segmenter


@dataclass
class Model:
    """One fitted model among those that predict: its method, how it normalises, and the channels that it must miss."""

    method: str
    segmenter: Segmenter
    statistics: Statistics
    card: dict[str, Any]
    missing: frozenset[int]

    def probabilities(self, image: np.ndarray) -> np.ndarray:
        """(x, y[, z], labels) float32 of a stored image (x, y[, z], channels)."""
        normalised = intensity.apply(image, self.statistics)
        if self.missing:
            normalised = np.array(normalised)
            normalised[..., sorted(self.missing)] = 0
        return self.segmenter.predict_proba(normalised)


def mean_probabilities(models: list[Model], image: np.ndarray) -> np.ndarray:
    """The mean of the models' probabilities (x, y[, z], labels) float32 for a stored image."""
    first, *others = models
    total = first.probabilities(image)
    for model in others:
        # in place: a large volume's probabilities may lie in a file
        np.add(total, model.probabilities(image), out=total)
    if others:
        total /= np.float32(len(models))
    return total
