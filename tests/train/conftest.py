"""A tiny stored data set and the training side of one fold on it."""

import pytest

from refold.settings.train import Train
from tests import folds


@pytest.fixture
def fold(tmp_path):
    with folds.opened(tmp_path) as fold:
        yield fold


@pytest.fixture
def stored(tmp_path):
    folder = tmp_path / "stored"
    folder.mkdir()
    for i in range(6):
        folds.make_case(folder, f"case{i}", i)
    return folder


@pytest.fixture
def settings():
    return Train(epochs=3, batch_size=2, patch=[16, 16, 16], learning_rate=0.01, validate_every=2, warmup_epochs=0)
