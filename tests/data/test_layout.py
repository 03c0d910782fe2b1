from __future__ import annotations

import json
import subprocess
import sys

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from refold.core.errors import RefoldError
from refold.data import layout
from refold.settings.dataset import Dataset

from .conftest import decathlon, nnunet, pictures, pictures_by_number


def dataset(source, **keys):
    return Dataset(name="tiny", source=str(source.folder), **keys)


def test_decathlon(tmp_path):
    source = decathlon(tmp_path / "d", channels=2)
    found = layout.read(dataset(source, patient_pattern=r"^(patient\d+)_"))
    assert found.problems == ()
    assert found.entries[0] == layout.Entry(
        "patient001_a", "patient001", ("imagesTr/patient001_a.nii.gz",), "labelsTr/patient001_a.nii.gz"
    )
    d = found.description
    assert (d.dimension, d.channels, d.modalities, d.patients) == (3, ("M0", "M1"), ("M0", "M1"), "pattern")
    assert (d.labels.values, d.labels.names) == ((0, 1, 2), ("background", "organ", "lesion"))
    assert (d.licence, d.reference, d.root) == ("CC0", "made by a test", source.folder.as_posix())


def test_images_as_a_list_of_channels(tmp_path):
    source = decathlon(tmp_path / "d")
    training = [
        {"image": ["./imagesTr/a_t1.nii.gz", "imagesTr/a_t2.nii.gz"], "label": f"labelsTr/{n}.nii.gz"} for n in "ab"
    ]
    source.save(training=training)
    found = layout.read(dataset(source)).entries
    assert [e.case for e in found] == ["a", "b"]
    assert found[0].images == ("imagesTr/a_t1.nii.gz", "imagesTr/a_t2.nii.gz")


def test_nnunet(tmp_path):
    source = nnunet(tmp_path / "d")
    (source.folder / "imagesTr/._patient001_a_0000.nii.gz").write_bytes(b"macOS")
    found = layout.read(dataset(source))
    assert [p.check for p in found.problems] == ["each-case-a-patient"]
    assert found.entries[1].images == ("imagesTr/patient002_a_0000.nii.gz", "imagesTr/patient002_a_0001.nii.gz")
    assert found.description.labels.names == ("background", "organ", "lesion")
    assert found.description.patients == "case"


def test_nnunet_with_a_dataset_object(tmp_path):
    source = nnunet(tmp_path / "d")
    both = ["imagesTr/patient001_a_0000.nii.gz", "imagesTr/patient001_a_0001.nii.gz"]
    source.save(dataset={c: {"images": both, "label": f"labelsTr/{c}.nii.gz"} for c in ("p", "q")})
    assert [(e.case, e.images) for e in layout.read(dataset(source)).entries] == [
        ("p", tuple(both)),
        ("q", tuple(both)),
    ]


def test_pictures_have_two_dimensions(tmp_path):
    found = layout.read(dataset(pictures(tmp_path / "d")))
    assert found.description.dimension == 2
    assert found.description.labels.values == (0, 255)


def test_equal_modalities_get_distinct_channel_names(tmp_path):
    source = decathlon(tmp_path / "d", channels=2)
    source.save(modality={"0": "MRI", "1": "MRI"})
    d = layout.read(dataset(source)).description
    assert (d.channels, d.modalities) == (("MRI 0", "MRI 1"), ("MRI", "MRI"))


def test_patients(tmp_path):
    source = decathlon(tmp_path / "d")
    table = tmp_path / "p.csv"
    table.write_text("patient,case\nx,patient001_a\nx,patient002_a\ny,patient003_a\n")
    assert layout.patients(dataset(source)) == 3
    assert layout.patients(dataset(source, patient_table=str(table))) == 2
    assert layout.patients(Dataset(phantom={"patients": 12, "second_scans": 3})) == 12
    assert layout.patients(Dataset(name="Task02_Heart"), raw=tmp_path) is None


def test_patients_are_not_counted_where_the_checks_have_more_to_say(tmp_path):
    source = nnunet(tmp_path / "d")
    source.save(file_ending=".nii")  # no file has it: not "0 patients"
    assert layout.patients(dataset(source)) is None


