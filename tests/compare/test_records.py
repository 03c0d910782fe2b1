"""Runs named by commits and experiments: read from Git and DVC's cache, the working tree left alone."""

import hashlib
import json
import re
import shutil
import subprocess
from pathlib import Path

import pytest
import yaml

from refold.cli.__main__ import run
from refold.compare import locations, page, pictures, reading
from refold.core.errors import RefoldError
from refold.core.files import read_csv
from refold.imaging.cases import Case
from refold.imaging.place import Place
from tests.compare.conftest import ROOT, write

A = {f"c{i}": {"x": 0.5 + 0.02 * i} for i in range(1, 7)}
B = {f"c{i}": {"x": 0.52 + 0.02 * i} for i in range(1, 7)}
OUTS = (
    "results/metrics/cases.csv", "results/metrics/hashes.json", "results/predictions", "results/splits.json",
    "data/cases.csv", "data/dataset.json", "data/raw/toy",
)  # fmt: skip
CACHE = Path(".dvc/cache/files/md5")


def git(*arguments):
    return subprocess.run(["git", *arguments], check=True, capture_output=True, text=True).stdout.strip()


def keep(path) -> str:
    """Put a file or folder into DVC's cache, as DVC does; its md5."""
    if path.is_dir():
        files = sorted(p for p in path.rglob("*") if p.is_file())
        entries = [{"md5": keep(p), "relpath": p.relative_to(path).as_posix()} for p in files]
        content, end = json.dumps(entries).encode(), ".dir"
    else:
        content, end = path.read_bytes(), ""
    md5 = hashlib.md5(content).hexdigest() + end
    place = path_of(md5)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    return md5


def path_of(md5):
    return CACHE / md5[:2] / md5[2:]


@pytest.fixture
def repository(tmp_path, monkeypatch):
    """A project in Git with two commits, `old` and HEAD, whose results are in DVC's cache alone."""
    folder = tmp_path / "project"
    folder.mkdir()
    monkeypatch.chdir(folder)
    for name in ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE"):
        monkeypatch.delenv(name, raising=False)
    for role in ("AUTHOR", "COMMITTER"):
        monkeypatch.setenv(f"GIT_{role}_NAME", "refold")
        monkeypatch.setenv(f"GIT_{role}_EMAIL", "refold@example.org")
        monkeypatch.setenv(f"GIT_{role}_DATE", "2026-01-02T03:04:05+00:00")
    monkeypatch.setenv("DVC_GLOBAL_CONFIG_DIR", str(tmp_path / "dvc"))
    monkeypatch.setenv("DVC_SYSTEM_CONFIG_DIR", str(tmp_path / "dvc-system"))
    git("init", "--quiet", "--initial-branch", "main")
    (folder / ".dvc").mkdir()
    (folder / ".dvc/config").write_text("[core]\n    analytics = false\n")
    (folder / ".gitignore").write_text("/results/\n/data/\n/workflow\n/Snakefile\n/.dvc/cache/\n/.dvc/tmp/\n")
    for name in ("workflow", "Snakefile"):
        (folder / name).symlink_to(ROOT / name)
    commit(folder, A, 0.01, "old")
    git("tag", "old")
    commit(folder, B, 0.02, "new")
    return folder


def commit(folder, scores, rate, message):
    """Results on record of one commit; none of them stays in the folder."""
    params = {
        "dataset": {"name": "toy", "source": "data/raw/toy"},
        "split": {"folds": 2},
        "train": {"learning_rate": rate},
        "methods": {"m": {"kind": "threshold"}},
    }
    write(folder, {"m": scores}, params=params, pictured=True)
    shutil.move(folder / "raw", folder / "data/raw/toy")
    (folder / "params.yaml").write_text(yaml.safe_dump(params))
    outs = [{"path": out, "hash": "md5", "md5": keep(folder / out)} for out in OUTS]
    (folder / "dvc.lock").write_text(yaml.safe_dump({"schema": "2.0", "stages": {"all": {"cmd": "x", "outs": outs}}}))
    git("add", "--all")
    git("commit", "--quiet", "--message", message)
    for name in ("results", "data"):
        shutil.rmtree(folder / name)


def read(*names):
    with locations.opened([(n, Path.cwd()) for n in names]) as found:
        yield reading.read_all(found)


def test_two_commits(repository, capsys):
    run(["compare", "old", "HEAD"])
    said = capsys.readouterr().out
    assert re.search(r"^m +x +0\.5700 +0\.5900 +\+0\.0200 ", said, re.M)
    assert "report: results/compare/old-HEAD.html" in said
    html = (repository / "results/compare/old-HEAD.html").read_text(encoding="utf-8")
    assert git("rev-parse", "old")[:10] in html and "2026-01-02T03:04:05" in html
    assert read_csv("results/compare/old-HEAD.parameters.csv") == [
        {"key": "train.learning_rate", "A: old": "0.01", "B: HEAD": "0.02"}
    ]
    assert html.count("<image") == 3 * 3, "the pictures come out of the cache"
    assert str(repository) not in html and "/refold-compare-" not in html
    assert [p.name for p in repository.iterdir() if p.name in ("results", "data")] == ["results"]
    assert [p.name for p in (repository / "results").iterdir()] == ["compare"]
    assert git("status", "--porcelain") == ""
    before = {p.name: p.read_bytes() for p in (repository / "results/compare").iterdir()}
    run(["compare", "old", "HEAD"])
    assert before == {p.name: p.read_bytes() for p in (repository / "results/compare").iterdir()}


