"""Reading a YAML file written by hand: YAML 1.2's core schema, nothing lost in silence, faults named by line.

PyYAML reads YAML 1.1, in which ``1e-3`` is text, ``no`` is false, ``010`` is 8 and ``1:30`` is 90, and in which the
later of two equal keys wins. Here ``1e-3`` is a number, the others are what they look like, and equal keys are faults.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import yaml

LONGEST = 1_000_000  # characters; PyYAML takes minutes for a hundred times as many
DEEPEST = 50  # sections and lists within each other
LARGEST = 100_000  # values, counted after aliases are followed: a few lines of nested aliases can mean billions

_TAG = "tag:yaml.org,2002:"


class _Loader(yaml.SafeLoader):
    yaml_implicit_resolvers: dict[str, list] = {}  # noqa: RUF012
    yaml_constructors = {  # noqa: RUF012
        key: made
        for key, made in yaml.SafeLoader.yaml_constructors.items()
        if key is None or key.removeprefix(_TAG) in ("null", "str", "seq", "map")
    }


def _integer(loader: _Loader, node: yaml.ScalarNode) -> int:
    text = node.value
    return int(text, {"0x": 16, "0o": 8}.get(text[:2], 10))


def _real(loader: _Loader, node: yaml.ScalarNode) -> float:
    return float(re.sub(r"\.(inf|nan)$", r"\1", node.value.lower()))


for _name, _pattern, _first, _made in (
    ("null", r"~|null|Null|NULL|", ["~", "n", "N", ""], None),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF"), lambda _, node: node.value.lower() == "true"),
    ("int", r"[-+]?[0-9]+|0o[0-7]+|0x[0-9a-fA-F]+", list("-+0123456789"), _integer),
    (
        "float",
        r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?|[-+]?\.(inf|Inf|INF)|\.(nan|NaN|NAN)",
        list("-+.0123456789"),
        _real,
    ),
    ("merge", r"<<", ["<"], None),
):
    _Loader.add_implicit_resolver(_TAG + _name, re.compile(rf"(?:{_pattern})\Z"), _first)
    if _made:
        _Loader.add_constructor(_TAG + _name, _made)


@dataclass(frozen=True)
class Document:
    """What a file says.

    values: its content; of two equal keys the first, and no key that is not text.
    lines: the line, counted from 1, of each key such as ``train.patch[0]``.
    faults: (key, what is wrong) for each key that stands twice or is not text.
    """

    values: Any
    lines: dict[str, int]
    faults: list[tuple[str, str]]


TOO_DEEP = f"sections and lists stand within each other more than {DEEPEST} deep; write them flat"


class SyntaxFault(ValueError):
    """The text is no YAML. The message names the line, and what to do where that is known."""


def parse(text: str) -> Document:
    """Read one YAML document.

    Raises:
        SyntaxFault: no YAML, too long or too deep, more than one document, a tag, or aliases without end.
    """
    if len(text) > LONGEST:
        raise SyntaxFault(f"{len(text)} characters; at most {LONGEST} are read: is this the right file?")
    loader = None
    try:
        loader = _Loader(text)
        node = loader.get_single_node()
        document = Document(None, {}, [])
        if node is not None:
            _inspect(node, "", document, [0], ())
            document = Document(loader.construct_document(node), document.lines, document.faults)
        return document
    except yaml.MarkedYAMLError as error:
        raise SyntaxFault(_in_words(error, text)) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise SyntaxFault(f"line {line}: the character {chr(error.character)!r} cannot stand in YAML") from None
    except RecursionError:
        raise SyntaxFault(TOO_DEEP) from None
    finally:
        if loader is not None:
            loader.dispose()


def _inspect(node: yaml.Node, key: str, document: Document, count: list[int], above: tuple[int, ...]) -> None:
    """Note lines and faults below ``node``, and take the faulty keys out of it."""
    line = node.start_mark.line + 1
    count[0] += 1
    if id(node) in above:
        raise SyntaxFault(f"line {line}: {key or 'the file'} contains itself through an alias")
    if len(above) > DEEPEST:
        raise SyntaxFault(f"line {line}: {TOO_DEEP}")
    if count[0] > LARGEST:
        raise SyntaxFault(f"more than {LARGEST} values; are aliases (*name) nested?")
    if isinstance(node, yaml.SequenceNode):
        for i, item in enumerate(node.value):
            document.lines[f"{key}[{i}]"] = item.start_mark.line + 1
            _inspect(item, f"{key}[{i}]", document, count, (*above, id(node)))
    elif isinstance(node, yaml.MappingNode):
        kept: list[tuple[yaml.Node, yaml.Node]] = []
        seen: dict[str, int] = {}
        for name, item in node.value:
            at, inner = name.start_mark.line + 1, ""
            if name.tag == _TAG + "merge":
                inner = key
            elif not isinstance(name, yaml.ScalarNode):
                document.faults.append((key or f"line {at}", "a key is one word, not a list or section"))
                continue
            else:
                inner = f"{key}.{name.value}" if key else name.value
                if name.tag != _TAG + "str":
                    what = "is not text" if name.value else "is empty"
                    document.lines[inner] = at
                    document.faults.append((inner, f"the key {what}; write a name, if need be in quotes"))
                    continue
                if name.value in seen:
                    first = seen[name.value]
                    where = f"in lines {first} and {at}" if first != at else f"in line {at}"
                    document.faults.append((inner, f"stands twice, {where}; keep one"))
                    continue
                seen[name.value] = at
                document.lines[inner] = at
            kept.append((name, item))
            _inspect(item, inner, document, count, (*above, id(node)))
        node.value = kept
    elif node.tag == _TAG + "int" and len(node.value) > 400:
        raise SyntaxFault(f"line {line}: {key}: a number of {len(node.value)} digits")


def _in_words(error: yaml.MarkedYAMLError, text: str) -> str:
    mark = error.problem_mark or error.context_mark
    assert mark is not None
    problem = error.problem or error.context or "no YAML"
    lines = text.splitlines()
    shown = lines[mark.line].strip() if mark.line < len(lines) else ""
    if "'\\t'" in problem or (mark.line < len(lines) and "\t" in lines[mark.line][: mark.column + 1]):
        problem = "a tab; indent with spaces"
    elif "mapping values are not allowed" in problem:
        problem = "a colon where none can stand; look at the indentation, and put text that holds `: ` in quotes"
    elif "could not find expected ':'" in problem:
        problem = "a key without a colon; write `key: value`, with a space after the colon"
    elif "expected <block end>" in problem:
        problem = "the indentation does not fit the lines above; keys of one section start in the same column"
    elif "expected a single document" in (error.context or ""):
        problem = "a second document begins (`---`); one is wanted"
    elif "could not determine a constructor" in problem:
        problem = "a tag (`!...`) means nothing here; write the plain value"
    elif "undefined alias" in problem:
        problem = f"{problem}; `*` at the start of a value means an alias: put text in quotes"
    elif error.context and error.problem:
        problem = f"{error.context}, {problem}"
    return f"line {mark.line + 1}: {problem}" + (f": {shown[:80]!r}" if shown else "")
