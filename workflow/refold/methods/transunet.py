"""A transformer hybrid."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from refold.core.language import N_, _, plural
from refold.methods.base import About
from refold.methods.network import Problem, Staged


class TransUNet(Staged):
    """A U-Net whose coarsest features go through a transformer (Chen 2021): every voxel sees the whole patch."""

    title: ClassVar[str] = N_("TransUNet")
    references: ClassVar[dict[str, str]] = {
        "transunet": "Chen J et al. TransUNet: transformers make strong encoders for medical image segmentation. "
        "arXiv:2102.04306, 2021.",
        "conditional": "Chu X et al. Conditional positional encodings for vision transformers. ICLR 2023.",
    }
    deep_supervision: ClassVar[bool] = True
    sources: ClassVar[tuple[str, ...]] = ("transunet", "conditional")

    kind: Literal["transunet"] = Field("transunet", description="U-Net with a transformer at its coarsest stage.")
    blocks: int = Field(2, ge=1, le=24, description="Transformer blocks.")
    heads: int = Field(4, ge=1, le=32, description="Attention heads; the coarsest stage's width is a multiple of it.")
    expansion: int = Field(2, ge=1, le=8, description="Width of a block's hidden layer, in widths of the stage.")

    def faults(self) -> list[tuple[str, str]]:
        found = super().faults()
        if (stages := self.planned_stages) != "auto" and (width := self.width(stages - 1)) % self.heads:
            text = f"{self.heads} heads cannot share the {width} maps of the coarsest stage; allowed: what divides them"
            found.append(("heads", text))
        return found

    def build(self, problem: Problem):
        from refold.networks.transunet import transunet

        return transunet(self, problem)

    def layers(self) -> dict[str, type]:
        from refold.networks.transunet import Transformer

        return {"Transformer": Transformer}

    def details(self, about: About) -> list[str]:
        blocks = _(
            "{blocks} of {heads} heads at the coarsest stage",
            blocks=plural(self.blocks, "transformer block"),
            heads=self.heads,
        )
        return [*super().details(about), blocks]
