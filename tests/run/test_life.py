"""A job ends with its Snakemake; here another process stands in for Snakemake."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from refold.run import life

WORKFLOW = str(Path(__file__).resolve().parents[2] / "workflow")
JOB = """
import sys, time
from refold.run import command
def main():
    print("works", flush=True)
    time.sleep(float(sys.argv[1]))
    print("done", flush=True)
command.run(main)
"""
POOL = """
import os, time
from concurrent.futures import ProcessPoolExecutor
from refold.run import command, life
def work(_):
    os.write(1, f"{os.getpid()}\\n".encode())  # in one piece
    time.sleep(60)
def main():
    with ProcessPoolExecutor(2, initializer=life.with_parent) as pool:
        list(pool.map(work, range(2)))
command.run(main)
"""


def parent():
    """A process that does nothing but live."""
    return subprocess.Popen([sys.executable, "-c", "import time; time.sleep(120)"])


def job(folder, of, *arguments, script=JOB, **more):
    environment = {**os.environ, "PYTHONPATH": WORKFLOW, **more}
    environment.pop(life.PARENT, None)
    if of is not None:
        environment[life.PARENT] = f"{of.pid} {life.started(of.pid)}"
    return subprocess.Popen(
        [sys.executable, "-c", script, *map(str, arguments)],
        cwd=folder, env=environment, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip


def alive(pid):
    return life.started(pid) is not None


@pytest.fixture
def snakemake():
    process = parent()
    yield process
    process.kill()
    process.wait()


def test_a_job_lives_as_long_as_its_snakemake(tmp_path, snakemake):
    assert job(tmp_path, snakemake, 1.2).communicate(timeout=30)[0] == "works\ndone\n"


def test_a_job_ends_when_its_snakemake_is_killed(tmp_path, snakemake):
    process = job(tmp_path, snakemake, 60)
    assert process.stdout.readline() == "works\n"
    snakemake.kill()  # and not waited for: a zombie is dead
    out, errors = process.communicate(timeout=10)
    assert (process.returncode, out) == (1, "")
    assert errors == "error: the snakemake or the shell that started this job was killed; run snakemake again\n"


def test_a_job_ends_when_its_shell_is_killed(tmp_path, snakemake):
    """Snakemake then holds it for failed, and may start it once more."""
    environment = {**os.environ, "PYTHONPATH": WORKFLOW, life.PARENT: f"{snakemake.pid} {life.started(snakemake.pid)}"}
    shell = subprocess.Popen(
        ["bash", "-c", f"{sys.executable} -c '{JOB}' 60 2>&1 | cat"],
        cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert shell.stdout.readline() == "works\n"
    shell.kill()
    # up to the end of its last process
    assert shell.stdout.read().startswith("error: the snakemake or the shell that started this job was killed")


def test_a_job_that_comes_after_the_death_of_its_snakemake_does_nothing(tmp_path):
    dead = parent()
    number, then = dead.pid, life.started(dead.pid)
    dead.kill()
    dead.wait()
    for mark in (f"{number} {then}", f"{os.getpid()} 1"):  # the second: its number belongs to another process by now
        environment = {**os.environ, "PYTHONPATH": WORKFLOW, life.PARENT: mark}
        run = subprocess.run(
            [sys.executable, "-c", JOB, "1"], cwd=tmp_path, env=environment, capture_output=True, text=True
        )
        assert (run.returncode, run.stdout) == (1, "")
        assert run.stderr == "error: the snakemake that started this job is dead; run snakemake again\n"


def test_a_job_of_an_earlier_run_does_nothing(tmp_path, snakemake):
    (tmp_path / life.RUN).parent.mkdir(parents=True)
    (tmp_path / life.RUN).write_text("newer")
    process = job(tmp_path, snakemake, 1, REFOLD_RUN="older")
    assert process.communicate(timeout=30) == ("", "error: a newer run has begun in this folder; run snakemake again\n")
    assert job(tmp_path, snakemake, 0, REFOLD_RUN="newer").communicate(timeout=30)[0] == "works\ndone\n"


def test_without_snakemake_nothing_is_watched_or_written(tmp_path):
    assert job(tmp_path, None, 0).communicate(timeout=30) == ("works\ndone\n", "")
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("victim", ["snakemake", "job"])
def test_processes_of_a_job_end_with_it(tmp_path, snakemake, victim):
    process = job(tmp_path, snakemake, script=POOL)
    numbers = [int(process.stdout.readline()) for _ in range(2)]
    assert all(map(alive, numbers))
    os.kill(snakemake.pid if victim == "snakemake" else process.pid, signal.SIGKILL)
    end = time.monotonic() + 10
    while any(map(alive, numbers)) and time.monotonic() < end:
        time.sleep(0.05)
    assert not any(map(alive, numbers))
    process.communicate(timeout=10)


def test_code_that_changes_under_a_job_makes_it_fail(tmp_path):
    """Its output would be newer than the changed code and pass for up to date."""
    package = tmp_path / "workflow/refold"
    (package / "phase").mkdir(parents=True)
    for room in ("core", "run", "settings"):
        (package / room).symlink_to(Path(WORKFLOW) / "refold" / room)
    for name in ("__init__.py", "phase/__init__.py", "phase/used.py", "other.py"):
        (package / name).write_text("")
    (package / "phase/__main__.py").write_text(
        "import sys\nfrom pathlib import Path\nfrom refold.core import sources\nfrom refold.run import command\n"
        "sources.ROOT = Path(sys.argv[1])\nimport refold.phase.used\n"
        "command.run(lambda: (sources.ROOT / sys.argv[2]).write_text('x = 1'))\n"
    )
    environment = {**os.environ, "PYTHONPATH": str(tmp_path / "workflow")}
    environment.pop(life.PARENT, None)
    for name, status in (("refold/other.py", 0), ("refold/phase/used.py", 1)):
        run = subprocess.run(
            [sys.executable, "-m", "refold.phase", str(tmp_path / "workflow"), name],
            env=environment, cwd=tmp_path, capture_output=True, text=True,
        )  # fmt: skip
        assert run.returncode == status, run.stderr
    assert run.stderr == "error: workflow/refold/phase/used.py changed while this job ran; run snakemake again\n"
