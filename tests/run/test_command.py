import ast
import builtins
import importlib
import inspect
import os
import pickle
import re
import signal
import subprocess
import sys
from pathlib import Path

import pytest

WORKFLOW = Path(__file__).resolve().parents[2] / "workflow"


def run(body: str) -> tuple[int, list[str]]:
    """Exit status and lines of standard error of a command whose ``main`` has this body."""
    program = (
        f"from refold.core import errors\nfrom refold.run.command import run\ndef main():\n    {body}\nrun(main)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(WORKFLOW), "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        encoding="utf-8",
        check=False,
    )
    assert done.stdout == ""
    return done.returncode, done.stderr.splitlines()


@pytest.mark.parametrize(
    ("body", "status", "last"),
    [
        ("raise errors.RefoldError('a.csv is missing; run data')", 1, "error: a.csv is missing; run data"),
        ("raise errors.RefoldError('p.yaml: 2 problems\\n  - a')", 1, "error: p.yaml: 2 problems (listed above)"),
        ("raise errors.RefoldError('größer 海马')", 1, "error: größer 海马"),
        ("raise KeyboardInterrupt", 130, "error: interrupted"),
        (
            "raise MemoryError('1 GiB')", 2,
            "error: out of memory (1 GiB); give the job more, a coarser preprocess.spacing, or a network a smaller "
            "train.patch or predict.tile",
        ),
        ("1 / 0", 2, "error: ZeroDivisionError: division by zero (unforeseen: see above)"),
        ("import sys; sys.exit(3)", 3, None),
    ],
)  # fmt: skip
def test_status_and_last_line(body, status, last):
    code, lines = run(body)
    assert code == status
    assert (lines[-1] if lines else None) == last


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ("raise OSError(28, 'No space left on device', '/there/results/a.json')",
         "no space is left on the disk of /there/results; free some"),
        ("raise OSError(122, 'Disk quota exceeded', '/there/a.json')", "your quota on the disk of /there is used up"),
        ("raise OSError(30, 'Read-only file system', '/there/a.json')", "/there lies on a disk that can only be read"),
        ("raise OSError('unable to write (errno = 28, error message = \\'No space left on device\\')')",
         f"no space is left on the disk of {Path.cwd()}; free some"),
    ],
)  # fmt: skip
def test_a_disk_that_takes_nothing_more_is_named_with_what_to_do(body, told):
    code, lines = run(body)
    assert code == 2 and lines[-1].startswith(f"error: {told}")
    assert "run again: what is whole is kept" in lines[-1] and "unforeseen" not in lines[-1]


def test_a_full_disk_is_told_by_the_file_that_was_written(tmp_path):
    """A write itself names no file; /dev/full is a disk that is always full."""
    body = (
        "from refold.core import files\n"
        f"    with files.atomic({str(tmp_path / 'results/a.json')!r}):\n"
        "        with open('/dev/full', 'w') as handle:\n"
        "            handle.write('x')"
    )
    code, lines = run(body)
    assert code == 2 and f"no space is left on the disk of {tmp_path / 'results'};" in lines[-1]
    assert list((tmp_path / "results").iterdir()) == []


def test_a_full_disk_told_in_text_alone_keeps_its_text_and_its_place(tmp_path):
    """As HDF5 tells it: an OSError of one text, without a number."""
    text = "unable to write (errno = 28, error message = 'No space left on device')"
    body = (
        "from refold.core import files\n"
        f"    with files.atomic({str(tmp_path / 'results/a.h5')!r}):\n"
        f"        raise OSError({text!r})"
    )
    code, lines = run(body)
    assert code == 2 and f"no space is left on the disk of {tmp_path / 'results'};" in lines[-1]
    assert f"OSError: {text}" in lines


