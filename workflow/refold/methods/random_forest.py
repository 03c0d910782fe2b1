"""The random forest."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from refold.core.sections import Predict
from refold.methods.base import About, Segmenter
from refold.methods.voxels import Forested


class RandomForest(Forested):
    """A random forest (Breiman 2001) on what voxels look like: intensity, edges, ridges and blobs, place."""

    references: ClassVar[dict[str, str]] = {"forest": "Breiman L. Random forests. Machine Learning 45, 5-32, 2001."}

    kind: Literal["random_forest"] = Field("random_forest", description="Random forest on voxel features.")

    def create(self, predict: Predict) -> Segmenter:
        from refold.classical.random_forest import RandomForestSegmenter

        return RandomForestSegmenter(self)

    def words(self, about: About) -> str:
        return (
            f"A random forest{about.cite('forest')} of {self.trees} trees of a depth of at most {self.depth} "
            f"classified each voxel by {self.described(about)}."
        )
