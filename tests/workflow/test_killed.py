"""A run killed at any moment, and started again without further ado, ends with the bytes of one never killed."""

import json
import os
import random
import re
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

from refold.experiment.reading import load
from refold.settings.stamps import Stamps
from tests.workflow.runs import (
    contents,
    differences,
    edit,
    incomplete,
    jobs_in,
    kill,
    project,
    snakemake,
    start,
    wait_for,
    wanted,
)

pytestmark = pytest.mark.slow

# What is waited for before a kill, in the order of the pipeline; where it does not come again, anything later will do.
PLAN = [
    *["start"] * 2,
    r"data/raw/\.tmp-",
    r"data/raw/phantom/dataset\.json",
    r"data/cases\.csv",
    "start",
    *[r"data/preprocessed/.*\.h5"] * 2,
    r"data/preprocessed/shard-.*\.json",
    r"data/fingerprint\.json",
    r"results/splits\.json",
    r"results/models/threshold/.*",
    *[r"results/\.checkpoints/.*"] * 2,
    r"results/models/unet/.*",
    *[r"results/predictions/.*\.nii\.gz"] * 2,
    r"results/predictions/.*/predictions\.json",
    "start",
    *[r"results/metrics/folds/.*"] * 2,
    r"results/metrics/[a-z]+\.(csv|json)",
    r"results/report/.*",
]  # fmt: skip
SEED = 20261122


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    """A run never killed: one fold, and epochs enough to be killed in."""
    folder = experiment(tmp_path_factory.mktemp("killed") / "whole")
    snakemake(folder, "--cores", "2")
    return folder


def experiment(folder):
    project(folder)
    edit(folder, split={"run_folds": [0]}, train={"epochs": 30, "early_stopping": None})
    return folder


def seen(folder):
    """Files as they are now; a file replaced is another."""
    found = {}
    for top in ("data", "results"):
        for place, _, names in os.walk(folder / top):
            for name in names:
                path = os.path.join(place, name)
                try:
                    found[os.path.relpath(path, folder), os.stat(path).st_mtime_ns] = None
                except OSError:
                    continue
    return found.keys()


def test_a_run_killed_at_random_moments_ends_with_the_same_bytes(whole, tmp_path):
    reference, watched = contents(whole), declared(whole)
    folder = experiment(tmp_path / "killed")
    draw = random.Random(SEED)
    told, kills = [], 0
    for step, place in enumerate(PLAN):
        how = draw.choice(["all", "all", "leader", "leader", "one"])
        delay = draw.uniform(0.1, 5.0) if place == "start" else draw.uniform(0, 0.4)
        later = "|".join(p for p in PLAN[step:] if p != "start")
        before = seen(folder)
        process = start(folder)
        while place != "start" and process.poll() is None:
            if any(re.match(later, name) for name, _ in seen(folder) - before):
                break
            time.sleep(0.02)
        try:
            process.wait(delay)
        except subprocess.TimeoutExpired:
            kill(process, how, draw)
            kills += 1
        told.append(f"{place}: {how} after {delay:.3f} s")
        if how == "one":
            process.wait(600)  # a job that was killed is a failed job
        else:
            process.wait(30)
        # at this very moment, jobs of the dead run may still be about to end
        now = contents(folder)
        unfinished = incomplete(folder)
        for name in watched:
            assert name not in now or name in unfinished or now[name] == reference[name], (SEED, told, name)
    assert kills >= 20, (SEED, told)
    assert snakemake(folder, "--cores", "2", check=False).returncode == 0, (SEED, told)
    assert differences(contents(folder), reference) == [], (SEED, told)
    assert wanted(folder) == {}
    log = (folder / "run.log").read_text()
    assert "is removed" in log and "cannot be locked" not in log, (SEED, told)


def declared(folder):
    """Files that rules declare, and that Snakemake holds records of."""
    out = snakemake(folder, "--summary").stdout
    return [line.split("\t")[0] for line in out.splitlines() if line.startswith(("data/", "results/"))]


# ---------------------------------------------------------------- orphans


def test_jobs_end_with_their_snakemake_and_a_new_one_begins_none_before(tmp_path):
    folder = experiment(tmp_path / "orphans")
    process = again = start(folder)
    try:
        # it works; one that has not begun yet would do nothing at all (tests/core/test_life.py)
        wait_for(lambda: list(folder.glob("data/raw/.tmp-*")), 120)
        orphans = jobs_in(folder)
        assert orphans
        process.kill()
        process.wait()
        token = (folder / ".snakemake/refold/run").read_text()
        again = start(folder)
        wait_for(lambda: set(jobs_in(folder)) - set(orphans), 120)
        assert not set(jobs_in(folder)) & set(orphans)
        assert (folder / ".snakemake/refold/run").read_text() != token
        again.kill()
        again.wait()
        wait_for(lambda: not jobs_in(folder), 60)
    finally:
        again.kill()
        again.wait()
        for p in jobs_in(folder):
            os.kill(p, signal.SIGKILL)


