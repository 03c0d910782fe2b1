"""Where results come from: the facts, the crate and the report's section."""

from __future__ import annotations

import json
import re
import shutil

import pytest
from rocrate.rocrate import ROCrate

from refold.core import seals
from refold.core.files import read_json, sha256_file, write_json
from refold.report import inputs, page, provenance
from refold.report.sections import cautions
from refold.run import command
from refold.settings.stamps import Stamps

COMMIT = {
    "clean": False,
    "commit": "c0ffee" * 6 + "beef",
    "date": "2026-01-02T03:04:05+01:00",
    "modified": ["params.yaml"],
    "note": None,
}
PINNED = {
    "device": "cpu",
    "instructions": "avx2",
    "libc": "glibc 2.36",
    "precision": "float32",
    "processor": ["avx2", "fma"],
    "threads": 2,
}
NATIVE = {
    **PINNED,
    "instructions": "native",
    "processor": {"architecture": "x86_64", "features": ["avx2", "avx512f"], "model": "Xeon <b>"},
}


@pytest.fixture
def copy(volumes, tmp_path):
    shutil.copytree(volumes.root, tmp_path / "x")
    made = type(volumes)(tmp_path / "x", dict.fromkeys(volumes.methods), volumes.folds)
    write_json(made.folders.results / ".source.json", COMMIT)
    return made


def edit(made, kind, method, fold, **changes):
    folder = "models" if kind == "card.json" else "predictions"
    path = made.folders.results / folder / method / f"fold-{fold}" / kind
    seals.write(path, seals.read(path) | changes)


def experiment(made):
    return inputs.read(made.methods, made.folds, made.folders)


def written(made, name="report.html"):
    """Facts and crate, as the report's command writes them."""
    e = experiment(made)
    facts = provenance.gather(e)
    report = made.folders.results / name
    page.write(e, report, facts)
    provenance.write(e, facts, report)
    results = made.folders.results
    return seals.read(results / "provenance.json"), read_json(results / "ro-crate-metadata.json")


def test_facts(copy):
    for fold in copy.folds:
        edit(copy, "card.json", "unet", fold, machine=PINNED, versions={"python": "3.11.99", "keras": "9.9"})
    facts, _ = written(copy)
    results = copy.folders.results
    assert facts["git"] == COMMIT
    assert facts["data"]["cases.csv"] == sha256_file(copy.folders.data / "cases.csv")
    assert facts["split"] == sha256_file(results / "splits.json")
    assert facts["tables"]["summary.csv"] == sha256_file(results / "metrics/summary.csv")
    assert facts["predictions"]["otsu"]["1"] == sha256_file(results / "predictions/otsu/fold-1/predictions.json")
    assert set(facts["params"]) >= {"dataset", "train", "methods.unet", "methods.otsu", "report"}
    assert facts["seeds"] == {"evaluate.seed": 1, "split.seed": 1, "train.seed": 1, "train.validation_seed": 1}
    assert facts["threads"] == {"predict": 1, "train": 1}
    assert facts["machines"]["train"] == [{"machine": PINNED, "jobs": ["unet/fold-0", "unet/fold-1", "unet/fold-2"]}]
    # what the trainings ran with goes before what is installed here
    assert (facts["versions"]["Python"], facts["versions"]["keras"]) == ("3.11.99", "9.9")
    assert {"numpy", "scipy", "pandas", "snakemake", "h5py", "zlib", "C library"} <= set(facts["versions"])


def test_every_rule_has_its_command(copy):
    jobs = provenance.commands()
    assert jobs["train_network"].startswith("python -m refold.train --method {wildcards.method}")
    assert {"fetch", "catalogue", "preprocess_shard", "folds", "predict_fold", "tables", "report_html"} <= set(jobs)
    assert all(command.startswith("python -m refold.") for command in jobs.values())


def test_hash_of_a_section_is_that_of_the_tables(copy):
    """The same section, hashed where it is used and here."""
    from refold.core import hashes

    train = Stamps(copy.folders.params).frozen("train")
    assert written(copy)[0]["params"]["train"] == hashes.of_params({"train": train})["train"]


def test_two_runs_are_alike_wherever_they_lie(copy, tmp_path):
    first = written(copy)
    shutil.copytree(copy.root, tmp_path / "elsewhere/y")
    other = type(copy)(tmp_path / "elsewhere/y", dict.fromkeys(copy.methods), copy.folds)
    shutil.rmtree(copy.root)
    # the data set's folder is the user's parameter, and stands in dataset.json
    assert written(other) == first
    assert str(tmp_path) not in json.dumps(first)


