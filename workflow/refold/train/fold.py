"""What a method may learn from: one fold's training cases, opened lazily, and what is known of the data set."""

from __future__ import annotations

import resource
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from refold.core import rng
from refold.core.errors import RefoldError
from refold.core.words import quoted
from refold.imaging import intensity, store
from refold.imaging.dataset import Description
from refold.imaging.intensity import Statistics
from refold.imaging.store import Stored


@dataclass(frozen=True)
class Fold:
    """One fold's training side.

    training: open cases that teach. validation: open cases of the inner validation, disjoint from training by patient;
    both come from the fold's training cases. patients: of each of them. statistics: learnt from ``training`` alone.
    """

    name: str
    fold: int
    description: Description
    fingerprint: dict[str, Any]
    training: dict[str, Stored]
    validation: dict[str, Stored]
    patients: dict[str, str]
    statistics: Statistics
    checkpoint: Path
    key: str

    @property
    def labels(self) -> int:
        return len(self.description.labels)

    def unseen(self) -> list[str]:
        """A warning where labels are in no case that teaches: whatever is learnt, it cannot be these."""
        names = self.description.labels.foreground
        taught, held = (
            {i for case in cases.values() for i in case.labels} for cases in (self.training, self.validation)
        )
        lacking = [(i, name) for i, name in enumerate(names, start=1) if i not in taught]
        if not lacking:
            return []
        aside = [name for i, name in lacking if i in held]
        more = f"; the inner validation shows {quoted(aside)}, which teaches nothing" if aside else ""
        any_, them = ("any of ", "them") if len(lacking) > 1 else ("", "it")
        told = f"no training case shows {any_}{quoted(name for _, name in lacking)}"
        return [f"{told}: this fold could not learn {them}{more}"]

    def image(self, case: Stored) -> np.ndarray:
        """The whole normalised image (x, y[, z], channels) float32."""
        return intensity.apply(case.image[...], self.statistics)

    def priors(self) -> list[float]:
        """Share of the training voxels that each label has, background first."""
        counts = np.zeros(self.labels)
        for case in self.training.values():
            counts += np.bincount(case.label[...].ravel(), minlength=self.labels)[: self.labels]
        return (counts / counts.sum()).tolist()


def inner_validation(cases: list[str], patients: dict[str, str], fraction: float, seed: int, fold: int) -> list[str]:
    """Training cases set aside: all scans of a random ``fraction`` of the patients, at least one patient.

    Raises:
        RefoldError: nothing would be left to train on.
    """
    if fraction == 0:
        return []
    names = sorted({patients[c] for c in cases})
    count = max(1, round(fraction * len(names)))
    if count >= len(names):
        raise RefoldError(
            f"train.validation_fraction: {fraction:g} of {len(names)} training patients leaves none to train on"
        )
    chosen = set(rng.generator(seed, "inner validation", fold).permutation(names)[:count].tolist())
    return [c for c in cases if patients[c] in chosen]


def _allow_files(count: int) -> None:
    """Raise the limit of open files where the system allows it: every training case stays open."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = count + 256
    if soft != resource.RLIM_INFINITY and soft < wanted:
        if hard != resource.RLIM_INFINITY and hard < wanted:
            raise RefoldError(
                f"{count} training cases need {wanted} open files, this system allows {hard}; raise it (ulimit -n)"
            )
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


@contextmanager
def open_fold(
    name: str,
    number: int,
    folder: str | Path,
    splits: dict[str, Any],
    description: Description,
    fingerprint: dict[str, Any],
    validation_fraction: float,
    seed: int,
    checkpoint: str | Path,
    key: str,
) -> Iterator[Fold]:
    """Open the training side of fold ``number``; never touches the fold's test cases or the held-out ones."""
    entry = next((f for f in splits["folds"] if f["fold"] == number), None)
    if entry is None:
        known = ", ".join(str(f["fold"]) for f in splits["folds"])
        raise RefoldError(f"results/splits.json has no fold {number}; it has {known}")
    held = inner_validation(entry["train"], splits["patients"], validation_fraction, seed, number)
    _allow_files(len(entry["train"]))
    with ExitStack() as stack:
        opened = {
            c: stack.enter_context(store.open(folder, c, fingerprint["cases"][c]["sha256"]))
            for c in sorted(entry["train"])
        }
        training = {c: s for c, s in opened.items() if c not in held}
        modes = tuple(fingerprint["normalisation"])
        statistics = intensity.fit([s.intensities for s in training.values()] if "ct" in modes else [], modes)
        yield Fold(
            name=name,
            fold=number,
            description=description,
            fingerprint=fingerprint,
            training=training,
            validation={c: opened[c] for c in held},
            patients={c: splits["patients"][c] for c in opened},
            statistics=statistics,
            checkpoint=Path(checkpoint),
            key=key,
        )
