"""The coding of the viewer's cases, unpacked here by another hand; its choice of cases; its names."""

from __future__ import annotations

import base64
import itertools
import json
import math
import re
import zlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from refold.core.errors import RefoldError
from refold.imaging import images
from refold.imaging.images import write_label
from refold.report import inputs, page, pictures, templates
from refold.report.sections import viewer
from tests.report.test_page import parse, render


def read(made, **report):
    """An experiment, with other keys of the section ``report``."""
    e = inputs.read(made.methods, made.folds, made.folders)
    return replace(e, params=e.params.model_copy(update={"report": e.params.report.model_copy(update=report)}))


def restored(left: np.ndarray) -> np.ndarray:
    """Voxel by voxel, as the script does it: (z, y, x) from its residuals."""
    found = np.zeros(left.shape, int)

    def at(z, y, x):
        return found[z, y, x] if min(z, y, x) >= 0 else 0

    for z, y, x in np.ndindex(left.shape):
        west, north = at(z, y, x - 1), at(z, y - 1, x)
        above = at(z - 1, y, x) if z else west + north - at(z, y - 1, x - 1)
        found[z, y, x] = (int(left[z, y, x]) + sorted((west, north, above))[1]) % 256
    return found


class Unpacked:
    """A case taken apart: ``greys`` and ``maps`` are (x, y, z)."""

    def __init__(self, coded: viewer.Coded):
        meta = coded.meta
        data = zlib.decompress(base64.b64decode(coded.data))
        shape, count = tuple(meta["shape"]), math.prod(meta["shape"])
        coarse = tuple(math.ceil(n / f) for n, f in zip(shape, meta["factors"], strict=True))
        self.greys, self.maps = [], []
        start = 0
        for number in (n for c in meta["channels"] for n in range(c["planes"])):
            part = np.frombuffer(data[start : start + math.prod(coarse)], np.uint8)
            plane = restored(part.reshape(coarse[::-1])).transpose(2, 1, 0)
            self.greys.append((plane + self.greys[-number] - 128) % 256 if number else plane)
            start += math.prod(coarse)
        for _ in range(1 + len(meta["layers"])):
            part = np.frombuffer(data[start : start + count], np.uint8).reshape(shape[::-1]).transpose(2, 1, 0)
            self.maps.append(part ^ self.maps[0] if self.maps else part)
            start += count
        assert start == len(data)


@given(hnp.arrays(np.uint8, st.tuples(*[st.integers(1, 5)] * 3)))
@settings(max_examples=60, deadline=None)
def test_residuals_give_the_grey_values_back(volume):
    assert (restored(viewer.residual(volume)) == volume).all()


def test_residuals_of_smooth_images_are_small():
    ramp = np.add.outer(np.arange(9), np.add.outer(np.arange(10), np.arange(11))).astype(np.uint8) + 100
    for volume in (ramp, ramp[:1]):
        left = viewer.residual(volume)[:, 1:, 1:].astype(np.int8)
        assert np.abs(left).max() <= 1


def of_case(e, name):
    return [s for s in e.scored if s.case == name]


@pytest.mark.parametrize("name", ["scan_01", "scan_<script>alert(1)<!--", "scan_é海"])
def test_a_volume_comes_back_voxel_by_voxel(volumes, name):
    e = read(volumes)
    coded = viewer.code(e, name, of_case(e, name))
    found, meta = Unpacked(coded), coded.meta
    case = e.cases[name]
    root = e.description.root
    # raw files run to the left, so that canonical volumes are turned on the first axis
    where = tuple(slice(b, b + n) for b, n in zip(meta["begin"], meta["shape"], strict=True))
    image = images.read(f"{root}/{case.images[0]}").data[::-1][where]
    for channel, grey in zip(meta["channels"], found.greys, strict=True):
        part = image[..., [c["name"] for c in meta["channels"]].index(channel["name"])]
        assert np.abs(np.interp(part, *zip(*channel["tones"], strict=True)) - grey).max() <= 0.51
    files = [f"{root}/{case.label}", *(e.prediction_file(s.method, s.fold, name) for s in of_case(e, name))]
    assert len(files) == 3
    for file, got in zip(files, found.maps, strict=True):
        whole = images.read(file, label=True).data[::-1]
        assert (whole[where] == got).all()
        assert (whole > 0).sum() == (got > 0).sum(), "something labelled was cut off"
    assert meta["whole"] == [22, 26, 16] and meta["spacing"] == [1.0, 1.2, 2.0]
    assert [c["name"] for c in meta["channels"]] == ["T1", "FLAIR"]


