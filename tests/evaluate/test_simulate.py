"""The simulations behind docs/evaluate.md, with fewer samples."""

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
    # 0.975: what lesion sensitivity of 12 patients has, where values are few and coarse
    assert 0.93 - 3 * ERROR < rate < 0.975 + 3 * ERROR


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
