"""The watershed, in the report's words."""

from __future__ import annotations

from refold.core.language import _, joined
from refold.methods.base import About
from refold.methods.watershed import Watershed
from refold.report.prose.seeded import described

REFERENCES = {"watershed": "Meyer F. Topographic distance and watershed lines. Signal Processing 38, 113-125, 1994."}


def words(m: Watershed, about: About) -> str:
    return _(
        "{seeds}, the background included. From them the gradient magnitude of channel {channel} was flooded by a "
        "watershed{cite}; the Gaussian's standard deviation, of {tried} voxels, was chosen on the fold's training "
        "cases.",
        seeds=described(m, about),
        channel=about.channel(m.channel),
        cite=about.cite("watershed"),
        tried=joined(f"{s:g}" for s in m.sigmas),
    )
