"""Pydantic's complaints about a parameter file, in words for people: key, value, what is allowed, nearest name.

Knows how models are built, nothing of what they mean.
"""

from __future__ import annotations

import json
import math
import re
import types
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Literal, TypeGuard, Union, get_args, get_origin

from pydantic import BaseModel, ValidationError
from pydantic.fields import FieldInfo

from refold.settings.base import Words, nearest

LONGEST = 80  # characters of a value that are shown


@dataclass(frozen=True)
class Spot:
    """Where a complaint points.

    key: as written, such as ``train.patch[0]``. annotation, metadata: the type wanted there; annotation is None where
    no such key exists. model: the section that holds the key. value: what stands there.
    """

    key: str
    annotation: Any
    metadata: tuple[Any, ...]
    model: type[BaseModel] | None
    value: Any


def shown(value: Any) -> str:
    """A value as it would stand in YAML, shortened."""
    text = json.dumps(value, default=str, ensure_ascii=False)
    text = text.replace("-Infinity", "-.inf").replace("Infinity", ".inf").replace("NaN", ".nan")
    return text if len(text) <= LONGEST else text[: LONGEST - 4] + " ..."


# ---------------------------------------------------------------- what a type allows


def _flat(metadata: Iterable[Any]) -> Iterator[Any]:
    for item in metadata:
        yield from _flat(item.metadata) if isinstance(item, FieldInfo) else (item,)


def _bound(metadata: Sequence[Any], name: str) -> Any:
    return next((v for m in _flat(metadata) if (v := getattr(m, name, None)) is not None), None)


def _number(value: float) -> str:
    return str(int(value)) if value == int(value) else f"{value:g}"


def _range(metadata: Sequence[Any]) -> str:
    low, over, high, under = (_bound(metadata, n) for n in ("ge", "gt", "le", "lt"))
    if low is not None and high is not None:
        return f" from {_number(low)} to {_number(high)}"
    parts = [
        f"{word} {_number(value)}"
        for word, value in (("at least", low), ("over", over), ("at most", high), ("under", under))
        if value is not None
    ]
    return f" {' and '.join(parts)}" if parts else ""


def _unwrap(annotation: Any, metadata: Sequence[Any] = ()) -> tuple[Any, tuple[Any, ...]]:
    if get_origin(annotation) is Annotated:
        inner, *more = get_args(annotation)
        return _unwrap(inner, (*more, *metadata))
    return annotation, tuple(metadata)


def _is_union(annotation: Any) -> bool:
    return get_origin(annotation) in (Union, types.UnionType)


def _is_section(annotation: Any) -> bool:
    return isinstance(annotation, type) and issubclass(annotation, BaseModel)


def _plain(value: Any) -> str:
    return value if isinstance(value, str) else json.dumps(value)


def words(annotation: Any, metadata: Sequence[Any] = (), plural: bool = False) -> str:
    """What a type allows, for people: ``a whole number from 1 to 256``; ``auto, or a list of numbers over 0``."""
    annotation, metadata = _unwrap(annotation, metadata)
    if own := next((m.text for m in _flat(metadata) if isinstance(m, Words)), None):
        return own
    origin = get_origin(annotation)
    if origin is Literal:
        choices = ", ".join(map(_plain, get_args(annotation)))
        return f"any of {choices}" if plural else choices
    if _is_union(annotation):
        members = [_unwrap(a) for a in get_args(annotation) if a is not type(None)]
        fixed = [_plain(v) for a, _ in members if get_origin(a) is Literal for v in get_args(a)]
        others = [words(a, (*m, *metadata)) for a, m in members if get_origin(a) is not Literal]
        empty = ["null"] if type(None) in get_args(annotation) else []
        return ", or ".join([*([", ".join(fixed)] if fixed else []), *others, *empty])
    if annotation is bool:
        return "true, false"
    if annotation in (int, float):
        whole = "whole " if annotation is int else ""
        return (f"{whole}numbers" if plural else f"a {whole}number") + _range(metadata)
    if annotation is str:
        return "text" if _bound(metadata, "min_length") is None else "text, not empty"
    if origin is tuple:
        return f"two {words(get_args(annotation)[0], plural=True)}, [lowest, highest]"
    if origin is list:
        low, high = _bound(metadata, "min_length"), _bound(metadata, "max_length")
        many = {(2, 3): "2 or 3 "}.get((low, high), f"at least {low} " if low and low > 1 else "")
        element = words(get_args(annotation)[0], plural=True)
        return f"a list of {many}{element}"
    if origin is dict:
        return f"names, each with {words(get_args(annotation)[1])}"
    if _is_section(annotation):
        return f"a section with the keys {', '.join(annotation.model_fields)}"
    return "a section"


def field_words(field: FieldInfo) -> str:
    return words(field.annotation, tuple(field.metadata))


# ---------------------------------------------------------------- where a complaint points


