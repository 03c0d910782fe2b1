"""Words that messages share."""

from __future__ import annotations

from collections.abc import Iterable


def quoted(names: Iterable[str], most: int = 5) -> str:
    """``'a', 'b' and 7 more``, in the order given."""
    names = list(names)
    return ", ".join(map(repr, names[:most])) + (f" and {len(names) - most} more" if len(names) > most else "")
