"""The U-Net, in the report's words."""

from __future__ import annotations

from refold.core.language import N_, _, plural
from refold.methods.base import About
from refold.methods.unet import UNet
from refold.report.prose.network import maps

TITLE = N_("U-Net")
REFERENCES = {
    "unet": "Ronneberger O, Fischer P, Brox T. U-Net: convolutional networks for biomedical image segmentation. "
    "MICCAI 2015.",
    "unet3d": "Çiçek Ö et al. 3D U-Net: learning dense volumetric segmentation from sparse annotation. MICCAI 2016.",
    "instance": "Ulyanov D, Vedaldi A, Lempitsky V. Instance normalization: the missing ingredient for fast "
    "stylization. arXiv:1607.08022, 2016.",
}
SOURCES = ("unet", "unet3d")


def details(m: UNet, about: About) -> list[str]:
    norm = {
        "instance": _("instance normalisation{cite}", cite=about.cite("instance")),
        "group": _("group normalisation"),
        "none": _("no normalisation"),
    }[m.normalisation]
    parts = [
        maps(m),
        _("{convolutions} a stage", convolutions=plural(m.convolutions, "convolution")),
        norm,
        _("leaky ReLU and dropout of {share:g} at the coarsest stage", share=m.dropout)
        if m.dropout
        else _("leaky ReLU"),
    ]
    if m.fusion == "late" and len(about.channels) > 1:
        parts.append(_("an encoder for each of the {number} channels", number=len(about.channels)))
    return parts
