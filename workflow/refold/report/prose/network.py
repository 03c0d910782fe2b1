"""What the settings of every network have, in the report's words."""

from __future__ import annotations

from collections.abc import Sequence

from refold.core.language import _, joined, listed
from refold.methods.base import About
from refold.methods.network import Network, Staged


def words(m: Network, about: About, title: str, sources: Sequence[str], details: Sequence[str]) -> str:
    """Sentences on a network.

    Args:
        title: "A 3-D <title> with ...".
        sources: keys of its references.
        details: what else is told of it, as parts of a list.
    """
    dimension = about.dimension if m.dimension == "auto" else m.dimension
    plan = about.facts.get("plan")
    text = _("A {dimension}-D {network}", dimension=dimension, network=_(title))
    text += about.cite(*sources) if sources else ""
    parts = []
    if plan:
        patch = " x ".join(map(str, plan["patch"]))
        sizes = _("{stages} resolutions, a patch of {patch} voxels", stages=len(plan["strides"]), patch=patch)
        if m.planned_stages == "auto" and about.train.patch == "auto":
            cite = about.cite("nnunet")
            sizes = _("{sizes} (planned from the fingerprint by nnU-Net's rule{cite})", sizes=sizes, cite=cite)
        parts.append(sizes)
    elif m.planned_stages != "auto":
        parts.append(_("{stages} resolutions", stages=m.planned_stages))
    parts += details
    if parts:
        text = _("{network} with {parts}", network=text, parts=joined(parts))
    count = about.facts.get("parameters")
    return _("{network}; {count:,} parameters.", network=text, count=count) if count else _("{text}.", text=text)


def details(m: Network, about: About) -> list[str]:
    """What else the report tells of a network, as parts of a list."""
    return staged(m, about) if isinstance(m, Staged) else []


def staged(m: Staged, about: About) -> list[str]:
    norm = {
        "instance": _("instance normalisation"),
        "group": _("group normalisation"),
        "none": _("no normalisation"),
    }
    return [maps(m), norm[m.normalisation]]


def maps(m: Staged) -> str:
    """The number of feature maps, in words."""
    if m.widths is not None:
        return _("{widths} feature maps", widths=listed(map(str, m.widths)))
    return _(
        "{first} feature maps at the first, doubled at each to at most {most}",
        first=m.features,
        most=m.max_features,
    )
