"""DeepLabV3+, in the report's words."""

from __future__ import annotations

from refold.core.language import N_, _, joined
from refold.methods.base import About
from refold.methods.deeplab import DeepLab
from refold.report.prose.network import staged

TITLE = N_("DeepLabV3+")
REFERENCES = {
    "deeplab": "Chen L-C, Zhu Y, Papandreou G, Schroff F, Adam H. Encoder-decoder with atrous separable "
    "convolution for semantic image segmentation. ECCV 2018."
}
SOURCES = ("deeplab",)


def details(m: DeepLab, about: About) -> list[str]:
    steps = joined(map(str, m.dilations))
    return [*staged(m, about), _("an atrous pyramid of dilations {steps} with image pooling", steps=steps)]