def test_a_second_run_and_changed_parameters_are_refused_while_one_goes_on(tmp_path):
    folder = experiment(tmp_path / "two")
    process = start(folder)
    try:
        wait_for(lambda: (folder / ".snakemake/refold/run").is_file() and jobs_in(folder), 60)
        os.killpg(process.pid, signal.SIGSTOP)  # it goes on for as long as the test looks
        frozen = contents(folder, "results/.params")
        edit(folder, train={"epochs": 2})
        for arguments in (["-n"], ["--cores", "1"]):
            run = snakemake(folder, *arguments, check=False)
            assert run.returncode == 1
            told = "params.yaml is changed in methods.unet, train while a run goes on in this folder"
            assert f"{told} (process {process.pid} on" in run.stdout
        assert contents(folder, "results/.params") == frozen
        edit(folder, train={"epochs": 30})
        assert "Job stats" in snakemake(folder, "-n").stdout
        # Snakemake's own lock says no
        assert "cannot be locked" in snakemake(folder, "--cores", "1", check=False).stdout
        # and without it, ours
        run = snakemake(folder, "--cores", "1", "--nolock", check=False)
        assert run.returncode == 1 and f"error: another run goes on in this folder (process {process.pid}" in run.stdout
        assert process.poll() is None
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait()


# ---------------------------------------------------------------- training alone


# `python -m refold.train` that dies when half of its n-th checkpoint is written
DIES_SAVING = """
import os, runpy, signal, sys
left = int(sys.argv.pop(1))
def hook(event, arguments):
    global left
    if event == "os.rename" and str(arguments[1]).endswith(".npz"):
        left -= 1
        if not left:
            os.truncate(arguments[0], os.path.getsize(arguments[0]) // 2)
            os.kill(os.getpid(), signal.SIGKILL)
sys.addaudithook(hook)
runpy.run_module("refold.train", run_name="__main__", alter_sys=True)
"""


def train(folder, out, stamps, *how):
    return [
        sys.executable, *(how or ("-m", "refold.train")), "--method", "unet", "--fold", "0",
        "--params", str(stamps), "--out", str(out / "model"), "--checkpoints", str(out / "checkpoints"),
    ]  # fmt: skip


def epoch(file):
    """The last epoch in a checkpoint; a checkpoint is whole whenever it is there."""
    if not file.exists():
        return 0
    with np.load(file) as arrays:
        return json.loads(str(arrays["//state"]))["epoch"]


def test_a_training_killed_in_any_epoch_ends_with_the_same_weights(whole, tmp_path, monkeypatch):
    """With early stopping, which has most to remember; tests/networks has it without."""
    settings = {"averaging": 0.9, "early_stopping": 4, "validate_every": 1, "learning_rate": 0.05}
    monkeypatch.chdir(whole)
    monkeypatch.setenv("PYTHONPATH", str(whole / "workflow"))
    draw = random.Random(SEED)
    params = load("params.yaml")
    params = params.model_copy(update={"train": params.train.model_copy(update={"epochs": 40, **settings})})
    stamps = tmp_path / "stamps"
    Stamps(stamps).write(params.frozen())
    once, killed = tmp_path / "once", tmp_path / "killed"
    once.mkdir(), killed.mkdir()
    subprocess.run(train(whole, once, stamps), check=True, capture_output=True)
    last = len((once / "model/history.csv").read_text().splitlines()) - 1
    assert last >= 8, "too few epochs to be killed in"
    file = killed / "checkpoints/unet/fold-0.npz"
    wanted_epoch, delay, saves = draw.randrange(1, last - 5), draw.uniform(0, 0.3), draw.randint(1, 2)
    process = subprocess.Popen(train(whole, killed, stamps), stderr=subprocess.DEVNULL)
    while process.poll() is None and epoch(file) < wanted_epoch:
        time.sleep(0.01)
    time.sleep(delay)
    process.kill()
    told = [f"epoch {wanted_epoch}, {delay:.3f} s: {epoch(file)} of {last}"]
    assert process.wait() == -signal.SIGKILL, (SEED, told)
    process = subprocess.run(train(whole, killed, stamps, "-c", DIES_SAVING, str(saves)), stderr=subprocess.DEVNULL)
    told.append(f"save {saves} after that: {epoch(file)} of {last}")
    assert process.returncode == -signal.SIGKILL and list(file.parent.glob(".tmp-*")), (SEED, told)
    log = subprocess.run(train(whole, killed, stamps), check=True, capture_output=True, text=True).stderr
    assert "goes on after epoch" in log, (SEED, told, log)
    assert differences(contents(once, "model"), contents(killed, "model")) == [], (SEED, told)
    card = json.loads((once / "model/card.json").read_text())
    assert card["hashes"]["model"] == json.loads((killed / "model/card.json").read_text())["hashes"]["model"]
