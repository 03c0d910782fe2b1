"""What runs again after a change: the same phases under Snakemake and DVC, and what docs/how-to/dvc.md says.

Here Snakemake is asked by dry runs, and DVC runs its stages with a stand-in that writes other files at once;
``python -m benchmarks.reruns`` runs both for real.
"""

import json
import os
import re
import stat
import sys

import pytest

from benchmarks.reruns import CHANGES, Change
from refold.run.graph import PHASES, owner
from tests.projects import PATH, ROOT, Project

pytestmark = pytest.mark.slow

STAND_IN = f"""#!{sys.executable}
import os, pathlib, sys, yaml
phase = next(a for a in sys.argv if a.startswith("only_phase=")).partition("=")[2]
stage = yaml.safe_load(open("dvc.yaml"))["stages"][phase]
for out in [*stage["outs"], *stage.get("metrics", [])]:
    path = pathlib.Path(out.replace("${{dataset.name}}", "phantom"))
    path = path if path.suffix else path / "file.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text('{{"value": ' + str(int.from_bytes(os.urandom(4), "big")) + "}}")
open("ran", "a").write(phase + "\\n")
"""


@pytest.fixture(scope="module")
def finished(recorded, tmp_path_factory):
    project = recorded.copy(tmp_path_factory.mktemp("reruns") / "project")
    project.refold("sync")
    return project


@pytest.fixture(scope="module")
def staged(finished, tmp_path_factory):
    """A project whose stages end at once."""
    project = Project(finished.copy(tmp_path_factory.mktemp("staged") / "project").folder, finished.env)
    bin_ = project.folder.parent / "bin"
    bin_.mkdir()
    (bin_ / "snakemake").write_text(STAND_IN)
    (bin_ / "snakemake").chmod(0o755 | stat.S_IXUSR)
    project.env["PATH"] = f"{bin_}:{PATH}"
    return project


def test_the_plots_of_dvc(finished):
    plots = json.loads(finished.dvc("plots", "show", "--json").stdout)
    assert {"Learning curves", "Dice by case"} <= set(plots.get("data", plots))


def test_a_thorough_status_names_a_model_changed_in_place(finished):
    model = finished.folder / "results/models/threshold/fold-0/model.json"
    before, content = model.stat(), model.read_bytes()
    model.write_bytes(content.replace(b"0", b"1", 1))
    os.utime(model, ns=(before.st_atime_ns, before.st_mtime_ns))
    told = finished.refold("status", "--thorough", check=False)
    model.write_bytes(content)
    os.utime(model, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert told.returncode == 1 and "by what is in them: 1 is not\n" in told.stdout
    assert "results/models/threshold/fold-0/model.json is not what the train phase wrote" in told.stdout
    assert re.search(r"train +fresh +differs: results/models modified", told.stdout)
    assert "next: delete the files named above, then `dvc checkout --force`" in told.stdout


def names(change: Change) -> str:
    return change.words.replace("`", "")


@pytest.mark.parametrize("change", CHANGES, ids=names)
def test_under_snakemake(finished, change):
    project = finished
    try:
        change.make(project)
        out = project.snakemake("--summary").stdout
        rows = [line.split("\t") for line in out[out.index("output_file\t") :].splitlines()[1:] if "\t" in line]
        wanted = {owner(r[0], "phantom") for r in rows if r[-1] != "no update"}
        assert [p for p in PHASES if p in wanted] == change.expected
    finally:
        project.git("checkout", "--quiet", ".")


@pytest.mark.parametrize("change", CHANGES, ids=names)
def test_under_dvc(staged, change):
    project = staged
    try:
        change.make(project)  # none changes what is imported, so the stages' lists of files stay
        told = project.run(sys.executable, "-m", "dvc", "repro", "--no-run-cache").stdout
        ran = (project.folder / "ran").read_text().split() if (project.folder / "ran").exists() else []
        assert [p for p in PHASES if p in ran] == change.expected, told
        assert len(ran) == len(set(ran))
    finally:
        (project.folder / "ran").unlink(missing_ok=True)
        project.git("reset", "--quiet", "--hard")
        project.run(sys.executable, "-m", "dvc", "checkout")


def test_every_section_and_phase_is_changed_once():
    sections = {"dataset", "preprocess", "split", "train", "augment", "methods", "predict", "evaluate", "report"}
    assert {c.of for c in CHANGES} == sections | set(PHASES) | {"words"}
    # rewording a message or a sentence trains nothing again and predicts nothing
    assert not [c.words for c in CHANGES if c.of == "words" and {"train", "predict"} & set(c.expected)]


def test_the_docs_say_the_same():
    text = (ROOT / "docs/how-to/dvc.md").read_text()
    for change in CHANGES:
        row = re.search(rf"(?m)^\| {re.escape(change.words)} \| (.*?) \| (.*?) \|", text)
        assert row, f"docs/how-to/dvc.md lacks the row of {change.words}"
        assert row[1] == row[2] == (", ".join(change.expected) or "nothing")
