"""Label maps that another program made, in the report's words."""

from __future__ import annotations

from refold.core.language import _
from refold.methods.base import About
from refold.methods.external import External


def words(m: External, about: About) -> str:
    return _(
        "The label maps of {program} were read as they were; on which cases it was trained could not be checked.",
        program=m.program,
    )
