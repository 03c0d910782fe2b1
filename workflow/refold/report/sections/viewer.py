"""The viewer of cases: their voxels packed into the page, which the scripts unpack one case at a time.

A case is one stream of bytes, deflated and written in base64. In it stand, each with x running fastest, then y, then z:
the grey values of each channel (8 bits; three planes for colours, the second and third minus the first), as what is
left of a prediction from neighbours; the labels of the truth as indices of the declared labels; those of each
prediction, exclusive-or the truth.
"""

from __future__ import annotations

import base64
import math
import zlib
from dataclasses import dataclass
from typing import Any

import numpy as np
from markupsafe import Markup

from refold.core import log
from refold.core.language import N_, _, joined
from refold.imaging.grid import mm
from refold.report import pictures
from refold.report.cells import shown
from refold.report.inputs import Experiment, Scored
from refold.report.sections.finding import ranking
from refold.report.templates import as_json, script_safe
from refold.settings.names import HOLDOUT

MARGIN = 5.0  # mm (pixels for pictures) kept about truth and predictions, or a fifth of their size if that is more
SHARE = 6  # no case takes more than this part of the budget: room for worst, median and best of two methods
COARSEST = 16  # grey values are never pooled over more voxels an axis

# Outlines on the image, whatever the page's theme: told apart by dashes as well as by colour.
TRUTH = "#20d5ff"
OUTLINES = (
    ("#ffb224", "5 3"),
    ("#ff7ad9", "2.5 2"),
    ("#9be564", "10 4"),
    ("#c8a2ff", "8 3 2 3"),
    ("#ffe95c", "3 6"),
    ("#ff8f70", "12 3 2 3 2 3"),
)

# All that the scripts say; `{}` are filled in by them or here.
TEXT = {
    "held out": N_("held out"),
    "fold": N_("fold {fold}"),
    "all": N_("All {cases} cases are here, each with every method's prediction."),
    "some": N_(
        "{count} of {cases} cases are here: the worst, median and best of each method, then those with the lowest "
        "mean Dice by any method, as many as fit into {budget} MB (report.viewer_mb)."
    ),
    "few": N_(
        "{count} of {cases} cases are here: of the worst, then the median, then the best of each method as many as "
        "fit into {budget} MB (report.viewer_mb)."
    ),
    "none": N_("No case fits into {budget} MB (report.viewer_mb), so there is nothing to scroll through."),
    "axial": N_("axial"),
    "coronal": N_("coronal"),
    "sagittal": N_("sagittal"),
    "picture": N_("picture"),
    "slice": N_("{plane}, slice {at} of {count}"),
    "errors": N_("{missed} missed, {extra} false positive"),
    "alt": N_("{case}, {plane}, {channel}. Outlines: {outlines}. Against {method}: {errors}"),
    "no outlines": N_("none"),
    "truth": N_("truth"),
    "grey": N_("black at {low}, white at {high}"),
    "bent": N_("most grey values lie from {first} to {last}"),
    "shown": N_("{case}, {method}, {fold}: mean Dice {mean}"),
    "part": N_("{kept} of {whole} {unit} are kept here, about truth and predictions"),
    "whole": N_("all {whole} {unit} are kept here"),
    "coarse": N_("grey values are means over {factors} {unit}, outlines are whole"),
    "voxels": N_("voxels"),
    "pixels": N_("pixels"),
    "comma": N_(", "),
    "colon": N_(": "),
    "semicolon": N_("; "),
    "stop": N_("."),
    "old": N_(
        "This browser cannot unpack the images (DecompressionStream); take a newer one. The pictures further down "
        "show the same cases."
    ),
}


