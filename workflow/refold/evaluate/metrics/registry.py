"""The one table of metrics."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from refold.evaluate.pair import Pair

Group = Literal["masks", "lesions", "probabilities"]


@dataclass(frozen=True)
class Metric:
    """A metric of one label of one case.

    unit: in 3-D; the empty string for a ratio. better: what is wished for, ``none`` where neither is. group: ``masks``
    of every label; ``lesions`` of labels whose components are counted; ``probabilities`` of methods that have some.
    """

    name: str
    function: Callable[[Pair], float]
    unit: str
    better: Literal["higher", "lower", "none"]
    group: Group = "masks"


REGISTRY: dict[str, Metric] = {}
VOLUMES = ("volume", "volume_error")  # in ml, so that six decimals may hold few digits


def metric(
    unit: str = "",
    better: Literal["higher", "lower", "none"] = "higher",
    group: Group = "masks",
):
    """Register the decorated function under its own name.

    It takes a `Pair` and returns a number, or NaN where the metric is not defined; its docstring says which.
    """

    def register(function: Callable[[Pair], float]) -> Callable[[Pair], float]:
        name = function.__name__
        if name in REGISTRY:
            raise ValueError(f"metric {name} is registered twice")
        REGISTRY[name] = Metric(name, function, unit, better, group)
        return function

    return register
