"""The mean shape."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from refold.methods.base import Classical, Segmenter
from refold.settings.predict import Predict


class Atlas(Classical):
    """The mean of the training labels at each place, whatever the image shows: what every method must beat."""

    file: ClassVar[str] = "model.npz"

    kind: Literal["atlas"] = Field("atlas", description="Mean shape of the training labels.")
    nodes: int = Field(48, ge=4, le=256, description="Points of the atlas along each axis.")
    align: Literal["image", "centre"] = Field(
        "image",
        description="`image`: images are stretched to one size; `centre`: laid upon each other by their middles.",
    )

    def create(self, predict: Predict) -> Segmenter:
        from refold.classical.atlas import AtlasSegmenter

        return AtlasSegmenter(self.nodes, self.align)
