"""dvc.yaml against the Snakefile: one dry run, no outputs needed."""

import re
import shutil
from pathlib import Path

import pytest
import yaml

from refold.cli import stages
from refold.core.errors import RefoldError
from refold.experiment.params import Params
from refold.experiment.reading import load
from refold.methods import kinds
from refold.run import graph
from tests.projects import ROOT, Project, tiny

EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))


def validate(**sections) -> Params:
    return Params.model_validate({"methods": {"a": {"kind": "threshold"}}, **sections})


def test_dvc_yaml_is_in_step_with_params_yaml_and_the_code():
    assert stages.differing(load(ROOT / "params.yaml"), ROOT / "dvc.yaml") == [], "run: refold stages"
    whole = yaml.safe_load((ROOT / "dvc.yaml").read_text())
    assert whole["plots"] == stages.PLOTS and whole["artifacts"] == stages.ARTIFACTS


@pytest.mark.parametrize("file", [ROOT / "params.yaml", *EXAMPLES], ids=lambda p: p.stem)
def test_every_parameter_file_has_the_sections_that_dvc_looks_for(file):
    assert set(yaml.safe_load(file.read_text())) == set(Params.model_fields)


def under(path: str, roots: list[str]) -> bool:
    return any(path == r or path.startswith(f"{r}/") for r in roots)


def one_of_each_kind() -> dict[str, dict]:
    """DVC's lists of files are the same for every experiment, whatever kinds of methods it has."""
    trained = {name: {"kind": name} for name, kind in kinds().items() if kind.trained}
    derived = {
        "ensemble": {"kind": "ensemble", "members": sorted(trained)},
        "postprocessing": {"kind": "postprocessing", "of": "ensemble"},
        "missing_channels": {"kind": "missing_channels", "of": "unet", "channels": [1]},
        "prediction": {"kind": "prediction", "of": "unet", "predict": {"mirror_axes": ["x"]}},
        "external": {"kind": "external", "folder": "theirs"},
    }
    assert {**trained, **derived}.keys() == kinds().keys()
    return {**trained, **derived}


@pytest.fixture(scope="module")
def jobs(tmp_path_factory):
    """(rule, inputs, outputs) of every job of the tiny experiment, from a dry run of everything."""
    folder = tmp_path_factory.mktemp("drift") / "project"
    sections = {"split": {"test_fraction": 0.2}, "dataset": {"patient_table": "patients.csv"}}
    project = Project.create(folder, tiny(**sections, methods=one_of_each_kind()))
    shutil.copy(ROOT / "tests/cli/patients.csv", folder / "patients.csv")
    (folder / "theirs").mkdir()
    (folder / "theirs/case.nii.gz").touch()
    for rules in (folder / "workflow/rules").glob("*.smk"):  # a rule's message hides its inputs and outputs
        rules.write_text(re.sub(r"(?m)^ +message:\n.*\n", "", rules.read_text()))
    out = project.snakemake("--dry-run", "--forceall", "--", "all").stdout
    jobs = []
    for block in re.split(r"(?m)^(?:local)?rule ", out)[1:]:
        files = {key: re.findall(rf"(?m)^    {key}: (.*)$", block) for key in ("input", "output")}
        inputs, outputs = (", ".join(files[key]).split(", ") if files[key] else [] for key in ("input", "output"))
        jobs.append((block.partition(":")[0], inputs, outputs))
    return project, jobs


def test_every_output_belongs_to_one_stage_and_every_input_is_watched(jobs):
    """DESIGN's drift test: leave a dependency out and DVC takes an old result for a new one."""
    project, jobs = jobs
    p = load(project.folder / "params.yaml")
    found = stages.stages(p)
    raw = f"data/raw/{p.dataset.name}"

    def plain(paths):
        values = {
            "dataset.name": p.dataset.name,
            "dataset.patient_table": "patients.csv",
            "methods.external.folder": "theirs",
        }
        return [re.sub(r"\$\{(.*?)\}", lambda name: values[name[1]], d) for d in paths]

    owned = {n: plain([*s["outs"], *s.get("metrics", [])]) for n, s in found.items()}
    assert {rule for rule, _, _ in jobs} >= {"fetch", "catalogue", "train_network", "predict_fold", "report_html"}
    read: dict[str, set[str]] = {n: set() for n in found}
    for rule, inputs, output in ((r, i, o) for r, i, outputs in jobs for o in outputs):
        owners = [n for n, roots in owned.items() if under(output, roots)]
        assert len(owners) == 1, f"{output} ({rule}) belongs to {owners or 'no stage'}"
        assert graph.owner(output, p.dataset.name) == owners[0]
        (mine,) = owners
        for name in inputs:
            if name.startswith("results/.data/"):
                continue  # what lies in files that no job makes; DVC watches these themselves
            if name.startswith("results/.params/"):
                stamp = Path(name).stem.partition(".")[0]
                sections = {"selection": {"methods", "split"}}.get(stamp, {stamp})
                assert sections <= set(found[mine]["params"]), f"{mine} does not watch {sections}"
            elif not under(name, owned[mine]):
                assert under(name, plain(found[mine]["deps"])), f"{mine} does not watch {name}"
                read[mine].add(name)
    for name, stage in found.items():
        superfluous = {d for d in plain(stage["deps"]) if d.startswith("workflow/") and d not in read[name]}
        assert not superfluous, f"{name} would run again for code that it does not use: {superfluous}"
        assert under(raw, plain([*stage["deps"], *stage["outs"]])) == (name in RAW_READERS)


