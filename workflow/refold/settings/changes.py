"""Some keys of a section, for one method alone."""

from __future__ import annotations

from collections.abc import Collection
from typing import TYPE_CHECKING, Annotated, Any, ClassVar

from pydantic import Field, create_model, model_serializer

from refold.settings.augment import Augment
from refold.settings.base import Section
from refold.settings.predict import Predict
from refold.settings.train import Train


class Changes(Section):
    """Some keys of a section, for one method alone; those left out are as in that section."""

    partial: ClassVar[bool] = True  # for those who list keys: these stand in their section already
    section: ClassVar[type[Section]] = Section  # whose keys they are

    @model_serializer(mode="wrap")
    def _given(self, handler: Any) -> dict[str, Any]:
        return {k: v for k, v in handler(self).items() if k in self.model_fields_set}

    def apply_to(self, section: Section) -> Any:
        """``section`` with these changes; also of sections within it."""
        return type(section).model_validate(_merged(section.model_dump(), self.model_dump()))

    def merge_over(self, earlier: Changes) -> Any:
        """Both changes, these where both have a key."""
        return type(self).model_validate(_merged(earlier.model_dump(), self.model_dump()))

    def has(self, key: str) -> bool:
        """Whether a key such as ``loss.kind`` stands here."""
        first, _, rest = key.partition(".")
        if first not in self.model_fields_set:
            return False
        value = getattr(self, first)
        return value.has(rest) if rest and isinstance(value, Changes) else True


def _merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return values | {k: _merged(values[k], v) if isinstance(v, dict) else v for k, v in changes.items()}


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


def changes_of(section: type[Section], without: Collection[str] = ()) -> type[Changes]:
    """The model of `Changes` to ``section``: its keys but ``without``, with the same ranges, none of them needed."""
    fields: dict[str, Any] = {}
    for name, field in section.model_fields.items():
        if name in without:
            continue
        if isinstance(field.default, Section):
            inner = changes_of(type(field.default))
            fields[name] = (inner, Field(inner(), json_schema_extra=_without_default))
        else:
            annotation = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
            fields[name] = (annotation, Field(None, json_schema_extra=_without_default))
    name = f"{section.__name__}Changes"
    doc = f"Changes to `{section.__name__.lower()}` for this method alone."
    made = create_model(name, __base__=Changes, __doc__=doc, **fields)
    made.section = section
    return made


if TYPE_CHECKING:  # a checker cannot follow how they are made

    class TrainChanges(Changes): ...

    class AugmentChanges(Changes): ...

    class PredictChanges(Changes): ...

else:
    TrainChanges = changes_of(Train)
    AugmentChanges = changes_of(Augment)
    # the rest is of the whole job
    PredictChanges = changes_of(Predict, without=("threads", "instructions", "keep_probabilities"))
