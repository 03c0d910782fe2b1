import numpy as np
import pytest

from refold.core.errors import RefoldError
from refold.formats import nrrd as format_
from refold.formats.record import Refused

nrrd = pytest.importorskip("nrrd")
DATA = np.arange(24, dtype=np.int16).reshape(2, 3, 4)


def write(path, data=DATA, **header):
    header = {k.replace("_", " "): v for k, v in header.items()}
    nrrd.write(str(path), data, header)
    return path


@pytest.mark.parametrize(
    "space, signs",
    [
        ("left-posterior-superior", (-1, -1, 1)), ("LPS", (-1, -1, 1)), ("right-anterior-superior", (1, 1, 1)),
        ("RAS", (1, 1, 1)), ("left-anterior-superior", (-1, 1, 1)), ("LAS", (-1, 1, 1)),
    ],
)  # fmt: skip
def test_the_six_names_of_a_space(tmp_path, space, signs):
    found = format_.read(
        write(tmp_path / "a.nrrd", space=space, space_directions=np.diag([2.0, 3, 4]), space_origin=[5.0, 6, 7])
    )
    assert found.affine.diagonal()[:3].tolist() == [s * v for s, v in zip(signs, (2, 3, 4), strict=True)]
    assert found.affine[:3, 3].tolist() == [s * v for s, v in zip(signs, (5, 6, 7), strict=True)]


@pytest.mark.parametrize("centering, origin", [("cell", [1, 1.5, 2]), ("node", [0, 0, 0])])
def test_without_a_space_spacings_hold_and_a_cell_begins_half_a_voxel_before_its_centre(tmp_path, centering, origin):
    path = write(tmp_path / "a.nrrd", spacings=[2.0, 3, 4], axis_mins=[0.0, 0, 0], centerings=[centering] * 3)
    found = format_.read(path)
    assert found.affine.diagonal().tolist() == [2, 3, 4, 1] and found.affine[:3, 3].tolist() == origin
    ((check, message),) = found.notes
    assert check == "no-orientation" and message == (
        "it names no space, so where the patient lies is a guess; taken for RAS"
    )


@pytest.mark.parametrize("where", [0, 3])
def test_components_stand_behind_wherever_they_lie_in_the_file(tmp_path, where):
    data = np.arange(48, dtype=np.float32).reshape(2, 3, 4, 2)
    kinds, rows = ["domain"] * 3, list(np.diag([1.0, 2, 3]))
    kinds.insert(where, "vector")
    rows.insert(where, np.full(3, np.nan))
    path = write(tmp_path / "a.nrrd", np.moveaxis(data, 3, where), space="RAS", kinds=kinds, space_directions=rows)
    found = format_.read(path)
    np.testing.assert_array_equal(found.data, data)
    assert found.affine.diagonal().tolist() == [1, 2, 3, 1]


def test_two_axes_are_a_slice(tmp_path):
    path = write(tmp_path / "a.nrrd", DATA[0], spacings=[2.0, 3])
    found = format_.read(path)
    assert found.flat and found.data.shape == (3, 4, 1) and found.affine.diagonal().tolist() == [2, 3, 1, 1]


@pytest.mark.parametrize(
    "header, check, words",
    [
        ({"space": "RAS", "space_units": ["cm"] * 3}, "units", "the header is in cm; wanted is mm"),
        ({"kinds": ["domain", "domain", "time"]}, "dimension", r"a.nrrd has an axis of time \(axis 2\)"),
        ({"space": "RAS", "kinds": ["domain", "domain", "list"]}, "format", "axis 2 is of the kind list"),
        ({"kinds": ["list", "vector", "domain"]}, "dimension", "1 axes of space and 2 of components"),
    ],
)
def test_what_has_no_place_is_refused(tmp_path, header, check, words):
    if "space" in header:
        header = {**header, "space_directions": np.eye(3)}
    with pytest.raises(Refused, match=words) as error:
        format_.read(write(tmp_path / "a.nrrd", **header))
    assert error.value.check == check


def test_an_unknown_space_is_refused(tmp_path):
    path = write(tmp_path / "a.nrrd", space="RAS", space_directions=np.eye(3))
    path.write_bytes(path.read_bytes().replace(b"space: RAS", b"space: SAR"))
    with pytest.raises(RefoldError, match="unknown space 'sar'; known are right-anterior-superior"):
        format_.read(path)


def test_a_header_whose_voxels_lie_elsewhere_is_refused(tmp_path):
    nrrd.write(str(tmp_path / "a.nhdr"), DATA)
    (tmp_path / "a.nhdr").rename(tmp_path / "a.nrrd")
    with pytest.raises(Refused, match="names another file for its voxels"):
        format_.read(tmp_path / "a.nrrd")


@pytest.mark.parametrize("layers", [1, 2])
def test_segments_of_slicer(tmp_path, layers):
    """One layer holds label values; where segments overlap Slicer writes several."""
    data = np.zeros((layers, 2, 3, 4), np.uint8)
    data[0, 0], data[0, 1] = 1, 5
    rows = [np.full(3, np.nan), *np.eye(3)]
    path = write(
        tmp_path / "a.seg.nrrd", data, space="LPS", kinds=["list", "domain", "domain", "domain"], space_directions=rows,
        Segment0_LabelValue="1", Segment1_LabelValue="5",
    )  # fmt: skip
    if layers == 2:
        with pytest.raises(Refused, match="has 2 layers: its segments overlap") as error:
            format_.read(path)
        assert error.value.check == "overlap"
        return
    found = format_.read(path)
    assert found.data.shape == (2, 3, 4, 1) and set(np.unique(found.data)) == {1, 5}