def test_patients_that_cannot_be_told_are_all_named(tmp_path):
    source = decathlon(tmp_path / "d")
    with pytest.raises(RefoldError) as caught:
        layout.patients(dataset(source, patient_pattern=r"^(patient00[13])"))
    assert "patient002_a does not match" in str(caught.value) and "patient001_a" not in str(caught.value)


def test_phantom_patients_come_from_the_names(tmp_path):
    decathlon(tmp_path / "phantom")
    found = layout.read(Dataset(), raw=tmp_path)
    assert found.description.patients == "phantom"
    assert [e.patient for e in found.entries] == ["patient001", "patient002", "patient003"]


@pytest.mark.parametrize("make", ["nothing", "text", "no dataset.json", "no json", "a list", "no layout"])
def test_a_source_that_is_none(tmp_path, make):
    path = tmp_path / "source"
    words = {
        "nothing": "does not exist",
        "text": "neither a folder nor a known archive",
        "no dataset.json": "dataset.json is missing",
        "no json": "is not valid JSON",
        "a list": "neither a list `training`",
        "no layout": "neither a list `training`",
    }[make]
    if make == "text":
        path.write_text("no data")
    elif make != "nothing":
        path.mkdir()
        content = {"no json": "{", "a list": "[]", "no layout": json.dumps({"labels": {}})}.get(make)
        if content:
            (path / "dataset.json").write_text(content)
    with pytest.raises(RefoldError, match=words):
        layout.read(Dataset(name="tiny", source=str(path)))


def test_unlisted_files(tmp_path):
    source = decathlon(tmp_path / "d")
    for name in ("imagesTr/more.nii.gz", "labelsTr/more.nii.gz", "imagesTr/._more.nii.gz", "imagesTr/notes.txt"):
        (source.folder / name).write_bytes(b"")
    assert layout.unlisted(layout.read(dataset(source))) == ["imagesTr/more.nii.gz", "labelsTr/more.nii.gz"]


def test_imports_are_light():
    heavy = "{'nibabel', 'scipy', 'h5py', 'pandas', 'tensorflow', 'requests', 'PIL'}"
    code = f"import sys, refold.data.layout; print(sorted({heavy} & set(sys.modules)))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env=_environment())
    assert done.stdout.strip() == "[]"


def _environment():
    import os
    from pathlib import Path

    return {**os.environ, "PYTHONPATH": str(Path(__file__).resolve().parents[2] / "workflow")}


# ---------------------------------------------------------------- nnU-Net's conventions


def checks(found):
    return [p.check for p in found.problems if p.check != "each-case-a-patient"]


def told(found, check):
    return [p.message for p in found.problems if p.check == check]


def test_v1_lists_images_without_the_number_of_their_channels(tmp_path):
    source = nnunet(tmp_path / "d", channels=2)
    for key in ("channel_names", "file_ending"):
        del source.values[key]
    names = [f"patient{i:03d}_a.nii.gz" for i in (1, 2, 3)]
    source.save(
        modality={"0": "T1", "1": "T2"},
        labels={"0": "background", "1": "organ", "2": "lesion"},
        training=[{"image": f"./imagesTr/{n}", "label": f"./labelsTr/{n}"} for n in names],
        numTest=0,
        test=[],
        tensorImageSize="4D",
    )
    found = layout.read(dataset(source))
    assert checks(found) == []
    assert found.entries[1].images == ("imagesTr/patient002_a_0000.nii.gz", "imagesTr/patient002_a_0001.nii.gz")
    assert found.description.channels == ("T1", "T2")
    assert layout.unlisted(found) == []
    source.image(3, "_0001.nii.gz").unlink()
    wanted = layout.read(dataset(source)).entries[2].images
    assert wanted == ("imagesTr/patient003_a_0000.nii.gz", "imagesTr/patient003_a_0001.nii.gz")  # the checks name it
    source.save(modality={"0": "T1"})
    assert told(layout.read(dataset(source)), "channel-count") == ["channel 1 is not among the 1 named"] * 2


