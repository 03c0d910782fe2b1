"""Postprocessing of label maps, chosen on the training side of a fold."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from scipy import ndimage

from refold.core import log
from refold.imaging.dataset import Labels
from refold.imaging.grid import filled
from refold.imaging.store import Stored
from refold.methods.base import Settings
from refold.methods.derived import Composition
from refold.methods.postprocessing import AUTO_VOXELS, Postprocessing
from refold.predict.models import Model, mean_probabilities
from refold.train.score import Score


@dataclass(frozen=True)
class Operations:
    """What is done to one label's mask, in this order: small components go, the largest alone stays, holes are filled.

    min_size: mm³ (2-D: mm²); 0: none. Components touch by faces, edges or corners; a hole is enclosed by faces.
    """

    min_size: float = 0.0
    largest_component: bool = False
    fill_holes: bool = False

    @property
    def effort(self) -> int:
        """How many there are: of equals, fewer are taken."""
        return bool(self.min_size) + self.largest_component + self.fill_holes

    def kept(self, mask: np.ndarray, voxel: float) -> np.ndarray:
        """The voxels of ``mask`` that stay; ``voxel`` is the size of one in mm³."""
        if not (self.min_size or self.largest_component) or not mask.any():
            return mask
        components, count = ndimage.label(mask, np.ones((3,) * mask.ndim))
        sizes = np.bincount(components.ravel(), minlength=count + 1)
        keep = sizes * voxel >= self.min_size
        if self.largest_component:
            largest = 1 + int(sizes[1:].argmax())  # of equals the first in memory
            keep &= np.arange(count + 1) == largest
        keep[0] = False
        return keep[components]


@dataclass(frozen=True)
class Choice:
    """The operations of each label index, chosen for one fold.

    cases: on which they were chosen. dice: {label index: (before, after)} mean Dice there.
    """

    method: str
    operations: dict[int, Operations]
    cases: tuple[str, ...]
    dice: dict[int, tuple[float, float]]

    def apply(self, indices: np.ndarray, spacing: Sequence[float]) -> np.ndarray:
        """Label indices (x, y[, z]) after the operations; ``spacing`` in mm, one an axis."""
        return apply(indices, self.operations, float(np.prod(spacing)))

    def to_json(self, labels: Labels) -> dict[str, Any]:
        return {
            "method": self.method,
            "cases": list(self.cases),
            "labels": {
                labels.names[i]: {**vars(self.operations[i]), "dice_before": before, "dice_after": after}
                for i, (before, after) in self.dice.items()
            },
        }


def apply(indices: np.ndarray, operations: dict[int, Operations], voxel: float) -> np.ndarray:
    """Do ``operations`` label by label: what goes becomes background, and only background is filled."""
    out = indices.copy()
    for label, todo in operations.items():
        mask = indices == label
        out[mask & ~todo.kept(mask, voxel)] = 0
    for label, todo in operations.items():
        if todo.fill_holes:
            mask = out == label
            out[filled(mask) & (out == 0)] = label
    return out


def dice(predicted: np.ndarray, truth: np.ndarray) -> float:
    """Dice of two masks; 1 where both are empty, so that inventing a label costs and not inventing it pays."""
    total = int(predicted.sum()) + int(truth.sum())
    return 2 * int((predicted & truth).sum()) / total if total else 1.0


def best(
    pairs: Sequence[tuple[np.ndarray, np.ndarray, float]], labels: int, settings: Postprocessing
) -> tuple[dict[int, Operations], dict[int, tuple[float, float]]]:
    """For each foreground label the operations with the best mean Dice, others left as they are.

    Args:
        pairs: (predicted indices, true indices, size of a voxel in mm³) of cases.
        labels: with the background.
        settings: which operations to try, and the least gain.
    """
    sizes = settings.min_size
    if sizes == "auto":  # a case's own voxel would make one operation differ from case to case
        median = float(np.median([voxel for *_, voxel in pairs]))
        sizes = [n * median for n in AUTO_VOXELS]
    candidates = [
        Operations(size, largest, holes)
        for size, largest, holes in itertools.product(
            (0.0, *sizes),
            (False, True)[: 1 + settings.largest_component],
            (False, True)[: 1 + settings.fill_holes],
        )
    ]
    candidates.sort(key=lambda c: (c.effort, c.min_size, c.largest_component))
    chosen, scores = {}, {}
    for label in range(1, labels):
        means = [
            float(np.mean([dice(apply(a, {label: c}, voxel) == label, t == label) for a, t, voxel in pairs]))
            for c in candidates
        ]
        pick = 0
        for i in range(1, len(candidates)):
            more = candidates[i].effort - candidates[pick].effort
            if means[i] > means[pick] and means[i] - means[pick] >= settings.min_gain * (more > 0):
                pick = i
        chosen[label] = replace(candidates[pick])
        scores[label] = (means[0], means[pick])
    return chosen, scores


def cropped(predicted: np.ndarray, truth: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Both label maps in the box of their foreground, in few bytes: many cases are kept at once.

    No operation and no Dice differs: background outside the box reaches the image's border, so no hole lies there. An
    axis of several voxels keeps two, because a single slice's holes are filled within it.
    """
    found = (predicted > 0) | (truth > 0)
    box = ndimage.find_objects(found.astype(np.uint8))[0] if found.any() else (slice(0, 1),) * found.ndim
    firsts = [min(s.start, max(0, n - 2)) for s, n in zip(box, found.shape, strict=True)]
    box = tuple(slice(a, max(a + 2, s.stop)) for a, s in zip(firsts, box, strict=True))
    kind = np.min_scalar_type(max(predicted.max(initial=0), truth.max(initial=0)))
    return predicted[box].astype(kind), truth[box].astype(kind)


