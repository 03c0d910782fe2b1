"""The real pipeline on a real Slurm: same bytes, and what happens when jobs or Snakemake die."""

import os
import shutil
import signal
import subprocess
import sys
import time
from datetime import datetime
from pathlib import Path

import pytest

from refold.cli.cluster import Cluster, Unavailable, command, until
from tests.projects import Project
from tests.workflow.runs import jobs_in

HERE = Path(__file__).parent

pytestmark = pytest.mark.slow
PROFILE = ("--profile", "profiles/slurm", "--slurm-status-command", "squeue")
FAST = ("--slurm-init-seconds-before-status-checks", "1")
THRESHOLD = "results/models/threshold/fold-0/model.json"
UNET = "results/models/unet/fold-0/model.keras"


@pytest.fixture(scope="module")
def slurm():
    try:
        cluster = Cluster().__enter__()
    except Unavailable as error:
        pytest.skip(f"no Slurm for tests: {error}")
    try:
        yield cluster
    finally:
        cluster.__exit__()


def start(folder: Path, program: tuple[str, ...], *arguments: str) -> subprocess.Popen:
    """Snakemake in the background; its output goes to ``run.log``."""
    environment = {k: v for k, v in os.environ.items() if not k.startswith(("SNAKEMAKE_", "SLURM_"))}
    with open(folder / "run.log", "w") as log:
        return subprocess.Popen(
            [sys.executable, *program, *arguments], cwd=folder, stdout=log, stderr=subprocess.STDOUT, env=environment
        )


def start_on_slurm(folder: Path, *arguments: str) -> subprocess.Popen:
    return start(folder, ("-m", "refold.cli.fast_snakemake"), *PROFILE, *FAST, *arguments)


def ended(process: subprocess.Popen, folder: Path, seconds: float = 300) -> str:
    """The output of a run that must succeed."""
    try:
        process.wait(seconds)
    finally:
        process.kill()
    out = (folder / "run.log").read_text()
    assert process.returncode == 0, out[-6000:]
    return out


def new_jobs(slurm: Cluster, folder: Path, since: int = 0) -> dict[str, list[dict[str, str]]]:
    """The jobs submitted from ``folder`` after job number ``since``, by the plugin's comment, oldest first."""
    found: dict[str, list[dict[str, str]]] = {}
    for job in slurm.jobs():
        if job["WorkDir"] == str(folder) and int(job["JobId"]) > since:
            found.setdefault(job.get("Comment", ""), []).append(job)
    return found


def last(slurm: Cluster) -> int:
    return max((int(job["JobId"]) for job in slurm.jobs()), default=0)


def memory(jobs: list[dict[str, str]]) -> list[int]:
    """Megabytes that each job asked for."""
    return [int(job["MinMemoryNode"].removesuffix("M")) for job in jobs]


def states(jobs: list[dict[str, str]]) -> list[str]:
    return [job["JobState"] for job in jobs]


def when(job: dict[str, str]) -> tuple[datetime, datetime]:
    return datetime.fromisoformat(job["StartTime"]), datetime.fromisoformat(job["EndTime"])


def models(folder: Path) -> dict[str, bytes]:
    top = folder / "results/models"
    return {str(p.relative_to(top)): p.read_bytes() for p in top.rglob("*") if p.is_file()}


@pytest.fixture(scope="module")
def done(slurm, recorded, tmp_path_factory) -> Path:
    """A clone of the recorded experiment as it was before its run, run on Slurm."""
    folder = tmp_path_factory.mktemp("slurm") / "clone"
    recorded.git("clone", "--quiet", str(recorded.folder), str(folder))
    Project(folder, recorded.env).git("checkout", "--quiet", "HEAD~1")
    assert not (folder / "dvc.lock").exists()
    # the cards exist on paper only, but asking for them shows that no local limit of one holds on a cluster
    run = start_on_slurm(folder, "--set-resources", "train_network:gpu=1", "predict_fold:gpu=0")
    ended(run, folder, 900)
    return folder


@pytest.fixture
def copy(done, tmp_path):
    """The finished experiment, to break and go on with."""
    folder = tmp_path / "copy"
    shutil.copytree(done, folder, symlinks=True)
    return folder


def test_slurm_gives_the_same_bytes_as_dvc_repro_on_this_machine(recorded, done):
    outs = recorded.outs()
    assert {"data/cases.csv", "results/splits.json", "results/metrics/cases.csv", UNET, THRESHOLD} < outs.keys()
    assert [name for name, content in outs.items() if (done / name).read_bytes() != content] == []


def test_folds_are_parallel_jobs_and_small_jobs_share_one(slurm, done):
    jobs = new_jobs(slurm, done)
    assert all(states(of) == ["COMPLETED"] for of in jobs.values())
    shared = {"data_catalogue_checks_fetch_folds", "preprocess_preprocess_shard", "evaluate_evaluate_fold"}
    shared |= {"report_report_html_tables"}
    own = {f"train_network_wildcards_unet_{k}" for k in (0, 1)}
    own |= {f"train_classical_json_wildcards_threshold_{k}" for k in (0, 1)}
    own |= {f"predict_fold_wildcards_{method}_{k}" for method in ("unet", "threshold") for k in (0, 1)}
    assert jobs.keys() == {f"rule_{name}" for name in {*shared, *own, "fingerprint"}}
    (a,), (b,) = jobs["rule_train_network_wildcards_unet_0"], jobs["rule_train_network_wildcards_unet_1"]
    assert max(when(a)[0], when(b)[0]) < min(when(a)[1], when(b)[1])
    for job in (a, b):
        assert "gres/gpu=1" in job["TRES"] or job.get("TresPerJob") in ("gpu:1", "gres:gpu:1")
        assert memory([job]) == [8000] and job["TimeLimit"] == "1-00:00:00" and job["Requeue"] == "1"


