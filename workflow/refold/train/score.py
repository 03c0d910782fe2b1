"""Whether a fitted method is worth more than predicting nothing: the one rule, for every kind of method."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

if TYPE_CHECKING:
    from refold.train.fold import Fold
    from refold.train.segmenter import Segmenter

MOST = 4  # training cases that are asked where a method does not know its score


@dataclass
class Score:
    """Mean Dice over cases and labels, the background among them, and that of background everywhere on these cases.

    A label that is neither in a case nor in its prediction counts 1: leaving an absent label out is right. So
    predicting nothing has a score of its own, which a fitted method must beat: what its labels win, its background
    may not lose.

    where: what the cases are, in the plural. cases: how many there were. total, nothing: sums of their mean Dice.
    """

    where: str
    cases: int = 0
    total: float = 0.0
    nothing: float = 0.0

    def add(self, table: np.ndarray) -> None:
        """Count a case in. ``table``: (labels, labels) voxels, by truth and prediction."""
        truth = table.sum(1)
        empty = np.zeros(len(truth))
        empty[0] = truth.sum()
        self.total += _dice(np.diag(table), truth, table.sum(0))
        self.nothing += _dice(np.minimum(truth, empty), truth, empty)
        self.cases += 1

    def compare(self, predicted: np.ndarray, truth: np.ndarray, labels: int, outside: int = 0) -> None:
        """Count a case in by its label indices (x, y[, z]); ``outside``: further voxels, background in both."""
        pairs = truth.ravel().astype(np.intp) * labels + predicted.ravel()
        table = np.bincount(pairs, minlength=labels**2).reshape(labels, labels)
        table[0, 0] += outside
        self.add(table)

    def warnings(self) -> list[str]:
        """A line where predicting nothing would have been better, or as good; none without cases.

        Without numbers, so that the report says it once of all folds; `to_json` has them.
        """
        if not self.cases or self.total > self.nothing:
            return []
        return [
            f"on {self.where} it did no better than predicting nothing but background, by the mean Dice of all labels "
            "with the background among them"
        ]

    @staticmethod
    def told(name: str, known: dict[str, Any] | None) -> list[str]:
        """A line about what is made from the model ``name``, by the score in its card as `to_json` gave it."""
        if not known or not known["cases"] or known["dice"] > known["dice_of_nothing"]:
            return []
        return [f"made from {name}, which on {known['where']} did no better than predicting nothing but background"]

    def to_json(self) -> dict[str, Any]:
        return {
            "cases": self.cases,
            "where": self.where,
            "dice": round(self.total / self.cases, 6) if self.cases else None,
            "dice_of_nothing": round(self.nothing / self.cases, 6) if self.cases else None,
        }


def _dice(hits: np.ndarray, truth: np.ndarray, predicted: np.ndarray) -> float:
    """Mean over the labels; 1 where a label is in neither."""
    sizes = truth + predicted
    return float(np.where(sizes > 0, 2 * hits / np.maximum(sizes, 1), 1.0).mean())


def spread(names: Iterable[str], most: int = MOST) -> list[str]:
    """Up to ``most`` of the names, evenly over their order."""
    names = sorted(names)
    return [names[i] for i in np.unique(np.linspace(0, len(names) - 1, min(most, len(names))).round().astype(int))]


def measured(segmenter: Segmenter, fold: Fold) -> Score:
    """What the segmenter knows of itself, or else its score on a few training cases."""
    if segmenter.score is not None:
        return segmenter.score
    score, told = Score("training cases"), list(segmenter.warnings)
    for name in spread(fold.training):
        case = fold.training[name]
        score.compare(segmenter.predict_proba(fold.image(case)).argmax(-1), case.label[...], fold.labels)
    segmenter.warnings[:] = told  # those of predictions of training cases are nobody's concern
    return score
