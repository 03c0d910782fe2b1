"""The page as a reader's program sees it, and the files beside it."""

import re
import shutil
import subprocess
import sys

import pytest

from refold.cli.__main__ import run
from refold.compare import locations, page, pictures, reading
from refold.core import seals
from refold.core.errors import RefoldError
from refold.core.files import read_csv
from refold.imaging import images
from refold.report.pictures import outline
from tests.compare.conftest import BOTH, ROOT, write
from tests.report.test_page import Reader

ODD = "z<script>alert('é海')<!--"
A = {"c1": {"x": 0.5, "y <b>": 0.6}, "c2": {"x": 0.7, "y <b>": BOTH}, ODD: {"x": 0.8, "y <b>": 0.4}}
B = {"c1": {"x": 0.4, "y <b>": 0.6}, "c2": {"x": 0.9, "y <b>": BOTH}, ODD: {"x": 0.8, "y <b>": 0.7}}


def read(html: str) -> Reader:
    reader = Reader()
    reader.feed(html)
    reader.close()
    return reader


@pytest.fixture
def two(tmp_path):
    return write(tmp_path / "old <i>", {"m": A}, pictured=True), write(tmp_path / "new", {"m": B}, pictured=True)


@pytest.fixture
def made(two, project, tmp_path):
    """The page and its text."""
    out = tmp_path / "out" / "p.html"
    page.compare([str(f) for f in two], [], str(out), project)
    return out, out.read_text(encoding="utf-8")


def test_the_page_is_whole_and_closed_to_the_network(made):
    html = made[1]
    reader = read(html)
    assert not reader.open and len(reader.ids) == len(set(reader.ids))
    assert set(reader.links) <= set(reader.ids)
    assert "default-src 'none'" in html
    assert not re.search(r"""(src|href)=["']?(https?:|//)|url\(\s*["']?http|@import""", html)


def test_names_are_escaped(made):
    html = made[1]
    assert "<script>alert" not in html and '<b>"' not in html and "old <i>" not in html
    assert "z&lt;script&gt;alert(&#39;é海&#39;)&lt;!--" in html and "y &lt;b&gt;" in html


def test_the_page_says_what_the_tables_say(made):
    out, html = made
    reader = read(html)
    rows = read_csv(out.with_name("p.metrics.csv"))
    assert {(r["label"], r["metric"]) for r in rows} == {
        (label, m) for label in ("mean", "x", "y <b>") for m in ("dice", "nsd", "hd95_penalised")
    }
    x = next(r for r in rows if (r["label"], r["metric"]) == ("x", "dice"))
    assert (x["mean_a"], x["mean_b"], x["difference"]) == ("0.666667", "0.700000", "0.033333")
    line = next(r for t in reader.tables for r in t if r[:2] == ["Dice", "x"])
    assert line[2:6] == ["3", "0.6667", "0.7000", "+0.0333"]
    assert " alone</small>" not in html, "with one comparison there is nothing to correct"
    cases = read_csv(out.with_name("p.cases.csv"))
    assert len(cases) == 9
    row = next(r for r in cases if r["case"] == ODD and r["label"] == "mean")
    assert (row["dice_a"], row["dice_b"], row["difference"]) == ("0.600000", "0.750000", "0.150000")
    assert row["folds_a"] == "0" and row["run_a"].endswith("old <i>")
    facts = next(t for t in reader.tables if t[0][1:] == ["A (old <i>)", "B (new)"])
    assert ["Cases tested", "3", "3"] in facts
    assert not out.with_name("p.parameters.csv").read_text().splitlines()[1:]


def test_every_point_says_its_case_and_the_figure_what_it_shows(made):
    titles = re.findall(r"<title>([^<]*)</title>", made[1])
    assert "c2: A 0.7000, B 0.9000 (+0.2000)" in titles
    assert "z&lt;script&gt;alert(&#x27;é海&#x27;)&lt;!--: A 0.6000, B 0.7500 (+0.1500)" in titles
    labels = re.findall(r'aria-label="(Dice of [^"]*: along [^"]*)"', made[1])
    assert len(labels) == 3
    assert "1 higher in B, 1 higher in A, 1 equal" in labels[1], "of label x"
    assert "3 cases" in labels[2], "y is rightly empty in both runs of c2, which counts as 1"


