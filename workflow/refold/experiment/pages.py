"""What is made from the model: the JSON schema of ``params.yaml`` and the page of all its keys."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import cast, get_args

from pydantic.json_schema import GenerateJsonSchema

from refold.experiment import descriptions, messages
from refold.experiment.params import KINDS, Params
from refold.settings.base import Section


class _Untitled(GenerateJsonSchema):
    """Without a title that repeats each key."""

    def field_title_should_be_set(self, schema) -> bool:
        return False


def json_schema() -> str:
    """The JSON schema of ``params.yaml``, as the text of ``params.schema.json``."""
    schema = Params.model_json_schema(schema_generator=_Untitled)
    sections = {section.__name__: section for section in _sections(Params)}
    for name, part in schema["$defs"].items():
        for key, value in part["properties"].items():
            value["description"] = descriptions.of(sections[name], key)
            part["properties"][key] = dict(sorted(value.items()))
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "refold: params.yaml"}
    return (
        json.dumps({**head, **{k: v for k, v in schema.items() if k not in head}}, indent=2, ensure_ascii=False) + "\n"
    )


_PREFACE = """\
# params.yaml, key by key

<!-- made by `python -m refold.experiment --docs` from the model of params.yaml; a test keeps it in step -->

`params.yaml` describes one experiment: everything that its numbers depend on, and nothing else. Each section is one
phase's, and a phase runs again only when its own section changes. What you leave out has the default given here.

Check a file without running anything: `PYTHONPATH=workflow python -m refold.experiment params.yaml`. Snakemake does
the same before any job. All problems come in one message, a line each: key, value, what is allowed, the nearest name,
and the line of the file.

How values are written:

- YAML 1.2: `1e-3` is a number (in YAML 1.1, which many tools still read, it is text); only `true` and `false` are
  true and false, not `yes`, `no`, `on` or `off`; `010` is ten.
- A number in quotes is text and is refused. `20.0` and `2e1` are accepted where a whole number is wanted.
- `null` means none, where the table allows it. An empty section (`train:` with nothing below) is refused.
- A key that stands twice is refused: otherwise the first would be lost in silence.
- A range is written `[lowest, highest]`; axes are x (left to right), y (posterior to anterior), z (inferior to
  superior), in 2-D x (columns) and y (rows).
- Sizes in voxels and spacings in mm are in the order x, y, z.

Editors that know the YAML language server show this text and complete keys: `workflow/params.schema.json` is named in
the first line of each file.
"""


def _sections(section: type[Section]) -> Iterator[type[Section]]:
    """A section and all that are within it, the kinds of methods among them."""
    yield section
    inner = [field.default for field in section.model_fields.values()]
    for within in (*map(type, inner), *(KINDS.values() if section is Params else ())):
        if issubclass(within, Section):
            yield from _sections(within)


def docs() -> str:
    """The text of ``docs/reference/params.md``."""
    text = [_PREFACE]
    for name, field in Params.model_fields.items():
        text.append(f"\n## {name}\n")
        if name == "methods":
            text.append(f"{field.description} Names: {messages.words(get_args(field.annotation)[0])}.\n")
            for kind, model in KINDS.items():
                text += [f"### kind: {kind}\n", _first_paragraph(model) + "\n", _table(model)]
        else:
            section = cast("type[Section]", field.annotation)
            text += [_first_paragraph(section) + "\n", _table(section)]
    return "\n".join(text).replace("\n\n\n", "\n\n")


def _first_paragraph(model: type[Section]) -> str:
    return " ".join(line.strip() for line in (model.__doc__ or "").strip().splitlines()).replace("  ", " ")


def _table(model: type[Section]) -> str:
    rows = ["| key | default | allowed | meaning |", "|---|---|---|---|"]

    def add(section: type[Section], prefix: str, defaults: Section | None) -> None:
        for name, field in section.model_fields.items():
            if messages.is_partial(field.annotation):
                rows.append(f"| `{prefix}{name}` | `{{}}` | keys of `{name}` | {descriptions.of(section, name)} |")
                continue
            if field.is_required():
                words = messages.field_words(field).replace("|", r"\|")
                rows.append(f"| `{prefix}{name}` | must be given | {words} | {descriptions.of(section, name)} |")
                continue
            default = field.default if defaults is None else getattr(defaults, name)
            if isinstance(default, Section):
                add(type(default), f"{prefix}{name}.", default)
                continue
            value = json.dumps(default) if not isinstance(default, str) else default
            cells = [f"`{prefix}{name}`", f"`{value}`", messages.field_words(field), descriptions.of(section, name)]
            rows.append("| " + " | ".join(c.replace("|", r"\|") for c in cells) + " |")

    add(model, "", None)
    return "\n".join(rows) + "\n"
