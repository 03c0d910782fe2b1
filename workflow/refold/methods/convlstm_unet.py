"""The U-Net with a recurrent layer across slices."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from pydantic import Field

from refold.core.errors import RefoldError
from refold.core.language import N_, _
from refold.core.plan import Plan
from refold.methods.base import About
from refold.methods.network import Problem, Staged


class ConvLSTMUNet(Staged):
    """A 2-D U-Net over the slices of a volume, joined by convolutional LSTMs across them, both ways (Shi 2015)."""

    title: ClassVar[str] = N_("U-Net over slices")
    references: ClassVar[dict[str, str]] = {
        "convlstm": "Shi X et al. Convolutional LSTM network: a machine learning approach for precipitation "
        "nowcasting. NeurIPS 2015.",
        "recurrent": "Chen J, Yang L, Zhang Y, Alber M, Chen DZ. Combining fully convolutional and recurrent neural "
        "networks for 3D biomedical image segmentation. NeurIPS 2016.",
    }
    sources: ClassVar[tuple[str, ...]] = ("convlstm", "recurrent")
    whole: ClassVar[tuple[int, ...]] = (2,)  # the recurrent layer goes from slice to slice

    kind: Literal["convlstm_unet"] = Field("convlstm_unet", description="U-Net with ConvLSTM across slices.")
    dimension: Literal["auto", 3] = Field("auto", description="Volumes alone: 3, or `auto` where the data are.")

    def plan(self, fingerprint: dict[str, Any], dimension: int, patch: str | list[int]) -> Plan:
        if dimension != 3:
            raise RefoldError("kind convlstm_unet goes across the slices of a volume; the data are 2-D: use kind unet")
        return super().plan(fingerprint, dimension, patch)

    def build(self, problem: Problem):
        from refold.networks.convlstm_unet import convlstm_unet

        return convlstm_unet(self, problem)

    def layers(self) -> dict[str, type]:
        from refold.networks.convlstm_unet import SliceLSTM

        return {"SliceLSTM": SliceLSTM}

    def details(self, about: About) -> list[str]:
        across = _("convolutional LSTMs across the slices, in both directions, at the coarsest")
        return [*super().details(about), across]