def test_a_picture_comes_back(pictures):
    e = read(pictures)
    coded = viewer.code(e, "n0", of_case(e, "n0"))
    found, meta = Unpacked(coded), coded.meta
    case = e.cases["n0"]
    where = tuple(slice(b, b + n) for b, n in zip(meta["begin"][:2], meta["shape"][:2], strict=True))
    image = images.read(f"{e.description.root}/{case.images[0]}").data[where]
    assert [(c["name"], c["planes"]) for c in meta["channels"]] == [("red green blue", 3)]
    for c in range(3):
        assert (found.greys[c][..., 0] == image[..., c]).all()  # 8-bit colours as they are
    truth = images.read(f"{e.description.root}/{case.label}", label=True).data[where]
    assert (found.maps[0][..., 0] == (truth == 255)).all()


def test_what_is_told_of_a_prediction(volumes):
    e = read(volumes)
    name = "scan_<script>alert(1)<!--"
    layers = viewer.code(e, name, of_case(e, name)).meta["layers"]
    for layer, s in zip(layers, of_case(e, name), strict=True):
        dice = [f"{s.values[label]['dice']:.4f}" for label in e.labels]
        assert layer["dice"] == dice and layer["anchor"] == s.anchor
        assert e.methods[layer["method"]] == s.method
        assert layer["option"] == f"{name} · organ <i> {dice[0]}, läsion {dice[1]} · fold {s.fold}"


def test_it_opens_where_the_worst_label_is_largest(volumes):
    e = read(volumes)
    name = "scan_05"
    coded = viewer.code(e, name, of_case(e, name))
    maps = Unpacked(coded).maps
    for layer, predicted, s in zip(coded.meta["layers"], maps[1:], of_case(e, name), strict=True):
        value = e.labels.index(s.worst_label) + 1
        mask = (maps[0] == value) | (predicted == value)
        for axis, at in enumerate(layer["at"]):
            counts = mask.sum(axis=tuple(a for a in range(3) if a != axis))
            assert counts[at] == counts.max() > 0


def test_undeclared_values_are_background():
    labels = np.array([[0, 7, 255], [3, 254, 7]])
    assert viewer.indices(labels, (0, 7, 255)).tolist() == [[0, 1, 2], [0, 0, 1]]


def test_more_than_255_labels_take_two_bytes():
    volume = np.array([[[1], [256]], [[300], [0]]])  # (x, y, z); x runs fastest
    assert viewer._labels(volume, True) == bytes([1, 44, 0, 0]) + bytes([0, 1, 1, 0])
    assert viewer._labels(volume & 255, False) == bytes([1, 44, 0, 0])


def test_region():
    mask = np.zeros((60, 30, 9), bool)
    mask[20:40, 3:5, 4] = True
    # a fifth of 20 voxels is less than 5 mm of 1 mm; 5 mm of 2 mm are 3 voxels; 5 mm of 5 mm are one
    assert viewer.region(mask, (1.0, 2.0, 5.0)) == (slice(15, 45), slice(0, 8), slice(3, 6))
    mask[5:55] = True
    assert viewer.region(mask, (1.0, 2.0, 5.0))[0] == slice(0, 60)
    assert viewer.region(np.zeros((4, 5), bool), (1.0, 1.0)) == (slice(None), slice(None))


