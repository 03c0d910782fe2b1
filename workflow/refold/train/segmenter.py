"""What every method is at work: an estimator with fit, predict_proba, save and load."""

from __future__ import annotations

from abc import ABC, abstractmethod
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np

if TYPE_CHECKING:
    from refold.train.fold import Fold
    from refold.train.score import Score


class Segmenter(ABC):
    """A method of segmentation, as scikit-learn's estimators: `fit` once, then `predict_proba` for each image.

    Attributes:
        file: name of the model's file in its folder, which `save` writes and `load` reads.
        history: rows of history.csv, of methods that learn in epochs.
        warnings: a line for every fallback, in `fit` or later; they stand in the log and in the report, those of
            `predict_proba` with the case.
        score: on training-side cases, where `fit` has compared predictions with truths anyway; where it is None, a few
            training cases are predicted after `fit`.
    """

    file: ClassVar[str] = "model.json"
    score: Score | None = None

    def __init__(self) -> None:
        self.history: list[dict[str, Any]] = []
        self.warnings: list[str] = []

    @abstractmethod
    def fit(self, fold: Fold) -> dict[str, Any]:
        """Learn from the fold's training side alone. Returns facts for the model card, as JSON holds them."""

    @abstractmethod
    def predict_proba(self, image: np.ndarray) -> np.ndarray:
        """Label probabilities (x, y[, z], labels) float32 of a normalised image (x, y[, z], channels) float32."""

    @abstractmethod
    def save(self, folder: Path) -> None:
        """Write `file` into ``folder``: the same bytes for the same model, under a temporary name, then renamed."""

    @abstractmethod
    def load(self, folder: Path, card: dict[str, Any]) -> None:
        """Read what `save` wrote; ``card`` is the model card. Raises `RefoldError` when the file is no such model."""
