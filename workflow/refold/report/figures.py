"""Figures as inline SVG that take their colours and fonts from the page, so that dark mode and printing just work."""

from __future__ import annotations

import html
import io
import logging
import math
import re
import warnings
from dataclasses import dataclass
from typing import Any

import matplotlib
import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import to_hex, to_rgb, to_rgba_array
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from refold.core.language import _, joined
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
STYLE: dict[Any, Any] = {
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


LIGHT = {INK: "#1d2430", FAINT: "#a7afba", PAPER: "#ffffff"} | dict(
    zip(
        SERIES,
        ("#0b63b5", "#b34700", "#00795c", "#96357f", "#6b5b00", "#2f7f9e", "#a8323a", "#5b5f66"),
        strict=True,
    )
)
_STAND_IN = re.compile(r"#0[1-4]0[0-3][0-9a-f]{2}\b")


@dataclass(frozen=True)
class Drawing:
    """A figure with the colours of this module, what it shows in words, and its name: letters, digits and hyphens.

    titles: what hovering shows, for artists whose url is ``case:<anchor>:<index of its title>``.
    """

    figure: Figure
    name: str
    alt: str
    titles: list[str] | None = None

    def _svg(self) -> str:
        buffer = io.StringIO()
        logging.getLogger("matplotlib.font_manager").setLevel(logging.ERROR)  # the page's fonts are used, not these
        with matplotlib.rc_context(STYLE), warnings.catch_warnings():
            warnings.filterwarnings("ignore", r"Glyph .* missing from")
            self.figure.savefig(buffer, format="svg", metadata=_METADATA, transparent=True)
        text = re.sub(r"<metadata>.*?</metadata>", "", buffer.getvalue(), flags=re.S)
        return re.sub(r">\s+<", "><", text[text.index("<svg") :]).strip()

    def inline(self) -> str:
        """As SVG to stand in a page that defines the colours; ids begin with the name, all figures share the page."""
        titles = self.titles or []
        text, name = re.sub(r'\sxmlns(:\w+)?="[^"]*"', "", self._svg()), self.name
        text = re.sub(r'\bid="([^"]+)"', rf'id="{name}-\1"', text)
        text = re.sub(r'xlink:href="#([^"]+)"', rf'href="#{name}-\1"', text)
        text = re.sub(r"url\(#([^)]+)\)", rf"url(#{name}-\1)", text)
        text = re.sub(
            r'<a xlink:href="case:([^":]+):(\d+)"[^>]*>',
            lambda m: f'<a href="#{m[1]}" tabindex="-1"><title>{html.escape(titles[int(m[2])])}</title>',
            text,
        )
        text = _STAND_IN.sub(lambda m: VARIABLES.get(m[0], m[0]), text)
        text = re.sub(r"font: ([\d.]+)px [^;\"]+", r"font-size: \1px", text)
        text = re.sub(r"font-family: [^;\"]+;?", "", text)
        role = "group" if self.titles else "img"
        head, tail = text.split(">", 1)
        head = re.sub(r'\s(width|height|version)="[^"]*"', "", head)
        return f'{head} role="{role}" aria-label="{html.escape(self.alt, quote=True)}">{tail}'

    def standalone(self) -> str:
        """As an SVG file for papers, in the light colours, without links."""
        text = _STAND_IN.sub(lambda m: LIGHT.get(m[0], m[0]), self._svg())
        text = re.sub(r'<a xlink:href="case:[^>]*>', "", text).replace("</a>", "")
        return text.replace(">", f"><title>{html.escape(self.alt)}</title>", 1) + "\n"

    def pdf(self) -> bytes:
        """As a PDF file for papers, in the light colours. The figure has them afterwards."""
        for artist in self.figure.findobj():
            for what in ("color", "facecolor", "edgecolor", "markerfacecolor", "markeredgecolor"):
                get, put = (getattr(artist, f"{verb}_{what}", None) for verb in ("get", "set"))
                if get is None or put is None:
                    continue
                old = get()
                if isinstance(old, str) and old in ("none", "auto"):
                    continue
                rows = to_rgba_array(old)
                new = [(*to_rgb(LIGHT.get(to_hex(r[:3]), to_hex(r[:3]))), r[3]) for r in rows]
                if len(new) and not np.allclose(new, rows):
                    put(new[0] if len(new) == 1 else new)
        buffer = io.BytesIO()
        with matplotlib.rc_context(STYLE):
            self.figure.savefig(
                buffer, format="pdf", metadata={"CreationDate": None, "Creator": None, "Producer": None}
            )
        return buffer.getvalue()


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
) -> Drawing:
    """Every case a point, by label and method; the box spans the quartiles, its line is the median."""
    rows = [(label, method) for label in experiment.parts for method in experiment.methods]
    values = {
        row: [(v, s) for s in scored if s.method == row[1] and not math.isnan(v := s.value(row[0], metric))]
        for row in rows
    }
    flat = [v for part in values.values() for v, s in part]
    share = metric in ("dice", "nsd", "iou")
    low = math.floor(min(flat, default=0) * 10) / 10 if share else 0.0
    high = 1.0 if share else max(flat, default=1.0) or 1.0
    titles: list[str] = []
    with matplotlib.rc_context(STYLE):
        height = ROW * len(rows) + 14 * len(experiment.parts) + 44
        figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
        axes = figure.add_axes((0.03, 38 / height, 0.94, 1 - 44 / height))
        margin = (high - low) * 0.02
        axes.set(
            xlim=(low - margin, high + margin), ylim=(len(rows) + 0.42 * len(experiment.parts) - 0.45, -0.6), yticks=[]
        )
        axes.spines["left"].set_visible(False)
        axes.grid(axis="x")
        axes.set_axisbelow(True)
        axes.set_xlabel(_("{what} ({unit})", what=title, unit=unit) if unit else title)
        axes.xaxis.set_major_locator(MaxNLocator(6))
        for i, (label, method) in enumerate(rows):
            y = i + 0.42 * experiment.parts.index(label)
            index = experiment.methods.index(method)
            colour, marker = SERIES[index % len(SERIES)], MARKERS[index % len(MARKERS)]
            part = values[label, method]
            gone = sum(s.method == method for s in scored) - len(part)
            words = f"{label} · {method}" if len(experiment.methods) > 1 else label
            words = _("{part} ({number} not defined)", part=words, number=gone) if gone else words
            axes.text(low - margin, y - 0.36, words, fontsize=11, va="center", clip_on=False)
            if not part:
                continue
            x = np.array([v for v, s in part])
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
                urls=[f"case:{s.anchor}:{len(titles) + j}" for j, (v, s) in enumerate(part)],
                clip_on=False,
            )
            titles += [
                _(
                    "{case}: {value} ({label}, {method}, fold {fold})",
                    case=s.case,
                    value=f"{v:.{digits}f} {unit}".strip(),
                    label=label,
                    method=method,
                    fold=s.fold,
                )
                for v, s in part
            ]
        alt = _(
            "{metric} of every case, by label and method; the numbers stand in the table of all cases.", metric=title
        )
        return Drawing(figure, name, alt, titles)


