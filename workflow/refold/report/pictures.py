"""Pictures of cases: an image plane with the outlines of truth and prediction, as one small SVG a plane.

The grey values are a tiny PNG at the image's own resolution; outlines are vectors, so they stay sharp at every size
and can be switched on and off.
"""

from __future__ import annotations

import base64
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from refold.core.errors import RefoldError
from refold.core.language import N_, _
from refold.imaging import images
from refold.imaging.cases import Case
from refold.imaging.dataset import Description, Labels
from refold.imaging.grid import spatial
from refold.imaging.intensity import modes as modes_of
from refold.report.inputs import Experiment, Scored

LARGEST = 320  # pixels along the longer side of an embedded plane
MARGIN_MM = 12.0
CHANNELS = 2  # channels pictured a case
TISSUE = (1.0, 99.0)  # percentiles of the volume between which most of the grey values lie
HOUNSFIELD = (-160.0, 240.0)  # the same of CT: the usual window of soft tissue, level 40 and width 400
MARKED = (0.1, 99.9)  # percentiles within each label that are neither black nor white
EVEN = 0.6  # least share of the grey values that the tissue keeps beside brighter or darker labels

# name, array axis that is cut, axes shown (across, up), letters left, right, top, bottom.
# Radiological convention: the patient's right stands on the left, the nose points up (axial) or left (sagittal).
PLANES = (
    (N_("axial"), 2, (0, 1), "RLAP"),
    (N_("coronal"), 1, (0, 2), "RLSI"),
    (N_("sagittal"), 0, (1, 2), "APSI"),
)
FLAT = N_("picture")
RANKS = (N_("worst"), N_("median"), N_("best"))
COLOUR, CT = "colour", "ct"  # kinds of channels whose grey values are known beforehand


@dataclass(frozen=True)
class Tones:
    """Grey values in the image against those shown: (value, 0 to 255) at corners, both rising, straight in between."""

    points: tuple[tuple[float, float], ...]

    def grey(self, plane: np.ndarray) -> np.ndarray:
        """As uint8; black and white beyond the ends, black where a value is not a number."""
        values, levels = zip(*self.points, strict=True)
        scaled = np.interp(np.nan_to_num(plane.astype(np.float64), nan=values[0]), values, levels)
        return np.round(scaled).astype(np.uint8)


@dataclass(frozen=True)
class Plane:
    """One plane, ready for the template. Sizes and paths are in mm (pixels where pictures have no physical size).

    Where voxels are under 0.1 mm they are in a power of ten of a mm, so that decimals are left.

    other: outline of a second prediction, where two are compared.
    """

    name: str
    width: float
    height: float
    png: str
    truth: str
    prediction: str
    letters: str
    other: str = ""


@dataclass(frozen=True)
class Picture:
    """One case: for each channel shown its planes."""

    scored: Scored
    label: str
    rows: list[tuple[str, list[Plane]]]


def canonical(data: np.ndarray, affine: np.ndarray) -> tuple[np.ndarray, tuple[float, ...]]:
    """A 3-D array (x, y, z, ...) with its axes permuted and turned to RAS+, and its spacing in mm."""
    from nibabel.orientations import apply_orientation, io_orientation

    orientation = io_orientation(affine)
    spacing = np.sqrt((affine[:3, :3] ** 2).sum(axis=0))
    order = np.argsort(orientation[:, 0])
    return apply_orientation(data, orientation), tuple(spacing[order].tolist())


def tones(values: np.ndarray, marked: list[np.ndarray], kind: str = "") -> Tones:
    """How the values of a channel become grey values; the same for all planes of a case.

    Black and white are far enough apart for what the labels mark, however bright: a lesion's inside has to be seen.
    Most of the grey values stay with the tissue: where labels reach far beyond it, grey values rise more slowly there.

    Args:
        values: (x, y[, z][, colours]) of the whole volume.
        marked: values within the labels, an array for each.
        kind: `COLOUR` for pictures that have grey values already, `CT` for a window in HU.
    """
    if kind == COLOUR:
        return Tones(((0.0, 0.0), (255.0, 255.0)))
    first, last = _tissue(values, kind)
    ends = [np.percentile(v, MARKED) for part in marked if (v := part[np.isfinite(part)]).size]
    low, high = (float(f([e, *(x[i] for x in ends)])) for i, (f, e) in enumerate(((min, first), (max, last))))
    if last - first >= EVEN * (high - low):
        return Tones(((low, 0.0), (high, 255.0)))
    dark = 255 * (1 - EVEN) * (first - low) / (first - low + high - last)
    points = [(low, 0.0), (first, dark), (last, dark + 255 * EVEN), (high, 255.0)]
    return Tones(tuple(points[i] for i in range(4) if i in (0, 3) or low < points[i][0] < high))


