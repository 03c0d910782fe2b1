"""Learning rate as a function of the step alone, so that a resumed training cannot jump."""

from __future__ import annotations

import math


def learning_rate(
    step: int, total: int, peak: float, schedule: str = "cosine", warmup: int = 0, exponent: float = 0.9
) -> float:
    """Learning rate of one step.

    Args:
        step: counted from 0, less than ``total``.
        total: all steps of the training.
        peak: the rate after the warm-up.
        schedule: ``constant``; ``polynomial``, peak (1 - t)^0.9 (Chen et al. 2018); ``cosine``, to 0 (Loshchilov 2017).
        warmup: steps of linear rise.

    >>> [round(learning_rate(step, 10, 0.01, "polynomial"), 4) for step in (0, 5, 9)]
    [0.01, 0.0054, 0.0013]
    >>> [round(learning_rate(step, 10, 0.01, warmup=2), 4) for step in (0, 1, 2, 9)]
    [0.0033, 0.0067, 0.01, 0.0004]
    """
    if step < warmup:
        return peak * (step + 1) / (warmup + 1)
    t = (step - warmup) / max(1, total - warmup)
    if schedule == "constant":
        return peak
    if schedule == "polynomial":
        return peak * (1 - t) ** exponent
    return peak * 0.5 * (1 + math.cos(math.pi * t))