def test_a_commit_and_a_folder(repository, tmp_path):
    write(tmp_path / "colleague", {"m": B})
    [runs] = read("old", "../colleague")
    assert [r.place.kind for r in runs] == ["commit", "folder"]
    [pair] = page.hold(runs, []).pairs
    assert pair.row("x", "dice")["difference"] == pytest.approx(0.02)


def experiment(name, number, revision="HEAD~1"):
    tree = git("rev-parse", f"{revision}^{{tree}}")
    made = git("commit-tree", tree, "-p", "HEAD", "-m", f"experiment {number}")
    base = hashlib.sha1(str(number).encode()).hexdigest()
    git("update-ref", f"refs/exps/{base[:2]}/{base[2:]}/{name}", made)
    return made


def test_an_experiment_by_its_name(repository):
    made = experiment("fast", 1)
    git("update-ref", "refs/exps/celery/stash", made)
    [runs] = read("HEAD", "fast")
    assert (runs[1].place.kind, runs[1].place.commit) == ("experiment", made)
    assert runs[1].params["train"]["learning_rate"] == 0.01


def test_names_that_mean_more_than_one(repository, tmp_path):
    one, two = experiment("fast", 1), experiment("fast", 2)
    with pytest.raises(RefoldError, match=f"fast is 2 commits: .*{min(one, two)[:10]}.*; give one of the hashes"):
        next(read("HEAD", "fast"))
    experiment("old", 3)
    with pytest.raises(RefoldError, match="old is 2 commits"):
        next(read("HEAD", "old"))
    write(tmp_path / "project/main", {"m": B})
    with pytest.raises(RefoldError, match=r"main is a folder and a commit; write \./main for the folder"):
        next(read("HEAD", "main"))
    [runs] = read("HEAD", "./main")
    assert runs[1].place.kind == "folder"


def test_a_commit_without_a_record(repository):
    git("rm", "--quiet", "dvc.lock")
    git("commit", "--quiet", "-m", "no record")
    with pytest.raises(RefoldError, match=r"HEAD: commit \w{10} has no dvc.lock, .* `refold record`"):
        next(read("HEAD", "old"))
    (repository / "dvc.lock").write_text("stages: {split: {outs: [{path: results/splits.json, md5: ab}]}}")
    git("add", "--all")
    git("commit", "--quiet", "-m", "half a record")
    with pytest.raises(RefoldError, match=r"has no results/metrics/cases.csv; finish the run"):
        next(read("HEAD", "old"))
    (repository / "dvc.lock").write_text("nothing")
    git("add", "--all")
    git("commit", "--quiet", "-m", "no record at all")
    with pytest.raises(RefoldError, match=r"dvc.lock of commit \w{10} cannot be read"):
        next(read("HEAD", "old"))


def test_parameters_that_this_version_does_not_know(repository):
    params = yaml.safe_load((repository / "params.yaml").read_text())
    params["train"]["warp"] = 9
    (repository / "params.yaml").write_text(yaml.safe_dump(params))
    git("commit", "--quiet", "--all", "-m", "of another version")
    page.compare(["old", "HEAD"], [], "p.html", repository)
    assert [r["key"] for r in read_csv("p.parameters.csv")] == ["train.learning_rate", "train.warp"]


def test_pictures_that_are_not_in_the_cache(repository):
    lock = yaml.safe_load((repository / "dvc.lock").read_text())
    folder = next(o["md5"] for o in lock["stages"]["all"]["outs"] if o["path"] == "results/predictions")
    path_of(folder).unlink()
    with locations.opened([("old", repository), ("HEAD", repository)]) as found:
        [pair] = page.hold(reading.read_all(found), []).pairs
        picture = pictures.picture(pair, pair.changes[0])
    # both commits predicted the same, so the list that is gone is of both
    assert picture.why_not == (
        "no picture: DVC’s cache lacks the predictions of A (`dvc pull` in that commit brings them)"
    )


def test_tables_that_are_neither_in_the_cache_nor_on_a_remote(repository):
    lock = yaml.safe_load((repository / "dvc.lock").read_text())
    path_of(next(o["md5"] for o in lock["stages"]["all"]["outs"] if o["path"] == OUTS[0])).unlink()
    with pytest.raises(RefoldError, match="not in DVC's cache, and no remote is set"):
        next(read("old", "HEAD"))


def test_raw_files_are_looked_for_where_the_run_had_them(tmp_path, monkeypatch):
    """data/dataset.json does not tell: data may be moved."""
    monkeypatch.chdir(tmp_path)
    case = Case("a", "a", ("i.png",), "l.png", 1, (1, 1), (1.0, 1.0), "XY", (1,), "0" * 64)
    for folder in ("moved", "project/data/raw/toy", "mine"):
        (tmp_path / folder).mkdir(parents=True)
        for name in ("i.png", "l.png"):
            (tmp_path / folder / name).touch()
    run = locations.Folder("project", "project", locations.FOLDER, results=tmp_path / "project/results")
    assert run.raw("toy", case) == tmp_path / "project/data/raw/toy"
    Place("../moved").write(tmp_path / "project/results/.data/place.json")
    assert run.raw("toy", case).samefile(tmp_path / "moved")

    outs = [{"path": path, "md5": "0"} for path in locations.NEEDED]
    texts = {"dvc.lock": yaml.safe_dump({"stages": {"a": {"outs": outs}}}), "params.yaml": "dataset: {source: mine}"}
    monkeypatch.setattr(locations.Record, "text", lambda self, path: texts.get(path))
    record = locations.Record("x", "x", locations.COMMIT, "0", cache=tmp_path / "cache", links=tmp_path / "links")
    assert record.raw("toy", case).samefile(tmp_path / "mine")
    texts["params.yaml"] = "dataset: {source: null}"
    assert record.raw("toy", case) is None
