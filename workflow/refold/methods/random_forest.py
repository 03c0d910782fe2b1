"""The random forest."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from refold.core.language import _
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
        return _(
            "A random forest{cite} of {trees} trees of a depth of at most {depth} classified each voxel by {features}.",
            cite=about.cite("forest"),
            trees=self.trees,
            depth=self.depth,
            features=self.described(about),
        )
