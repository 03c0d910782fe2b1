"""Snakemake, DVC and Git asked as their commands, from the project's folder."""

from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refold.core.errors import RefoldError


def run(
    *command: str, folder: str | Path = ".", quiet: bool = True, env: Mapping[str, str] | None = None
) -> subprocess.CompletedProcess:
    """A command of this Python environment; output and errors are kept unless it may show them itself."""
    return subprocess.run([*command], cwd=folder, text=True, env=env, capture_output=quiet)


def snakemake(*arguments: str, folder: str | Path = ".", quiet: bool = True) -> subprocess.CompletedProcess:
    return run(sys.executable, "-m", "snakemake", *arguments, folder=folder, quiet=quiet)


def dvc(*arguments: str, folder: str | Path = ".", quiet: bool = True, **options: Any) -> subprocess.CompletedProcess:
    return run(sys.executable, "-m", "dvc", *arguments, folder=folder, quiet=quiet, **options)


def git(*arguments: str, folder: str | Path = ".") -> subprocess.CompletedProcess:
    try:
        return run("git", *arguments, folder=folder)
    except FileNotFoundError:
        raise RefoldError(
            "git is not installed here, or not on the path; DVC's record lives in a Git repository"
        ) from None


def is_repository() -> bool:
    """Whether Git is there and knows the current folder."""
    try:
        return git("rev-parse", "--git-dir").returncode == 0
    except RefoldError:
        return False


def last_words(done: subprocess.CompletedProcess) -> str:
    """The lines that say why a command failed."""
    lines = [x.strip() for x in f"{done.stdout or ''}\n{done.stderr or ''}".splitlines() if x.strip()]
    told = [x for x in lines if x.lower().startswith("error")]
    return "\n".join(told or lines[-5:])


# ---------------------------------------------------------------- Snakemake


@dataclass(frozen=True)
class Output:
    """One declared file. pending: whether its job would run. status: Snakemake's word for why."""

    path: str
    rule: str
    pending: bool
    status: str


def planned(folder: str | Path = ".") -> list[Output]:
    """Every declared file of the experiment, and what Snakemake would do about it.

    Raises:
        RefoldError: Snakemake cannot say, in its own words.
    """
    done = snakemake("--summary", folder=folder)
    _, _, table = done.stdout.partition("output_file\t")
    if done.returncode or not table:
        raise RefoldError(f"Snakemake cannot plan this experiment\n{last_words(done)}")
    rows = csv.DictReader(f"output_file\t{table}".splitlines(), delimiter="\t")
    return [Output(r["output_file"], r["rule"], r["plan"] != "no update", r["status"]) for r in rows if r["rule"]]


def fresh(folder: str | Path = ".") -> bool:
    """Whether a dry run certifies that nothing is to be done.

    Raises:
        RefoldError: the dry run failed, in Snakemake's own words.
    """
    done = snakemake("--dry-run", "--", "all", folder=folder)
    if done.returncode:
        raise RefoldError(f"Snakemake cannot plan this experiment\n{last_words(done)}")
    return "Nothing to be done" in done.stdout + done.stderr


# ---------------------------------------------------------------- DVC


def unlock(folder: str | Path = ".") -> None:
    """Delete DVC's note of who works on which file where a kill cut it short; every DVC command refuses such a note."""
    path = Path(folder) / ".dvc" / "tmp" / "rwlock"

    def cut() -> bool:
        try:
            json.loads(path.read_text())
        except FileNotFoundError:
            return False
        except ValueError:
            return True
        return False

    if not cut():
        return
    time.sleep(0.5)  # a DVC that is alive has written the rest by now
    if cut():
        path.unlink(missing_ok=True)
        print(f"warning: {path} was cut short when DVC was killed; deleted", file=sys.stderr)


def initialised(folder: str | Path = ".") -> None:
    """Raises `RefoldError` where DVC keeps no record, or one that would be overwritten in place."""
    if not (Path(folder) / ".dvc" / "config").is_file():
        raise RefoldError("there is no .dvc/config here: run this in the project's folder, or `dvc init` first")
    inside = git("rev-parse", "--is-inside-work-tree", folder=folder)
    if inside.returncode:
        raise RefoldError("this folder is no Git repository; DVC's record lives in one: `git init`, add and commit")
    unlock(folder)
    types = dvc("config", "cache.type", folder=folder).stdout.strip()
    if "hardlink" in types.split(","):
        raise RefoldError(
            "cache.type is hardlink: a job would write into DVC's cache through it; allowed are reflink, copy and "
            "symlink: `dvc config cache.type reflink,copy`"
        )


def commit(names: Sequence[str]) -> subprocess.CompletedProcess:
    """Put what is here on DVC's record, for these stages alone."""
    program = "import sys; from refold.core.private import dvc_commit; sys.exit(dvc_commit(sys.argv[1:]))"
    return run(sys.executable, "-c", program, *names, quiet=False)


def differing(folder: str | Path = ".", thorough: bool = False) -> dict[str, list[Any]]:
    """Stages whose parameters, dependencies or outs are not those on record, as ``dvc status`` gives them.

    Args:
        thorough: DVC knows nothing of sizes and times that it saw before, so it reads every file.

    Raises:
        RefoldError: DVC cannot say, in its own words.
    """
    with tempfile.TemporaryDirectory() as empty:
        more = {"DVC_SITE_CACHE_DIR": empty} if thorough else {}
        done = dvc("status", "--json", folder=folder, env={**os.environ, **more})
    if done.returncode:
        raise RefoldError(f"DVC cannot compare this folder with its record\n{last_words(done)}")
    return json.loads(done.stdout.strip().splitlines()[-1])


def reasons(stage: Sequence[Any]) -> list[str]:
    """``params.yaml: train.epochs modified``, one a difference."""
    found = []
    for entry in stage:
        if isinstance(entry, str):
            found.append(entry)
            continue
        for paths in entry.values():
            for path, state in paths.items():
                if isinstance(state, dict):
                    found += [f"{path}: {key} {how}" for key, how in state.items()]
                else:
                    found.append(f"{path} {state}")
    return found
