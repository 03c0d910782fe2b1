"""Differences between two trees, with places and values given by hand."""

import gzip
import io
import json
import zipfile

import h5py
import nibabel
import numpy as np
import pytest
from PIL import Image

from refold.cli import diff

CASES = "method,fold,case,label,metric,value\n"
ROWS = ["unet,0,a,organ,dice,0.500000", "unet,0,a,organ,iou,0.333333", "unet,1,b,organ,dice,nan"]


@pytest.fixture
def places(tmp_path):
    """Write both contents under one name; where they differ, as text."""

    def written(name: str, first: bytes | str, second: bytes | str) -> list[str]:
        paths = []
        for side, content in (("first", first), ("second", second)):
            path = tmp_path / side / name
            path.parent.mkdir(exist_ok=True)
            path.write_bytes(content.encode() if isinstance(content, str) else content)
            paths.append(path)
        return [d.text(("before", "after")) for d in diff.files(*paths)]

    return written


def table(*rows: str) -> str:
    return CASES + "".join(f"{row}\n" for row in rows)


# ---------------------------------------------------------------- tables


def test_the_same_bytes_do_not_differ(places):
    assert places("cases.csv", table(*ROWS), table(*ROWS)) == []
    assert places("x.bin", b"", b"") == []


def test_a_number_in_a_table_is_named_by_its_row_and_column(places):
    changed = table(ROWS[0], ROWS[1].replace("0.333333", "0.333334"), ROWS[2].replace("nan", "0.000000"))
    assert places("cases.csv", table(*ROWS), changed) == [
        "row method=unet, fold=0, case=a, label=organ, metric=iou, column value: 0.333333 before, 0.333334 after",
        "row method=unet, fold=1, case=b, label=organ, metric=dice, column value: nan before, 0.000000 after",
    ]


def test_the_key_has_as_many_columns_as_tell_the_rows_apart(places):
    first, second = "epoch,loss,dice\n1,0.9,0.1\n2,0.8,\n", "epoch,loss,dice\n1,0.9,0.1\n2,0.7,0.2\n"
    assert places("history.csv", first, second) == [
        "row epoch=2, column loss: 0.8 before, 0.7 after",
        "row epoch=2, column dice: empty before, 0.2 after",
    ]


def test_rows_that_are_missing_or_too_many(places):
    assert places("cases.csv", table(*ROWS), table(ROWS[0], ROWS[2], "unet,1,c,organ,dice,1.000000")) == [
        "row method=unet, fold=0, case=a, label=organ, metric=iou: there before, missing after",
        "row method=unet, fold=1, case=c, label=organ, metric=dice: missing before, there after",
    ]


def test_rows_that_no_column_tells_apart_are_numbered(places):
    assert places("t.csv", "a,b\n1,2\n1,2\n", "a,b\n1,2\n1,3\n1,4\n") == [
        "row 2, column b: 2 before, 3 after",
        "row 3: missing before, there after",
    ]


def test_tables_of_equal_values(places):
    assert places("t.csv", "a,b\n1,2\n2,3\n", "a,b\n2,3\n1,2\n") == [
        "every value is the same, but not the order of the rows"
    ]
    assert places("t.csv", "a,b\n1,2\n", "a,b\r\n1,2\r\n") == [
        "every value is the same, but not the quotes or line ends"
    ]
    assert places("t.csv", "a,b\n1,2\n", "b,a\n2,1\n") == ["order of the columns: a, b before, b, a after"]
    assert places("t.csv", "a,b\n1,2\n", "a,c\n1,2\n") == ["columns: a, b before, a, c after"]


def test_a_table_cut_short_is_told_by_its_bytes(places):
    [told] = places("t.csv", "a,b\n1,2\n", "a,b\n1\n")
    assert "length" in told and "8 before, 6 after" in told and "row 2 has 1 fields and the header 2" in told


# ---------------------------------------------------------------- JSON and text


def test_json_by_key(places):
    first = {"mean": {"dice": 0.5, "hd95": None}, "folds": [{"test": ["a", "b"]}], "a.csv": 1}
    second = {"mean": {"dice": 0.25, "hd95": None}, "folds": [{"test": ["a", "c"]}], "n": 1}
    assert places("m.json", json.dumps(first), json.dumps(second)) == [
        "mean.dice: 0.5 before, 0.25 after",
        "folds[0].test[1]: b before, c after",
        '["a.csv"]: 1 before, missing after',
        "n: missing before, 1 after",
    ]


