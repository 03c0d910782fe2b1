"""The U-Net++."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from refold.core.language import N_, _
from refold.methods.base import About
from refold.methods.network import Problem, Staged


class UNetPlusPlus(Staged):
    """A U-Net++ (Zhou 2018): on their way to the decoder the skips pass blocks that join neighbouring stages."""

    title: ClassVar[str] = N_("U-Net++")
    references: ClassVar[dict[str, str]] = {
        "unetplusplus": "Zhou Z et al. UNet++: a nested U-Net architecture for medical image segmentation. Deep "
        "Learning in Medical Image Analysis, 2018."
    }
    deep_supervision: ClassVar[bool] = True
    sources: ClassVar[tuple[str, ...]] = ("unetplusplus",)

    kind: Literal["unetplusplus"] = Field("unetplusplus", description="U-Net++.")
    convolutions: int = Field(1, ge=1, le=4, description="Convolutions a node.")

    def build(self, problem: Problem):
        from refold.networks.unetplusplus import unetplusplus

        return unetplusplus(self, problem)

    def details(self, about: About) -> list[str]:
        return [*super().details(about), _("nested skips")]
