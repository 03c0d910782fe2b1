"""The residual U-Net."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from refold.core.language import N_, _, plural
from refold.methods.network import Problem, Staged


class ResidualUNet(Staged):
    """A U-Net whose blocks add their input to their output (He 2016; Zhang 2018), for deeper or wider networks."""

    title: ClassVar[str] = N_("residual U-Net")
    references: ClassVar[dict[str, str]] = {
        "resnet": "He K, Zhang X, Ren S, Sun J. Deep residual learning for image recognition. CVPR 2016.",
        "resunet": "Zhang Z, Liu Q, Wang Y. Road extraction by deep residual U-Net. IEEE Geoscience and Remote Sensing "
        "Letters 15, 749-753, 2018.",
    }
    deep_supervision: ClassVar[bool] = True
    sources: ClassVar[tuple[str, ...]] = ("resnet", "resunet")

    kind: Literal["residual_unet"] = Field("residual_unet", description="Residual U-Net.")
    blocks: int = Field(1, ge=1, le=6, description="Residual blocks a stage of the encoder; the decoder has one.")

    def build(self, problem: Problem):
        from refold.networks.residual_unet import residual_unet

        return residual_unet(self, problem)

    def details(self, about) -> list[str]:
        return [*super().details(about), _("{blocks} an encoder stage", blocks=plural(self.blocks, "residual block"))]
