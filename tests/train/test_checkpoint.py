import random

import numpy as np
import pytest

from refold.train import checkpoint

ARRAYS = {"weights": [np.arange(50.0), np.ones((3, 4), np.float32)], "optimizer": [np.array(3)]}
STATE = {"epoch": 2, "history": [{"loss": 0.5}], "stopped": False, "best": None}


@pytest.fixture
def path(tmp_path):
    checkpoint.save(tmp_path / "c.npz", "key", ARRAYS, STATE)
    return tmp_path / "c.npz"


def same(found):
    arrays, state = found
    return state == STATE and all(
        a.dtype == b.dtype and np.array_equal(a, b)
        for name, values in ARRAYS.items()
        for a, b in zip(values, arrays[name], strict=True)
    )


def test_it_comes_back_as_it_was(path):
    assert same(checkpoint.load(path, "key"))
    assert checkpoint.load(path.with_name("none.npz"), "key") is None


def test_one_of_other_parameters_is_left_aside(path):
    assert checkpoint.load(path, "another") is None


def test_a_torn_or_spoilt_file_is_never_taken_for_another(path, capfd):
    """Cut at any byte, zeros to the end, one bit turned: either left aside, or what was saved."""
    whole, draw = path.read_bytes(), random.Random(7)
    files = [whole[:n] for n in range(len(whole))]
    files += [whole[:n] + bytes(len(whole) - n) for n in range(0, len(whole), 7)]
    for _ in range(1500):
        spoilt = bytearray(whole)
        spoilt[draw.randrange(len(whole))] ^= 1 << draw.randrange(8)
        files.append(bytes(spoilt))
    for data in files:
        path.write_bytes(data)
        found = checkpoint.load(path, "key")
        assert found is None or same(found), data
    for data in files[: len(whole)]:  # none of those cut short
        path.write_bytes(data)
        assert checkpoint.load(path, "key") is None
    assert all(len(line) < 400 for line in capfd.readouterr().err.splitlines())
