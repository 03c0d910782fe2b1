"""Region growing."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from refold.methods.base import Segmenter
from refold.methods.seeded import Seeded
from refold.settings.base import distinct
from refold.settings.predict import Predict


class RegionGrowing(Seeded):
    """Regions grown from automatic seeds over connected voxels of like intensity (Adams 1994)."""

    kind: Literal["region_growing"] = "region_growing"
    tolerances: Annotated[
        list[Annotated[float, Field(gt=0, le=100)]], Field(min_length=1, max_length=20), AfterValidator(distinct)
    ] = Field([1.0, 1.5, 2.0, 3.0])

    def create(self, predict: Predict) -> Segmenter:
        from refold.classical.region_growing import RegionGrowingSegmenter

        return RegionGrowingSegmenter(self.channel, self.certainty, self.tolerances)
