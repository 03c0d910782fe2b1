"""`refold verify` on the real pipeline: what is on record is made again, and what is not as recorded is found."""

import json
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
import yaml

from refold.cli import verify
from tests.projects import PATH, Project

slow = pytest.mark.slow


@pytest.fixture
def scratch(tmp_path) -> Path:
    """The folder of temporary files."""
    folder = tmp_path / "scratch"
    folder.mkdir()
    return folder


def run(project: Project, scratch: Path, *arguments: str, **more: str):
    done = project.refold("verify", *arguments, check=False, TMPDIR=str(scratch), **more)
    return done.returncode, done.stdout


def left(scratch: Path) -> list[Path]:
    """Clones in it; TensorFlow leaves files of its own."""
    return list(scratch.glob("refold-*"))


def replace(path: Path, text: str) -> None:
    """DVC's files may be read-only links into its cache."""
    path.unlink()
    path.write_text(text)


# ---------------------------------------------------------------- the whole


@slow
def test_the_results_on_record_are_made_again(recorded, tmp_path, scratch):
    project = recorded.copy(tmp_path / "project")
    # neither a module of the user's own named refold nor what git exports to its hooks gets in the way
    (tmp_path / "poison/refold").mkdir(parents=True)
    (tmp_path / "poison/refold/__init__.py").write_text("raise RuntimeError('the wrong sources')\n")
    paths = os.pathsep.join([str(project.folder / "workflow"), str(tmp_path / "poison")])
    (project.folder / "params.yaml").write_text("spoiled: [\n")
    before = project.outs()
    status, out = run(project, scratch, PYTHONPATH=paths, GIT_DIR=str(project.folder / ".git"))
    assert status == 0, out
    assert "warning: uncommitted changes (params.yaml)" in out
    phases = [x.split()[0] for x in out.splitlines() if x.startswith("  ")][:7]
    # neither of these needs the other: Snakemake may begin with either
    assert set(phases[1:3]) == {"preprocess", "split"}
    assert [phases[0], *phases[3:]] == ["data", "train", "predict", "evaluate", "report"]
    raw = sum(name.startswith("data/raw/") for name in before)
    assert f"identical: {len(before) - raw} files" in out and "left out" not in out
    assert "Job" in (project.folder / "logs/verify/snakemake.txt").read_text()
    assert project.outs() == before
    assert left(scratch) == []


@slow
def test_quick_makes_no_model_and_pulls_what_left_the_cache(classical, tmp_path, scratch):
    project = classical.copy(tmp_path / "project")
    project.commit("nothing new")
    shutil.rmtree(project.folder / ".dvc/cache")
    status, out = run(project, scratch, "--quick")
    assert status == 1
    assert "not in DVC's cache, and no remote is set" in out and "dvc remote add" in out
    # a remote of this clone's own, by a path relative to its .dvc/config.local
    project.dvc("remote", "add", "--local", "--default", "store", "../store")
    store = tmp_path / "store"
    store.mkdir()
    status, out = run(project, scratch, "--quick")
    assert status == 1 and "neither in DVC's cache nor can they be pulled" in out
    assert left(scratch) == []

    shutil.copytree(classical.folder / ".dvc/cache/files", store / "files")
    status, out = run(project, scratch, "HEAD~1", "--quick", "--keep")
    assert status == 0, out
    assert "pulling the rest" in out and "identical" in out and "train" not in out
    [kept] = left(scratch)
    made = {p.stem for p in (kept / "again/clone/logs/benchmarks").glob("*.tsv")}
    assert {"predict-a-0", "predict-b-1", "tables", "report"} <= made
    assert not [name for name in made if name.startswith(("train", "preprocess", "fetch"))]
    assert not (kept / "again/clone/results/predictions/a/fold-0/predictions.json").is_symlink()


@slow
def test_a_changed_number_and_a_model_that_its_data_do_not_make_are_found(classical, tmp_path, scratch):
    project = classical.copy(tmp_path / "project")
    path = project.folder / "results/metrics/cases.csv"
    lines = path.read_text().splitlines()
    at = next(i for i, line in enumerate(lines) if line.startswith("b,1,") and ",organ,dice," in line)
    method, fold, case, patient, label, metric, value = lines[at].split(",")
    lines[at] = f"{method},{fold},{case},{patient},{label},{metric},0.987654"
    replace(path, "\n".join([*lines, ""]))
    path = project.folder / "results/models/a/fold-1/model.json"
    model = json.loads(path.read_text())
    trained = model["training_dice"]
    model["training_dice"] = 0.5
    replace(path, json.dumps(model))
    project.dvc("commit", "--force")
    project.commit("tampered")
    status, out = run(project, scratch)
    assert status == 1
    assert "different: 2 of" in out
    assert f"  results/models/a/fold-1/model.json\n    training_dice: 0.5 recorded, {trained} again\n" in out
    row = f"row method=b, fold=1, case={case}, patient={patient}, label=organ, metric=dice"
    assert f"  results/metrics/cases.csv\n    {row}, column value: 0.987654 recorded, {value} again\n" in out
    assert left(scratch) == []


