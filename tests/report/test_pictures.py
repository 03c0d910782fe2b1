"""Outlines, sections and choices, by hand."""

from __future__ import annotations

import base64
import io
import itertools
import math
import re
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import Image

from refold.core.errors import RefoldError
from refold.imaging import images
from refold.imaging.cases import Case
from refold.imaging.dataset import Description, Labels
from refold.imaging.images import read as read_image
from refold.imaging.images import write_label
from refold.report import inputs
from refold.report.inputs import Scored
from refold.report.pictures import (
    COLOUR,
    CT,
    Tones,
    _plane,
    canonical,
    choose,
    largest_section,
    outline,
    picture,
    planes,
    raw,
    shown_planes,
    tones,
)
from refold.report.sections.dataset import _sizes, _spread

NAN = math.nan


def edges(path: str) -> list[tuple[tuple[float, float], tuple[float, float]]]:
    """Unit edges that an SVG path of straight lines runs along."""
    found = []
    for part in path.split("M")[1:]:
        points = [tuple(map(float, p.split())) for p in part.removesuffix("Z").split("L")]
        points += points[:1] if part.endswith("Z") else []
        for (x0, y0), (x1, y1) in itertools.pairwise(points):
            steps = round(abs(x1 - x0) + abs(y1 - y0))
            across = [(x0 + (x1 - x0) * i / steps, y0 + (y1 - y0) * i / steps) for i in range(steps + 1)]
            found += [tuple(sorted(pair)) for pair in itertools.pairwise(across)]
    return found


def test_outline_of_one_pixel():
    mask = np.zeros((4, 3), int)
    mask[2, 1] = 1
    path = outline(mask, (1.0, 1.0))
    assert path.endswith("Z")
    corners = {tuple(map(float, p.split())) for p in re.split("[MLZ]", path) if p}
    assert corners == {(2, 1), (3, 1), (3, 2), (2, 2)}


def test_outline_is_in_mm():
    mask = np.ones((2, 3), int)
    corners = {tuple(map(float, p.split())) for p in re.split("[MLZ]", outline(mask, (0.5, 2.0))) if p}
    assert corners == {(0, 0), (1, 0), (1, 6), (0, 6)}


def test_outline_of_nothing():
    assert outline(np.zeros((5, 5), int), (1.0, 1.0)) == ""


@given(hnp.arrays(np.uint8, st.tuples(st.integers(1, 7), st.integers(1, 7)), elements=st.integers(0, 3)))
@settings(max_examples=60, deadline=None)
def test_outline_has_every_border_once(labels):
    found = edges(outline(labels, (1.0, 1.0)))
    padded = np.pad(labels.astype(int), 1)
    wanted = []
    for x in range(padded.shape[0] - 1):
        for y in range(padded.shape[1]):
            if padded[x, y] != padded[x + 1, y]:
                wanted.append(((x, y - 1), (x, y)))
    for x in range(padded.shape[0]):
        for y in range(padded.shape[1] - 1):
            if padded[x, y] != padded[x, y + 1]:
                wanted.append(((x - 1, y), (x, y)))
    assert sorted(found) == sorted(wanted)


def test_canonical_brings_a_voxel_to_its_place():
    affine = np.array([[0, 0, -2.0, 10], [3.0, 0, 0, 0], [0, 1.0, 0, 0], [0, 0, 0, 1]])  # axes: A, S, L
    data = np.zeros((4, 5, 6), int)
    data[1, 2, 0] = 7  # the last axis runs to the left, so its first voxel lies furthest right
    turned, spacing = canonical(data, affine)
    assert turned.shape == (6, 4, 5) and spacing == (2.0, 3.0, 1.0)
    assert turned[5, 1, 2] == 7


def test_largest_section():
    mask = np.zeros((5, 4, 3), bool)
    mask[1, 0, 0] = mask[3, 0, 0] = mask[3, 1, 0] = True
    assert largest_section(mask, 0) == 3
    assert largest_section(mask, 1) == 0
    assert largest_section(np.zeros((5, 4, 3), bool), 1) == 2


