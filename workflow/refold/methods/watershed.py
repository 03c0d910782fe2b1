"""The watershed."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from refold.core.language import _, joined
from refold.core.sections import Predict, distinct
from refold.methods.base import About, Segmenter
from refold.methods.seeded import Seeded
from refold.methods.voxels import Sigma


class Watershed(Seeded):
    """Edges as walls: a watershed of the gradient (Meyer 1994) from automatic seeds of every label."""

    references: ClassVar[dict[str, str]] = {
        "watershed": "Meyer F. Topographic distance and watershed lines. Signal Processing 38, 113-125, 1994."
    }

    kind: Literal["watershed"] = Field("watershed", description="Edges and watershed from automatic seeds.")
    sigmas: Annotated[list[Sigma], Field(min_length=1, max_length=10), AfterValidator(distinct)] = Field(
        [0.5, 1.0, 2.0],
        description="Standard deviations in voxels of the Gaussian whose gradient is flooded, to try; one is chosen on "
        "the training cases.",
    )

    def create(self, predict: Predict) -> Segmenter:
        from refold.classical.watershed import WatershedSegmenter

        return WatershedSegmenter(self.channel, self.certainty, self.sigmas)

    def words(self, about: About) -> str:
        return _(
            "{seeds}, the background included. From them the gradient magnitude of channel {channel} was flooded by a "
            "watershed{cite}; the Gaussian's standard deviation, of {tried} voxels, was chosen on the fold's training "
            "cases.",
            seeds=self.described(about),
            channel=about.channel(self.channel),
            cite=about.cite("watershed"),
            tried=joined(f"{s:g}" for s in self.sigmas),
        )
