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


def test_experiments(classical, tmp_path):
    project = classical.copy(tmp_path / "project")
    project.edit(split={"run_folds": [0]})
    project.dvc("repro")
    project.commit("one fold")

    # here
    project.dvc("exp", "run", "-S", "methods.a.classes=3", "-n", "three")
    assert project.fresh()
    project.git("checkout", "--quiet", ".")
    project.git("reset", "--quiet", "--hard")
    project.dvc("checkout")

    # queued, two at a time
    for name, classes in (("four", 4), ("five", 5)):
        project.dvc("exp", "run", "--queue", "-S", f"methods.a.classes={classes}", "-n", name)
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
    assert set(names) >= {"three", "four", "five"}
    found = {name: models(project, name) for name in ("three", "four", "five")}
    found["HEAD"] = models(project, "HEAD")
    assert len(set(found.values())) == 4, "two values of a parameter gave one model"

    shown = json.loads(project.dvc("exp", "show", "--json").stdout)
    classes = {
        e["name"]: e["revs"][0]["data"]["params"]["params.yaml"]["data"]["methods"]["a"]["classes"]
        for e in shown[1]["experiments"]
    }
    assert classes == {"three": 3, "four": 4, "five": 5}
    difference = json.loads(project.dvc("exp", "diff", "three", "four", "--json").stdout)
    (change,) = difference["params"]["params.yaml"].values()
    assert (change["old"], change["new"]) == (3, 4)
    difference = json.loads(project.dvc("params", "diff", "three", "five", "--json").stdout)
    assert difference["params.yaml"]["methods.a.classes"] == {"old": 3, "new": 5, "diff": 2}
    assert "results/metrics/metrics.json" in project.dvc("metrics", "diff", "--all", "HEAD", "three").stdout

    project.dvc("exp", "apply", "five")
    assert not project.fresh()
    project.refold("sync")
    assert project.fresh() and project.clean()
    assert yaml.safe_load((project.folder / "params.yaml").read_text())["methods"]["a"]["classes"] == 5
    lock = yaml.safe_load((project.folder / "dvc.lock").read_text())
    assert lock["stages"]["train"]["outs"][0]["md5"] == found["five"]

    # two queued ones have not changed each other's models: made here again, they are the same
    project.git("reset", "--quiet", "--hard")
    project.dvc("checkout")
    project.edit(methods={"a": {"kind": "threshold", "channel": 1, "classes": 4}})
    project.snakemake("--cores", "2")
    project.refold("record")
    lock = yaml.safe_load((project.folder / "dvc.lock").read_text())
    assert lock["stages"]["train"]["outs"][0]["md5"] == found["four"]
