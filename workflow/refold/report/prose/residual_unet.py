"""The residual U-Net, in the report's words."""

from __future__ import annotations

from refold.core.language import N_, _, plural
from refold.methods.residual_unet import ResidualUNet
from refold.report.prose.network import staged

TITLE = N_("residual U-Net")
REFERENCES = {
    "resnet": "He K, Zhang X, Ren S, Sun J. Deep residual learning for image recognition. CVPR 2016.",
    "resunet": "Zhang Z, Liu Q, Wang Y. Road extraction by deep residual U-Net. IEEE Geoscience and Remote Sensing "
    "Letters 15, 749-753, 2018.",
}
SOURCES = ("resnet", "resunet")


def details(m: ResidualUNet, about) -> list[str]:
    return [*staged(m, about), _("{blocks} an encoder stage", blocks=plural(m.blocks, "residual block"))]
