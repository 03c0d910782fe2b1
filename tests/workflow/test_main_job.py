"""The whole job through the real Snakemake, on a tiny phantom; then what reruns after a change."""

import csv
import json
import shutil
import time
from html.parser import HTMLParser
from pathlib import Path

import pytest

from refold.imaging import images
from tests.workflow.runs import edit, project, snakemake, wanted

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def done(tmp_path_factory):
    folder = project(tmp_path_factory.mktemp("main") / "clone")
    run = snakemake(folder, "--cores", "2", cold=True)
    return folder, run.stdout


def test_it_ends_with_the_path_of_the_report(done):
    folder, out = done
    assert "report: results/report/report.html" in out
    assert (folder / "results/report/report.html").stat().st_size > 10_000


def test_the_report_of_snakemake_holds_tables_and_figures_with_captions(done):
    folder, _ = done
    snakemake(folder, "--report", "appendix.html")
    text = (folder / "appendix.html").read_text(encoding="utf-8")
    for caption in ("Paired differences between methods", "refold's own report, with everything", "in the colours for"):
        assert caption in text
    for name in ("results/metrics/summary.csv", "strip-cross-validation-dice.svg", "results/report/report.html"):
        assert name in text
    assert wanted(folder) == {}


def test_nothing_is_to_be_done_afterwards_and_a_dry_run_takes_seconds(done):
    folder, _ = done
    start = time.monotonic()
    out = snakemake(folder, "-n").stdout
    assert "Nothing to be done" in out
    assert time.monotonic() - start < 30  # a bound against hours; the figure is in docs/explanation/benchmarks.md
    assert wanted(folder) == {}


def test_every_declared_file_is_there_and_nothing_half_written(done):
    folder, _ = done
    for name in ("data/cases.csv", "data/fingerprint.json", "results/splits.json", "results/metrics/summary.csv"):
        assert (folder / name).is_file()
    assert not [p for p in folder.rglob(".tmp-*") if ".snakemake" not in p.parts]
    assert not (folder / "results/.checkpoints").exists() or not list((folder / "results/.checkpoints").rglob("*.npz"))


def test_the_tables_can_be_worked_out_again_from_the_predictions(done):
    """Dice of every case and label, from the files alone."""
    folder, _ = done
    with open(folder / "data/cases.csv", newline="") as handle:
        labels = {row["case"]: row["label"] for row in csv.DictReader(handle)}
    description = json.loads((folder / "data/dataset.json").read_text())
    values = {x["name"]: x["value"] for x in description["labels"]}
    with open(folder / "results/metrics/cases.csv", newline="") as handle:
        rows = [r for r in csv.DictReader(handle) if r["metric"] == "dice" and r["label"] in values]
    splits = json.loads((folder / "results/splits.json").read_text())
    tested = [c for f in splits["folds"] for c in f["test"]]
    methods = {r["method"] for r in rows}
    assert len(rows) == len(tested) * len(methods) * (len(values) - 1)
    for row in rows:
        predicted = folder / f"results/predictions/{row['method']}/fold-{row['fold']}/{row['case']}.nii.gz"
        answer = images.read(predicted, label=True)
        truth = images.read(folder / "data/raw/phantom" / labels[row["case"]], label=True)
        assert abs(answer.affine - truth.affine).max() < 1e-5
        a, t = answer.data == values[row["label"]], truth.data == values[row["label"]]
        if t.sum() + a.sum():
            assert float(row["value"]) == pytest.approx(2 * (a & t).sum() / (a.sum() + t.sum()), abs=1e-6)
        else:
            assert row["value"] == "nan"


def test_no_patient_is_on_two_sides(done):
    folder, _ = done
    splits = json.loads((folder / "results/splits.json").read_text())
    patient = splits["patients"]
    for fold in splits["folds"]:
        assert not {patient[c] for c in fold["train"]} & {patient[c] for c in fold["test"]}
    for card in folder.glob("results/models/*/fold-*/card.json"):
        value = json.loads(card.read_text())
        taught = set(value["training"]["cases"]) | set(value["training"]["inner_validation"])
        tested = next(f["test"] for f in splits["folds"] if f["fold"] == value["fold"])
        assert not {patient[c] for c in taught} & {patient[c] for c in tested}


