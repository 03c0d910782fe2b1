"""Programs without the seconds that their imports take: `python -m refold.*`, `snakemake`, `dvc` and `refold` as forks
of a process that has imported what others wrote, and nothing of refold.

`programs` is a folder for the front of PATH. What runs from it starts its own programs from it too, Snakemake its jobs.
Each has the folder, environment, arguments, input and output of a program of its own, and dies with who started it.
Hashes of strings are the same in all of them, and SIGKILL reaches them by way of the server: tests of killed runs, of
Slurm and of the main job start real ones.
"""

from __future__ import annotations

import atexit
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from functools import cache
from pathlib import Path

NAMES = ("python", "python3", "snakemake", "dvc", "refold")
HERE = Path(__file__).resolve().parent


@cache
def programs() -> Path:
    """A folder with a file for each of `NAMES`; they work as long as this process lives."""
    folder = Path(tempfile.mkdtemp(prefix="refold-warm-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    for name in NAMES:
        script = f'#!/bin/sh\nexec "{sys.executable}" -IS "{HERE / "client.py"}" "{sys.executable}" {name} "$0" "$@"\n'
        (folder / name).write_text(script)
        (folder / name).chmod(0o755)
    # what sets a path of modules, DVC or Git is the command's own
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "DVC_", "GIT_", "SNAKEMAKE_"))}
    command = [sys.executable, "-P", str(HERE / "server.py"), str(folder)]
    with (folder / "log").open("w") as log:
        server = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, env=plain, start_new_session=True
        )
    assert server.stdout is not None
    if server.stdout.readline() != b"ready\n":
        raise AssertionError(f"the server of warm programs did not start\n{(folder / 'log').read_text()}")
    atexit.register(server.communicate)  # the end of its input ends it
    return folder


def run(
    *command: str, folder: Path, env: Mapping[str, str], timeout: float, cold: bool = False
) -> subprocess.CompletedProcess:
    """A command, and what it starts, by `programs`; its output and errors together.

    Args:
        command: this Python stands for the warm one.
        cold: by real programs after all.

    Raises:
        subprocess.TimeoutExpired: it took longer than ``timeout`` seconds, and was killed.
    """
    env = dict(env)
    if not cold:
        if command[0] == sys.executable:
            command = (str(programs() / "python"), *command[1:])
        own, places = str(Path(sys.executable).parent), env.get("PATH", "").split(os.pathsep)
        # where the environment's programs would be found, so that what stands before them still does
        places.insert(places.index(own) if own in places else 0, str(programs()))
        env["PATH"] = os.pathsep.join(places)
    return subprocess.run(
        command, cwd=folder, env=env, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, stdin=subprocess.DEVNULL,
        text=True, timeout=timeout,
    )  # fmt: skip
