"""A random forest on what voxels look like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from refold.classical import arrays
from refold.classical.features import Look, Sample
from refold.classical.forest import Forest
from refold.train.fold import Fold
from refold.train.segmenter import Segmenter

KIND = "random_forest"


class RandomForestSegmenter(Segmenter):
    """Breiman's random forest (2001) of `features`, on a sample of the training voxels."""

    file = arrays.FILE
    forest: Forest  # after `fit` or `load`

    def __init__(self, look: Look | None = None, trees: int = 30, depth: int = 12, leaf: int = 5):
        """``look``: the voxels and their features. trees, depth, leaf: see `Forest.grow`."""
        super().__init__()
        self.look, self.trees, self.depth, self.leaf = look or Look(), trees, depth, leaf

    def fit(self, fold: Fold) -> dict[str, Any]:
        voxels = Sample.draw(fold, self.look).of()
        self.forest = Forest.grow(*voxels, fold.labels, self.trees, self.depth, self.leaf, self.look.seed)
        return {"voxels": len(voxels[0]), "nodes": len(self.forest.feature)}

    def predict_proba(self, image: np.ndarray) -> np.ndarray:
        """(x, y[, z], labels) float32: the mean of the trees' probabilities."""
        p = self.forest.predict(self.look.features(image))
        return p.reshape(*image.shape[:-1], -1).astype(np.float32)

    def save(self, folder: Path) -> None:
        arrays.save(folder / self.file, KIND, self.forest.arrays(), {})

    def load(self, folder: Path, card: dict[str, Any]) -> None:
        path = folder / self.file
        self.forest = Forest.of(arrays.load(path, KIND)[0], path, KIND)
