"""The Dice of every case in one run against that in another."""

from __future__ import annotations

import math

import matplotlib
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from refold.compare.pairs import Pair
from refold.report.figures import FAINT, INK, SERIES, STYLE, WIDTH, Drawing


def scatter(pair: Pair, label: str, axes: tuple[str, str], title: str, alt: str, hover: list[str]) -> str:
    """A square figure; points above the diagonal are cases that are better in the second run; rightly empty is at 1.

    Args:
        pair: whose cases are drawn.
        label: the Dice of which label.
        axes: words along x and y.
        title: stands above.
        alt: what is shown, in words.
        hover: a text for each case of ``pair.changes``.
    """
    points = [(*c.worth[label], c, text) for c, text in zip(pair.changes, hover, strict=True)]
    points = [p for p in points if not math.isnan(p[0] - p[1])]
    low = math.floor(min((min(x, y) for x, y, _, _ in points), default=0) * 10) / 10
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH / 72, WIDTH / 72), dpi=72)
        plot = figure.add_axes((0.16, 0.14, 0.8, 0.78))
        margin = (1 - low) * 0.02
        plot.set(xlim=(low - margin, 1 + margin), ylim=(low - margin, 1 + margin), aspect="equal")
        plot.grid()
        plot.set_axisbelow(True)
        plot.set_title(title, loc="left", fontsize=11)
        plot.set_xlabel(axes[0])
        plot.set_ylabel(axes[1])
        plot.xaxis.set_major_locator(MaxNLocator(5))
        plot.yaxis.set_major_locator(MaxNLocator(5))
        plot.plot([low, 1], [low, 1], color=INK, linewidth=0.9)
        if points:
            x, y, changes, titles = zip(*points, strict=True)
            plot.scatter(
                x,
                y,
                s=20,
                color=SERIES[0],
                alpha=0.75,
                linewidth=0.4,
                edgecolor=FAINT,
                urls=[f"case:{c.anchor}:{i}" for i, c in enumerate(changes)],
                clip_on=False,
            )
        else:
            titles = ()
        return Drawing(
            figure,
            f"scatter-{pair.number}-{pair.labels.index(label) if label in pair.labels else 'mean'}",
            alt,
            list(titles),
        ).inline()
