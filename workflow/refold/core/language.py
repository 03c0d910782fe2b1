"""Texts for people in the language of what is being written: English texts are the keys of a catalogue.

No language is a global state: a catalogue holds within `speaking` alone, in its own context.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field


@dataclass(frozen=True)
class Catalogue:
    """Translations by their English text. lacking: what was asked for in vain, in that order."""

    texts: Mapping[str, str]
    lacking: dict[str, None] = field(default_factory=dict)


_spoken: ContextVar[Catalogue | None] = ContextVar("catalogue", default=None)


def _(text: str, /, **values: object) -> str:
    """``text`` in the language spoken, with ``values`` for its named placeholders.

    What the catalogue lacks is told as it is and noted in `lacking`: a user's own methods are in no catalogue.
    """
    catalogue = _spoken.get()
    if catalogue is not None:
        if text not in catalogue.texts:
            catalogue.lacking[text] = None
        text = catalogue.texts.get(text, text)
    return text.format(**values) if values else text


def N_(text: str) -> str:
    """Marks a text that `_` translates where it is shown."""
    return text


def plural(number: int, word: str, many: str | None = None) -> str:
    """``1 case``, ``2 cases``. A catalogue has one form, under ``{n} case``."""
    if number != 1 and _spoken.get() is None:
        word = many or word + "s"
    return _("{n} " + word, n=number)


def listed(words: Iterable[str]) -> str:
    """``a, b and c``."""
    *some, last = [*words] or [_("none")]
    return _("{some} and {last}", some=joined(some), last=last) if some else last


def joined(words: Iterable[str]) -> str:
    """``a, b, c``."""
    return _(", ").join(words)


@contextmanager
def speaking(catalogue: Catalogue | None) -> Iterator[None]:
    """Within it `_` takes its texts from ``catalogue``; None is English."""
    token = _spoken.set(catalogue)
    try:
        yield
    finally:
        _spoken.reset(token)