def curves(histories: dict[str, list[dict[str, float]]], column: str, title: str, name: str) -> Drawing:
    """One quantity over the epochs, a line a fold.

    Args:
        histories: {fold: rows of history.csv}.
        column: of the rows. Two quantities of different scales never share a figure.
    """
    with matplotlib.rc_context(STYLE):
        figure = Figure(figsize=(WIDTH / 72, 230 / 72), dpi=72)
        axes = figure.add_axes((0.14, 0.19, 0.7, 0.68))
        ends: list[tuple] = []
        axes.grid(axis="y")
        axes.set_title(title, loc="left", fontsize=11)
        axes.set_xlabel(_("epoch"))
        axes.xaxis.set_major_locator(MaxNLocator(5, integer=True))
        for i, (fold, rows) in enumerate(histories.items()):
            points = [(r["epoch"], r[column]) for r in rows if not math.isnan(r.get(column, math.nan))]
            if not points:
                continue
            x, y = zip(*points, strict=True)
            axes.plot(
                x,
                y,
                color=SERIES[i % len(SERIES)],
                linewidth=1.5,
                linestyle="-" if i < len(SERIES) else DASHES[3],
                marker="." if len(points) < 30 else None,
                markersize=4,
            )
            ends.append((x[-1], y[-1], fold, SERIES[i % len(SERIES)]))
        above = -math.inf
        for x, y, fold, colour in sorted(ends, key=lambda end: end[1]):
            at = axes.transData.transform((x, y))[1]
            above = max(at, above + 11)  # names of folds that end alike stand on one another
            axes.annotate(
                _("fold {fold}", fold=fold),
                (x, y),
                xytext=(6, above - at),
                textcoords="offset points",
                va="center",
                fontsize=10,
                color=colour,
                annotation_clip=False,
            )
        folds = joined(histories)
        alt = _("{quantity} over the epochs, a line for each fold ({folds}).", quantity=title, folds=folds)
        return Drawing(figure, name, alt)


