"""The simplest baseline: thresholds."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from refold.core.language import _
from refold.core.sections import Predict
from refold.methods.base import About, Classical, Segmenter, no_channel


class Threshold(Classical):
    """Otsu thresholds (Otsu 1979) of one channel a case; which class is which label is learnt from training cases."""

    references: ClassVar[dict[str, str]] = {
        "otsu": "Otsu N. A threshold selection method from gray-level histograms. IEEE Transactions on Systems, Man, "
        "and Cybernetics 9, 62-66, 1979."
    }

    decides: ClassVar[bool] = True

    kind: Literal["threshold"] = Field("threshold", description="Multi-level Otsu.")
    channel: int = Field(0, ge=0, le=999, description="Channel that is thresholded, counted from 0.")
    classes: int = Field(3, ge=2, le=5, description="Intensity classes.")

    def create(self, predict: Predict) -> Segmenter:
        from refold.classical.threshold import ThresholdSegmenter

        return ThresholdSegmenter(self.classes, self.channel)

    def words(self, about: About) -> str:
        return _(
            "Multi-level Otsu thresholds{cite} divided channel {channel} of each case into {classes} intensity "
            "classes; which class was which label was learnt from the fold's training cases.",
            cite=about.cite("otsu"),
            channel=about.channel(self.channel),
            classes=self.classes,
        )

    def unsuited(self, data: str, channels: int, labels: int) -> list[tuple[str, str]]:
        fault = no_channel(self.channel, data, channels)
        return [("channel", fault)] if fault else []