def test_pooled():
    volume = np.array([[10, 20, 30], [50, 60, 71]], np.uint8)[..., None]
    assert viewer.pooled(volume, (1, 1, 1)) is volume
    assert viewer.pooled(volume, (2, 2, 1))[..., 0].tolist() == [[35, 50]]  # 30 and 71 stand twice: 50.5, to even
    assert viewer.pooled(volume, (1, 2, 1))[..., 0].tolist() == [[15, 30], [55, 71]]


def test_a_large_case_keeps_whole_outlines_and_coarser_greys(volumes):
    e = read(volumes)
    whole = viewer.code(e, "scan_01", of_case(e, "scan_01"))
    small = viewer.code(e, "scan_01", of_case(e, "scan_01"), whole.size / 3)
    assert whole.meta["factors"] == [1, 1, 1]
    assert small.size <= whole.size / 3 and max(small.meta["factors"]) > 1
    # voxels of 1 x 1.2 x 2 mm are pooled towards cubes
    assert small.meta["factors"][0] >= small.meta["factors"][2]
    for a, b in zip(Unpacked(whole).maps, Unpacked(small).maps, strict=True):
        assert (a == b).all()


# ---------------------------------------------------------------- choice


def test_pictured_cases_go_in_first_then_the_worst(volumes):
    e = read(volumes)
    order = viewer.order(e)
    assert sorted(order) == sorted(e.cases)
    chosen = {m: dict(pictures.choose([s for s in e.scored if s.method == m], 1)) for m in e.methods}
    wanted = [chosen[m][word].case for word in ("worst", "median", "best") for m in e.methods]
    first = list(dict.fromkeys(wanted))
    assert order[: len(first)] == first
    dice = [min(d for s in of_case(e, n) if not math.isnan(d := s.mean("dice"))) for n in order[len(first) :]]
    assert dice == sorted(dice) and len(dice) >= 3


def index_of(text: str) -> dict:
    return json.loads(re.search(r'<script type="application/json" id="viewer-index">(.*?)</script>', text, re.S)[1])


def test_all_cases_within_the_budget(volumes):
    e = read(volumes)
    made = viewer.make(e)
    assert len(made.data) == len(e.cases) == 9
    assert made.sentence == "All 9 cases are here, each with every method's prediction."


def test_the_budget_is_kept_and_the_choice_told(volumes):
    e = read(volumes, viewer_mb=0.15)
    coded = viewer.choose(e, 150_000)
    assert len(viewer.pictured(e)) <= len(coded) < 9
    assert [c.meta["name"] for c in coded] == viewer.order(e)[: len(coded)]
    assert sum(len(c.data) + len(json.dumps(c.meta, ensure_ascii=False)) for c in coded) < 150_000 * 1.02
    assert all(c.meta["factors"] == [1, 1, 1] for c in coded)
    assert all(c.size <= 150_000 / 6 for c in coded)
    text = page.render(e).html
    assert f"{len(coded)} of 9 cases are here: the worst, median and best of each method" in parse(text).text
    assert "as many as fit into 0.15 MB (report.viewer_mb)" in text
    assert [c["name"] for c in index_of(text)["cases"]] == [c.meta["name"] for c in coded]


def test_a_budget_for_the_first_cases_alone(volumes):
    e = read(volumes, viewer_mb=0.006)
    made = viewer.make(e)
    assert 0 < len(made.data) < len(viewer.pictured(e))
    assert made.sentence == (
        f"{len(made.data)} of 9 cases are here: of the worst, then the median, then the best of each method as many as "
        "fit into 0.006 MB (report.viewer_mb)."
    )


def test_nothing_fits(volumes):
    text = page.render(read(volumes, viewer_mb=0.001)).html
    assert "No case fits into 0.001 MB (report.viewer_mb)" in text
    assert "viewer-box" not in re.sub(r"<script>.*", "", text, flags=re.S)


def test_switched_off(volumes):
    reader = parse(page.render(read(volumes, viewer_mb=0)).html)
    assert "viewer" not in reader.ids and "viewer" not in reader.links