@pytest.mark.parametrize("training", [[], None, "the list"])
def test_v2_with_a_list_of_training_cases(training, tmp_path):
    source = nnunet(tmp_path / "d", channels=1)
    if training == "the list":
        training = [{"image": f"imagesTr/{c}_0000.nii.gz", "label": f"labelsTr/{c}.nii.gz"} for c in ("x", "y", "z")]
        for old, new in zip((1, 2, 3), "xyz", strict=True):
            source.image(old, "_0000.nii.gz").rename(source.folder / f"imagesTr/{new}_0000.nii.gz")
            source.label(old).rename(source.folder / f"labelsTr/{new}.nii.gz")
    source.save(training=training)
    found = layout.read(dataset(source))
    assert checks(found) == []
    assert len(found.entries) == 3
    assert all(e.images == (f"imagesTr/{e.case}_0000.nii.gz",) for e in found.entries)


@pytest.mark.parametrize(
    "given",
    [
        ["T1", "T2"],
        {"T1": 0, "T2": 1},
        {"T1": "0", "T2": "1"},
        {"0000": "T1", "0001": "T2"},
        {"1": "T2", "0": "T1"},
    ],
)
@pytest.mark.parametrize("key", ["channel_names", "modality"])
def test_channels_in_every_unambiguous_shape(key, given, tmp_path):
    source = nnunet(tmp_path / "d", channels=2)
    del source.values["channel_names"]
    source.save(**{key: given})
    found = layout.read(dataset(source))
    assert checks(found) == []
    assert found.description.channels == ("T1", "T2")


@pytest.mark.parametrize(
    "given, words",
    [
        ({"0": "R", "1": "G", "3": "B"}, "there is no channel 2"),
        ({"R": 0, "G": 1, "B": 3}, "there is no channel 2"),
        ({"1": "R", "2": "G"}, "there is no channel 0"),
        ({"R": 0, "G": 0}, "a number stands twice"),
        ({"0": "R", "00": "G"}, "a number stands twice"),
        ({"0": 0, "1": 1}, "does not name the channels"),
        ({"0": "R", "green": 1}, "does not name the channels"),
        ({"0": "R", "1": " "}, "does not name the channels"),
        ({"0": "R", "1": "G\x1b[31m"}, "line break or control character (U+001B)"),
        ([], "does not name the channels"),
        (["R", None], "does not name the channels"),
        (3, "does not name the channels"),
        ({"9" * 5000: "R"}, "does not name the channels"),
    ],
)
def test_channels_that_are_none(given, words, tmp_path):
    source = nnunet(tmp_path / "d")
    source.save(channel_names=given)
    found = layout.read(dataset(source))
    assert "channel-names" in checks(found)
    assert words in told(found, "channel-names")[0]


def test_channels_named_in_two_ways(tmp_path):
    source = nnunet(tmp_path / "d")
    source.save(modality={"0": "M0", "1": "M1"})
    assert checks(layout.read(dataset(source))) == []
    source.save(modality={"0": "M1", "1": "M0"})
    assert "differ" in told(layout.read(dataset(source)), "channel-names")[0]


def test_channel_names_are_distinct_whatever_they_are(tmp_path):
    source = decathlon(tmp_path / "d", channels=3)
    source.save(modality={"0": "MR", "1": "MR", "2": "MR 0"})
    assert layout.read(dataset(source)).description.channels == ("MR 0", "MR 1", "MR 0 2")


def test_one_colour_picture_holds_its_three_channels(tmp_path):
    source = pictures_by_number(tmp_path / "d")
    found = layout.read(dataset(source))
    assert checks(found) == []
    assert [e.images for e in found.entries] == [(f"imagesTr/patient{i:03d}_a_0000.png",) for i in (1, 2, 3)]
    assert found.description.channels == ("R", "G", "B")


@pytest.mark.parametrize("folder", ["imagesTr", "labelsTr"])
def test_an_ending_that_no_file_has(folder, tmp_path):
    source = nnunet(tmp_path / "d", channels=1)
    for path in list((source.folder / folder).iterdir()):
        path.rename(path.with_name(path.name.replace(".nii.gz", ".nii")))
    (message,) = told(layout.read(dataset(source)), "format")
    assert message == f"no file in {folder} ends with .nii.gz, the `file_ending`; {folder} holds .nii (3)"


@pytest.mark.parametrize(
    "given, words",
    [
        (None, "`file_ending` is missing"),
        (".gipl", "`file_ending` is '.gipl'"),
        ("nii.gz", "`file_ending` is 'nii.gz'"),
        ([".nii.gz"], "`file_ending` is ['.nii.gz']"),
    ],
)
def test_an_ending_that_is_none(given, words, tmp_path):
    source = nnunet(tmp_path / "d", channels=1)
    source.save(file_ending=given)
    (message,) = told(layout.read(dataset(source)), "format")
    assert message.startswith(words) and message.endswith("imagesTr holds .nii.gz (3)")


