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
class Member:
    """A trained method that predicts: without which channels, and with which changes to the section `predict`."""

    method: str
    missing: frozenset[int] = frozenset()
    predict: PredictChanges = field(default_factory=PredictChanges)


@dataclass(frozen=True)
class Composition:
    """How a method comes to its label maps.

    models: the trained methods whose probabilities are averaged; none where label maps are read.
    entries: all methods that have a part in it, itself among them. postprocessing: those of them that change the label
    map, in their order.
    """

    models: tuple[Member, ...]
    entries: tuple[str, ...]
    postprocessing: tuple[str, ...] = ()


class Derived(Settings):
    """A method made from others in the same experiment: no model of its own, another prediction from theirs."""

    trained: ClassVar[bool] = False
    where: ClassVar[str] = "of"  # the key that names its parts

    @abstractmethod
    def compose(self, name: str, parts: list[Composition]) -> Composition:
        """Its composition from those of its `parts`. Raises `RefoldError` where they cannot be used so."""


def composition(methods: Mapping[str, Settings], name: str, within: tuple[str, ...] = ()) -> Composition:
    """Which models predict for the method ``name``.

    Raises:
        RefoldError: a part of it is no method, a circle, or cannot be used so.
    """
    if name in within:
        raise RefoldError(f"it is made from itself ({' -> '.join([*within, name])}); name another method")
    if name not in methods:
        raise RefoldError(f"{name!r} is no method{nearest(name, methods)}; methods are {', '.join(methods)}")
    entry = methods[name]
    if not isinstance(entry, Derived):
        return Composition((Member(name),) if entry.trained else (), (name,))
    parts = {part: composition(methods, part, (*within, name)) for part in entry.parts}
    if without := [part for part, found in parts.items() if not found.models]:
        raise RefoldError(
            f"{without[0]!r} has label maps alone, no model that could predict; name a method that is trained here"
        )
    return entry.compose(name, [parts[part] for part in entry.parts])


def entries(name: str, parts: list[Composition]) -> tuple[str, ...]:
    """All that has a part in a derived method, itself first."""
    return tuple(dict.fromkeys([name, *(e for part in parts for e in part.entries)]))
