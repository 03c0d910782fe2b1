"""What every method has: settings in ``params.yaml``, and an estimator with fit, predict_proba, save and load.

Nothing here imports TensorFlow or scikit-learn: settings are read wherever ``params.yaml`` is. A method imports what it
needs when it is used.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
from pydantic import ConfigDict

from refold.core.errors import RefoldError
from refold.core.explain import nearest
from refold.core.language import _
from refold.core.sections import Predict, PredictChanges, Section, Train

if TYPE_CHECKING:
    from refold.train.fold import Fold
    from refold.train.score import Score


class Segmenter(ABC):
    """A method of segmentation, as scikit-learn's estimators: `fit` once, then `predict_proba` for each image.

    Attributes:
        file: name of the model's file in its folder, which `save` writes and `load` reads.
        history: rows of history.csv, of methods that learn in epochs.
        warnings: a line for every fallback, in `fit` or later; they stand in the log and in the report, those of
            `predict_proba` with the case.
        score: on training-side cases, where `fit` has compared answers with truths anyway; where it is None, a few
            training cases are asked after `fit`.
    """

    file: ClassVar[str] = "model.json"
    score: Score | None = None

    def __init__(self) -> None:
        self.history: list[dict[str, Any]] = []
        self.warnings: list[str] = []

    @abstractmethod
    def fit(self, fold: Fold) -> dict[str, Any]:
        """Learn from the fold's training side alone. Returns facts for the model card, as JSON holds them."""

    @abstractmethod
    def predict_proba(self, image: np.ndarray) -> np.ndarray:
        """Label probabilities (x, y[, z], labels) float32 of a normalised image (x, y[, z], channels) float32."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write `file` into ``folder``: the same bytes for the same model, under a temporary name, then renamed."""

    @abstractmethod
    def load(self, folder: Path, card: dict[str, Any]) -> None:
        """Read what `save` wrote; ``card`` is the model card. Raises `RefoldError` when the file is no such model."""


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
    places: ClassVar[tuple[str, ...]] = ()  # keys that only say where files lie: no part of what is frozen
    references: ClassVar[dict[str, str]] = {}  # what `words` cites

    kind: str

    @property
    def parts(self) -> list[str]:
        """The methods that it is made from."""
        return []

    def words(self, about: About) -> str:
        """What was done, for the report's methods section: sentences in the past tense, through `_` if translated."""
        summary = " ".join((type(self).__doc__ or "").split())
        return _("A method of kind {kind} ({summary})", kind=self.kind, summary=summary)

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


@dataclass(frozen=True)
class Part:
    """A trained method that answers: without which channels, and with which changes to the section `predict`."""

    method: str
    missing: frozenset[int] = frozenset()
    predict: PredictChanges = field(default_factory=PredictChanges)


@dataclass(frozen=True)
class Answer:
    """How a method comes to its label maps.

    models: the trained methods whose probabilities are averaged; none where label maps are read.
    entries: all methods that have a part in it, itself among them. postprocessing: those of them that change the label
    map, in their order.
    """

    models: tuple[Part, ...]
    entries: tuple[str, ...]
    postprocessing: tuple[str, ...] = ()


class Derived(Settings):
    """A method made from others in the same experiment: no model of its own, another answer from theirs."""

    trained: ClassVar[bool] = False
    where: ClassVar[str] = "of"  # the key that names its parts

    @abstractmethod
    def answer(self, name: str, parts: list[Answer]) -> Answer:
        """Its answer by those of its `parts`. Raises `RefoldError` where they cannot be used so."""


def answer(methods: Mapping[str, Settings], name: str, within: tuple[str, ...] = ()) -> Answer:
    """Which models answer for the method ``name``.

    Raises:
        RefoldError: a part of it is no method, a circle, or cannot be used so.
    """
    if name in within:
        raise RefoldError(f"it is made from itself ({' -> '.join([*within, name])}); name another method")
    if name not in methods:
        raise RefoldError(f"{name!r} is no method{nearest(name, methods)}; methods are {', '.join(methods)}")
    entry = methods[name]
    if not isinstance(entry, Derived):
        return Answer((Part(name),) if entry.trained else (), (name,))
    parts = {part: answer(methods, part, (*within, name)) for part in entry.parts}
    if without := [part for part, found in parts.items() if not found.models]:
        raise RefoldError(
            f"{without[0]!r} has label maps alone, no model that could answer; name a method that is trained here"
        )
    return entry.answer(name, [parts[part] for part in entry.parts])


def entries(name: str, parts: list[Answer]) -> tuple[str, ...]:
    """All that has a part in a derived method, itself first."""
    return tuple(dict.fromkeys([name, *(e for part in parts for e in part.entries)]))


def no_channel(number: int, data: str, channels: int) -> str | None:
    """What is wrong with a channel's number; None if nothing is."""
    if number < channels:
        return None
    known = "only channel 0" if channels == 1 else f"the channels 0 to {channels - 1}"
    return f"{number} is not allowed; {data} has {known}"
