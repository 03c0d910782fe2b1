"""The hashes that travel with every result: parameters, data, split, code."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from refold.core.files import sha256_file, sha256_json


def of_params(stamps: dict[str, Any]) -> dict[str, str]:
    """Hash of each parameter section by its name."""
    return {name: sha256_json(value) for name, value in sorted(stamps.items())}


def of_code(files: Iterable[str], root: str | Path) -> str:
    """One hash over the bytes of source files, named relative to ``root``: neither order nor place matters."""
    return sha256_json({name: sha256_file(Path(root) / name) for name in sorted(files)})
