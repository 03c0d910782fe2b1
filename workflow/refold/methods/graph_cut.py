"""The Markov random field."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from refold.core.language import _, joined
from refold.core.sections import Predict, distinct
from refold.methods.base import About, Segmenter
from refold.methods.voxels import Forested

Smoothness = Annotated[float, Field(ge=0, le=1000)]


class GraphCut(Forested):
    """A random forest's probabilities in a Markov random field that likes smooth borders at edges (Boykov 2001)."""

    references: ClassVar[dict[str, str]] = {
        "forest": "Breiman L. Random forests. Machine Learning 45, 5-32, 2001.",
        "expansion": "Boykov Y, Veksler O, Zabih R. Fast approximate energy minimization via graph cuts. IEEE TPAMI "
        "23, 1222-1239, 2001.",
        "maxflow": "Boykov Y, Kolmogorov V. An experimental comparison of min-cut/max-flow algorithms for energy "
        "minimization in vision. IEEE TPAMI 26, 1124-1137, 2004.",
    }

    kind: Literal["graph_cut"] = Field("graph_cut", description="Markov random field on a random forest.")
    smoothness: Annotated[list[Smoothness], Field(min_length=1, max_length=20), AfterValidator(distinct)] = Field(
        [0.25, 0.5, 1.0, 2.0], description="Weights of the neighbourhood to try; one is chosen on the training side."
    )
    contrast: float = Field(
        0.5, ge=0, le=100, description="How much less a border costs at an edge of the image; 0: the same everywhere."
    )

    def create(self, predict: Predict) -> Segmenter:
        from refold.classical.graph_cut import GraphCutSegmenter

        return GraphCutSegmenter(self)

    def words(self, about: About) -> str:
        chosen = about.facts.get("smoothness")
        text = _(
            "A random forest{forest} of {trees} trees classified each voxel by {features}; its probabilities entered a "
            "Markov random field with contrast-sensitive Potts terms, solved by expansion moves{expansion} of minimum "
            "cuts{cuts}. The smoothness, of {tried}, was chosen on a quarter of each fold's training patients "
            "and a forest of the others, before one of all of them was grown",
            forest=about.cite("forest"),
            trees=self.trees,
            features=self.described(about),
            expansion=about.cite("expansion"),
            cuts=about.cite("maxflow"),
            tried=joined(f"{s:g}" for s in self.smoothness),
        )
        if chosen is not None:
            text = _("{text} ({smoothness:g} in one of the folds)", text=text, smoothness=chosen)
        return _("{text}.", text=text)
