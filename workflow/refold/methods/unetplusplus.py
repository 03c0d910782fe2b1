"""The U-Net++."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from refold.methods.network import Staged
from refold.networks.problem import Problem


class UNetPlusPlus(Staged):
    """A U-Net++ (Zhou 2018): on their way to the decoder the skips pass blocks that join neighbouring stages."""

    deep_supervision: ClassVar[bool] = True

    kind: Literal["unetplusplus"] = "unetplusplus"
    convolutions: int = Field(1, ge=1, le=4)

    def build(self, problem: Problem):
        from refold.networks.unetplusplus import unetplusplus

        return unetplusplus(problem, self.maps(problem), self.convolutions, self.normalisation)