def test_the_crate_reads_back_with_right_hashes(copy):
    written(copy)
    crate = ROCrate(copy.folders.results)
    root = crate.root_dataset
    assert root["datePublished"] == COMMIT["date"] and root["name"] == "Toy <b>&</b> ünïcode 海马"
    assert "author" not in root and "publisher" not in root
    workflow = crate.mainEntity
    assert set(workflow.type) == {"File", "SoftwareSourceCode", "ComputationalWorkflow"}
    assert workflow["version"] == COMMIT["commit"] and workflow["programmingLanguage"]["name"] == "Snakemake"
    assert workflow["license"].id == "https://spdx.org/licenses/Apache-2.0"
    action = root["mentions"]
    action = action[0] if isinstance(action, list) else action
    assert action.type == "CreateAction" and action["instrument"] is workflow
    files = {f.id: f for f in [*action["object"], *action["result"]]}
    assert {".params/train.json", "../data/cases.csv", "metrics/summary.csv", "report.html", "provenance.json"} <= set(
        files
    )
    assert "models/unet/fold-1/card.json" in files and "predictions/otsu/fold-2/predictions.json" in files
    for name, file in files.items():
        assert file["sha256"] == sha256_file(copy.folders.results / name), name
    assert {p.id for p in root["conformsTo"]} >= {"https://w3id.org/ro/wfrun/workflow/0.5"}


@pytest.mark.parametrize("there", [True, False])
def test_without_a_commit_it_says_so(copy, there):
    path = copy.folders.results / ".source.json"
    if there:
        write_json(path, dict.fromkeys(COMMIT) | {"note": "git is not installed where Snakemake was started"})
    else:
        path.unlink()
    facts, crate = written(copy)
    root = next(x for x in crate["@graph"] if x["@id"] == "./")
    assert facts["git"]["commit"] is None
    assert root["datePublished"] == "1970-01-01" and "No commit is known" in root["description"]
    assert "No commit is known: " in page.render(experiment(copy)).html


def test_the_section_tells_it_to_people(copy):
    for fold in copy.folds:
        edit(copy, "card.json", "unet", fold, machine=NATIVE)
    text = page.render(experiment(copy)).html
    assert f"Made from commit {COMMIT['commit']} of {COMMIT['date']}." in text
    assert "Changed since and not committed: params.yaml." in text
    assert "Xeon &lt;b&gt; (x86_64; avx2 avx512f), 2 math threads, glibc 2.36, float32" in text
    assert "provenance.json" in text and "ro-crate-metadata.json" in text
    assert re.search(r"<details>\s*<summary>Hashes \(sha256\)", text)


def test_folds_on_different_machines_are_a_caution(copy):
    def told():
        return [c for c in cautions.collect(experiment(copy)) if "round differently" in c.text]

    for fold in copy.folds:
        edit(copy, "card.json", "unet", fold, machine=PINNED)
        edit(copy, "card.json", "otsu", fold, machine={k: v for k, v in PINNED.items() if k != "precision"})
    assert told() == []  # two methods may differ: each has its own settings
    edit(copy, "card.json", "unet", 2, machine={**PINNED, "device": "NVIDIA X, compute capability 9.0"})
    (one,) = told()
    assert one.where == "train, unet" and "(device)" in one.text
    assert "Folds 0 and 1: cpu" in one.text and "fold 2: NVIDIA X" in one.text
    edit(copy, "predictions.json", "otsu", 0, machine=NATIVE)
    edit(copy, "predictions.json", "otsu", 1, machine=PINNED)
    assert {c.where for c in told()} == {"train, unet", "predict, otsu"}
    assert page.render(experiment(copy)).html.count("round differently") == 2


def test_a_parameter_that_changes_while_the_report_is_written(copy, monkeypatch):
    stamps = Stamps(copy.folders.params)

    def work():
        inputs.read(copy.methods, copy.folds, copy.folders, frozen=stamps)
        path = copy.folders.params / "report.json"
        write_json(path, read_json(path) | {"title": "another"})
        return command.Job(stamps)

    with pytest.raises(SystemExit) as end:
        command.run(work)
    assert end.value.code == 1
