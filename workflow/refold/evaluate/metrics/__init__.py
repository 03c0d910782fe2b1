"""Metrics, one function each; a new one is a decorated function in one of these modules."""

from refold.evaluate.metrics import distance, lesion, overlap, probability, volume
from refold.evaluate.metrics.registry import REGISTRY, Metric, metric
from refold.evaluate.pair import Pair

# in this order their metrics stand in the tables
MODULES = (overlap, distance, volume, lesion, probability)
METRICS = tuple(n for module in MODULES for n, m in REGISTRY.items() if m.function.__module__ == module.__name__)
COMPARED = tuple(n for n in METRICS if REGISTRY[n].compared != "no")
VOLUMES = tuple(n for n in METRICS if REGISTRY[n].unit == "ml")  # so that six decimals may hold few digits

__all__ = ["COMPARED", "METRICS", "REGISTRY", "VOLUMES", "Metric", "compute", "metric"]


def compute(pair: Pair) -> dict[str, float]:
    """All metrics of a pair, in the order of `METRICS`; NaN where one is not defined.

    Those of lesions and probabilities only where the pair has them.
    """
    groups = {"masks", *(["lesions"] if pair.lesion_iou else []), *(["probabilities"] if pair.uncertainty else [])}
    return {name: float(REGISTRY[name].function(pair)) for name in METRICS if REGISTRY[name].group in groups}
