from __future__ import annotations

import json
import subprocess
import sys

import pytest

from refold.core.errors import RefoldError
from refold.core.sections import Dataset
from refold.data import layout

from .conftest import decathlon, nnunet, pictures


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
    found = layout.entries(dataset(source))
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
    assert [(e.case, e.images) for e in layout.entries(dataset(source))] == [("p", tuple(both)), ("q", tuple(both))]


def test_pictures_have_two_dimensions(tmp_path):
    found = layout.read(dataset(pictures(tmp_path / "d")))
    assert found.description.dimension == 2
    assert found.description.labels.values == (0, 255)


def test_equal_modalities_get_distinct_channel_names(tmp_path):
    source = decathlon(tmp_path / "d", channels=2)
    source.save(modality={"0": "MRI", "1": "MRI"})
    d = layout.read(dataset(source)).description
    assert (d.channels, d.modalities) == (("MRI 0", "MRI 1"), ("MRI", "MRI"))


def test_files_are_what_the_catalogue_reads(tmp_path):
    source = decathlon(tmp_path / "d", count=2)
    table = tmp_path / "p.csv"
    table.write_text("case,patient\npatient001_a,x\npatient002_a,y\n")
    source.label(2).unlink()  # left to the checks
    (source.folder / "imagesTr/unlisted.nii.gz").write_bytes(b"")
    expected = [source.folder / "dataset.json", source.image(1), source.label(1), source.image(2), table]
    assert layout.files(dataset(source, patient_table=str(table))) == expected


def test_files_of_what_is_not_there_yet():
    assert [str(p) for p in layout.files(Dataset())] == ["data/raw/phantom/dataset.json"]
    assert [str(p) for p in layout.files(Dataset(name="Task02_Heart"))] == ["data/raw/Task02_Heart/dataset.json"]


def test_patients(tmp_path):
    source = decathlon(tmp_path / "d")
    table = tmp_path / "p.csv"
    table.write_text("patient,case\nx,patient001_a\nx,patient002_a\ny,patient003_a\n")
    assert layout.patients(dataset(source)) == 3
    assert layout.patients(dataset(source, patient_table=str(table))) == 2
    assert layout.patients(Dataset(phantom={"patients": 12, "second_scans": 3})) == 12
    assert layout.patients(Dataset(name="Task02_Heart"), raw=tmp_path) is None


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
        layout.entries(Dataset(name="tiny", source=str(path)))


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