def test_the_same_runs_give_the_same_bytes(two, project, tmp_path):
    for name in ("one", "two"):
        page.compare([str(f) for f in two], [], str(tmp_path / name / "p.html"), project)
    files = sorted(p.name for p in (tmp_path / "one").iterdir())
    assert files == ["p.cases.csv", "p.html", "p.metrics.csv", "p.parameters.csv"]
    assert all((tmp_path / "one" / f).read_bytes() == (tmp_path / "two" / f).read_bytes() for f in files)


def test_three_runs_on_one_page(two, project, tmp_path):
    third = write(tmp_path / "third", {"m": A, "k": B})
    out = tmp_path / "p.html"
    table, _ = page.compare([str(f) for f in (*two, third)], ["m=m=k"], str(out), project)
    assert "m of A, k of C, C minus A" in table
    assert re.search(r"<small>0\.\d{4} alone</small>", out.read_text(encoding="utf-8")), "before the correction"
    reader = read(out.read_text(encoding="utf-8"))
    assert len(reader.ids) == len(set(reader.ids)) and set(reader.links) <= set(reader.ids)


# ---------------------------------------------------------------- pictures


def pictured(folders, case):
    [pair] = page.hold(reading.read_all([locations._folder(str(f), f) for f in folders]), []).pairs
    return pictures.picture(pair, next(c for c in pair.changes if c.case == case))


def test_truth_and_both_predictions_are_outlined(tmp_path):
    a = write(tmp_path / "a", {"m": A}, pictured=True)
    # the second method's label maps lie two voxels beside the truth, the first's one; other values in the files
    b = write(tmp_path / "b", {"nobody": B, "m": B}, pictured=True, values=(0, 7, 9))
    shutil.copytree(a / "raw", b / "raw", dirs_exist_ok=True)
    found = pictured((a, b), "c1")
    assert found.label == "x" and not found.why_not
    [(channel, planes)] = found.rows
    assert channel == "T1" and [p.name for p in planes] == ["axial", "coronal", "sagittal"]
    axial = planes[0]
    shapes = []
    for offset in range(3):
        mask = images.np.zeros((8, 9), int)
        mask[2 + offset : 5 + offset, 2:6] = 1
        shapes.append(outline(mask[::-1, ::-1], (1.0, 1.0)))
    assert [axial.truth, axial.prediction, axial.other] == shapes


def test_why_there_is_no_picture(two):
    old, new = two
    (new / "results/predictions/m/fold-0/c1.nii.gz").write_bytes(b"another")
    assert pictured(two, "c1").why_not == "no picture: the label map of B was changed since it was evaluated"
    (new / "results/predictions/m/fold-0/c1.nii.gz").unlink()
    assert pictured(two, "c1").why_not == "no picture: the folder of B lacks the predictions"
    (old / "raw/labelsTr/c1.nii.gz").unlink()
    assert pictured(two, "c1").why_not == "no picture: image and label of A are not in its folder of raw data"
    (old / "data/dataset.json").unlink()
    found = pictured(two, "c1")
    assert found.why_not == "no picture: A has no data/cases.csv and data/dataset.json beside its results"
    assert not found.rows


def test_predictions_of_a_later_training_are_not_shown(two):
    listing, behind = two[1] / "results/predictions/m/fold-0/predictions.json", two[1] / "results/metrics/hashes.json"
    seals.write(listing, {**seals.read(listing), "hashes": {"models": {"0": "later"}}})
    assert not pictured(two, "c1").why_not, "the tables do not say which models are theirs"
    seals.write(behind, {**seals.read(behind), "models": {"m": {"0": "earlier"}}})
    assert pictured(two, "c1").why_not == "no picture: the label map of B was changed since it was evaluated"
    seals.write(behind, {**seals.read(behind), "models": {"m": {"0": "later"}}})
    assert not pictured(two, "c1").why_not