def test_the_report_is_well_formed_and_asks_nothing_of_the_network(done):
    folder, _ = done
    text = (folder / "results/report/report.html").read_text()

    class Check(HTMLParser):
        outside: list = []  # noqa: RUF012

        def handle_starttag(self, tag, attributes):
            for key, value in attributes:
                fetched = key in ("src", "srcset") or (key == "href" and tag != "a")
                if fetched and not value.startswith(("data:", "#")):
                    self.outside.append((tag, value))

    Check().feed(text)
    assert Check.outside == []
    assert str(folder) not in text and str(Path.home()) not in text


@pytest.mark.parametrize(
    "changes, first, never",
    [
        ({"report": {"title": "another"}}, "report_html", {"tables", "evaluate_fold", "predict_fold", "train_network"}),
        (
            {"evaluate": {"nsd_tolerance": 2.0}},
            "evaluate_fold",
            {"predict_fold", "train_network", "train_classical_json"},
        ),
        (
            {"predict": {"mirror_axes": ["z"]}},
            "predict_fold",
            {"train_network", "train_classical_json", "preprocess_shard"},
        ),
        ({"train": {"learning_rate": 0.001}}, "train_network", {"train_classical_json", "preprocess_shard", "folds"}),
        ({"split": {"seed": 77}}, "folds", {"preprocess_shard", "catalogue"}),
        ({"preprocess": {"crop_nonzero": False}}, "preprocess_shard", {"catalogue", "folds"}),
    ],
    ids=lambda v: next(iter(v)) if isinstance(v, dict) else None,
)
def test_a_changed_parameter_reruns_the_phases_that_read_it(done, changes, first, never):
    folder, _ = done
    before = (folder / "params.yaml").read_text()
    try:
        edit(folder, **changes)
        jobs = wanted(folder)
        assert first in jobs and "report_html" in jobs
        assert not never & set(jobs)
        shutil.move(folder / ".snakemake", folder / "away")  # also where nothing is known of earlier runs
        try:
            assert first in wanted(folder)
        finally:
            shutil.rmtree(folder / ".snakemake", ignore_errors=True)
            shutil.move(folder / "away", folder / ".snakemake")
    finally:
        (folder / "params.yaml").write_text(before)
        assert wanted(folder) == {}


def test_changed_code_reruns_its_phase(done):
    folder, _ = done
    path = folder / "workflow/refold/report/page.py"
    before = path.read_text()
    path.write_text(before + "\n# changed\n")
    assert set(wanted(folder)) == {"report_html"}
    path.write_text(before)
    assert wanted(folder) == {}


def test_up_to_one_phase(done):
    folder, _ = done
    out = snakemake(folder, "-n", "--forceall", "preprocess").stdout
    assert "preprocess_shard" in out and "train_network" not in out


def test_a_bad_params_file_stops_before_any_job(tmp_path):
    folder = project(tmp_path / "bad")
    edit(folder, train={"epochz": 3}, split={"folds": 400}, augment={"flip": {"axes": ["q"]}})
    run = snakemake(folder, "--cores", "1", check=False)
    assert run.returncode != 0
    for words in ("train.epochz", "did you mean 'epochs'", "split.folds", "augment.flip.axes"):
        assert words in run.stdout
    assert not (folder / "data").exists()
    assert "Traceback" not in run.stdout


def test_parameters_on_the_command_line_are_refused(tmp_path):
    folder = project(tmp_path / "config")
    run = snakemake(folder, "-n", "--config", "train=1", check=False)
    assert run.returncode != 0 and "params.yaml" in run.stdout


def test_a_failing_job_ends_with_its_cause_and_log(tmp_path):
    folder = project(tmp_path / "failing")
    source = tmp_path / "nothing.tar"
    source.write_bytes(b"no archive")
    edit(folder, dataset={"name": "mine", "source": str(source)})
    run = snakemake(folder, "--cores", "1", check=False)
    assert run.returncode != 0
    end = run.stdout[-1500:]
    assert "error: " in end and "logs/data/fetch.log" in end and "nothing.tar" in end
    assert not (folder / "data/raw/mine").exists() and not (folder / "data/cases.csv").exists()
