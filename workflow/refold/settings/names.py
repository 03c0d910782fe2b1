"""Which names from data and parameters are refused: what breaks lines, what tables would take for something else."""

from __future__ import annotations

import re
import unicodedata

MEAN = "mean"  # over the labels, in tables
ALL = "all"  # folds together
CV, HOLDOUT = "cross-validation", "holdout"  # the two sets of cases that are tested on
OWN = (MEAN,)
OWN_METHODS = (*OWN, ALL, HOLDOUT, "incomplete")  # the last is a folder
# what pandas takes for a missing value, in small letters
MISSING: tuple[str, ...] = ("na", "n/a", "#n/a", "#n/a n/a", "#na", "<na>", "nan", "-nan", "none", "null")
MISSING += ("1.#ind", "-1.#ind", "1.#qnan", "-1.#qnan")
LONGEST = 100  # characters

# line and paragraph separators, control characters, lone halves of pairs; the last turn the text around them about
_BREAKING = ("Cc", "Cs", "Zl", "Zp")
_TURNING = "\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069"


def _breaks(character: str) -> bool:
    return unicodedata.category(character) in _BREAKING or character in _TURNING


def visible(text: str) -> str:
    """``text`` with what may stand in no name written as its code: ``\\x1b``."""
    return "".join(ascii(c)[1:-1] if _breaks(c) else c for c in text)


def unprintable(text: str) -> str | None:
    """The first character of ``text`` that may stand in no name, as ``U+000A``; None where there is none."""
    found = next(filter(_breaks, text), None)
    return None if found is None else f"U+{ord(found):04X}"


def fault(name: str, longest: int = LONGEST) -> str | None:
    """What is wrong with the characters of a name from data; None if nothing is."""
    if code := unprintable(name):
        return f"holds a line break or control character ({code})"
    if len(name) > longest:
        return f"has {len(name)} characters; at most {longest}"
    return None


def taken(name: str, own: tuple[str, ...] = OWN) -> str | None:
    """Why a name would be taken for something else in tables, whatever its case; None if it would not."""
    text = name.strip().casefold()
    if text in own:
        return "is a word of refold's own tables"
    if text in MISSING:
        return "is read as a missing value by programs that read tables"
    if text in ("true", "false"):
        return "is read as a truth value by programs that read tables"
    if _is_number(text):
        return "is read as a number by programs that read tables"
    return None


def _is_number(text: str) -> bool:
    if re.fullmatch(r"[-+]?0[xob][0-9a-f]+", text):
        return True
    if "_" in text:  # Python alone would skip it
        return False
    try:
        float(text.replace(",", "."))
    except ValueError:
        return False
    return True
