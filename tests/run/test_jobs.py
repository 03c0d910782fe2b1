import pytest

from refold.run import jobs


def test_resources_double_with_each_attempt():
    memory = jobs.growing(4000)
    assert [memory(None, attempt=n) for n in (1, 2, 3)] == [4000, 8000, 16000]


@pytest.mark.parametrize("cards, expected", [("0", True), ("0,1", True), ("", False), ("NoDevFiles", False)])
def test_in_a_slurm_job_only_a_card_that_was_given_counts(monkeypatch, cards, expected):
    monkeypatch.setenv("SLURM_JOB_ID", "1")
    monkeypatch.setenv("CUDA_VISIBLE_DEVICES", cards)
    assert jobs.has_gpu() is expected
    monkeypatch.delenv("CUDA_VISIBLE_DEVICES")
    assert jobs.has_gpu() is False
