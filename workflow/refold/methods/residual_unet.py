"""The residual U-Net."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from refold.methods.network import Staged
from refold.networks.problem import Problem


class ResidualUNet(Staged):
    """A U-Net whose blocks add their input to their output (He 2016; Zhang 2018), for deeper or wider networks."""

    deep_supervision: ClassVar[bool] = True

    kind: Literal["residual_unet"] = "residual_unet"
    blocks: int = Field(1, ge=1, le=6)

    def build(self, problem: Problem):
        from refold.networks.residual_unet import residual_unet

        return residual_unet(problem, self.maps(problem), self.blocks, self.normalisation)
