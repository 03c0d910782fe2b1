"""The methods by kind, behind one interface as in scikit-learn: fit, predict_proba, save, load.

A network's module imports TensorFlow; it is therefore imported only when such a method is used.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any, Protocol

import numpy as np

from refold.core.params import Augment, Predict, Threshold, Train, UNet
from refold.train.fold import Fold
from refold.train.threshold import ThresholdSegmenter


class Segmenter(Protocol):
    """A method of segmentation, trained or not."""

    file: str  # name of the model's file in its folder

    def fit(self, fold: Fold) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        """Learn from the fold's training side. Returns facts for the model card and the rows of history.csv."""
        ...

    def predict_proba(self, image: np.ndarray) -> np.ndarray:
        """Label probabilities (x, y[, z], labels) of a normalised image (x, y[, z], channels)."""
        ...

    def save(self, folder: Path) -> None: ...

    def load(self, folder: Path, card: dict[str, Any]) -> None: ...


class _Threshold:
    file = "model.json"

    def __init__(self, settings: Threshold):
        self.settings = settings
        self.model: ThresholdSegmenter | None = None

    def fit(self, fold: Fold) -> tuple[dict[str, Any], list[dict[str, Any]]]:
        self.model = ThresholdSegmenter(self.settings.classes, self.settings.channel, fold.labels)
        self.model.fit((fold.image(s), s.label[...]) for s in fold.training.values())
        fold.warnings.extend(self.model.warnings)
        return {"training_dice": round(self.model.training_dice, 6)}, []

    def predict_proba(self, image: np.ndarray) -> np.ndarray:
        return self.model.predict_proba(image)

    def save(self, folder: Path) -> None:
        self.model.save(folder / self.file)

    def load(self, folder: Path, card: dict[str, Any]) -> None:
        self.model = ThresholdSegmenter.load(folder / self.file)


def create(entry: UNet | Threshold, train: Train, augment: Augment, predict: Predict) -> Segmenter:
    """The untrained method of one entry under ``methods``."""
    if isinstance(entry, Threshold):
        return _Threshold(entry)
    from refold.train.unet import UNetSegmenter

    return UNetSegmenter(entry, train, augment, predict)