def _tissue(values: np.ndarray, kind: str) -> tuple[float, float]:
    """Ends of the range that keeps most of the grey values."""
    finite = values[np.isfinite(values)]
    if not finite.size:
        return 0.0, 1.0
    if kind == CT and finite.min() < 0 and np.ptp(finite) >= HOUNSFIELD[1] - HOUNSFIELD[0]:  # in HU, as it should be
        return HOUNSFIELD
    low, high = np.percentile(finite, TISSUE)
    if high <= low:
        low, high = float(finite.min()), float(finite.max())
    return float(low), float(high) if high > low else float(low) + 1.0


def outline(labels: np.ndarray, spacing: tuple[float, float]) -> str:
    """The borders in a label map (columns, rows; 0 is background) as an SVG path in units of ``spacing``.

    The path follows the edges between pixels, so that it shows exactly the voxels that were counted. A border between
    two labels is drawn once. Empty where there is no label.
    """
    padded = np.pad(labels, 1)
    parts = []
    # a border lies where two neighbours differ; runs along one line are joined to one stroke
    for axis in (0, 1):
        edges = np.diff(padded.astype(np.int64), axis=axis) != 0
        edges = edges[:, 1:-1] if axis == 0 else edges[1:-1, :].T
        for line in np.flatnonzero(edges.any(axis=1)):
            steps = np.diff(np.concatenate([[0], edges[line].astype(np.int8), [0]]))
            for start, stop in zip(np.flatnonzero(steps == 1), np.flatnonzero(steps == -1), strict=True):
                a, b = ((line, start), (line, stop)) if axis == 0 else ((start, line), (stop, line))
                parts.append((a, b))
    return _chain(parts, spacing)


def _chain(segments: list, spacing: tuple[float, float]) -> str:
    """Join segments end to end, so that dashes run on around corners."""
    ends: dict[tuple, list[int]] = {}
    segments = [(tuple(map(int, a)), tuple(map(int, b))) for a, b in segments]
    for i, (a, b) in enumerate(segments):
        ends.setdefault(a, []).append(i)
        ends.setdefault(b, []).append(i)
    unused = dict.fromkeys(range(len(segments)))
    text = []
    while unused:
        first = next(iter(unused))
        del unused[first]
        points = list(segments[first])
        while True:
            following = next((i for i in ends[points[-1]] if i in unused), None)
            if following is None:
                break
            del unused[following]
            a, b = segments[following]
            points.append(b if a == points[-1] else a)
        closed = points[0] == points[-1]
        shown = [f"{_short(x * spacing[0])} {_short(y * spacing[1])}" for x, y in (points[:-1] if closed else points)]
        text.append("M" + "L".join(shown) + ("Z" if closed else ""))
    return "".join(text)


def _short(value: float) -> str:
    return f"{value:.2f}".rstrip("0").rstrip(".")


def _png(plane: np.ndarray) -> str:
    """uint8 (columns, rows[, 3]) as base64 PNG, at most `LARGEST` pixels a side."""
    from PIL import Image

    picture = Image.fromarray(np.ascontiguousarray(np.swapaxes(plane, 0, 1)))
    scale = LARGEST / max(picture.size)
    if scale < 1:
        picture = picture.resize([max(1, round(s * scale)) for s in picture.size], Image.Resampling.BOX)
    buffer = io.BytesIO()
    picture.save(buffer, format="PNG", optimize=True)
    return base64.b64encode(buffer.getvalue()).decode()


def _box(mask: np.ndarray, spacing: tuple[float, float]) -> tuple[slice, slice]:
    """The part of a plane that is shown: all of it, or the mask with a margin where that is under half as wide."""
    box = []
    for axis in (0, 1):
        inside = np.flatnonzero(mask.any(axis=1 - axis))
        size = mask.shape[axis]
        if not inside.size:
            return slice(None), slice(None)
        margin = max(MARGIN_MM / spacing[axis], 0.5 * (inside[-1] - inside[0] + 1))
        box.append([max(0, int(inside[0] - margin)), min(size, int(np.ceil(inside[-1] + 1 + margin)))])
    if all((b - a) * 2 <= s for (a, b), s in zip(box, mask.shape, strict=True)):
        return slice(*box[0]), slice(*box[1])
    return slice(None), slice(None)


