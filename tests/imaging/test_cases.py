import dataclasses

import pytest
from hypothesis import given
from hypothesis import strategies as st

from refold.core.errors import RefoldError
from refold.core.files import read_csv
from refold.imaging import cases
from refold.imaging.cases import Case
from refold.imaging.dataset import Description, Labels
from refold.settings.dataset import Dataset

VOLUME = Case(
    case="patient001_scan1",
    patient="patient001",
    images=("imagesTr/a,b.nii.gz",),
    label='labelsTr/"a".nii.gz',
    channels=2,
    shape=(40, 41, 42),
    spacing=(1.0, 1.2, 3.123457),
    orientation="RAS",
    voxels=(100, 0, 7),
    sha256="0" * 64,
)
PICTURE = Case("a_海马", "größe", ("i/ü 1.png", "i/ü 2.png"), "l/ü.png", 2, (5, 4), (1.0, 1.0), "XY", (20, 0), "f" * 64)


def test_cases_round_trip_sorted(tmp_path):
    path = tmp_path / "data" / "cases.csv"
    cases.write([VOLUME, PICTURE], path)
    assert cases.read(path) == [PICTURE, VOLUME]
    first = path.read_bytes()
    cases.write([PICTURE, VOLUME], path)
    assert path.read_bytes() == first


def test_the_table_is_readable_by_any_csv_reader(tmp_path):
    cases.write([PICTURE], tmp_path / "c.csv")
    (row,) = read_csv(tmp_path / "c.csv")
    assert tuple(row) == cases.COLUMNS
    assert row["images"] == '["i/ü 1.png", "i/ü 2.png"]' and row["shape"] == "[5, 4]" and row["channels"] == "2"


def test_no_cases(tmp_path):
    cases.write([], tmp_path / "c.csv")
    assert cases.read(tmp_path / "c.csv") == []
    with pytest.raises(RefoldError, match=r"none\.csv is missing"):
        cases.read(tmp_path / "none.csv")


@pytest.mark.parametrize("damage", [("[40, 41, 42]", "[40, 41"), (",2,", ",two,"), ("shape", "form")])
def test_a_damaged_row_is_named(tmp_path, damage):
    path = tmp_path / "c.csv"
    cases.write([VOLUME], path)
    path.write_text(path.read_text().replace(*damage, 1))
    with pytest.raises(RefoldError, match=r"c\.csv: the row of case 'patient001_scan1' is damaged"):
        cases.read(path)


text = st.text(st.characters(codec="utf-8", exclude_categories=["Cc"]), min_size=1, max_size=8)
mm = st.floats(1e-6, 100).map(lambda v: float(f"{v:.7g}"))


@given(
    st.builds(
        Case,
        case=text,
        patient=text,
        images=st.lists(text, min_size=1, max_size=3).map(tuple),
        label=text,
        channels=st.integers(1, 9),
        shape=st.tuples(*[st.integers(1, 999)] * 3),
        spacing=st.tuples(mm, mm, mm),
        orientation=st.sampled_from(["RAS", "LPI"]),
        voxels=st.lists(st.integers(0, 10**9), min_size=2, max_size=4).map(tuple),
        sha256=st.just("0" * 64),
    )
)
def test_any_case_round_trips(tmp_path_factory, case):
    path = tmp_path_factory.getbasetemp() / "any-cases.csv"
    cases.write([case], path)
    assert cases.read(path) == [case]


DESCRIPTION = Description(
    name="Kopf",
    root="../Bilder/Köpfe 海马",
    dimension=3,
    channels=("T1", "FLAIR"),
    modalities=("MRI", "MRI"),
    labels=Labels((0, 1, 255), ("background", "linke Größe", "病变")),
    patients="pattern",
    licence="CC0",
    reference="Müller 2020",
)


def test_description_round_trip(tmp_path):
    path = tmp_path / "dataset.json"
    DESCRIPTION.write(path)
    assert Description.read(path, DESCRIPTION.root) == DESCRIPTION
    assert Description.read(path) == dataclasses.replace(DESCRIPTION, root="")
    assert "Bilder" not in path.read_text(encoding="utf-8")  # data may be moved, and results stay as they are
    assert "病变" in path.read_text(encoding="utf-8")  # readable by people, not escaped
    with pytest.raises(RefoldError, match=r"none\.json is missing"):
        Description.read(tmp_path / "none.json")


def test_labels():
    assert len(DESCRIPTION.labels) == 3
    assert DESCRIPTION.labels.foreground == ("linke Größe", "病变")


def test_rows_cannot_be_changed():
    with pytest.raises(dataclasses.FrozenInstanceError):
        VOLUME.patient = "another"


def test_the_colours_of_a_data_set():
    given = {"a": "#Ff0000", "b": [0, 255, 0], "c": ["#000001", [1, 2, 3]]}
    wanted = {"a": ("#ff0000",), "b": ("#00ff00",), "c": ("#000001", "#010203")}
    assert Dataset(colours=given).colour_table == wanted