def test_a_dataset_object_names_its_cases_and_may_have_whole_paths(tmp_path):
    source = nnunet(tmp_path / "d", channels=1)
    items = {
        f"visit{i}": {"images": [str(source.image(i, "_0000.nii.gz"))], "label": f"labelsTr/patient{i:03d}_a.nii.gz"}
        for i in (1, 2, 3)
    }
    source.save(dataset=items)
    found = layout.read(dataset(source))
    assert checks(found) == []
    assert found.entries[0].case == "visit1"
    assert found.entries[0].images == ("imagesTr/patient001_a_0000.nii.gz",)
    source.save(dataset=items | {"visit1": {"images": ["/elsewhere/a.nii.gz"], "label": "labelsTr/b.nii.gz"}})
    assert checks(layout.read(dataset(source))) == ["outside-path", "count-differs"]


def test_labels_for_a_test_set_are_said_to_be_left_alone(tmp_path):
    source = nnunet(tmp_path / "d", channels=1)
    (source.folder / "labelsTs").mkdir()
    (source.folder / "labelsTs/late_1.nii.gz").write_bytes(b"")
    found = layout.read(dataset(source))
    assert told(found, "not-read") == ["labelsTs holds 1 label(s)"]
    source = decathlon(tmp_path / "m")
    source.save(test=["./imagesTs/z.nii.gz"], validation=[{"image": "imagesTr/v.nii.gz", "label": "labelsTr/v.nii.gz"}])
    assert told(layout.read(dataset(source)), "not-read") == ["the list `validation` names 1 case(s) with labels"]


@pytest.mark.parametrize(
    "given",
    [
        ["background", "organ", "lesion"],
        {"background": 0, "organ": 1, "lesion": 2},
        {"background": "0", "organ": "1", "lesion": "2"},
        {"0": "background", "2": "lesion", "1": "organ"},
    ],
)
def test_labels_in_every_unambiguous_shape(given, tmp_path):
    source = decathlon(tmp_path / "d")
    source.save(labels=given)
    found = layout.read(dataset(source))
    assert checks(found) == []
    assert found.description.labels.names == ("background", "organ", "lesion")
    assert found.description.labels.values == (0, 1, 2)


@pytest.mark.parametrize(
    "name, words",
    [
        ("mean", "is a word of refold's own tables"),
        ("Mean ", "is a word of refold's own tables"),
        ("mEaN", "is a word of refold's own tables"),
        ("NaN", "is read as a missing value"),
        ("NA", "is read as a missing value"),
        ("None", "is read as a missing value"),
        ("true", "is read as a truth value"),
        ("17", "is read as a number"),
        ("1e-3", "is read as a number"),
        ("1,5", "is read as a number"),
        ("0x1F", "is read as a number"),
        ("inf", "is read as a number"),
        ("left\nlung", "line break or control character (U+000A)"),
        ("left\u2028lung", "line break or control character (U+2028)"),
        ("\u202elung", "line break or control character (U+202E)"),
        ("lung\x07", "line break or control character (U+0007)"),
        ("n" * 101, "has 101 characters; at most 100"),
    ],
)
@pytest.mark.parametrize("shape", ["by value", "by name", "list"])
def test_label_names_that_tables_would_take_for_something_else(shape, name, words, tmp_path):
    source = decathlon(tmp_path / "d")
    given = {
        "by value": {"0": "background", "1": name, "2": "lesion"},
        "by name": {"background": 0, name: 1, "lesion": 2},
        "list": ["background", name, "lesion"],
    }[shape]
    source.save(labels=given)
    assert words in told(layout.read(dataset(source)), "labels")[0]


@pytest.mark.parametrize(
    "name", ["T1", "2nd ventricle", "means", "left lung", "-", "肝", "nano", "e5", "organ (1)", "all"]
)
def test_label_names_that_are_right(name, tmp_path):
    source = decathlon(tmp_path / "d")
    source.save(labels={"0": "background", "1": name, "2": "lesion"})
    found = layout.read(dataset(source))
    assert checks(found) == [] and found.description.labels.names[1] == name


