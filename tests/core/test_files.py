import csv
import io
import math
import os
import signal
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from refold.core import files
from refold.core.errors import RefoldError

WORKFLOW = Path(__file__).resolve().parents[2] / "workflow"


def test_atomic_replaces_and_leaves_nothing_behind(tmp_path):
    target = tmp_path / "new" / "a.nii.gz"
    with files.atomic(target) as temporary:
        assert temporary.parent == target.parent and temporary.name.endswith("-a.nii.gz")
        temporary.write_bytes(b"one")
        assert not target.exists()
    assert target.read_bytes() == b"one"
    with files.atomic(target) as temporary:
        temporary.write_bytes(b"two")
        assert target.read_bytes() == b"one"
    assert target.read_bytes() == b"two"
    assert [p.name for p in target.parent.iterdir()] == ["a.nii.gz"]


def test_atomic_keeps_the_old_file_when_the_block_fails(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    with pytest.raises(ZeroDivisionError), files.atomic(target) as temporary:
        temporary.write_text("half")
        _ = 1 / 0
    assert target.read_text() == "old"
    assert list(tmp_path.iterdir()) == [target]


def test_a_failed_first_write_leaves_no_file(tmp_path):
    with pytest.raises(KeyboardInterrupt), files.atomic(tmp_path / "a.txt") as temporary:
        temporary.write_text("half")
        raise KeyboardInterrupt
    assert list(tmp_path.iterdir()) == []


def test_a_killed_process_leaves_the_old_file(tmp_path):
    target = tmp_path / "a.txt"
    target.write_text("old")
    program = (
        "import sys, time\nfrom refold.core import files\n"
        "with files.atomic(sys.argv[1]) as temporary:\n"
        "    temporary.write_text('half')\n    print('written', flush=True)\n    time.sleep(60)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", program, str(target)],
        env={**os.environ, "PYTHONPATH": str(WORKFLOW)},
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout.readline() == "written\n"
    process.send_signal(signal.SIGKILL)
    process.wait()
    assert target.read_text() == "old"
    # what a killed process leaves is hidden and never taken for a result
    assert [p.name for p in tmp_path.iterdir() if not p.name.startswith(".tmp-")] == ["a.txt"]


@pytest.mark.parametrize(("umask", "mode"), [(0o022, 0o644), (0o027, 0o640), (0o077, 0o600)])
def test_permissions_are_those_of_an_ordinary_file(tmp_path, umask, mode):
    """A temporary file is private; the result must be as readable as what `open` makes."""
    before = os.umask(umask)
    try:
        files.write_text(tmp_path / "a.txt", "x")
        assert os.umask(umask) == umask
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "a.txt").stat().st_mode) == mode


def test_text_is_utf8_with_plain_line_ends(tmp_path):
    files.write_text(tmp_path / "a.txt", "größer\n海马\n")
    assert (tmp_path / "a.txt").read_bytes() == "größer\n海马\n".encode()


def test_json_is_sorted_and_refuses_nan(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"b": [1, 2.5], "a": "é"})
    assert path.read_text(encoding="utf-8") == '{\n  "a": "é",\n  "b": [\n    1,\n    2.5\n  ]\n}\n'
    assert files.read_json(path) == {"a": "é", "b": [1, 2.5]}
    with pytest.raises(ValueError, match="Out of range float"):
        files.write_json(path, {"a": math.nan})
    assert files.read_json(path) == {"a": "é", "b": [1, 2.5]}
    assert list(tmp_path.iterdir()) == [path]


def test_reading_what_is_not_there_or_damaged(tmp_path):
    for read in (files.read_json, files.read_csv):
        with pytest.raises(RefoldError, match=r"none\.x is missing"):
            read(tmp_path / "none.x")
    (tmp_path / "a.json").write_text('{"a": 1')
    with pytest.raises(RefoldError, match=r"a\.json is not valid JSON: Expecting"):
        files.read_json(tmp_path / "a.json")


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (3, "3"),
        (np.int16(-3), "-3"),
        (np.uint8(200), "200"),
        (3.0, "3.000000"),
        (1 / 3, "0.333333"),
        (np.float32(0.1), "0.100000"),
        (2 / 3, "0.666667"),
        (-1e-9, "0.000000"),
        (-0.0, "0.000000"),
        (123456.7891234, "123456.789123"),
        (math.nan, "nan"),
        (np.float64("nan"), "nan"),
        (math.inf, "inf"),
        (None, ""),
    ],
)
def test_numbers_have_one_format(value, text):
    assert files.number(value) == text


