"""``server.py FOLDER``: forks for the programs of `tests.warm`, until its input ends."""

from __future__ import annotations

import gc
import importlib
import json
import os
import runpy
import select
import signal
import socket
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

WORKFLOW = Path(__file__).resolve().parents[2] / "workflow"
# What refold and its tools import of others; not TensorFlow, which reads its settings as it is imported.
IMPORTS = (
    "snakemake.cli", "dvc.cli", "dvc.cli.parser", "dvc.repo", "dvc.commands.repro", "dvc.commands.status",
    "scipy.ndimage", "scipy.stats", "scipy.optimize", "scipy.spatial", "scipy.sparse.csgraph",
    "sklearn.model_selection", "nibabel", "h5py", "tifffile", "PIL.Image", "pydantic", "yaml", "jinja2",
    "matplotlib.figure", "matplotlib.backends.backend_agg", "matplotlib.backends.backend_svg",
    "matplotlib.backends.backend_pdf",
)  # fmt: skip


def load() -> None:
    """Import all of `IMPORTS`, NumPy pinned as refold pins it, and let go of refold: the fork imports its own."""
    sys.path.insert(0, str(WORKFLOW))
    importlib.import_module("refold")
    sys.path.pop(0)
    for name in IMPORTS:
        importlib.import_module(name)
    for name in [n for n in sys.modules if n.partition(".")[0] == "refold"]:
        del sys.modules[name]


def serve(listener: socket.socket) -> tuple[list[Any], list[int]] | None:
    """None when the input has ended. In a fork for a program: what is asked for, and its three files."""
    signal.signal(signal.SIGCHLD, signal.SIG_IGN)  # nobody waits for those that watch the programs
    while True:
        ready, _, _ = select.select([listener, sys.stdin], [], [])
        if sys.stdin in ready:
            return None
        client, _ = listener.accept()
        if os.fork():
            client.close()
            continue
        listener.close()
        signal.signal(signal.SIGCHLD, signal.SIG_DFL)
        _, files, _, _ = socket.recv_fds(client, 1, 3)
        stream = client.makefile("rb")
        request = json.loads(stream.read(int(stream.readline())))
        if not (child := os.fork()):
            stream.close()
            client.close()
            os.setsid()
            return request, files
        for file in files:
            os.close(file)
        _watch(client, child)


def _watch(client: socket.socket, child: int) -> None:
    """Tell the client how its program ends; the end of the client is the program's."""
    handle = os.pidfd_open(child)
    with suppress(BrokenPipeError):
        client.sendall(b"%d\n" % child)
    ready, _, _ = select.select([handle, client], [], [])
    if handle not in ready:
        for kill in (os.killpg, os.kill):
            with suppress(ProcessLookupError):
                kill(child, signal.SIGKILL)
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    with suppress(BrokenPipeError):
        client.sendall(b"%d\n" % status)
    os._exit(0)


def become(request: list[Any], files: list[int], folder: Path) -> None:
    """What a new Python would do with these arguments."""
    module, arguments, place, environment, mask = request
    for number, file in enumerate(files):
        os.dup2(file, number)
        os.close(file)
    for number, name in enumerate(("stdin", "stdout", "stderr")):
        mode = "r" if number == 0 else "w"
        errors = "backslashreplace" if number == 2 else "surrogateescape"
        buffering = 1 if number == 2 else -1
        stream = open(number, mode, buffering, encoding="utf-8", errors=errors, closefd=False)  # noqa: SIM115  its own
        setattr(sys, name, stream)
        setattr(sys, f"__{name}__", stream)
    os.umask(mask)
    os.chdir(place)
    os.environ.clear()
    os.environ.update(environment)
    sys.dont_write_bytecode = bool(environment.get("PYTHONDONTWRITEBYTECODE"))
    sys.executable = str(folder / "python")
    own = [str(Path(place, p)) for p in environment.get("PYTHONPATH", "").split(os.pathsep) if p]
    sys.path[:0] = own if environment.get("PYTHONSAFEPATH") else [place, *own]
    sys.path_importer_cache.clear()
    sys.argv = ["-m", *arguments]
    runpy.run_module(module, run_name="__main__", alter_sys=True)


def main(folder: Path) -> None:
    listener = socket.socket(socket.AF_UNIX)
    listener.bind(str(folder / "socket"))
    listener.listen(128)
    load()
    gc.freeze()  # so that forks share what is here
    print("ready", flush=True)
    if asked := serve(listener):
        become(*asked, folder)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
