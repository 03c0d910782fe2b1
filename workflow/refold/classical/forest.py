"""A random forest as arrays: grown by scikit-learn, asked without it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from refold.classical import arrays

CHUNK = 65_536  # voxels asked at once


@dataclass
class Forest:
    """Decision trees one after the other, their nodes numbered through.

    Attributes:
        roots: (trees,) node at which each tree starts. left, right: (nodes,) children, itself at a leaf. feature,
            threshold: (nodes,) what a node asks; up to the threshold goes left. values: (nodes, labels) probabilities.
    """

    roots: np.ndarray
    left: np.ndarray
    right: np.ndarray
    feature: np.ndarray
    threshold: np.ndarray
    values: np.ndarray

    @classmethod
    def grow(
        cls, x: np.ndarray, y: np.ndarray, weight: np.ndarray, labels: int, trees: int, depth: int, leaf: int, seed: int
    ) -> Forest:
        """Breiman's forest (2001) of features (n, count) and label indices (n,)."""
        from sklearn.ensemble import RandomForestClassifier

        model = RandomForestClassifier(trees, max_depth=depth, min_samples_leaf=leaf, random_state=seed, n_jobs=1)
        model.fit(x, y, sample_weight=weight)
        parts: dict[str, list[np.ndarray]] = {k: [] for k in ("left", "right", "feature", "threshold", "values")}
        roots, start = [], 0
        for estimator in model.estimators_:
            tree = estimator.tree_
            own = np.arange(tree.node_count)
            leaves = tree.children_left < 0
            roots.append(start)
            parts["left"].append(start + np.where(leaves, own, tree.children_left))
            parts["right"].append(start + np.where(leaves, own, tree.children_right))
            parts["feature"].append(np.where(leaves, 0, tree.feature))
            parts["threshold"].append(tree.threshold)
            counts = tree.value[:, 0, :]
            values = np.zeros((len(own), labels))
            values[:, model.classes_.astype(int)] = counts / counts.sum(-1, keepdims=True)
            parts["values"].append(values)
            start += len(own)
        joined = {k: np.concatenate(v) for k, v in parts.items()}
        whole = {k: joined[k].astype(np.int32) for k in ("left", "right", "feature")}
        return cls(np.array(roots, np.int32), threshold=joined["threshold"], values=joined["values"], **whole)

    def predict(self, x: np.ndarray) -> np.ndarray:
        """Mean probabilities (n, labels) float64 of the trees."""
        return np.concatenate([self._predict(x[i : i + CHUNK]) for i in range(0, len(x), CHUNK)])

    def _predict(self, x: np.ndarray) -> np.ndarray:
        total = np.zeros((len(x), self.values.shape[1]))
        columns = np.ascontiguousarray(x.T)  # neighbours mostly ask the same feature
        for root in self.roots:
            node = np.full(len(x), root, np.int32)
            open_ = np.arange(len(x))
            while len(open_):
                at = node[open_]
                after = np.where(columns[self.feature[at], open_] <= self.threshold[at], self.left[at], self.right[at])
                node[open_] = after
                open_ = open_[self.left[after] != after]
            total += self.values[node]
        return total / len(self.roots)

    def arrays(self) -> dict[str, np.ndarray]:
        return dict(vars(self))

    @classmethod
    def of(cls, found: dict[str, np.ndarray], path: Path, kind: str) -> Forest:
        """From what `arrays` gave. Raises `RefoldError` where an array is missing."""
        names = cls.__dataclass_fields__
        arrays.need(names.keys() <= found.keys(), path, kind)
        return cls(**{name: found[name] for name in names})
