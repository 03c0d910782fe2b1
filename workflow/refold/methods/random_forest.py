"""The random forest."""

from __future__ import annotations

from typing import Literal

from refold.methods.base import Segmenter
from refold.methods.voxels import Forested
from refold.settings.predict import Predict


class RandomForest(Forested):
    """A random forest (Breiman 2001) on what voxels look like: intensity, edges, ridges and blobs, place."""

    kind: Literal["random_forest"] = "random_forest"

    def create(self, predict: Predict) -> Segmenter:
        from refold.classical.random_forest import RandomForestSegmenter

        return RandomForestSegmenter(self.look(), self.trees, self.depth, self.leaf)
