"""DeepLabV3+."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from refold.core.language import N_, _, joined
from refold.core.sections import distinct
from refold.methods.base import About
from refold.methods.network import Problem, Staged


class DeepLab(Staged):
    """DeepLabV3+ (Chen 2018): convolutions of several dilations side by side see several scales at once."""

    title: ClassVar[str] = N_("DeepLabV3+")
    references: ClassVar[dict[str, str]] = {
        "deeplab": "Chen L-C, Zhu Y, Papandreou G, Schroff F, Adam H. Encoder-decoder with atrous separable "
        "convolution for semantic image segmentation. ECCV 2018."
    }
    sources: ClassVar[tuple[str, ...]] = ("deeplab",)
    fewest_stages: ClassVar[int] = 3

    kind: Literal["deeplab"] = Field("deeplab", description="DeepLabV3+.")
    stages: Annotated[int, Field(ge=3, le=6)] = Field(3, description="Resolutions of the encoder.")
    dilations: Annotated[
        list[Annotated[int, Field(ge=1, le=64)]], Field(min_length=1, max_length=8), AfterValidator(distinct)
    ] = Field([1, 2, 4], description="Steps between the taps of the pyramid's convolutions, in coarse voxels.")

    def build(self, problem: Problem):
        from refold.networks.deeplab import deeplab

        return deeplab(self, problem)

    def details(self, about: About) -> list[str]:
        steps = joined(map(str, self.dilations))
        return [*super().details(about), _("an atrous pyramid of dilations {steps} with image pooling", steps=steps)]
