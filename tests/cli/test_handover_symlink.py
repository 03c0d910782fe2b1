import hashlib

import pytest

from tests.cli import scenario


@pytest.mark.slow
def test_results_that_are_links_into_the_cache_are_replaced_and_never_written_through(classical, tmp_path):
    project, first = scenario.begin(classical, tmp_path, "symlink")
    scenario.change(project, first)
    project.git("checkout", "--quiet", "HEAD~2")
    project.dvc("checkout")
    assert not project.fresh() and scenario.metrics(project) == first
    cached = [p for p in (project.folder / ".dvc/cache/files/md5").rglob("*") if p.is_file()]
    assert len(cached) > 50
    for path in cached:  # each is named by what is in it
        digest = hashlib.md5(path.read_bytes()).hexdigest()
        assert path.parent.name + path.name.removesuffix(".dir") == digest, path
