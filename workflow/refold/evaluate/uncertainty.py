"""What probabilities say: are they right as often as they claim, and do they know which cases are bad?

Everything is worked out from histograms of the 8-bit probabilities (`refold.imaging.images.STEPS`), so exactly.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from refold.imaging.images import STEPS

BINS = 10
LEVELS = np.arange(STEPS + 1) / STEPS
BIN_OF = np.minimum((np.arange(STEPS + 1) * BINS) // STEPS, BINS - 1)
POSSIBLE = 3  # of STEPS, about 1 %: below it a label is out of the question
BINNED = ("set", "method", "label", "bin", "low", "high", "n", "probability", "frequency")
SELECTED = ("set", "method", "label", "n", "spearman", "aurc", "aurc_best", "aurc_random", "gain")


@dataclass(frozen=True)
class Histograms:
    """Histograms of a part's probability in one case.

    inside, outside: (256,) voxels of the truth and others, in a box about the truth; None where it is empty. image:
    (256,) all voxels of the image, which needs no truth.
    """

    inside: np.ndarray | None
    outside: np.ndarray | None
    image: np.ndarray

    @classmethod
    def of(cls, probability: np.ndarray, box: tuple[slice, ...] | None, truth: np.ndarray | None) -> Histograms:
        """Args: probability: (x, y[, z]) uint8. box: about the truth. truth: bool, within the box."""
        image = histogram(probability)
        if box is None:
            return cls(None, None, image)
        part = probability[box]
        inside = histogram(part[truth])
        return cls(inside, histogram(part) - inside, image)

    def reliability(self) -> np.ndarray:
        """(3, BINS) int64: voxels, sum of their probabilities in `STEPS`, voxels of the truth; zeros without a box."""
        if self.inside is None:
            return np.zeros((3, BINS), np.int64)
        both = self.inside + self.outside
        return np.stack([binned(both), binned(both * np.arange(STEPS + 1)), binned(self.inside)])


def histogram(values: np.ndarray) -> np.ndarray:
    return np.bincount(values.ravel(), minlength=STEPS + 1)


def binned(histogram: np.ndarray) -> np.ndarray:
    """Sums of a (256,) histogram in `BINS` bins of equal width."""
    return np.bincount(BIN_OF, weights=histogram, minlength=BINS).astype(np.int64)


def expected_calibration_error(reliability: np.ndarray) -> float:
    """Mean over the voxels of how far their bin's mean probability is from its share of truth (Naeini et al. 2015).

    Args:
        reliability: (3, BINS) as `Histograms.reliability` gives.

    Returns:
        it, 0 to 1; NaN without voxels.

    >>> reliability = np.zeros((3, BINS))
    >>> reliability[:, 9] = 100, 0.95 * STEPS * 100, 80  # 100 voxels at 95 %, of which 80 are of the truth
    >>> round(expected_calibration_error(reliability), 2)
    0.15
    """
    n, probability, truth = reliability
    return float(np.abs(probability / STEPS - truth).sum() / n.sum()) if n.sum() else math.nan


def entropies() -> np.ndarray:
    """(256,) binary entropy in bits of each level of probability."""
    p = LEVELS[1:-1]
    return np.concatenate([[0.0], -(p * np.log2(p) + (1 - p) * np.log2(1 - p)), [0.0]])


def reliability_rows(name: str, method: str, found: dict[str, np.ndarray]) -> Iterator[dict[str, Any]]:
    """Rows of calibration.csv for one set and method: the voxels of all cases in bins of their probability.

    Args:
        found: {label: (3, BINS) sums of `Histograms.reliability` over the cases}.
    """
    for label, (n, probability, truth) in found.items():
        for i in range(BINS):
            yield {
                "set": name,
                "method": method,
                "label": label,
                "bin": i,
                "low": i / BINS,
                "high": (i + 1) / BINS,
                "n": int(n[i]),
                "probability": probability[i] / STEPS / n[i] if n[i] else math.nan,
                "frequency": truth[i] / n[i] if n[i] else math.nan,
            }


def risk_coverage(doubt: np.ndarray, risk: np.ndarray) -> np.ndarray:
    """Mean risk of the k least doubtful cases, for k = 1 to n (El-Yaniv and Wiener 2010); equal doubts share theirs.

    Args:
        doubt, risk: (n,).

    Returns:
        (n,).

    >>> risk_coverage(np.array([0.1, 0.3, 0.2]), np.array([0.0, 0.6, 0.3]))
    array([0.  , 0.15, 0.3 ])
    """
    order = np.argsort(doubt, kind="stable")
    doubt, risk = doubt[order], risk[order]
    # cases of equal doubt come in no order: each stands for the mean of its group
    _, group = np.unique(doubt, return_inverse=True)
    risk = (np.bincount(group, weights=risk) / np.bincount(group))[group]
    return np.cumsum(risk) / np.arange(1, len(risk) + 1)


def selection(name: str, method: str, table: pd.DataFrame) -> Iterator[dict[str, Any]]:
    """Rows of uncertainty.csv for one set and method: does the entropy find the bad cases?

    Risk is 1 - Dice. ``aurc`` is the mean over all coverages of the risk of the cases kept, ``aurc_random`` what it is
    when cases are kept by chance, ``aurc_best`` when by their Dice; ``gain`` is 0 by chance and 1 at best.
    ``spearman`` is the rank correlation of entropy and risk. NaN where there are fewer than two cases or all are alike.

    Args:
        table: a row for each case, a column for each (label, metric).
    """
    from scipy import stats

    for label in dict.fromkeys(table.columns.get_level_values(0)):
        if (label, "entropy") not in table.columns:
            continue
        known = table[[(label, "entropy"), (label, "dice")]].dropna().to_numpy()
        doubt, risk = known[:, 0], 1 - known[:, 1]
        row = dict.fromkeys(SELECTED, math.nan) | {"set": name, "method": method, "label": label, "n": len(risk)}
        if len(risk) > 1:
            row["aurc"] = float(risk_coverage(doubt, risk).mean())
            row["aurc_best"] = float(risk_coverage(risk, risk).mean())
            row["aurc_random"] = float(risk.mean())
            if np.ptp(risk) > 0:
                row["gain"] = (row["aurc_random"] - row["aurc"]) / (row["aurc_random"] - row["aurc_best"])
                if np.ptp(doubt) > 0:
                    row["spearman"] = float(stats.spearmanr(doubt, risk).statistic)
        yield row
