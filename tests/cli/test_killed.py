"""`dvc repro` and `refold record` killed at random moments: the next one goes on, and nothing half-written is kept."""

import hashlib
import os
import random
import shutil
import signal
import subprocess
import sys
import time

import pytest

from refold.cli import tools
from tests.projects import PATH, Project, tiny

pytestmark = pytest.mark.slow
SEED = 20261122


def killed(project: Project, seconds: float, *command: str) -> bool:
    """Start a command, kill it with all it started after some seconds; whether it was still running."""
    process = subprocess.Popen(
        [sys.executable, "-m", *command], cwd=project.folder, start_new_session=True, stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL,
        env={**project.env, "PATH": PATH, "PYTHONPATH": str(project.folder / "workflow")},
    )  # fmt: skip
    try:
        process.wait(timeout=seconds)
        return False
    except subprocess.TimeoutExpired:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()
        return True


def whole(project: Project) -> None:
    """Every file in DVC's cache has the bytes that its name says."""
    files = [p for p in (project.folder / ".dvc/cache/files/md5").glob("??/*") if not p.name.endswith(".tmp")]
    assert files
    for path in files:
        name = (path.parent.name + path.name).removesuffix(".dir")
        assert hashlib.md5(path.read_bytes()).hexdigest() == name, path


def test_dvc_repro_killed_again_and_again_ends_with_the_same_bytes(classical, tmp_path):
    reference = classical.copy(tmp_path / "reference")
    change = {"a": {"kind": "threshold", "channel": 1, "classes": 5}}
    changes = {"methods": change, "preprocess": {"image_order": 1}, "split": {"run_folds": [0]}}
    reference.edit(**changes)
    start = time.monotonic()
    assert not killed(reference, 900, "dvc", "repro")
    needed = time.monotonic() - start

    project = classical.copy(tmp_path / "killed")
    project.edit(**changes)
    chance, phantom = random.Random(SEED), tiny()["dataset"]["phantom"]
    kills = 0
    for attempt in range(15):
        if killed(project, chance.uniform(0.1, 0.7) * needed, "dvc", "repro"):
            kills += 1
        else:  # it came to its end; what was made is for another experiment now
            project.edit(dataset={"phantom": {**phantom, "seed": 100 + attempt}})
            needed *= 0.8
        tools.unlock(project.folder)  # as docs/how-to/dvc.md tells users to
        if kills == 5:
            break
    assert kills == 5, f"seed {SEED}: it was hardly killed while it ran"
    shutil.copy(reference.folder / "params.yaml", project.folder)
    time.sleep(1)  # jobs that lost their Snakemake end within a second
    project.dvc("repro")
    project.refold("sync")  # after what DVC brought back from its cache, docs/how-to/dvc.md
    whole(project)
    assert project.clean() and project.fresh()
    assert project.outs() == reference.outs(), f"seed {SEED}"


def test_a_killed_record_is_finished_by_the_next(classical, tmp_path):
    project = classical.copy(tmp_path / "project")
    before = (project.folder / "dvc.lock").read_bytes()
    project.edit(methods={"a": {"kind": "threshold", "channel": 1, "classes": 5}}, preprocess={"image_order": 1})
    project.snakemake("--cores", "2")
    made = project.outs()
    start = time.monotonic()
    project.copy(tmp_path / "timed").refold("record")
    needed = time.monotonic() - start
    chance = random.Random(SEED)
    # the second half is DVC's commit
    kills = 0
    for _ in range(12):
        if killed(project, chance.uniform(0.4, 1) * needed, "refold.cli", "record"):
            kills += 1
        else:  # it came to its end, and has nothing more to do; it takes less than was measured
            (project.folder / "dvc.lock").write_bytes(before)
            needed *= 0.8
        if kills == 3:
            break
    assert kills == 3, f"seed {SEED}: it was never killed while it ran"
    project.refold("record")
    whole(project)
    assert project.clean() and project.fresh()
    assert project.outs() == made and (project.folder / "dvc.lock").read_bytes() != before
    project.run("rm", "-rf", "results", "data")
    project.dvc("checkout")
    assert project.outs() == made, f"seed {SEED}"
