"""``logs/provenance.log``: what differs between runs that give the same bytes, such as times and the machine."""

from __future__ import annotations

import os
import platform
import shlex
import socket
import sys
from datetime import datetime
from pathlib import Path

from refold.run import machine

FILE = "logs/provenance.log"


def _add(path: str | Path, text: str) -> None:
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    now = datetime.now().astimezone().isoformat(timespec="seconds")
    with open(path, "a", encoding="utf-8") as handle:
        handle.write(f"{now} {text}\n")


def started(path: str | Path = FILE) -> None:
    """A run of Snakemake begins: who, where, on what."""
    user = os.environ.get("USER") or os.environ.get("LOGNAME") or "unknown"
    _add(
        path,
        f"start host={socket.gethostname()} user={shlex.quote(user)} pid={os.getpid()} cores={os.cpu_count()} "
        f"processor={shlex.quote(machine.model())} system={shlex.quote(platform.platform())} "
        f"python={platform.python_version()} command={shlex.quote(shlex.join(sys.argv))}",
    )


def ended(success: bool, path: str | Path = FILE) -> None:
    """It ends."""
    _add(path, f"end pid={os.getpid()} {'success' if success else 'failure'}")
