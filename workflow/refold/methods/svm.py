"""The support vector machine."""

from __future__ import annotations

from typing import ClassVar, Literal

from pydantic import Field

from refold.core.language import _
from refold.core.sections import Predict
from refold.methods.base import About, Segmenter
from refold.methods.voxels import Voxels


class SVM(Voxels):
    """Support vector machines (Cortes 1995) with a Gaussian kernel, in Nystroem's form, on what voxels look like."""

    references: ClassVar[dict[str, str]] = {
        "svm": "Cortes C, Vapnik V. Support-vector networks. Machine Learning 20, 273-297, 1995.",
        "nystroem": "Williams CKI, Seeger M. Using the Nyström method to speed up kernel machines. NIPS 2001.",
        "platt": "Platt JC. Probabilistic outputs for support vector machines and comparisons to regularized "
        "likelihood methods. Advances in Large Margin Classifiers, 1999.",
    }

    kind: Literal["svm"] = Field("svm", description="Support vector machine on voxel features.")
    cost: float = Field(1.0, gt=0, le=1e6, description="What a voxel on the wrong side costs (C).")
    gamma: float = Field(
        1.0, gt=0, le=1000, description="Sharpness of the kernel, over the number of features: 1 is scikit-learn's."
    )
    landmarks: int = Field(300, ge=2, le=5000, description="Voxels in the place of all support vectors.")

    def create(self, predict: Predict) -> Segmenter:
        from refold.classical.svm import SVMSegmenter

        return SVMSegmenter(self)

    def words(self, about: About) -> str:
        return _(
            "Support vector machines{svm}, one a label, with a Gaussian kernel in Nyström's form{nystroem} ("
            "{landmarks} landmarks, C {cost:g}) classified each voxel by {features}; probabilities were learnt{platt} "
            "from a quarter of the training patients and machines of the others, before all of them taught the "
            "machines.",
            svm=about.cite("svm"),
            nystroem=about.cite("nystroem"),
            landmarks=self.landmarks,
            cost=self.cost,
            features=self.described(about),
            platt=about.cite("platt"),
        )
