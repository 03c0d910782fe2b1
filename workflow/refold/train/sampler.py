"""Which patches an epoch consists of, and their preparation beside the training step.

Every draw is a function of (seed, fold, epoch, case, how often the case came before in the epoch), so that neither
the order of preparation nor the number of workers changes a patch.
"""

from __future__ import annotations

import math
import time
from collections import Counter, deque
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np

from refold.core import rng
from refold.imaging import intensity
from refold.imaging.intensity import Statistics
from refold.imaging.store import Stored
from refold.train.augment import Augmenter


class Normalised:
    """An image that is sliced lazily and normalised by the fold's statistics on the way out."""

    def __init__(self, image, statistics: Statistics, slice_z: int | None = None):
        self._image, self._statistics, self._z = image, statistics, slice_z
        shape = image.shape
        self.shape = shape if slice_z is None else (*shape[:2], shape[-1])

    def __getitem__(self, key):
        if self._z is not None:
            key = (*(key if isinstance(key, tuple) else (key,)),)
            key = (*key[:2], *[slice(None)] * (2 - len(key)), self._z, *key[2:])
        return intensity.apply(self._image[key], self._statistics)


@dataclass(frozen=True)
class Plane:
    """One slice of a label volume, sliced lazily."""

    label: Any
    z: int

    @property
    def shape(self) -> tuple[int, ...]:
        return self.label.shape[:2]

    def __getitem__(self, key):
        key = key if isinstance(key, tuple) else (key,)
        return self.label[(*key[:2], *[slice(None)] * (2 - len(key)), self.z)]


@dataclass(frozen=True)
class Sampler:
    """Patches of the training cases of one fold.

    cases: open stored cases by id. patch: voxels, as many axes as the network has. statistics: of the fold.
    """

    cases: Mapping[str, Stored]
    statistics: Statistics
    augmenter: Augmenter
    patch: Sequence[int]
    batch_size: int
    samples_per_epoch: int
    foreground_fraction: float
    seed: int
    fold: int

    @property
    def steps(self) -> int:
        """Steps an epoch: the samples asked for, rounded up to whole batches."""
        return math.ceil(self.samples_per_epoch / self.batch_size)

    def order(self, epoch: int) -> list[tuple[str, int]]:
        """(case, how often it came before) for each sample of an epoch; every case once before any comes again."""
        names, wanted = sorted(self.cases), self.steps * self.batch_size
        generator = rng.generator(self.seed, "order", self.fold, epoch)
        drawn: list[str] = []
        while len(drawn) < wanted:
            drawn += [names[i] for i in generator.permutation(len(names))]
        seen: Counter[str] = Counter()
        result = []
        for case in drawn[:wanted]:
            result.append((case, seen[case]))
            seen[case] += 1
        return result

    def sample(self, epoch: int, case: str, repeat: int) -> tuple[np.ndarray, np.ndarray]:
        """One augmented patch: (x, y[, z], channels) float32 and (x, y[, z]) uint8."""
        generator = rng.generator(self.seed, "patch", self.fold, epoch, case, repeat)
        stored = self.cases[case]
        draw = self.augmenter.draw(generator, stored.label.shape[: len(self.patch)])
        centre = self._centre(stored, generator)
        z = None
        if len(self.patch) < stored.label.ndim:
            z = int(centre[2])
        label = stored.label if z is None else Plane(stored.label, z)
        image = Normalised(stored.image, self.statistics, z)
        return self.augmenter.sample(image, label, centre[: len(self.patch)], self.patch, draw, generator)

    def _centre(self, stored: Stored, generator: np.random.Generator) -> np.ndarray:
        shape = np.array(stored.label.shape)
        patch = np.array([*self.patch, *[1] * (len(shape) - len(self.patch))])
        # half patch sizes keep the unturned patch inside the volume
        low, high = (patch - 1) / 2, shape - 1 - (patch - 1) / 2
        position, forced = generator.random(len(shape)), generator.random() < self.foreground_fraction
        which, point = generator.random(2)
        if forced and stored.labels:
            points = stored.foreground(stored.labels[int(which * len(stored.labels))])
            wished = points[int(point * len(points))].astype(float)
        else:
            wished = low + position * np.maximum(high - low, 0)
            # a slice is a whole number
            wished[len(self.patch) :] = np.floor(position[len(self.patch) :] * shape[len(self.patch) :])
        middle = (shape - 1) / 2
        inside = np.where(high >= low, np.clip(wished, low, np.maximum(high, low)), middle)
        inside[len(self.patch) :] = wished[len(self.patch) :]
        return inside

    def batch(self, epoch: int, step: int, order: Sequence[tuple[str, int]]) -> tuple[np.ndarray, np.ndarray]:
        pairs = [self.sample(epoch, *item) for item in order[step * self.batch_size : (step + 1) * self.batch_size]]
        return np.stack([p[0] for p in pairs]), np.stack([p[1] for p in pairs])


class Feed:
    """Batches of an epoch in their order, prepared ahead by threads; measures how long the training step waited."""

    def __init__(self, sampler: Sampler, workers: int = 1, ahead: int = 4):
        self.sampler = sampler
        self.ahead = ahead
        self.pool = ThreadPoolExecutor(workers) if workers else None
        self.waited = 0.0

    def epoch(self, epoch: int) -> Iterator[tuple[np.ndarray, np.ndarray]]:
        order = self.sampler.order(epoch)
        if self.pool is None:
            for step in range(self.sampler.steps):
                start = time.monotonic()
                batch = self.sampler.batch(epoch, step, order)
                self.waited += time.monotonic() - start
                yield batch
            return
        queue: deque = deque()
        todo = iter(range(self.sampler.steps))
        for step in todo:
            queue.append(self.pool.submit(self.sampler.batch, epoch, step, order))
            if len(queue) >= self.ahead:
                break
        while queue:
            start = time.monotonic()
            batch = queue.popleft().result()
            self.waited += time.monotonic() - start
            if (following := next(todo, None)) is not None:
                queue.append(self.pool.submit(self.sampler.batch, epoch, following, order))
            yield batch

    def close(self) -> None:
        if self.pool is not None:
            self.pool.shutdown(wait=True, cancel_futures=True)
