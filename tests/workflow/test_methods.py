"""Methods of one's own and methods made from others, through the real Snakemake."""

import json
import os
import re
import shutil

import nibabel
import pandas as pd
import pytest

from tests.projects import ROOT

PAGE = ROOT / "docs/reference/methods.md"
EXAMPLE = re.search(r"`(workflow/refold/methods/\w+\.py)`:\n\n```python\n(.*?)```", PAGE.read_text(), re.S)
A = {"kind": "threshold", "channel": 1, "classes": 2}


@pytest.mark.slow
def test_one_file_more_and_methods_made_from_others_are_rows_like_all(classical, tmp_path):
    project = classical.copy(tmp_path / "project")
    b = json.loads((project.folder / "results/.params/methods.b.json").read_text())
    (project.folder / EXAMPLE[1]).write_text(EXAMPLE[2])
    project.edit(
        methods={
            "mine": {"kind": "nearest_mean", "sharpness": 2},
            "together": {"kind": "ensemble", "members": ["a", "b", "mine"]},
            "tidy": {"kind": "postprocessing", "of": "together", "min_size": [5]},
            "blind": {"kind": "missing_channels", "of": "mine", "channels": [1]},
        }
    )
    project.refold("stages")
    project.ran()
    out = project.snakemake("--cores", "2").stdout
    ran = project.ran()
    # what is there stays: one file more is no business of the others
    assert {name.rsplit("-", 1)[0] for name in ran if name.startswith(("train", "predict"))} == {
        "train-mine", "predict-mine", "predict-together", "predict-tidy", "predict-blind",
    }, out  # fmt: skip
    cases = pd.read_csv(project.folder / "results/metrics/cases.csv")
    dice = cases[cases["metric"] == "dice"].pivot(index=["case", "label"], columns="method", values="value")
    assert list(pd.unique(cases["method"])) == ["a", "b", "mine", "together", "tidy", "blind"]
    assert cases.groupby("method")["case"].nunique().nunique() == 1
    # without FLAIR its answer is another
    assert not dice["mine"].equals(dice["blind"])

    for fold in (0, 1):
        folder = project.folder / "results/predictions"
        tidy = json.loads((folder / f"tidy/fold-{fold}/predictions.json").read_text())
        members = {f"{m}/{fold}" for m in ("a", "b", "mine")}
        assert set(tidy["hashes"]["models"]) == members
        assert set(tidy["hashes"]["params"]) == {f"methods.{m}" for m in ("a", "b", "mine", "together", "tidy")} | {
            "predict"
        }
        (choice,) = tidy["postprocessing"]
        tested = set(tidy["cases"])
        assert choice["cases"] and not tested & set(choice["cases"])
        assert "chosen on cases that the models learnt from" in " ".join(tidy["warnings"])
        for label in choice["labels"].values():
            assert label["dice_after"] >= label["dice_before"]
    report = (project.folder / "results/report/report.html").read_text()
    assert "The label probabilities of a, b and mine" in report and "in the training cases was nearest" in report

    # a member changed: what is made from it follows
    project.edit(methods={"b": {**{k: b[k] for k in ("kind", "channel")}, "classes": 4}})
    project.snakemake("--cores", "2")
    ran = project.ran()
    assert {name.rsplit("-", 1)[0] for name in ran if name.startswith(("train", "predict"))} == {
        "train-b", "predict-b", "predict-together", "predict-tidy",
    }  # fmt: skip
    assert project.fresh()
    project.refold("record", "--clean")
    assert project.clean() and project.fresh()