# What `controls.js` answers to, for the reader.
KEYS = (
    (("↑", "↓", "←", "→"), N_("one slice on or back in the plane last touched")),
    (("Page up", "Page down"), N_("ten slices")),
    (("Home", "End"), N_("first and last slice")),
    (("n", "p"), N_("next and previous case")),
    (("m",), N_("next method, on the same case")),
    (("t",), N_("outline of the truth on or off")),
    (("1", "…", "9"), N_("outline of a method on or off")),
    (("e",), N_("marks of errors on or off")),
    (("v",), N_("next view: all planes, or one")),
    (("c",), N_("next channel")),
    (("l",), N_("next label")),
    (("+", "-"), N_("more or less contrast")),
    (("b", "d"), N_("brighter, darker")),
    (("r",), N_("grey values as at first")),
)


@dataclass(frozen=True)
class Coded:
    """One case ready for the page. meta: what the scripts have to know. data: its bytes, deflated, in base64."""

    meta: dict[str, Any]
    data: str

    @property
    def size(self) -> int:
        """Characters in the page."""
        return len(self.data) + len(as_json(self.meta))


LEAST = 0.5  # MB, however full the page is


@dataclass(frozen=True)
class Viewer:
    """What the template needs. index: JSON for a script element. data: base64, a text for each case of the index."""

    sentence: str
    index: Markup
    data: list[str]
    methods: list[dict[str, str]]
    planes: list[dict[str, Any]]
    channels: int
    unit: str
    truth: str = TRUTH
    keys: tuple[tuple[tuple[str, ...], str], ...] = KEYS


# ---------------------------------------------------------------- coding


def residual(volume: np.ndarray) -> np.ndarray:
    """uint8 (z, y, x) minus its prediction, modulo 256.

    The prediction is the median of the neighbours in x, y and z (0 outside); in the first plane that of LOCO-I
    (Weinberger et al. 2000). It takes a tenth off the size of noisy images.
    """
    padded = np.pad(volume.astype(np.int16), 1)[:, :-1, :-1]
    west, north, above = padded[1:-1, 1:, :-1], padded[1:-1, :-1, 1:], padded[:-2, 1:, 1:].copy()
    above[0] = west[0] + north[0] - padded[1, :-1, :-1]
    middle = np.maximum(np.minimum(west, north), np.minimum(np.maximum(west, north), above))
    return ((volume - middle) & 255).astype(np.uint8)


def indices(labels: np.ndarray, values: tuple[int, ...]) -> np.ndarray:
    """Label values as indices of the declared ones; 0, background, for values that are not declared."""
    table = np.asarray(values)
    found = np.searchsorted(table, labels).clip(0, len(table) - 1)
    return np.where(table[found] == labels, found, 0)


def region(labelled: np.ndarray, spacing: tuple[float, ...]) -> tuple[slice, ...]:
    """The part that is kept: the labelled box with its margin; all where nothing is labelled."""
    box = []
    for axis in range(labelled.ndim):
        inside = np.flatnonzero(labelled.any(axis=tuple(a for a in range(labelled.ndim) if a != axis)))
        if not inside.size:
            return (slice(None),) * labelled.ndim
        first, last = int(inside[0]), int(inside[-1])
        margin = math.ceil(max(MARGIN / spacing[axis], (last + 1 - first) / 5))
        box.append(slice(max(0, first - margin), min(labelled.shape[axis], last + 1 + margin)))
    return tuple(box)


