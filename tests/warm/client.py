"""``client.py REAL NAME FILE ARGUMENT ...``: what the programs of `tests.warm` do. Asks the server beside FILE for a
fork that runs NAME, and ends as that ends; what the server cannot do as well is run by REAL, the real Python."""

import json
import os
import signal
import socket
import sys

MODULES = {"snakemake": "snakemake", "dvc": "dvc", "refold": "refold.cli"}
# whatever else steers Python steers its start, which is over
KNOWN = {"PYTHONPATH", "PYTHONUNBUFFERED", "PYTHONDONTWRITEBYTECODE", "PYTHONSAFEPATH"}


def main(real: str, name: str, file: str, *arguments: str) -> None:
    python = name not in MODULES
    if not python:
        module, rest = MODULES[name], arguments
    else:
        module, rest = (arguments[1], arguments[2:]) if arguments[:1] == ("-m",) else ("", ())
    steered = {k for k in os.environ if k.startswith("PYTHON")} - KNOWN
    if module.partition(".")[0] not in MODULES or steered:
        os.execv(real, [real, *(arguments if python else ("-m", module, *rest))])

    folder = os.path.dirname(os.path.abspath(file))
    mask = os.umask(0)
    os.umask(mask)
    request = json.dumps([module, rest, os.getcwd(), dict(os.environ), mask]).encode()
    server = socket.socket(socket.AF_UNIX)
    server.connect(os.path.join(folder, "socket"))
    socket.send_fds(server, [b"."], [0, 1, 2])
    server.sendall(b"%d\n" % len(request) + request)
    answers = server.makefile("r")
    process = int(answers.readline())
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, lambda number, frame: os.kill(process, number))
    status = int(answers.readline())
    if status < 0:
        if -status != signal.SIGKILL:
            signal.signal(-status, signal.SIG_DFL)
        os.kill(os.getpid(), -status)
    os._exit(status)


main(*sys.argv[1:])
