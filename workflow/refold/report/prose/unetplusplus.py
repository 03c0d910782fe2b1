"""The U-Net++, in the report's words."""

from __future__ import annotations

from refold.core.language import N_, _
from refold.methods.base import About
from refold.methods.unetplusplus import UNetPlusPlus
from refold.report.prose.network import staged

TITLE = N_("U-Net++")
REFERENCES = {
    "unetplusplus": "Zhou Z et al. UNet++: a nested U-Net architecture for medical image segmentation. Deep "
    "Learning in Medical Image Analysis, 2018."
}
SOURCES = ("unetplusplus",)


def details(m: UNetPlusPlus, about: About) -> list[str]:
    return [*staged(m, about), _("nested skips")]
