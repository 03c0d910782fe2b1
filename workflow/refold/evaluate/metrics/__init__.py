"""Metrics, one function each; a new one is a decorated function in a module imported here."""

from refold.core.params import METRICS
from refold.evaluate.metrics import distance, overlap, volume
from refold.evaluate.metrics.registry import REGISTRY, Metric, metric
from refold.evaluate.pair import Pair

__all__ = ["REGISTRY", "Metric", "compute", "distance", "metric", "overlap", "volume"]


def compute(pair: Pair) -> dict[str, float]:
    """All metrics of a pair, in the order of `refold.core.params.METRICS`; NaN where one is not defined."""
    return {name: float(REGISTRY[name].function(pair)) for name in METRICS}
