"""What a killed training needs to go on exactly: weights, averaged weights, optimizer, epoch, history."""

from __future__ import annotations

import io
import json
import zipfile
from pathlib import Path
from typing import Any

import numpy as np

from refold.core import log
from refold.core.files import atomic


def save(path: str | Path, key: str, arrays: dict[str, list[np.ndarray]], state: dict[str, Any]) -> None:
    """Write atomically. ``key`` is the hash of everything the training depends on; ``state`` is JSON."""
    flat: dict[str, Any] = {f"{name}/{i}": a for name, values in arrays.items() for i, a in enumerate(values)}
    buffer = io.BytesIO()
    flat["//state"] = np.array(json.dumps({"key": key, **state}))
    np.savez(buffer, **flat)
    with atomic(path) as temporary:
        temporary.write_bytes(buffer.getvalue())


def load(path: str | Path, key: str) -> tuple[dict[str, list[np.ndarray]], dict[str, Any]] | None:
    """The checkpoint, or None when there is none or it belongs to another key (logged)."""
    path = Path(path)
    if not path.is_file():
        return None
    try:
        with np.load(path) as file:
            state = json.loads(str(file["//state"]))
            if state.pop("key") != key:
                log.get().warning(
                    f"{path} belongs to other parameters, data, code or another kind of machine: training starts anew"
                )
                return None
            arrays: dict[str, list[tuple[int, np.ndarray]]] = {}
            for name in file.files:
                if name != "//state":
                    group, index = name.rsplit("/", 1)
                    arrays.setdefault(group, []).append((int(index), file[name]))
            return {g: [a for _, a in sorted(v, key=lambda p: p[0])] for g, v in arrays.items()}, state
    except (OSError, EOFError, ValueError, KeyError, NotImplementedError, zipfile.BadZipFile) as error:
        # some of these messages hold the file's bytes
        log.get().warning(f"{path} cannot be read ({type(error).__name__}: {str(error)[:80]!r}): training starts anew")
        return None
