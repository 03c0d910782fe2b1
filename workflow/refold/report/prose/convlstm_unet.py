"""The U-Net with a recurrent layer across slices, in the report's words."""

from __future__ import annotations

from refold.core.language import N_, _
from refold.methods.base import About
from refold.methods.convlstm_unet import ConvLSTMUNet
from refold.report.prose.network import staged

TITLE = N_("U-Net over slices")
REFERENCES = {
    "convlstm": "Shi X et al. Convolutional LSTM network: a machine learning approach for precipitation "
    "nowcasting. NeurIPS 2015.",
    "recurrent": "Chen J, Yang L, Zhang Y, Alber M, Chen DZ. Combining fully convolutional and recurrent neural "
    "networks for 3D biomedical image segmentation. NeurIPS 2016.",
}
SOURCES = ("convlstm", "recurrent")


def details(m: ConvLSTMUNet, about: About) -> list[str]:
    across = _("convolutional LSTMs across the slices, in both directions, at the coarsest")
    return [*staged(m, about), across]
