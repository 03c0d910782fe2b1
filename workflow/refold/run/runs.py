"""A run's life: one run at a time in a folder, and each goes on where a killed one stopped.

What the main Snakemake keeps in ``.snakemake/refold``:

``runs/<token>``  a run that may hold Snakemake's lock: its host, boot and process; deleted when it ends, not when it is
                  killed. Written before the lock is taken, so that a lock always has its owner among them.
``run.lock``      locked (flock) by the run that works, until its process is gone: kernel and not files say who lives.
``run``           the token of the run that worked last.
``jobs.lock``     see `refold.run.life`.
"""

from __future__ import annotations

import atexit
import fcntl
import os
import shutil
import socket
import sys
import tempfile
import time
import uuid
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from refold.core.errors import RefoldError
from refold.core.files import read_json, sha256_file, write_json, write_text
from refold.core.private import SNAKEMAKE_LOCKS as LOCKS
from refold.run import life, slurm
from refold.run.life import FOLDER, JOBS, RUN, TOKEN
from refold.settings.stamps import Stamps

LOCK, REGISTER = FOLDER / "run.lock", FOLDER / "runs"
PATIENCE = 5.0  # seconds for another Snakemake to finish reading the Snakefile
TEMPORARY = ".tmp-*"


def _boot() -> str:
    path = Path("/proc/sys/kernel/random/boot_id")
    return path.read_text().strip() if path.is_file() else ""


_me: dict[str, Any] = {
    "token": uuid.uuid4().hex,
    "host": socket.gethostname(),
    "boot": _boot(),
    "process": os.getpid(),
    "started": life.started(os.getpid()),
}


def _say(text: str) -> None:
    print(text, file=sys.stderr, flush=True)


# ---------------------------------------------------------------- locks


def _lock(handle: int, kind: int) -> bool:
    """False when another process holds it. Raises `OSError` where the file system has no locks."""
    try:
        fcntl.flock(handle, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


@contextmanager
def _opened(path: Path) -> Iterator[int]:
    path.parent.mkdir(parents=True, exist_ok=True)
    handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o666)
    try:
        yield handle
    finally:
        os.close(handle)


# ---------------------------------------------------------------- who has begun here


def _register() -> None:
    write_json(REGISTER / _me["token"], _me)


def _registered() -> dict[str, dict[str, Any]]:
    """All other runs that began here and did not end properly, or still go on."""
    found = {}
    for path in REGISTER.glob("[!.]*"):
        if path.name != _me["token"]:
            try:
                found[path.name] = read_json(path)
            except RefoldError:
                continue  # it ended this moment
    return found


def _is_dead(run: dict[str, Any]) -> bool:
    """Whether a run was on this machine, and is there no longer, as far as its process's number tells.

    Containers on one machine have names of their own, a machine restarted has another boot.
    """
    same_boot = bool(run["boot"]) and run["boot"] == _me["boot"]
    alive = same_boot and run["started"] and life.started(run["process"]) == run["started"]
    return (same_boot or run["host"] == _me["host"]) and not alive


def _leave(entry: Path) -> None:
    if os.getpid() == _me["process"]:
        entry.unlink(missing_ok=True)


# ---------------------------------------------------------------- when the Snakefile is read


def enter(sections: Mapping[str, Any], more: Callable[[], None] = lambda: None) -> None:
    """In the main process, when it reads the Snakefile: remove a dead run's lock, and freeze the parameters.

    Args:
        sections: what is frozen of params.yaml, by the stamp's name.
        more: freezes what else jobs read.

    Raises:
        RefoldError: another run works here with other parameters; they must stay as they are until its jobs are done.
    """
    os.environ.pop(TOKEN, None)
    _register()
    atexit.register(_leave, (REGISTER / _me["token"]).absolute())  # Snakemake goes back to where it was started
    with _opened(LOCK) as handle:
        try:
            alone = _lock(handle, fcntl.LOCK_SH)
        except OSError as error:
            _say(f"warning: {LOCK} cannot be locked ({error}); do not start two runs in this folder")
            Stamps().write(sections)
            more()
            return
        if alone:
            _remove_dead_lock()
            Stamps().write(sections)
            more()
        elif changed := _changed(sections):
            raise RefoldError(
                f"params.yaml is changed in {', '.join(changed)} while a run goes on in this folder{_worker()}; "
                "wait for its end or stop it"
            )


def _changed(sections: Mapping[str, Any]) -> list[str]:
    """Sections that are frozen otherwise."""

    def frozen(folder: str | Path) -> dict[str, str]:
        return {p.name.removesuffix(".json"): p.read_text(encoding="utf-8") for p in Path(folder).glob("[!.]*.json")}

    with tempfile.TemporaryDirectory() as folder:
        Stamps(folder).write(sections)
        old, new = frozen(Stamps().folder), frozen(folder)
    return sorted(name for name in old.keys() | new if old.get(name) != new.get(name))


