"""A transformer hybrid."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from refold.methods.network import Staged
from refold.networks.problem import Problem


class TransUNet(Staged):
    """A U-Net whose coarsest features go through a transformer (Chen 2021): every voxel sees the whole patch."""

    deep_supervision: ClassVar[bool] = True

    kind: Literal["transunet"] = "transunet"
    blocks: int = Field(2, ge=1, le=24)
    heads: int = Field(4, ge=1, le=32)
    expansion: int = Field(2, ge=1, le=8)

    def faults(self) -> list[tuple[str, str]]:
        found = super().faults()
        if (stages := self.planned_stages) != "auto" and (width := self.width(stages - 1)) % self.heads:
            text = f"{self.heads} heads cannot share the {width} maps of the coarsest stage; allowed: what divides them"
            found.append(("heads", text))
        return found

    def build(self, problem: Problem):
        from refold.networks.transunet import transunet

        return transunet(problem, self.maps(problem), self.blocks, self.heads, self.expansion, self.normalisation)

    def layers(self) -> dict[str, type]:
        from refold.networks.transunet import Transformer

        return {"Transformer": Transformer}
