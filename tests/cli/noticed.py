"""Who notices one changed file: asked in the folder of a finished experiment, by its own code.

``python noticed.py`` reads ``[file, base]`` (`ask`), a line each, from standard input and writes what it found as a
line of JSON. Snakemake, DVC and the report run in forks of this process, so that each starts from the same state and
nothing is imported twice.
"""

from __future__ import annotations

import contextlib
import hashlib
import importlib
import json
import os
import pickle
import subprocess
import sys
import tempfile
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

import dvc.cli
import dvc.commands.status
import dvc.repo
import snakemake.cli

from refold.cli import handover, status, tools
from refold.cli import verify as verification
from refold.core.errors import RefoldError
from refold.data import layout
from refold.experiment.reading import load
from refold.report import inputs, provenance
from refold.report.export import Kept
from refold.report.sections import examples
from refold.run import graph


def forked(ask: Callable[[], Any], env: dict[str, str] | None = None) -> tuple[int, str, str, Any]:
    """(exit status, output, errors, what it returned) of ``ask`` in a fork."""
    with contextlib.ExitStack() as stack:
        out, err, value = (stack.enter_context(tempfile.TemporaryFile()) for _ in range(3))
        sys.stdout.flush()
        if not (child := os.fork()):
            code = 1
            try:
                os.dup2(out.fileno(), 1)
                os.dup2(err.fileno(), 2)
                os.environ.update(env or {})
                pickle.dump(ask(), value)
                code = 0
            except SystemExit as end:
                code = end.code if isinstance(end.code, int) else int(end.code is not None)
            except BaseException:
                traceback.print_exc()
            finally:
                for stream in (sys.stdout, sys.stderr, value):
                    stream.flush()
                os._exit(code)
        code = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
        for file in (out, err, value):
            file.seek(0)
        told = value.read()
        return code, out.read().decode(), err.read().decode(), pickle.loads(told) if told else None


class Reached(Exception):
    """The place from which on a hand-over writes."""


def warm(ask: Callable[[], Any]) -> None:
    """Import here what ``ask`` imports on its way, so that its forks need not."""
    for name in forked(lambda: (ask(), sorted(sys.modules))[1])[3] or ():
        with contextlib.suppress(Exception):
            importlib.import_module(name)


KNOWN: dict[tuple, subprocess.CompletedProcess] = {}  # asked again of the same state, Snakemake and DVC say the same
RUNS: dict[
    tuple[str, str, str], dict[str, Any]
] = {}  # a run is made once for each content of a file and first due file


def run(*command: str, folder: str = ".", quiet: bool = True, env: Any = None) -> subprocess.CompletedProcess:
    """`refold.cli.tools.run` without the time that imports take."""
    if command[0] == "git":
        return subprocess.run(command, cwd=folder, text=True, capture_output=True)
    _, _, program, *arguments = command
    if "--touch" in arguments:
        raise Reached
    more = {k: v for k, v in (env or {}).items() if os.environ.get(k) != v}
    key = (*command, bool(more))
    if key not in KNOWN:
        main = {"snakemake": snakemake.cli.main, "dvc": dvc.cli.main}[program]
        code, out, err, _ = forked(lambda: sys.exit(main(arguments)), more)
        KNOWN[key] = subprocess.CompletedProcess(command, code, out, err)
    return KNOWN[key]


def commit(*_: str) -> None:
    raise Reached


tools.run, tools.commit, tools.initialised = run, commit, lambda: None
handover._forget = lambda: None  # nothing was begun


def refusal(ask: Callable[[], Any]) -> str | None:
    """Why a hand-over is refused, or None where it would go on to write."""
    try:
        ask()
    except RefoldError as error:
        return str(error)
    except Reached:
        return None
    raise AssertionError("it ended without writing anything")


def report(methods: list[str], folds: list[int], file: str) -> dict[str, Any]:
    """What `python -m refold.report` reads and says, up to the page's layout."""
    opened = set()

    def hook(event: str, seen: tuple) -> None:
        if event == "open" and isinstance(seen[0], (str, bytes, os.PathLike)):
            opened.add(os.path.abspath(os.fsdecode(seen[0])))

    sys.addaudithook(hook)
    try:
        experiment = inputs.read(methods, folds)
        facts = provenance.gather(experiment)
        examples.context(experiment, Kept())
    except RefoldError as error:
        return {"refused": str(error)}
    return {"opened": os.path.abspath(file) in opened, "facts": json.dumps(facts, sort_keys=True, default=str)}


def first_due(outputs: list[tools.Output], name: str) -> tuple[list[str], str]:
    """(phases with work to do, a file of the first of them)."""
    due = {graph.owner(o.path, name): o.path for o in reversed(outputs) if o.pending}
    phases = sorted(due, key=graph.PHASES.index)
    return phases, due[phases[0]] if phases else ""


def ask(file: str, base: str) -> dict[str, Any]:
    """Everything, of one state of the folder.

    Args:
        file: the file that was changed.
        base: folder with the results as they were.
    """
    KNOWN.clear()
    content = Path(file).read_bytes()

    def back() -> bool:
        return Path(file).read_bytes() == Path(base, file).read_bytes()

    params = load()
    outs = verification.recorded_outs(Path())
    raw = str(layout.root(params.dataset))
    compared = [o for phase in graph.PHASES for o in outs[phase] if o != raw]
    differing = {d.path for d in verification.results(Path(), Path(base), compared).differing}
    read = forked(lambda: report(list(params.methods), params.split.fold_numbers, file))
    outputs = tools.planned()
    phases, target = first_due(outputs, params.dataset.name)
    found = {
        "differing": sorted(differing),
        "due": phases,
        "fresh": not phases and tools.fresh(),
        "back": back(),
        "dvc": [r for stage in tools.differing().values() for r in tools.reasons(stage)],
        "dvc thorough": [r for stage in tools.differing(thorough=True).values() for r in tools.reasons(stage)],
        "status": status.text(),
        "thorough": status.text(True),
        "record": refusal(handover.record),
        "sync": refusal(handover.sync),
        "report": read[3] if read[3] is not None else {"failed": read[2]},
    }
    if target:
        key = (file, hashlib.sha256(content).hexdigest(), target)
        if key not in RUNS:
            code, out, err, _ = forked(lambda: sys.exit(snakemake.cli.main(["--cores", "1", "--", target])))
            again = {d.path for d in verification.results(Path(base), Path(), compared).differing}
            RUNS[key] = {"code": code, "told": out + err, "again": sorted(again), "back": back()}
        found["run"] = RUNS[key]
    return found


if __name__ == "__main__":
    answers = os.fdopen(os.dup(1), "w")
    os.dup2(2, 1)  # what is printed on the way is no answer
    warm(lambda: dvc.cli.main(["status", "--json"]))
    for line in sys.stdin:
        print(json.dumps(ask(*json.loads(line))), file=answers, flush=True)
