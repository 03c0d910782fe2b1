"""A Markov random field on a classifier's probabilities, solved by graph cuts."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from scipy.sparse import csr_matrix
from scipy.sparse.csgraph import breadth_first_order, maximum_flow

from refold.classical import arrays
from refold.classical.features import Look, Sample, parted
from refold.classical.forest import Forest
from refold.classical.seeds import best_setting, mixed
from refold.train.fold import Fold
from refold.train.segmenter import Segmenter

KIND = "graph_cut"
LARGEST = 2**29  # capacity of an arc; twice as much still is a whole number of 32 bits
LEAST = 1e-3  # a probability below it says no more than this one


def neighbours(image: np.ndarray, contrast: float) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """All pairs of voxels that share a face: their flat indices, twice (n,), and weights (n,) of a mean of about 1.

    Weight exp(-contrast d^2 / mean d^2), d^2 the squared difference over the channels (Boykov and Jolly 2001), divided
    by its mean: a border costs less where the image has an edge. With ``contrast`` 0 all weigh 1.
    """
    index = np.arange(int(np.prod(image.shape[:-1]))).reshape(image.shape[:-1])
    first, second, apart = [], [], []
    for axis in range(index.ndim):
        low = tuple(slice(None, -1) if a == axis else slice(None) for a in range(index.ndim))
        high = tuple(slice(1, None) if a == axis else slice(None) for a in range(index.ndim))
        first.append(index[low].ravel())
        second.append(index[high].ravel())
        apart.append(((np.asarray(image[high], np.float64) - image[low]) ** 2).sum(-1).ravel())
    distance = np.concatenate(apart)
    mean = distance.mean() if distance.size else 0.0
    weight = np.exp(-contrast * distance / mean) if mean > 0 else np.ones_like(distance)
    return np.concatenate(first), np.concatenate(second), weight / (weight.mean() if weight.size else 1)


def energy(predicted: np.ndarray, costs: np.ndarray, pairs: tuple[np.ndarray, np.ndarray, np.ndarray]) -> float:
    """Sum of the costs (n, labels) of flat labels (n,), and of the weights of pairs with different labels."""
    first, second, weight = pairs
    return float(
        costs[np.arange(len(predicted)), predicted].sum() + weight[predicted[first] != predicted[second]].sum()
    )


def cut(costs: np.ndarray, pairs: tuple[np.ndarray, np.ndarray, np.ndarray]) -> np.ndarray:
    """Flat labels (n,) of low `energy`, by expansion moves (Boykov, Veksler and Zabih 2001).

    Of two labels the best there is; of more one that no move of voxels to a single label improves. Each move is a
    `minimum_cut`.

    Args:
        costs: (n, labels). pairs: as of `neighbours`, their weights times the smoothness.
    """
    first, second, weight = pairs
    count, labels = costs.shape
    predicted = costs.argmin(1)
    rows = np.arange(count)
    best, since, label = energy(predicted, costs, pairs), 0, 0
    while since < labels:
        stay, move = costs[rows, predicted].copy(), costs[:, label].copy()
        # a pair's cost where both stay, the second alone moves, the first alone moves; where both do, it is 0
        both = np.where(predicted[first] != predicted[second], weight, 0.0)
        second_moves = np.where(predicted[first] != label, weight, 0.0)
        first_moves = np.where(predicted[second] != label, weight, 0.0)
        # in terms of one voxel and an arc from a first that stays to a second that moves (Kolmogorov and Zabih 2004)
        np.add.at(move, first, first_moves - both)
        np.add.at(stay, second, first_moves)
        least = np.minimum(stay, move)
        # in the part of the sink are those for which the arc from the source, the cost of moving, was cut
        moved = minimum_cut(move - least, stay - least, first, second, second_moves + first_moves - both)
        new = np.where(moved, label, predicted)
        value = energy(new, costs, pairs)
        if value < best - 1e-9 * max(1.0, abs(best)):
            predicted, best, since = new, value, 0
        since += 1
        label = (label + 1) % labels
    return predicted


def minimum_cut(
    source: np.ndarray, sink: np.ndarray, first: np.ndarray, second: np.ndarray, weight: np.ndarray
) -> np.ndarray:
    """(n,) bool: the nodes on the sink's side of a minimum cut, as few as there can be, by Dinic's algorithm (1970).

    Capacities become whole numbers of which the largest is `LARGEST`: a cut is off the least by a billionth at most.

    Args:
        source, sink: (n,) capacities of the arcs from the source and to the sink, 0 or more.
        first, second, weight: nodes and capacities of the arcs between them.
    """
    count = len(source)
    nodes, capacity = np.arange(count), np.concatenate([weight, source, sink])
    if not (capacity > 0).any():
        return np.zeros(count, bool)
    rows = np.concatenate([first, np.full(count, count), nodes])
    columns = np.concatenate([second, nodes, np.full(count, count + 1)])
    whole = np.rint(np.maximum(capacity, 0) * (LARGEST / capacity.max())).astype(np.int32)
    graph = csr_matrix((whole, (rows, columns)), shape=(count + 2, count + 2))
    left = graph - maximum_flow(graph, count, count + 1).flow
    left.data = np.maximum(left.data, 0)
    left.eliminate_zeros()
    sinks = breadth_first_order(left.T.tocsr(), count + 1, return_predecessors=False)
    moved = np.zeros(count + 2, bool)
    moved[sinks] = True
    return moved[:count]


class GraphCutSegmenter(Segmenter):
    """A random forest's probabilities, smoothed by a Potts model whose borders cost less at edges.

    A forest of three quarters of the training patients predicts for the others, and the smoothness with the best Dice
    there is chosen. Then the forest is grown anew, of all of them.

    Attributes after `fit`:
        smoothness: the chosen weight of the pairs. choosing_dice: its mean Dice on the cases it was chosen on.
    """

    file = arrays.FILE
    forest: Forest  # after `fit` or `load`

    def __init__(
        self,
        look: Look | None = None,
        trees: int = 30,
        depth: int = 12,
        leaf: int = 5,
        smoothness: Sequence[float] = (0.25, 0.5, 1.0, 2.0),
        contrast: float = 0.5,
    ):
        """A method that is not yet fitted.

        Args:
            look: the voxels and their features.
            trees, depth, leaf: see `Forest.grow`.
            smoothness: weights of the pairs, of which `fit` chooses one.
            contrast: see `neighbours`.
        """
        super().__init__()
        self.look, self.trees, self.depth, self.leaf = look or Look(), trees, depth, leaf
        self.tried, self.contrast = smoothness, contrast
        self.smoothness = 0.0
        self.choosing_dice = 0.0

    def fit(self, fold: Fold) -> dict[str, Any]:
        learn, check = parted(fold, 0.25, self.look.seed)
        voxels = Sample.draw(fold, self.look)

        def grown(names: list[str] | None = None) -> Forest:
            return Forest.grow(*voxels.of(names), fold.labels, self.trees, self.depth, self.leaf, self.look.seed)

        self.forest = grown(learn)

        def prepared(image: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
            return image, self._forest(image)

        choosing = ((prepared(fold.image(fold.training[n])), fold.training[n].label[...]) for n in check)
        self.smoothness, self.choosing_dice, self.score = best_setting(
            self.tried,
            lambda parts, smoothness: self._cut(*parts, smoothness),
            choosing,
            fold.labels,
            "training cases that it was chosen on",
        )
        self.forest = grown()
        return {"smoothness": self.smoothness, "choosing_dice": round(self.choosing_dice, 6), "choosing_cases": check}

    def _forest(self, image: np.ndarray) -> np.ndarray:
        p = self.forest.predict(self.look.features(image))
        return p.reshape(*image.shape[:-1], -1)

    def _cut(self, image: np.ndarray, p: np.ndarray, smoothness: float) -> np.ndarray:
        first, second, weight = neighbours(image, self.contrast)
        costs = -np.log(np.maximum(p, LEAST)).reshape(-1, p.shape[-1])
        return cut(costs, (first, second, smoothness * weight)).reshape(image.shape[:-1])

    def predict_proba(self, image: np.ndarray) -> np.ndarray:
        """(x, y[, z], labels) float32: the mean of the forest's probabilities and of the cut's decision."""
        p = self._forest(image)
        return mixed(p, self._cut(image, p, self.smoothness))

    def save(self, folder: Path) -> None:
        arrays.save(folder / self.file, KIND, self.forest.arrays(), {"smoothness": self.smoothness})

    def load(self, folder: Path, card: dict[str, Any]) -> None:
        path = folder / self.file
        found, facts = arrays.load(path, KIND)
        self.forest = Forest.of(found, path, KIND)
        arrays.need("smoothness" in facts, path, KIND)
        self.smoothness = facts["smoothness"]
