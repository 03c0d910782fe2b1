"""The mean shape."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from refold.core.language import _
from refold.core.sections import Predict
from refold.methods.base import About, Classical, Segmenter


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

    def words(self, about: About) -> str:
        how = {"image": _("stretched to one size"), "centre": _("laid upon each other by their middles")}[self.align]
        return _(
            "The label maps of the fold's training cases were {how} and averaged on {nodes} points an axis; each voxel "
            "got the label that was most frequent at its place, whatever the image showed.",
            how=how,
            nodes=self.nodes,
        )
