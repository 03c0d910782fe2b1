"""Settings that the methods from certain voxels share, in the report's words."""

from __future__ import annotations

from refold.core.language import _
from refold.methods.base import About
from refold.methods.seeded import Seeded


def described(m: Seeded, about: About) -> str:
    """How the seeds came about, in words."""
    return _(
        "Seeds were the voxels whose label had a probability of {certainty:g} or more by naive Bayes, from the "
        "histograms of all channels and the places of the labels in the fold's training cases",
        certainty=m.certainty,
    )
