import hashlib
import os
from pathlib import Path

import pytest

from refold.cli import chain, handover, stages, tools
from refold.cli.tools import Output
from refold.core import seals
from refold.core.errors import RefoldError
from refold.core.files import sha256_file
from refold.experiment.params import Params
from tests.projects import ROOT, Project, environment, tiny

PARAMS = Params.model_validate({"methods": {"a": {"kind": "threshold"}}})


@pytest.fixture
def predictions(tmp_path, monkeypatch):
    """A manifest with one file behind it, in the current folder."""
    monkeypatch.chdir(tmp_path)
    folder = Path("results/predictions/a/fold-0")
    folder.mkdir(parents=True)
    (folder / "c1.nii.gz").write_bytes(b"one")
    listing = folder / "predictions.json"
    (folder / "probabilities").mkdir()
    (folder / "probabilities/c1.nii.gz").write_bytes(b"sure")
    entry = {"file": "c1.nii.gz", "sha256": sha256_file(folder / "c1.nii.gz")}
    more = {"file": "probabilities/c1.nii.gz", "sha256": sha256_file(folder / "probabilities/c1.nii.gz")}
    seals.write(listing, {"cases": {"c1": {**entry, "probabilities": more}}, "hashes": {}, "method": "a", "fold": 0})
    report = Path("results/report")
    (report / "tables").mkdir(parents=True)
    (report / "tables/folds.csv").touch()
    return [
        Output(str(listing), "predict_fold", False, "ok"),
        Output("results/report/tables", "report_html", False, "ok"),
    ]


def test_files_behind_a_list_are_looked_through(predictions):
    folder = Path("results/predictions/a/fold-0")
    size = sum(p.stat().st_size for p in folder.rglob("*") if p.is_file())
    assert chain.look(predictions) == chain.Looked(3, size, (), ())
    path = folder / "c1.nii.gz"
    stamp = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(stamp.st_atime_ns, stamp.st_mtime_ns))  # size and time as before
    found = chain.look(predictions)
    assert len(found.altered) == 1 and found.text().startswith("looked through 3 files, 0.0 MB, ")
    again = "`snakemake --forcerun results/predictions/a/fold-0/predictions.json` makes it again"
    assert f"{path} is not what the predict phase wrote (sha256 " in found.text() and again in found.text()
    with pytest.raises(RefoldError, match=r"^not recorded: results/pred.*c1\.nii\.gz is not what the predict phase"):
        chain.check(predictions, "recorded")
    path.unlink()
    assert f"{path} is missing, which the predict phase writes" in chain.look(predictions).text()
    path.write_bytes(b"one")
    (folder / "probabilities/c1.nii.gz").write_bytes(b"not sure")
    [line] = chain.look(predictions).altered
    assert line.startswith(f"{folder}/probabilities/c1.nii.gz is not what")
    listing = folder / "predictions.json"
    listing.write_text(listing.read_text().replace("c1.nii.gz", "c2.nii.gz"))
    [line] = chain.look(predictions).altered
    assert line.startswith(f"{listing} is not what the predict phase wrote")


def test_strays_are_files_that_no_job_wrote(predictions):
    for name in (
        "results/predictions/gone/fold-0/c1.nii.gz",
        "results/predictions/a/fold-7/predictions.json",
        "results/predictions/a/fold-0/c9.nii.gz",
        "results/predictions/a/fold-0/.tmp-x",
        "results/predictions/a/fold-0/probabilities/c9.nii.gz",
        "results/report/figures/old.svg",
        "results/.checkpoints/a/fold-0.npz",
        "logs/train/a-0.log",
    ):
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).touch()
    assert [str(p) for p in handover.strays(predictions, PARAMS)] == [
        "results/predictions/a/fold-0/c9.nii.gz",
        "results/predictions/a/fold-0/probabilities/c9.nii.gz",
        "results/predictions/a/fold-7/predictions.json",
        "results/predictions/gone/fold-0/c1.nii.gz",
        "results/report/figures/old.svg",
    ]


@pytest.mark.parametrize("how", ["no JSON", "edited", "without the file's name"])
def test_a_damaged_list_is_named_and_stops_no_status(predictions, how):
    listing = Path("results/predictions/a/fold-0/predictions.json")
    if how == "no JSON":
        listing.write_text("{")
    elif how == "edited":
        listing.write_text(listing.read_text().replace('"file"', '"flie"'))
    else:
        seals.write(listing, {"cases": {"c1": {"sha256": "0"}}})
    stray = Path("results/predictions/gone/fold-0/c1.nii.gz")
    stray.parent.mkdir(parents=True)
    stray.touch()
    assert handover.strays(predictions, PARAMS) == [stray]  # what the list named is no file of another experiment
    assert chain.look(predictions).names == (str(listing),)


def test_without_a_record_the_user_is_told_how_to_begin(tmp_path):
    with pytest.raises(RefoldError, match="dvc init"):
        tools.initialised(tmp_path)
    (tmp_path / ".dvc").mkdir()
    (tmp_path / ".dvc/config").touch()
    with pytest.raises(RefoldError, match="no Git repository"):
        tools.initialised(tmp_path)


