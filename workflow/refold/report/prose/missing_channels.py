"""A method that must do without channels, in the report's words."""

from __future__ import annotations

from refold.core.language import _, joined
from refold.methods.base import About
from refold.methods.missing_channels import MissingChannels


def words(m: MissingChannels, about: About) -> str:
    return _(
        "The models of {method} predicted images without channel {missing} (0 after normalisation).",
        method=m.of,
        missing=joined(about.channel(c) for c in m.channels),
    )
