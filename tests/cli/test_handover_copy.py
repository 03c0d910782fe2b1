import pytest

from tests.cli import scenario


@pytest.mark.slow
def test_snakemake_and_dvc_never_take_an_old_result_for_a_new_one(classical, tmp_path):
    project, first = scenario.begin(classical, tmp_path, "copy")
    scenario.spoil_an_image(project)
    third = scenario.change(project, first)
    scenario.go_back_and_forth(project, first, third)
    fourth = scenario.experiment(project, third)
    scenario.fail_once(project)
    assert scenario.metrics(project) == fourth
    scenario.clone_elsewhere(project, tmp_path)
