"""An experiment of the real DVC on the real pipeline, compared with the commit that it started from."""

import shutil

import pytest

from refold.core.files import read_csv
from refold.settings.names import MEAN

pytestmark = pytest.mark.slow


def test_an_experiment_against_its_commit(classical, tmp_path):
    project = classical.copy(tmp_path / "project")
    project.dvc("remote", "add", "--default", "shelf", str(tmp_path / "shelf"))
    project.dvc("push")
    project.dvc("exp", "run", "-S", "methods.a.classes=4", "-n", "four")
    status = project.git("status", "--porcelain").stdout

    said = project.refold("compare", "HEAD", "four").stdout
    assert "report: results/compare/HEAD-four.html" in said
    made = project.folder / "results" / "compare"
    assert read_csv(made / "HEAD-four.parameters.csv") == [{"key": "methods.a.classes", "A: HEAD": "2", "B: four": "4"}]
    rows = {(r["method_b"], r["label"], r["metric"]): r for r in read_csv(made / "HEAD-four.metrics.csv")}
    assert rows["b", "organ", "dice"]["difference"] == "0.000000" and rows["b", "organ", "dice"]["p"] == "1.000000"
    assert rows["a", "organ", "dice"]["mean_a"] != rows["a", "organ", "dice"]["mean_b"]
    summary = {
        (r["method"], r["label"], r["metric"]): r
        for r in read_csv(project.folder / "results/metrics/summary.csv")
        if r["fold"] == "all"
    }
    # where a mask is empty the comparison gives a case a value that the experiment's own mean leaves out
    same = {key for key in summary if key in rows and rows[key]["cases"] == summary[key]["n"]}
    assert ("a", "organ", "dice") in same
    for method, label, metric in same:
        if label != MEAN or all((m, own, k) in same for m, own, k in rows if (m, k) == (method, metric)):
            assert rows[method, label, metric]["mean_b"] == summary[method, label, metric]["mean"]
    html = (made / "HEAD-four.html").read_text(encoding="utf-8")
    assert html.count("<image") >= 3 and "Every Dice is the same in both." in html

    # what is here is the experiment: a record and a folder of the same results agree in everything
    project.refold("compare", "four")
    assert read_csv(made / "four-project.parameters.csv") == []
    assert {r["difference"] for r in read_csv(made / "four-project.metrics.csv")} == {"0.000000"}
    html = (made / "four-project.html").read_text(encoding="utf-8")
    assert "None: all parameters are the same." in html and "Versions of libraries are not known" not in html

    assert project.git("status", "--porcelain").stdout == status
    assert project.fresh() and project.clean(), "neither Snakemake nor DVC is disturbed"

    # tables that are not in the cache come from the remote
    shutil.rmtree(project.folder / ".dvc" / "cache")
    said = project.refold("compare", "HEAD", ".").stdout
    assert "report: results/compare/HEAD-project.html" in said
    rows = {(r["method_b"], r["label"], r["metric"]): r for r in read_csv(made / "HEAD-project.metrics.csv")}
    assert rows["a", "organ", "dice"]["mean_a"] != rows["a", "organ", "dice"]["mean_b"]
    assert "DVC’s cache lacks the predictions of A" in (made / "HEAD-project.html").read_text(encoding="utf-8")