def training_side(models: Sequence[Model]) -> tuple[list[str], bool]:
    """Cases of the fold to choose on, and whether the models learnt from them.

    The inner validation that all models share; where they share none, all cases of the training side.
    """
    cards = [m.card["training"] for m in models]
    held = set.intersection(*(set(c["inner_validation"]) for c in cards))
    if held:
        return sorted(held), False
    return sorted(set.intersection(*({*c["cases"], *c["inner_validation"]} for c in cards))), True


def choose(
    methods: Mapping[str, Settings],
    how: Composition,
    models: Sequence[Model],
    opened: Callable[[str], AbstractContextManager[Stored]],
    labels: Labels,
) -> tuple[list[Choice], list[str]]:
    """The postprocessing of a method, chosen fold by fold where several folds' models predict together.

    Args:
        methods: settings of the method and of those that it is made from.
        how: the composition of the method.
        models: that predict; each fold's choose on that fold's own training side.
        opened: opens a preprocessed case.
        labels: of the data set.

    Returns:
        The choices in their order, and a warning for every fallback.
    """
    if not how.postprocessing:
        return [], []
    pairs, cases, warnings, sizes = [], [], [], []
    for fold in sorted({m.card["fold"] for m in models}):
        mine = [m for m in models if m.card["fold"] == fold]
        names, learnt = training_side(mine)
        if learnt:
            text = (
                f"fold {fold}: postprocessing was chosen on cases that the models learnt from; the method has no inner "
                "validation to choose on"
            )
            log.get().warning(text)
            warnings.append(text)
        for name in log.progress(names, f"fold {fold}: predict the training side", len(names)):
            with opened(name) as stored:
                indices = mean_probabilities(mine, stored.image[...]).argmax(-1)
                voxel = float(np.prod(stored.record.stored_spacing))
                pairs.append((*cropped(indices, stored.label[...]), voxel))
                sizes.append(indices.size)
        cases += names
    found = []
    for method in how.postprocessing:
        settings = methods[method]
        assert isinstance(settings, Postprocessing)
        operations, scores = best(pairs, len(labels), settings)
        found.append(Choice(method, operations, tuple(cases), scores))
        pairs = [(apply(a, operations, voxel), t, voxel) for a, t, voxel in pairs]
    score = Score("cases that the postprocessing was chosen on")
    for (indices, truth, _), size in zip(pairs, sizes, strict=True):
        score.compare(indices, truth, len(labels), size - indices.size)
    for text in score.warnings():
        log.get().warning(text)
        warnings.append(text)
    return found, warnings