@pytest.mark.parametrize(
    "volume, expected",
    [
        (np.arange(101.0), (1.0, 99.0)),
        (np.full(9, 4.0), (4.0, 5.0)),
        (np.array([np.nan, np.inf]), (0.0, 1.0)),
        (np.r_[np.zeros(1000), 50.0], (0.0, 50.0)),
    ],
)
def test_tones_of_an_image_alone(volume, expected):
    low, high = expected
    assert tones(volume, []).points == ((pytest.approx(low), 0.0), (pytest.approx(high), 255.0))


def test_tones_reach_as_far_as_labels():
    """A little beyond the tissue evenly, far beyond with a corner, so that the tissue keeps 60 of 100 grey values."""
    tissue = np.linspace(0, 100, 10_001)  # percentiles 1 and 99 are 1 and 99
    assert tones(tissue, [np.full(9, 120.0)]).points == ((pytest.approx(1), 0.0), (120.0, 255.0))
    assert tones(tissue, [np.full(9, -20.0)]).points == ((-20.0, 0.0), (pytest.approx(99), 255.0))
    found = tones(tissue, [np.full(9, 120.0), np.full(9, 501.0)]).points
    assert found == ((pytest.approx(1), 0.0), (pytest.approx(99), pytest.approx(153)), (501.0, 255.0))
    # 100 below and 300 above share the other 40 as 1 to 3
    found = tones(tissue, [np.full(9, -99.0), np.full(9, 399.0)]).points
    assert found == (
        (-99.0, 0.0),
        (pytest.approx(1), pytest.approx(25.5)),
        (pytest.approx(99), pytest.approx(178.5)),
        (399.0, 255.0),
    )
    # what is not a number says nothing; one voxel in 10,000 of a label is no reason
    lesion = np.r_[np.full(9999, 50.0), 9000.0, np.nan]
    assert tones(tissue, [lesion, np.array([np.nan])]).points == tones(tissue, []).points


def test_tones_of_ct_are_the_window_of_soft_tissue():
    body = np.r_[np.full(5000, -1000.0), np.linspace(-120, 90, 5000), 1500.0]
    soft = tones(body, [np.linspace(20, 80, 99)], CT)
    assert soft.points == ((-160.0, 0.0), (240.0, 255.0))
    assert soft.grey(np.array([-1000, -160, 80, 240, 1500, np.nan])).tolist() == [0, 0, 153, 255, 255, 0]
    # lungs reach below it and bones above it: both are seen
    low, first, last, high = tones(body, [np.full(9, -800.0), np.full(9, 1100.0)], CT).points
    assert (low[0], first[0], last[0], high[0]) == (-800.0, -160.0, 240.0, 1100.0)
    assert last[1] - first[1] == pytest.approx(153)
    # no Hounsfield units: as other images
    assert tones(body / 1000, [], CT).points == tones(body / 1000, []).points != soft.points


def test_colours_stay_as_they_are():
    assert tones(np.zeros((2, 2, 3)), [np.full(3, 900.0)], COLOUR).grey(np.arange(256.0)).tolist() == list(range(256))


def bright(root: Path) -> tuple[Description, Case]:
    """A volume of noise about 100 with a lesion of 300 at its rim to 500 in its middle."""
    rng, shape = np.random.default_rng(3), (40, 40, 30)
    far = np.sqrt(((np.indices(shape) - np.array([20, 20, 15]).reshape(3, 1, 1, 1)) ** 2).sum(0))
    lesion = far <= 4
    image = np.where(lesion, 500 - 50 * far, rng.normal(100, 5, shape)).astype(np.float32)
    images.write_image(root / "image.nii.gz", image[..., None], np.eye(4))
    images.write_label(root / "label.nii.gz", lesion.astype(np.uint8), np.eye(4))
    labels = Labels((0, 1), ("background", "lesion"))
    counts = (int((~lesion).sum()), int(lesion.sum()))
    case = Case("c", "p", ("image.nii.gz",), "label.nii.gz", 1, shape, (1.0, 1.0, 1.0), "RAS", counts, "0" * 64)
    return Description("toy", str(root), 3, ("FLAIR",), ("MRI",), labels, "case"), case