def test_the_default_keeps_a_report_below_10_mb():
    from refold.settings.report import Report

    # 260 hippocampi with 5 methods take 3.1 MB besides the viewer
    assert Report().viewer_mb + 3.1 < 10


# ---------------------------------------------------------------- in the page


def test_names_cannot_end_the_script(volumes):
    text = render(volumes)
    index = index_of(text)
    names = {c["name"] for c in index["cases"]}
    assert {"scan_<script>alert(1)<!--", "scan_é海"} <= names
    assert index["labels"] == ["organ <i>", "läsion"]
    block = text[text.index('id="viewer-index">') :].partition("</script>")[0]
    assert "<" not in block.partition(">")[2]
    assert viewer.script_safe("</script><!--") == '"\\u003c/script>\\u003c!--"'


def test_every_case_has_its_data(volumes):
    text = render(volumes)
    data = re.findall(r'<script type="text/plain" id="viewer-data-(\d+)">([A-Za-z0-9+/=]+)</script>', text)
    assert [int(n) for n, _ in data] == list(range(9))
    for _, packed in data:
        zlib.decompress(base64.b64decode(packed))


def test_the_same_bytes_again(volumes):
    first, second = (viewer.make(read(volumes)) for _ in range(2))
    assert first == second


def test_all_keys_are_told_of():
    """The script and the help on the screen are two files; neither may know a key that the other does not."""
    script = templates.script("controls")
    block = re.search(r"const keys = \{(.*?)\n    \};", script, re.S)[1]
    known = set(re.findall(r'^ +"?([^\s":]+)"?: \(\)', block, re.M))
    told = {k for keys, _ in viewer.KEYS for k in keys if len(k) == 1 and k not in "↑↓←→…19"}
    assert known - {"="} == told  # = is + without Shift


def test_the_script_says_nothing_of_its_own():
    """What it shows stands in TEXT, which is translated; each entry is used."""
    script = "".join(map(templates.script, templates.VIEWER))
    said = set(re.findall(r'\bsay\((?:inside === whole \? )?"([^"]+)"', script))
    said |= {"part"} if '"whole" : "part"' in script else set()
    said |= set(re.findall(r"\btext\.(\w+)", script)) | set(re.findall(r'\btext\["([^"]+)"\]', script))
    assert said <= set(viewer.TEXT)
    own = {"all", "some", "few", "none", "held out", "fold", "axial", "coronal", "sagittal", "picture"}
    own |= {"voxels", "pixels"}  # of viewer.py
    assert set(viewer.TEXT) - own == said


def test_no_two_methods_have_the_same_outline():
    outlines = [tuple(viewer._outline(i).values()) for i in range(30)]
    assert len(set(outlines)) == 30
    assert all(a[0] != b[0] and a[1] != b[1] for a, b in itertools.pairwise(outlines[:6]))


def test_prediction_on_another_grid_is_refused(volumes):
    e = read(volumes)
    one = of_case(e, "scan_04")[0]
    path = e.prediction_file(one.method, one.fold, one.case)
    before = path.read_bytes()
    try:
        write_label(path, np.zeros((3, 3, 3), np.uint8), np.eye(4))
        with pytest.raises(RefoldError, match=r"has shape \(3, 3, 3\), its label \(22, 26, 16\)"):
            viewer.make(e)
    finally:
        path.write_bytes(before)


def test_the_page_as_a_whole_keeps_its_size(volumes, monkeypatch):
    whole = len(page.render(read(volumes)).html)
    rest = len(page.render(read(volumes, viewer_mb=0)).html)
    assert whole - rest > 170_000  # the cases, and the viewer's own part of the page
    monkeypatch.setattr(viewer, "LEAST", 0.1)
    monkeypatch.setattr(page, "LARGEST", rest / 1e6 + 0.12)
    small = page.render(read(volumes)).html
    assert len(small) < rest + 100_000 + 60_000 < whole
    # who asks for more gets it
    assert len(page.render(read(volumes, viewer_mb=11)).html) >= whole
