"""Clones of the project in a scratch folder, and commands run in them."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import tempfile
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from refold.cli import tools
from refold.core.errors import RefoldError

PATIENCE = 30.0  # seconds for Snakemake to end its jobs when interrupted
# What git exports to its hooks would send its commands to the project instead of the clone.
GIT = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_PREFIX", "GIT_OBJECT_DIRECTORY", "GIT_COMMON_DIR")


def say(text: str) -> None:
    print(text, flush=True)


def environment(**more: str) -> dict[str, str]:
    """This process's environment, without what would lead a clone's commands to the project or its sources."""
    found = {k: v for k, v in os.environ.items() if k not in GIT}
    paths = [p for p in found.pop("PYTHONPATH", "").split(os.pathsep) if p and not (Path(p) / "refold").is_dir()]
    if paths:
        found["PYTHONPATH"] = os.pathsep.join(paths)
    # `snakemake` and `dvc` call each other by name
    found["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), found.get("PATH", "")])
    return {**found, **more}


@contextmanager
def scratch(verb: str, keep: bool = False, parent: str | Path | None = None) -> Iterator[Path]:
    """A folder outside the project, removed at the end however the block ends, unless ``keep``.

    Args:
        verb: becomes part of its name.
        keep: leave it, and say where it is.
        parent: where; default: where the system keeps temporary files (TMPDIR).

    Raises:
        RefoldError: ``parent`` is no folder, or lies in the project.
    """
    where = Path(parent or tempfile.gettempdir())
    if not where.is_dir():
        raise RefoldError(f"{where} is no folder; --scratch wants one outside the project, with room for the results")
    if where.resolve().is_relative_to(Path.cwd()):
        raise RefoldError(f"{where} lies in the project; give a folder outside it (--scratch, or TMPDIR)")

    def terminated(*_: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, terminated)
    folder = Path(tempfile.mkdtemp(prefix=f"refold-{verb}-", dir=where)).resolve()
    try:
        yield folder
    finally:
        if keep:
            say(f"kept: {folder}")
        else:
            shutil.rmtree(folder, ignore_errors=True)
        signal.signal(signal.SIGTERM, before)


def commit(revision: str) -> str:
    """The hash of a commit of the project in the current folder.

    Raises:
        RefoldError: there is no such commit.
    """
    done = tools.git("rev-parse", "--verify", "--quiet", f"{revision}^{{commit}}")
    if done.returncode:
        raise RefoldError(f"{revision} is no commit of this Git repository; give a branch, a tag or a hash (`git log`)")
    return done.stdout.strip()


def warn_of_changes(what: str) -> None:
    """Say so where the working tree is not what is cloned."""
    changed = [x[3:] for x in tools.git("status", "--porcelain", "--", ".").stdout.splitlines()]
    if changed:
        more = f" and {len(changed) - 3} more" if len(changed) > 3 else ""
        say(f"warning: uncommitted changes ({', '.join(changed[:3])}{more}); {what}")


def clone(revision: str, folder: Path) -> Path:
    """The project of the current folder as of a commit.

    Returns:
        The project's folder within the clone; ``folder`` itself where the project is a whole repository.

    Raises:
        RefoldError: git failed, in its own words.
    """
    place = tools.git("rev-parse", "--show-toplevel", "--show-prefix")
    if place.returncode:
        raise RefoldError("this folder is no Git repository: `git init`, add and commit")
    top, prefix = place.stdout.split("\n")[:2]
    folder.parent.mkdir(parents=True, exist_ok=True)
    # the objects stay where they are: the clone lives shorter than they do
    run("git", "clone", "--quiet", "--shared", "--no-checkout", top, str(folder), folder=folder.parent)
    run("git", "checkout", "--quiet", "--detach", revision, folder=folder)
    return folder / prefix


def cache() -> Path:
    """DVC's cache of the project in the current folder.

    Raises:
        RefoldError: DVC's settings cannot be read.
    """
    from dvc.config import Config, ConfigError

    here = Path.cwd() / ".dvc"
    try:
        return Path(Config(dvc_dir=str(here))["cache"].get("dir") or here / "cache")
    except ConfigError as error:
        raise RefoldError(f".dvc/config cannot be read: {error}") from None


def use_cache(clone: Path) -> None:
    """The clone's DVC takes its files from the project's cache and remotes, and links rather than copies."""
    from dvc.config import Config, merge

    project = Path.cwd()
    mine = Config(dvc_dir=str(project / ".dvc"))
    merged: dict[str, Any] = {}
    for level in ("repo", "local"):
        merge(merged, mine.load_one(level))  # with whole paths: those of a clone would lead elsewhere
    merge(merged, {"cache": {"dir": str(cache()), "type": ["reflink", "symlink", "copy"]}})
    with Config(dvc_dir=str(clone / ".dvc")).edit("local") as local:
        local.clear()
        local.update(merged)


def run(*command: str, folder: Path, **more: str) -> subprocess.CompletedProcess:
    """A command in a clone.

    Raises:
        RefoldError: it failed, in its own words.
    """
    done = subprocess.run(command, cwd=folder, env=environment(**more), capture_output=True, text=True)
    if done.returncode:
        name = " ".join(command[2:] if command[:2] == (sys.executable, "-m") else command)
        raise RefoldError(f"`{name}` failed in the clone\n{tools.last_words(done)}")
    return done


def checkout(clone: Path, targets: list[str], env: Mapping[str, str]) -> None:
    """Files on record, from the cache or else from the remote.

    Raises:
        RefoldError: they are in neither.
    """
    more = {"DVC_SITE_CACHE_DIR": env["DVC_SITE_CACHE_DIR"]}
    dvc = (sys.executable, "-m", "dvc")
    try:
        run(*dvc, "checkout", "--force", "--", *targets, folder=clone, **more)
        return
    except RefoldError as error:
        missing = error
    if not run(*dvc, "remote", "list", folder=clone, **more).stdout.strip():
        raise RefoldError(
            "files on record are not in DVC's cache, and no remote is set to pull them from: copy the cache, or set "
            f"the remote they were pushed to (`dvc remote add --default NAME URL`)\n{told(missing)}"
        )
    say("not all of it is in the cache: pulling the rest")
    try:
        run(*dvc, "pull", "--force", "--", *targets, folder=clone, **more)
    except RefoldError as error:
        raise RefoldError(
            "files on record are neither in DVC's cache nor can they be pulled: `dvc push` where they were made, or "
            f"`dvc fetch --verbose` to see why\n{told(error)}"
        ) from None


def told(error: RefoldError) -> str:
    return "\n".join(f"  {line}" for line in str(error).splitlines())


def logged(
    *command: str, folder: Path, log: Path, line: Callable[[str], None] | None = None, env: Mapping[str, str]
) -> int:
    """A long command in a clone; its output goes to a file, each line also to ``line``.

    It is ended, with the jobs it started, when this process is interrupted or ``line`` raises.

    Returns:
        The exit status; the signal's number with a minus if the command was killed.
    """
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "a", encoding="utf-8") as handle:
        process = subprocess.Popen(
            command, cwd=folder, env=dict(env), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", start_new_session=True,
        )  # fmt: skip
        assert process.stdout is not None
        try:
            for text in process.stdout:
                handle.write(text)
                handle.flush()
                if line:
                    line(text.rstrip("\n"))
            return process.wait()
        except BaseException:
            end(process)
            raise
        finally:
            process.stdout.close()


def end(process: subprocess.Popen) -> None:
    """Interrupt a command of its own session, as Ctrl-C does; kill what does not end."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGINT)
    try:
        process.wait(PATIENCE)
    except subprocess.TimeoutExpired:
        pass
    finally:
        kill(process)


def kill(process: subprocess.Popen) -> None:
    """SIGKILL to a command of its own session, and to its jobs."""
    with suppress(ProcessLookupError):
        os.killpg(process.pid, signal.SIGKILL)
    process.wait()
