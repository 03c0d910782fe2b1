"""The fingerprint: what the data set looks like, for people and for planning networks."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from refold.core import log, paths, seals
from refold.core.errors import RefoldError
from refold.imaging import store
from refold.imaging.cases import Case
from refold.imaging.dataset import Description
from refold.imaging.grid import mm
from refold.imaging.intensity import one_intensity
from refold.imaging.plan import plan
from refold.preprocess.cases import read_manifests, tidy
from refold.settings.preprocess import Preprocess

FINGERPRINT = paths.FINGERPRINT
LARGEST = 2.0  # stored bytes over raw float32 bytes above which the user is warned


def _median(rows: list[list[float]]) -> list[float]:
    return mm(np.median(np.array(rows, float), axis=0))


def _spread(values: list[float]) -> dict[str, float] | None:
    if not values:
        return None
    low, middle, high = np.percentile(values, [0, 50, 100])
    return {"min": float(f"{low:.6g}"), "median": float(f"{middle:.6g}"), "max": float(f"{high:.6g}")}


def build(cases: list[Case], description: Description, params: Preprocess, folder: str | Path = store.FOLDER) -> dict:
    """Merge the shards' manifests into one fingerprint.

    Raises:
        RefoldError: a shard is missing or out of date, or over 99 % of all foreground have one intensity in a ``ct``
            channel.
    """
    manifests = read_manifests(cases, params.shards, folder)
    entries: dict[str, dict[str, Any]] = {k: v for m in manifests for k, v in m["cases"].items()}
    warnings = sorted(
        (w for m in manifests for w in m["warnings"]), key=lambda w: (w["case"], w["check"], w["message"])
    )
    ordered = [entries[c.case] for c in cases]
    _several_intensities(ordered)
    stored, raw = sum(e["bytes"] for e in ordered), sum(e["raw_bytes"] for e in ordered)
    if stored > LARGEST * raw:
        warnings.append(
            {
                "check": "size",
                "case": "",
                "file": str(folder),
                "message": f"the stored data are {stored / raw:.1f} times the raw images as float32: "
                "preprocess.spacing is finer than the data; a coarser one saves space and time",
            }
        )
    result: dict[str, Any] = {
        "dataset": description.name,
        "dimension": description.dimension,
        "channels": list(description.channels),
        "modalities": list(description.modalities),
        "normalisation": manifests[0]["modes"],
        "labels": list(description.labels.names),
        "target_spacing": manifests[0]["target_spacing"],
        "median": {
            "shape": [int(n) for n in np.floor(np.median([e["shape"]["stored"] for e in ordered], axis=0) + 0.5)],
            "spacing": manifests[0]["target_spacing"] or _median([e["spacing"]["stored"] for e in ordered]),
            "raw_shape": _median([e["shape"]["raw"] for e in ordered]),
            "raw_spacing": _median([e["spacing"]["raw"] for e in ordered]),
        },
        "volume_ml": {
            n: _spread([e["volume_ml"][n] for e in ordered if e["voxels"][n]]) for n in description.labels.foreground
        },
        "cases_with_label": {n: sum(e["voxels"][n] > 0 for e in ordered) for n in description.labels.foreground},
        "size": {"cases": len(ordered), "stored_bytes": stored, "raw_bytes": raw, "ratio": round(stored / raw, 4)},
        "warnings": warnings,
    }
    result["proposed"] = {}
    for dimension in range(2, description.dimension + 1):
        p = plan(result, dimension)
        result["proposed"][f"{dimension}d"] = {"patch": list(p.patch), "strides": [list(s) for s in p.strides]}
    hidden = ("file", "source", "raw_bytes", "one_intensity")
    result["cases"] = {c.case: {k: v for k, v in entries[c.case].items() if k not in hidden} for c in cases}
    return result


def _several_intensities(entries: list[dict[str, Any]]) -> None:
    """Raises `RefoldError` where ``ct`` would make a channel constant, whatever the folds are."""
    seen = [e for e in entries if any(v for k, v in list(e["voxels"].items())[1:])]
    for channel in seen[0]["one_intensity"] if seen else ():
        found = {e["one_intensity"].get(channel) for e in seen}
        if len(found) == 1:
            raise RefoldError(one_intensity(int(channel), found.pop(), f"all {len(seen)} cases that have any"))


def run(
    cases: list[Case],
    description: Description,
    params: Preprocess,
    folder: str | Path = store.FOLDER,
    path: str | Path = FINGERPRINT,
) -> None:
    """Write ``data/fingerprint.json``; what earlier cases and shards left in ``folder`` is deleted before."""
    result = build(cases, description, params, folder)
    for name in tidy(cases, params.shards, folder):
        log.get().info("deleted %s: no longer in the data set", name)
    seals.write(path, result)