def _kinds(annotation: Any) -> dict[str, type[BaseModel]]:
    """The models of a union told apart by their ``kind``; empty for anything else."""
    annotation, metadata = _unwrap(annotation)
    if not _is_union(annotation) or _bound_discriminator(metadata) is None:
        return {}
    return {get_args(m.model_fields["kind"].annotation)[0]: m for m in get_args(annotation)}


def _bound_discriminator(metadata: Sequence[Any]) -> str | None:
    found = (m.discriminator for m in metadata if isinstance(m, FieldInfo))
    return next((d for d in found if isinstance(d, str)), None)


def _at(value: Any, part: Any) -> Any:
    try:
        return value[part]
    except (KeyError, IndexError, TypeError):
        return None


def locate(model: type[BaseModel], location: Sequence[Any], value: Any) -> Spot:
    """Follow one of pydantic's locations, which also names members of unions, through models and values."""
    node, metadata, key, section = model, (), "", None
    parts = list(location)
    while parts:
        part = parts.pop(0)
        node, more = _unwrap(node)
        origin = get_origin(node)
        if _is_section(node):
            section, key, value = node, f"{key}.{part}" if key else str(part), _at(value, part)
            field = node.model_fields.get(part)
            if field is None:
                return Spot(key, None, (), section, value)
            node, metadata = field.annotation, tuple(field.metadata)
        elif origin is dict:
            names, entries = get_args(node)
            key = f"{key}.{part}" if key else str(part)
            if parts[:1] == ["[key]"]:
                return Spot(key, names, (), section, part)
            node, metadata, value = entries, (), _at(value, part)
        elif _bound_discriminator(more):
            node = _kinds(Annotated[(node, *more)])[part]
        elif origin is list:
            key, value, node, metadata = f"{key}[{part}]", _at(value, part), get_args(node)[0], ()
        elif _is_union(node):
            members = [a for a in get_args(node) if a is not type(None)]
            deeper = [a for a in members if get_origin(_unwrap(a)[0]) is list]
            if len(members) == 1:  # pydantic names no member where there is but one
                node = members[0]
                parts.insert(0, part)
            elif parts and deeper:
                node = deeper[0]
            else:
                break
        else:
            break  # the ends of a range: both are shown
    return Spot(key, node, metadata, section, value)


# ---------------------------------------------------------------- words


def _elsewhere(name: str, model: type[BaseModel], spot: Spot) -> str:
    """Where a key stands that was written in the wrong section."""
    found = [k for k in dict.fromkeys(keys(model)) if k.rpartition(".")[2] == name and k != spot.key]
    # what all networks share may differ for one
    for part, field in (spot.model.model_fields if spot.model else {}).items():
        if is_partial(field.annotation) and name in field.annotation.model_fields:
            found.append(f"{spot.key.rpartition('.')[0]}.{part}.{name}")
    return f" (did you mean {' or '.join(found)}?)" if 0 < len(found) <= 3 else ""


def keys(model: Any, prefix: str = "") -> Iterator[str]:
    """Every key such as ``train.loss.kind``; methods' keys as ``methods.<name>.features``."""
    for name, field in model.model_fields.items():
        key = f"{prefix}{name}"
        yield key
        annotation, _ = _unwrap(field.annotation)
        if is_partial(annotation):
            continue
        if _is_section(annotation):
            yield from keys(annotation, f"{key}.")
        elif get_origin(annotation) is dict:
            for entry in _kinds(get_args(annotation)[1]).values():
                yield from keys(entry, f"{key}.<name>.")


def is_partial(annotation: Any) -> TypeGuard[type[BaseModel]]:
    """Whether it stands for some keys of a section, for one method."""
    return getattr(annotation, "partial", False)


def _wants(annotation: Any, kinds: tuple[type, ...]) -> bool:
    annotation, _ = _unwrap(annotation)
    if _is_union(annotation):
        return any(_wants(a, kinds) for a in get_args(annotation))
    return annotation in kinds or get_origin(annotation) in kinds


