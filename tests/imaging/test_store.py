import time

import numpy as np
import pytest

from refold.core.errors import RefoldError
from refold.imaging import geometry, store


@pytest.fixture
def content():
    rng = np.random.default_rng(0)
    label = np.zeros((12, 10, 8), np.uint8)
    label[3:6, 2:5, 1:4] = 2
    return {
        "image": rng.normal(size=(12, 10, 8, 2)).astype(np.float32),
        "label": label,
        "foreground": {2: np.argwhere(label == 2)},
        "intensities": rng.normal(size=(27, 2)).astype(np.float32),
        "record": geometry.record(label.shape, np.diag((1, 1, 2, 1.0))),
    }


def test_what_is_written_is_read(tmp_path, content):
    store.write(tmp_path, "a", **content)
    with store.open(tmp_path, "a") as case:
        assert np.array_equal(case.image[...], content["image"])
        assert np.array_equal(case.label[...], content["label"])
        assert case.image.dtype == np.float32 and case.label.dtype == np.uint8
        assert case.labels == (2,)
        assert np.array_equal(case.foreground(2), content["foreground"][2])
        assert case.foreground(2).dtype == np.int32
        assert case.foreground(1).shape == (0, 3)
        assert np.array_equal(case.intensities, content["intensities"])
        assert case.record == content["record"]


def test_same_content_same_bytes(tmp_path, content):
    first = store.write(tmp_path / "x", "a", **content).read_bytes()
    time.sleep(1.1)  # HDF5 counts times in seconds
    assert store.write(tmp_path / "y", "a", **content).read_bytes() == first


def test_a_box_is_read_without_the_rest(tmp_path, content):
    path = store.write(tmp_path, "a", **content)
    with store.open(tmp_path, "a") as case:
        for data in (case.image, case.label):
            assert data.chunks is None and data.compression is None
            assert data.id.get_offset() is not None
        offset, row = case.image.id.get_offset(), content["image"][0].nbytes
    # spoil the last planes on disk: a box of the first ones does not see it, a box of the last does
    with path.open("r+b") as handle:
        handle.seek(offset + 10 * row)
        handle.write(b"\xff" * row)
    with store.open(tmp_path, "a") as case:
        assert np.array_equal(case.image[2:6, 1:4], content["image"][2:6, 1:4])
        assert np.isnan(case.image[10]).all()


def test_no_half_written_file(tmp_path, content):
    content["image"] = "no image"
    with pytest.raises(ValueError):
        store.write(tmp_path, "a", **content)
    assert list(tmp_path.iterdir()) == []


def test_no_foreground(tmp_path, content):
    content |= {"foreground": {}, "intensities": np.empty((0, 2))}
    store.write(tmp_path, "a", **content)
    with store.open(tmp_path, "a") as case:
        assert case.labels == () and case.intensities.shape == (0, 2)


def test_missing_and_damaged_files_are_named(tmp_path, content):
    with pytest.raises(RefoldError, match=r"b\.h5 is missing"):
        store.open(tmp_path, "b")
    path = store.write(tmp_path, "a", **content)
    path.write_bytes(path.read_bytes()[:3000])
    with pytest.raises(RefoldError, match=r"a\.h5 cannot be read"):
        store.open(tmp_path, "a")
