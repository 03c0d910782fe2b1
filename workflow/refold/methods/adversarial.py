"""A U-Net trained against a discriminator."""

from __future__ import annotations

import functools
from typing import Literal

from pydantic import Field

from refold.methods.network import Staged
from refold.networks.problem import Problem


class Adversarial(Staged):
    """A U-Net trained also to deceive a network that tells predictions from true label maps (Luc 2016; Isola 2017)."""

    kind: Literal["adversarial"] = "adversarial"
    adversarial_weight: float = Field(0.05, gt=0, le=100)
    discriminator_features: int = Field(8, ge=1, le=512)
    discriminator_rate: float = Field(1e-3, gt=0, le=1)

    def build(self, problem: Problem):
        from refold.networks.adversarial import generator

        return generator(problem, self.maps(problem), self.normalisation)

    def trainer(self):
        from refold.networks.adversarial import AdversarialTrainer

        return functools.partial(
            AdversarialTrainer,
            weight=self.adversarial_weight,
            features=self.discriminator_features,
            rate=self.discriminator_rate,
        )
