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
from refold.core import paths, seals
from refold.core.errors import RefoldError
from refold.core.files import read_json, sha256_file, write_json
from refold.data import layout
from refold.data import listing as listing_of
from refold.experiment.params import Params
from refold.imaging import cases
from refold.imaging.cases import Case
from refold.imaging.dataset import Description
from refold.imaging.place import FILE
from refold.run import seen
from refold.settings.stamps import Stamps
from refold.split import folds

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
    if any(p.is_error for p in found.problems):
        return
    found.description.write()
    listing_of.write(found)
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
    listing(NAMES[1:])
    assert differs(params) == ["case a_1 is no longer listed"] and due()
    listing(NAMES[:2])
    one = "mine/dataset.json: all 2 cases belong to patient a; folds need two"
    assert differs(params) == [one, "case b_1 is no longer listed"] and due()
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
    stamps = Stamps().write(params.frozen())
    before = {p: Path(p).read_text() for p in (*stamps.values(), "data/dataset.json", str(originals.DATA))}
    Path("mine").rename("elsewhere")
    Path("patients.csv").rename("table.csv")
    params = validate(source=str(Path("elsewhere").absolute()), patient_table="table.csv")
    monkeypatch.setattr(seen, "digest", None)  # nor is a file read again
    assert differs(params) == [] and not due()
    Stamps().write(params.frozen())
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
    gone, _ = originals.look(fetched, [])
    assert gone.gone and differs(fetched) and not due()  # deleted to make room: no result is wrong
    with pytest.raises(RefoldError) as error:
        originals.verify(fetched, [], "not recorded")
    assert str(error.value) == (
        "not recorded: the data set is not there; `dvc checkout data/raw/phantom` brings it back where DVC has it, "
        "`snakemake --cores 1 -- data/raw/phantom/dataset.json` makes or fetches it anew\n"
        "  data/raw/phantom/dataset.json is missing"
    )


def test_another_archive_is_unpacked_anew(params):
    Path("mine.zip").write_text("first")
    archive = validate(source="mine.zip", patient_table=None, patient_pattern="^(.)_")
    made = "data/raw/mine/dataset.json"
    Path("data/cases.csv").unlink()
    assert differs(archive) == [] and not originals.UNPACKED.stat().st_mtime_ns
    shutil.copytree("mine", "data/raw/mine")
    catalogued(archive)
    assert differs(archive) == ["data/raw/mine does not tell from which archive it was unpacked"]
    assert due(originals.UNPACKED, made)
    write_json(f"data/raw/mine/{layout.UNPACKED}", {"archive": sha256_file("mine.zip")})
    assert differs(archive) == [] and not due(originals.UNPACKED, made)
    Path("mine.zip").rename("moved.zip")
    archive = validate(source="moved.zip", patient_table=None, patient_pattern="^(.)_")
    assert differs(archive) == [] and not due(originals.UNPACKED, made)
    Path("moved.zip").write_text("other")
    os.utime("moved.zip", (0, 0))
    assert differs(archive) == ["moved.zip is not the archive that was unpacked"]
    assert due(originals.UNPACKED, made) and not due()
    shutil.rmtree(".snakemake")  # the notes may be deleted: which archive was unpacked lies with the data
    assert differs(archive) == ["moved.zip is not the archive that was unpacked"]
    with pytest.raises(RefoldError, match=r"(?s)not recorded: .*moved\.zip is not the archive that was unpacked"):
        originals.verify(archive, [], "not recorded")


def test_another_split_file(params):
    """Held against what the folds were made from, not against what was seen at the last start."""
    given = {"folds": [{"train": ["a_1", "a_2"], "test": ["b_1"]}, {"train": ["b_1"], "test": ["a_1", "a_2"]}]}
    path = Path("folds.json")
    path.write_text(json.dumps(given))
    split = validate(split={"kind": "file", "file": "folds.json", "folds": 2})
    assert differs(split) == [] and not originals.SPLIT.stat().st_mtime_ns  # its job is due by itself
    seals.write("results/splits.json", folds.make(cases.read(), Description.read(), split.split))
    made = "results/splits.json"
    assert differs(split) == [] and not due(originals.SPLIT, made)
    path.write_text(json.dumps(given, indent=1))
    assert differs(split) == [] and not due(originals.SPLIT, made)  # the same folds, written otherwise
    before = path.stat()
    path.write_text(json.dumps({"folds": given["folds"][::-1]}, indent=1))
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    assert path.stat().st_size == before.st_size
    told = ["folds.json gives other folds than results/splits.json was made from"]
    assert differs(split) == told and due(originals.SPLIT, made) and not due()
    with pytest.raises(RefoldError, match=rf"(?s)not synced: .*{told[0]}"):
        originals.verify(split, [], "not synced")
    # results of these folds are brought by DVC, and the first file is put back: it is older, and was seen before
    seals.write(made, folds.make(cases.read(), Description.read(), split.split))
    assert differs(split) == [] and not due(originals.SPLIT, made)
    path.write_text(json.dumps(given))
    os.utime(path, (0, 0))
    assert differs(split) == told and due(originals.SPLIT, made)
    path.write_text("{}")
    assert "folds.json" in differs(split)[0] and due(originals.SPLIT, made)


