"""The watershed."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from refold.methods.base import Segmenter
from refold.methods.seeded import Seeded
from refold.methods.voxels import Sigma
from refold.settings.base import distinct
from refold.settings.predict import Predict


class Watershed(Seeded):
    """Edges as walls: a watershed of the gradient (Meyer 1994) from automatic seeds of every label."""

    kind: Literal["watershed"] = "watershed"
    sigmas: Annotated[list[Sigma], Field(min_length=1, max_length=10), AfterValidator(distinct)] = Field(
        [0.5, 1.0, 2.0]
    )

    def create(self, predict: Predict) -> Segmenter:
        from refold.classical.watershed import WatershedSegmenter

        return WatershedSegmenter(self.channel, self.certainty, self.sigmas)
