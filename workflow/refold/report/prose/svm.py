"""The support vector machine, in the report's words."""

from __future__ import annotations

from refold.core.language import _
from refold.methods.base import About
from refold.methods.svm import SVM
from refold.report.prose.voxels import described

REFERENCES = {
    "svm": "Cortes C, Vapnik V. Support-vector networks. Machine Learning 20, 273-297, 1995.",
    "nystroem": "Williams CKI, Seeger M. Using the Nyström method to speed up kernel machines. NIPS 2001.",
    "platt": "Platt JC. Probabilistic outputs for support vector machines and comparisons to regularized "
    "likelihood methods. Advances in Large Margin Classifiers, 1999.",
}


def words(m: SVM, about: About) -> str:
    return _(
        "Support vector machines{svm}, one a label, with a Gaussian kernel in Nyström's form{nystroem} ("
        "{landmarks} landmarks, C {cost:g}) classified each voxel by {features}; probabilities were learnt{platt} "
        "from a quarter of the training patients and machines of the others, before all of them taught the "
        "machines.",
        svm=about.cite("svm"),
        nystroem=about.cite("nystroem"),
        landmarks=m.landmarks,
        cost=m.cost,
        features=described(m, about),
        platt=about.cite("platt"),
    )
