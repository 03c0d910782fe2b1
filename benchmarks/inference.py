"""How often intervals cover the true mean, and how often tests reject where nothing differs.

    PYTHONPATH=workflow python benchmarks/inference.py

About four minutes on one core. Prints the two markdown tables of docs/evaluate.md. Intervals: values like Dice, each
patient one scan, 20 seeds of the bootstrap. Tests: methods that are the same but for chance, on the same cases.
"""

from __future__ import annotations

import math
from itertools import combinations

import numpy as np

from refold.evaluate.statistics import holm, interval, permutation, wilcoxon

SAMPLES, SEEDS, RUNS = 2000, 20, 250  # bootstrap samples; seeds, and data sets with each
INTERVALS = ("studentised", "percentile")


def organ(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    """Mean 0.88, standard deviation 0.05, skewness -0.8."""
    return rng.beta(30, 4, size)


def tail(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    """Mean 0.88, standard deviation 0.08, skewness -2.2."""
    return np.clip(1 - 0.10 * rng.lognormal(0, 0.6, size), 0, 1)


def lesion(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    """Mean 0.84, standard deviation 0.15, skewness -2.4."""
    return np.clip(1 - 0.12 * rng.lognormal(0, 0.8, size), 0, 1)


def missed(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    """`organ`, of which a tenth is missed: Dice 0."""
    return organ(rng, size) * (rng.random(size) > 0.1)


def coverage() -> None:
    print(f"| values | n | {' | '.join(INTERVALS)} |\n|---|---|{'---|' * len(INTERVALS)}")
    for kind in (organ, tail, lesion, missed):
        rng = np.random.default_rng(1)
        true = kind(rng, (5_000_000,)).mean()
        for n in (10, 20, 50):
            hits = np.zeros(len(INTERVALS))
            for seed in range(SEEDS):
                for values in kind(rng, (RUNS, n)):
                    ends = [interval(i, values, np.ones(n), SAMPLES, 0.95, seed, limits=(0, 1)) for i in INTERVALS]
                    hits += [low <= true <= high for low, high in ends]
            print(f"| {kind.__name__} | {n} | {' | '.join(f'{h:.3f}' for h in hits / (SEEDS * RUNS))} |", flush=True)


def alike(rng: np.random.Generator, methods: int, n: int) -> np.ndarray:
    """(methods, n) Dice on the same cases, some of which are hard; the methods are exchangeable."""
    return np.clip(lesion(rng, (n,)) - 0.04 * rng.lognormal(0, 0.8, (methods, n)), 0, 1)


def tests() -> None:
    runs = 5000
    print("\n| | n | wilcoxon | permutation |\n|---|---|---|---|")
    for n in (12, 50):
        rng = np.random.default_rng(2)
        pairs = [alike(rng, 2, n) for _ in range(runs)]
        rows = {
            "two methods": [a - b for a, b in pairs],
            # tenths: most differences are zero or tied
            "the same in tenths": [a.round(1) - b.round(1) for a, b in pairs],
        }
        for name, differences in rows.items():
            rates = (np.mean([p(d) <= 0.05 for d in differences]) for p in (wilcoxon, lambda d: permutation(d, 1)))
            print(f"| {name} | {n} | {' | '.join(f'{r:.3f}' for r in rates)} |", flush=True)
    rng = np.random.default_rng(3)
    false = np.zeros(2)
    for _ in range(runs // 2):
        differences = [a - b for a, b in combinations(alike(rng, 4, 20), 2)]
        families = ([wilcoxon(d) for d in differences], [permutation(d, 1) for d in differences])
        false += [min(holm(f)) <= 0.05 for f in families]
    print(f"| any of 6 pairs of 4 methods, Holm | 20 | {' | '.join(f'{f:.3f}' for f in false / (runs // 2))} |")
    print(
        f"\nstandard error of a rate of 0.05: {math.sqrt(0.0475 / runs):.3f}; of Holm's {math.sqrt(0.095 / runs):.3f}"
    )


if __name__ == "__main__":
    coverage()
    tests()
