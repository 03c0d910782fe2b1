"""The U-Net."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from refold.methods.network import Staged
from refold.networks.problem import Problem


class UNet(Staged):
    """A U-Net (Ronneberger 2015; Cicek 2016), two convolutions a stage, instance normalisation, leaky ReLU."""

    deep_supervision: ClassVar[bool] = True

    kind: Literal["unet"] = "unet"
    convolutions: int = Field(2, ge=1, le=4)
    dropout: float = Field(0.0, ge=0, lt=1)
    fusion: Literal["early", "late"] = "early"

    def build(self, problem: Problem):
        from refold.networks.unet import unet

        return unet(problem, self.maps(problem), self.convolutions, self.dropout, self.fusion, self.normalisation)
