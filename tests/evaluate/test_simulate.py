"""The simulations behind docs/reference/evaluate.md, with fewer samples."""

import math

import numpy as np
import pytest

from benchmarks import simulate
from refold.evaluate.statistics import wilcoxon

RUNS = 600
ERROR = math.sqrt(0.05 * 0.95 / RUNS)


@pytest.mark.slow
@pytest.mark.parametrize("patients", simulate.PATIENTS)
@pytest.mark.parametrize("scores", ["Dice, organ", "NSD", "lesion sensitivity", "lesion precision", "lesion F1"])
def test_an_interval_of_95_covers_93_to_97(scores, patients):
    rate = simulate.covered(simulate.SCORES[scores], "studentised", patients, RUNS, samples=600)
    assert 0.93 - 3 * ERROR < rate < 0.97 + 3 * ERROR


@pytest.mark.slow
@pytest.mark.parametrize("patients", simulate.PATIENTS)
def test_intervals_of_counts_cover_as_docs_say(patients):
    rates = {name: simulate.counted(draw, patients, RUNS) for name, draw in simulate.COUNTED.items()}
    hard = rates.pop("lesions found, up to 20 in patients who differ")
    assert all(0.92 - 3 * ERROR < rate < 0.99 + 2 * ERROR for rate in rates.values()) and hard > 0.87 - 3 * ERROR


def rejected(name: str, rule: bool, patients: int = 40, runs: int = 400) -> float:
    """Share of Wilcoxon's tests with p <= 0.05."""
    values = simulate.methods(np.random.default_rng(patients), runs, patients, *simulate.CASES[name])
    return float(np.mean([wilcoxon(simulate.differences(v, rule)) <= 0.05 for v in values]))


@pytest.mark.slow
def test_the_rule_finds_false_positives_and_raises_no_false_alarm():
    error = math.sqrt(0.05 * 0.95 / 400)
    for name in list(simulate.CASES)[:2]:
        assert rejected(name, True) < 0.05 + 4 * error
    assert rejected("B has more false positives", True) > 0.4
    # leaving these cases out, nothing is found
    assert rejected("B has more false positives", False) < 0.05 + 4 * error
