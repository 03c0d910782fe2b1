"""The VAE-regularised encoder-decoder."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from refold.core.language import N_, _
from refold.methods.base import About
from refold.methods.network import Problem, Staged


class SegResNetVAE(Staged):
    """A residual encoder-decoder that in training must also rebuild its image from a random code (Myronenko 2018)."""

    title: ClassVar[str] = N_("VAE-regularised residual encoder-decoder")
    references: ClassVar[dict[str, str]] = {
        "segresnet": "Myronenko A. 3D MRI brain tumor segmentation using autoencoder regularization. BrainLes, "
        "MICCAI 2018."
    }
    sources: ClassVar[tuple[str, ...]] = ("segresnet",)

    kind: Literal["segresnet_vae"] = Field("segresnet_vae", description="Encoder-decoder with a VAE branch.")
    latent: int = Field(16, ge=1, le=1024, description="Random numbers of the code at each voxel of its grid.")
    vae_weight: float = Field(0.1, ge=0, le=100, description="Weight of the two losses of the VAE branch.")

    def build(self, problem: Problem):
        from refold.networks.segresnet_vae import segresnet_vae

        return segresnet_vae(self, problem)

    def layers(self) -> dict[str, type]:
        from refold.networks.segresnet_vae import VAE

        return {"VAE": VAE}

    def details(self, about: About) -> list[str]:
        return [
            *super().details(about),
            _(
                "in training a variational autoencoder branch with {latent} numbers a voxel and the weight {weight:g}",
                latent=self.latent,
                weight=self.vae_weight,
            ),
        ]
