"""A support vector machine on what voxels look like."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from refold.classical import arrays
from refold.classical.features import Look, Sample, parted
from refold.core.errors import RefoldError
from refold.train.fold import Fold
from refold.train.segmenter import Segmenter

KIND = "svm"
CHUNK = 16_384  # voxels asked at once
NAMES = ("mean", "spread", "landmarks", "root", "gamma", "planes", "offsets", "mixing", "shift")


class SVMSegmenter(Segmenter):
    """One support vector machine a label (Cortes and Vapnik 1995) with a Gaussian kernel, in Nystroem's form.

    A kernel machine compares each voxel with thousands of support vectors, which takes minutes a case. Nystroem's
    method (Williams and Seeger 2001) puts a few hundred landmarks in their place: the kernel becomes a map to as many
    numbers, on which the machine is linear. Its values become probabilities by multinomial logistic regression (Platt
    1999), learnt from a quarter of the training patients and the machine of the others. Then the machine learns anew,
    from all of them.
    """

    file = arrays.FILE

    def __init__(self, look: Look | None = None, cost: float = 1.0, gamma: float = 1.0, landmarks: int = 300):
        """A method that is not yet fitted.

        Args:
            look: the voxels and their features.
            cost: what a voxel on the wrong side costs (C).
            gamma: sharpness of the kernel, over the number of features.
            landmarks: voxels in the place of all support vectors.
        """
        super().__init__()
        self.look, self.cost, self.gamma, self.landmarks = look or Look(), cost, gamma, landmarks
        self.model: dict[str, np.ndarray] = {}

    def fit(self, fold: Fold) -> dict[str, Any]:
        """Raises `RefoldError` where fewer than two labels have voxels to learn from."""
        from sklearn.linear_model import LogisticRegression

        names = fold.description.labels.names
        learn, check = parted(fold, 0.25, self.look.seed)
        voxels = Sample.draw(fold, self.look)
        x, y, weight = voxels.of(learn)
        taught = np.unique(y)
        if len(taught) < 2:
            raise RefoldError(f"{fold.name} fold {fold.fold}: the training cases have one label only; two are needed")
        self.model = self._machine(x, y, weight)
        x, y, weight = voxels.of(check)
        there = np.unique(y)
        if len(missing := np.setdiff1d(np.arange(fold.labels), there)):
            absent = ", ".join(names[i] for i in missing)
            self.warnings.append(
                f"svm: {absent} is in no case that its probabilities were learnt from; never predicted"
            )
        if len(there) < 2:
            raise RefoldError(
                f"{fold.name} fold {fold.fold}: the {len(check)} cases that the probabilities are learnt from have one "
                "label only; give more cases, or another seed"
            )
        platt = LogisticRegression(C=1e3, max_iter=2000).fit(self._values(x), y, weight)
        mixing = np.zeros((fold.labels, platt.n_features_in_))
        shift = np.full(fold.labels, -1e3)
        if len(platt.classes_) == 2:  # one row, for the second of them against the first
            mixing[platt.classes_[1]], shift[platt.classes_] = platt.coef_[0], [0, platt.intercept_[0]]
        else:
            mixing[platt.classes_], shift[platt.classes_] = platt.coef_, platt.intercept_
        x, y, weight = voxels.of()
        if len(unseen := np.setdiff1d(y, taught)):  # planes of other labels would not fit the probabilities
            absent = ", ".join(names[i] for i in unseen)
            self.warnings.append(
                f"svm: {absent} is in no case but those that the probabilities were learnt from; the machines learnt "
                "from the others alone"
            )
            x, y, weight = voxels.of(learn)
        else:
            self.model = self._machine(x, y, weight)
        self.model |= {"mixing": mixing, "shift": shift}
        return {"voxels": len(y), "landmarks": len(self.model["landmarks"])}

    def _machine(self, x: np.ndarray, y: np.ndarray, weight: np.ndarray) -> dict[str, np.ndarray]:
        """Fitted to features (n, count) of two labels or more; of two it has one plane, that of the second."""
        from sklearn.kernel_approximation import Nystroem
        from sklearn.svm import LinearSVC

        seed = self.look.seed
        mean, spread = x.mean(0, dtype=np.float64), x.std(0, dtype=np.float64)
        spread[spread == 0] = 1
        x = (x - mean) / spread
        gamma = self.gamma / x.shape[1]
        kernel = Nystroem("rbf", gamma=gamma, n_components=min(self.landmarks, len(x)), random_state=seed)
        machine = LinearSVC(C=self.cost, dual=False, random_state=seed, max_iter=5000)
        machine.fit(kernel.fit_transform(x), y, weight)
        return {
            "mean": mean,
            "spread": spread,
            "landmarks": kernel.components_,
            "root": kernel.normalization_,
            "gamma": np.array(gamma),
            "planes": machine.coef_,
            "offsets": machine.intercept_,
        }

    def _values(self, x: np.ndarray) -> np.ndarray:
        """Distances (n, planes) from the planes, for features (n, count)."""
        m = self.model
        x = (x - m["mean"]) / m["spread"]
        apart = (x**2).sum(1)[:, None] - 2 * x @ m["landmarks"].T + (m["landmarks"] ** 2).sum(1)
        kernel = np.exp(-m["gamma"] * np.maximum(apart, 0))
        return kernel @ (m["root"].T @ m["planes"].T) + m["offsets"]

    def predict_proba(self, image: np.ndarray) -> np.ndarray:
        """(x, y[, z], labels) float32."""
        x = self.look.features(image)
        parts = []
        for i in range(0, len(x), CHUNK):
            logits = self._values(x[i : i + CHUNK]) @ self.model["mixing"].T + self.model["shift"]
            p = np.exp(logits - logits.max(1, keepdims=True))
            parts.append((p / p.sum(1, keepdims=True)).astype(np.float32))
        return np.concatenate(parts).reshape(*image.shape[:-1], -1)

    def save(self, folder: Path) -> None:
        arrays.save(folder / self.file, KIND, self.model, {})

    def load(self, folder: Path, card: dict[str, Any]) -> None:
        path = folder / self.file
        self.model = arrays.load(path, KIND)[0]
        arrays.need(set(NAMES) <= self.model.keys(), path, KIND)
