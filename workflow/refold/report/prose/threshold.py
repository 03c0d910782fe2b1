"""The simplest baseline: thresholds, in the report's words."""

from __future__ import annotations

from refold.core.language import _
from refold.methods.base import About
from refold.methods.threshold import Threshold

REFERENCES = {
    "otsu": "Otsu N. A threshold selection method from gray-level histograms. IEEE Transactions on Systems, Man, "
    "and Cybernetics 9, 62-66, 1979."
}


def words(m: Threshold, about: About) -> str:
    return _(
        "Multi-level Otsu thresholds{cite} divided channel {channel} of each case into {classes} intensity "
        "classes; which class was which label was learnt from the fold's training cases.",
        cite=about.cite("otsu"),
        channel=about.channel(m.channel),
        classes=m.classes,
    )
