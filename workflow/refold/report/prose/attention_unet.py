"""The attention U-Net, in the report's words."""

from __future__ import annotations

from refold.core.language import N_, _
from refold.methods.attention_unet import AttentionUNet
from refold.methods.base import About
from refold.report.prose.network import staged

TITLE = N_("attention U-Net")
REFERENCES = {"attention_unet": "Oktay O et al. Attention U-Net: learning where to look for the pancreas. MIDL 2018."}
SOURCES = ("attention_unet",)


def details(m: AttentionUNet, about: About) -> list[str]:
    return [*staged(m, about), _("additive attention gates on all skips")]
