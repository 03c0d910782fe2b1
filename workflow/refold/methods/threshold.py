"""The simplest baseline: thresholds."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from refold.methods.base import Classical, Segmenter, no_channel
from refold.settings.predict import Predict


class Threshold(Classical):
    """Otsu thresholds (Otsu 1979) of one channel a case; which class is which label is learnt from training cases."""

    decides: ClassVar[bool] = True

    kind: Literal["threshold"] = "threshold"
    channel: int = Field(0, ge=0, le=999)
    classes: int = Field(3, ge=2, le=5)

    def create(self, predict: Predict) -> Segmenter:
        from refold.classical.threshold import ThresholdSegmenter

        return ThresholdSegmenter(self.classes, self.channel)

    def unsuited(self, data: str, channels: int, labels: int) -> list[tuple[str, str]]:
        fault = no_channel(self.channel, data, channels)
        return [("channel", fault)] if fault else []
