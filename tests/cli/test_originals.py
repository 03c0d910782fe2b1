"""A file that no job makes changed after a run: what Snakemake is told of it, by which stamp."""

import json
import os
import re
import shutil
import time
from dataclasses import replace
from pathlib import Path

import pytest

from refold.cli import handover, originals
from refold.core import cases, seen
from refold.core.cases import Case
from refold.core.errors import RefoldError
from refold.core.files import read_json, sha256_file, write_json
from refold.core.params import Params, Stamps
from refold.core.place import FILE
from refold.data import layout

NAMES = ["a_1", "a_2", "b_1"]


def listing(names=NAMES, **changes):
    entries = [{"image": f"./imagesTr/{n}.nii.gz", "label": f"./labelsTr/{n}.nii.gz"} for n in names]
    values = {"modality": {"0": "MR"}, "labels": {"0": "background", "1": "organ"}, "training": entries}
    Path("mine/dataset.json").write_text(json.dumps(values | changes))


def validate(methods=None, split=None, **dataset):
    dataset = {"name": "mine", "source": "mine", "patient_table": "patients.csv"} | dataset
    methods = methods or {"a": {"kind": "threshold"}}
    return Params.model_validate({"dataset": dataset, "methods": methods, "split": split or {"folds": 2}})


def catalogued(params) -> None:
    """What the catalogue leaves, from the bytes of files that are no images."""
    found = layout.read(params.dataset)
    found.description.write()
    rows = [
        Case(e.case, e.patient, e.images, e.label, 1, (1,), (1.0,), "RAS", (1, 0),
             cases.digest(found.root / n for n in (*e.images, e.label)))
        for e in found.entries
    ]  # fmt: skip
    cases.write(rows)