def test_a_note_of_dvc_that_a_kill_cut_short_is_deleted_and_a_whole_one_kept(tmp_path, capsys):
    note = tmp_path / ".dvc/tmp/rwlock"
    note.parent.mkdir(parents=True)
    tools.unlock(tmp_path)
    note.write_text('{"write": {}, "read": {}}')
    tools.unlock(tmp_path)
    assert note.exists() and not capsys.readouterr().err
    note.write_text('{"write": {"a": {"pid"')
    tools.unlock(tmp_path)
    assert not note.exists() and "rwlock was cut short" in capsys.readouterr().err


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    return Project.create(tmp_path_factory.mktemp("cli") / "project", tiny())


def test_hard_links_are_refused(project):
    project.dvc("config", "cache.type", "hardlink")
    try:
        run = project.refold("status", check=False)
        assert run.returncode == 1 and "cache.type is hardlink" in run.stdout and "reflink, copy" in run.stdout
    finally:
        project.dvc("config", "--unset", "cache.type")


def test_nothing_is_recorded_before_a_run_nor_synced(project):
    for verb, words in (("record", "Snakemake still has work to do"), ("sync", "there is no dvc.lock")):
        run = project.refold(verb, check=False)
        assert run.returncode == 1 and words in run.stdout and "Traceback" not in run.stdout
    assert not (project.folder / "dvc.lock").exists()


def test_status_before_a_run(project):
    out = project.refold("status").stdout
    assert out.count("not on record") == 7 and "next: `snakemake`, then `refold record`" in out


def test_it_is_found_from_a_folder_below_and_refused_outside(project, tmp_path):
    below = Project(project.folder / "workflow", project.env)
    out = below.refold("stages", PYTHONPATH=str(project.folder / "workflow")).stdout
    assert "dvc.yaml is up to date" in out
    outside = Project(tmp_path, project.env).refold("stages", check=False, PYTHONPATH=str(ROOT / "workflow"))
    assert outside.returncode == 1 and "lies in no project of refold" in outside.stdout


def test_a_clone_is_handled_by_its_own_code(project):
    """As with a `refold` that was installed from another clone."""
    mark = project.folder / "workflow/refold/cli/stages.py"
    before = mark.read_text()
    mark.write_text(before.replace('FILE = "dvc.yaml"', 'FILE = "other.yaml"'))
    try:
        project.refold("stages", PYTHONPATH=str(ROOT / "workflow"))
        assert (project.folder / "other.yaml").is_file()
    finally:
        mark.write_text(before)
        (project.folder / "other.yaml").unlink(missing_ok=True)


def test_a_file_behind_a_link_is_no_stray(predictions):
    """As DVC leaves it with symbolic links."""
    path = Path("results/predictions/a/fold-0/c1.nii.gz")
    path.rename("elsewhere")
    path.symlink_to(Path("elsewhere").resolve())
    assert handover.strays(predictions, PARAMS) == []
    assert not chain.look(predictions).altered


def test_a_file_changed_in_place_is_recorded_as_it_is(tmp_path, monkeypatch):
    """DVC by itself goes by inode, size and mtime, and would keep the old content under the new results."""
    for name, value in environment(tmp_path / "home").items():
        monkeypatch.setenv(name, value)
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    project = Project(folder, environment(tmp_path / "home"))
    project.git("init", "--quiet")
    project.dvc("init", "--quiet")
    Path("dvc.yaml").write_text("stages: {data: {cmd: 'true', outs: [image]}}")
    Path("image").write_text("one")
    assert tools.commit(["data"]).returncode == 0
    first, before = Path("dvc.lock").read_text(), Path("image").stat()
    Path("image").write_text("two")
    os.utime("image", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert Path("image").stat().st_ino == before.st_ino
    assert tools.commit(["data"]).returncode == 0
    assert Path("dvc.lock").read_text() != first
    assert hashlib.md5(b"two").hexdigest() in Path("dvc.lock").read_text()


# ---------------------------------------------------------------- what changes meanwhile


def test_a_section_that_dvc_would_look_for_in_vain_is_named(tmp_path):
    path = tmp_path / "params.yaml"
    path.write_text("dataset: {name: phantom}\n" + "".join(f"{s}: {{}}\n" for s in SECTIONS if s != "augment"))
    with pytest.raises(RefoldError, match=r"has no section augment.*`augment: \{\}`"):
        stages.complete(path)
    path.write_text("dataset: {}\n" + "".join(f"{s}: {{}}\n" for s in SECTIONS))
    with pytest.raises(RefoldError, match=r"no dataset\.name"):
        stages.complete(path)


SECTIONS = ("preprocess", "split", "train", "augment", "methods", "predict", "evaluate", "report")


def test_a_record_that_did_not_end_is_undone(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    lock = Path("dvc.lock")
    for before in ("old", None):
        lock.write_text(before) if before else lock.unlink(missing_ok=True)
        with pytest.raises(KeyboardInterrupt), handover._put_back(lock):
            lock.write_text("new")
            raise KeyboardInterrupt
        assert (lock.read_text() if lock.exists() else None) == before
    lock.write_text("old")
    with handover._put_back(lock):
        lock.write_text("new")
        aside = {p.name: p.read_bytes() for p in handover.ASIDE.iterdir()}
    handover.restore(lock)
    assert lock.read_text() == "new"
    for name, content in aside.items():  # as after a kill
        (handover.ASIDE / name).write_bytes(content)
    handover.restore(lock)
    assert lock.read_text() == "old"
