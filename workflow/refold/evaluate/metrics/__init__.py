"""Metrics, one function each; a new one is a decorated function in a module imported here."""

from refold.evaluate.metrics import distance, overlap, volume
from refold.evaluate.metrics.registry import REGISTRY, Metric, metric
from refold.evaluate.pair import Pair

# in this order they stand in the tables
METRICS = (
    "dice", "dice_lenient", "iou", "iou_lenient", "precision", "recall", "specificity", "accuracy", "f1",
    "hd95", "hd95_penalised", "assd", "nsd", "volume", "volume_error",
)  # fmt: skip

__all__ = ["METRICS", "REGISTRY", "Metric", "compute", "distance", "metric", "overlap", "volume"]


def compute(pair: Pair) -> dict[str, float]:
    """All metrics of a pair, in the order of `METRICS`; NaN where one is not defined."""
    return {name: float(REGISTRY[name].function(pair)) for name in METRICS}