@pytest.fixture
def params(tmp_path, monkeypatch):
    """A data set read in place, catalogued, with notes of all its files, in the current folder."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(seen, "SETTLED", 0)
    for folder in ("imagesTr", "labelsTr"):
        Path("mine", folder).mkdir(parents=True)
        for name in NAMES:
            Path("mine", folder, f"{name}.nii.gz").write_text(f"{folder} {name}")
    listing()
    Path("patients.csv").write_text("case,patient\na_1,a\na_2,a\nb_1,b\n")
    params = validate()
    catalogued(params)
    assert differs(params) == []
    return params


def differs(params, thorough=False) -> list[str]:
    looks = originals.look(params, ["0", "1"], thorough)
    originals.freeze(params, looks)
    return [text for one in looks for text in one.differs]


def due(stamp=originals.DATA, made="data/cases.csv") -> bool:
    """Whether Snakemake would find the stamp newer than what was made from it."""
    return os.stat(stamp).st_mtime_ns > os.stat(made).st_mtime_ns


LABEL = Path("mine/labelsTr/a_2.nii.gz")
REPLACED = ["case a_2: imagesTr/a_2.nii.gz or labelsTr/a_2.nii.gz changed"]


def test_nothing_is_due_after_a_run_and_after_new_times_on_the_same_content(params, monkeypatch):
    assert not due()
    for path in Path("mine").rglob("*.*"):
        path.touch()
    assert differs(params) == [] and not due()
    monkeypatch.setattr(cases, "digest", None)  # what was compared once is not read again
    monkeypatch.setattr(seen, "digest", None)
    assert differs(params) == [] and not due()


@pytest.mark.parametrize("age", [-(10**9) * 10**9, 0, 10**9 * 10**9])
@pytest.mark.parametrize("content", ["labelsTr a_9", "of another size"])
@pytest.mark.parametrize("how", ["in place", "replaced"])
def test_another_label_is_noticed_whatever_its_time_and_size(params, age, content, how):
    before = LABEL.stat().st_mtime_ns
    time.sleep(0.02)  # a tick of the file system's clock
    if how == "replaced":
        LABEL.unlink()
    LABEL.write_text(content)
    os.utime(LABEL, ns=(0, before + age))
    assert differs(params) == REPLACED and due()


def test_each_look_makes_the_job_due_anew_until_the_catalogue_read_it(params):
    """Snakemake forgives a newer stamp whose content it knows: results brought back by DVC would pass for fresh."""
    LABEL.write_text("other")
    differs(params)
    first = originals.DATA.read_text()
    differs(params)
    assert originals.DATA.read_text() != first and due()
    catalogued(params)
    assert differs(params) == [] and not due()


def test_the_file_brought_back_makes_nothing_due(params):
    content = LABEL.read_text()
    LABEL.write_text("other")
    assert differs(params) and due()
    LABEL.write_text(content)
    assert differs(params) == [] and not due()


def test_outputs_from_the_future_do_not_hide_it(params):
    os.utime("data/cases.csv", (2**31, 2**31))
    LABEL.write_text("other")
    assert differs(params) and due()


def test_what_is_listed_and_who_the_patients_are(params):
    Path("patients.csv").write_text("case,patient\na_1,a\na_2,b\nb_1,b\n")
    os.utime("patients.csv", (0, 0))
    assert differs(params) == ["case a_2 has another patient or other files"] and due()
    Path("patients.csv").write_text("case,patient\na_1,a\na_2,a\nb_1,b\n")
    listing(NAMES[:2])
    assert differs(params) == ["case b_1 is no longer listed"] and due()
    listing(labels={"0": "background", "1": "tumour"})
    assert differs(params) == ["mine/dataset.json describes the data otherwise than data/dataset.json"] and due()
    listing()
    assert differs(params) == [] and not due()
    LABEL.unlink()
    assert differs(params) == ["mine/labelsTr/a_2.nii.gz is missing or cannot be read"] and due()
    Path("mine/dataset.json").write_text("{")
    assert "no valid JSON" in re.sub("not valid", "no valid", differs(params)[0]) and due()


def test_a_link_switched_to_another_folder_of_older_files(params):
    Path("mine").rename("first")
    shutil.copytree("first", "second")
    Path("second/labelsTr/a_2.nii.gz").write_text("labelsTr a_9")
    shutil.copystat("first/labelsTr/a_2.nii.gz", "second/labelsTr/a_2.nii.gz")
    Path("mine").symlink_to("first")
    assert differs(params) == [] and not due()
    Path("mine").unlink()
    Path("mine").symlink_to("second")
    assert differs(params) == REPLACED and due()


def test_a_folder_renamed_is_no_change(params, monkeypatch):
    stamps = Stamps().write(params)
    before = {p: Path(p).read_text() for p in (*stamps.values(), "data/dataset.json", str(originals.DATA))}
    Path("mine").rename("elsewhere")
    Path("patients.csv").rename("table.csv")
    params = validate(source=str(Path("elsewhere").absolute()), patient_table="table.csv")
    monkeypatch.setattr(seen, "digest", None)  # nor is a file read again
    assert differs(params) == [] and not due()
    Stamps().write(params)
    catalogued(params)
    assert before == {p: Path(p).read_text() for p in before}
    assert "elsewhere" not in "".join(before.values()) and read_json(FILE)["root"].endswith("/elsewhere")


def test_files_fetched_are_looked_at_too(params):
    shutil.copytree("mine", "data/raw/phantom")
    fetched = validate(name="phantom", source=None, patient_table=None, patient_pattern="^(.)_")
    catalogued(fetched)
    assert differs(fetched) == [] and not due()
    path = Path("data/raw/phantom/imagesTr/b_1.nii.gz")
    before = path.stat()
    time.sleep(0.02)
    path.write_text("imagesTr b_2")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert differs(fetched) == ["case b_1: imagesTr/b_1.nii.gz or labelsTr/b_1.nii.gz changed"] and due()
    shutil.rmtree("data/raw/phantom")
    (gone,) = originals.look(fetched, [])
    assert gone.gone and differs(fetched) and not due()  # deleted to make room: no result is wrong
    with pytest.raises(RefoldError, match=r"data/raw/phantom/dataset\.json is missing"):
        originals.verify(fetched, [], "not recorded")


def test_another_archive_is_unpacked_anew(params):
    Path("mine.zip").write_text("first")
    archive = validate(source="mine.zip", patient_table=None, patient_pattern="^(.)_")
    made = "data/raw/mine/dataset.json"
    Path("data/cases.csv").unlink()
    assert differs(archive) == [] and not originals.UNPACKED.stat().st_mtime_ns
    shutil.copytree("mine", "data/raw/mine")
    catalogued(archive)
    assert differs(archive) == []  # what DVC brought is taken for what the archive holds
    Path("mine.zip").rename("moved.zip")
    archive = validate(source="moved.zip", patient_table=None, patient_pattern="^(.)_")
    assert differs(archive) == [] and not due(originals.UNPACKED, made)
    Path("moved.zip").write_text("other")
    os.utime("moved.zip", (0, 0))
    assert differs(archive) == ["moved.zip is not the archive that was unpacked"]
    assert due(originals.UNPACKED, made) and not due()
    assert differs(archive) == ["moved.zip is not the archive that was unpacked"]


def test_another_split_file(params, tmp_path):
    Path("folds.json").write_text(json.dumps({"folds": [{"train": ["a"], "test": ["b"]}] * 2}))
    split = validate(split={"kind": "file", "file": "folds.json", "folds": 2})
    differs(split)
    first, when = originals.SPLIT.read_text(), originals.SPLIT.stat().st_mtime_ns
    Path("folds.json").touch()
    differs(split)
    assert originals.SPLIT.stat().st_mtime_ns == when
    Path("folds.json").write_text("{}")
    os.utime("folds.json", (0, 0))
    differs(split)
    assert originals.SPLIT.read_text() != first


def predicted(fold, **files) -> Path:
    """What the predict phase leaves of another program's label maps."""
    path = Path(f"results/predictions/theirs/fold-{fold}/predictions.json")
    done = {
        case: {"file": f"{case}.nii.gz", "source": {"file": name, "sha256": sha256_file(Path("other", name))}}
        for case, name in files.items()
    }
    write_json(path, {"cases": done})
    return path


