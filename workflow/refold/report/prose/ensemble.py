"""Methods averaged, in the report's words."""

from __future__ import annotations

from refold.core.language import _, listed
from refold.methods.base import About
from refold.methods.ensemble import Ensemble


def words(m: Ensemble, about: About) -> str:
    return _("The label probabilities of {each} on the same fold were averaged.", each=listed(m.members))
