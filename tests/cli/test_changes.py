"""The changes whose notice `tests.cli.changes` works out."""

import pytest

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


def test_the_page_has_every_change_and_none_goes_unnoticed():
    page = changes.on_page()
    assert set(page) == set(changes.ROWS)
    assert [
        (row, column) for row, said in page.items() for column, cell in said.items() if "!" in cell or not cell
    ] == []


@pytest.mark.slow
def test_who_notices_a_change_is_as_the_page_says(classical, tmp_path):
    project = changes.finished(classical, tmp_path / "finished/project")
    found = changes.rows(project, tmp_path, changes.FEW)
    page = changes.on_page()
    assert found == {row: page[row] for row in changes.FEW}
