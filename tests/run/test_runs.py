"""What the main Snakemake does at its start; other processes stand in for other runs."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from refold.core.files import write_json
from refold.run import life, runs

pytestmark = pytest.mark.slow
WORKFLOW = str(Path(__file__).resolve().parents[2] / "workflow")
# As in Snakemake: the Snakefile is read, the lock taken, the run begun, the lock removed.
RUN = """
import shutil, sys, time
from pathlib import Path
from refold.run import runs
from refold.core.errors import RefoldError
from refold.experiment.reading import validate
step, epochs = sys.argv[1], int(sys.argv[2])
try:
    runs.enter(validate({"train": {"epochs": epochs}}).frozen())
except RefoldError as error:
    sys.exit(f"error: {error}")
def stop(at):
    if step == at:
        print(at, flush=True)
        time.sleep(60)
stop("read")
runs.LOCKS.mkdir(parents=True, exist_ok=True)
if list(runs.LOCKS.iterdir()):
    sys.exit("cannot be locked")
(runs.LOCKS / "0.output.lock").write_text("a")
stop("locked")
runs.begin("local")
stop("begun")
runs.end()
shutil.rmtree(runs.LOCKS)
print("ended", flush=True)
"""


def run(folder, step="", epochs=5):
    """A run that stops at a step."""
    return subprocess.Popen(
        [sys.executable, "-c", RUN, step, str(epochs)],
        cwd=folder, env={**os.environ, "PYTHONPATH": WORKFLOW}, text=True,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE,
    )  # fmt: skip


def stopped(folder, step):
    process = run(folder, step)
    assert process.stdout.readline() == f"{step}\n"
    return process


def killed(folder, step):
    process = stopped(folder, step)
    process.kill()
    process.communicate()
    return process.pid


def whole(folder, epochs=5):
    process = run(folder, epochs=epochs)
    out, errors = process.communicate(timeout=60)
    return process.returncode, out, errors


REMOVED = "a run that was killed had locked this folder; its lock is removed\n"


@pytest.mark.parametrize("step", ["locked", "begun"])
def test_the_lock_of_a_killed_run_is_removed(tmp_path, step):
    killed(tmp_path, step)
    assert whole(tmp_path) == (0, "ended\n", REMOVED)
    assert whole(tmp_path) == (0, "ended\n", "")
    assert not list((tmp_path / runs.REGISTER).iterdir())


def test_the_lock_of_a_run_that_works_stays(tmp_path):
    process = stopped(tmp_path, "begun")
    try:
        assert whole(tmp_path) == (1, "", "cannot be locked\n")
        # nor does the one that failed at the lock pass for its owner
        killed(tmp_path, "read")
        assert whole(tmp_path) == (1, "", "cannot be locked\n")
        code, _, errors = whole(tmp_path, epochs=6)
        told = "params.yaml is changed in methods.unet, train while a run goes on in this folder"
        assert code == 1 and f"{told} (process {process.pid}" in errors
        assert json.loads((tmp_path / "results/.params/train.json").read_text())["epochs"] == 5
    finally:
        process.kill()
        process.communicate()
    assert whole(tmp_path, epochs=6) == (0, "ended\n", REMOVED)


def test_the_lock_of_a_run_between_lock_and_start_stays(tmp_path):
    process = stopped(tmp_path, "locked")
    try:
        assert whole(tmp_path) == (1, "", "cannot be locked\n")
    finally:
        process.kill()
        process.communicate()


@pytest.mark.parametrize("owner", ["elsewhere", "unknown"])
def test_a_lock_of_another_machine_or_of_nobody_known_stays(tmp_path, owner):
    killed(tmp_path, "begun")
    for path in (tmp_path / runs.REGISTER).iterdir():
        if owner == "unknown":
            path.unlink()
        else:
            write_json(path, {**json.loads(path.read_text()), "host": "elsewhere", "boot": "another"})
    assert whole(tmp_path) == (1, "", "cannot be locked\n")
    (tmp_path / runs.LOCKS / "0.output.lock").unlink()  # the user's `snakemake --unlock`
    assert whole(tmp_path) == (0, "ended\n", "")
    assert not list((tmp_path / runs.REGISTER).iterdir())


def test_a_dead_run_before_a_restart_of_the_machine_is_dead(tmp_path):
    killed(tmp_path, "begun")
    for path in (tmp_path / runs.REGISTER).iterdir():
        # by now the number may be another's
        write_json(path, {**json.loads(path.read_text()), "boot": "before", "process": os.getpid()})
    assert whole(tmp_path) == (0, "ended\n", REMOVED)


def test_two_runs_never_work_at_once_whatever_snakemakes_lock_says(tmp_path):
    process = stopped(tmp_path, "begun")
    try:
        for path in (tmp_path / runs.LOCKS).iterdir():
            path.unlink()
        code, out, errors = whole(tmp_path)
        assert (code, out) == (1, "") and f"error: another run goes on in this folder (process {process.pid}" in errors
    finally:
        process.kill()
        process.communicate()


def test_a_run_waits_for_jobs_of_a_killed_one(tmp_path, monkeypatch):
    snakemake = stopped(tmp_path, "begun")
    # a job that is stopped, as one that hangs: it cannot end by itself
    environment = {
        **os.environ,
        "PYTHONPATH": WORKFLOW,
        life.PARENT: f"{snakemake.pid} {life.started(snakemake.pid)}",
        life.TOKEN: (tmp_path / life.RUN).read_text(),
    }
    script = (
        "import time\nfrom refold.run import command\ncommand.run(lambda: (print('works', flush=True), time.sleep(60)))"
    )
    job = subprocess.Popen(
        [sys.executable, "-c", script], cwd=tmp_path, env=environment, stdout=subprocess.PIPE, text=True
    )
    assert job.stdout.readline() == "works\n"
    job.send_signal(signal.SIGSTOP)
    snakemake.kill()
    snakemake.communicate()
    process = run(tmp_path)
    errors = process.stderr.readline() + process.stderr.readline()
    assert (
        errors
        == REMOVED + "waiting for jobs of an earlier run to end; `fuser -v .snakemake/refold/jobs.lock` lists them\n"
    )
    time.sleep(0.5)
    assert process.poll() is None
    job.send_signal(signal.SIGCONT)
    assert process.communicate(timeout=30) == ("ended\n", "")
    assert job.wait(10) == 1


def test_a_file_system_without_locks_is_told_and_used_all_the_same(tmp_path):
    killed(tmp_path, "begun")
    without = "import errno, fcntl\ndef no(*_): raise OSError(errno.ENOLCK, 'No locks available')\nfcntl.flock = no\n"
    command = [sys.executable, "-c", without + RUN, "", "7"]
    environment = {**os.environ, "PYTHONPATH": WORKFLOW}
    first = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (first.returncode, first.stdout) == (1, "")
    warning, end = first.stderr.splitlines()
    assert "warning: .snakemake/refold/run.lock cannot be locked" in warning and end == "cannot be locked"
    (tmp_path / runs.LOCKS / "0.output.lock").unlink()
    second = subprocess.run(command, cwd=tmp_path, env=environment, capture_output=True, text=True)
    assert (second.returncode, second.stdout) == (0, "ended\n")
    assert json.loads((tmp_path / "results/.params/train.json").read_text())["epochs"] == 7


def test_leftovers_are_removed_and_nothing_else(tmp_path):
    left = [
        "data/.tmp-1-cases.csv",
        "data/raw/.tmp-mine=1/new/dataset.json",
        "data/preprocessed/.tmp-2-a.h5",
        "results/.params/.tmp-3-train.json",
        "results/models/unet/fold-0/.tmp-4-model.keras",
        "results/.checkpoints/unet/.tmp-5-fold-0.npz",
    ]
    kept = [
        "data/cases.csv",
        "data/raw/.archives/Task04_Hippocampus.tar.part",
        "data/raw/.archives/tmp1",
        "data/raw/mine/.tmp-theirs",
        "results/models/unet/fold-0/model.keras",
        "results/.checkpoints/unet/fold-0.npz",
        ".tmp-mine",
    ]
    for name in left + kept:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    code, _, errors = whole(tmp_path)
    assert code == 0 and errors == "6 half-written files of a killed run removed\n"
    found = {str(p.relative_to(tmp_path)) for p in tmp_path.rglob("*") if p.is_file()}
    assert not found & set(left) and set(kept) <= found
