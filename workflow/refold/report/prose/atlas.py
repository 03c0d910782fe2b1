"""The mean shape, in the report's words."""

from __future__ import annotations

from refold.core.language import _
from refold.methods.atlas import Atlas
from refold.methods.base import About


def words(m: Atlas, about: About) -> str:
    how = {"image": _("stretched to one size"), "centre": _("laid upon each other by their middles")}[m.align]
    return _(
        "The label maps of the fold's training cases were {how} and averaged on {nodes} points an axis; each voxel "
        "got the label that was most frequent at its place, whatever the image showed.",
        how=how,
        nodes=m.nodes,
    )
