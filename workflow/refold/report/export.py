"""The tables and figures of the report as files beside it: CSV and LaTeX, SVG and PDF."""

from __future__ import annotations

import re
import shutil
from dataclasses import dataclass, field
from pathlib import Path

from markupsafe import Markup

from refold.core.files import atomic, write_csv, write_text
from refold.core.language import _
from refold.report.cells import Table
from refold.report.figures import Drawing


@dataclass
class Kept:
    """What the page shows that stands in files beside it too: tables by name, and drawings."""

    tables: dict[str, Table] = field(default_factory=dict)
    drawings: list[Drawing] = field(default_factory=list)

    def table(self, name: str, table: Table | None) -> Table | None:
        """Keep a table, if there is one, and give it back."""
        if table is not None:
            self.tables[name] = table
        return table

    def drawing(self, drawing: Drawing) -> Markup:
        """Keep a drawing, and give what stands in the page."""
        self.drawings.append(drawing)
        return Markup(drawing.inline())


LONG = 40  # rows; longer tables break over pages

_LATEX = {
    "\\": r"\textbackslash{}",
    "~": r"\textasciitilde{}",
    "^": r"\textasciicircum{}",
    "–": "--",
    "’": "'",
    "×": r"$\times$",
    **{c: rf"\{c}" for c in "&%$#_{}"},
}


def latex(text: str) -> str:
    """Text that LaTeX sets as it is written."""
    return re.sub("|".join(map(re.escape, _LATEX)), lambda m: _LATEX[m[0]], text)


def _plain(text: str) -> str:
    """Text that a spreadsheet shows and does not work out: a name from data may look like a formula."""
    return f"'{text}" if text.startswith(("=", "+", "-", "@", "\t", "\r")) else text


def _split(table: Table) -> tuple[list[str], list[list[str]]]:
    """Columns and rows of a file: what stands small in a cell has a column of its own."""
    small = [any(row.cells[i].small for row in table.rows) for i in range(len(table.columns))]
    columns = [
        _plain(name)
        for i, title in enumerate(table.columns)
        for name in ([title, _("{column}, beneath", column=title)] if small[i] else [title])
    ]
    rows = [
        [
            text if c.numeric else _plain(text)
            for i, c in enumerate(row.cells)
            for text in ([c.text, c.small] if small[i] else [c.text])
        ]
        for row in table.rows
    ]
    return columns, rows


def as_latex(table: Table) -> str:
    """A tabular of the package booktabs, or a longtable where there are many rows."""
    kind = "longtable" if len(table.rows) > LONG else "tabular"
    line = lambda cells: " & ".join(cells) + r" \\"  # noqa: E731
    body = [
        line([latex(c.text) + (rf" {{\footnotesize ({latex(c.small)})}}" if c.small else "") for c in row.cells])
        for row in table.rows
    ]
    spec = "".join("r" if numeric else "l" for numeric in table.numeric)
    return "\n".join(
        [
            _("% needs {packages}", packages=rf"\usepackage{{booktabs{',longtable' if kind == 'longtable' else ''}}}"),
            rf"\begin{{{kind}}}{{{spec}}}",
            r"\toprule",
            line(map(latex, table.columns)),
            r"\midrule",
            *([r"\endhead"] if kind == "longtable" else []),
            *body,
            r"\bottomrule",
            rf"\end{{{kind}}}",
            "",
        ]
    )


def tables(found: dict[str, Table], folder: Path) -> None:
    """Write ``<name>.csv`` and ``<name>.tex`` of each; nothing else stays in the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    for name, table in found.items():
        columns, rows = _split(table)
        write_csv(folder / f"{name}.csv", columns, [dict(zip(columns, row, strict=True)) for row in rows])
        write_text(folder / f"{name}.tex", as_latex(table))


def figures(drawings: list[Drawing], folder: Path) -> None:
    """Write ``<name>.svg`` and ``<name>.pdf`` of each; nothing else stays in the folder."""
    shutil.rmtree(folder, ignore_errors=True)
    for drawing in drawings:
        write_text(folder / f"{drawing.name}.svg", drawing.standalone())
        with atomic(folder / f"{drawing.name}.pdf") as temporary:
            temporary.write_bytes(drawing.pdf())
