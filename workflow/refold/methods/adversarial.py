"""A U-Net trained against a discriminator."""

from __future__ import annotations

import functools
from typing import ClassVar, Literal

from pydantic import Field

from refold.core.language import N_, _
from refold.methods.base import About
from refold.methods.network import Problem, Staged


class Adversarial(Staged):
    """A U-Net trained also to deceive a network that tells its answers from true label maps (Luc 2016; Isola 2017)."""

    title: ClassVar[str] = N_("U-Net trained against a patch discriminator")
    references: ClassVar[dict[str, str]] = {
        "adversarial": "Luc P, Couprie C, Chintala S, Verbeek J. Semantic segmentation using adversarial networks. "
        "NIPS Workshop on Adversarial Training, 2016.",
        "patchgan": "Isola P, Zhu J-Y, Zhou T, Efros AA. Image-to-image translation with conditional adversarial "
        "networks. CVPR 2017.",
    }
    sources: ClassVar[tuple[str, ...]] = ("adversarial", "patchgan")

    kind: Literal["adversarial"] = Field("adversarial", description="U-Net against a discriminator.")
    adversarial_weight: float = Field(
        0.05, gt=0, le=100, description="Weight of deceiving the discriminator, beside the loss of `train`."
    )
    discriminator_features: int = Field(8, ge=1, le=512, description="First feature maps of the discriminator.")
    discriminator_rate: float = Field(1e-3, gt=0, le=1, description="Its constant learning rate (Adam).")

    def build(self, problem: Problem):
        from refold.networks.adversarial import generator

        return generator(self, problem)

    def trainer(self):
        from refold.networks.adversarial import AdversarialTrainer

        return functools.partial(AdversarialTrainer, self)

    def details(self, about: About) -> list[str]:
        return [
            *super().details(about),
            _(
                "the discriminator's verdict with weight {weight:g}, its own learning rate {rate:g}",
                weight=self.adversarial_weight,
                rate=self.discriminator_rate,
            ),
        ]
