"""The Markov random field."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from refold.methods.base import Segmenter
from refold.methods.voxels import Forested
from refold.settings.base import distinct
from refold.settings.predict import Predict

Smoothness = Annotated[float, Field(ge=0, le=1000)]


class GraphCut(Forested):
    """A random forest's probabilities in a Markov random field that likes smooth borders at edges (Boykov 2001)."""

    kind: Literal["graph_cut"] = "graph_cut"
    smoothness: Annotated[list[Smoothness], Field(min_length=1, max_length=20), AfterValidator(distinct)] = Field(
        [0.25, 0.5, 1.0, 2.0]
    )
    contrast: float = Field(0.5, ge=0, le=100)

    def create(self, predict: Predict) -> Segmenter:
        from refold.classical.graph_cut import GraphCutSegmenter

        return GraphCutSegmenter(self.look(), self.trees, self.depth, self.leaf, self.smoothness, self.contrast)