def test_a_bright_lesion_is_not_burnt_out(tmp_path):
    """Percentile 99 of the volume is tissue: between it and the percentile 1 all of the lesion was white."""
    description, case = bright(tmp_path)
    shown = raw(description, case, tmp_path)
    nothing = np.zeros_like(shown.truth)
    for masks in ([shown.truth, nothing], [nothing, shown.truth]):  # whether it is in the truth or in a prediction
        shade = shown.tones(shown.groups[0], masks)
        grey = shade.grey(shown.image[..., 0])
        rim, middle = grey[24, 20, 15], grey[20, 20, 15]  # 300 and 500
        assert middle >= 250 and middle - rim >= 40
        steps = [int(grey[20 + i, 20, 15]) for i in range(5)]  # 500, 450, 400, 350, 300
        assert all(a - b >= 10 for a, b in itertools.pairwise(steps))
        tissue = grey[shown.truth == 0]
        assert np.ptp(np.percentile(tissue, (1, 99))) >= 130  # and the tissue is not flat
    # the same as embedded in the page
    ((_, (axial, *_others)),) = planes(description.labels, shown, [shown.truth, nothing], "lesion")
    png = np.asarray(Image.open(io.BytesIO(base64.b64decode(axial.png))))
    assert len(np.unique(png[png > 160])) >= 8


def scored(*dice: float) -> list[Scored]:
    return [Scored("m", "0", f"c{i}", f"c{i}", {"a": {"dice": d}}, f"case-{i}") for i, d in enumerate(dice)]


def test_choice_of_cases():
    def chosen(count, *dice):
        return [(word, s.mean("dice")) for word, s in choose(scored(*dice), count)]

    assert chosen(1, 0.5, 0.9, 0.1, NAN, 0.7) == [("worst", 0.1), ("median", 0.7), ("best", 0.9)]
    assert chosen(1, 0.5, 0.9, 0.1, 0.6, 0.7) == [("worst", 0.1), ("median", 0.6), ("best", 0.9)]
    assert chosen(1, 0.4) == [("worst", 0.4)]
    assert chosen(1, 0.4, 0.8) == [("worst", 0.4), ("best", 0.8)]
    assert chosen(2, *[i / 10 for i in range(9)]) == [
        ("worst", 0.0), ("worst", 0.1), ("median", 0.3), ("median", 0.4), ("best", 0.7), ("best", 0.8),
    ]  # fmt: skip
    assert chosen(1, NAN, NAN) == []
    # without its hard label a case is not the best, though it may be the worst
    two = [(0.9, NAN), (0.8, 0.6), (0.7, 0.5), (0.2, NAN), (0.6, 0.4)]
    both = [
        Scored("m", "0", f"d{i}", "p", {"a": {"dice": a}, "b": {"dice": b}}, f"x{i}") for i, (a, b) in enumerate(two)
    ]
    assert [(word, s.case) for word, s in choose(both, 1)] == [("worst", "d3"), ("median", "d2"), ("best", "d1")]
    assert len(chosen(20, 0.1, 0.2, 0.3)) == 3


def test_worst_label_is_the_one_that_failed():
    one = Scored("m", "0", "c", "c", {"a": {"dice": 0.9}, "b": {"dice": NAN}, "c": {"dice": 0.0}}, "x")
    assert one.worst_label == "c"
    assert one.mean("dice") == pytest.approx(0.45)


def test_planes_of_a_volume(volumes):
    e = inputs.read(volumes.methods, volumes.folds, volumes.folders)
    shown = picture(e, e.scored[0])
    assert [name for name, _ in shown.rows] == ["T1", "FLAIR"]
    planes = shown.rows[0][1]
    # 22 x 26 x 16 voxels of 1 x 1.2 x 2 mm
    assert [(p.name, p.width, pytest.approx(p.height)) for p in planes] == [
        ("axial", 22.0, 31.2), ("coronal", 22.0, 32.0), ("sagittal", pytest.approx(31.2), 32.0),
    ]  # fmt: skip
    grey = Image.open(io.BytesIO(base64.b64decode(planes[0].png)))
    assert (grey.mode, grey.size) == ("L", (22, 26))
    assert all(p.truth and p.prediction for p in planes)


