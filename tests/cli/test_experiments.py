"""`dvc exp` on the real pipeline: two values of a parameter give two models, wherever they are run."""

import json
import subprocess
import time

import pytest
import yaml

from tests.projects import PATH

pytestmark = pytest.mark.slow


def models(project, revision: str) -> str:
    """The hash under which DVC has the models of a revision."""
    experiments = project.git("for-each-ref", "--format=%(refname)", "refs/exps").stdout.split()
    revision = next((r for r in experiments if r.endswith(f"/{revision}")), revision)
    lock = yaml.safe_load(project.git("show", f"{revision}:dvc.lock").stdout)
    return lock["stages"]["train"]["outs"][0]["md5"]


def test_experiments(recorded, tmp_path):
    project = recorded.copy(tmp_path / "project")
    project.edit(split={"run_folds": [0]}, train={"learning_rate": 0.003})  # `-S` changes keys that stand there
    project.dvc("repro")
    project.commit("one fold")

    # here
    project.dvc("exp", "run", "-S", "train.learning_rate=0.001", "-n", "slow")
    assert project.fresh()
    project.git("checkout", "--quiet", ".")
    project.git("reset", "--quiet", "--hard")
    project.dvc("checkout")

    # queued, two at a time
    for name, rate in (("fast", 0.01), ("faster", 0.02)):
        project.dvc("exp", "run", "--queue", "-S", f"train.learning_rate={rate}", "-n", name)
    # the worker would keep a pipe open
    project.run("sh", "-c", "dvc queue start -j 2 > queue.log 2>&1", PATH=PATH)
    deadline = time.monotonic() + 600
    while time.monotonic() < deadline:
        state = project.dvc("queue", "status").stdout
        if "Queued" not in state and "Running" not in state:
            break
        time.sleep(3)
    assert state.count("Success") >= 2, state + subprocess.getoutput(f"cat {project.folder}/.dvc/tmp/exps/*/*/*.log")

    names = project.dvc("exp", "list", "--name-only").stdout.split()
    assert set(names) >= {"slow", "fast", "faster"}
    found = {name: models(project, name) for name in ("slow", "fast", "faster")}
    found["HEAD"] = models(project, "HEAD")
    assert len(set(found.values())) == 4, "two values of a parameter gave one model"

    shown = json.loads(project.dvc("exp", "show", "--json").stdout)
    rates = {
        e["name"]: e["revs"][0]["data"]["params"]["params.yaml"]["data"]["train"]["learning_rate"]
        for e in shown[1]["experiments"]
    }
    assert rates == {"slow": 0.001, "fast": 0.01, "faster": 0.02}
    difference = json.loads(project.dvc("exp", "diff", "slow", "fast", "--json").stdout)
    (change,) = difference["params"]["params.yaml"].values()
    assert (change["old"], change["new"]) == (0.001, 0.01)
    difference = json.loads(project.dvc("params", "diff", "slow", "faster", "--json").stdout)
    assert difference["params.yaml"]["train.learning_rate"] == {"old": 0.001, "new": 0.02, "diff": 0.019}
    assert "results/metrics/metrics.json" in project.dvc("metrics", "diff", "--all", "HEAD", "slow").stdout

    project.dvc("exp", "apply", "faster")
    assert not project.fresh()
    project.refold("sync")
    assert project.fresh() and project.clean()
    assert yaml.safe_load((project.folder / "params.yaml").read_text())["train"]["learning_rate"] == 0.02
    lock = yaml.safe_load((project.folder / "dvc.lock").read_text())
    assert lock["stages"]["train"]["outs"][0]["md5"] == found["faster"]

    # two queued ones have not changed each other's models: made here again, they are the same
    project.git("reset", "--quiet", "--hard")
    project.dvc("checkout")
    project.edit(train={"learning_rate": 0.01})
    project.snakemake("--cores", "2")
    project.refold("record")
    lock = yaml.safe_load((project.folder / "dvc.lock").read_text())
    assert lock["stages"]["train"]["outs"][0]["md5"] == found["fast"]

    plots = json.loads(project.dvc("plots", "show", "--json").stdout)
    assert {"Learning curves", "Dice by case"} <= set(plots.get("data", plots))