@slow
def test_data_read_in_place_through_a_relative_path(classical, tmp_path, scratch):
    """Outside the project, and in it without being in any commit."""
    project = classical.copy(tmp_path / "project")
    shutil.copytree(project.folder / "data/raw/phantom", tmp_path / "own/mine", symlinks=False)
    project.edit(dataset={"name": "mine", "source": "../own/mine", "patient_pattern": r"^(patient\d+)"})
    values = yaml.safe_load((project.folder / "params.yaml").read_text())
    del values["dataset"]["phantom"], values["methods"]["b"]
    values["split"]["run_folds"] = [0]
    (project.folder / "params.yaml").write_text(yaml.safe_dump(values, sort_keys=False))
    project.refold("stages")
    project.dvc("repro")
    project.commit("own data")
    status, out = run(project, scratch)
    assert status == 0, out
    assert "identical" in out
    # data that changed since are no longer those on record
    label = next((tmp_path / "own/mine/labelsTr").glob("*.nii.gz"))
    label.write_bytes(label.read_bytes() + b"\0")
    status, out = run(project, scratch, "--quick")
    assert status == 1
    assert "was made with other parameters, data or code" in out and "../own/mine" in out


@slow
def test_an_interrupted_verification_leaves_nothing(classical, tmp_path, scratch):
    project = classical.copy(tmp_path / "project")
    environment = {**project.env, "PATH": PATH, "PYTHONPATH": str(project.folder / "workflow"), "TMPDIR": str(scratch)}
    for number, status in ((signal.SIGINT, 130), (signal.SIGTERM, 130)):
        process = subprocess.Popen(
            [sys.executable, "-m", "refold.cli", "verify"], cwd=project.folder, env=environment, start_new_session=True,
            stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            # what runs the tests may ignore it, as a shell does for its background jobs
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        log = project.folder / "logs/verify/snakemake.txt"
        log.unlink(missing_ok=True)
        end = time.monotonic() + 300
        while not (log.exists() and "Preprocessing" in log.read_text()):
            assert time.monotonic() < end and process.poll() is None
            time.sleep(0.05)
        process.send_signal(number)
        out, _ = process.communicate(timeout=120)
        assert process.returncode == status, out
        assert "error: interrupted" in out
        assert left(scratch) == []
        assert working_in(scratch) == []


def working_in(folder: Path) -> list[str]:
    found = []
    for place in Path("/proc").glob("[0-9]*/cwd"):
        try:
            if str(place.readlink()).startswith(str(folder)):
                found.append((place.parent / "cmdline").read_text())
        except OSError:
            continue
    return found


# ---------------------------------------------------------------- what is refused


@slow
def test_a_record_of_other_parameters_is_refused(classical, tmp_path, scratch):
    project = classical.copy(tmp_path / "project")
    project.edit(evaluate={"bootstrap": 300})
    project.commit("not run")
    status, out = run(project, scratch)
    assert status == 1
    assert "was made with other parameters, data or code than this commit's" in out
    assert "evaluate: params.yaml: evaluate" in out
    assert left(scratch) == []


@slow
def test_commits_without_a_record(classical, tmp_path, scratch):
    project = classical.copy(tmp_path / "project")
    status, out = run(project, scratch, "nowhere")
    assert status == 1 and "nowhere is no commit" in out
    first = project.git("rev-list", "--max-parents=0", "HEAD").stdout.strip()
    status, out = run(project, scratch, first)
    assert status == 1 and f"commit {first[:10]} has no dvc.lock" in out
    status, out = run(project, scratch, "--scratch", str(project.folder / "results"))
    assert status == 1 and "lies in the project" in out


def test_a_phase_that_is_not_on_record_is_named(tmp_path):
    stages = {name: {"outs": [{"path": f"results/{name}"}]} for name in verify.graph.PHASES}
    path = tmp_path / "dvc.lock"
    path.write_text(yaml.safe_dump({"stages": stages}))
    assert verify.recorded_outs(tmp_path)["train"] == ["results/train"]
    del stages["report"]
    path.write_text(yaml.safe_dump({"stages": stages}))
    with pytest.raises(verify.RefoldError, match="lacks report"):
        verify.recorded_outs(tmp_path)
    path.write_text("")
    with pytest.raises(verify.RefoldError, match="cannot be read"):
        verify.recorded_outs(tmp_path)


# ---------------------------------------------------------------- the commit in the results


@pytest.fixture
def results(tmp_path):
    for side in ("first", "second"):
        for name, text in (("report/report.html", "report"), ("report/ro-crate-metadata.json", "{}")):
            path = tmp_path / side / "results" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)

    def compared(*commits: dict, **more):
        for side, commit in zip(("first", "second"), commits, strict=True):
            value = {"git": commit, "seed": 1, **(more if side == "second" else {})}
            (tmp_path / side / verify.PROVENANCE).write_text(json.dumps(value))
        outs = [verify.PROVENANCE, "results/report"]
        return verify.results(tmp_path / "first", tmp_path / "second", outs)

    return tmp_path / "second/results", compared


def test_files_that_tell_the_commit_are_compared_where_it_is_the_same(results):
    folder, compared = results
    found = compared({"commit": "a" * 40, "clean": True}, {"commit": "a" * 40, "clean": True})
    assert found.identical and found.files == 3 and not found.left_out
    (folder / "report/report.html").write_text("other")
    assert not compared({"commit": "a" * 40}, {"commit": "a" * 40}).identical


def test_they_are_left_out_aloud_where_it_is_not(results):
    folder, compared = results
    (folder / "report/report.html").write_text("other")
    found = compared({"commit": "a" * 40, "clean": False}, {"commit": "b" * 40, "clean": True})
    assert found.identical and found.files == 1
    assert "left out: results/report/report.html: it tells the commit, which is aaaaaaaaaa with changes" in found.text()
    assert "left out: results/provenance.json, key git" in found.text()
    found = compared({"commit": "a" * 40}, {"commit": "b" * 40}, seed=2)
    assert [d.text() for d in found.differing[0].differences] == ["seed: 1 recorded, 2 again"]
