"""Inputs edited while results are made or recorded: never the old results under the new inputs."""

import json
import subprocess
import sys
import time

import pytest
import yaml

from refold.core import seals
from tests.projects import PATH

pytestmark = pytest.mark.slow


def tolerance(project) -> float:
    """What dvc.lock says the tables were made with."""
    lock = yaml.safe_load((project.folder / "dvc.lock").read_text())
    return lock["stages"]["evaluate"]["params"]["params.yaml"]["evaluate"].get("nsd_tolerance", 1.0)


def nsd(project) -> float:
    return json.loads((project.folder / "results/metrics/metrics.json").read_text())["a"]["mean"]["nsd"]


def test_parameters_edited_while_dvc_repro_runs(classical, tmp_path):
    project = classical.copy(tmp_path / "project")
    project.edit(evaluate={"nsd_tolerance": 2.0})
    with open(tmp_path / "log", "w") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "dvc", "repro"], cwd=project.folder, env={**project.env, "PATH": PATH},
            stdout=log, stderr=log, stdin=subprocess.DEVNULL,
        )  # fmt: skip
        stamp = project.folder / "results/.params/evaluate.json"
        deadline = time.monotonic() + 120
        while json.loads(stamp.read_text())["nsd_tolerance"] != 2.0:
            assert process.poll() is None and time.monotonic() < deadline, (tmp_path / "log").read_text()
            time.sleep(0.02)
        project.edit(evaluate={"nsd_tolerance": 4.0})
        assert process.wait(timeout=600) != 0
    assert "changed while this phase ran" in (tmp_path / "log").read_text()
    assert tolerance(project) == 1.0
    project.dvc("repro")
    assert tolerance(project) == 4.0 and project.clean() and project.fresh()
    wide = nsd(project)
    project.edit(evaluate={"nsd_tolerance": 2.0})
    project.dvc("repro")
    assert nsd(project) < wide  # from no remembered run


RECORD = """
import yaml
from refold.cli import handover, tools
real = tools.commit
def commit(names):
    done = real(names)
    values = yaml.safe_load(open("params.yaml"))
    values["evaluate"]["nsd_tolerance"] = 4.0
    open("params.yaml", "w").write(yaml.safe_dump(values, sort_keys=False))
    return done
tools.commit = commit
handover.record()
"""


def test_parameters_edited_while_results_are_recorded(classical, tmp_path):
    project = classical.copy(tmp_path / "project")
    (project.folder / "figure.txt").write_text("of the old table")
    values = yaml.safe_load((project.folder / "dvc.yaml").read_text())
    own = {"cmd": "cp results/metrics/summary.csv figure.txt", "deps": ["results/metrics/summary.csv"]}
    values["stages"]["figure"] = {**own, "outs": ["figure.txt"]}
    (project.folder / "dvc.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    project.edit(evaluate={"nsd_tolerance": 2.0})
    project.snakemake("--cores", "2")
    before = (project.folder / "dvc.lock").read_bytes()
    run = project.run(sys.executable, "-c", RECORD, check=False, PATH=PATH, PYTHONPATH=str(project.folder / "workflow"))
    assert run.returncode and "changed while the results were recorded" in run.stdout
    assert (project.folder / "dvc.lock").read_bytes() == before

    narrow = nsd(project)
    project.dvc("repro", "evaluate")
    assert tolerance(project) == 4.0 and nsd(project) > narrow, "DVC remembered a record that was refused"

    # a stage of the user's own is not certified by Snakemake
    project.edit(evaluate={"nsd_tolerance": 3.0})
    project.snakemake("--cores", "2")
    project.refold("record")
    assert "figure" not in yaml.safe_load((project.folder / "dvc.lock").read_text())["stages"]
    project.dvc("repro")
    table = (project.folder / "results/metrics/summary.csv").read_text()
    assert (project.folder / "figure.txt").read_text() == table


def test_tables_that_say_they_are_of_other_parameters_are_not_recorded(classical, tmp_path):
    project = classical.copy(tmp_path / "project")
    path = project.folder / "results/metrics/hashes.json"
    values = seals.read(path)
    values["params"]["predict"] = "0" * 64
    seals.write(path, values)
    # Snakemake does not look into a file that is newer
    project.snakemake("--touch", "--forceall", "--cores", "1", "--", "all")
    run = project.refold("record", check=False)
    assert run.returncode == 1 and "made from other params.predict than are here now" in run.stdout