RAW_READERS = {"data", "preprocess", "evaluate", "report"}


def test_every_section_is_watched_by_the_phase_of_its_name():
    for phase in graph.PHASES:
        name = {"data": "dataset"}.get(phase, phase)
        assert name in graph.SECTIONS[phase]
    assert set(graph.SECTIONS["report"]) == set(Params.model_fields)


def test_a_folder_of_ones_own_is_watched_and_not_made(tmp_path):
    (tmp_path / "mine").mkdir()
    found = stages.stages(validate(dataset={"name": "mine", "source": str(tmp_path / "mine")}))
    assert "${dataset.source}" in found["data"]["deps"]
    assert not any("data/raw" in o for s in found.values() for o in s["outs"])
    for phase in RAW_READERS - {"data"}:  # data/cases.csv stands for it, with the hash of every file: it may be moved
        assert not any("dataset" in d and "$" in d for d in found[phase]["deps"])
        assert "data/cases.csv" in found[phase]["deps"]


def test_an_archive_is_watched_and_what_it_holds_is_kept(tmp_path):
    (tmp_path / "mine.zip").touch()
    found = stages.stages(validate(dataset={"name": "mine", "source": str(tmp_path / "mine.zip")}))
    assert "${dataset.source}" in found["data"]["deps"]
    assert "data/raw/${dataset.name}" in found["data"]["outs"]


def test_tables_of_patients_and_folds_are_watched():
    found = stages.stages(validate(dataset={"patient_table": "p.csv"}, split={"kind": "file", "file": "folds.json"}))
    assert "${dataset.patient_table}" in found["data"]["deps"]
    assert "${split.file}" in found["split"]["deps"]


def test_a_home_folder_is_refused():
    with pytest.raises(RefoldError, match=r"dataset\.patient_table: ~/p\.csv: DVC knows no `~`"):
        stages.stages(validate(dataset={"patient_table": "~/p.csv"}))


def test_own_stages_and_plots_are_kept(tmp_path):
    path = tmp_path / "dvc.yaml"
    p = validate()
    assert stages.write(p, path) == list(graph.PHASES)
    assert stages.write(p, path) == []
    whole = yaml.safe_load(path.read_text())
    whole["stages"]["mine"] = {"cmd": "true"}
    whole["plots"].append({"more": {"x": "a"}})
    whole["stages"]["train"]["deps"].pop()
    path.write_text(yaml.safe_dump(whole))
    assert stages.differing(p, path) == ["train"]
    with pytest.raises(RefoldError, match=r"stage train.*refold stages"):
        stages.check(p, path)
    assert stages.write(p, path) == ["train"]
    stages.check(p, path)
    again = yaml.safe_load(path.read_text())
    assert again["stages"]["mine"] == {"cmd": "true"} and {"more": {"x": "a"}} in again["plots"]
    assert again["stages"]["train"] == stages.stages(p)["train"]


@pytest.mark.parametrize("text", ["- a\n- b\n", "stages: [", "just text"])
def test_a_damaged_dvc_yaml_is_named(tmp_path, text):
    (tmp_path / "dvc.yaml").write_text(text)
    with pytest.raises(RefoldError, match="no YAML file of stages"):
        stages.check(validate(), tmp_path / "dvc.yaml")


def test_a_missing_dvc_yaml_is_named(tmp_path):
    with pytest.raises(RefoldError, match=r"dvc\.yaml is missing; `refold stages`"):
        stages.check(validate(), tmp_path / "dvc.yaml")


def test_the_report_rests_on_the_words_of_the_kinds_in_use():
    def prose(*kinds):
        return {Path(f).stem for f in graph.own_code("report", kinds) if Path(f).parent.name == "prose"}

    assert prose("unet") - prose() == {"unet"}
    assert prose("random_forest", "external") - prose() == {"random_forest", "voxels", "external"}


def test_owner():
    assert graph.owner("results/models/unet/fold-0/card.json") == "train"
    assert graph.owner("results/metrics/metrics.json") == "evaluate"
    assert graph.owner("results/modelsx") is None
    assert graph.owner("data/raw/mine/dataset.json", "mine") == "data"
    assert graph.owner("data/raw/other/dataset.json", "mine") is None


def test_a_phase_alone_refuses_a_dvc_yaml_that_does_not_fit(jobs):
    project, _ = jobs
    path = project.folder / "dvc.yaml"
    before = path.read_text()
    path.write_text(before.replace("    - workflow/refold/train/loop.py\n", ""))
    try:
        run = project.snakemake("--dry-run", "--config", "only_phase=split", "--", "split", check=False)
        assert run.returncode and "stage train, predict" in run.stdout and "refold stages" in run.stdout
        assert "Traceback" not in run.stdout
    finally:
        path.write_text(before)


def test_every_table_has_a_caption():
    """`snakemake --report` stops where one is missing."""
    for path in (*graph.EVALUATED, graph.METRICS):
        assert (ROOT / f"workflow/captions/{Path(path).stem}.rst").read_text().strip(), path
