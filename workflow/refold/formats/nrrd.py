"""NRRD, as 3D Slicer and teem write it, attached headers alone; Slicer's segmentations (.seg.nrrd) of one layer.

The format: https://teem.sourceforge.net/nrrd/format.html (teem, G. Kindlmann). pynrrd reads it.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np

from refold.core.errors import RefoldError
from refold.formats.record import Refused, Volume, place, stand

SUFFIXES = (".seg.nrrd", ".nrrd")
SIGNS = {
    "right-anterior-superior": (1, 1, 1),
    "left-anterior-superior": (-1, 1, 1),
    "left-posterior-superior": (-1, -1, 1),
}
SHORT = {"ras": "right-anterior-superior", "las": "left-anterior-superior", "lps": "left-posterior-superior"}
# what the standard calls a space without saying where the patient lies in it
UNPLACED = ("scanner-xyz", "3d-right-handed", "3d-left-handed")
SPATIAL = ("domain", "space")
# one number each for a point of space: its components
COMPONENTS = (
    "list", "point", "vector", "covariant-vector", "normal", "rgb-color", "rgba-color", "hsv-color", "xyz-color",
    "2-vector", "3-vector", "3-color", "4-vector", "4-color", "3-gradient", "3-normal", "quaternion", "scalar", "stub",
)  # fmt: skip


def read(path: str | Path) -> Volume:
    """One volume.

    Raises:
        Refused: what is in the file has no place here, such as an axis of time, or a unit other than mm.
        OSError, ValueError and what pynrrd raises: no NRRD, or a damaged one.
    """
    import nrrd

    with open(path, "rb") as handle:
        header: dict[str, Any] = dict(nrrd.read_header(handle))
        if "data file" in header or "datafile" in header:
            raise Refused("format", f"{path} names another file for its voxels; save it as one file (attached header)")
        kinds = [str(k).lower() for k in header.get("kinds") or ["???"] * int(header["dimension"])]
        axes, others = _axes(path, header, kinds)
        if str(path).lower().endswith(".seg.nrrd") and any(header["sizes"][a] > 1 for a in others):
            raise Refused(
                "overlap",
                f"{path} has {header['sizes'][others[0]]} layers: its segments overlap; in Slicer, export them as a "
                "label map, which asks which one wins",
            )
        data = nrrd.read_data(header, handle, str(path), index_order="F")
    if data.ndim != len(kinds):
        raise ValueError(f"{data.ndim} axes for {len(kinds)}")
    data = np.transpose(data, (*axes, *others))
    flat = len(axes) == 2
    if flat:
        data = data[:, :, None]
    if others:
        data = data.reshape(*data.shape[:3], -1)
    affine, notes = _affine(path, header, axes)
    return Volume(data, affine, flat, notes)


def _axes(path: str | Path, header: dict[str, Any], kinds: list[str]) -> tuple[list[int], list[int]]:
    """Which axes of the file are those of space, and which hold components."""
    if "time" in kinds:
        raise Refused(
            "dimension", f"{path} has an axis of time (axis {kinds.index('time')}); a case is one point in time"
        )
    directions = header.get("space directions")
    if directions is not None:
        none = [not np.isfinite(np.asarray(d, float)).any() for d in directions]
    else:
        none = [k in COMPONENTS for k in kinds]
    for axis, (kind, without) in enumerate(zip(kinds, none, strict=True)):
        if (kind in COMPONENTS and not without) or (kind in SPATIAL and without):
            raise Refused("format", f"{path}: axis {axis} is of the kind {kind}, which its space directions contradict")
    axes = [a for a, without in enumerate(none) if not without]
    others = [a for a, without in enumerate(none) if without]
    if len(axes) not in (2, 3) or len(others) > 1:
        shape = tuple(int(s) for s in header["sizes"])
        raise Refused(
            "dimension",
            f"{path} has shape {shape} with {len(axes)} axes of space and {len(others)} of components; wanted are 2 or "
            "3 and at most 1 (the header's `kinds` or `space directions` tell which)",
        )
    return axes, others


def _affine(
    path: str | Path, header: dict[str, Any], axes: list[int]
) -> tuple[np.ndarray, tuple[tuple[str, str], ...]]:
    space = str(header.get("space", "")).lower()
    space = SHORT.get(space, space)
    if space.endswith("-time"):
        raise Refused("dimension", f"{path}: its space, {space}, has an axis of time; a case is one point in time")
    units = [str(u).strip().lower() for u in header.get("space units") or header.get("units") or ()]
    strange = sorted(
        {u for u in units if u not in ("mm", "millimeter", "millimetre", "millimeters", "", "???", "none")}
    )
    if strange:
        raise Refused("units", f"the header is in {', '.join(strange)}; wanted is mm")
    vectors = np.zeros((3, 3))
    origin, notes = np.zeros(3), []
    if header.get("space directions") is not None:
        given = np.array([np.asarray(header["space directions"][a], float) for a in axes])
        vectors[: given.shape[1], : len(axes)] = given.T
        if header.get("space origin") is not None:
            found = np.asarray(header["space origin"], float)
            origin[: len(found)] = np.nan_to_num(found)
    else:
        sizes = np.asarray(header.get("spacings", np.ones(len(header["sizes"]))), float)[axes]
        vectors[range(len(axes)), range(len(axes))] = np.where(np.isfinite(sizes), sizes, 1.0)
        if header.get("axis mins") is not None:
            centred = [str(c).lower() for c in header.get("centerings") or header.get("centers") or ["cell"] * 9]
            start = np.nan_to_num(np.asarray(header["axis mins"], float)[axes])
            # a cell begins half a voxel before its centre
            half = np.array([0.5 if centred[a] != "node" else 0.0 for a in axes])
            origin[: len(axes)] = start + half * vectors[range(len(axes)), range(len(axes))]
    if len(axes) == 2:
        stand(vectors)
    if space not in SIGNS:
        told = f"its space is {space}" if space else "it names no space"
        notes.append(("no-orientation", f"{told}, so where the patient lies is a guess; taken for RAS"))
        if space and space not in UNPLACED:
            raise RefoldError(f"{path}: unknown space {space!r}; known are {', '.join((*SIGNS, *UNPLACED))}")
    return place(vectors, origin, SIGNS.get(space, (1, 1, 1))), tuple(notes)