def test_labels_alone(tmp_path):
    source = nnunet(tmp_path / "d")
    assert layout.labels(dataset(source)).names == ("background", "organ", "lesion")
    source.save(labels={"background": 0, "mean": 1})
    assert layout.labels(dataset(source)) is None
    assert layout.labels(Dataset(name="Task02_Heart"), raw=tmp_path) is None


def test_case_names_stay_as_they_are(tmp_path):
    source = decathlon(tmp_path / "d")
    odd = ["null", "NaN", "007", "2e4", "mean"]
    source.save(training=[{"image": f"imagesTr/{n}.nii.gz", "label": f"labelsTr/{n}.nii.gz"} for n in odd])
    assert [e.case for e in layout.read(dataset(source)).entries] == sorted(odd)


def test_control_characters_in_the_table_of_patients(tmp_path):
    source = decathlon(tmp_path / "d")
    table = tmp_path / "p.csv"
    table.write_text('case,patient\npatient001_a,x\npatient002_a,"y\nz"\npatient003_a,w\n')
    found = layout.read(dataset(source, patient_table=str(table)))
    assert told(found, "patient-table") == [f"{table}, line 4: a name holds a line break or control character (U+000A)"]


@pytest.mark.parametrize("text", ['{"training": [], "name": "\\ud800"}', '{"training": ' + "[" * 100000 + "}"])
def test_json_that_breaks_its_readers(text, tmp_path):
    (tmp_path / "dataset.json").write_text(text)
    with pytest.raises(RefoldError, match=r"half a character|is not valid JSON"):
        layout.read(Dataset(name="tiny", source=str(tmp_path)))


LEAVES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 300),
    st.floats(allow_nan=True),
    st.sampled_from(
        ["", "0", "1", "a", "imagesTr/a.nii.gz", "labelsTr/a.png", "../x.nii.gz", "C:\\x", "x" * 300, "\x00"]
    ),
    st.text(max_size=8),
)
JSON = st.recursive(
    LEAVES,
    lambda v: st.one_of(st.lists(v, max_size=3), st.dictionaries(st.text(max_size=6), v, max_size=3)),
    max_leaves=8,
)
NUMBERED = st.dictionaries(st.sampled_from(["0", "1", "2", "R", "organ", "background", "ignore"]), JSON, max_size=4)
ENTRY = st.fixed_dictionaries({}, optional={"image": JSON, "images": JSON, "label": JSON})


@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    values=st.fixed_dictionaries(
        {},
        optional={
            "training": st.one_of(JSON, st.lists(ENTRY, max_size=3)),
            "dataset": st.one_of(JSON, st.dictionaries(st.text(max_size=5), ENTRY, max_size=3)),
            "channel_names": st.one_of(JSON, NUMBERED),
            "modality": st.one_of(JSON, NUMBERED),
            "labels": st.one_of(JSON, NUMBERED),
            "file_ending": st.one_of(JSON, st.sampled_from([".nii.gz", ".png"])),
            "numTraining": JSON,
            "tensorImageSize": JSON,
            "licence": JSON,
            "validation": JSON,
        },
    )
)
def test_no_description_breaks_the_reader(values, tmp_path):
    folder = tmp_path / "any"
    for name in ("imagesTr/a_0000.nii.gz", "imagesTr/b_0000.png", "labelsTr/a.nii.gz", "labelsTr/b.png"):
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(b"")
    (folder / "dataset.json").write_text(json.dumps(values))
    chosen = Dataset(name="tiny", source=str(folder))
    try:
        found = layout.read(chosen)
    except RefoldError:
        return
    layout.unlisted(found)
    found.description.write(tmp_path / "description.json")
    assert found.problems or len(found.entries) >= 2
    assert all(e.images and e.label for e in found.entries)


# ---------------------------------------------------------------- cases left out


WHY = {"patient002_a": "the same patient as patient001_a"}


@pytest.mark.parametrize("make", [nnunet, decathlon, pictures, pictures_by_number])
def test_cases_left_out_are_no_entries_and_no_files(make, tmp_path):
    source = make(tmp_path / "d")
    chosen = dataset(source, exclude=WHY)
    found = layout.read(chosen)
    assert [e.case for e in found.entries] == ["patient001_a", "patient003_a"]
    assert [e.case for e in found.excluded] == ["patient002_a"]
    assert found.description.excluded == WHY
    assert checks(found) == []  # numTraining counts what is listed
    assert layout.unlisted(found) == []
    assert layout.patients(chosen) == 2


