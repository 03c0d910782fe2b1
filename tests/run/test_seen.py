"""Files are read again only where their size or times changed, and then always."""

import hashlib
import json
import os
import time

import pytest

from refold.run import seen
from refold.run.seen import Seen


@pytest.fixture
def two(tmp_path, monkeypatch):
    """Two files that have been there for a while, as notes need them."""
    monkeypatch.setattr(seen, "SETTLED", 0)
    (tmp_path / "a").write_bytes(b"one")
    (tmp_path / "b").write_bytes(b"two")
    return tmp_path


def noted(folder) -> Seen:
    notes = Seen(folder / "notes.json")
    assert notes.read("x", ["a", "b"], folder) == hashlib.sha256(b"onetwo").hexdigest()
    notes.save()
    return Seen(folder / "notes.json")


def test_what_is_unchanged_is_known_wherever_the_folder_is(two, tmp_path_factory):
    wanted = hashlib.sha256(b"onetwo").hexdigest()
    assert noted(two).known("x", ["a", "b"], two) == wanted
    moved = tmp_path_factory.mktemp("moved") / "there"
    notes = Seen(two / "notes.json")
    two.rename(moved)
    assert notes.known("x", ["a", "b"], moved) == wanted


@pytest.mark.parametrize(
    "how", ["newer", "older", "size", "in place with its time kept", "missing", "other names", "no note"]
)
def test_what_changed_is_not_known(two, how):
    notes, names, key = noted(two), ["a", "b"], "x"
    path, before = two / "b", (two / "b").stat()
    if how == "newer":
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns + 1))
    elif how == "older":
        os.utime(path, ns=(0, 0))
    elif how == "size":
        path.write_bytes(b"three")
    elif how == "in place with its time kept":
        time.sleep(0.02)
        path.write_bytes(b"owt")
        os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
        assert (path.stat().st_size, path.stat().st_mtime_ns) == (before.st_size, before.st_mtime_ns)
    elif how == "missing":
        path.unlink()
    elif how == "other names":
        names = ["b", "a"]
    else:
        key = "y"
    assert notes.known(key, names, two) is None


def test_a_file_changed_this_moment_is_not_trusted(tmp_path):
    """It could change again within one tick of the clock, and look the same."""
    (tmp_path / "a").write_bytes(b"one")
    notes = Seen(tmp_path / "notes.json")
    found = notes.read("x", ["a"], tmp_path)
    notes.save()
    again = Seen(tmp_path / "notes.json")
    assert again.known("x", ["a"], tmp_path) is None and json.loads(again.path.read_text())["x"][2] == found


def test_notes_that_nobody_asked_for_are_dropped_and_damaged_ones_are_none(two):
    notes = noted(two)
    notes.read("y", ["a"], two)
    notes.save()
    path = two / "notes.json"
    assert seen.stored(path).keys() == {"y"}
    notes.read("x", ["a", "b"], two)
    for damaged in ("{", "[]", '{"y": [], "x": 1}', "[" * 100_000):
        path.write_text(damaged)
        assert Seen(path).known("y", ["a"], two) is None


def test_of_a_reading_cut_short_the_rest_of_the_notes_is_kept(two):
    notes = noted(two)
    notes.read("y", ["a"], two)
    notes.save(rest=True)
    assert seen.stored(two / "notes.json").keys() == {"x", "y"}
