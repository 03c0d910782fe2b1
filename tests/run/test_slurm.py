"""Which Slurm jobs are cancelled, and what is said when Slurm does not answer; with a `squeue` of our own."""

import os
import subprocess

import pytest

from refold.core.errors import RefoldError
from refold.run import slurm as queue

UUID = "fc28327f-d684-4b24-8631-61d2d91427ed"


@pytest.fixture
def slurm(tmp_path, monkeypatch):
    """``slurm(command, text)`` lets a command print a text; every call is added to ``slurm.calls``."""
    folder = tmp_path / "bin"
    folder.mkdir()
    monkeypatch.setenv("PATH", f"{folder}{os.pathsep}{os.environ['PATH']}")
    monkeypatch.setattr(queue.time, "sleep", lambda seconds: None)
    calls = tmp_path / "calls"

    def make(command, text="", status=0):
        (folder / f"{command}.txt").write_text(text)
        script = folder / command
        script.write_text(f'#!/bin/sh\necho {command} "$@" >> {calls}\ncat {folder}/{command}.txt\nexit {status}\n')
        script.chmod(0o755)

    make.calls = lambda: calls.read_text().splitlines()
    make.folder = folder
    return make


def test_jobs_that_a_snakemake_submitted_from_this_folder(slurm, tmp_path, monkeypatch):
    work = tmp_path / "a folder"
    work.mkdir()
    (tmp_path / "link").symlink_to(work)
    rows = [
        ("10", "RUNNING", UUID, work),
        ("9", "PENDING", f"my-prefix_{UUID}", tmp_path / "link"),
        ("11", "SUSPENDED", UUID, work),
        ("12", "COMPLETING", UUID, work),
        ("13", "COMPLETED", UUID, work),
        ("14", "CANCELLED", UUID, work),
        ("15", "RUNNING", "snakemake", work),
        ("16", "RUNNING", f"{UUID}-mine", work),
        ("17", "RUNNING", UUID, tmp_path),
        ("18", "RUNNING", UUID, work / "deeper"),
        ("19", "RUNNING", UUID, work),
    ]
    monkeypatch.setenv("SLURM_JOB_ID", "19")
    slurm("squeue", "".join(f"{job} {state} {name} {folder}\n" for job, state, name, folder in rows))
    assert queue.orphans(work) == ["9", "10", "11", "12"]
    (call,) = slurm.calls()
    assert f"--user={os.getuid()}" in call


def test_nothing_to_cancel(slurm, tmp_path, capfd):
    slurm("squeue")
    assert queue.cancel_orphans(tmp_path) == []
    assert capfd.readouterr().err == ""


def test_they_are_cancelled_and_waited_for(slurm, tmp_path, capfd):
    slurm("squeue", f"7 RUNNING {UUID} {tmp_path}\n")
    script = slurm.folder / "scancel"  # the job is gone afterwards
    script.write_text(f"#!/bin/sh\necho scancel $@ >> {tmp_path}/calls\n: > {slurm.folder}/squeue.txt\n")
    script.chmod(0o755)
    assert queue.cancel_orphans(tmp_path) == ["7"]
    assert "scancel 7" in slurm.calls()
    assert capfd.readouterr().err.startswith("cancelling 1 Slurm job of a killed run (7)\n")


def test_a_job_that_does_not_end_stops_the_run(slurm, tmp_path, monkeypatch):
    slurm("squeue", f"7 COMPLETING {UUID} {tmp_path}\n")
    slurm("scancel", "Invalid job id", status=1)
    monkeypatch.setattr(queue, "PATIENCE", 0)
    with pytest.raises(RefoldError, match="scontrol show job 7"):
        queue.cancel_orphans(tmp_path)


def test_slurm_does_not_answer(slurm, tmp_path, monkeypatch):
    slurm("squeue", "Unable to contact slurm controller", status=1)
    with pytest.raises(RefoldError, match="Unable to contact"):
        queue.orphans(tmp_path)

    def late(*_, timeout, **__):
        raise subprocess.TimeoutExpired("squeue", timeout)

    monkeypatch.setattr(queue.subprocess, "run", late)
    with pytest.raises(RefoldError, match="does not answer"):
        queue.orphans(tmp_path)


def test_no_slurm_here(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(RefoldError, match="squeue is not installed here"):
        queue.orphans(tmp_path)


@pytest.mark.parametrize("kind, refused", [("accounting_storage/none", True), ("accounting_storage/slurmdbd", False)])
def test_sacct_needs_records(slurm, kind, refused):
    slurm("scontrol", f"AccountingStorageEnforce = none\nAccountingStorageType   = {kind}\nAuthType = auth/munge\n")
    queue.check_status_command("squeue")
    if refused:
        with pytest.raises(RefoldError, match="slurm-status-command: squeue"):
            queue.check_status_command("sacct")
    else:
        queue.check_status_command("sacct")
