"""Paragraphs with numbered references, and numbers as the report writes them."""

from __future__ import annotations

import math
import re

from refold.core.language import _
from refold.experiment.params import KINDS
from refold.report import prose
from refold.report.inputs import Experiment
from refold.report.prose.papers import REFERENCES


class Prose:
    """Paragraphs that number the references in the order of their first mention."""

    def __init__(self) -> None:
        self.cited: list[str] = []
        self.paragraphs: list[tuple[str, str]] = []

    def cite(self, *keys: str) -> str:
        """A mark that `add` turns into numbers, when the place of the mention is known."""
        return f"\0{','.join(keys)}\0"

    def _number(self, mark: re.Match) -> str:
        keys = mark[1].split(",")
        self.cited += [k for k in keys if k not in self.cited]
        return _(" [{numbers}]", numbers=", ".join(str(self.cited.index(k) + 1) for k in keys))

    def add(self, title: str, *sentences: str) -> None:
        text = _(" ").join(s for s in sentences if s)
        self.paragraphs.append((title, re.sub("\0([^\0]+)\0", self._number, text)))

    def references(self) -> list[str]:
        known = {**{k: v for kind in KINDS.values() for k, v in prose.references(kind).items()}, **REFERENCES}
        return [known[k] for k in self.cited]


def share(value: float) -> str:
    """A metric between 0 and 1 as the report writes it: 4 decimals."""
    return _("not defined") if math.isnan(value) else f"{value:.4f}"


def percent(value: float) -> str:
    """``0.33`` -> ``33 %``."""
    return f"{round(value * 100, 6):g} %"


def level(experiment: Experiment) -> str:
    """``95 %``."""
    return percent(experiment.params.evaluate.confidence)


def alpha(confidence: float) -> str:
    """The level of tests that belongs to that of intervals: ``0.05`` of 0.95."""
    return f"{round(1 - confidence, 9):g}"