def largest_section(mask: np.ndarray, axis: int) -> int:
    """Index of the slice across ``axis`` with most voxels; the middle one where the mask is empty."""
    counts = mask.sum(axis=tuple(a for a in range(mask.ndim) if a != axis))
    return int(counts.argmax()) if counts.any() else mask.shape[axis] // 2


def _plane(name, image, masks, labels, spacing, shades, letters) -> list[Plane]:
    """One `Plane` a channel group. Arrays are (columns, rows[, channels]) as seen on the page.

    shades: channels and `Tones` of each group. masks: the truth, a prediction and perhaps a second one.
    """
    where = _box(np.any([m > 0 for m in masks], axis=0), spacing)
    image, masks = image[where], [m[where] for m in masks]
    if (finest := min(spacing)) < 0.1:  # paths have two decimals, which would be nothing of a micrometre
        unit = 10.0 ** math.floor(math.log10(finest))
        spacing = (spacing[0] / unit, spacing[1] / unit)
    truth, prediction, *other = (outline(np.where(np.isin(m, labels), m, 0), spacing) for m in masks)
    width, height = (n * s for n, s in zip(masks[0].shape, spacing, strict=True))
    planes = []
    for channels, shade in shades:
        shown = shade.grey(image[..., channels])
        png = _png(shown[..., 0] if shown.shape[-1] == 1 else shown)
        planes.append(Plane(name, width, height, png, truth, prediction, letters, *other))
    return planes


@dataclass(frozen=True)
class Group:
    """What is shown as one picture: its name, the channels in it (one, or three for colours), `COLOUR`, `CT` or ""."""

    name: str
    channels: list[int]
    kind: str


@dataclass(frozen=True)
class Raw:
    """A case as it is shown: volumes turned to RAS+, pictures as they are.

    image: (x, y[, z], channels). truth: (x, y[, z]) with the values of the file. affine: of the file, for predictions.
    spacing: mm an axis, 1 for pictures.
    """

    image: np.ndarray
    truth: np.ndarray
    affine: np.ndarray
    spacing: tuple[float, ...]
    groups: list[Group]

    def tones(self, group: Group, masks: list[np.ndarray]) -> Tones:
        """Of a group's channels beside what ``masks`` mark: label maps on the axes of ``truth``, 0 for background."""
        values, marked = self.image[..., group.channels], []
        for mask in masks if group.kind != COLOUR else ():
            where = mask > 0
            inside, labels = values[where], mask[where]
            marked += [inside[labels == label] for label in np.unique(labels)]
        return tones(values, marked, group.kind)


def raw(
    description: Description, case: Case, root: str | Path, most: int | None = None, truth: images.Image | None = None
) -> Raw:
    """A case's image and truth, and its first ``most`` channels described (all where None).

    Args:
        root: where its files lie.
        truth: its label map where that was read already.

    Raises:
        RefoldError: a file is missing or damaged.
    """
    truth = images.read(f"{root}/{case.label}", True, description.rule()) if truth is None else truth
    parts = [images.read(f"{root}/{file}", rule=description.rule(len(case.images))).data for file in case.images]
    image = np.concatenate(parts, axis=-1) if len(parts) > 1 else parts[0]
    names = description.channels
    flat = truth.data.ndim == 2
    if image.shape[-1] == 3 and flat:  # RGB is one picture, not three
        named = [(" ".join(names) if len(names) <= 3 else "RGB", [0, 1, 2])]
    else:
        count = min(image.shape[-1], most or image.shape[-1])
        named = [(names[c] if c < len(names) else _("channel {number}", number=c), [c]) for c in range(count)]
    if flat and image.dtype == np.uint8 and len(named[0][1]) == 3:
        groups = [Group(n, c, COLOUR) for n, c in named]
    else:
        modes = modes_of("auto", description.modalities)
        groups = [Group(n, c, CT if c[0] < len(modes) and modes[c[0]] == "ct" else "") for n, c in named]
    spacing = (1.0, 1.0) if flat else canonical(truth.data, truth.affine)[1]
    return Raw(turned(image, truth.affine), turned(truth.data, truth.affine), truth.affine, spacing, groups)


