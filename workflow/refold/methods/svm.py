"""The support vector machine."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from refold.methods.base import Segmenter
from refold.methods.voxels import Voxels
from refold.settings.predict import Predict


class SVM(Voxels):
    """Support vector machines (Cortes 1995) with a Gaussian kernel, in Nystroem's form, on what voxels look like."""

    kind: Literal["svm"] = "svm"
    cost: float = Field(1.0, gt=0, le=1e6)
    gamma: float = Field(1.0, gt=0, le=1000)
    landmarks: int = Field(300, ge=2, le=5000)

    def create(self, predict: Predict) -> Segmenter:
        from refold.classical.svm import SVMSegmenter

        return SVMSegmenter(self.look(), self.cost, self.gamma, self.landmarks)