def pooled(volume: np.ndarray, factors: tuple[int, ...]) -> np.ndarray:
    """uint8 (x, y, z): means over blocks of ``factors`` voxels; blocks at the far ends repeat the last voxel."""
    if max(factors) == 1:
        return volume
    short = [(0, -n % f) for n, f in zip(volume.shape, factors, strict=True)]
    padded = np.pad(volume.astype(np.float64), short, mode="edge")
    blocks = padded.reshape([k for n, f in zip(padded.shape, factors, strict=True) for k in (n // f, f)])
    return np.round(blocks.mean(axis=(1, 3, 5))).astype(np.uint8)


def _stream(volume: np.ndarray) -> bytes:
    """(x, y, z) with x running fastest."""
    return volume.transpose(2, 1, 0).tobytes()


def _labels(volume: np.ndarray, wide: bool) -> bytes:
    """A byte a voxel, or a plane of low bytes and one of high bytes."""
    low = _stream((volume & 255).astype(np.uint8))
    return low + _stream((volume >> 8).astype(np.uint8)) if wide else low


def _coarser(factors: tuple[int, ...], spacing: tuple[float, ...], shape: tuple[int, ...]) -> tuple[int, ...] | None:
    """Twice as coarse along the finest axis, so that blocks grow towards cubes; None where it cannot be."""
    axes = [a for a in range(3) if factors[a] * 2 <= min(COARSEST, shape[a])]
    if not axes:
        return None
    finest = min(axes, key=lambda a: factors[a] * spacing[a])
    return tuple(f * 2 if a == finest else f for a, f in enumerate(factors))


def code(experiment: Experiment, name: str, scored: list[Scored], limit: float = math.inf) -> Coded:
    """One case with all its predictions.

    Args:
        scored: the predictions of this case, in the order they are shown.
        limit: characters; grey values are pooled until the case fits, or cannot be made smaller.

    Raises:
        RefoldError: a file is missing or damaged, or a prediction's grid is not the label's.
    """
    description = experiment.description
    labels = description.labels
    case = pictures.raw(description, experiment.raw_case(name), description.root)
    maps = [case.truth, *(pictures.prediction(experiment, s, case) for s in scored)]
    labelled = np.zeros(case.truth.shape, bool)
    for one in maps:
        labelled |= one != labels.values[0]
    tones = [case.tones(group, maps) for group in case.groups]
    where = region(labelled, case.spacing)
    begin = [0 if s.start is None else s.start for s in where]
    maps = [np.atleast_3d(indices(m[where], labels.values)) for m in maps]
    spacing = (*case.spacing, 1.0)[:3]
    shape = maps[0].shape

    greys = []
    for group, shade in zip(case.groups, tones, strict=True):
        here: tuple[Any, ...] = (*where, group.channels)
        grey = shade.grey(case.image[here])
        greys.append([np.atleast_3d(grey[..., c]) for c in range(len(group.channels))])
    wide = len(labels) > 256
    truth, *predicted = maps
    tail = _labels(truth, wide) + b"".join(_labels(p ^ truth, wide) for p in predicted)

    meta = {
        "name": name,
        "shape": list(shape),
        "whole": list(case.truth.shape),
        "begin": [*begin, 0][:3],
        "spacing": mm(spacing),
        "channels": [
            {"name": g.name, "planes": len(g.channels), "tones": [[float(f"{x:.6g}") for x in p] for p in t.points]}
            for g, t in zip(case.groups, tones, strict=True)
        ],
        "layers": [_layer(experiment, s, truth, p) for s, p in zip(scored, predicted, strict=True)],
    }
    factors: tuple[int, ...] = (1, 1, 1)
    while True:
        head = b"".join(_greys([pooled(plane, factors) for plane in group]) for group in greys)
        packed = base64.b64encode(zlib.compress(head + tail, 9)).decode()
        coded = Coded({**meta, "factors": list(factors)}, packed)
        following = _coarser(factors, spacing, shape)
        if coded.size <= limit or following is None:
            return coded
        factors = following


def _greys(planes: list[np.ndarray]) -> bytes:
    """Of colours the second and third are minus the first, about 128: colours are much alike."""
    first, *others = planes
    apart = [(plane.astype(np.int16) - first + 128).astype(np.uint8) for plane in others]
    return b"".join(residual(plane.transpose(2, 1, 0)).tobytes() for plane in (first, *apart))


def _layer(e: Experiment, s: Scored, truth: np.ndarray, predicted: np.ndarray) -> dict[str, Any]:
    """What is told of a prediction, and where its worst label has its largest sections in the part that is kept."""
    mask = pictures.section_mask([truth, predicted], e.description.labels.names.index(s.worst_label))
    dice = [shown(s.values[label]["dice"]) for label in e.labels]
    named = joined(f"{label} {d}" for label, d in zip(e.labels, dice, strict=True))
    fold = _(TEXT["held out"]) if s.fold == HOLDOUT else _(TEXT["fold"], fold=s.fold)
    return {
        "method": e.methods.index(s.method),
        "fold": fold,
        "anchor": s.anchor,
        "dice": dice,
        "mean": shown(s.mean("dice")),
        "option": f"{s.case} · {named} · {fold}",
        "at": [pictures.largest_section(mask, axis) for axis in range(3)],
    }


# ---------------------------------------------------------------- choice


def _worst(scored: list[Scored]) -> float:
    """The lowest mean Dice of a case by any method; above all others where none is defined."""
    return min((d for s in scored if not math.isnan(d := s.mean("dice"))), default=math.inf)


def pictured(e: Experiment) -> list[str]:
    """Cases of the still pictures: the worst of each method, then the median, then the best."""
    picked = []
    for method in e.methods:
        scored = [s for s in e.scored if s.method == method and s.fold != HOLDOUT]
        picked += pictures.choose(scored, e.params.report.cases)
    return list(dict.fromkeys(s.case for word in pictures.RANKS for w, s in picked if w == word))


def order(e: Experiment) -> list[str]:
    """Cases as they go in: those pictured, then those with the lowest mean Dice by any method."""
    by_case: dict[str, list[Scored]] = {}
    for s in e.scored:
        by_case.setdefault(s.case, []).append(s)
    rest = sorted(by_case, key=lambda name: (_worst(by_case[name]), name))
    return list(dict.fromkeys([*pictured(e), *rest]))


def choose(e: Experiment, budget: float) -> list[Coded]:
    """The cases of `order` until the first that does not fit into ``budget`` characters."""
    found, left = [], budget
    for name in log.progress(order(e), "cases of the viewer"):
        coded = code(e, name, [s for s in e.scored if s.case == name], budget / SHARE)
        if coded.size > left:
            break
        left -= coded.size
        found.append(coded)
    return found


def _outline(number: int) -> dict[str, str]:
    """Colour and dashes of a method; where colours begin anew, they have other dashes."""
    count = len(OUTLINES)
    return {"colour": OUTLINES[number % count][0], "dash": OUTLINES[(number + number // count) % count][1]}


def make(e: Experiment, room: float = math.inf) -> Viewer | None:
    """The viewer of an experiment; None where ``report.viewer_mb`` is 0.

    Args:
        room: MB that the page has left for it; it takes at least `LEAST`.

    Raises:
        RefoldError: a file is missing or damaged, or a prediction's grid is not the label's.
    """
    budget = e.params.report.viewer_mb
    if not budget:
        return None
    if room < budget:
        budget = min(budget, max(LEAST, math.floor(10 * room) / 10))
    coded = choose(e, budget * 1e6)
    total = len({s.case for s in e.scored})
    which = "all" if len(coded) == total else "some" if len(coded) >= len(pictured(e)) else "few" if coded else "none"
    methods = [{"name": method, **_outline(i)} for i, method in enumerate(e.methods)]
    if e.description.dimension == 3:
        planes = [
            {"name": _(name), "axis": axis, "across": across, "up": up, "letters": letters, "turned": True}
            for name, axis, (across, up), letters in pictures.shown_planes(c.meta["whole"] for c in coded)
        ]
    else:
        planes = [{"name": _(pictures.FLAT), "axis": 2, "across": 0, "up": 1, "letters": "", "turned": False}]
    unit = _(TEXT["voxels"] if e.description.dimension == 3 else TEXT["pixels"])
    index = {
        "text": {key: _(value).replace("{unit}", unit) for key, value in TEXT.items()},
        "truth": TRUTH,
        "methods": methods,
        "first": e.methods.index(ranking(e)[0][0]),
        "labels": list(e.labels),
        "wide": len(e.description.labels) > 256,
        "planes": planes,
        "cases": [c.meta for c in coded],
    }
    return Viewer(
        _(TEXT[which], count=len(coded), cases=total, budget=f"{budget:g}"),
        script_safe(index),
        [c.data for c in coded],
        methods,
        planes,
        max((len(c.meta["channels"]) for c in coded), default=0),
        unit,
    )
