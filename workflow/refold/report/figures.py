"""Figures as inline SVG that take their colours and fonts from the page, so that dark mode and printing just work."""

from __future__ import annotations

import html
import io
import logging
import math
import re

import matplotlib
import numpy as np
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from refold.report.inputs import Experiment, Scored

WIDTH = 340  # CSS pixels: a figure fills a phone, and two stand side by side on a desk
ROW = 34

# Stand-ins that become CSS variables: matplotlib writes colours, the page wants themes.
INK, FAINT, PAPER = "#010101", "#020202", "#030303"
SERIES = tuple(f"#0401{i:02x}" for i in range(8))
MARKERS = ("o", "D", "s", "^", "v", "P", "X", "p")
DASHES = ("-", (0, (5, 2)), (0, (1, 1.5)), (0, (6, 2, 1, 2)))
VARIABLES = {INK: "var(--ink)", FAINT: "var(--faint)", PAPER: "var(--paper)"} | {
    c: f"var(--series-{i})" for i, c in enumerate(SERIES)
}
STYLE = {
    "svg.hashsalt": "refold",
    "svg.fonttype": "none",
    "text.parse_math": False,
    "font.size": 11,
    "axes.edgecolor": FAINT,
    "axes.labelcolor": INK,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "text.color": INK,
    "xtick.color": FAINT,
    "ytick.color": FAINT,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 11,
    "ytick.labelsize": 11,
    "grid.color": FAINT,
    "grid.linewidth": 0.5,
    "grid.alpha": 0.5,
    "lines.linewidth": 1.4,
    "path.simplify": True,
}
_METADATA = {"Date": None, "Creator": None, "Format": None, "Type": None}


def svg(figure: Figure, name: str, alt: str, titles: list[str] | None = None) -> str:
    """A figure as SVG to stand in a page.

    Args:
        figure: drawn with the colours of this module.
        name: goes before every id, because all figures share the page.
        alt: what the figure shows, in words.
        titles: what hovering shows, for artists whose url is ``case:<anchor>:<index of its title>``.
    """
    buffer = io.StringIO()
    logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # the page's fonts are used, not these
    figure.savefig(buffer, format="svg", metadata=_METADATA, transparent=True)
    text = buffer.getvalue()
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", text)
    text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
    text = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{name}-\1"', text)
    text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
    text = re.sub(
        r'<a xlink:href="case:([^":]+):(\d+)"[^>]*>',
        lambda m: f'<a href="#{m[1]}" tabindex="-1"><title>{html.escape(titles[int(m[2])])}</title>',
        text,
    )
    text = re.sub(r"#0[1-4]0[0-3][0-9a-f]{2}\b", lambda m: VARIABLES.get(m[0], m[0]), text)
    text = re.sub(r"font: ([\d.]+)px [^;\"]+", r"font-size: \1px", text)
    text = re.sub(r"font-family: [^;\"]+;?", "", text)
    text = re.sub(r">\s+<", "><", text)
    role = "group" if titles else "img"
    head, tail = text.split(">", 1)
    head = re.sub(r'\s(width|height|version)="[^"]*"', "", head)
    return f'{head} role="{role}" aria-label="{html.escape(alt, quote=True)}">{tail}'.strip()


