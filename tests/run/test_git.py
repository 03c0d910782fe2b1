"""Commit and state of what results depend on, in real repositories."""

import os
import subprocess

import pytest

from refold.run import git, runlog


def run(folder, *arguments):
    identity = ["-c", "user.name=x", "-c", "user.email=x@example.org", "-c", "commit.gpgsign=false"]
    subprocess.run(["git", "-C", str(folder), *identity, *arguments], check=True, capture_output=True)


@pytest.fixture
def repository(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    folder = tmp_path / "repository"
    (folder / "workflow").mkdir(parents=True)
    for name in ("Snakefile", "params.yaml", "workflow/code.py", "dvc.lock", "README.md"):
        (folder / name).write_text("1\n")
    run(folder, "init", "-q")
    run(folder, "add", "-A")
    run(folder, "commit", "-qm", "first")
    return folder


def test_clean(repository):
    found = git.state(repository)
    assert len(found["commit"]) == 40 and found["date"][:2] == "20"
    assert (found["clean"], found["modified"], found["note"]) == (True, [], None)


def test_modified_and_new_files_are_named(repository):
    (repository / "params.yaml").write_text("2\n")
    (repository / "workflow/new é.py").write_text("")
    (repository / "workflow/__pycache__").mkdir()
    (repository / "workflow/__pycache__/code.pyc").write_text("")
    found = git.state(repository)
    assert (found["clean"], found["modified"]) == (False, ["params.yaml", "workflow/new é.py"])


def test_what_changes_no_result_changes_nothing(repository):
    """dvc.lock differs while `dvc repro` runs, and is committed after it."""
    before = git.state(repository)
    (repository / "dvc.lock").write_text("2\n")
    (repository / "README.md").write_text("2\n")
    assert git.state(repository) == before
    run(repository, "commit", "-qam", "second")
    assert git.state(repository) == before
    (repository / "workflow/code.py").write_text("2\n")
    run(repository, "commit", "-qam", "third")
    assert git.state(repository)["commit"] != before["commit"]


def test_what_decides_which_jobs_run_is_told(repository):
    """cli/stages.py does; the pages of `refold compare` are no result."""
    for name in ("cli/stages.py", "compare/page.py"):
        path = repository / "workflow/refold" / name
        path.parent.mkdir(parents=True)
        path.write_text("1\n")
    assert git.state(repository)["modified"] == ["workflow/refold/cli/stages.py"]


def test_two_clones_agree_and_a_shallow_one_says_so(repository, tmp_path):
    run(tmp_path, "clone", "-q", str(repository), "clone")
    assert git.state(tmp_path / "clone") == git.state(repository)
    (repository / "README.md").write_text("2\n")
    run(repository, "commit", "-qam", "second")
    run(tmp_path, "clone", "-q", "--depth", "1", f"file://{repository}", "shallow")
    assert "no older history" in git.state(tmp_path / "shallow")["note"]


def test_a_project_inside_a_repository(repository):
    inner = repository / "inner"
    (inner / "workflow").mkdir(parents=True)
    (inner / "Snakefile").write_text("1\n")
    assert git.state(inner)["commit"] is None  # not tracked
    run(repository, "add", "-A")
    run(repository, "commit", "-qm", "second")
    (inner / "Snakefile").write_text("2\n")
    assert git.state(inner)["modified"] == ["Snakefile"]


def test_no_repository_no_commit_no_git(tmp_path, monkeypatch):
    monkeypatch.setenv("GIT_CEILING_DIRECTORIES", str(tmp_path.parent))
    nothing = {"commit": None, "date": None, "clean": None, "modified": None}
    found = git.state(tmp_path)
    assert found.pop("note").startswith("the project's folder is no git repository") and found == nothing
    run(tmp_path, "init", "-q")
    assert "no commit" in git.state(tmp_path)["note"]
    monkeypatch.setenv("PATH", str(tmp_path))
    assert "not installed" in git.state(tmp_path)["note"]


def test_the_record_is_rewritten_only_when_it_changes(repository, tmp_path):
    path = tmp_path / "results/.source.json"
    git.record(path, repository)
    os.utime(path, ns=(1, 1))
    git.record(path, repository)
    assert path.stat().st_mtime_ns == 1
    (repository / "params.yaml").write_text("2\n")
    git.record(path, repository)
    assert path.stat().st_mtime_ns != 1 and "params.yaml" in path.read_text()


def test_the_log_of_runs_tells_what_the_results_do_not(tmp_path):
    path = tmp_path / "logs/provenance.log"
    runlog.started(path)
    runlog.ended(False, path)
    first, last = path.read_text().splitlines()
    assert " start host=" in first and "processor=" in first and "command=" in first
    assert last.endswith(" failure") and last[:2] == "20"
