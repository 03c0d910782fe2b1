"""A method's models, predicting in another way."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from pydantic import Field

from refold.core.language import _, joined, listed
from refold.core.sections import PredictChanges
from refold.methods.base import About, Answer, Derived, entries


def in_tiles(tile: str | list[int]) -> str:
    """``predict.tile`` in the report's words, where it is not ``whole``."""
    if tile == "auto":
        return _("in tiles of the patch's size or, where little larger, whole")
    return _("in tiles of {size} voxels", size=" x ".join(map(str, tile)))


class Prediction(Derived):
    """Another method's models with other settings of the section `predict`: what does averaging at prediction gain?"""

    kind: Literal["prediction"] = Field("prediction", description="The same models, predicting in another way.")
    of: str = Field(description="Name of the method, a network or made from networks.")
    predict: PredictChanges = Field(PredictChanges(), description="What differs from the section `predict`.")

    @property
    def parts(self) -> list[str]:
        return [self.of]

    def answer(self, name: str, parts: list[Answer]) -> Answer:
        models = tuple(replace(m, predict=self.predict.over(m.predict)) for m in parts[0].models)
        return Answer(models, entries(name, parts), parts[0].postprocessing)

    def faults(self) -> list[tuple[str, str]]:
        if not self.predict.model_fields_set:
            allowed = ", ".join(PredictChanges.model_fields)
            return [("predict", f"says nothing, so that it would be {self.of} again; give one of {allowed}")]
        return []

    def words(self, about: About) -> str:
        given, how = self.predict.model_dump(), []
        if (tile := given.get("tile")) is not None:
            how.append(_("each case whole") if tile == "whole" else in_tiles(tile))
        if (overlap := given.get("overlap")) is not None:
            how.append(_("with tiles that overlap by {overlap}", overlap=f"{overlap:.0%}"))
        if (axes := given.get("mirror_axes")) is not None:
            how.append(
                _("averaged over mirror images along {axes}", axes=listed(axes)) if axes else _("without mirror images")
            )
        return _("The models of {method} predicted otherwise: {how}.", method=self.of, how=joined(how))
