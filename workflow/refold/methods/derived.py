"""Methods that are made from others, and which models predict for a method."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import ClassVar

from refold.core.errors import RefoldError
from refold.methods.base import Settings
from refold.settings.base import nearest
from refold.settings.changes import PredictChanges


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