def test_json_kinds_are_not_mixed_up(places):
    assert places("m.json", '{"a": 1}', '{"a": true}') == ["a: 1 before, true after"]
    assert places("m.json", "[1, 2]", "[1]") == ["the whole: [1, 2] before, [1] after"]
    assert places("m.json", '{"a": NaN}', '{"a":  NaN}') == ["every value is the same, but not how it is written"]


def test_broken_json_is_told_by_its_bytes(places):
    [told] = places("m.json", '{"a": 1}', '{"a": 1 ')
    assert told.startswith("bytes differ, 1 of 8, first at 7 (not readable as its name says")
    assert told.endswith("0x7d before, 0x20 after")


def test_text_by_its_first_line(places):
    assert places("report.html", "<p>\none 0.5\nend\n", "<p>\none 0.6\nEND\n") == [
        "line 2, character 7: 'one 0.5' before, 'one 0.6' after"
    ]
    assert places("report.html", "a\n", "a\nb\n") == ["line 2, character 1: '' before, 'b' after"]
    [told] = places("report.html", "x" * 5000 + "1", "x" * 5000 + "2")
    assert told.startswith("line 1, character 5001: '...xxx") and len(told) < 200


def test_bytes_of_no_known_kind(places):
    [told] = places("model.bin", b"\xff\x00\x01", b"\xff\x02\x03")
    assert told.startswith("bytes differ, 2 of 3, first at 1") and told.endswith("0x00 before, 0x02 after")


# ---------------------------------------------------------------- arrays


def weights(**arrays) -> bytes:
    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        for name, value in arrays.items():
            file[f"layers/{name}"] = value
        file.attrs["name"] = "unet"
    return buffer.getvalue()


def archive(**members: bytes) -> bytes:
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as file:
        for name, content in members.items():
            file.writestr(zipfile.ZipInfo(name.replace("__", ".")), content)
    return buffer.getvalue()


KERNEL = np.array([[1.0, 2.0], [3.0, 4.0]], "f4")
TOLD = "2 of 4 values differ, largest difference 0.5; first at [0, 1]: 2.0 before, 2.25 after"


def test_weights_in_a_keras_archive(places):
    other = KERNEL + np.array([[0, 0.25], [0, -0.5]], "f4")
    first = archive(config__json=b'{"a": 1}', model__weights__h5=weights(kernel=KERNEL, bias=KERNEL))
    second = archive(config__json=b'{"a": 2}', model__weights__h5=weights(kernel=other, bias=KERNEL))
    assert places("model.keras", first, second) == [
        "config.json: a: 1 before, 2 after",
        f"model.weights.h5: layers/kernel: {TOLD}",
    ]


def test_arrays_of_another_shape_or_missing(places):
    assert places("x.h5", weights(a=KERNEL, b=KERNEL), weights(a=KERNEL[0])) == [
        "layers/a: float32 [2, 2] before, float32 [2] after",
        "layers/b: there before, missing after",
    ]


def test_an_archive_with_other_dates(places):
    def dated(year: int) -> bytes:
        buffer = io.BytesIO()
        with zipfile.ZipFile(buffer, "w") as file:
            file.writestr(zipfile.ZipInfo("config.json", (year, 1, 1, 0, 0, 0)), "{}")
        return buffer.getvalue()

    assert places("model.keras", dated(1980), dated(2020)) == [
        "every member is the same, but not how it is packed (dates, order)"
    ]


def test_npz_with_nan_and_signs_of_zero(places):
    def packed(*values: float) -> bytes:
        buffer = io.BytesIO()
        np.savez(buffer, w=np.array(values, "f8"))
        return buffer.getvalue()

    assert places("a.npz", packed(np.nan, 1, 0), packed(np.nan, 1.5, 0)) == [
        "w: 1 of 3 values differ, largest difference 0.5; first at [1]: 1.0 before, 1.5 after"
    ]
    assert places("a.npz", packed(np.nan, 1), packed(2, 1)) == [
        "w: 1 of 2 values differ, not finite on one side; first at [0]: nan before, 2.0 after"
    ]
    [told] = places("a.npz", packed(0.0), packed(-0.0))
    assert "sign of zero" in told


