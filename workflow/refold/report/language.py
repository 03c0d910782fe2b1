"""The catalogues of the report's languages, and what a template needs to speak them."""

from __future__ import annotations

from pathlib import Path

from jinja2 import Environment
from markupsafe import Markup

from refold.core.files import read_json
from refold.core.language import N_, Catalogue, _, filled, joined, plural

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


def equip(environment: Environment) -> None:
    """Give templates `_`, `joined` and `plural`."""
    environment.globals |= {"_": in_template, "joined": joined, "plural": plural}


def in_template(text: str, /, **values: object) -> str:
    """`_` for templates: a text with tags is markup, its values are escaped; all else the template escapes."""
    said = _(text)
    if "<" in said or "&" in said or any(hasattr(v, "__html__") for v in values.values()):
        return filled(said, values, Markup)
    return filled(said, values) if values else said


# texts that stand in the scripts, and how they stand there
SCRIPTED = (
    (N_("Sort by this column"), '"%s"'),
    (N_(", "), 'named.join("%s")'),
    (N_(": "), "`${name}%s${grey}`"),
    (N_("; "), 'notes.join("%s")'),
    (N_("."), '")}%s`'),
)


def script(text: str) -> str:
    """The scripts of the page with the few texts that stand in them, translated."""
    for said, place in SCRIPTED:
        text = text.replace(place % said, place % _(said))
    return text
