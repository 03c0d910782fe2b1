"""The one record of each metric: what it is, how it is shown, what it is worth in a comparison."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal

from refold.evaluate.pair import Pair

Group = Literal["masks", "lesions", "probabilities"]
Better = Literal["higher", "lower", "none"]
Compared = Literal["no", "tested", "shown"]
KEEP, OUT, DIAGONAL = "as it is", "out", "diagonal"


@dataclass(frozen=True)
class Rule:
    """What a metric is worth in a comparison where a mask is empty.

    A number, `DIAGONAL` of the image, `KEEP` (as in cases.csv) or `OUT`: the case does not count. `OUT` may depend on
    the truth alone, so that it is the same for all methods.
    """

    both_empty: float | str
    truth_empty: float | str
    prediction_empty: float | str


OVERLAP = Rule(1.0, 0.0, 0.0)  # rightly empty is as good as can be
DISTANCE = Rule(0.0, DIAGONAL, DIAGONAL)
ALWAYS = Rule(KEEP, KEEP, KEEP)  # defined for every case, or undefined by the truth alone
OF_TRUTH = Rule(OUT, OUT, 0.0)  # a share of what the truth holds
PROBABILITY = Rule(OUT, OUT, KEEP)


@dataclass(frozen=True)
class Metric:
    """A metric of one label of one case.

    title, note: in the report. empty: its worth where a mask is empty. unit: in 3-D; the empty string for a ratio.
    better: what is wished for, ``none`` where neither is. group: ``masks`` of every label; ``lesions`` of labels whose
    components are counted; ``probabilities`` of methods that have some. digits: decimals in the report. compared:
    whether methods are tested by it, and whether the report shows that.
    """

    name: str
    function: Callable[[Pair], float]
    title: str
    empty: Rule
    unit: str = ""
    better: Better = "higher"
    group: Group = "masks"
    digits: int = 4
    note: str = ""
    compared: Compared = "no"

    @property
    def by_label(self) -> bool:
        """Whether its mean over the labels says nothing: of different volumes, or of the one label with lesions."""
        return self.unit == "ml" or self.group == "lesions"


REGISTRY: dict[str, Metric] = {}


def metric(
    title: str,
    empty: Rule,
    *,
    unit: str = "",
    better: Better = "higher",
    group: Group = "masks",
    digits: int = 4,
    note: str = "",
    compared: Compared = "no",
) -> Callable[[Callable[[Pair], float]], Callable[[Pair], float]]:
    """Register the decorated function under its own name; arguments as the fields of `Metric`.

    It takes a `Pair` and returns a number, or NaN where the metric is not defined; its docstring says which.
    """

    def register(function: Callable[[Pair], float]) -> Callable[[Pair], float]:
        name = function.__name__
        if name in REGISTRY:
            raise ValueError(f"metric {name} is registered twice")
        REGISTRY[name] = Metric(name, function, title, empty, unit, better, group, digits, note, compared)
        return function

    return register