def test_another_programs_label_maps(params):
    for name in ("a_1.nii.gz", "a_2.nii.gz", "b_1.nii.gz"):
        Path("other").mkdir(exist_ok=True)
        Path("other", name).write_text(name)
    entry = {"kind": "external", "folder": "other"}
    theirs = validate(methods={"theirs": entry})
    made = [predicted("0", a_1="a_1.nii.gz", a_2="a_2.nii.gz"), predicted("1", b_1="b_1.nii.gz")]
    stamps = [originals.stamp_of("theirs", k) for k in (0, 1)]

    def wanted():
        return [due(s, m) for s, m in zip(stamps, made, strict=True)]

    assert differs(theirs) == [] and wanted() == [False, False]
    Path("other/a_2.nii.gz").write_text("b_9.nii.gz")
    os.utime("other/a_2.nii.gz", (0, 0))
    assert differs(theirs) == ["other/a_2.nii.gz has another content"] and wanted() == [True, False]
    with pytest.raises(RefoldError, match=r"not synced: files are not those(?s:.*)a_2\.nii\.gz has another content"):
        originals.verify(theirs, [0, 1], "not synced")
    made[0] = predicted("0", a_1="a_1.nii.gz", a_2="a_2.nii.gz")
    Path("other/fold_1").mkdir()
    Path("other/fold_1/b_1.nii.gz").write_text("goes before the other")
    assert differs(theirs) == ["the label map of case b_1 is other/fold_1/b_1.nii.gz, was other/b_1.nii.gz"]
    assert wanted() == [False, True]
    shutil.rmtree("other/fold_1")
    Path("other").rename("moved")
    theirs = validate(methods={"theirs": entry | {"folder": "moved"}})
    assert differs(theirs) == [] and wanted() == [False, False]
    assert differs(params) == [] and not Path(stamps[0]).exists()  # the method is gone


def test_a_thorough_look_reads_what_looks_unchanged(params, monkeypatch):
    """As on a file system whose times tell nothing."""
    LABEL.write_text("labelsTr a_9")
    notes = seen.Seen(seen.RAW)
    for c in cases.read():
        names = (*c.images, c.label)
        notes.note(c.case, names, seen.stats(Path("mine", n) for n in names), c.sha256)
    notes.save()
    assert differs(params) == [] and not due()
    with pytest.raises(RefoldError, match=r"not recorded: files are not those(?s:.*)case a_2: .*changed"):
        originals.verify(params, [], "not recorded")
    assert differs(params) == REPLACED and due()  # and now it is known


def test_record_and_sync_refuse(params, monkeypatch):
    monkeypatch.setattr(handover, "_ready", lambda: params)
    monkeypatch.setattr(handover, "_certified", lambda: [])
    monkeypatch.setattr(handover, "_differing", dict)
    monkeypatch.setattr(handover, "verify_hashes", lambda params: None)
    Path("dvc.lock").touch()
    LABEL.write_text("other")
    with pytest.raises(RefoldError, match="not recorded: files are not those"):
        handover.record()
    with pytest.raises(RefoldError, match="not synced: files are not those"):
        handover.sync()


def test_a_damaged_table_is_made_again(params):
    rows = cases.read()
    cases.write([replace(rows[0], sha256="0" * 64), *rows[1:]])
    assert differs(params) == ["case a_1: imagesTr/a_1.nii.gz or labelsTr/a_1.nii.gz changed"] and due()
    Path("data/cases.csv").write_text("case\nx\n")
    assert "is damaged" in differs(params)[0] and due()
    Path("data/cases.csv").unlink()
    assert differs(params) == []  # its job is due by itself


def test_code_replaced_by_an_older_file_gets_the_time_of_now(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code, other = Path("workflow/refold/evaluate/fold.py"), Path("workflow/rules/data.smk")
    for path in (code, other):
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text("a = 1")
        os.utime(path, (1e9, 1e9))
    assert originals.see_code("workflow") == [] == originals.see_code("workflow")
    code.write_text("a = 2")
    os.utime(code, (9e8, 9e8))
    before = time.time()
    assert originals.see_code("workflow") == ["refold/evaluate/fold.py"]
    assert code.stat().st_mtime > before - 1 and other.stat().st_mtime == 1e9
    assert originals.see_code("workflow") == []
