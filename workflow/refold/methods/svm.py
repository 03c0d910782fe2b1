"""The support vector machine."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from refold.methods.base import Segmenter
from refold.methods.voxels import Voxels
from refold.settings.predict import Predict


class SVM(Voxels):
    """Support vector machines (Cortes 1995) with a Gaussian kernel, in Nystroem's form, on what voxels look like."""

    kind: Literal["svm"] = Field("svm", description="Support vector machine on voxel features.")
    cost: float = Field(1.0, gt=0, le=1e6, description="What a voxel on the wrong side costs (C).")
    gamma: float = Field(
        1.0, gt=0, le=1000, description="Sharpness of the kernel, over the number of features: 1 is scikit-learn's."
    )
    landmarks: int = Field(300, ge=2, le=5000, description="Voxels in the place of all support vectors.")

    def create(self, predict: Predict) -> Segmenter:
        from refold.classical.svm import SVMSegmenter

        return SVMSegmenter(self.look(), self.cost, self.gamma, self.landmarks)
