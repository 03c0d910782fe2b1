"""The classical baseline: multi-level Otsu thresholds of one channel, with labels learnt from the training cases.

It says how far intensity alone goes. A method that does not beat it has learnt no shape and no place.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
from skimage.filters import threshold_multiotsu

from refold.core.errors import RefoldError
from refold.core.files import read_json, write_json
from refold.train.fold import Fold
from refold.train.score import Score
from refold.train.segmenter import Segmenter

BINS = 256
BINS_OF_FIVE = 128  # the search takes BINS ** (classes - 1) / (classes - 1)! steps
PERCENTILES = (0.5, 99.5)
KEPT = (
    "classes", "channel", "labels", "assignment", "frequencies", "training_dice", "training_cases",
)  # fmt: skip


class ThresholdSegmenter(Segmenter):
    """Multi-level Otsu (Otsu 1979; Liao, Chen and Chung 2001) a case, and one label for each intensity class.

    The thresholds are found anew in every case, on its own non-zero voxels, so that scanners may differ in scale.
    Intensities are clipped to their 0.5 and 99.5 percentiles first: one hot voxel would use up the histogram's bins.
    Voxels of value zero are outside the body and always background.

    Which class means which label is learnt: of all labels ** classes assignments the one with the highest Dice,
    averaged over the training cases in which a label or its prediction is present, then over the foreground labels.
    Plain label frequencies would predict background nearly everywhere: it is the largest part of every class.
    A label without a class of its own is never predicted. One class at least is background, unless the zero voxels
    alone are the better background: a spare label would win more than the mean over the foreground loses, and the
    whole image be foreground.

    Attributes after `fit`:
        assignment: label index of each class, darkest class first.
        frequencies: (classes, labels) share of each label among a class's training voxels, for information.
        training_dice: the mean Dice of the assignment, which was chosen on the same cases.
        warnings: one line for every fallback, in `fit` and in every later `predict_proba`.
    """

    def __init__(self, classes: int, channel: int):
        super().__init__()
        if classes < 2 or channel < 0:
            raise RefoldError(
                f"threshold method: classes {classes}, channel {channel}; at least 2 classes and channel 0 are needed"
            )
        self.classes, self.channel, self.labels = classes, channel, 0
        self.assignment: list[int] | None = None
        self.frequencies: list[list[float]] = []
        self.training_dice = 0.0
        self.training_cases = 0

    def fit(self, fold: Fold) -> dict[str, Any]:
        """Learn the label of each class.

        Raises:
            RefoldError: no usable case, the channel or a label is out of range, or shapes differ.
        """
        cases = ((fold.image(s), s.label[...]) for s in fold.training.values())
        self.learn(cases, fold.labels, list(fold.training))
        return {"training_dice": round(self.training_dice, 6)}

    def learn(
        self, cases: Iterable[tuple[np.ndarray, np.ndarray]], labels: int, names: Sequence[str] | None = None
    ) -> ThresholdSegmenter:
        """`fit` for pairs of an image (x, y[, z], channels) and its label indices; ``names``: of the cases."""
        if labels < 2:
            raise RefoldError(f"threshold method: {labels} labels; at least 2, background included, are needed")
        self.labels = labels
        tables = []
        for i, (image, label) in enumerate(cases):
            label, name = np.asarray(label), names[i] if names else i + 1
            if image.shape[:-1] != label.shape:
                raise RefoldError(
                    f"training case {name}: image {image.shape[:-1]} and label {label.shape} differ in shape"
                )
            if label.max(initial=0) >= self.labels:
                raise RefoldError(
                    f"training case {name} has label index {label.max()}; indices are 0 to {self.labels - 1}"
                )
            classes = self._classify(image, f"training case {name}: left out")
            if classes is not None:
                # Row 0 counts the zero voxels, which are background whatever is learnt.
                pairs = np.ravel_multi_index((classes.ravel(), label.ravel()), (self.classes + 1, self.labels))
                tables.append(np.bincount(pairs, minlength=(self.classes + 1) * self.labels).reshape(-1, self.labels))
        if not tables:
            raise RefoldError(
                f"threshold method: no training case has {self.classes} different intensities in channel "
                f"{self.channel}; choose another channel or fewer classes in params.yaml (methods)"
            )
        counts = np.array(tables)
        self.assignment, self.training_dice = _best_assignment(counts)
        self.score = Score("training cases")
        for table in counts:
            predicted = np.eye(self.labels)[[0, *self.assignment]]
            self.score.add(table.T @ predicted)
        total = counts.sum(axis=0)[1:]
        self.frequencies = (total / np.maximum(total.sum(axis=1, keepdims=True), 1)).tolist()
        self.training_cases = len(tables)
        return self

    def predict_proba(self, image: np.ndarray) -> np.ndarray:
        """One-hot decision (x, y[, z], labels) float32 for ``image`` (x, y[, z], channels); no calibrated probability.

        An image with fewer different intensities than classes is all background, which goes to `warnings`.
        """
        if self.assignment is None:
            raise RefoldError("threshold method: predict_proba before fit or load")
        classes = self._classify(image, "predicted as background")
        if classes is None:
            classes = np.zeros(image.shape[:-1], np.intp)
        return np.eye(self.labels, dtype=np.float32)[np.array([0, *self.assignment])[classes]]

    def save(self, folder: Path) -> None:
        """Write the fitted model as JSON."""
        if self.assignment is None:
            raise RefoldError("threshold method: save before fit")
        write_json(folder / self.file, {"kind": "threshold", **{name: getattr(self, name) for name in KEPT}})

    def load(self, folder: Path, card: dict[str, Any]) -> None:
        """Read what `save` wrote. Raises `RefoldError` when the file is missing or no threshold model."""
        path = folder / self.file
        value = read_json(path)
        try:
            for name in KEPT:
                setattr(self, name, value[name])
            assignment = value["assignment"]
            valid = value["kind"] == "threshold" and len(assignment) == self.classes
            valid = valid and all(0 <= label < self.labels for label in assignment)
        except (KeyError, TypeError):
            valid = False
        if not valid:
            raise RefoldError(f"{path} holds no threshold model of this version; train it again")

    def _classify(self, image: np.ndarray, otherwise: str) -> np.ndarray | None:
        """Class 1..classes of each voxel, darkest first, 0 where the image is 0; None, with a warning, on failure."""
        if self.channel >= image.shape[-1]:
            raise RefoldError(
                f"threshold method: channel {self.channel} of an image with {image.shape[-1]}; "
                "channels are counted from 0 (params.yaml, methods)"
            )
        values = np.asarray(image[..., self.channel], np.float64)
        body = values != 0
        inside = values[body]
        thresholds = None
        if inside.size:
            inside = np.clip(inside, *np.percentile(inside, PERCENTILES))
            counts, edges = np.histogram(inside, BINS if self.classes < 5 else BINS_OF_FIVE)
            if np.count_nonzero(counts) >= self.classes:
                centres = (edges[:-1] + edges[1:]) / 2
                # The centre of a class's last bin comes back; that bin's upper edge is where the class ends.
                thresholds = (
                    threshold_multiotsu(classes=self.classes, hist=(counts, centres)) + (edges[1] - edges[0]) / 2
                )
        if thresholds is None:
            few = f"channel {self.channel} has fewer than {self.classes} different non-zero intensities"
            self.warnings.append(f"threshold method: {otherwise}: {few}")
            return None
        classes = np.zeros(values.shape, np.intp)
        classes[body] = 1 + np.digitize(inside, thresholds)
        return classes


def _best_assignment(counts: np.ndarray) -> tuple[list[int], float]:
    """The label of each class with the highest mean Dice over the foreground labels, and that mean.

    Of equally good ones that with the better background is taken. One class at least is background, where the cases
    have any. Where voxels of value zero are background already, no class need be; such an assignment is taken if it is
    the better one over all labels, the background among them.

    A label's Dice depends only on the set of classes that it gets, so trying each set for each label (3 ** classes
    splits a label) finds the same optimum as trying all labels ** classes assignments.

    Args:
        counts: (cases, 1 + classes, labels) voxels; row 0 is fixed as background.
    """
    classes, labels = counts.shape[1] - 1, counts.shape[2]
    subsets = np.arange(2**classes)
    member = (subsets[:, None] >> np.arange(classes)) & 1
    hits = np.einsum("sk,ckl->csl", member, counts[:, 1:])
    hits[:, :, 0] += counts[:, None, 0, 0]
    predicted = np.repeat((member @ counts[:, 1:].sum(axis=2).T).T[:, :, None], labels, axis=2)
    predicted[:, :, 0] += counts[:, 0].sum(axis=1)[:, None]
    sizes = predicted + counts.sum(axis=1)[:, None, :]
    present = sizes > 0
    # Cases with neither truth nor prediction are left out of a label's mean, as in evaluation.
    dice = (2 * hits / np.maximum(sizes, 1)).sum(axis=0) / np.maximum(present.sum(axis=0), 1)

    @cache
    def best(label: int, free: int, spare: bool) -> tuple[float, float, tuple[int, ...]]:
        """Of the labels from ``label`` on the best sum, the Dice of the background that is left over, and the sets.

        Of the classes ``free``; one is left over if ``spare``.
        """
        if label == labels:
            return -np.inf if spare and not free else 0.0, float(dice[free, 0]), ()
        choices = ((*best(label + 1, free & ~s, spare), s) for s in subsets.tolist() if s & free == s)
        found = ((float(dice[s, label] + score), ground, (s, *rest)) for score, ground, rest, s in choices)
        return max(found, key=lambda c: (round(c[0], 12), c[1]))  # sums in another order are equal all the same

    every = 2**classes - 1
    score, ground, chosen = best(1, every, bool(counts[:, :, 0].any()))
    if counts[:, 0].any():
        other, bare, sets = best(1, every, False)
        if other + bare > score + ground:
            score, chosen = other, sets
    assignment = [
        next((label for label, subset in enumerate(chosen, start=1) if subset >> k & 1), 0) for k in range(classes)
    ]
    return assignment, score / (labels - 1)
