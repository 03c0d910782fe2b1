"""In what runs differ besides their numbers: data, split, parameters, versions."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from refold.compare.reading import Run
from refold.experiment.params import Params
from refold.report.cells import NOT_DEFINED
from refold.report.inputs import shown
from refold.report.sections.parameters import flat

SELECTION = "selection"  # the stamp that says which methods and folds are run


@dataclass(frozen=True)
class Keys:
    """Keys that differ, with a text for each run. partly: whether only keys written by hand could be compared."""

    rows: list[tuple[str, list[str]]]
    partly: bool = False


def _pruned(value: Any) -> Any:
    """Without empty sections, which stand for "nothing changed" and would look like a value."""
    if isinstance(value, dict):
        return {k: inner for k, v in value.items() if (inner := _pruned(v)) != {}}
    return value


def _flat(run: Run, names: dict[str, str]) -> dict[str, str]:
    """{dotted key: text}; methods under the names that they have in the first run."""
    if run.params is None:
        return dict(flat(_pruned(run.written or {})))
    sections = shown(run.params)
    selected = sections.pop(SELECTION, {})
    found: dict[str, str] = {}
    for section, content in sections.items():
        method = section.removeprefix("methods.")
        section = f"methods.{names.get(method, method)}" if section.startswith("methods.") else section
        found |= {f"{section}.{key}": text for key, text in flat(_pruned(content))}
    if "folds" in selected:
        [(_, found["split.run_folds"])] = flat(selected["folds"])
    return found


def renamed(runs: list[Run], chosen: list[tuple[Run, Run, str, str]]) -> dict[str, dict[str, str]]:
    """{mark: {method: its partner in the first run}} for methods paired under two names, unless a name is taken."""
    found: dict[str, dict[str, str]] = {r.mark: {} for r in runs}
    for first, other, a, b in chosen:
        if a != b and a not in other.methods and b not in first.methods:
            found[other.mark].setdefault(b, a)
    return found


def parameters(runs: list[Run], chosen: list[tuple[Run, Run, str, str]]) -> Keys | None:
    """Keys of params.yaml that differ; None where those of a run are not known at all.

    A method that not every run has is one line. Where a run's params.yaml does not fit this version of refold, its
    defaults are not known, and only keys that it gives are compared.
    """
    if any(r.params is None and r.written is None for r in runs):
        return None
    names = renamed(runs, chosen)
    flats = [_flat(r, names[r.mark]) for r in runs]
    keys = list(dict.fromkeys(k for f in flats for k in f))
    partly = [f for r, f in zip(runs, flats, strict=True) if r.params is None]
    keys = [k for k in keys if all(k in f for f in partly)]
    rows: dict[str, list[str]] = {}
    for key in keys:
        values = [f.get(key, NOT_DEFINED) for f in flats]
        method = ".".join(key.split(".")[:2])
        if key.startswith("methods.") and not all(f"{method}.kind" in f for f in flats):
            rows[method] = [f.get(f"{method}.kind", NOT_DEFINED) for f in flats]
        elif len(set(values)) > 1:
            rows[key] = values
    order = {section: i for i, section in enumerate(Params.model_fields)}
    found = sorted(rows.items(), key=lambda row: order.get(row[0].split(".")[0], len(order)))
    return Keys(found, bool(partly))


def versions(runs: list[Run]) -> Keys | None:
    """Python and libraries that differ, as provenance.json has them; None where a run has none."""
    known = [v for r in runs if (v := (r.provenance or {}).get("versions"))]
    if len(known) < len(runs):
        return None
    names = list(dict.fromkeys(n for v in known for n in v))
    rows = [(n, [str(v.get(n, NOT_DEFINED)) for v in known]) for n in names]
    return Keys([(n, values) for n, values in rows if len(set(values)) > 1])


def code(runs: list[Run]) -> list[str] | None:
    """Phases whose code is not the same in all runs; None where a run does not tell."""
    known = [c for r in runs if (c := (r.provenance or {}).get("code"))]
    if len(known) < len(runs):
        return None
    return [p for p in dict.fromkeys(p for c in known for p in c) if len({c.get(p) for c in known}) > 1]