def _worker() -> str:
    """Words for the run that works."""
    token = RUN.read_text() if RUN.is_file() else ""
    run = _registered().get(token)
    return f" (process {run['process']} on {run['host']})" if run else ""


def _remove_dead_lock() -> None:
    """Remove Snakemake's lock if each run that can have taken it was on this machine and is dead. Nobody works here."""
    if not any(LOCKS.glob("*.lock")):
        return
    runs = _registered()
    if not runs or not all(map(_is_dead, runs.values())):
        return  # Snakemake says what to do
    for path in sorted(LOCKS.glob("*.lock")):
        path.unlink(missing_ok=True)
    _say("a run that was killed had locked this folder; its lock is removed")


# ---------------------------------------------------------------- before the first job


def begin(executor: str) -> None:
    """In the main process, when it holds Snakemake's lock: see that nobody else works here, and tidy up.

    Ends the process where another run works in this folder: Snakemake's own lock is not taken in one step, and lets two
    runs with different targets work at once. Returns only when no job of an earlier run lives.

    Args:
        executor: Snakemake's name of what runs the jobs.
    """
    handle = os.open(LOCK, os.O_RDWR | os.O_CREAT, 0o666)  # never closed: held until this process is gone
    patience = time.monotonic() + PATIENCE
    try:
        while not _lock(handle, fcntl.LOCK_EX):
            if time.monotonic() > patience:
                _say(f"error: another run goes on in this folder{_worker()}; wait for its end or stop it")
                os._exit(1)  # not by an exception: Snakemake would remove the other run's lock
            time.sleep(0.1)
    except OSError:
        pass  # said when the Snakefile was read
    earlier = _registered()
    write_json(REGISTER / _me["token"], {**_me, "executor": executor})
    write_text(RUN, _me["token"])  # from now on a late job of an earlier run ends by itself
    os.environ[TOKEN] = _me["token"]
    if executor == "slurm" or any(run.get("executor") == "slurm" for run in earlier.values()):
        slurm.cancel_orphans(Path.cwd())
    _wait_for_orphans()
    if _only_run():
        for token in earlier:
            (REGISTER / token).unlink(missing_ok=True)
        if gone := remove_leftovers():
            _say(f"{gone} half-written file{'s' * (gone > 1)} of a killed run removed")


def unchanged(read: Callable[[], Mapping[str, Any]], code: Mapping[str, str]) -> None:
    """At the end of a run for DVC, which reads the inputs again to put them on record with what was made.

    Args:
        read: gives what is frozen of the parameters as they are now.
        code: hash of each source file at the start, by its path.

    Raises:
        RefoldError: parameters or code are no longer those that the jobs ran with.
    """
    changed = [f"params.yaml ({section})" for section in _changed(read())]
    changed += [f for f, digest in code.items() if not Path(f).is_file() or sha256_file(f) != digest]
    if changed:
        raise RefoldError(f"{', '.join(changed)} changed while this phase ran; run it again")


def end() -> None:
    """After the last job, while Snakemake's lock is still held: delete what killed and repeated jobs left."""
    if _only_run():
        remove_leftovers()


def _only_run() -> bool:
    """Whether no run with other targets works in this folder from another machine: each writes a lock of each kind."""
    return all(len(list(LOCKS.glob(f"*.{kind}.lock"))) <= 1 for kind in ("input", "output"))


def _wait_for_orphans() -> None:
    """Return when no job of an earlier run on this machine lives; one that comes late sees the new token and ends."""
    with _opened(JOBS) as handle:
        begun, said = time.monotonic(), False
        try:
            while not _lock(handle, fcntl.LOCK_EX):
                if not said and time.monotonic() - begun > 2:
                    said = True
                    _say(f"waiting for jobs of an earlier run to end; `fuser -v {JOBS}` lists them")
                time.sleep(0.05)
        except OSError:
            pass


def remove_leftovers(data: str | Path = "data", results: str | Path = "results") -> int:
    """Delete what killed jobs were writing; how many files and folders.

    Raw data sets, which hold files of others, and archives whose download can go on, are not looked into.
    """
    raw, count = Path(data) / "raw", 0
    for top in (Path(data), Path(results)):
        for folder, folders, files in os.walk(top):
            for name in [n for n in (*folders, *files) if Path(n).match(TEMPORARY)]:
                path = Path(folder) / name
                if path.is_dir() and not path.is_symlink():
                    shutil.rmtree(path)
                    folders.remove(name)
                else:
                    path.unlink()
                count += 1
            if Path(folder) == raw:
                folders.clear()
    return count
