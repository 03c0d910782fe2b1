"""A tiny stored data set and the training side of one fold on it."""

from contextlib import ExitStack
from pathlib import Path

import numpy as np
import pytest

from refold.core import geometry, intensity, store
from refold.core.cases import Description, Labels
from refold.core.params import Train
from refold.train.fold import Fold


def make_case(folder: Path, name: str, seed: int, shape=(14, 16, 12), channels: int = 1) -> None:
    """A bright ball (label 1) beside a brighter cube (label 2) in noise."""
    rng = np.random.default_rng(seed)
    label = np.zeros(shape, np.uint8)
    grid = np.indices(shape)
    centre = np.array([5, 6, 5])[: len(shape)] + rng.integers(-1, 2, len(shape))
    label[((grid - centre.reshape(-1, *[1] * len(shape))) ** 2).sum(0) <= 9] = 1
    label[tuple(slice(9, 12) for _ in shape)] = 2
    image = rng.normal(0, 0.3, (*shape, channels)).astype(np.float32) + label[..., None]
    record = geometry.record(shape, np.eye(len(shape) + 1))
    foreground = {i: np.argwhere(label == i) for i in (1, 2)}
    store.write(folder, name, image, label, foreground, image[label > 0], record)


@pytest.fixture
def stored(tmp_path):
    folder = tmp_path / "preprocessed"
    folder.mkdir()
    for i in range(6):
        make_case(folder, f"case{i}", i)
    return folder


@pytest.fixture
def fold(stored, tmp_path):
    description = Description(
        "tiny", "raw", 3, ("MR",), ("MR",), Labels((0, 1, 2), ("background", "ball", "cube")), "case"
    )
    with ExitStack() as stack:
        opened = {f"case{i}": stack.enter_context(store.open(stored, f"case{i}")) for i in range(6)}
        yield Fold(
            name="unet",
            fold=0,
            description=description,
            fingerprint={"median": {"shape": [14, 16, 12], "spacing": [1.0, 1.0, 1.0]}},
            training={c: opened[c] for c in ("case0", "case1", "case2", "case3")},
            validation={"case4": opened["case4"]},
            statistics=intensity.fit([], ("zscore",)),
            checkpoint=tmp_path / "checkpoint.npz",
            key="key",
        )


@pytest.fixture
def settings():
    return Train(epochs=3, batch_size=2, patch=[16, 16, 16], learning_rate=0.01, validate_every=2, warmup_epochs=0)