def _hint(spot: Spot) -> str:
    """What was probably meant."""
    value, wanted = spot.value, spot.annotation
    if isinstance(value, str):
        text = value.strip()
        if text.lower() in ("none", "null", "~") and _wants(wanted, (type(None),)):
            return "for none, write null without quotes; "
        if _wants(wanted, (int, float)):
            if re.fullmatch(r"[-+]?[\d.]+(e[-+]?\d+)?", text, re.IGNORECASE):
                return "this is text; write the number without quotes; "
            if re.fullmatch(r"[-+]?\d+,\d+", text):
                return "write a decimal point, not a comma; "
            if re.fullmatch(r"[\d.]+ ?%", text):
                return f"write the share, {float(text.rstrip('% ')) / 100:g}; "
            if re.fullmatch(r"[-+]?\d[\d_' ]*\d", text):
                return "write the digits alone, " + re.sub(r"[^-+\d]", "", text) + "; "
        if _wants(wanted, (bool,)) and text.lower() in ("yes", "on", "true", "no", "off", "false"):
            return f"write {'true' if text.lower() in ('yes', 'on', 'true') else 'false'} without quotes; "
    elif isinstance(value, int | float) and not isinstance(value, bool):
        if not math.isfinite(value):
            return "this is no finite number; "
        if _wants(wanted, (str,)) and not _wants(wanted, (int, float)):
            return "this is a number; put text in quotes; "
    if not isinstance(value, list | dict | None) and _wants(wanted, (list,)):
        inner = [a for a in (wanted, *get_args(wanted)) if get_origin(_unwrap(a)[0]) is list]
        element = get_args(_unwrap(inner[0])[0])[0]
        choices = get_args(_unwrap(element)[0]) if get_origin(_unwrap(element)[0]) is Literal else ()
        if value in choices or (isinstance(value, int | float) and _wants(element, (int, float))):
            return f"a list stands in brackets, [{_plain(value)}]; "
    return ""


def _section_wanted(spot: Spot, methods: dict[str, type[BaseModel]]) -> str:
    value, kinds = spot.value, f"kind: {', '.join(methods)}" if methods else ""
    if methods:
        what = f"each method is a name with its keys below, indented; at least {kinds}"
    elif get_origin(spot.annotation) is dict:
        what = f"below it stand {words(spot.annotation, spot.metadata)}, indented: `name: ...`"
    else:
        what = f"its keys stand below it, indented; allowed are {', '.join(spot.annotation.model_fields)}"
    if value is None and get_origin(spot.annotation) is dict and not methods:
        return f"is empty; leave the line out to have none; otherwise {what}"
    if value is None:
        leave = "" if methods else "leave the line out to have all defaults; otherwise "
        return f"is empty, a section is wanted; {leave}{what}"
    if isinstance(value, str) and re.match(r"[\w-]+:\S", value):
        return f"{shown(value)} is no section; put a space after the colon"
    if isinstance(value, list):
        return f"{shown(value)} is a list, a section is wanted: no `-` before the keys; {what}"
    return f"{shown(value)} is no section; {what}"


def problem(model: type[BaseModel], error: Mapping[str, Any], values: Any) -> tuple[str, str]:
    """One of pydantic's errors as (key, text)."""
    spot = locate(model, error["loc"], values)
    kind = error["type"]
    if kind == "value_error":
        return spot.key, f"{shown(spot.value)}: {error['msg'].removeprefix('Value error, ')}"
    if spot.annotation is None:
        assert spot.model is not None
        known, name = list(spot.model.model_fields), str(error["loc"][-1])
        guess = _elsewhere(name, model, spot) or nearest(name, known)
        return spot.key, f"unknown key{guess}; allowed are {', '.join(known)}"
    methods = _kinds(spot.annotation)
    if kind.startswith("union_tag"):
        if not isinstance(spot.value, dict) or "kind" not in spot.value:
            return f"{spot.key}.kind", f"missing; allowed are {', '.join(methods)}"
        value = spot.value["kind"]
        guess = nearest(value, methods) if isinstance(value, str) else ""
        return (
            f"{spot.key}.kind",
            f"{shown(value)} is not allowed{guess}; allowed are {', '.join(methods)}",
        )
    origin = get_origin(spot.annotation)
    if methods or origin is dict or _is_section(spot.annotation):
        if kind == "too_short":
            kinds = ", ".join(_kinds(get_args(spot.annotation)[1]))
            return spot.key, f"none is given; name at least one, each with its kind: {kinds}"
        return spot.key, _section_wanted(
            spot, methods or (_kinds(get_args(spot.annotation)[1]) if origin is dict else {})
        )
    allowed = words(spot.annotation, spot.metadata)
    hint = _hint(spot)
    guess = "" if hint or not isinstance(spot.value, str) else nearest(spot.value, _choices(spot.annotation))
    return spot.key, f"{shown(spot.value)} is not allowed{guess}; {hint}allowed: {allowed}"


def _choices(annotation: Any) -> list[str]:
    annotation, _ = _unwrap(annotation)
    if _is_union(annotation):
        return [c for a in get_args(annotation) for c in _choices(a)]
    return [c for c in get_args(annotation) if isinstance(c, str)] if get_origin(annotation) is Literal else []


def problems(model: type[BaseModel], error: ValidationError, values: Any) -> list[tuple[str, str]]:
    """All errors as (key, text), one a key, and none for a list as a whole where one of its elements is named."""
    found: dict[str, str] = {}
    for item in error.errors(include_url=False):
        key, text = problem(model, item, values)
        if item["type"] == "value_error":
            found[key] = text  # says more than that another member of a union would not do either
        else:
            found.setdefault(key, text)
    return [(k, t) for k, t in found.items() if not any(other.startswith(f"{k}[") for other in found)]
