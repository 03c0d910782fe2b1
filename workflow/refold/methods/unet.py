"""The U-Net."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from refold.core.language import N_, _, plural
from refold.methods.base import About
from refold.methods.network import Problem, Staged


class UNet(Staged):
    """A U-Net (Ronneberger 2015; Cicek 2016), two convolutions a stage, instance normalisation, leaky ReLU."""

    title: ClassVar[str] = N_("U-Net")
    references: ClassVar[dict[str, str]] = {
        "unet": "Ronneberger O, Fischer P, Brox T. U-Net: convolutional networks for biomedical image segmentation. "
        "MICCAI 2015.",
        "unet3d": "Çiçek Ö et al. 3D U-Net: learning dense volumetric segmentation from sparse annotation. "
        "MICCAI 2016.",
        "instance": "Ulyanov D, Vedaldi A, Lempitsky V. Instance normalization: the missing ingredient for fast "
        "stylization. arXiv:1607.08022, 2016.",
    }
    deep_supervision: ClassVar[bool] = True
    sources: ClassVar[tuple[str, ...]] = ("unet", "unet3d")

    kind: Literal["unet"] = Field("unet", description="U-Net.")
    convolutions: int = Field(2, ge=1, le=4, description="Convolutions a stage.")
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout at the coarsest stage.")
    fusion: Literal["early", "late"] = Field(
        "early",
        description="Of several channels. `early`: all go into the first convolution. `late`: an encoder for each, "
        "their features joined by a convolution of size 1 at every resolution.",
    )

    def build(self, problem: Problem):
        from refold.networks.unet import unet

        return unet(self, problem)

    def details(self, about: About) -> list[str]:
        norm = {
            "instance": _("instance normalisation{cite}", cite=about.cite("instance")),
            "group": _("group normalisation"),
            "none": _("no normalisation"),
        }[self.normalisation]
        parts = [
            self.maps(),
            _("{convolutions} a stage", convolutions=plural(self.convolutions, "convolution")),
            norm,
            _("leaky ReLU and dropout of {share:g} at the coarsest stage", share=self.dropout)
            if self.dropout
            else _("leaky ReLU"),
        ]
        if self.fusion == "late" and len(about.channels) > 1:
            parts.append(_("an encoder for each of the {number} channels", number=len(about.channels)))
        return parts
