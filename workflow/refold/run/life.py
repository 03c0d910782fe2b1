"""A job's life: it ends with the Snakemake that started it, and never works beside a newer run.

Snakemake killed by SIGKILL leaves its jobs running; they would write into what the next run makes. So each job holds a
shared lock on ``.snakemake/refold/jobs.lock`` as long as it or a process of its lives, watches its Snakemake, and ends
when that has died. The next run (`refold.run.runs`) waits until nobody holds the lock.
"""

from __future__ import annotations

import fcntl
import multiprocessing
import os
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import NoReturn

FOLDER = Path(".snakemake/refold")
JOBS, RUN = FOLDER / "jobs.lock", FOLDER / "run"
PARENT, TOKEN = "REFOLD_SNAKEMAKE", "REFOLD_RUN"  # environment: process that starts the jobs, and the run they are of
PERIOD = 0.5  # seconds between two looks at the parent


def started(pid: int) -> str | None:
    """When a process started, in the system's own count; "" where it does not tell; None if the process is dead."""
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return None
    except OSError:
        pass  # another user's
    try:
        text = Path(f"/proc/{pid}/stat").read_text()
    except (FileNotFoundError, ProcessLookupError):
        return None if Path("/proc/self/stat").exists() else ""
    except OSError:
        return ""
    state, *fields = text.rpartition(")")[2].split()
    return None if state in "ZX" else fields[18]


def mark_parent() -> None:
    """Let the jobs that this process starts end with it."""
    os.environ[PARENT] = f"{os.getpid()} {started(os.getpid())}".strip()


def _orphaned() -> bool:
    """Whether the Snakemake that started this job is dead, or its number belongs to another process by now."""
    pid, _, then = os.environ[PARENT].partition(" ")
    now = started(int(pid))
    return now is None or bool(now and then and now != then)


def begin() -> None:
    """Called before a job's work. Ends the process at once when its run is over; does nothing without Snakemake."""
    if PARENT not in os.environ:
        return
    FOLDER.mkdir(parents=True, exist_ok=True)
    # never closed: the lock is let go by the death of this process and of those that it forked
    handle = os.open(JOBS, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        fcntl.flock(handle, fcntl.LOCK_SH)
    except OSError as error:
        from refold.core import log

        log.get().warning(f"{JOBS} cannot be locked ({error}): a run started again would not wait for this job")
    if _orphaned():
        _end("the snakemake that started this job is dead")
    # only now: a newer run writes its token before it lets jobs have the lock
    if (token := os.environ.get(TOKEN)) and (not RUN.is_file() or RUN.read_text() != token):
        _end("a newer run has begun in this folder")
    shell = os.getppid()
    # without its shell, Snakemake holds the job for failed
    _watch(lambda: _orphaned() or os.getppid() != shell, "the snakemake or the shell that started this job was killed")


def with_parent() -> None:
    """Initializer of a pool's processes: they end with the process that made them, however that ends."""
    parent = multiprocessing.parent_process()
    assert parent is not None  # a pool's process has one
    _watch(lambda: os.getppid() != parent.pid, None)


def _watch(over: Callable[[], bool], reason: str | None) -> None:
    def look() -> None:
        while not over():
            time.sleep(PERIOD)
        _end(reason)

    threading.Thread(target=look, name="life", daemon=True).start()


def _end(reason: str | None) -> NoReturn:
    if reason:
        print(f"error: {reason}; run snakemake again", file=sys.stderr, flush=True)
    os._exit(1)
