import pytest

from tests.cli import scenario


@pytest.mark.slow
def test_results_that_are_links_into_the_cache_are_replaced_and_never_written_through(classical, tmp_path):
    project, first = scenario.begin(classical, tmp_path, "symlink")
    third = scenario.change(project, first)
    scenario.go_back_and_forth(project, first, third)
    scenario.fail_once(project)
