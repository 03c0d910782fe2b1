"""The VAE-regularised encoder-decoder, in the report's words."""

from __future__ import annotations

from refold.core.language import N_, _
from refold.methods.base import About
from refold.methods.segresnet_vae import SegResNetVAE
from refold.report.prose.network import staged

TITLE = N_("VAE-regularised residual encoder-decoder")
REFERENCES = {
    "segresnet": "Myronenko A. 3D MRI brain tumor segmentation using autoencoder regularization. BrainLes, MICCAI 2018."
}
SOURCES = ("segresnet",)


def details(m: SegResNetVAE, about: About) -> list[str]:
    return [
        *staged(m, about),
        _(
            "in training a variational autoencoder branch with {latent} numbers a voxel and the weight {weight:g}",
            latent=m.latent,
            weight=m.vae_weight,
        ),
    ]