def drawable(histories: dict[str, list[dict[str, float]]], column: str) -> bool:
    """Whether any fold has a value in ``column``."""
    return any(not math.isnan(r.get(column, math.nan)) for rows in histories.values() for r in rows)


def _frame(height: int, title: str, across: str, up: str, left: float = 0.17) -> tuple[Figure, Axes]:
    """A figure of the usual width with one pair of axes. Call within `STYLE`."""
    figure = Figure(figsize=(WIDTH / 72, height / 72), dpi=72)
    axes = figure.add_axes((left, 46 / height, 0.96 - left, 1 - (46 + 26) / height))
    axes.grid(axis="both")
    axes.set_axisbelow(True)
    axes.set_title(title, loc="left", fontsize=11)
    axes.set(xlabel=across, ylabel=up)
    return figure, axes


def bland_altman(
    scored: list[Scored], label: str, row: dict[str, float], index: int, unit: str, digits: int, name: str
) -> Drawing:
    """Predicted minus true volume against their mean, every case a point (Bland and Altman 1986).

    Args:
        scored: of one method. row: of agreement.csv. index: of the method, for colour and marker.
    """
    points = [
        (v - error / 2, error, s)
        for s in scored
        if not math.isnan(v := s.value(label, "volume")) and not math.isnan(error := s.value(label, "volume_error"))
    ]
    colour, marker = SERIES[index % len(SERIES)], MARKERS[index % len(MARKERS)]
    with matplotlib.rc_context(STYLE):
        across, up = _("mean of both volumes ({unit})", unit=unit), _("predicted minus true ({unit})", unit=unit)
        figure, axes = _frame(250, label, across, up)
        axes.axhline(0, color=INK, linewidth=0.8)
        for key, style in (("bias", "-"), ("lower", DASHES[1]), ("upper", DASHES[1])):
            if math.isnan(row[key]):
                continue
            axes.axhline(row[key], color=colour, linestyle=style)
            if not math.isnan(row[f"{key}_low"]):
                axes.axhspan(row[f"{key}_low"], row[f"{key}_high"], color=colour, alpha=0.13, linewidth=0)
        if points:
            axes.scatter(
                [p[0] for p in points],
                [p[1] for p in points],
                s=16,
                marker=marker,
                color=colour,
                alpha=0.75,
                linewidth=0,
                urls=[f"case:{s.anchor}:{i}" for i, (*_xy, s) in enumerate(points)],
                clip_on=False,
            )
        axes.xaxis.set_major_locator(MaxNLocator(5))
        axes.yaxis.set_major_locator(MaxNLocator(5))
        titles = [
            _("{case}: {value} (fold {fold})", case=s.case, value=f"{error:+.{digits}f} {unit}", fold=s.fold)
            for _mean, error, s in points
        ]
        alt = _("Predicted minus true volume of {label} by case.", label=label)
        if not math.isnan(row["lower"]):
            alt = _(
                "Predicted minus true volume of {label} by case, with bias {bias} {unit} and limits of agreement "
                "{lower} to {upper} {unit}.",
                label=label,
                unit=unit,
                **{k: f"{row[k]:.{digits}f}" for k in ("bias", "lower", "upper")},
            )
        return Drawing(figure, name, alt, titles)


def lines(
    series: list[tuple[str, list[float], list[float]]],
    title: str,
    across: str,
    up: str,
    name: str,
    alt: str,
    diagonal: bool = False,
    top: float | None = 1.0,
) -> Drawing:
    """One line for each method: (method, x, y); its name stands in a legend beneath."""
    rows = math.ceil(len(series) / 2)
    with matplotlib.rc_context(STYLE):
        figure, axes = _frame(262, title, across, up, 0.15)
        figure.set_size_inches(WIDTH / 72, (262 + 17 * rows) / 72)
        axes.set_position((0.15, (46 + 17 * rows) / (262 + 17 * rows), 0.81, 1 - (72 + 17 * rows) / (262 + 17 * rows)))
        if diagonal:
            axes.plot([0, 1], [0, 1], color=INK, linewidth=0.8)
        for i, (method, x, y) in enumerate(series):
            axes.plot(
                x,
                y,
                color=SERIES[i % len(SERIES)],
                linestyle=DASHES[i % len(DASHES)],
                marker=MARKERS[i % len(MARKERS)] if len(x) <= 12 else None,
                markersize=4,
                label=method,
            )
        axes.set_xlim(0, 1)
        axes.set_ylim(0, top)
        figure.legend(loc="lower left", bbox_to_anchor=(0.01, 0), ncols=2, frameon=False, fontsize=10, handlelength=2.6)
        return Drawing(figure, name, alt)
