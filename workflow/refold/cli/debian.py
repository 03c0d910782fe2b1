"""Programs of Debian that tests need: on a bare machine they are installed, elsewhere the test is skipped."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Mapping
from pathlib import Path

from filelock import FileLock


class Unavailable(Exception):
    """Why a program cannot be had here."""


def command(*words: str, timeout: float = 30, **options) -> str:
    """Output of a command; never waits longer than ``timeout`` seconds."""
    run = subprocess.run(words, capture_output=True, text=True, timeout=timeout, **options)
    if run.returncode:
        raise RuntimeError(f"{' '.join(words)}: {run.stdout}{run.stderr}")
    return run.stdout


def install(packages: Mapping[str, str], what: str) -> None:
    """Install the packages, {program: package}, whose programs are missing.

    Raises `Unavailable` where that is not ours to do, or fails.
    """
    missing = [package for program, package in packages.items() if not shutil.which(program)]
    if not missing:
        return
    wanted = f"{what} is not installed (apt-get install {' '.join(missing)})"
    if os.geteuid() != 0 or not shutil.which("apt-get") or Path("/run/systemd/system").exists():
        raise Unavailable(wanted)  # not behind the back of a user or a service manager
    environment = os.environ | {"DEBIAN_FRONTEND": "noninteractive"}
    install = ("apt-get", "install", "-y", "-qq", "--no-install-recommends", *missing)
    try:
        with FileLock(Path(tempfile.gettempdir()) / "refold-apt.lock"):  # two workers may want different packages
            command("apt-get", "update", "-qq", timeout=300, env=environment)
            command(*install, timeout=600, env=environment)
    except (RuntimeError, subprocess.TimeoutExpired) as error:
        raise Unavailable(f"{wanted}, and installing it failed: {str(error)[-300:]}") from None
