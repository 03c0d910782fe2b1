"""Hand-overs between Snakemake and DVC on the real pipeline: each line is a way in which a toy gave wrong metrics."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

from tests.projects import Project

AFTER_TRAINING = {"train", "predict", "evaluate", "report"}


def metrics(project: Project) -> dict:
    return json.loads((project.folder / "results/metrics/metrics.json").read_text())


def begin(classical: Project, folder: Path, cache_type: str) -> tuple[Project, dict]:
    """The finished experiment under this kind of links, and its numbers."""
    project = classical.copy(folder / "project")
    project.dvc("config", "cache.type", cache_type)
    project.dvc("checkout", "--relink", "--force")
    linked = project.folder / "results/models/a/fold-0/model.json"
    assert linked.is_symlink() == (cache_type == "symlink")
    project.ran()
    assert project.clean()
    project.refold("sync")
    assert project.fresh()
    assert project.ran() == set()
    project.commit(f"cache {cache_type}")
    return project, metrics(project)


def change(project: Project, first: dict) -> dict:
    """A parameter by DVC, then one by Snakemake."""
    project.edit(methods={"a": {"kind": "threshold", "channel": 1, "classes": 4}})
    project.dvc("repro")
    assert project.phases_run() == AFTER_TRAINING
    assert project.fresh() and project.clean()
    second = metrics(project)
    assert second["a"] != first["a"] and second["b"] == first["b"]
    project.commit("four classes")

    project.edit(evaluate={"nsd_tolerance": 3.0})
    project.snakemake("--cores", "2")
    assert project.phases_run() == {"evaluate", "report"}
    assert not project.clean()
    project.refold("record")
    assert project.clean()
    project.dvc("repro")
    assert project.ran() == set()
    third = metrics(project)
    assert third["a"]["mean"]["nsd"] > second["a"]["mean"]["nsd"]
    project.commit("tolerance")
    return third


def go_back_and_forth(project: Project, first: dict, third: dict) -> None:
    """To an older commit and to the newest; then newer times on the same content."""
    project.git("checkout", "--quiet", "HEAD~2")
    project.dvc("checkout")
    assert not project.fresh()
    assert metrics(project) == first
    project.refold("sync")
    assert project.fresh() and project.clean()
    assert metrics(project) == first
    project.git("checkout", "--quiet", "main")
    refused = project.refold("sync", check=False)
    assert refused.returncode == 1 and "not synced" in refused.stdout
    project.dvc("checkout")
    project.refold("sync")
    assert project.fresh()
    assert metrics(project) == third
    for name in ("params.yaml", "data/cases.csv", "workflow/refold/classical/threshold.py", "results/splits.json"):
        (project.folder / name).touch()
    assert project.fresh()


def spoil_an_image(project: Project) -> None:
    """One byte of a fetched image, in place, its size and time kept; then brought back."""
    image = sorted((project.folder / "data/raw/phantom/imagesTr").iterdir())[0]
    before, content = image.stat(), image.read_bytes()
    image.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    os.utime(image, ns=(before.st_atime_ns, before.st_mtime_ns))
    told = project.refold("status").stdout
    # DVC sees no change; so it is not asked to bring the file back by itself
    assert f"imagesTr/{image.name}" in told and "next: put the files back" in told and "data        3 of" in told
    refused = project.refold("record", check=False)
    assert refused.returncode == 1 and "Snakemake still has work to do" in refused.stdout
    image.write_bytes(content)
    assert project.fresh()


def experiment(project: Project, third: dict) -> dict:
    """Run elsewhere, then taken here and left again."""
    run = project.dvc("exp", "run", "--temp", "-S", "methods.a.classes=5", "-n", "five").stdout
    assert {p for p in AFTER_TRAINING if f"Running stage '{p}'" in run} == AFTER_TRAINING
    assert not [p for p in ("data", "preprocess", "split") if f"Running stage '{p}'" in run]
    assert metrics(project) == third
    project.dvc("exp", "apply", "five")
    fourth = metrics(project)
    assert fourth["a"] != third["a"] and fourth["b"] == third["b"]
    assert not project.fresh()
    project.refold("sync")
    assert project.fresh()
    project.git("checkout", "--quiet", ".")
    project.git("reset", "--quiet", "--hard")
    project.dvc("checkout")
    project.refold("sync")
    assert metrics(project) == third
    return fourth


def fail_once(project: Project) -> None:
    """A fold that fails, then goes on."""
    project.edit(methods={"a": {"kind": "threshold", "channel": 1, "classes": 5}})
    project.ran()
    log = project.folder / "logs/train/a-1.log"
    log.unlink()
    (log / "in the way").mkdir(parents=True)
    # run anew, though DVC may remember an experiment of the same
    assert project.dvc("repro", "--no-run-cache", check=False).returncode
    assert project.refold("record", check=False).returncode == 1
    shutil.rmtree(log)
    done = project.ran()
    assert "train-a-0" in done and "train-a-1" not in done
    project.snakemake("--cores", "2")
    done = project.ran()
    assert {n for n in done if n.startswith("train")} == {"train-a-1"}
    assert "report" in done and "predict-a-0" in done
    project.refold("record")
    assert project.clean()
    project.commit("five classes")


def clone_elsewhere(project: Project, folder: Path) -> None:
    project.dvc("remote", "add", "--default", "shelf", str(folder / "shelf"))
    project.commit("a remote")
    project.dvc("push")
    project.git("clone", "--quiet", str(project.folder), str(folder / "clone"))
    clone = Project(folder / "clone", project.env)
    clone.dvc("pull")
    clone.refold("sync")
    assert clone.fresh() and clone.ran() == set()
    assert clone.outs() == project.outs()
    clone.edit(methods={"a": {"kind": "threshold", "channel": 1, "classes": 2}})
    assert not clone.fresh()
    for name in (".snakemake", "results/.params"):
        clone.run("rm", "-rf", name)
    assert not clone.fresh()
    clone.git("checkout", "--quiet", ".")
    clone.refold("sync")
    assert clone.fresh()
    code = clone.folder / "workflow/refold/classical/threshold.py"
    code.write_text(code.read_text() + "\n# changed\n")
    assert not clone.fresh()
    assert clone.refold("sync", check=False).returncode == 1
    clone.run("rm", "-rf", ".snakemake")
    assert not clone.fresh()
