"""Reading ``params.yaml``: every problem in one message for people."""

from __future__ import annotations

import copy
import json
import math
import re
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from pydantic import ValidationError

from refold.core.errors import RefoldError
from refold.experiment import checks, messages, yamlfile
from refold.experiment.params import Params
from refold.settings import names


def _plainly(value: Any, key: str, faults: list[tuple[str, str]]) -> Any:
    """Values as pydantic's strict mode wants them: 1e3 and 20.0 are whole numbers, tuples are lists."""
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                faults.append((f"{key}.{name}" if key else str(name), "the key is not text; write a name in quotes"))
        return {k: _plainly(v, f"{key}.{k}" if key else k, faults) for k, v in value.items() if isinstance(k, str)}
    if isinstance(value, list | tuple):
        return [_plainly(v, f"{key}[{i}]", faults) for i, v in enumerate(value)]
    if isinstance(value, float) and math.isfinite(value) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def _strictly(values: dict[str, Any]) -> Params:
    """No text for a number, no 1 for true; JSON because only there strict mode takes a list for a pair."""
    return Params.model_validate_json(json.dumps(values, default=str), strict=True)


def _without(values: dict[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Without the keys that are wrong: the defaults stand in for them."""
    values = copy.deepcopy(values)
    for key in keys:
        node: Any = values
        parts = key.partition("[")[0].split(".")
        if parts[0] == "methods" and len(parts) > 1:
            # a name may hold no dot if it is right, and a method without its kind is none
            name = key.removeprefix("methods.")
            for known in [m for m in node.get("methods") or () if name == m or name.removesuffix(".kind") == m]:
                del node["methods"][known]
        for part in parts[:-1]:
            node = node.get(part) if isinstance(node, dict) else None
        if isinstance(node, dict):
            node.pop(parts[-1], None)
    if any(key.startswith("methods") for key in keys) and not values.get("methods"):
        values["methods"] = {"unknown": {"kind": "threshold"}}  # the default network was not asked for
    return values


def _touch(a: str, b: str) -> bool:
    return "" in (a, b) or a == b or a.startswith((f"{b}.", f"{b}[")) or b.startswith((f"{a}.", f"{a}["))


def validate(values: Any, source: str = "params.yaml") -> Params:
    """Check a whole experiment.

    Args:
        values: what the file holds.
        source: its name, for the message.

    Raises:
        RefoldError: with every problem, a line each: key, value, what is allowed, nearest valid name.
    """
    return _validate(yamlfile.Document(values, {}, []), source)


def _validate(document: yamlfile.Document, source: str) -> Params:
    if not isinstance(document.values, dict):
        found = messages.shown(document.values)
        raise RefoldError(
            f"{source}: 1 problem\n  - the file must hold sections such as `dataset:` and `train:`, with their keys "
            f"below them, indented; it holds {found}"
        )
    problems = list(document.faults)
    values = _plainly(document.values, "", problems)
    params = None
    try:
        params = _strictly(values)
    except ValidationError as error:
        wrong = messages.problems(Params, error, values)
        problems += wrong
        try:
            params = _strictly(_without(values, [key for key, _ in wrong]))
        except ValidationError:
            params = None
    if params is not None:
        # an unknown key may stand for any other of its section
        no_key = ("unknown key", "the key ", "a key ")
        broken = [key.rpartition(".")[0] if text.startswith(no_key) else key for key, text in problems]
        for key, rests, text in checks.combinations(params):
            # what rests on a wrong value is looked at once that is right
            if not any(_touch(b, r) for b in broken for r in rests):
                problems.append((key, text))
    if problems:
        problems = sorted(dict.fromkeys(problems), key=lambda p: document.lines.get(p[0], math.inf))
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise RefoldError("\n".join([f"{source}: {count}", *(_line(k, t, document.lines) for k, t in problems)]))
    assert params is not None
    return params


def _line(key: str, text: str, lines: dict[str, int]) -> str:
    where = f" (line {lines[key]})" if key in lines and not re.search(r"\blines? \d", text) else ""
    return f"  - {names.visible(key)}: {text}{where}"


def load(path: str | Path = "params.yaml") -> Params:
    """Read and check ``params.yaml``. Raises `RefoldError` listing every problem."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise RefoldError(f"{path} is missing; copy one from examples/") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RefoldError(f"{path} cannot be read: {error}; text in UTF-8 is wanted") from None
    try:
        document = yamlfile.parse(text)
    except yamlfile.SyntaxFault as error:
        raise RefoldError(f"{path}: 1 problem\n  - {error}") from None
    if document.values is None:
        raise RefoldError(f"{path} is empty; copy one from examples/")
    return _validate(document, str(path))
