"""The U-Net with a recurrent layer across slices."""

from __future__ import annotations

from typing import Any, ClassVar, Literal

from refold.core.errors import RefoldError
from refold.imaging.plan import Plan
from refold.methods.network import Staged
from refold.networks.problem import Problem


class ConvLSTMUNet(Staged):
    """A 2-D U-Net over the slices of a volume, joined by convolutional LSTMs across them, both ways (Shi 2015)."""

    whole: ClassVar[tuple[int, ...]] = (2,)  # the recurrent layer goes from slice to slice

    kind: Literal["convlstm_unet"] = "convlstm_unet"
    dimension: Literal["auto", 3] = "auto"

    def plan(self, fingerprint: dict[str, Any], dimension: int, patch: str | list[int]) -> Plan:
        if dimension != 3:
            raise RefoldError("kind convlstm_unet goes across the slices of a volume; the data are 2-D: use kind unet")
        return super().plan(fingerprint, dimension, patch)

    def build(self, problem: Problem):
        from refold.networks.convlstm_unet import convlstm_unet

        return convlstm_unet(problem, self.maps(problem), self.normalisation)

    def layers(self) -> dict[str, type]:
        from refold.networks.convlstm_unet import SliceLSTM

        return {"SliceLSTM": SliceLSTM}
