"""Texts for people in the language of what is being written: English texts are the keys of a catalogue.

No language is a global state: a catalogue holds within `speaking` alone, in its own context.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from string import Formatter


@dataclass(frozen=True)
class Catalogue:
    """Translations by their English text. lacking: what was asked for in vain, in that order."""

    texts: Mapping[str, str]
    lacking: dict[str, None] = field(default_factory=dict)


_CHINESE = "[\u3000-\u303f\u4e00-\u9fff\uff00-\uffef]"  # letters and full-width signs, which have their space in them
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
    return filled(text, values) if values else text


def filled(text: str, values: Mapping[str, object], kind: type[str] = str) -> str:
    """``text`` with ``values``. No space stands between Chinese letters: those about a value depend on the value.

    Args:
        kind: of what is returned, such as a Markup that escapes the values.
    """
    if _spoken.get() is None:
        return kind(text).format(**values)
    pieces: list[str] = []
    for literal, name, spec, how in Formatter().parse(text):
        if pieces and re.match(f" {_CHINESE}", literal) and re.search(f"{_CHINESE}$", pieces[-1]):
            literal = literal[1:]
        value = "" if name is None else kind(f"{{{name}{'!' + how if how else ''}:{spec}}}").format(**values)
        if re.search(f"{_CHINESE} $", literal) and re.match(_CHINESE, value):
            literal = literal[:-1]
        pieces += [kind(literal), value] if name is not None else [kind(literal)]
    return kind("").join(pieces)


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
