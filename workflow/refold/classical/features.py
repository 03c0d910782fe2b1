"""What a voxel looks like, in numbers: intensity, smoothed intensity, edges, ridges and blobs, and place."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from scipy import ndimage
from skimage.feature import hessian_matrix_eigvals

from refold.core import rng
from refold.train.fold import Fold


def features(image: np.ndarray, sigmas: Sequence[float], position: bool) -> np.ndarray:
    """Features (voxels, count) float32 of an image (x, y[, z], channels), voxels in memory's order.

    For each channel: the intensity, and for each sigma (in voxels) the Gaussian-smoothed intensity, the magnitude of
    its gradient, and the eigenvalues of its Hessian, largest first, by which Frangi et al. (1998) tell tubes, sheets
    and blobs. With ``position`` also the place along each axis, from -1 to 1.

    >>> features(np.zeros((4, 5, 6, 1), np.float32), sigmas=(1.0, 2.0), position=True).shape  # 1 + 2 * 5 + 3
    (120, 14)
    """
    found = []
    axes = range(image.ndim - 1)
    for c in range(image.shape[-1]):
        channel = np.asarray(image[..., c], np.float64)
        found.append(channel)
        for sigma in sigmas:

            def derived(*order: int, sigma: float = sigma, channel: np.ndarray = channel) -> np.ndarray:
                times = [order.count(a) for a in axes]
                # cut earlier, the Hessian's kernel would respond to plain intensity
                return ndimage.gaussian_filter(channel, sigma, times, mode="nearest", truncate=4.5)

            found.append(derived())
            found.append(np.sqrt(sum(derived(a) ** 2 for a in axes)))
            # by scale, or coarse ones would vanish beside fine ones (Lindeberg 1998)
            hessian = [sigma**2 * derived(a, b) for a in axes for b in axes if a <= b]
            found += list(hessian_matrix_eigvals(hessian))
    if position:
        found += np.meshgrid(*(np.linspace(-1, 1, n) if n > 1 else [0.0] for n in image.shape[:-1]), indexing="ij")
    return np.stack([f.ravel() for f in found], -1).astype(np.float32)


@dataclass(frozen=True)
class Look:
    """Which voxels teach a classifier, and what of them it sees.

    samples: voxels of each training case. balance: see `Sample`. sigmas: scales of the features, in voxels. position:
    whether the place in the image is a feature. seed: of the sample and of the classifier.
    """

    samples: int = 2000
    balance: float = 0.5
    sigmas: Sequence[float] = (1.0, 2.0, 4.0)
    position: bool = True
    seed: int = 1

    def features(self, image: np.ndarray) -> np.ndarray:
        """`features` of an image by these settings."""
        return features(image, self.sigmas, self.position)


@dataclass(frozen=True)
class Sample:
    """Voxels drawn from the training cases.

    Attributes:
        cases: by case features (n, count), label indices (n,), and of how many voxels (labels,) they were drawn.
        balance: with 0 each label weighs as many voxels as the cases have of it, with 1 all labels weigh the same, in
            between the product of both to these powers.
    """

    cases: dict[str, tuple[np.ndarray, np.ndarray, np.ndarray]]
    balance: float

    @classmethod
    def draw(cls, fold: Fold, look: Look) -> Sample:
        """Of each training case ``look.samples`` voxels, as many of each label that it has, as far as there are.

        The draw is a function of seed, fold and case.
        """
        cases = {}
        for name, case in sorted(fold.training.items()):
            label = case.label[...].ravel().astype(np.intp)
            sizes = np.bincount(label, minlength=fold.labels)
            generator = rng.generator(look.seed, "voxels", fold.fold, name)
            each = max(1, look.samples // int((sizes > 0).sum()))
            chosen = []
            for i in np.flatnonzero(sizes):
                where = np.flatnonzero(label == i)
                chosen.append(generator.choice(where, min(each, len(where)), replace=False))
            rows = np.sort(np.concatenate(chosen))
            x = look.features(fold.image(case))[rows]
            cases[name] = x, label[rows], sizes
        return cls(cases, look.balance)

    def of(self, names: Iterable[str] | None = None) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Those of some cases, or of all: features (n, count), label indices (n,), weights (n,) of mean 1."""
        parts = [self.cases[n] for n in sorted(self.cases if names is None else names)]
        x, truth, total = (np.concatenate(p) for p in zip(*((x, y, s[None]) for x, y, s in parts), strict=True))
        total = total.sum(0)
        taken = np.bincount(truth, minlength=len(total))
        present = taken > 0
        factor = np.zeros(len(total))
        # a label's weight: its voxels to the power 1 - balance, shared among those that were taken
        factor[present] = total[present] ** (1.0 - self.balance) / taken[present]
        weight = factor[truth]
        return x, truth, weight / weight.mean()


DRAWS = 50  # of which one is taken that leaves no label out on either side


def parted(fold: Fold, share: float, seed: int) -> tuple[list[str], list[str]]:
    """Training cases to learn from, and others to choose a setting on: all scans of ``share`` of the patients.

    At least one patient is on each side; a single patient's cases are on both. Of several draws the first is taken that
    has every label on both sides, or else the one that lacks fewest. The draw is a function of seed, fold and patients.
    """
    names = sorted(fold.training)
    patients = sorted({fold.patients[n] for n in names})
    if len(patients) == 1:
        return names, names
    count = min(max(1, round(share * len(patients))), len(patients) - 1)
    present = {n: set(np.unique(fold.training[n].label[...]).tolist()) for n in names}
    generator = rng.generator(seed, "choosing", fold.fold)
    best: tuple[int, list[str], list[str]] | None = None
    for _ in range(DRAWS):
        chosen = set(generator.permutation(patients)[:count].tolist())
        sides = [n for n in names if fold.patients[n] not in chosen], [n for n in names if fold.patients[n] in chosen]
        missing = sum(fold.labels - len(set.union(*(present[n] for n in side))) for side in sides)
        if best is None or missing < best[0]:
            best = missing, *sides
        if not missing:
            break
    assert best is not None
    return best[1], best[2]
