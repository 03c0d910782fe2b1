"""One shard of cases: orientation, crop, normalisation, resampling, and what the fingerprint needs to know."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from pathlib import Path
from typing import Any

import numpy as np

from refold.core import log, seals
from refold.core.errors import RefoldError
from refold.core.files import sha256_file
from refold.core.rng import generator
from refold.imaging import geometry, images, intensity, store
from refold.imaging.cases import Case, verify
from refold.imaging.dataset import Description
from refold.imaging.grid import filled, mm
from refold.settings.preprocess import Preprocess

SAMPLE = 10_000  # most foreground coordinates a label, and most foreground intensities, kept of a case
FEWEST = 256  # and the fewest, where there are so many
OVERHEAD = 8192  # bytes of an HDF5 file beside its arrays, at most; a label adds half a kilobyte
SEED = 0  # of those samples; they depend on the case's id, not on any parameter
MASKED = 0.75  # zscore looks at non-zero voxels alone when the crop keeps less than this share (nnU-Net)


@dataclass(frozen=True)
class Setting:
    """What holds for all cases: known before any image is read."""

    modes: tuple[str, ...]
    target: tuple[float, ...] | None


def setting(cases: list[Case], description: Description, params: Preprocess) -> Setting:
    """Normalisation modes and target spacing, from the case table alone.

    Raises:
        RefoldError: no cases, or parameters that do not fit the data set.
    """
    if not cases:
        raise RefoldError("data/cases.csv holds no case; run the data phase")
    spacings, sizes = [], []
    for c in cases:
        order = _transform(c.orientation)
        spacings.append(geometry.reorder(c.spacing, order))
        sizes.append(geometry.reorder(c.shape, order))
    return Setting(
        intensity.modes(params.normalisation, description.modalities),
        geometry.target_spacing(spacings, sizes, params.spacing, params.anisotropy),
    )


def _transform(codes: str) -> tuple[tuple[int, int], ...]:
    if codes == "XY":
        return ((0, 1), (1, 1))
    from nibabel.orientations import axcodes2ornt

    return tuple((int(a), int(f)) for a, f in axcodes2ornt(codes))


def _read(case: Case, description: Description) -> tuple[np.ndarray, np.ndarray, np.ndarray, bool]:
    """Image (…, channels), label of indices, and affine, as in the files; whether these have two axes in NIfTI."""
    root = Path(description.root)
    verify(case, root)
    parts = [images.read(root / name, rule=description.rule(len(case.images))) for name in case.images]
    image = parts[0].data if len(parts) == 1 else np.concatenate([p.data for p in parts], axis=-1)
    label = images.read(root / case.label, True, description.rule()).data
    if image.shape[:-1] != label.shape or label.shape != case.shape or image.shape[-1] != case.channels:
        raise RefoldError(
            f"case {case.case}: image {image.shape} and label {label.shape} differ from each other or from "
            f"data/cases.csv ({case.shape}, {case.channels} channels); the files changed, run the data phase again"
        )
    return (
        image,
        description.labels.indices(label, case.label, "; run the data phase again"),
        parts[0].affine,
        parts[0].flat,
    )


def _sample(points: np.ndarray, most: int, *purpose: str | int) -> np.ndarray:
    """At most ``most`` rows, in their order, drawn without replacement by a seed of their own."""
    if len(points) <= most:
        return points
    chosen = generator(SEED, "preprocess", *purpose).choice(len(points), most, replace=False, shuffle=False)
    return points[np.sort(chosen)]


def _boxes(label: np.ndarray) -> dict[int, tuple[slice, ...]]:
    """The bounding box of each foreground label present."""
    from scipy.ndimage import find_objects

    return {i: box for i, box in enumerate(find_objects(label), start=1) if box is not None}


def _limits(shape: tuple[int, ...], labels: int) -> tuple[int, int]:
    """Most coordinates a label and most intensities, so that a file stays under twice its image's bytes.

    Three quarters of the room left beside image, label map and HDF5's own bytes go to the coordinates. Tiny images keep
    `FEWEST` all the same: training needs them more than the bound.
    """
    voxels, channels, axes = prod(shape[:-1]), shape[-1], len(shape) - 1
    room = voxels * (4 * channels - 1) - OVERHEAD - 512 * labels
    points, values = room * 3 // (16 * axes * max(1, labels)), room // (16 * channels)
    return min(SAMPLE, max(FEWEST, points)), min(SAMPLE, max(FEWEST, values))


def _mask(image: np.ndarray) -> np.ndarray:
    """Voxels where any channel is not 0, with holes filled."""
    return filled((image != 0).any(axis=-1))


def summary(values: np.ndarray) -> dict[str, float] | None:
    """Mean, median, standard deviation and percentiles 0.5 and 99.5; None without values."""
    if values.size == 0:
        return None
    values = values.astype(np.float64)
    low, middle, high = np.percentile(values, [0.5, 50, 99.5])
    numbers = {"mean": values.mean(), "median": middle, "sd": values.std(), "p0_5": low, "p99_5": high}
    return {k: float(f"{v:.6g}") for k, v in numbers.items()}


def _single(values: np.ndarray, modes: tuple[str, ...]) -> dict[str, float]:
    """Of ``ct`` channels whose foreground (n, channels) has one intensity, the channel's number and that intensity.

    By the percentiles that ``ct`` clips to: where they coincide in each case, they do in all cases of any fold.
    """
    chosen = [c for c, mode in enumerate(modes) if mode == "ct"] if len(values) else []
    found = {c: intensity.bounds(values[:, c]) for c in chosen}
    return {str(c): low for c, (low, high) in found.items() if low == high}


def process(
    case: Case, description: Description, params: Preprocess, setting: Setting, folder: str | Path
) -> tuple[dict[str, Any], list[dict[str, str]]]:
    """Preprocess one case and write its file.

    Returns:
        its entry in the shard's manifest, and its warnings.

    Raises:
        RefoldError: a file is unreadable, or is not what the case table says.
    """
    messages: list[tuple[str, str]] = []
    raw, label, affine, flat = _read(case, description)
    _, transform = geometry.orientation(affine)
    raw, label = geometry.canonical(raw, transform), geometry.canonical(label, transform)
    whole = label.shape
    counts = np.bincount(label.ravel(), minlength=len(description.labels))

    box = geometry.crop_nonzero(raw) if params.crop_nonzero else tuple((0, n) for n in whole)
    raw, label = raw[(*geometry.slices(box), slice(None))], label[geometry.slices(box)]
    inside = label > 0
    kept = np.bincount(label.ravel(), minlength=len(counts))
    lost = int((counts - kept)[1:].sum())
    if lost:
        messages.append(("crop", f"{lost} labelled voxels lie outside the non-zero box and cannot be predicted"))
    with np.errstate(over="ignore"):  # told below
        values = np.asarray(raw[inside], np.float32)

    mask = _mask(raw) if label.size < MASKED * np.prod(whole) and "zscore" in setting.modes else None
    with np.errstate(over="ignore", invalid="ignore"):
        image, constant = intensity.normalise(raw, setting.modes, mask)
    if not np.isfinite(image).all():
        raise RefoldError(
            f"case {case.case}: NaN, infinite voxels or some beyond single precision in {', '.join(case.images)}; "
            "repair the file"
        )
    del raw, inside
    messages += [("constant", text) for text in constant]
    record = geometry.record(case.shape, affine, box, setting.target, flat)
    coarse = geometry.coarse_axis(record.cropped_spacing, setting.target, params.anisotropy)
    if 1 in whole:  # a single slice, of whatever thickness
        coarse = None
    image = geometry.resample_image(image, record.stored_shape, params.image_order, coarse)
    label = geometry.resample_label(label, record.stored_shape, params.label_order, coarse)

    boxes = _boxes(label)
    for index in np.flatnonzero(kept[1:]) + 1:
        if index not in boxes:
            name = description.labels.names[index]
            messages.append(("resampling", f"label {name} ({kept[index]} voxels) vanished on the target spacing"))
    most_points, most_values = _limits(image.shape, len(boxes))
    foreground = {
        i: _sample(np.argwhere(label[b] == i) + [s.start for s in b], most_points, "points", case.case, i)
        for i, b in boxes.items()
    }
    intensities = _sample(values, most_values, "intensities", case.case)
    path = store.write(folder, case.case, image, label, foreground, intensities, record)

    names = description.labels.names
    ml = float(np.prod(record.raw_spacing)) / 1000
    entry = {
        "file": path.name,
        "sha256": sha256_file(path),
        "source": case.sha256,
        "bytes": path.stat().st_size,
        "raw_bytes": int(np.prod(case.shape)) * case.channels * 4,
        "orientation": record.codes,
        "shape": {k: list(getattr(record, f"{k}_shape")) for k in ("raw", "cropped", "stored")},
        "spacing": {"raw": mm(record.raw_spacing), "stored": mm(record.stored_spacing)},
        "thick_slices": "xyz"[coarse] if coarse is not None else None,
        "voxels": {n: int(c) for n, c in zip(names, counts, strict=True)},
        "volume_ml": {n: float(f"{c * ml:.6g}") for n, c in zip(names[1:], counts[1:], strict=True)},
        "intensity": {n: summary(values[:, i]) for i, n in enumerate(description.channels)},
        "masked": mask is not None,
        "one_intensity": _single(intensities, setting.modes),
    }
    return entry, [{"check": c, "case": case.case, "file": case.images[0], "message": m} for c, m in messages]


def manifest(folder: str | Path, shard: int) -> Path:
    return Path(folder) / f"shard-{shard}.json"


def members(cases: list[Case], shard: int, shards: int) -> list[Case]:
    """Every ``shards``-th case of the sorted table, from ``shard`` on."""
    return cases[shard::shards]


def tidy(cases: list[Case], shards: int, folder: str | Path) -> list[str]:
    """Delete files of cases and shards that are no longer there; their names. No job of a shard may be running."""
    known = {f"{c.case}{store.SUFFIX}" for c in cases} | {manifest(folder, i).name for i in range(shards)}
    found = [p for pattern in (f"*{store.SUFFIX}", "shard-*.json") for p in Path(folder).glob(pattern)]
    stale = sorted(p for p in found if p.name not in known and not p.name.startswith("."))
    for path in stale:
        path.unlink(missing_ok=True)
    return [p.name for p in stale]


def run(
    cases: list[Case], description: Description, params: Preprocess, shard: int, folder: str | Path = store.FOLDER
) -> None:
    """Preprocess the cases of one shard and write its manifest last.

    Raises:
        RefoldError: no such shard, or what `process` raises.
    """
    if not 0 <= shard < params.shards:
        raise RefoldError(f"--shard {shard}: preprocess.shards is {params.shards}, so 0 to {params.shards - 1}")
    common = setting(cases, description, params)
    mine = members(cases, shard, params.shards)
    Path(folder).mkdir(parents=True, exist_ok=True)
    manifest(folder, shard).unlink(missing_ok=True)  # a manifest never stands for files that are being replaced
    entries, warnings = {}, []
    for case in log.progress(mine, "cases preprocessed"):
        entries[case.case], found = process(case, description, params, common, folder)
        warnings += found
        for w in found:
            log.get().warning("%s: %s", w["case"], w["message"])
    seals.write(
        manifest(folder, shard),
        {
            "shard": shard,
            "shards": params.shards,
            "modes": list(common.modes),
            "target_spacing": None if common.target is None else mm(common.target),
            "cases": entries,
            "warnings": warnings,
        },
    )


def read_manifests(cases: list[Case], shards: int, folder: str | Path = store.FOLDER) -> list[dict[str, Any]]:
    """All manifests of a run, checked: every case once, in its shard, its file there and from the same raw files.

    Raises:
        RefoldError: naming the first thing that is missing, twice there or out of date.
    """
    found = [seals.read(manifest(folder, i)) for i in range(shards)]
    for i, m in enumerate(found):
        path = manifest(folder, i)
        if (m["shard"], m["shards"]) != (i, shards):
            raise RefoldError(f"{path} is shard {m['shard']} of {m['shards']}, wanted is {i} of {shards}; run it again")
        if (m["modes"], m["target_spacing"]) != (found[0]["modes"], found[0]["target_spacing"]):
            raise RefoldError(f"{path} was made with other parameters than shard 0; run both again")
        wanted = {c.case: c.sha256 for c in members(cases, i, shards)}
        if set(wanted) != set(m["cases"]):
            odd = sorted(set(wanted) ^ set(m["cases"]))
            raise RefoldError(f"{path} and data/cases.csv differ in {', '.join(odd[:5])}; run shard {i} again")
        for name, entry in m["cases"].items():
            if entry["source"] != wanted[name]:
                raise RefoldError(f"{path}: case {name} was made from other raw files; run shard {i} again")
            file = Path(folder) / entry["file"]
            if not file.is_file() or file.stat().st_size != entry["bytes"]:
                raise RefoldError(f"{file} is missing or has another size than {path} says; run shard {i} again")
    return found
