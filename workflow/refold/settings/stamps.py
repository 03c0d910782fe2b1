"""The frozen sections of one run, as jobs see them: ``results/.params/<section>.json``."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, TypeVar

from refold.core.errors import RefoldError
from refold.core.files import read_json, write_text
from refold.core.paths import PARAMS
from refold.settings.base import Section

FOLDER = PARAMS
S = TypeVar("S", bound=Section)


class Stamps:
    """Sections frozen in a folder. A job sees the sections that it asks for, and no other."""

    def __init__(self, folder: str | Path = FOLDER):
        self.folder = Path(folder)
        self._read: dict[str, Any] = {}

    def read(self, section: type[S]) -> S:
        """One section as frozen. Raises `RefoldError` when its file is missing or damaged."""
        return section.model_validate(self.frozen(section.__name__.lower()))

    def frozen(self, name: str) -> Any:
        """One stamp as it is: of a section, or ``methods.<name>``. Raises `RefoldError` as `read` does."""
        content = read_json(self.folder / f"{name}.json")
        self._read.setdefault(name, content)
        return content

    def check(self) -> None:
        """At a job's end: raises `RefoldError` where a stamp no longer says what was read.

        The output would otherwise be newer than the changed stamp, and pass for up to date.
        """
        for name, content in self._read.items():
            if read_json(self.folder / f"{name}.json") != content:
                raise RefoldError(f"params.yaml changed in {name!r} while this job ran; run snakemake again")

    def write(self, sections: Mapping[str, Any]) -> dict[str, str]:
        """Freeze every section; a file is rewritten only when its content changes. Returns the path of each."""
        paths = {}
        for name, value in sections.items():
            path = self.folder / f"{name}.json"
            text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                write_text(path, text)
            paths[name] = str(path)
        for old in self.folder.glob("methods.*.json"):
            if old.name.removesuffix(".json") not in sections:
                old.unlink()
        return paths
