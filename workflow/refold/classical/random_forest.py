"""A random forest on what voxels look like."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from refold.classical import arrays
from refold.classical.features import Sample, features
from refold.classical.forest import Forest
from refold.methods.base import Segmenter
from refold.train.fold import Fold

if TYPE_CHECKING:
    from refold.methods.random_forest import RandomForest

KIND = "random_forest"


class RandomForestSegmenter(Segmenter):
    """Breiman's random forest (2001) of `features`, on a sample of the training voxels."""

    file = arrays.FILE

    def __init__(self, settings: RandomForest):
        super().__init__()
        self.settings = settings
        self.forest: Forest | None = None

    def fit(self, fold: Fold) -> dict[str, Any]:
        s = self.settings
        voxels = Sample.draw(fold, s).of()
        self.forest = Forest.grow(*voxels, fold.labels, s.trees, s.depth, s.leaf, s.seed)
        return {"voxels": len(voxels[0]), "nodes": len(self.forest.feature)}

    def predict_proba(self, image: np.ndarray) -> np.ndarray:
        """(x, y[, z], labels) float32: the mean of the trees' probabilities."""
        p = self.forest.predict(features(image, self.settings.sigmas, self.settings.position))
        return p.reshape(*image.shape[:-1], -1).astype(np.float32)

    def save(self, folder: Path) -> None:
        arrays.save(folder / self.file, KIND, self.forest.arrays(), {})

    def load(self, folder: Path, card: dict[str, Any]) -> None:
        path = folder / self.file
        self.forest = Forest.of(arrays.load(path, KIND)[0], path, KIND)