def test_a_damaged_table_of_folds_is_made_again(params):
    Path("folds.json").write_text(json.dumps({"folds": [{"test": ["b_1"]}, {"test": ["a_1"]}]}))
    split = validate(split={"kind": "file", "file": "folds.json", "folds": 2})
    write_json("results/splits.json", {"folds": []})
    assert "results/splits.json" in differs(split)[0] and due(originals.SPLIT, "results/splits.json")


WRONG = [
    ("an unsafe name", {"image": "imagesTr/b c.nii.gz", "label": "labelsTr/b c.nii.gz"}, "no safe name"),
    ("a path outside", {"image": "../b_2.nii.gz", "label": "labelsTr/b_2.nii.gz"}, r"\.\./b_2\.nii\.gz"),
    ("an unknown format", {"image": "imagesTr/b_2.gipl", "label": "labelsTr/b_2.nii.gz"}, r"b_2\.gipl"),
    ("no label", {"image": "imagesTr/b_2.nii.gz"}, "label"),
]


@pytest.mark.parametrize("entry, told", [w[1:] for w in WRONG], ids=[w[0] for w in WRONG])
def test_a_new_entry_that_is_wrong_is_no_silence(params, entry, told):
    values = read_json("mine/dataset.json")
    Path("mine/dataset.json").write_text(json.dumps(values | {"training": [*values["training"], entry]}))
    os.utime("mine/dataset.json", (0, 0))
    [line] = differs(params)
    assert re.search(told, line) and line.startswith("mine/dataset.json: ") and due()


@pytest.mark.parametrize("what", ["numTraining", "labelsTs", "a file that no entry names"])
def test_what_makes_another_warning_makes_the_warnings_due_alone(params, what):
    if what == "numTraining":
        listing(numTraining=9)
    else:
        path = Path("mine", what if what == "labelsTs" else "imagesTr", "b_9.nii.gz")
        path.parent.mkdir(exist_ok=True)
        path.touch()
        os.utime(path, (0, 0))
    told = ["mine: its dataset.json or folders make other warnings than data/checks.json has"]
    assert differs(params) == told and due(originals.LISTING, paths.CHECKS) and not due()
    before = seals.read(paths.CHECKS)
    Path("data/raw").mkdir()
    listing_of.run(params.dataset, "data/raw", paths.DATASET, paths.CHECKS)
    assert differs(params) == [] and not due(originals.LISTING, paths.CHECKS)
    assert len(seals.read(paths.CHECKS)["warnings"]) == len(before["warnings"]) + 1


def test_files_that_are_to_be_single_slices_are_looked_at_anew(params):
    listing(tensorImageSize="2D")
    assert differs(params) == ["mine/dataset.json describes the data otherwise than data/dataset.json"] and due()


def test_damaged_warnings_are_written_again(params):
    Path(paths.CHECKS).write_text(Path(paths.CHECKS).read_text().replace("warnings", "warning"))
    assert "data/checks.json" in differs(params)[0]
    assert due(originals.LISTING, paths.CHECKS) and not due()


def test_another_text_of_the_same_listing_makes_nothing_due(params):
    values = read_json("mine/dataset.json")
    Path("mine/dataset.json").write_text(json.dumps(values | {"description": "more"}, indent=3))
    assert differs(params) == [] and not due()


def test_an_interrupted_look_keeps_what_was_read(params, monkeypatch):
    shutil.rmtree(".snakemake")
    read = []

    def digest(paths):
        if len(read) == 2:
            raise KeyboardInterrupt
        read.append(paths)
        return cases.digest(paths)

    monkeypatch.setattr(seen, "digest", digest)
    for _ in range(2):  # the second look goes on where the first stopped, and a thorough one loses nothing
        with pytest.raises(KeyboardInterrupt):
            originals.look(params, [], thorough=len(read) == 2)
    notes = seen.Seen(seen.RAW)
    known = [notes.known(c.case, (*c.images, c.label), "mine") for c in cases.read()]
    assert [k is not None for k in known] == [True, True, False]


def test_notes_are_kept_now_and_then(params, monkeypatch):
    """A process that is killed tidies up nothing."""
    shutil.rmtree(".snakemake")
    monkeypatch.setattr(originals, "KEPT_EVERY", -1)
    saved = []
    save = seen.Seen.save
    monkeypatch.setattr(seen.Seen, "save", lambda notes, rest=False: (saved.append(rest), save(notes, rest)))
    assert differs(params) == [] and saved == [True, True, True, False]


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
    for damaged in ("{", "[]", '{"refold/evaluate/fold.py": '):
        originals.SOURCES.write_text(damaged)
        assert originals.see_code("workflow") == []
        assert set(read_json(originals.SOURCES)) == {"refold/evaluate/fold.py", "rules/data.smk"}


def test_code_of_another_user_is_named(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    code = Path("workflow/a.py")
    code.parent.mkdir()
    code.write_text("a = 1")
    originals.see_code("workflow")
    code.write_text("a = 2")
    os.utime(code, (9e8, 9e8))
    Path("results").mkdir()
    Path("results/splits.json").touch()

    def refuse(path):
        raise PermissionError(f"{path}: not yours")

    set_time = os.utime
    monkeypatch.setattr(os, "utime", refuse)
    for _ in range(2):  # as long as it is so
        with pytest.raises(RefoldError, match=r"^workflow/a\.py has another content .* its owner has to run `touch w"):
            originals.see_code("workflow")
    set_time(code, (4e9, 4e9))
    assert originals.see_code("workflow") == ["a.py"] and originals.see_code("workflow") == []
