"""DeepLabV3+."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from refold.methods.network import Staged
from refold.networks.problem import Problem
from refold.settings.base import distinct


class DeepLab(Staged):
    """DeepLabV3+ (Chen 2018): convolutions of several dilations side by side see several scales at once."""

    fewest_stages: ClassVar[int] = 3

    kind: Literal["deeplab"] = "deeplab"
    stages: Literal["auto"] | Annotated[int, Field(ge=3, le=6)] = "auto"
    dilations: Annotated[
        list[Annotated[int, Field(ge=1, le=64)]], Field(min_length=1, max_length=8), AfterValidator(distinct)
    ] = Field([1, 2, 4])

    @property
    def planned_stages(self) -> int:
        planned = super().planned_stages
        return 3 if planned == "auto" else planned

    def faults(self) -> list[tuple[str, str]]:
        found = super().faults()
        if self.widths is not None and not 3 <= len(self.widths) <= 6:
            found.append(("widths", f"{len(self.widths)} numbers are not allowed; allowed: 3 to 6, one a stage"))
        return found

    def build(self, problem: Problem):
        from refold.networks.deeplab import deeplab

        return deeplab(problem, self.maps(problem), self.dilations, self.normalisation)
