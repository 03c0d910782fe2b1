"""What every method has: settings in ``params.yaml``, and a `Segmenter` with fit, predict_proba, save and load.

Nothing here imports TensorFlow or scikit-learn: settings are read wherever ``params.yaml`` is. A method imports what it
needs when it is used.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, ClassVar

from pydantic import ConfigDict

from refold.settings.augment import Augment
from refold.settings.base import Section
from refold.settings.predict import Predict
from refold.settings.train import Train
from refold.train.segmenter import Segmenter

__all__ = ["About", "Classical", "Predict", "Segmenter", "Settings", "no_channel"]


@dataclass(frozen=True)
class About:
    """What a method's words for the report may speak of.

    cite: gives the mark of references by their keys. channels: names. dimension: axes of the data. facts: what `fit`
    returned for one of the folds; empty where none is known. train: how a network was trained.
    """

    cite: Callable[..., str]
    channels: list[str]
    dimension: int
    facts: dict[str, Any] = field(default_factory=dict)
    train: Train = field(default_factory=Train)

    def channel(self, number: int) -> str:
        return self.channels[number] if number < len(self.channels) else str(number)


def _with_kind(schema: dict[str, Any]) -> None:
    schema["required"] = ["kind", *(k for k in schema.get("required", ()) if k != "kind")]


class Settings(Section, ABC):
    """One entry under ``methods``: the parameters of one kind."""

    model_config = ConfigDict(json_schema_extra=_with_kind)

    network: ClassVar[bool] = False  # learns by TensorFlow, with the sections `train` and `augment`
    trained: ClassVar[bool] = True  # has a model of its own
    decides: ClassVar[bool] = False  # its probabilities are 0 and 1, and say nothing about how sure it is
    file: ClassVar[str]  # of its model, where it has one
    places: ClassVar[tuple[str, ...]] = ()  # keys that only say where files lie: no part of what is frozen

    references: ClassVar[dict[str, str]] = {}  # papers that the words of a user's own kind cite, by their keys

    kind: str

    @property
    def parts(self) -> list[str]:
        """The methods that it is made from."""
        return []

    def words(self, about: About) -> str | None:
        """What was done, of a user's own kind, for the report's methods section: sentences in the past tense.

        None: told by `refold.report.prose`, where the words of refold's own kinds stand, so that another word trains
        nothing anew.
        """
        return None

    def segmenter(self, train: Train, augment: Augment, predict: Predict) -> Segmenter:
        """The method, not yet fitted. Raises `TypeError` for one that has no model of its own."""
        raise TypeError(f"{self.kind} has no model of its own")

    def faults(self) -> list[tuple[str, str]]:
        """(key, what is wrong and what is allowed) of settings that contradict each other."""
        return []

    def unsuited(self, data: str, channels: int, labels: int) -> list[tuple[str, str]]:
        """(key, what is wrong and what is allowed) of settings that do not fit a known data set."""
        return []


class Classical(Settings):
    """A method that learns without TensorFlow, or not at all."""

    file: ClassVar[str] = Segmenter.file

    @abstractmethod
    def create(self, predict: Predict) -> Segmenter:
        """The method, not yet fitted."""

    def segmenter(self, train: Train, augment: Augment, predict: Predict) -> Segmenter:
        return self.create(predict)


def no_channel(number: int, data: str, channels: int) -> str | None:
    """What is wrong with a channel's number; None if nothing is."""
    if number < channels:
        return None
    known = "only channel 0" if channels == 1 else f"the channels 0 to {channels - 1}"
    return f"{number} is not allowed; {data} has {known}"
