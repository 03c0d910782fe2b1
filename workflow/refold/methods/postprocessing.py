"""Another method's label maps, tidied."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from refold.methods.derived import Composition, Derived, entries
from refold.settings.base import distinct

AUTO_VOXELS = (5, 20, 100)


class Postprocessing(Derived):
    """Another method's label maps with small parts removed and holes filled, where that helped on the training side.

    For each label and fold by itself, the operations are chosen on predictions of the fold's inner validation, or of
    its training cases where there is none; never on the cases reported. So the gain reported is one that a new image
    may expect. The method itself stands beside it as its own row, without.
    """

    kind: Literal["postprocessing"] = "postprocessing"
    of: str
    largest_component: bool = True
    fill_holes: bool = True
    min_size: (
        Literal["auto"]
        | Annotated[list[Annotated[float, Field(gt=0, le=1e9)]], Field(max_length=20), AfterValidator(distinct)]
    ) = "auto"
    min_gain: float = Field(0.0005, ge=0, le=1)

    @property
    def parts(self) -> list[str]:
        return [self.of]

    def compose(self, name: str, parts: list[Composition]) -> Composition:
        return Composition(parts[0].models, entries(name, parts), (*parts[0].postprocessing, name))

    def faults(self) -> list[tuple[str, str]]:
        if not (self.largest_component or self.fill_holes or self.min_size):
            return [("min_size", "empty, and the other operations are off; leave one to be tried")]
        return []