def test_csv_bytes(tmp_path):
    path = tmp_path / "a.csv"
    files.write_csv(path, ["case", "n", "dice"], [{"case": 'a,"b"', "n": 2, "dice": 0.5, "more": 1}, _row("é", 0)])
    assert path.read_bytes() == 'case,n,dice\n"a,""b""",2,0.500000\né,0,nan\n'.encode()
    assert files.read_csv(path) == [
        {"case": 'a,"b"', "n": "2", "dice": "0.500000"},
        {"case": "é", "n": "0", "dice": "nan"},
    ]
    with pytest.raises(KeyError):  # a column that a row lacks is a defect, not an empty cell
        files.write_csv(path, ["case", "x"], [{"case": "a"}])


def _row(case: str, n: int) -> dict:
    return {"case": case, "n": n, "dice": math.nan}


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n")), min_size=1, max_size=4))
def test_csv_keeps_any_text(tmp_path_factory, cells):
    path = tmp_path_factory.getbasetemp() / "any.csv"
    columns = [f"c{i}" for i in range(len(cells))]
    files.write_csv(path, columns, [dict(zip(columns, cells, strict=True))])
    if cells != [""]:  # a row of one empty cell is an empty line
        assert files.read_csv(path) == [dict(zip(columns, cells, strict=True))]
    assert next(csv.reader(io.StringIO(path.read_text(encoding="utf-8")))) == columns


def test_hash_of_a_file(tmp_path):
    (tmp_path / "a").write_bytes(b"abc")
    # FIPS 180-2, appendix B.1
    assert files.sha256_file(tmp_path / "a") == "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad"


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False, allow_infinity=False) | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=3), inner, max_size=4),
    max_leaves=10,
)


def _reversed(value):
    if isinstance(value, dict):
        return {k: _reversed(v) for k, v in reversed(value.items())}
    return [_reversed(v) for v in value] if isinstance(value, list) else value


@given(json_values)
def test_hash_of_json_does_not_depend_on_the_order_of_keys(value):
    assert files.sha256_json(value) == files.sha256_json(_reversed(value))


def test_hash_of_json_depends_on_everything_else():
    values = [{"a": 1}, {"a": 2}, {"a": "1"}, {"a": [1]}, {"b": 1}, {"a": 1.5}, {"a": None}, [1, 2], [2, 1], {}, []]
    assert len({files.sha256_json(v) for v in values}) == len(values)
    with pytest.raises(ValueError, match="Out of range float"):
        files.sha256_json({"a": math.nan})


def test_an_error_without_a_number_keeps_its_text(tmp_path):
    """A file name added to it would make ``[Errno None] None: path`` of its text."""
    with pytest.raises(OSError) as caught, files.atomic(tmp_path / "a.h5"):
        raise OSError("the file is locked")
    assert str(caught.value) == "the file is locked"
    with pytest.raises(OSError) as caught, files.atomic(tmp_path / "a.h5"):
        raise OSError(28, "full")
    assert str(caught.value) == f"[Errno 28] full: '{tmp_path / 'a.h5'}'"


def test_concurrent_writers_leave_one_whole_file(tmp_path):
    from concurrent.futures import ThreadPoolExecutor

    target = tmp_path / "a.txt"

    def write(i: int) -> None:
        with files.atomic(target) as temporary:
            temporary.write_text(str(i) * 1000)
            time.sleep(0.001)

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(write, [i % 10 for i in range(40)]))
    text = target.read_text()
    assert len(text) == 1000 and len(set(text)) == 1
    assert list(tmp_path.iterdir()) == [target]


@pytest.mark.parametrize(
    ("value", "scale", "expected"),
    [
        (1.25, None, "1.250000"),
        (0.0, None, "0.000000"),
        (0.000123456789, None, "0.000123457"),
        (-0.0000008, None, "-0.000000800000"),
        (math.nan, None, "nan"),
        (math.nan, 1.0, "nan"),
        (1e-19, 0.002, "0.00000000000"),  # what is left where values cancel
        (0.00012, 0.002, "0.000120000"),
        (-1e-19, 3.0, "0.00000000"),
    ],
)
def test_significant_digits(value, scale, expected):
    assert files.significant(value, scale) == expected


def test_json_of_the_same_content_is_left_alone_if_asked(tmp_path):
    path = tmp_path / "a.json"
    files.write_json(path, {"a": "ü"}, if_changed=True)
    os.utime(path, ns=(1, 1))
    files.write_json(path, {"a": "ü"}, if_changed=True)
    assert path.stat().st_mtime_ns == 1
    path.write_bytes(b"\xff{")  # damaged
    files.write_json(path, {"a": "ü"}, if_changed=True)
    assert files.read_json(path) == {"a": "ü"} and path.stat().st_mtime_ns != 1
    os.utime(path, ns=(1, 1))
    files.write_json(path, {"a": "ü"})
    assert path.stat().st_mtime_ns != 1
