"""Cells, rows and tables, and numbers as they stand in them."""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property

from refold.core.language import _
from refold.settings.names import MEAN

NOT_DEFINED = "–"


@dataclass(frozen=True)
class Cell:
    """What is read, what stands small beneath it, and what it is sorted by where that is not what is read.

    bad: it is a failure, and is set off.
    """

    text: str
    key: str | None = None
    small: str = ""
    numeric: bool = False
    bad: bool = False


@dataclass(frozen=True)
class Row:
    """whole: a mean over the labels, set off from them. anchor: its id, for links."""

    cells: list[Cell]
    whole: bool = False
    anchor: str = ""


@dataclass(frozen=True)
class Table:
    """Columns and rows, ready for the template."""

    columns: list[str]
    rows: list[Row]

    @cached_property
    def numeric(self) -> list[bool]:
        """Which columns hold numbers."""
        return [any(row.cells[i].numeric for row in self.rows) for i in range(len(self.columns))]


def shown(value: float, digits: int = 4) -> str:
    """A number as the report writes it; a dash where it is not defined."""
    if math.isnan(value):
        return NOT_DEFINED
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def number(value: float, digits: int = 4, small: str = "") -> Cell:
    """A numeric cell; what is not defined sorts last."""
    text = shown(value, digits)
    return Cell(text, "" if text == NOT_DEFINED else text if small else None, small, True)


def p_value(value: float) -> Cell:
    """4 decimals, or ``< 0.0001``."""
    if 0 <= value < 0.0001:
        return Cell("< 0.0001", "0", numeric=True)
    return number(value)


def label_name(label: str) -> Cell:
    return Cell(_("mean of labels") if label == MEAN else label)
