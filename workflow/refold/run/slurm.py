"""Slurm jobs of earlier runs, and what a run on Slurm must know before it submits its own."""

from __future__ import annotations

import os
import re
import subprocess
import sys
import time
from contextlib import suppress
from pathlib import Path

from refold.core.errors import RefoldError

# Snakemake's Slurm plugin names all jobs of a run by one random UUID, after a prefix if the user set one.
NAME = re.compile(r"([\w-]{1,50}_)?[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
# `squeue` also lists jobs that have ended lately; all others may still write.
ENDED = {"BOOT_FAIL", "CANCELLED", "COMPLETED", "DEADLINE", "FAILED"}
ENDED |= {"NODE_FAIL", "OUT_OF_MEMORY", "PREEMPTED", "REVOKED", "TIMEOUT"}
PATIENCE = 300.0  # seconds for cancelled jobs to end


def _slurm(*words: str) -> str:
    try:
        run = subprocess.run(words, capture_output=True, text=True, timeout=60)
    except FileNotFoundError:
        raise RefoldError(f"{words[0]} is not installed here; start snakemake where you submit Slurm jobs") from None
    except subprocess.TimeoutExpired:
        raise RefoldError(f"Slurm does not answer: {' '.join(words)} took over 60 s; try again later") from None
    if run.returncode:
        raise RefoldError(f"Slurm does not answer: {' '.join(words)}: {(run.stderr or run.stdout).strip()}")
    return run.stdout


def orphans(workdir: Path) -> list[str]:
    """Ids of this user's jobs that a Snakemake submitted from ``workdir`` and that have not ended.

    Only before this run submits its own jobs are these an earlier run's. Jobs of other folders, jobs with names of the
    user's own choice and the job that this process itself runs in are never among them.

    Raises:
        RefoldError: Slurm does not answer.
    """
    listed = _slurm("squeue", "--noheader", f"--user={os.getuid()}", "--states=all", "--format=%A %T %j %Z")
    found = []
    for line in listed.splitlines():
        job, state, name, folder = (line.split(maxsplit=3) + [""] * 3)[:4]
        if state not in ENDED and NAME.fullmatch(name) and Path(folder).resolve() == Path(workdir).resolve():
            found.append(job)
    return sorted(set(found) - {os.environ.get("SLURM_JOB_ID")}, key=int)


def cancel_orphans(workdir: Path) -> list[str]:
    """Cancel the jobs that a killed run left in the queue, and return when none of them can write any more.

    To be called when no other run works in ``workdir``, before the first job is submitted.

    Raises:
        RefoldError: Slurm does not answer, or a cancelled job does not end.
    """
    found = left = orphans(workdir)
    if not found:
        return []
    words = f"{len(found)} Slurm job{'s' * (len(found) > 1)} of a killed run ({', '.join(found)})"
    print(f"cancelling {words}", file=sys.stderr, flush=True)
    with suppress(RefoldError):  # one may have ended by itself; what counts is whether all have
        _slurm("scancel", *found)
    end = time.monotonic() + PATIENCE
    while left := [job for job in orphans(workdir) if job in found]:
        if time.monotonic() > end:
            raise RefoldError(
                f"Slurm jobs {', '.join(left)} of a killed run were cancelled {PATIENCE:.0f} s ago and have not ended; "
                f"they may still write here. See `scontrol show job {left[0]}`, wait, and run snakemake again"
            )
        time.sleep(1)
    print(f"{words}: ended", file=sys.stderr, flush=True)
    return found


def check_status_command(status_command: str | None) -> None:
    """Whether Slurm can say by ``status_command`` what became of a job.

    Raises:
        RefoldError: it is sacct, and this Slurm keeps no records: Snakemake would wait for ever.
    """
    if status_command == "sacct" and re.search(
        r"(?m)^AccountingStorageType\s*=\s*(accounting_storage/none|\(null\)|$)", _slurm("scontrol", "show", "config")
    ):
        raise RefoldError(
            "this Slurm keeps no accounting records, so sacct cannot say what became of a job; "
            "set `slurm-status-command: squeue` in profiles/slurm/profile.yaml"
        )