def test_voxels_and_header_of_a_volume(places):
    def volume(value: int, spacing: float = 1.0, time: int = 0) -> bytes:
        data = np.zeros((2, 3, 4), "u1")
        data[1, 2, 3] = value
        image = nibabel.Nifti1Image(data, np.diag([spacing, 1, 1, 1]))
        return gzip.compress(image.to_bytes(), mtime=time)

    assert places("a.nii.gz", volume(1), volume(3)) == [
        "voxels: 1 of 24 values differ, largest difference 2; first at [1, 2, 3]: 1 before, 3 after"
    ]
    assert places("a.nii.gz", volume(1), volume(1, time=9)) == [
        "header and voxels are the same, but not how they are packed"
    ]
    told = places("a.nii.gz", volume(1), volume(1, spacing=2.0))
    assert "header field srow_x: [1.0, 0.0, 0.0, 0.0] before, [2.0, 0.0, 0.0, 0.0] after" in told
    assert not any("voxels" in t for t in told)


def test_a_volume_cut_short_is_told_by_its_bytes(places):
    whole = gzip.compress(nibabel.Nifti1Image(np.zeros((4, 4, 4), "u1"), np.eye(4)).to_bytes())
    [told] = places("a.nii.gz", whole, whole[:-20])
    assert "length" in told and "not readable" in told


def test_pixels(places):
    def picture(value: int) -> bytes:
        buffer = io.BytesIO()
        Image.fromarray(np.array([[0, value]], "u1")).save(buffer, "PNG")
        return buffer.getvalue()

    assert places("a.png", picture(7), picture(9)) == [
        "pixels: 1 of 2 values differ, largest difference 2; first at [0, 1]: 7 before, 9 after"
    ]


# ---------------------------------------------------------------- trees


@pytest.fixture
def pair(tmp_path):
    for side in ("first", "second"):
        for name, text in {
            "results/metrics/cases.csv": table(*ROWS),
            "results/models/unet/card.json": "{}",
            "results/provenance.json": json.dumps({"git": {"commit": side}, "seed": 1}),
            "results/report.html": side,
            "elsewhere.txt": side,
        }.items():
            path = tmp_path / side / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
    return tmp_path / "first", tmp_path / "second"


def test_trees_count_files_and_rows(pair):
    found = diff.compare(*pair, ["results/metrics/cases.csv", "results/models"])
    assert found.identical and (found.files, found.rows) == (2, 3)
    assert found.text() == "identical: 2 files, 3 rows of tables"


def test_trees_find_missing_and_extra_files_but_not_leftovers(pair):
    first, second = pair
    (first / "results/models/.tmp-1-card.json").write_text("half")
    (second / "results/models/.snakemake_timestamp").touch()
    (first / "results/models/unet/model.keras").write_text("m")
    (second / "results/models/unet/history.csv").write_text("epoch,loss\n1,2\n")
    found = diff.compare(first, second, ["results/models"])
    assert [f.path for f in found.differing] == ["results/models/unet/history.csv", "results/models/unet/model.keras"]
    assert found.text().splitlines() == [
        "different: 2 of 3 files",
        "  results/models/unet/history.csv",
        "    is one too many: none recorded, there again",
        "  results/models/unet/model.keras",
        "    is missing: there recorded, missing again",
    ]


def test_what_may_differ_is_left_out_and_said(pair):
    outs = ["results/provenance.json", "results/report.html"]
    assert not diff.compare(*pair, outs).identical
    found = diff.compare(*pair, outs, {"results/report.html": "it tells the commit"}, {outs[0]: ["git"]})
    assert found.identical and found.files == 1
    assert "left out: results/report.html: it tells the commit" in found.text()
    (pair[1] / "results/provenance.json").write_text(json.dumps({"git": {}, "seed": 2}))
    found = diff.compare(*pair, outs, {"results/report.html": "-"}, {outs[0]: ["git"]})
    assert [d.text() for d in found.differing[0].differences] == ["seed: 1 recorded, 2 again"]


def test_long_answers_are_cut_with_counts(pair):
    rows = [f"unet,{i},a,organ,dice,{i}.000000" for i in range(9)]
    (pair[0] / "results/metrics/cases.csv").write_text(table(*rows))
    (pair[1] / "results/metrics/cases.csv").write_text(table(*(r.replace(".000000", ".5") for r in rows)))
    text = diff.compare(*pair, ["results/metrics/cases.csv"]).text(places=2)
    assert text.splitlines()[-1] == "    and 7 more"
    assert len(text.splitlines()) == 5
