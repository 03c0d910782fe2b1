"""A U-Net trained against a discriminator, in the report's words."""

from __future__ import annotations

from refold.core.language import N_, _
from refold.methods.adversarial import Adversarial
from refold.methods.base import About
from refold.report.prose.network import staged

TITLE = N_("U-Net trained against a patch discriminator")
REFERENCES = {
    "adversarial": "Luc P, Couprie C, Chintala S, Verbeek J. Semantic segmentation using adversarial networks. "
    "NIPS Workshop on Adversarial Training, 2016.",
    "patchgan": "Isola P, Zhu J-Y, Zhou T, Efros AA. Image-to-image translation with conditional adversarial "
    "networks. CVPR 2017.",
}
SOURCES = ("adversarial", "patchgan")


def details(m: Adversarial, about: About) -> list[str]:
    return [
        *staged(m, about),
        _(
            "the discriminator's verdict with weight {weight:g}, its own learning rate {rate:g}",
            weight=m.adversarial_weight,
            rate=m.discriminator_rate,
        ),
    ]
