"""Region growing."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from refold.core.language import _, joined
from refold.core.sections import Predict, distinct
from refold.methods.base import About, Segmenter
from refold.methods.seeded import Seeded


class RegionGrowing(Seeded):
    """Regions grown from automatic seeds over connected voxels of like intensity (Adams 1994)."""

    references: ClassVar[dict[str, str]] = {
        "growing": "Adams R, Bischof L. Seeded region growing. IEEE TPAMI 16, 641-647, 1994."
    }

    kind: Literal["region_growing"] = Field("region_growing", description="Regions grown from automatic seeds.")
    tolerances: Annotated[
        list[Annotated[float, Field(gt=0, le=100)]], Field(min_length=1, max_length=20), AfterValidator(distinct)
    ] = Field(
        [1.0, 1.5, 2.0, 3.0],
        description="Distances from the seeds' mean, in their standard deviations, to try; one is chosen on the "
        "training cases.",
    )

    def create(self, predict: Predict) -> Segmenter:
        from refold.classical.region_growing import RegionGrowingSegmenter

        return RegionGrowingSegmenter(self.channel, self.certainty, self.tolerances)

    def words(self, about: About) -> str:
        return _(
            "{seeds}. From them regions grew{cite} over connected voxels whose intensity in channel {channel} lay "
            "within a number of standard deviations of the seeds' mean; the number, of {tried}, was chosen on the "
            "fold's training cases.",
            seeds=self.described(about),
            cite=about.cite("growing"),
            channel=about.channel(self.channel),
            tried=joined(f"{t:g}" for t in self.tolerances),
        )