def _spread(values: np.ndarray, low: float, high: float, reach: float) -> np.ndarray:
    """Heights that keep dots of like value apart: each bin's dots alternate about the middle, within +-reach."""
    bins = np.floor((values - low) / max(high - low, 1e-12) * 50).astype(int)
    height = np.zeros(len(values))
    groups = [np.flatnonzero(bins == b) for b in np.unique(bins)]
    most = max((len(g) for g in groups), default=1)
    step = min(0.09, 2 * reach / max(most - 1, 1))
    for group in groups:
        ranks = np.arange(len(group))
        height[group] = np.where(ranks % 2, (ranks + 1) // 2, -(ranks // 2)) * step
    return height


def strip(
    experiment: Experiment, scored: list[Scored], metric: str, title: str, unit: str, digits: int, name: str
) -> str:
    """Every case a point, by label and method; the box spans the quartiles, its line is the median."""
    rows = [(label, method) for label in experiment.labels for method in experiment.methods]
    values = {
        row: [
            (v, s) for s in scored if s.method == row[1] and not math.isnan(v := s.values[row[0]].get(metric, math.nan))
        ]
        for row in rows
    }
    flat = [v for part in values.values() for v, _ in part]
    share = metric in ("dice", "nsd", "iou")
    low = math.floor(min(flat, default=0) * 10) / 10 if share else 0.0
    high = 1.0 if share else max(flat, default=1.0) or 1.0
    titles: list[str] = []
    with matplotlib.rc_context(STYLE):
        height = ROW * len(rows) + 14 * len(experiment.labels) + 44
        figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
        axes = figure.add_axes((0.03, 38 / height, 0.94, 1 - 44 / height))
        margin = (high - low) * 0.02
        axes.set(
            xlim=(low - margin, high + margin), ylim=(len(rows) + 0.42 * len(experiment.labels) - 0.45, -0.6), yticks=[]
        )
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.set_xlabel(title + (f" ({unit})" if unit else ""))
        axes.xaxis.set_major_locator(MaxNLocator(6))
        for i, (label, method) in enumerate(rows):
            y = i + 0.42 * experiment.labels.index(label)
            index = experiment.methods.index(method)
            colour, marker = SERIES[index % len(SERIES)], MARKERS[index % len(MARKERS)]
            part = values[label, method]
            gone = sum(s.method == method for s in scored) - len(part)
            words = f"{label} · {method}" if len(experiment.methods) > 1 else label
            words += f" ({gone} not defined)" if gone else ""
            axes.text(low - margin, y - 0.36, words, fontsize=11, va="center", clip_on=False)
            if not part:
                continue
            x = np.array([v for v, _ in part])
            q1, median, q3 = np.percentile(x, (25, 50, 75))
            y += 0.12
            axes.fill_between([q1, q3], y - 0.22, y + 0.22, color=colour, alpha=0.18, linewidth=0)
            axes.plot([median, median], [y - 0.26, y + 0.26], color=INK, linewidth=1.6, solid_capstyle="butt")
            axes.scatter(
                x,
                y + _spread(x, low, high, 0.2),
                s=16,
                marker=marker,
                color=colour,
                alpha=0.75,
                linewidth=0,
                urls=[f"case:{s.anchor}:{len(titles) + j}" for j, (_, s) in enumerate(part)],
                clip_on=False,
            )
            titles += [
                f"{s.case}: {v:.{digits}f}{' ' * bool(unit) + unit} ({label}, {method}, fold {s.fold})" for v, s in part
            ]
        alt = f"{title} of every case, by label and method; the numbers stand in the table of all cases."
        return svg(figure, name, alt, titles)


def curves(histories: dict[str, list[dict[str, float]]], series: list[tuple[str, str]], title: str, name: str) -> str:
    """A quantity over the epochs, a line a fold.

    Args:
        histories: {fold: rows of history.csv}.
        series: (column, words), the first drawn solid, the second dashed and thinner.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH / 72, 230 / 72), dpi=72)
        axes = figure.add_axes((0.14, 0.19, 0.7, 0.68))
        ends: list[tuple] = []
        axes.grid(axis="y")
        axes.set_title(title, loc="left", fontsize=11)
        axes.set_xlabel("epoch")
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        for i, (fold, rows) in enumerate(histories.items()):
            for j, (column, _) in enumerate(series):
                points = [(r["epoch"], r[column]) for r in rows if not math.isnan(r.get(column, math.nan))]
                if not points:
                    continue
                x, y = zip(*points, strict=True)
                axes.plot(
                    x,
                    y,
                    color=SERIES[i % len(SERIES)],
                    linewidth=1.0 if j else 1.5,
                    linestyle=DASHES[1] if j else "-" if i < len(SERIES) else DASHES[3],
                    marker="." if len(points) < 30 else None,
                    markersize=4,
                )
                if not j:
                    ends.append((x[-1], y[-1], fold, SERIES[i % len(SERIES)]))
        above = -math.inf
        for x, y, fold, colour in sorted(ends, key=lambda end: end[1]):
            at = axes.transData.transform((x, y))[1]
            above = max(at, above + 11)  # names of folds that end alike stand on one another
            axes.annotate(
                f"fold {fold}",
                (x, y),
                xytext=(6, above - at),
                textcoords="offset points",
                va="center",
                fontsize=10,
                color=colour,
                annotation_clip=False,
            )
        folds = ", ".join(histories)
        return svg(figure, name, f"{title} over the epochs, a line for each fold ({folds}).")


def drawable(histories: dict[str, list[dict[str, float]]], column: str) -> bool:
    """Whether any fold has a value in ``column``."""
    return any(not math.isnan(r.get(column, math.nan)) for rows in histories.values() for r in rows)