def test_outlines_of_tiny_voxels_have_decimals():
    """32.5 nm a voxel: in mm with two decimals all would be 0."""
    mask = np.zeros((8, 6), np.uint8)
    mask[2:5, 1:4] = 1
    shapes = []
    for spacing in ((3.25e-5, 6.5e-5), (3.25, 6.5)):
        (plane,) = _plane(
            "p",
            mask[..., None].astype(float),
            [mask, mask],
            (1,),
            spacing,
            [([0], Tones(((0.0, 0.0), (1.0, 255.0))))],
            "",
        )
        shapes.append((plane.truth, pytest.approx(plane.width), pytest.approx(plane.height)))
    assert shapes[0] == shapes[1] and shapes[1][0]
    assert _sizes([3.25e-5, 5e-5, 6.5e-5]) == "0.00005 (0.0000325 to 0.000065)"
    assert _sizes([1.1045, 1.1205]) == _spread([1.1045, 1.1205], 3)


def test_of_a_single_slice_itself_is_shown():
    names = lambda *shapes: [p[0] for p in shown_planes(shapes)]  # noqa: E731
    assert names((9, 9, 9)) == names() == ["axial", "coronal", "sagittal"]
    assert names((9, 9, 1)) == ["axial"] and names((9, 1, 9)) == ["coronal"] and names((1, 9, 9)) == ["sagittal"]
    assert names((9, 9, 1), (1, 9, 9)) == ["axial", "sagittal"]


def test_patient_right_is_on_the_left(volumes):
    """The raw files run to the left (LAS), so the voxels of low index are on the patient's right."""
    e = inputs.read(volumes.methods, volumes.folds, volumes.folders)
    one = e.scored[0]
    path = e.prediction_file(one.method, one.fold, one.case)
    before = path.read_bytes()
    try:
        image = read_image(path, label=True)
        mask = np.zeros_like(image.data)
        mask[0, -1, -1] = 1  # most right, front and top of all
        write_label(path, mask, image.affine)
        planes = picture(e, one).rows[0][1]
        corners = [{tuple(map(float, p.split())) for p in re.split("[MLZ]", x.prediction) if p} for x in planes]
    finally:
        path.write_bytes(before)
    top_left = [min(c) for c in corners if c]
    assert all(corner == (0.0, 0.0) for corner in top_left)


def test_colour_picture_is_one(pictures):
    e = inputs.read(pictures.methods, pictures.folds, pictures.folders)
    shown = picture(e, e.scored[0])
    ((_, (plane,)),) = shown.rows
    assert Image.open(io.BytesIO(base64.b64decode(plane.png))).mode == "RGB"
    assert (plane.width, plane.height, plane.letters) == (44.0, 52.0, "")


def test_a_picture_is_read_by_the_rule_of_its_data_set(tmp_path):
    """One channel declared and stored as RGB, turned by its tag; the mask in colours."""
    labels = Labels((0, 7), ("background", "cell"))
    about = Description("x", str(tmp_path), 2, ("grey",), (), labels, "case", colours=(("#000000",), ("#0908c8",)))
    grey, tags = np.arange(30, dtype=np.uint8).reshape(5, 6), Image.Exif()
    tags[0x0112] = 3
    Image.fromarray(np.repeat(grey[..., None], 3, axis=-1)).save(tmp_path / "i.png", exif=tags)
    Image.fromarray((grey > 20)[..., None] * np.array([9, 8, 200], np.uint8)).save(tmp_path / "m.png", exif=tags)
    case = Case("a", "a", ("i.png",), "m.png", 1, (6, 5), (1.0, 1.0), "XY", (21, 9), "")
    shown = raw(about, case, tmp_path)
    np.testing.assert_array_equal(shown.image[..., 0].T, grey[::-1, ::-1])
    np.testing.assert_array_equal(shown.truth.T, (grey > 20)[::-1, ::-1] * 7)
    assert [g.name for g in shown.groups] == ["grey"]


def test_prediction_on_another_grid_is_refused(volumes):
    e = inputs.read(volumes.methods, volumes.folds, volumes.folders)
    one = e.scored[1]
    path = e.prediction_file(one.method, one.fold, one.case)
    before = path.read_bytes()
    try:
        write_label(path, np.zeros((3, 3, 3), np.uint8), np.eye(4))
        with pytest.raises(RefoldError, match=r"has shape \(3, 3, 3\), its label \(22, 26, 16\)"):
            picture(e, one)
    finally:
        path.write_bytes(before)


def test_prediction_that_is_not_listed_is_refused(volumes):
    e = inputs.read(volumes.methods, volumes.folds, volumes.folders)
    with pytest.raises(RefoldError, match=r"predictions\.json has no case 'nobody'"):
        e.prediction_file("unet", "0", "nobody")
