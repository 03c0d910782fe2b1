"""Region growing, in the report's words."""

from __future__ import annotations

from refold.core.language import _, joined
from refold.methods.base import About
from refold.methods.region_growing import RegionGrowing
from refold.report.prose.seeded import described

REFERENCES = {"growing": "Adams R, Bischof L. Seeded region growing. IEEE TPAMI 16, 641-647, 1994."}


def words(m: RegionGrowing, about: About) -> str:
    return _(
        "{seeds}. From them regions grew{cite} over connected voxels whose intensity in channel {channel} lay "
        "within a number of standard deviations of the seeds' mean; the number, of {tried}, was chosen on the "
        "fold's training cases.",
        seeds=described(m, about),
        cite=about.cite("growing"),
        channel=about.channel(m.channel),
        tried=joined(f"{t:g}" for t in m.tolerances),
    )
