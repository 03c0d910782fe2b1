"""How often intervals hold the true mean, and how often tests reject where nothing, or something, differs.

    PYTHONPATH=workflow python benchmarks/simulate.py

Prints the markdown tables of docs/reference/evaluate.md. All draws are seeded. Scores are made up: like those of a good
and of a long-tailed organ, of lesions (with false positives in scans that have none), of normalised surface distances,
and of lesions counted one by one, most scans having one to three. A fifth of the patients have two scans.
"""

from __future__ import annotations

import argparse
import math
from collections.abc import Callable
from functools import cache
from itertools import combinations

import numpy as np

from refold.evaluate.metrics import REGISTRY
from refold.evaluate.statistics import by_patient, holm, interval, permutation, score, wilcoxon

PATIENTS = (12, 20, 40)
SEEDS = 10  # of the bootstrap
SAMPLES = 2000  # bootstrap samples, as by default
KINDS = ("studentised", "percentile")
SECOND = 0.2  # share of patients with a second scan
Draw = Callable[[np.random.Generator, tuple[int, ...]], np.ndarray]


# ---------------------------------------------------------------- scores of scans: (..., patients, 2), NaN undefined


def organ(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    """Dice, mean 0.88, standard deviation 0.04; two scans of a patient are alike."""
    shared = 0.08 * rng.lognormal(0, 0.35, (*size[:-1], 1))
    return np.clip(1 - shared - 0.03 * rng.lognormal(0, 0.5, size), 0, 1)


def tail(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    """Dice, mean 0.88, standard deviation 0.08, skewness -2.2."""
    return np.clip(1 - 0.10 * rng.lognormal(0, 0.6, size), 0, 1)


def lesion(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    """Dice of lesions: one scan in seven has none, where it is 0 (a false positive, two thirds) or undefined."""
    values = np.clip(1 - 0.27 * rng.lognormal(0, 0.45, size), 0.05, 1)
    none, false = rng.random(size) < 1 / 7, rng.random(size) < 2 / 3
    return np.where(none, np.where(false, 0.0, np.nan), values)


def missed(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    """Dice as of a good organ, of which a tenth is missed."""
    return rng.beta(30, 4, size) * (rng.random(size) > 0.1)


def nsd(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    """Normalised surface distance, mean 0.82, standard deviation 0.12."""
    return rng.beta(8, 1.8, size)


def _lesions(rng: np.random.Generator, size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Lesions of the truth, those found, false positives: the more lesions, the smaller and harder."""
    there = rng.choice(5, size=size, p=np.array([7, 20, 13, 7, 1]) / 48)
    return there, rng.binomial(there, np.array([0, 0.97, 0.92, 0.8, 0.75])[there]), rng.poisson(0.45, size)


def lesion_sensitivity(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    """Mean 0.92; 84 % of the scans with lesions are at 1."""
    there, found, _ = _lesions(rng, size)
    return np.where(there, found / np.maximum(there, 1), np.nan)


def lesion_precision(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    """Mean 0.78."""
    _, found, false = _lesions(rng, size)
    return np.where(found + false, found / np.maximum(found + false, 1), np.nan)


def lesion_f1(rng: np.random.Generator, size: tuple[int, ...]) -> np.ndarray:
    """Mean 0.79; 0 where there is a false positive in a scan without lesions."""
    there, found, false = _lesions(rng, size)
    whole = found + there + false
    return np.where(whole, 2 * found / np.maximum(whole, 1), np.nan)


SCORES: dict[str, Draw] = {
    "Dice, organ": organ,
    "Dice, long tail": tail,
    "Dice, lesions": lesion,
    "Dice, one in ten missed": missed,
    "NSD": nsd,
    "lesion sensitivity": lesion_sensitivity,
    "lesion precision": lesion_precision,
    "lesion F1": lesion_f1,
}


def sample(draw: Draw, rng: np.random.Generator, runs: int, patients: int) -> tuple[np.ndarray, np.ndarray]:
    """(runs, patients) sum and number of the values of each patient."""
    values = draw(rng, (runs, patients, 2))
    second = rng.random((runs, patients)) < SECOND
    counts = ~np.isnan(values) & np.stack([np.ones_like(second), second], -1)
    return np.where(counts, values, 0).sum(-1), counts.sum(-1)


@cache
def true_mean(draw: Draw) -> float:
    """Over so many scans that it is known to 0.0003."""
    sums, numbers = sample(draw, np.random.default_rng(99), 2000, 1000)
    return float(sums.sum() / numbers.sum())


def covered(draw: Draw, kind: str, patients: int, runs: int, samples: int = SAMPLES) -> float:
    """Share of intervals at 95 % that hold the true mean."""
    mean, hits = true_mean(draw), 0
    sums, numbers = sample(draw, np.random.default_rng(patients), runs, patients)
    for i, (s, n) in enumerate(zip(sums, numbers, strict=True)):
        known = n > 0
        low, high = interval(kind, s[known], n[known], samples, 0.95, i % SEEDS, limits=(0, 1))
        hits += low <= mean <= high
    return hits / runs


def coverage(runs: int) -> None:
    print(f"| values | mean | {' | '.join(f'`{k}`' for k in KINDS)} |\n|---|---|{'---|' * len(KINDS)}")
    for name, draw in SCORES.items():
        cells = [", ".join(f"{covered(draw, kind, n, runs):.3f}" for n in PATIENTS) for kind in KINDS]
        print(f"| {name} | {true_mean(draw):.3f} | {' | '.join(cells)} |", flush=True)
    print(f"\nPatients: {', '.join(map(str, PATIENTS))}; standard error {math.sqrt(0.0475 / runs):.3f}.\n")


# ---------------------------------------------------------------- counts: hits and numbers of each patient


def scans(chance: float) -> Draw:
    """Labels missed, or false positives, of so many scans; a patient's scans are alike."""

    def draw(rng: np.random.Generator, size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
        numbers = 1 + (rng.random(size) < SECOND)
        return rng.binomial(numbers, rng.beta(4 * chance, 4 * (1 - chance), size)), numbers

    return draw


def pooled(rng: np.random.Generator, size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Lesions found, of all: as of `lesion_sensitivity`."""
    there, found, _ = _lesions(rng, (*size, 2))
    scans = np.stack([np.ones(size), rng.random(size) < SECOND], -1)
    return (found * scans).sum(-1), (there * scans).sum(-1)


def unlike(rng: np.random.Generator, size: tuple[int, ...]) -> tuple[np.ndarray, np.ndarray]:
    """Lesions found, 0.9: one to twenty a patient, in whom nearly all or nearly none are found (correlation 0.5)."""
    numbers = np.minimum(rng.geometric(0.25, size), 20)
    return rng.binomial(numbers, rng.beta(0.9, 0.1, size)), numbers


COUNTED: dict[str, Draw] = {
    "one in ten": scans(0.1),
    "two in five": scans(0.4),
    "lesions found, one to three a scan": pooled,
    "lesions found, up to 20 in patients who differ": unlike,
}


def counted(draw: Draw, patients: int, runs: int) -> float:
    """Share of intervals of a count at 95 % that hold the true share."""
    hits, numbers = (x.sum() for x in draw(np.random.default_rng(99), (2000, 1000)))
    true, held = hits / numbers, 0
    for h, n in zip(*draw(np.random.default_rng(patients), (runs, patients)), strict=True):
        low, high = score(h[n > 0].astype(float), n[n > 0].astype(float), 0.95, counts=True)
        held += low <= true <= high
    return held / runs


def counts(runs: int) -> None:
    print(f"| counted | {' | '.join(f'{n} patients' for n in PATIENTS)} |\n|---|{'---|' * len(PATIENTS)}")
    for name, draw in COUNTED.items():
        print(f"| {name} | {' | '.join(f'{counted(draw, n, runs):.3f}' for n in PATIENTS)} |", flush=True)
    print()


# ---------------------------------------------------------------- two methods


def methods(
    rng: np.random.Generator, runs: int, patients: int, empty: float, false: tuple[float, float], worse: float
) -> np.ndarray:
    """(runs, patients, 2) Dice of methods A and B on the same scans, one a patient; NaN where rightly empty.

    Args:
        empty: share of scans without the lesion. false: chance of a false positive there, of A and of B.
        worse: how much lower the Dice of B is on average, elsewhere.
    """
    shape = (runs, patients)
    hard = 0.20 * rng.lognormal(0, 0.5, shape)
    dice = np.stack([1 - hard - (0.05 + w) * rng.lognormal(-0.32, 0.8, shape) for w in (0.0, worse)], -1)
    free = rng.random(shape) < empty
    wrong = np.stack([rng.random(shape) < f for f in false], -1)
    return np.where(free[..., None], np.where(wrong, 0.0, np.nan), np.clip(dice, 0, 1))


CASES = {  # share of scans without the lesion, chances of a false positive there, and how much worse B is elsewhere
    "nothing differs, a lesion in every scan": (0.0, (0.0, 0.0), 0.0),
    "nothing differs, none in a quarter": (0.25, (0.4, 0.4), 0.0),
    "B has more false positives": (0.25, (0.1, 0.9), 0.0),
    "B is worse by 0.03, a lesion in every scan": (0.0, (0.0, 0.0), 0.03),
    "B is worse by 0.03, none in a quarter": (0.25, (0.4, 0.4), 0.03),
}
TESTS = {"wilcoxon": wilcoxon, "permutation": lambda d: permutation(d, 1)}


def differences(values: np.ndarray, rule: bool) -> np.ndarray:
    """Of one run, A minus B of the cases that count: by the rule, or those where both have a Dice."""
    values = np.where(np.isnan(values), REGISTRY["dice"].empty.both_empty, values) if rule else values
    return by_patient(values[:, 0] - values[:, 1], [f"{i:03}" for i in range(len(values))])[0]


def paired(runs: int) -> None:
    print(f"| | patients | {' | '.join(f'`{t}`' for t in TESTS)} | interval | `wilcoxon`, left out |")
    print(f"|---|---|{'---|' * (len(TESTS) + 2)}")
    for name, about in CASES.items():
        big = np.nan_to_num(
            methods(np.random.default_rng(98), 2000, 1000, *about), nan=REGISTRY["dice"].empty.both_empty
        )
        true = float((big[..., 0] - big[..., 1]).mean()) if about[1][0] != about[1][1] or about[2] else 0.0
        for n in (20, 40):
            found = np.zeros(len(TESTS) + 2)
            for i, values in enumerate(methods(np.random.default_rng(n), runs, n, *about)):
                d = differences(values, True)
                low, high = interval("studentised", d, np.ones(n), SAMPLES, 0.95, i % SEEDS, limits=(-1, 1))
                some = differences(values, False)
                found += [*(test(d) <= 0.05 for test in TESTS.values()), low <= true <= high, wilcoxon(some) <= 0.05]
            print(f"| {name} | {n} | {' | '.join(f'{f:.3f}' for f in found / runs)} |", flush=True)
    print(f"\nStandard error of a share of 0.05: {math.sqrt(0.0475 / runs):.3f}.\n")


# ---------------------------------------------------------------- several methods, ties


def alike(rng: np.random.Generator, count: int, n: int) -> np.ndarray:
    """(methods, n) Dice on the same cases, some of which are hard; the methods are exchangeable."""
    hard = 0.12 * rng.lognormal(0, 0.8, n)
    return np.clip(1 - hard - 0.04 * rng.lognormal(0, 0.8, (count, n)), 0, 1)


def tests(runs: int) -> None:
    print("| | patients | `wilcoxon` | `permutation` |\n|---|---|---|---|")
    for n in (12, 50):
        rng = np.random.default_rng(2)
        pairs = [alike(rng, 2, n) for _ in range(runs)]
        rows = {
            "two methods": [a - b for a, b in pairs],
            "Dice in tenths: mostly zeros and ties": [a.round(1) - b.round(1) for a, b in pairs],
        }
        for name, each in rows.items():
            rates = (np.mean([p(d) <= 0.05 for d in each]) for p in TESTS.values())
            print(f"| {name} | {n} | {' | '.join(f'{r:.3f}' for r in rates)} |", flush=True)
    rng, false = np.random.default_rng(3), np.zeros(2)
    for _ in range(runs // 2):
        each = [a - b for a, b in combinations(alike(rng, 4, 20), 2)]
        false += [min(holm([p(d) for d in each])) <= 0.05 for p in TESTS.values()]
    print(f"| any of 6 pairs of 4 methods, after Holm | 20 | {' | '.join(f'{f:.3f}' for f in false / (runs // 2))} |")
    print(
        f"\nStandard error of a share of 0.05: {math.sqrt(0.0475 / runs):.3f}, of the last line "
        f"{math.sqrt(0.095 / runs):.3f}."
    )


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=2000, help="of each row (default: %(default)s)")
    chosen = parser.parse_args()
    coverage(chosen.runs)
    counts(chosen.runs)
    paired(chosen.runs)
    tests(chosen.runs)
