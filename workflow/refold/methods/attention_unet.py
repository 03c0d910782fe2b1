"""The attention U-Net."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from refold.core.language import N_, _
from refold.methods.base import About
from refold.methods.network import Problem, Staged


class AttentionUNet(Staged):
    """A U-Net whose skips are weighted voxel by voxel (Oktay 2018): the decoder says where to look."""

    title: ClassVar[str] = N_("attention U-Net")
    references: ClassVar[dict[str, str]] = {
        "attention_unet": "Oktay O et al. Attention U-Net: learning where to look for the pancreas. MIDL 2018."
    }
    deep_supervision: ClassVar[bool] = True
    sources: ClassVar[tuple[str, ...]] = ("attention_unet",)

    kind: Literal["attention_unet"] = Field("attention_unet", description="Attention U-Net.")

    def build(self, problem: Problem):
        from refold.networks.attention_unet import attention_unet

        return attention_unet(self, problem)

    def details(self, about: About) -> list[str]:
        return [*super().details(about), _("additive attention gates on all skips")]