def turned(data: np.ndarray, affine: np.ndarray) -> np.ndarray:
    """A volume (x, y, z, ...) turned to RAS+; a picture as it is. ``affine``: of the file."""
    return data if len(affine) == 3 else canonical(data, affine)[0]


def prediction(experiment: Experiment, scored: Scored, case: Raw) -> np.ndarray:
    """The label map that was predicted, on the axes of ``case`` and with the values of its file.

    Raises:
        RefoldError: the file is missing or damaged, or its grid is not the label's.
    """
    path = experiment.prediction_file(scored.method, scored.fold, scored.case)
    data = images.read(path, True, experiment.description.rule()).data
    shape = experiment.cases[scored.case].shape
    if data.shape != tuple(shape):
        raise RefoldError(f"{path} has shape {data.shape}, its label {tuple(shape)}; run the predict phase again")
    return turned(data, case.affine)


def picture(experiment: Experiment, scored: Scored) -> Picture:
    """The planes of one case through the largest section of its worst label.

    Raises:
        RefoldError: a file is missing or damaged, or the prediction's grid is not the label's.
    """
    case = raw(experiment.description, experiment.raw_case(scored.case), experiment.description.root, CHANNELS)
    masks, worst = [case.truth, prediction(experiment, scored, case)], scored.worst_label
    return Picture(scored, worst, planes(experiment.description.labels, case, masks, worst))


def planes(labels: Labels, case: Raw, masks: list[np.ndarray], worst: str) -> list[tuple[str, list[Plane]]]:
    """For each channel shown its planes, through the largest section of one label.

    Args:
        labels: of the data set.
        case: whose image is shown.
        masks: its truth and one or two predictions, on the axes of ``case``, with the values of the truth's file.
        worst: name of the label.
    """
    shades = [(g.channels, case.tones(g, masks)) for g in case.groups]
    if case.truth.ndim == 2:
        shown = [_plane(FLAT, case.image, masks, labels.values[1:], case.spacing, shades, "")]
    else:
        labelled = section_mask(masks, labels.values[labels.names.index(worst)])
        shown = []
        for name, axis, (across, up), letters in shown_planes([case.truth.shape]):
            index = largest_section(labelled, axis)
            # RAS+ axes grow to the right, to the front and upwards; a picture's columns and rows grow the other way
            cut, *flat = (np.take(a, index, axis=axis)[::-1, ::-1] for a in (case.image, *masks))
            spacing = (case.spacing[across], case.spacing[up])
            shown.append(_plane(name, cut, flat, labels.values[1:], spacing, shades, letters))
    return [(group.name, [plane[i] for plane in shown]) for i, group in enumerate(case.groups)]


def shown_planes(shapes: Iterable[Sequence[int]]) -> list[tuple]:
    """Those of `PLANES` in which a volume of one of these shapes can be seen: of a single slice, itself."""
    seen = [set(spatial(shape)) for shape in shapes]
    return [plane for plane in PLANES if not seen or any(set(plane[2]) <= axes for axes in seen)]


def section_mask(masks: list[np.ndarray], value: int) -> np.ndarray:
    """Where a label is in any of the label maps; where any label is, if it is in none."""
    shown = np.any([m == value for m in masks], axis=0)
    return shown if shown.any() else np.any([m > 0 for m in masks], axis=0)


def choose(scored: list[Scored], count: int) -> list[tuple[str, Scored]]:
    """The worst, median and best ``count`` cases by mean Dice; none twice, cases without any Dice left out.

    The best are of those with a Dice of most labels, commonly of all: without the hard one a mean is higher.
    """
    ranked = sorted((s for s in scored if not np.isnan(s.mean("dice"))), key=lambda s: (s.mean("dice"), s.fold, s.case))
    most = max((s.defined for s in ranked), default=0)
    middle = max(0, len(ranked) // 2 - count // 2)
    picks = (
        [("worst", s) for s in ranked[:count]]
        + [("best", s) for s in ranked[::-1] if s.defined == most][:count]
        + [("median", s) for s in ranked[middle : middle + count]]
    )
    taken: dict[str, tuple[str, Scored]] = {}
    for word, one in picks:
        taken.setdefault(one.anchor, (word, one))
    return sorted(taken.values(), key=lambda pick: (RANKS.index(pick[0]), pick[1].mean("dice")))