@pytest.mark.slow
def test_a_failing_method_names_itself_and_leaves_the_others_rows(classical, tmp_path):
    project = classical.copy(tmp_path / "project")
    broken = (
        EXAMPLE[2]
        .replace("nearest_mean", "broken")
        .replace(
            "        sums = ", "        if fold.fold == 1:\n            raise RuntimeError('no luck')\n        sums = "
        )
    )
    (project.folder / "workflow/refold/methods/broken.py").write_text(broken)
    before = (project.folder / "results/metrics/summary.csv").read_bytes()
    project.edit(methods={"bad": {"kind": "broken"}, "b": {"kind": "threshold", "channel": 0, "classes": 3}})
    done = project.snakemake("--cores", "2", check=False)
    assert done.returncode != 0
    table = done.stdout.partition("mean over the labels:\n")[2].splitlines()
    names = [line.split()[1] for line in table[1:4]]
    assert set(names[:2]) == {"a", "b"} and table[3].split() == ["-", "bad", "failed"]
    assert "bad: fold 1 has no metrics" in done.stdout and "error: RuntimeError: no luck" in done.stdout
    assert "logs/train/bad-1.log" in done.stdout
    page = (project.folder / "results/incomplete/report.html").read_text(encoding="utf-8")
    assert "report of the others: results/incomplete/report.html" in done.stdout
    assert "It failed and has no row in any table: fold 1 has no metrics." in page
    rows = pd.read_csv(project.folder / "results/incomplete/summary.csv")
    # b as it is now: the table that is a result still has b as it was
    now = json.loads((project.folder / "results/metrics/folds/b/fold-0.json").read_text())
    assert (
        json.loads((project.folder / "results/incomplete/hashes.json").read_text())["models"]["b"]["0"]
        == (now["hashes"]["models"]["0"])
    )
    assert set(rows["method"]) == {"a", "b"}
    assert (project.folder / "results/metrics/summary.csv").read_bytes() == before
    assert not project.fresh()

    values = project.folder / "params.yaml"
    values.write_text(values.read_text().replace("  bad:\n    kind: broken\n", ""))
    done = project.snakemake("--cores", "2")
    assert "rank  method" in done.stdout and "failed" not in done.stdout.partition("rank  method")[2]
    assert not (project.folder / "results/incomplete").exists()


@pytest.mark.slow
def test_label_maps_of_another_program_are_a_row_like_all(classical, tmp_path):
    project = classical.copy(tmp_path / "project")
    other = project.folder.parent / "nnunet"
    for fold in (0, 1):
        shutil.copytree(project.folder / f"results/predictions/a/fold-{fold}", other / f"fold_{fold}/validation")
    project.edit(methods={"theirs": {"kind": "external", "folder": "../nnunet", "program": "nnU-Net v2"}})
    project.refold("stages")
    project.ran()
    project.snakemake("--cores", "2")
    ran = project.ran()
    per_method = {n for n in ran if n.startswith(("train", "predict", "metrics", "evaluate"))}
    assert {n for n in per_method if n.startswith(("train", "predict"))} == {"predict-theirs-0", "predict-theirs-1"}
    rows = pd.read_csv(project.folder / "results/metrics/cases.csv").set_index(["fold", "case", "label", "metric"])
    a, theirs = (rows[rows["method"] == m]["value"] for m in ("a", "theirs"))
    pd.testing.assert_series_equal(a, theirs)
    report = (project.folder / "results/report/report.html").read_text()
    assert "The label maps of nnU-Net v2 were read as they were" in report
    assert "cannot know whether it was trained on the cases" in report
    assert project.fresh()
    project.refold("record")
    assert project.clean()

    # a voxel changed, in a file of an older date: both see it
    path = sorted((other / "fold_1/validation").glob("*.nii.gz"))[0]
    image = nibabel.load(path)
    data = image.get_fdata().astype("uint8")
    data[0, 0, 0] = 1
    nibabel.save(nibabel.Nifti1Image(data, image.affine), path)
    os.utime(path, (0, 0))
    assert not project.clean()
    project.snakemake("--cores", "2")
    assert {n for n in project.ran() if n.startswith(("train", "predict"))} == {"predict-theirs-1"}
    assert project.fresh()
