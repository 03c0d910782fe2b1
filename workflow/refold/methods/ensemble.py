"""Methods averaged."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import AfterValidator, Field

from refold.core.errors import RefoldError
from refold.methods.derived import Composition, Derived, entries
from refold.settings.base import distinct


class Ensemble(Derived):
    """The mean of the label probabilities of other methods, each on the same fold: of seeds, or of kinds."""

    where: ClassVar[str] = "members"

    kind: Literal["ensemble"] = "ensemble"
    members: Annotated[list[str], Field(min_length=2, max_length=100), AfterValidator(distinct)] = Field()

    @property
    def parts(self) -> list[str]:
        return self.members

    def compose(self, name: str, parts: list[Composition]) -> Composition:
        for member, part in zip(self.members, parts, strict=True):
            if part.postprocessing:
                raise RefoldError(
                    f"{member} is postprocessed and gives no probabilities to average; name the method before it, and "
                    "postprocess the ensemble"
                )
        models = [model for part in parts for model in part.models]
        if twice := next((model for model in models if models.count(model) > 1), None):
            raise RefoldError(f"{twice.method} would be counted twice; an ensemble of ensembles names each method once")
        return Composition(tuple(models), entries(name, parts))