def test_nothing_is_to_be_done_afterwards(done):
    dry = start(done, ("-m", "snakemake"), *PROFILE, "-n")
    assert "Nothing to be done" in ended(dry, done)


def test_groups_work_where_the_rules_of_one_phase_are_alone(done):
    """As DVC's stages call Snakemake."""
    words = ("-n", "--forceall", "--config", "only_phase=split", "--", "split")
    assert "Group job data" in ended(start(done, ("-m", "snakemake"), *PROFILE, *words), done)


def test_a_cancelled_job_is_submitted_again(slurm, done, copy):
    before, name = last(slurm), "rule_train_classical_json_wildcards_threshold_0"
    (copy / THRESHOLD).unlink()
    run = start_on_slurm(copy, THRESHOLD)
    job = until(lambda: new_jobs(slurm, copy, before).get(name), "the job", 60)[0]
    until(lambda: states(new_jobs(slurm, copy, before)[name]) == ["RUNNING"], "its start", 60)
    command("scancel", job["JobId"])
    ended(run, copy)
    jobs = new_jobs(slurm, copy, before)
    assert jobs.keys() == {name}
    assert states(jobs[name]) == ["CANCELLED", "COMPLETED"]
    assert memory(jobs[name]) == [4000, 8000]
    assert [job["TimeLimit"] for job in jobs[name]] == ["04:00:00", "08:00:00"]
    assert models(copy) == models(done)


def test_too_little_memory_and_the_next_attempt_asks_slurm_for_more(slurm, done, copy):
    before = last(slurm)
    (copy / THRESHOLD).unlink()
    rule = copy / "workflow/rules/train.smk"
    times = rule.stat()
    rule.write_text(rule.read_text().replace("jobs.growing(4000)", "jobs.growing(130)"))
    os.utime(rule, ns=(times.st_atime_ns, times.st_mtime_ns))
    ended(start_on_slurm(copy, THRESHOLD), copy)
    (jobs,) = new_jobs(slurm, copy, before).values()
    assert len(jobs) in (2, 3)
    assert memory(jobs) == [130, 260, 520][: len(jobs)]
    assert states(jobs) == ["FAILED"] * (len(jobs) - 1) + ["COMPLETED"]
    log = next((copy / ".snakemake/slurm_logs").rglob(f"{jobs[0]['JobId']}.log")).read_text()
    assert "exceeded memory limit" in log
    assert models(copy) == models(done)


def test_jobs_of_a_killed_snakemake_never_write_beside_those_of_the_next(slurm, done, copy, tmp_path):
    before, name = last(slurm), "rule_train_network_wildcards_unet_0"
    shutil.rmtree(copy / UNET.rpartition("/")[0])
    run = start_on_slurm(copy, UNET)
    try:
        until(lambda: list(copy.glob("results/.checkpoints/unet/fold-0.npz")), "a checkpoint", 120, 0.002)
        for process in jobs_in(copy):  # at once: what is left to do takes less than Slurm's own suspension
            os.kill(process, signal.SIGSTOP)
        (orphan,) = new_jobs(slurm, copy, before)[name]
        command("scontrol", "suspend", orphan["JobId"])  # or it would end before it can be found
    finally:
        run.send_signal(signal.SIGKILL)
        run.wait()
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    sleeping = ("--parsable", "--mem=10", "--output=/dev/null", "--wrap=sleep 600")
    uuid = "00000000-1111-2222-3333-444444444444"
    others = [
        command("sbatch", *sleeping, f"--chdir={copy}", "--job-name=mine").strip(),
        command("sbatch", *sleeping, f"--chdir={elsewhere}", f"--job-name={uuid}").strip(),
    ]
    try:
        out = ended(start_on_slurm(copy, UNET), copy)
        jobs = new_jobs(slurm, copy, before)
        alive = command("squeue", "-h", "-t", "RUNNING", "-o", "%A").split()
        assert set(others) <= set(alive)
    finally:
        command("scancel", *others)
    assert f"cancelling 1 Slurm job of a killed run ({orphan['JobId']})" in out
    assert states(jobs[name]) == ["CANCELLED", "COMPLETED"]
    assert when(jobs[name][0])[1] <= when(jobs[name][1])[0]
    log = (copy / "logs/train/unet-0.log").read_text()
    assert "goes on after epoch 1" in log, log
    assert models(copy) == models(done)


def test_a_slurm_without_records_is_not_asked_for_them(slurm, done, copy):
    """Its sacct answers nothing, and Snakemake would wait for ever."""
    (copy / THRESHOLD).unlink()
    words = ("-m", "snakemake"), "--profile", "profiles/slurm", "--slurm-status-command", "sacct", THRESHOLD
    begun = time.monotonic()
    run = start(copy, *words)
    try:
        assert run.wait(60) != 0
    finally:
        run.kill()
    assert time.monotonic() - begun < 60
    assert "slurm-status-command: squeue" in (copy / "run.log").read_text()
