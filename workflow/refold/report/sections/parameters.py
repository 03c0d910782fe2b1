"""Every parameter, and what trainings noted."""

from __future__ import annotations

from typing import Any

from refold.core.language import _
from refold.experiment import descriptions
from refold.experiment import params as model
from refold.report.export import Kept
from refold.report.inputs import Experiment


def context(e: Experiment, kept: Kept) -> dict[str, Any]:
    """What the template shows."""
    cards = [(method, fold, flat(card.get("training", {}))) for (method, fold), card in e.cards.items()]
    return {"parameters": parameters(e), "cards": cards}


def parameters(e: Experiment) -> list[dict[str, Any]]:
    """Every stamp, flattened: (dotted key, value, description)."""
    sections = []
    for stamp, content in e.shown.items():
        known: dict[str, str] = {}
        field = model.Params.model_fields.get(stamp)
        if field is not None and isinstance(field.annotation, type) and issubclass(field.annotation, model.Section):
            known = descriptions.all_of(field.annotation)
        elif stamp.startswith("methods."):
            known = descriptions.all_of(type(e.params.methods[stamp.removeprefix("methods.")]))
        rows = [(key, value, _meaning(known, key)) for key, value in flat(content)]
        sections.append({"section": stamp, "rows": rows})
    return sections


def _meaning(known: dict[str, str], key: str) -> str:
    """Of a key or, where users name it themselves, of the one that holds it."""
    while key not in known and "." in key:
        key = key.rpartition(".")[0]
    return _(known[key]) if known.get(key) else ""


def flat(value: Any, prefix: str = "") -> list[tuple[str, str]]:
    """A JSON value as (dotted key, text); lists of plain values stay on one line."""
    if isinstance(value, dict) and value:
        return [pair for k in value for pair in flat(value[k], f"{prefix}{k}.")]
    if isinstance(value, list) and any(isinstance(v, (dict, list)) for v in value):
        return [pair for i, v in enumerate(value) for pair in flat(v, f"{prefix}{i}.")]
    text = f"[{', '.join(map(_plain, value))}]" if isinstance(value, list) else _plain(value)
    return [(prefix.removesuffix("."), text)]


def _plain(value: Any) -> str:
    return (
        {None: "null", True: "true", False: "false"}[value]
        if value is None or isinstance(value, bool)
        else (f"{value:.10g}" if isinstance(value, float) else str(value))
    )
