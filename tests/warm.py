"""Snakemake and DVC without the seconds that their imports take: each command runs in a fork of a process that has
imported them, with the folder, environment, arguments and output of a program of its own.

``python warm.py snakemake`` reads ``[arguments, folder, environment, output]``, a line of JSON each, from standard
input, writes the process's number and then its exit status, and ends with its input.
"""

from __future__ import annotations

import atexit
import importlib
import json
import os
import signal
import subprocess
import sys
import tempfile
import threading
from collections.abc import Mapping, Sequence
from functools import cache
from pathlib import Path

IMPORTS = {"snakemake": ["snakemake.cli"], "dvc": ["dvc.cli", "dvc.cli.parser", "dvc.repo"]}


@cache
def _server(program: str) -> subprocess.Popen:
    # what sets a path of modules, DVC or Git is the command's own
    plain = {k: v for k, v in os.environ.items() if not k.startswith(("PYTHON", "DVC_", "GIT_", "SNAKEMAKE_"))}
    command = [sys.executable, "-P", str(Path(__file__).resolve()), program]
    process = subprocess.Popen(
        command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, env=plain, start_new_session=True
    )
    atexit.register(process.communicate)  # which ends it
    return process


def run(
    program: str, arguments: Sequence[str], folder: Path, env: Mapping[str, str], timeout: float
) -> subprocess.CompletedProcess:
    """As `subprocess.run` of ``python -m program``; its output and errors together.

    Raises:
        subprocess.TimeoutExpired: it took longer than ``timeout`` seconds, and was killed.
    """
    server, child, late = _server(program), 0, False

    def stop() -> None:
        nonlocal late
        late = True
        os.kill(child, signal.SIGKILL)

    timer = threading.Timer(timeout, stop)
    with tempfile.NamedTemporaryFile("r", errors="replace") as output:
        try:
            print(json.dumps([list(arguments), str(folder), dict(env), output.name]), file=server.stdin, flush=True)
            child = int(server.stdout.readline())
            timer.start()
            code = int(server.stdout.readline())
        except BaseException:  # what the server says next would be taken for the end of another command
            _server.cache_clear()
            for number in filter(None, (child, server.pid)):
                os.kill(number, signal.SIGKILL)
            raise
        finally:
            timer.cancel()
        command, told = [program, *arguments], output.read()
    if late:
        raise subprocess.TimeoutExpired(command, timeout, told)
    return subprocess.CompletedProcess(command, code, told)


def _begin(program: str, arguments: list[str], folder: str, env: dict[str, str], output: str) -> None:
    """In the fork: what Python does before it runs a module with ``-m``."""
    os.chdir(folder)
    os.environ.clear()
    os.environ.update(env)
    sys.path[:0] = [folder, *(str(Path(folder, p)) for p in env.get("PYTHONPATH", "").split(os.pathsep) if p)]
    sys.argv = [str(Path(sys.modules[program].__file__).with_name("__main__.py")), *arguments]
    for number, path, how in ((0, os.devnull, os.O_RDONLY), (1, output, os.O_WRONLY)):
        handle = os.open(path, how)
        os.dup2(handle, number)
        os.close(handle)
    os.dup2(1, 2)


def _serve(program: str) -> None:
    for name in IMPORTS[program]:
        importlib.import_module(name)
    answers = os.fdopen(os.dup(1), "w")
    for line in iter(sys.stdin.readline, ""):
        if not (child := os.fork()):
            answers.close()
            _begin(program, *json.loads(line))
            sys.exit(importlib.import_module(f"{program}.cli").main(sys.argv[1:]))
        print(child, file=answers, flush=True)
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), file=answers, flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1])
