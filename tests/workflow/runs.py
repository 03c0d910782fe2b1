"""Runs of the real Snakemake on copies of the project: start, change, kill, compare."""

import os
import random
import re
import shutil
import signal
import subprocess
import sys
import time
from base64 import urlsafe_b64decode
from contextlib import suppress
from pathlib import Path

import yaml

from refold.core.files import sha256_file
from tests import warm

ROOT = Path(__file__).resolve().parents[2]


def snakemake(folder, *arguments, check=True, cold=False):
    """Run Snakemake in ``folder``; its output and errors together."""
    command = (sys.executable, "-m", "snakemake", *arguments)
    run = warm.run(*command, folder=folder, env=os.environ, timeout=900, cold=cold)
    if check and run.returncode:
        raise AssertionError(run.stdout[-6000:])
    return run


def project(folder: Path) -> Path:
    """What a clone holds, with the tiny experiment in place of the default one."""
    folder.mkdir()
    for name in ("Snakefile", "dvc.yaml", "workflow", "profiles"):
        source = ROOT / name
        if source.is_dir():
            shutil.copytree(source, folder / name, ignore=shutil.ignore_patterns("__pycache__"))
        else:
            shutil.copy(source, folder / name)
    shutil.copy(ROOT / "examples" / "tiny.yaml", folder / "params.yaml")
    return folder


def edit(folder: Path, **sections):
    path = folder / "params.yaml"
    values = yaml.safe_load(path.read_text())
    for section, changes in sections.items():
        values.setdefault(section, {}).update(changes)
    path.write_text(yaml.safe_dump(values, sort_keys=False))


def wanted(folder: Path) -> dict[str, int]:
    """Jobs that a dry run wants, by rule; without `all`."""
    out = snakemake(folder, "-n").stdout
    table = re.findall(r"(?m)^(\w+) +(\d+)$", out.partition("Job stats:")[2].partition("Reasons")[0])
    return {rule: int(n) for rule, n in table if rule not in ("total", "all")}


# ---------------------------------------------------------------- killing


def start(folder: Path, *command: str) -> subprocess.Popen:
    """Start a command, Snakemake if none is given, in a process group of its own; its output goes to run.log."""
    with open(folder / "run.log", "ab") as log:
        return subprocess.Popen(
            command or [sys.executable, "-m", "snakemake", "--cores", "2"],
            cwd=folder,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )


def family(pid: int) -> list[int]:
    """All living descendants of a process."""
    children = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            state, parent = path.read_text().rpartition(")")[2].split()[:2]
        except OSError:
            continue
        if state not in "ZX":
            children.setdefault(int(parent), []).append(int(path.parent.name))
    found = list(children.get(pid, []))
    for child in found:
        found += children.get(child, [])
    return found


def kill(process: subprocess.Popen, how: str, draw: random.Random) -> None:
    """SIGKILL: ``all`` of a process group, its ``leader`` alone, or ``one`` of its descendants."""
    if how == "all":
        os.killpg(process.pid, signal.SIGKILL)
    elif how == "one" and (others := family(process.pid)):
        with suppress(ProcessLookupError):  # it ended this moment
            os.kill(draw.choice(sorted(others)), signal.SIGKILL)
    else:
        process.kill()


def contents(folder: Path, *kinds: str) -> dict[str, str]:
    """Hash of each file under these folders, leaving out checkpoints."""
    return {
        str(path.relative_to(folder)): sha256_file(path)
        for kind in kinds or ("data", "results")
        for path in sorted((folder / kind).rglob("*"))
        if path.is_file() and ".checkpoints" not in path.parts
    }


def incomplete(folder: Path) -> set[str]:
    """Outputs that Snakemake holds for unfinished."""
    top = folder / ".snakemake/incomplete"
    names = ("".join(p.relative_to(top).parts).replace("@", "") for p in top.rglob("*") if p.is_file())
    return {urlsafe_b64decode(name).decode() for name in names}


def differences(one: dict[str, str], other: dict[str, str]) -> list[str]:
    """Names of files that only one has, or that are not the same."""
    return sorted(name for name in one.keys() | other if one.get(name) != other.get(name))


def wait_for(condition, seconds: float = 60.0, step: float = 0.02):
    """The first true value of ``condition()``."""
    end = time.monotonic() + seconds
    while not (value := condition()):
        assert time.monotonic() < end, "waited in vain"
        time.sleep(step)
    return value


def jobs_in(folder: Path) -> list[int]:
    """Processes of phases whose working directory is ``folder``; without their shells."""
    found = []
    for path in os.listdir("/proc"):
        try:
            if os.readlink(f"/proc/{path}/cwd") == str(folder):
                with open(f"/proc/{path}/cmdline", "rb") as handle:
                    words = handle.read().split(b"\0")
                    if words[1:2] == [b"-m"] and words[2].startswith(b"refold."):
                        found.append(int(path))
        except OSError:
            continue
    return found
