"""The mean shape."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from refold.methods.base import Classical, Segmenter
from refold.settings.predict import Predict


class Atlas(Classical):
    """The mean of the training labels at each place, whatever the image shows: what every method must beat."""

    file: ClassVar[str] = "model.npz"

    kind: Literal["atlas"] = "atlas"
    nodes: int = Field(48, ge=4, le=256)
    align: Literal["image", "centre"] = "image"

    def create(self, predict: Predict) -> Segmenter:
        from refold.classical.atlas import AtlasSegmenter

        return AtlasSegmenter(self.nodes, self.align)
