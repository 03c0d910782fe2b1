"""Which commit the results come from, asked once by the main Snakemake process: a cluster's node may have no git."""

from __future__ import annotations

import json
import os
import subprocess
from pathlib import Path
from typing import Any

from refold.core.files import write_text

# Only what results depend on: a commit of documentation, or of dvc.lock after each run, changes no result. What the
# Snakefile imports of the commands decides which jobs run.
PATHS = (
    "Snakefile", "workflow", "params.yaml", ":(exclude)workflow/refold/compare", ":(exclude,glob)**/__pycache__/**",
)  # fmt: skip
FILE = "results/.source.json"
ELSEWHERE = {"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"}  # of a hook of git, perhaps in another repository


def _git(folder: Path, *arguments: str) -> str | None:
    """What git prints; None if it fails."""
    run = subprocess.run(
        ["git", "-c", "log.showSignature=false", "-C", str(folder), *arguments],
        capture_output=True,
        text=True,
        check=False,
        # or a status beside a commit of DVC's would be in its way
        env={**{k: v for k, v in os.environ.items() if k not in ELSEWHERE}, "GIT_OPTIONAL_LOCKS": "0", "LC_ALL": "C"},
    )
    return run.stdout if run.returncode == 0 else None


def state(folder: str | Path = ".") -> dict[str, Any]:
    """The last commit that touched what results depend on, and what differs from it in the working tree.

    Returns:
        ``commit`` (hash) and its ``date``, ``clean``, ``modified`` (files, relative to ``folder``) and ``note``.
        Where git cannot say, all but ``note`` are None.
    """
    folder = Path(folder)

    def unknown(note: str) -> dict[str, Any]:
        return {"commit": None, "date": None, "clean": None, "modified": None, "note": note}

    try:
        place = _git(folder, "rev-parse", "--is-shallow-repository", "--git-path", "shallow", "--show-prefix")
    except OSError:
        return unknown("git is not installed where Snakemake was started")
    if place is None:
        return unknown("the project's folder is no git repository, or git refuses to read it")
    shallow, boundary, prefix = place.split("\n")[:3]
    last = _git(folder, "log", "-1", "--format=%H %cI", "--", *PATHS)
    changed = _git(folder, "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--", *PATHS)
    if not last or changed is None:
        return unknown("git holds no commit of this project's files")
    commit, date = last.split()
    # "XY path": the paths are relative to the repository, whatever the folder
    modified = sorted(entry[3:].removeprefix(prefix) for entry in changed.split("\0") if entry)
    note = None
    if shallow == "true" and commit in (folder / boundary).read_text(encoding="utf-8"):
        note = "the clone has no older history, so the last change may be older than this commit"
    return {"commit": commit, "date": date, "clean": not modified, "modified": modified, "note": note}


def record(path: str | Path = FILE, folder: str | Path = ".") -> None:
    """Write `state` to a file, only if it changed."""
    path = Path(path)
    text = json.dumps(state(folder), indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    if not path.exists() or path.read_text(encoding="utf-8") != text:
        write_text(path, text)
