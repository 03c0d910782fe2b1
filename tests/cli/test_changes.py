"""The changes whose notice `tests.cli.changes` works out."""

from tests.cli import changes


def test_a_change_leaves_a_file_that_its_readers_take(tmp_path):
    path = tmp_path / "a.json"
    for way in changes.WAYS.values():
        path.write_text('{"n": 12}')
        before = path.stat()
        changes.change(path, way)
        after = path.stat()
        assert path.read_text().rstrip("\n") == '{"n": 13}'
        assert after.st_size - before.st_size == way.longer
        assert (after.st_ino != before.st_ino) is way.replaced
        shift = after.st_mtime_ns - before.st_mtime_ns
        assert shift == way.shift if way.shift is not None else shift > 0
