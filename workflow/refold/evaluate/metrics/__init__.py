"""Metrics, one function each; a new one is a decorated function in a module imported here."""

from refold.evaluate.metrics import distance, lesion, overlap, probability, volume
from refold.evaluate.metrics.registry import REGISTRY, VOLUMES, Metric, metric
from refold.evaluate.pair import Pair

# in this order they stand in the tables
METRICS = (
    "dice", "dice_lenient", "iou", "iou_lenient", "precision", "recall", "specificity", "accuracy", "f1",
    "hd95", "hd95_penalised", "assd", "nsd", "volume", "volume_error",
    "lesion_sensitivity", "lesion_precision", "lesion_f1", "lesions_missed", "lesions_false_positive",
    "panoptic_quality",
    "ece", "brier", "entropy",
)  # fmt: skip

__all__ = [
    "METRICS", "REGISTRY", "VOLUMES", "Metric", "compute", "distance", "lesion", "metric", "overlap", "probability",
    "volume",
]  # fmt: skip


def compute(pair: Pair) -> dict[str, float]:
    """All metrics of a pair, in the order of `METRICS`; NaN where one is not defined.

    Those of lesions and probabilities only where the pair has them.
    """
    groups = {"masks", *(["lesions"] if pair.lesion_iou else []), *(["probabilities"] if pair.uncertainty else [])}
    return {name: float(REGISTRY[name].function(pair)) for name in METRICS if REGISTRY[name].group in groups}
