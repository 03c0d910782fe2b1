"""The catalogues of the report's languages."""

from __future__ import annotations

from pathlib import Path

from refold.core.files import read_json
from refold.core.language import Catalogue

LOCALE = Path(__file__).parent / "locale"
ENGLISH = "en"


def known() -> list[str]:
    """What `report.language` may be."""
    return [ENGLISH, *sorted(p.stem for p in LOCALE.glob("*.json"))]


def catalogue(language: str) -> Catalogue | None:
    """Of ``report.language``; None is English.

    Raises:
        RefoldError: its file is missing or damaged.
    """
    return None if language == ENGLISH else Catalogue(read_json(LOCALE / f"{language}.json"))
