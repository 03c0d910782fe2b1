"""The table of several ways to one result: what is equal, what differs, what was left out."""

import hashlib
import subprocess
from pathlib import Path

import pytest
import yaml

from refold.cli import reproduce
from refold.cli.reproduce import Run
from refold.core.errors import RefoldError
from tests.projects import Project, environment, tiny

A, B = "a" * 64, "b" * 64


def test_a_table_of_equal_hashes():
    runs = [
        Run("cores-1", {"data/cases.csv": A, "results/models": B}, 61.4),
        Run("slurm", left_out="no Slurm answers here"),
        Run("dvc", {"data/cases.csv": A, "results/models": B}, 70.0),
    ]
    assert reproduce.table(runs).splitlines() == [
        "out             cores-1       dvc",
        "data/cases.csv  aaaaaaaaaaaa  aaaaaaaaaaaa  equal",
        "results/models  bbbbbbbbbbbb  bbbbbbbbbbbb  equal",
        "seconds         61            70",
        "slurm: left out: no Slurm answers here",
    ]
    assert reproduce.markdown(runs).splitlines()[:3] == [
        "| out | cores-1 | dvc |  |",
        "|---|---|---|---|",
        "| `data/cases.csv` | aaaaaaaaaaaa | aaaaaaaaaaaa | equal |",
    ]
    assert reproduce.verdict(runs) == "all equal"


def test_a_table_with_a_difference():
    # equal as far as the table shows them
    runs = [Run("cores-1", {"x": A, "y": B}), Run("dvc", {"x": A[:-1] + "b", "y": B})]
    assert [line.split()[-1] for line in reproduce.table(runs).splitlines()[1:3]] == ["DIFFERENT", "equal"]
    assert reproduce.verdict(runs) == "different: x"


def test_hashes_of_files_and_folders(tmp_path):
    (tmp_path / "results/models").mkdir(parents=True)
    (tmp_path / "results/models/m.json").write_text("{}")
    (tmp_path / "results/models/.tmp-7-m.json").write_text("half")
    (tmp_path / "t.csv").write_text("a\n")
    one = hashlib.sha256(b"{}").hexdigest()
    assert reproduce.hashes(tmp_path, ["t.csv", "results/models", "gone"]) == {
        "t.csv": hashlib.sha256(b"a\n").hexdigest(),
        "results/models": hashlib.sha256(f"{one}  results/models/m.json\n".encode()).hexdigest(),
        "gone": "missing",
    }


# ---------------------------------------------------------------- ways


@pytest.fixture
def repository(tmp_path, monkeypatch) -> Path:
    """Only parameters under Git: enough where the ways are made up."""
    folder = tmp_path / "project"
    (folder / "examples").mkdir(parents=True)
    (folder / "params.yaml").write_text(yaml.safe_dump(tiny()))
    env = environment(tmp_path / "home")
    for key, value in env.items():
        monkeypatch.setenv(key, value)
    for words in (["init", "--quiet"], ["add", "--all"], ["commit", "--quiet", "--message", "one"]):
        subprocess.run(["git", *words], cwd=folder, check=True)
    monkeypatch.chdir(folder)
    monkeypatch.setenv("TMPDIR", str(tmp_path / "scratch"))
    monkeypatch.setattr("tempfile.tempdir", None)
    (tmp_path / "scratch").mkdir()
    return folder


def made_up(folder: Path, log: Path) -> None:
    """A table that depends on one parameter."""
    (folder / "results/metrics").mkdir(parents=True)
    rate = yaml.safe_load((folder / "params.yaml").read_text())["train"].get("learning_rate", 0.003)
    (folder / "results/metrics/cases.csv").write_text(f"case,value\na,0.5\nb,{rate}\n")


def otherwise(folder: Path, log: Path) -> None:
    path = folder / "params.yaml"
    values = yaml.safe_load(path.read_text())
    values["train"]["learning_rate"] = 0.001
    path.write_text(yaml.safe_dump(values))
    made_up(folder, log)


def never(folder: Path, log: Path) -> None:
    raise reproduce.LeftOut("not on this machine")


def test_equal_ways(repository, monkeypatch, capsys, tmp_path):
    monkeypatch.setattr(reproduce, "WAYS", {"one": made_up, "two": made_up, "three": never})
    (repository / "params.yaml").write_text("not in the commit")
    assert reproduce.reproduce(out=tmp_path / "table.md")
    out = capsys.readouterr().out
    assert out.splitlines()[-1] == "all equal"
    assert "warning: uncommitted changes (params.yaml)" in out and "three: left out: not on this machine" in out
    page = (tmp_path / "table.md").read_text()
    assert "| `results/metrics/cases.csv` |" in page and page.endswith("all equal\n")
    assert list((tmp_path / "scratch").glob("refold-*")) == []


def test_a_clone_with_another_parameter_is_found(repository, monkeypatch, capsys):
    monkeypatch.setattr(reproduce, "WAYS", {"one": made_up, "two": otherwise})
    assert not reproduce.reproduce()
    out = capsys.readouterr().out
    assert "row case=b, column value: 0.003 in one, 0.001 in two" in out
    assert out.splitlines()[-1] == "different: results/metrics/cases.csv"


@pytest.mark.parametrize(
    "ways, told",
    [("one", "two or more different ways"), ("one,one", "two or more"), ("one,six", "--ways six: allowed are one")],
)
def test_what_cannot_be_compared_is_refused(repository, monkeypatch, ways, told):
    monkeypatch.setattr(reproduce, "WAYS", {"one": made_up, "two": never})
    with pytest.raises(RefoldError, match=told):
        reproduce.reproduce(ways=ways)


def test_one_way_left_and_unknown_examples_are_refused(repository, monkeypatch):
    monkeypatch.setattr(reproduce, "WAYS", {"one": made_up, "two": never})
    with pytest.raises(RefoldError, match="not on this machine; nothing to compare"):
        reproduce.reproduce()
    with pytest.raises(RefoldError, match=r"HEAD has no examples/small\.yaml"):
        reproduce.reproduce(example="small")


def test_a_run_that_cannot_be_killed_in_time_is_no_proof(repository):
    with pytest.raises(RefoldError, match="ended before it could be killed in train"):
        reproduce._killed_once(repository, repository / "logs/x.txt", ("true",), "train", "results/*.npz")


@pytest.mark.slow
def test_a_killed_run_and_a_whole_one_end_alike(tmp_path):
    """Without networks, for time; `make reproduce` runs all ways of the whole experiment."""
    methods = {name: {"kind": "threshold", "channel": 1, "classes": n} for name, n in (("a", 2), ("b", 3))}
    project = Project.create(tmp_path / "project", tiny(methods=methods))
    (tmp_path / "scratch").mkdir()
    done = project.refold(
        "reproduce", "--ways", "cores-2,killed", "--out", "table.md", TMPDIR=str(tmp_path / "scratch"), check=False
    )
    assert done.returncode == 0, done.stdout
    for phase in ("preprocess", "train", "predict"):
        assert f"  killed in {phase}\n" in done.stdout
    assert done.stdout.rstrip().endswith("all equal")
    rows = (project.folder / "table.md").read_text().splitlines()
    assert next(r for r in rows if r.startswith("| `results/models` |")).endswith("| equal |")
    assert (project.folder / "logs/reproduce/killed.txt").read_text().count("killed (SIGKILL)") == 3
    assert list((tmp_path / "scratch").glob("refold-*")) == []
