"""The attention U-Net."""

from __future__ import annotations

from typing import ClassVar, Literal

from refold.methods.network import Staged
from refold.networks.problem import Problem


class AttentionUNet(Staged):
    """A U-Net whose skips are weighted voxel by voxel (Oktay 2018): the decoder says where to look."""

    deep_supervision: ClassVar[bool] = True

    kind: Literal["attention_unet"] = "attention_unet"

    def build(self, problem: Problem):
        from refold.networks.attention_unet import attention_unet

        return attention_unet(problem, self.maps(problem), self.normalisation)
