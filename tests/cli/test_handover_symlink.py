import pytest

from tests.cli.scenario import play


@pytest.mark.slow
def test_snakemake_and_dvc_never_take_an_old_result_for_a_new_one(classical, tmp_path):
    play(classical, tmp_path, "symlink")
