"""What templates need: the languages, the style and the scripts of a page, and what its scripts say."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup

from refold.core.language import N_, _, filled, joined, plural

HERE = Path(__file__).parent
VIEWER = ("unpack", "draw", "describe", "controls", "viewer")  # scripts, in the order in which they need each other
PAGE = "page"  # sorts and filters tables, and follows links; the last
SAID = {"sort": N_("Sort by this column")}  # all that it says


def environment(*folders: Path) -> Environment:
    """Of templates in ``folders`` and in this one, with `_`, `joined` and `plural`; values are escaped."""
    made = Environment(
        loader=FileSystemLoader([*folders, HERE]),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    made.globals |= {"_": in_template, "joined": joined, "plural": plural}
    return made


def in_template(text: str, /, **values: object) -> str:
    """`_` for templates: a text with tags is markup, its values are escaped; all else the template escapes."""
    said = _(text)
    if "<" in said or "&" in said or any(hasattr(v, "__html__") for v in values.values()):
        return filled(said, values, Markup)
    return filled(said, values) if values else said


def as_json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def script_safe(value: Any) -> Markup:
    """JSON that cannot end the script element it stands in, whatever the names in it."""
    return Markup(as_json(value).replace("<", "\\u003c"))


def assets(*styles: Path, viewer: bool = False) -> dict[str, Markup]:
    """The style of the report with ``styles`` after it, the scripts, with those of the viewer, and what they say."""
    style = "".join(p.read_text(encoding="utf-8") for p in (HERE / "report.css", *styles))
    return {
        "css": Markup(style),
        "js": Markup("\n".join(['"use strict";', *(script(name) for name in (*(VIEWER if viewer else ()), PAGE))])),
        "said": script_safe({key: _(text) for key, text in SAID.items()}),
    }


def script(name: str) -> str:
    """The text of a script."""
    return (HERE / "scripts" / f"{name}.js").read_text(encoding="utf-8")
