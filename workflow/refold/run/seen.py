"""Hashes of files that no job of Snakemake makes, read again only where their size or times changed.

A note holds size, time of the last change and time of the last change of the file's entry (mtime and ctime, in ns) of
each file beside the hash. Programs can set mtime back (``cp -p``, ``rsync -a``), but not ctime. Notes belong to this
machine and may be deleted: the files are then read once more.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from refold.core.files import write_text
from refold.imaging.cases import digest
from refold.run.life import FOLDER

RAW, ARCHIVE = FOLDER / "seen/raw.json", FOLDER / "seen/archive.json"
SETTLED = 2_000_000_000  # ns; a file changed so lately could change again within one tick of its file system's clock

Stat = tuple[int, int, int]


def of_method(method: str, fold: str | int) -> Path:
    """The notes on another program's label maps of one fold."""
    return FOLDER / f"seen/methods.{method}.fold-{fold}.json"


def stats(files: Iterable[str | Path]) -> list[Stat] | None:
    """Size, mtime and ctime of each file; None where one is missing or changed within the last two seconds."""
    found = []
    now = time.time_ns()
    for file in files:
        try:
            s = os.stat(file)
        except OSError:
            return None
        if now - s.st_ctime_ns < SETTLED:
            return None
        found.append((s.st_size, s.st_mtime_ns, s.st_ctime_ns))
    return found


def stored(path: str | Path) -> dict[str, Any]:
    """Notes in a JSON file. Damaged ones are none: what they said is found out anew."""
    try:
        found = json.loads(Path(path).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}


class Seen:
    """The notes in one file: {key: (names, stats, sha256)}.

    Only what was asked for or noted since it was read is kept by `save`.
    """

    def __init__(self, path: str | Path):
        self.path = Path(path)
        self._kept: dict[str, list] = {}
        self._changed = False
        self._known = {k: v for k, v in stored(self.path).items() if isinstance(v, list) and len(v) == 3}

    def known(self, key: str, names: Sequence[str], root: str | Path = "") -> str | None:
        """The hash of the files' bytes, one after the other, if none changed since it was noted; None if one did.

        Args:
            key: what they are together, such as a case.
            names: paths relative to ``root``.
        """
        note = self._known.get(key)
        if note is None or note[0] != list(names) or note[1] is None:
            return None
        now = stats(os.path.join(root, n) for n in names)
        if now is None or [list(s) for s in now] != note[1]:
            return None
        self._kept[key] = note
        return note[2]

    def read(self, key: str, names: Sequence[str], root: str | Path = "") -> str:
        """The same hash from the files themselves; noted. Raises `OSError` where one cannot be read."""
        paths = [os.path.join(root, n) for n in names]
        before = stats(paths)  # a change during the reading shows as other times later
        found = digest(paths)
        self.note(key, names, before, found)
        return found

    def note(self, key: str, names: Sequence[str], found: Sequence[Stat] | None, sha256: str | None) -> None:
        """Keep what files were read with; ``found`` as `stats` gave it before they were read."""
        self._kept[key] = [list(names), found and [list(s) for s in found], sha256]
        self._changed |= self._kept[key] != self._known.get(key)

    def save(self, rest: bool = False) -> None:
        """Write the notes if they are others than in the file. rest: keep also those not asked for yet."""
        kept = {**self._known, **self._kept} if rest else self._kept
        if self._changed or len(kept) != len(self._known):
            write_text(self.path, json.dumps(kept, ensure_ascii=False, separators=(",", ":")))
