"""A transformer hybrid, in the report's words."""

from __future__ import annotations

from refold.core.language import N_, _, plural
from refold.methods.base import About
from refold.methods.transunet import TransUNet
from refold.report.prose.network import staged

TITLE = N_("TransUNet")
REFERENCES = {
    "transunet": "Chen J et al. TransUNet: transformers make strong encoders for medical image segmentation. "
    "arXiv:2102.04306, 2021.",
    "conditional": "Chu X et al. Conditional positional encodings for vision transformers. ICLR 2023.",
}
SOURCES = ("transunet", "conditional")


def details(m: TransUNet, about: About) -> list[str]:
    blocks = _(
        "{blocks} of {heads} heads at the coarsest stage",
        blocks=plural(m.blocks, "transformer block"),
        heads=m.heads,
    )
    return [*staged(m, about), blocks]
