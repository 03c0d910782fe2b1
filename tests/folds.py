"""A tiny stored data set and the training side of one fold on it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from pathlib import Path

import numpy as np

from refold.imaging import geometry, intensity, store
from refold.imaging.dataset import Description, Labels
from refold.methods.base import Segmenter, Settings
from refold.settings.augment import Augment
from refold.settings.predict import Predict
from refold.settings.train import Train
from refold.train.fold import Fold

SHAPE = (14, 16, 12)


def create(
    settings: Settings, train: Train | None = None, augment: Augment | None = None, predict: Predict | None = None
) -> Segmenter:
    """A method as a job makes it: a network by the sections with its own changes."""
    train, augment = train or Train(), augment or Augment()
    if settings.network:
        train, augment = settings.train.apply_to(train), settings.augment.apply_to(augment)
    return settings.segmenter(train, augment, predict or Predict())


def make_case(folder: Path, name: str, seed: int, shape: Sequence[int] = SHAPE, channels: int = 1) -> None:
    """A bright ball (label 1) beside a brighter cube (label 2) in noise; in 2-D a disc and a square."""
    rng = np.random.default_rng(seed)
    label = np.zeros(shape, np.uint8)
    grid = np.indices(shape)
    single = np.array(shape) == 1  # a slice through both
    centre = np.where(single, 0, np.array([5, 6, 5])[: len(shape)] + rng.integers(-1, 2, len(shape)))
    label[((grid - centre.reshape(-1, *[1] * len(shape))) ** 2).sum(0) <= 9] = 1
    label[tuple(slice(0, 1) if one else slice(9, 12) for one in single)] = 2
    image = rng.normal(0, 0.3, (*shape, channels)).astype(np.float32) + label[..., None]
    record = geometry.record(tuple(shape), np.eye(len(shape) + 1))
    foreground = {i: np.argwhere(label == i) for i in (1, 2)}
    store.write(folder, name, image, label, foreground, image[label > 0], record)


@contextmanager
def opened(
    folder: Path,
    training: int = 4,
    validation: int = 1,
    shape: Sequence[int] = SHAPE,
    channels: int = 1,
    patients: dict[str, str] | None = None,
) -> Iterator[Fold]:
    """Fold 0 of ``training`` cases and ``validation`` cases of the inner validation, made in ``folder``.

    Each case is a patient of its own unless ``patients`` tells.
    """
    cases = folder / "preprocessed"
    cases.mkdir(parents=True, exist_ok=True)
    names = [f"case{i}" for i in range(training + validation)]
    for i, name in enumerate(names):
        make_case(cases, name, i, shape, channels)
    modes = ("MR",) * channels
    labels = Labels((0, 1, 2), ("background", "ball", "cube"))
    with ExitStack() as stack:
        found = {name: stack.enter_context(store.open(cases, name)) for name in names}
        yield Fold(
            name="unet",
            fold=0,
            description=Description("tiny", "raw", len(shape), modes, modes, labels, "case"),
            fingerprint={"median": {"shape": list(shape), "spacing": [1.0] * len(shape)}},
            training={n: found[n] for n in names[:training]},
            validation={n: found[n] for n in names[training:]},
            patients=patients or {n: n for n in names},
            statistics=intensity.fit([], ("zscore",) * channels),
            checkpoint=folder / "checkpoint.npz",
            key="key",
        )