def test_cases_left_out_may_be_anything(tmp_path):
    source = decathlon(tmp_path / "d")
    training = [*source.values["training"], {"image": "imagesTr/odd.nii.gz"}]
    training.append({"image": "imagesTr/x.nii.gz", "label": "labelsTr/two words.nii.gz"})
    source.save(training=training, numTraining=5)
    assert checks(layout.read(dataset(source))) == ["entry", "case-name"]
    out = {"odd": "no label", "two words": "no scan"}
    found = layout.read(dataset(source, exclude=out))
    assert checks(found) == [] and len(found.entries) == 3


WRONG = {
    "unknown format": {"image": "imagesTr/odd.gipl", "label": "labelsTr/odd.gipl"},
    "label of another format": {"image": "imagesTr/odd.nii.gz", "label": "labelsTr/odd.gipl"},
    "image outside": {"image": "../odd.nii.gz", "label": "labelsTr/odd.nii.gz"},
    "label outside": {"image": "imagesTr/odd.nii.gz", "label": "/elsewhere/odd.nii.gz"},
    "no path": {"image": "imagesTr/odd.nii.gz", "label": 7},
    "an image that is no path": {"image": [7], "label": "labelsTr/odd.nii.gz"},
    "a path too long": {"image": "imagesTr/" + "n" * 300 + ".nii.gz", "label": "labelsTr/odd.nii.gz"},
    "control character": {"image": "imagesTr/o\u0007.nii.gz", "label": "labelsTr/odd.nii.gz"},
    "no image": {"label": "labelsTr/odd.nii.gz"},
    "no label": {"image": ["imagesTr/odd.nii.gz"]},
    "a JPEG": {"image": "imagesTr/odd.nii.gz", "label": "labelsTr/odd.jpg"},
}


@pytest.mark.parametrize("how", WRONG)
def test_a_case_whose_entry_is_wrong_can_be_left_out(how, tmp_path):
    source = decathlon(tmp_path / "d")
    source.save(training=[*source.values["training"], WRONG[how]], numTraining=4)
    found = layout.read(dataset(source))
    assert {p.case for p in found.problems if p.is_error} == {"odd"} and len(found.entries) == 3
    found = layout.read(dataset(source, exclude={"odd": "cannot be read"}))
    assert checks(found) == [] and len(found.entries) == 3


@pytest.mark.parametrize("how", [*WRONG, "nothing"])
def test_an_entry_of_a_dataset_object_has_its_name_whatever_is_wrong(how, tmp_path):
    source = nnunet(tmp_path / "d", channels=1)
    items = {
        f"visit{i}": {
            "images": [f"imagesTr/patient{i:03d}_a_0000.nii.gz"],
            "label": f"labelsTr/patient{i:03d}_a.nii.gz",
        }
        for i in (1, 2, 3)
    }
    wrong = {"images" if k == "image" else k: v for k, v in WRONG.get(how, {}).items()} or None
    source.save(dataset=items | {"first": wrong}, numTraining=None)
    found = layout.read(dataset(source))
    assert {p.case for p in found.problems if p.is_error} == {"first"}
    assert checks(layout.read(dataset(source, exclude={"first": "cannot be read"}))) == []


def test_the_table_of_patients_may_hold_cases_left_out(tmp_path):
    source = decathlon(tmp_path / "d")
    table = tmp_path / "p.csv"
    table.write_text("case,patient\npatient001_a,x\npatient002_a,x\npatient003_a,y\n")
    found = layout.read(dataset(source, patient_table=str(table), exclude=WHY))
    assert checks(found) == [] and [e.patient for e in found.entries] == ["x", "y"]


def test_a_case_left_out_that_is_none_is_told_with_the_nearest_name(tmp_path):
    chosen = dataset(decathlon(tmp_path / "d"), exclude={"patient0021_a": "twice", "patient003_a": "blurred"})
    words = "dataset.exclude: the data set has no case 'patient0021_a' (did you mean 'patient002_a'?)"
    assert told(layout.read(chosen), "exclude") == [words]
    with pytest.raises(RefoldError) as caught:
        layout.patients(chosen)  # before any job
    assert str(caught.value) == words