def test_a_changed_image_is_not_shown(two):
    (two[0] / "raw/imagesTr/c1.nii.gz").write_bytes(b"damaged")
    found = pictured(two, "c1")
    assert not found.rows and found.why_not == (
        "no picture: a file of this case is missing, damaged, or changed since the tables were made"
    )


def test_the_page_has_pictures_or_reasons(made, two, project, tmp_path):
    planes = read(made[1]).tags
    assert sum(t == "image" for t, _ in planes) == 3 * 3, "three planes of each case that changed"
    # the sagittal plane is that of the truth's first slice, where no prediction is; and one stands in the legend
    assert sum(a.get("class") == "other line" for t, a in planes if t == "path") == 3 * 2 + 1
    for path in (two[1] / "results/predictions").rglob("*.nii.gz"):
        path.unlink()
    page.compare([str(f) for f in two], [], str(tmp_path / "q.html"), project)
    html = (tmp_path / "q.html").read_text(encoding="utf-8")
    assert "<image" not in html and html.count("the folder of B lacks the predictions") == 3
    page.compare([str(f) for f in two], [], str(tmp_path / "r.html"), project, count=0)
    assert "No pictures were asked for." in (tmp_path / "r.html").read_text(encoding="utf-8")


# ---------------------------------------------------------------- the command


def test_the_command_prints_table_and_paths(two, project, tmp_path, capsys, monkeypatch):
    monkeypatch.chdir(project / "docs")
    out = tmp_path / "p.html"
    run(["compare", *map(str, two), "--out", str(out), "--cases", "1"])
    said = capsys.readouterr().out
    assert re.search(r"^m +x +0\.6667 +0\.7000 +\+0\.0333 +−\S+ to \+\S+ +\S+ +no clear difference$", said, re.M)
    assert f"A: {two[0]} (folder)\n" in said
    assert "careful: Only 3 patients" in said
    assert f"report: {out}" in said and f"{tmp_path / 'p.cases.csv'}" in said


def test_paths_are_relative_to_where_the_user_stands(two, project, tmp_path, monkeypatch, capsys):
    # a project of its own below, so that this one is left alone
    for name in ("workflow", "Snakefile"):
        (two[1] / name).symlink_to(ROOT / name)
    (two[1] / "deeper").mkdir()
    monkeypatch.chdir(two[1] / "deeper")
    run(["compare", "../../old <i>"])
    assert "report: results/compare/old_i-new.html" in capsys.readouterr().out
    html = (two[1] / "results/compare/old_i-new.html").read_text(encoding="utf-8")
    facts = next(t for t in read(html).tables if t[0][1:] == ["A (old <i>)", "B (new)"])
    assert ["Named", "../../old <i>", "."] in facts


def test_out_is_a_page_outside_of_what_dvc_keeps(two, project):
    for out in ("page.txt", "docs"):
        with pytest.raises(RefoldError, match=r"a file that ends in \.html is wanted"):
            page.compare([str(f) for f in two], [], out, project)
    for out in ("results/report/x.html", "data/raw/x.html", "results/predictions/x.html"):
        with pytest.raises(RefoldError, match=f"{out} lies in .* which DVC keeps"):
            page.compare([str(f) for f in two], [], out, project)
    with pytest.raises(RefoldError, match="--cases -1"):
        page.compare([str(f) for f in two], [], None, project, count=-1)


def test_what_is_no_run(two, project):
    with pytest.raises(RefoldError, match=r"nothing-such is no folder, no commit .* and no experiment"):
        page.compare(["nothing-such", str(two[0])], [], None, project)
    with pytest.raises(RefoldError, match=r"\./docs holds no results of refold"):
        page.compare(["./docs", str(two[0])], [], None, project)


def test_the_command_imports_no_tensorflow():
    code = "import sys; import refold.compare.page; sys.exit(any(m in sys.modules for m in ('tensorflow', 'keras')))"
    assert subprocess.run([sys.executable, "-c", code], cwd=ROOT / "workflow").returncode == 0
