"""The VAE-regularised encoder-decoder."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from refold.methods.network import Staged
from refold.networks.problem import Problem


class SegResNetVAE(Staged):
    """A residual encoder-decoder that in training must also rebuild its image from a random code (Myronenko 2018)."""

    kind: Literal["segresnet_vae"] = Field("segresnet_vae", description="Encoder-decoder with a VAE branch.")
    latent: int = Field(16, ge=1, le=1024, description="Random numbers of the code at each voxel of its grid.")
    vae_weight: float = Field(0.1, ge=0, le=100, description="Weight of the two losses of the VAE branch.")

    def build(self, problem: Problem):
        from refold.networks.segresnet_vae import segresnet_vae

        return segresnet_vae(problem, self.maps(problem), self.latent, self.vae_weight, self.normalisation)

    def layers(self) -> dict[str, type]:
        from refold.networks.segresnet_vae import VAE

        return {"VAE": VAE}
