"""The VAE-regularised encoder-decoder."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from refold.methods.network import Staged
from refold.networks.problem import Problem


class SegResNetVAE(Staged):
    """A residual encoder-decoder that in training must also rebuild its image from a random code (Myronenko 2018)."""

    kind: Literal["segresnet_vae"] = "segresnet_vae"
    latent: int = Field(16, ge=1, le=1024)
    vae_weight: float = Field(0.1, ge=0, le=100)

    def build(self, problem: Problem):
        from refold.networks.segresnet_vae import segresnet_vae

        return segresnet_vae(problem, self.maps(problem), self.latent, self.vae_weight, self.normalisation)

    def layers(self) -> dict[str, type]:
        from refold.networks.segresnet_vae import VAE

        return {"VAE": VAE}
