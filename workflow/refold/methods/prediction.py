"""A method's models, predicting in another way."""

from __future__ import annotations

from dataclasses import replace
from typing import Literal

from refold.methods.derived import Composition, Derived, entries
from refold.settings.changes import PredictChanges


class Prediction(Derived):
    """Another method's models with other settings of the section `predict`: what does averaging at prediction gain?"""

    kind: Literal["prediction"] = "prediction"
    of: str
    predict: PredictChanges = PredictChanges()

    @property
    def parts(self) -> list[str]:
        return [self.of]

    def compose(self, name: str, parts: list[Composition]) -> Composition:
        models = tuple(replace(m, predict=self.predict.merge_over(m.predict)) for m in parts[0].models)
        return Composition(models, entries(name, parts), parts[0].postprocessing)

    def faults(self) -> list[tuple[str, str]]:
        if not self.predict.model_fields_set:
            allowed = ", ".join(PredictChanges.model_fields)
            return [("predict", f"says nothing, so that it would be {self.of} again; give one of {allowed}")]
        return []
