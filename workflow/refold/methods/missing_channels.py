"""A method that must do without channels."""

from __future__ import annotations

from dataclasses import replace
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from refold.methods.base import no_channel
from refold.methods.derived import Composition, Derived, entries
from refold.settings.base import distinct


class MissingChannels(Derived):
    """Another method's models on images that lack channels, given as 0 after normalisation: are they survived?"""

    kind: Literal["missing_channels"] = "missing_channels"
    of: str
    channels: Annotated[list[Annotated[int, Field(ge=0, le=999)]], Field(min_length=1), AfterValidator(distinct)] = (
        Field()
    )

    @property
    def parts(self) -> list[str]:
        return [self.of]

    def compose(self, name: str, parts: list[Composition]) -> Composition:
        models = tuple(replace(m, missing=m.missing | frozenset(self.channels)) for m in parts[0].models)
        return Composition(models, entries(name, parts), parts[0].postprocessing)

    def unsuited(self, data: str, channels: int, labels: int) -> list[tuple[str, str]]:
        faults = [("channels", fault) for c in self.channels if (fault := no_channel(c, data, channels))]
        if not faults and len(self.channels) == channels:
            faults.append(("channels", f"none of the {channels} channels of {data} would be left; leave one out"))
        return faults