def test_every_error_comes_back_from_another_process_as_it_was():
    """One that cannot be unpickled breaks its pool, and is told as a process that was killed."""
    files = {p: ast.parse(p.read_text(encoding="utf-8")) for p in sorted((WORKFLOW / "refold").rglob("*.py"))}
    classes = [(p, n) for p, tree in files.items() for n in ast.walk(tree) if isinstance(n, ast.ClassDef)]
    known = {n for n, o in vars(builtins).items() if isinstance(o, type) and issubclass(o, BaseException)}
    found: dict[str, Path] = {}
    while more := {
        n.name: p
        for p, n in classes
        if n.name not in found and any(ast.unparse(b).rpartition(".")[2] in known for b in n.bases)
    }:
        found |= more
        known |= more.keys()
    assert {"RefoldError", "Refused", "SyntaxFault"} <= found.keys()
    for name, path in found.items():
        module = ".".join(path.relative_to(WORKFLOW).with_suffix("").parts)
        kind = getattr(importlib.import_module(module), name)
        own = inspect.signature(kind.__init__).parameters if "__init__" in vars(kind) else ("self", "message")
        error = kind(*(f"{p} of a.png" for p in list(own)[1:]))
        again = pickle.loads(pickle.dumps(error))
        assert (type(again), str(again), vars(again)) == (kind, str(error), vars(error)), name


def test_what_caused_an_error_is_looked_at_too():
    body = "try: raise OSError(28, 'full', '/there/a')\n    except OSError as e: raise ValueError from e"
    assert "no space is left on the disk of /there;" in run(body)[1][-1]


def test_success_says_nothing():
    assert run("pass") == (0, [])


def test_an_error_for_people_has_no_traceback_and_lists_its_lines_first():
    _, lines = run("raise errors.RefoldError('params.yaml: 2 problems\\n  - a\\n  - b')")
    assert lines == ["params.yaml: 2 problems", "  - a", "  - b", "error: params.yaml: 2 problems (listed above)"]
    assert run("raise errors.RefoldError('one')")[1] == ["error: one"]


def test_a_defect_shows_its_traceback():
    _, lines = run("{}['x']")
    assert lines[0] == "Traceback (most recent call last):"
    assert lines[-1] == "error: KeyError: 'x' (unforeseen: see above)"
    _, lines = run("from refold.core import rng; rng.generator()")
    assert lines[-1].startswith("error: TypeError: ") and "(unforeseen: " in lines[-1]
    _, lines = run("from refold.imaging.plan import plan_patch; plan_patch(None, None, 1)")
    assert re.search(r" \(unforeseen in workflow/refold/imaging/plan\.py, line \d+: see above\)$", lines[-1])


def test_interrupt_from_outside():
    program = (
        "import time\nfrom refold.run import command\n"
        "def main():\n    print('up', flush=True)\n    time.sleep(60)\ncommand.run(main)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program],
        env={**os.environ, "PYTHONPATH": str(WORKFLOW)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        # a shell's background jobs ignore the interrupt, and their children inherit that
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )
    assert process.stdout.readline() == "up\n"
    process.send_signal(signal.SIGINT)
    _, stderr = process.communicate(timeout=30)
    assert process.returncode == 130 and stderr.splitlines()[-1] == "error: interrupted"


def test_parameters_that_change_under_a_job_make_it_fail(tmp_path):
    """Its output would be newer than the changed stamp and pass for up to date."""
    script = """
import json, sys
from pathlib import Path
from refold.experiment.reading import validate
from refold.run import command
from refold.settings.split import Split
from refold.settings.stamps import Stamps
Stamps("stamps").write(validate({}).frozen())
def main():
    stamps = Stamps("stamps")
    stamps.read(Split)
    if sys.argv[1] == "edit":
        Stamps("stamps").write(validate({"split": {"folds": 7}}).frozen())
    return command.Job(stamps)
command.run(main)
"""
    import os
    import subprocess
    import sys
    from pathlib import Path

    environment = {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "workflow")}
    for word, status in (("leave", 0), ("edit", 1)):
        run = subprocess.run(
            [sys.executable, "-c", script, word], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert run.returncode == status, run.stderr
    assert "error: params.yaml changed in 'split' while this job ran" in run.stderr
