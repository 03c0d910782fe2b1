"""Models of arrays in one file: the same bytes for the same model, without pickle."""

from __future__ import annotations

import io
import json
import zipfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import numpy as np

from refold.core.errors import RefoldError
from refold.core.files import atomic

FILE = "model.npz"


def save(path: Path, kind: str, arrays: Mapping[str, np.ndarray], facts: Mapping[str, Any]) -> None:
    """Write ``arrays`` and ``facts``, as JSON holds them, of a model of a kind."""
    about = np.array(json.dumps({"kind": kind, **facts}, sort_keys=True, allow_nan=False))
    buffer = io.BytesIO()
    kept: dict[str, Any] = {k: arrays[k] for k in sorted(arrays)}
    np.savez(buffer, about=about, **kept)
    with atomic(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def load(path: Path, kind: str) -> tuple[dict[str, np.ndarray], dict[str, Any]]:
    """What `save` wrote. Raises `RefoldError` when the file is missing, broken or of another kind."""
    try:
        with np.load(path, allow_pickle=False) as file:
            facts = json.loads(str(file["about"]))
            arrays = {name: file[name] for name in file.files if name != "about"}
        if facts.pop("kind") != kind:
            raise ValueError("another kind")
    except (OSError, EOFError, ValueError, KeyError, TypeError, AttributeError, zipfile.BadZipFile):
        raise RefoldError(f"{path} holds no {kind} model of this version; train it again") from None
    return arrays, facts


def need(found: bool, path: Path, kind: str) -> None:
    """Raises `RefoldError` unless what was read fits together."""
    if not found:
        raise RefoldError(f"{path} holds no {kind} model of this version; train it again")
