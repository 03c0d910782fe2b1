"""The mean shape of the training labels as a prediction: what can be known without looking at the image."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from refold.classical import arrays
from refold.classical.prior import Align, Place
from refold.train.fold import Fold
from refold.train.segmenter import Segmenter

KIND = "atlas"


class AtlasSegmenter(Segmenter):
    """The probability of each label at each place, from the training labels; the image gives its size alone."""

    file = arrays.FILE
    place: Place  # after `fit` or `load`

    def __init__(self, nodes: int, align: Align):
        super().__init__()
        self.nodes, self.align = nodes, align

    def fit(self, fold: Fold) -> dict[str, Any]:
        labels = (case.label[...] for case in fold.training.values())
        self.place = Place.learn(labels, fold.labels, self.nodes, self.align)
        return {}

    def predict_proba(self, image: np.ndarray) -> np.ndarray:
        """(x, y[, z], labels) float32 for an image (x, y[, z], channels), of which only the shape counts."""
        return self.place.probabilities(image.shape[:-1]).astype(np.float32)

    def save(self, folder: Path) -> None:
        size = list(self.place.size) if self.place.size else None
        arrays.save(folder / self.file, KIND, {"grid": self.place.grid}, {"size": size})

    def load(self, folder: Path, card: dict[str, Any]) -> None:
        path = folder / self.file
        found, facts = arrays.load(path, KIND)
        arrays.need("grid" in found and "size" in facts, path, KIND)
        self.place = Place(found["grid"], tuple(facts["size"]) if facts["size"] else None)
