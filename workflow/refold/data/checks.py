"""One pass over every image and label: all problems at once, or the table of cases.

What each check means and what to do about it stands in `problems.CHECKS` and docs/reference/data.md.
"""

from __future__ import annotations

import hashlib
import json
import logging
import sys
from collections import Counter, defaultdict
from concurrent.futures import ProcessPoolExecutor
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np

from refold.core import files, log, paths
from refold.core.errors import RefoldError
from refold.data import layout, listing
from refold.data.problems import Problem, table
from refold.imaging import cases, grid, images, pictures
from refold.imaging.dataset import Description, Labels, Rule, numbers
from refold.run import life, seen
from refold.settings.dataset import Dataset

LOG_FILE = "logs/data/checks.json"
SFORM_QFORM = 0.1  # of the voxel size, at the corner where they are furthest apart
SIZES_DIFFER = 1e-3  # relative difference of two voxel sizes of one header that is said
SIZES_CONTRADICT = 1e-2  # ... and that is refused
LARGEST, SMALLEST = 1e36, 1e-36  # single precision ends at 3e38 and 1e-38; sums and splines need room
ZEROS = 0.01  # share of voxels that the file's scaling made of 0, from which on it is said
NOISE = 5  # undeclared values at least, strewn between the declared ones, for a mask that is compressed or smoothed
NEAR = 16  # grey values that compression changes at most, away from an edge


@dataclass
class Result:
    """What one case's files told. case is None where it could not be read."""

    entry: layout.Entry
    problems: list[Problem] = field(default_factory=list)
    case: cases.Case | None = None
    digest: str = ""
    label_digest: str = ""
    pictures: dict[str, pictures.About] = field(default_factory=dict)
    stats: list[seen.Stat] | None = None  # of its files, before they were read

    def note(self, check: str, file: str, message: str) -> None:
        self.problems.append(Problem(check, message, self.entry.case, file))


def catalogue(
    dataset: Dataset,
    raw: str | Path = layout.RAW,
    cases_path: str | Path = paths.CASES,
    dataset_path: str | Path = paths.DATASET,
    checks_path: str | Path | None = paths.CHECKS,
    log_path: str | Path = LOG_FILE,
    processes: int = 1,
    notes_path: str | Path | None = None,
) -> list[cases.Case]:
    """Check a data set and write its table of cases, its description and the warnings.

    The outcome does not depend on ``processes``. ``notes_path``: keeps which files were read (`refold.run.seen`).
    ``checks_path``: None where another job writes the warnings, with `listing`.

    Raises:
        RefoldError: at least one check failed. The table of all problems is printed to standard error, the same is
            written to ``log_path`` as JSON, and none of the three outputs exists then.
    """
    outputs = [Path(p) for p in (cases_path, dataset_path, checks_path) if p]
    for stale in (*outputs, Path(log_path)):
        stale.unlink(missing_ok=True)
    try:
        found = layout.read(dataset, raw)
    except RefoldError as error:
        _write(log_path, [Problem("dataset-json", str(error), file="dataset.json")], [])
        raise
    results = _check_all(found, processes)
    read = [*(p for r in results for p in r.problems), *_across(found, results)]
    problems = [*listing.problems(found), *read]
    errors = [p for p in problems if p.is_error]
    warnings = [p for p in problems if not p.is_error]
    if errors:
        _write(log_path, errors, warnings)
        print(table(errors + warnings), file=sys.stderr)
        affected = len({p.case for p in errors if p.case})
        raise RefoldError(
            f"{found.root}: {_count(len(errors), 'error')} in {_count(affected, 'case')} of {len(results)}: "
            f"{', '.join(sorted({p.check for p in errors}))}; see the table above or {log_path}"
        )
    rows = [r.case for r in results if r.case]
    assert len(rows) == len(results)  # one that cannot be read is an error
    if warnings:
        log.get().warning(f"{_count(len(warnings), 'warning')}, kept in {paths.CHECKS}\n{table(warnings, most=20)}")
    cases.write(rows, cases_path)
    found.description.write(dataset_path, [cases_path], [p.json() for p in read])
    if checks_path:
        listing.write(found, dataset_path, checks_path)
    if found.description.excluded:
        log.get().info(f"left out by dataset.exclude: {', '.join(found.description.excluded)}")
    if notes_path:
        notes = seen.Seen(notes_path)
        for case, r in zip(rows, results, strict=True):
            notes.note(case.case, (*case.images, case.label), r.stats, case.sha256)
        notes.save()
    log.get().info(f"{len(rows)} cases of {len({c.patient for c in rows})} patients, without an error")
    return rows


def _count(number: int, word: str) -> str:
    return f"{number} {word}" if number == 1 else f"{number} {word}s"


def _write(path: str | Path, errors: list[Problem], warnings: list[Problem]) -> None:
    files.write_json(path, {"errors": [p.json() for p in errors], "warnings": [p.json() for p in warnings]})


def _check_all(found: layout.Layout, processes: int) -> list[Result]:
    """The results in the order of the entries."""
    work = partial(check_case, found.root, found.description)
    entries, what = found.entries, "checking cases"
    if processes <= 1 or len(entries) < 2:
        return list(log.progress(map(work, entries), what, len(entries)))
    shard = max(1, min(16, len(entries) // (4 * processes)))
    try:
        with ProcessPoolExecutor(min(processes, len(entries)), initializer=life.with_parent) as pool:
            return list(log.progress(pool.map(work, entries, chunksize=shard), what, len(entries)))
    except BrokenProcessPool:
        raise RefoldError(
            "a process that checks cases was killed, most likely for memory; use fewer processes"
        ) from None


# ---------------------------------------------------------------- one case


def check_case(root: Path, description: Description, entry: layout.Entry) -> Result:
    """Read the files of one case once and note every problem with them."""
    result = Result(entry)
    paths = (*entry.images, entry.label)
    result.stats = seen.stats(root / path for path in paths)
    present = []
    for path in paths:
        if (root / path).is_file():
            present.append(path)
        else:
            what = "label" if path == entry.label else "image"
            result.note("missing-file", path, f"the {what} does not exist" + _other_end(root, path))
    rule = description.rule(len(entry.images))
    read = {p: _read(root, p, p == entry.label, rule, result) for p in dict.fromkeys(present)}
    volumes = {p: v for p, v in read.items() if v is not None}
    for path in volumes:
        if images.suffix(path) in images.VOLUME:
            if images.suffix(path) in images.NIFTI:
                _header(root, path, result)
            for check, message in volumes[path].notes:
                result.note(check, path, message)
            if description.single and 1 not in volumes[path].data.shape[:3]:
                message = f"tensorImageSize is 2D, the file is a volume of shape {_text(volumes[path].data.shape[:3])}"
                result.note("dimension", path, message)
        else:
            about = volumes[path].about
            assert about is not None
            result.pictures[path] = about
    placed = [p for p in volumes if _affine(volumes[p], p, result)]
    for path in placed[1:]:
        if description.pixels or not _turned_apart(placed[0], volumes[placed[0]], path, volumes[path], result):
            _same_grid(placed[0], volumes[placed[0]], path, volumes[path], result)
    digest = hashlib.blake2b(digest_size=16)
    channels = 0
    constant: list[tuple[str, int, float]] = []
    for path in entry.images:
        if path in volumes:
            channels += volumes[path].data.shape[-1]
            constant += _image(volumes[path], path, digest, result)
    complete = len(volumes) == len(set(paths))
    declared = len(description.channels)
    if complete and declared and channels != declared:
        kinds = {a.kind for p, a in result.pictures.items() if p != entry.label}
        held = f"{channels} channel(s)" + (f" in {len(entry.images)} files" if len(entry.images) > 1 else "")
        held += f" ({'; '.join(sorted(kinds))})" if kinds else ""
        held = f"the picture is in colour: {held}" if kinds and (channels, declared) == (3, 1) else held
        message = f"{held}; dataset.json names {declared}: {', '.join(description.channels)}"
        result.note("channel-count", entry.images[0], message)
    if constant and len(constant) == channels:
        result.note("constant-image", constant[0][0], f"every voxel is {constant[0][2]:g}")
    else:
        for path, channel, value in constant:
            result.note("constant-channel", path, f"channel {channel}: every voxel is {value:g}")
    counts = None
    if entry.label in volumes:
        counts = _label(volumes[entry.label], description.labels, result)
        result.label_digest = _digest(volumes[entry.label].data)
        first = volumes.get(entry.images[0])
        if first is not None and np.array_equal(first.data, volumes[entry.label].data[..., None]):
            result.note("image-is-label", entry.images[0], f"the same voxels as its label {entry.label}")
    if all(p in volumes for p in entry.images):
        result.digest = digest.hexdigest()
    if complete and counts is not None and len(placed) == len(volumes):
        first = volumes[entry.images[0]]
        result.case = cases.Case(
            case=entry.case,
            patient=entry.patient,
            images=entry.images,
            label=entry.label,
            channels=channels,
            shape=tuple(first.data.shape[:-1]),
            spacing=first.spacing,
            orientation=_orientation(first),
            voxels=counts,
            sha256=cases.digest(root / p for p in paths),
        )
    return result


def _other_end(root: Path, path: str) -> str:
    """A hint when the file is there in another form."""
    near = [path[: -len(s)] + o for s in images.NIFTI for o in images.NIFTI if s != o and path.endswith(s)]
    whole = path.removesuffix(images.suffix(path))
    if whole.endswith("_0000"):  # the number of the first channel, where nnU-Net wants one
        near.append(whole.removesuffix("_0000") + images.suffix(path))
    return next((f"; {p} does" for p in near if (root / p).is_file()), "")


def _read(root: Path, path: str, label: bool, rule: Rule, result: Result) -> images.Image | None:
    logging.getLogger("nibabel.global").setLevel(logging.CRITICAL)  # what it says of headers is checked here
    if (root / path).stat().st_size == 0:
        result.note("unreadable", path, "the file is empty (0 bytes)")
        return None
    try:
        volume = images.read(root / path, label, rule)
    except RefoldError as error:
        message = str(error).replace(str(root / path), "the file")
        # a file of the right format and the wrong number of axes is no damaged one
        result.note(getattr(error, "check", "dimension" if "has shape" in message else "unreadable"), path, message)
        return None
    data = volume.data
    if data.dtype.kind not in "biuf":
        result.note("data-type", path, f"the voxels are of type {data.dtype}, not plain numbers")
        return None
    if data.size == 0:
        result.note("shape", path, f"an axis has length 0: {_text(data.shape)}")
        return None
    return volume


def _header(root: Path, path: str, result: Result) -> None:
    """What nibabel mends or leaves out when it loads a NIfTI: voxel size, units, sform against qform."""
    import nibabel
    from nibabel.openers import Opener

    loaded: Any = nibabel.load(root / path)
    with Opener(str(root / path)) as handle:
        header = type(loaded.header).from_fileobj(handle, check=False)
    axes = min(3, len(loaded.shape))
    pixdim = np.asarray(header["pixdim"][1 : axes + 1], float)
    if not (np.isfinite(pixdim) & (pixdim > 0)).all():
        result.note("spacing-not-positive", path, f"the voxel size in the header (pixdim) is {_text(pixdim)}")
        return
    unit = UNITS.get(int(header["xyzt_units"]) & 7)
    if unit is None:
        result.note("units", path, f"the header's code of units is {int(header['xyzt_units']) & 7}; mm is 2")
    elif unit in ("metres", "micrometres"):
        result.note("units", path, f"the header is in {unit}; wanted is mm")
    sform, qform = int(header["sform_code"]), int(header["qform_code"])
    if not sform and not qform:
        message = f"neither sform nor qform is set; the orientation is a guess, the voxel size {_text(pixdim)} mm"
        result.note("no-orientation", path, message)
    if not sform and qform and float(header["pixdim"][0]) not in (-1, 0, 1):
        message = f"pixdim[0], which tells left from right, is {float(header['pixdim'][0]):g}; it is taken for 1"
        result.note("no-orientation", path, message)
    if not sform:
        return
    used = grid.sizes(loaded.header.get_sform())[:axes]
    apart = np.abs(used - pixdim) / pixdim * (used > 0)
    both = f"the voxel size is {_text(used)} mm in the sform and {_text(pixdim)} mm in pixdim"
    space = np.isin(np.arange(axes), grid.spatial(loaded.shape[:axes]))
    if (apart[space] > SIZES_CONTRADICT).any():  # sizes of 0 and NaN are told by `_affine`
        result.note("spacing-contradicts", path, both)
        return
    if (apart > SIZES_DIFFER).any():
        thick = "" if (apart[space] > SIZES_DIFFER).any() else ": of an axis of one voxel, for volumes in ml alone"
        result.note("spacing-differs", path, f"{both}; {_text(used)} is used{thick}")
    if qform:
        try:
            s, q = loaded.header.get_sform(), loaded.header.get_qform()
        except Exception as error:  # a quaternion that is none: nibabel has several types for it
            result.note("sform-qform", path, f"the qform cannot be worked out: {error}")
            return
        shape = np.array((*loaded.shape, 1, 1)[:3])
        corners = np.array(list(np.ndindex(2, 2, 2))) * (shape - 1)
        far = np.abs(nibabel.affines.apply_affine(s - q, corners)).max()
        if np.isfinite(far) and far > SFORM_QFORM * pixdim[space].min():
            message = f"sform and qform disagree by up to {far:.3g} mm; the voxel size used is {_text(used)} mm"
            result.note("sform-qform", path, message)


UNITS = {0: "unknown", 1: "metres", 2: "mm", 3: "micrometres"}  # unknown ones are mm


def _turned_apart(first: str, a: images.Image, path: str, b: images.Image, result: Result) -> bool:
    """Note where orientation tags set two pictures of a case against each other; whether the shapes are told thereby.

    Pictures are read as their tags say. If one of two has been turned alone, only their shapes can show that it should.
    """
    if a.about is None or b.about is None or a.about.orientation == b.about.orientation:
        return False
    shown = [i.data.shape[:2] for i in (a, b)]
    turned = [about.orientation >= 5 for about in (a.about, b.about)]
    stored = [s[::-1] if t else s for s, t in zip(shown, turned, strict=True)]
    if shown[0] != shown[1] and stored[0] != stored[1]:
        return False
    tags = f"the tag of its orientation is {b.about.orientation}, that of {first} {a.about.orientation} (1: not turned)"
    if stored[0] == stored[1]:
        fit = "as they are stored" if shown[0] != shown[1] else "both as they are stored and as they are shown"
        result.note("orientation-tag", path, f"{tags}; their shapes fit {fit}")
    return True


def _affine(volume: images.Image, path: str, result: Result) -> bool:
    """Whether the affine is one; further notes on it."""
    affine, spacing = volume.affine, np.array(volume.spacing)
    if not np.isfinite(affine).all():
        result.note("affine-not-finite", path, f"the affine holds NaN or infinite: {_text(affine[:3].ravel())}")
        return False
    linear = affine[:-1, :-1]
    if (spacing <= 0).any():
        result.note("spacing-not-positive", path, f"the voxel size in the affine is {_text(spacing)}")
        return False
    cosines = linear / spacing
    if abs(np.linalg.det(cosines)) < 1e-3:
        result.note("affine-singular", path, f"the axes of the affine lie in one plane: {_text(linear.ravel())}")
        return False
    skew = np.abs(cosines.T @ cosines - np.eye(len(spacing))).max()
    if skew > grid.TOLERANCE:
        angle = np.degrees(np.arccos(min(1.0, skew)))
        result.note("sheared", path, f"two axes meet at {angle:.2f} degrees instead of 90")
    if volume.dimension == 3 and 1 in volume.data.shape[:3]:
        result.note("single-slice", path, f"one axis has a single voxel: {_text(volume.data.shape[:3])}")
    return True


def _same_grid(first: str, a: images.Image, path: str, b: images.Image, result: Result) -> None:
    """Compare the grid of a file with that of the case's first one; both values are said."""
    dimension = a.dimension
    if b.dimension != dimension:
        result.note("shape", path, f"{b.dimension}-D, while {first} is {dimension}-D")
        return
    pairs = {"shape": (a.data.shape[:dimension], b.data.shape[:dimension])}
    if pairs["shape"][0] != pairs["shape"][1]:
        result.note("shape", path, f"{_text(pairs['shape'][1])}, while {first} has {_text(pairs['shape'][0])}")
        return
    found = grid.differences(a.data.shape[:dimension], a.affine, b.affine)
    sa, sb = np.array(a.spacing), np.array(b.spacing)
    if "spacing" in found:
        result.note("spacing", path, f"{_text(sb)} mm, while {first} has {_text(sa)} mm")
    if "origin" in found:
        oa, ob = a.affine[:-1, -1], b.affine[:-1, -1]
        result.note("origin", path, f"{_text(ob)} mm, while {first} has {_text(oa)} mm")
    if "direction" in found:
        da, db = a.affine[:-1, :-1] / sa, b.affine[:-1, :-1] / sb
        named = f"{_orientation(b)} {_text(db.T.ravel())}, while {first} has {_orientation(a)} {_text(da.T.ravel())}"
        result.note("direction", path, named)


def _image(volume: images.Image, path: str, digest, result: Result) -> list[tuple[str, int, float]]:
    """Note voxels that are no numbers, add the content to the digest, and tell the constant channels.

    Constant is also what single precision, in which images are kept, cannot tell apart.
    """
    constant = []
    digest.update(repr(volume.data.shape[:-1]).encode())
    broken = 0
    for channel in range(volume.data.shape[-1]):
        low, high = np.inf, -np.inf
        for slab in images.slabs(volume.data[..., channel]):
            # the same picture stored as another type is still the same picture
            with np.errstate(over="ignore"):  # told below
                digest.update(slab.astype(np.float32).tobytes(order="F"))
            if slab.dtype.kind == "f":
                finite = np.isfinite(slab)
                broken += slab.size - int(np.count_nonzero(finite))
                slab = slab[finite]
            if slab.size:
                low, high = min(low, slab.min()), max(high, slab.max())
        most = max(abs(float(low)), abs(float(high)))
        if LARGEST < most < np.inf or 0 < most < SMALLEST:
            message = f"the values of channel {channel} go from {low:.3g} to {high:.3g}"
            if most > LARGEST:
                beyond = sum(
                    int(np.count_nonzero(np.abs(s) > LARGEST)) for s in images.slabs(volume.data[..., channel])
                )
                message += f"; {beyond} voxels are beyond {LARGEST:g}"
            result.note("image-beyond-single", path, message)
        elif np.float32(low) == np.float32(high):
            constant.append((path, channel, float(low)))
    if volume.zero and volume.zero[1] >= ZEROS * volume.data.size:
        value, count = volume.zero
        message = f"the header's scaling makes {value:.3g} of 0; {count} voxels have it and are taken for 0"
        result.note("zero-rounded", path, message)
    if broken:
        result.note("image-not-finite", path, f"{broken} of {volume.data.size} voxels are NaN or infinite")
    return constant


def _label(volume: images.Image, labels: Labels, result: Result) -> tuple[int, ...] | None:
    """Count the voxels of each declared label; None if the label holds anything else."""
    path, data = result.entry.label, volume.data
    real: dict[float, int] = defaultdict(int)
    broken = 0
    for slab in images.slabs(data):
        if slab.dtype.kind == "f":
            finite = np.isfinite(slab)
            broken += slab.size - int(np.count_nonzero(finite))
            slab = slab[finite]
        if not slab.size:
            continue
        # counting is many times faster than sorting
        if slab.min() >= 0 and slab.max() <= layout.LARGEST_VALUE and (slab.dtype.kind != "f" or (slab % 1 == 0).all()):
            count = np.bincount(slab.astype(np.intp, copy=False).ravel(order="K"))
            values = np.flatnonzero(count)
            count = count[values]
        else:
            values, count = np.unique(slab, return_counts=True)
        for value, number in zip(values.tolist(), count.tolist(), strict=True):
            real[value] += number
    fractional = {v: n for v, n in real.items() if v != int(v)}
    strange = {int(v): n for v, n in real.items() if v not in fractional and v not in labels.values}
    if broken:
        result.note("label-not-finite", path, f"{broken} of {data.size} voxels are NaN or infinite")
    if fractional:
        message = f"{sum(fractional.values())} voxels are no whole numbers: {numbers(fractional)}"
        result.note("label-not-integer", path, message)
    if len(strange) >= NOISE and not fractional and _strewn(data, strange, real, labels):
        share = sum(strange.values()) / data.size
        message = (
            f"{sum(strange.values())} voxels ({share:.1%}) have {len(strange)} values between the declared "
            f"{', '.join(map(str, labels.values))}, strewn along edges: traces of lossy compression (JPEG) or of "
            f"interpolation: {numbers(strange)}"
        )
        result.note("label-noise", path, message)
    elif strange and len(labels):
        message = f"{sum(strange.values())} voxels have values that are not declared: {numbers(strange)}"
        result.note("label-undeclared", path, f"{message}; declared are {', '.join(map(str, labels.values))}")
    if broken or fractional or strange or not len(labels):
        return None
    if data.dtype.kind == "f":
        how = f"up to {volume.rounded:.2g} from whole numbers: read as these" if volume.rounded else "all whole"
        result.note("label-float", path, f"the values are {data.dtype}, {how}")
    voxels = tuple(real.get(v, 0) for v in labels.values)
    if not sum(voxels[1:]):
        result.note("empty-label", path, "no foreground voxel")
    return voxels


def _strewn(data: np.ndarray, strange: dict[int, int], real: dict[float, int], labels: Labels) -> bool:
    """Whether undeclared values lie between the declared ones as compression or interpolation leaves them.

    Such values seldom lie beside their own like along every axis. Objects with a number each, or labels that were
    forgotten, form areas. Compression also shifts whole areas a little, so where most voxels are close to declared
    values, it is most of the values that count, not most of the voxels.
    """
    if not labels.values[0] < min(strange) <= max(strange) < max(labels.values):
        return False
    area = np.isin(data, list(strange))
    for axis in (i for i, n in enumerate(data.shape) if n > 1):
        moved = np.moveaxis(data, axis, 0)
        beside = np.zeros(moved.shape, bool)
        alike = moved[:-1] == moved[1:]
        beside[:-1] |= alike
        beside[1:] |= alike
        area &= np.moveaxis(beside, 0, axis)
    solid = Counter(data[area].tolist())
    odd = sum(strange.values())
    if solid.total() < 0.5 * odd:
        return True
    present = [v for v in labels.values if v in real]
    near = sum(n for v, n in strange.items() if min(abs(v - p) for p in present) <= NEAR) if len(present) > 1 else 0
    return near > 0.8 * odd and sum(solid[v] < 0.5 * n for v, n in strange.items()) > 0.5 * len(strange)


def _digest(data: np.ndarray) -> str:
    digest = hashlib.blake2b(repr(data.shape).encode(), digest_size=16)
    for slab in images.slabs(data):
        digest.update(slab.astype(np.float32).tobytes(order="F"))
    return digest.hexdigest()


def _orientation(volume: images.Image) -> str:
    if volume.dimension == 2:
        return "XY"
    from nibabel import aff2axcodes

    return "".join(a or "?" for a in aff2axcodes(volume.affine))


def _text(values) -> str:
    return json.dumps([v if isinstance(v, int) else float(f"{v:.5g}") for v in np.asarray(values).tolist()])


# ---------------------------------------------------------------- all cases together


def _across(found: layout.Layout, results: list[Result]) -> list[Problem]:
    """What only all cases together show."""
    problems = _kinds(results)
    groups: dict[str, list[Result]] = defaultdict(list)
    for result in results:
        if result.digest:
            groups[result.digest].append(result)
    for group in groups.values():
        first = group[0]
        for other in group[1:]:
            same = found.description.patients != "case" and first.entry.patient == other.entry.patient
            which = "the same label" if first.label_digest == other.label_digest else "another label"
            message = f"the same image as case {first.entry.case} ({first.entry.images[0]}), with {which}"
            check = "duplicate-image-same-patient" if same else "duplicate-image"
            problems.append(Problem(check, message, other.entry.case, other.entry.images[0]))
    read = [r.case.voxels for r in results if r.case]
    labels = found.description.labels
    if read and len(read) == len(results) and len(labels) > 1:
        totals = np.array(read).sum(axis=0)
        if not totals[1:].any():
            problems.append(Problem("no-foreground", f"no label of the {len(read)} holds a foreground voxel"))
        else:
            for value, name in zip(labels.values, labels.names, strict=True):
                if not totals[labels.values.index(value)]:
                    message = f"label {value} ({name}) is in none of the {len(read)} cases"
                    problems.append(Problem("label-never-present", message))
    return problems


def _kinds(results: list[Result]) -> list[Problem]:
    """What is peculiar to a data set's pictures, and whether they are of one kind: one line each, not one a picture."""
    found = []
    images_ = [(p, a) for r in results for p, a in r.pictures.items() if p != r.entry.label]
    masks = [(p, a) for r in results for p, a in r.pictures.items() if p == r.entry.label]

    def note(check: str, what: str, files: list[str], all_: int, noun: str) -> None:
        found.append(Problem(check, f"{len(files)} of {all_} {noun}: {what}", file=files[0]))

    for noun, all_ in (("images", images_), ("masks", masks)):
        for check, told in (("alpha-dropped", "left_out"), ("channels-changed", "changed")):
            groups: dict[str, list[str]] = defaultdict(list)
            for path, about in all_:
                if text := getattr(about, told):
                    groups[text].append(path)
            for text, where in sorted(groups.items()):
                note(check, f"{text} is left out" if told == "left_out" else text, where, len(all_), noun)
        if turned := [p for p, a in all_ if a.orientation != 1]:
            note("turned", "a tag says that the picture is to be turned", turned, len(all_), noun)
        kinds: dict[str, list[str]] = defaultdict(list)
        for path, about in all_:
            kinds[", ".join(filter(None, (about.kind, about.lossy, about.perhaps_lossy)))].append(path)
        if len(kinds) > 1:
            text = "; ".join(f"{k}: {len(v)}, such as {v[0]}" for k, v in sorted(kinds.items()))
            found.append(Problem("mixed-pictures", f"the {noun} are of {len(kinds)} kinds: {text}"))
    tells = "which may be lossy: the file does not tell"
    for check, noun, all_, more in (
        ("lossy-image", "images", images_, ""),
        ("perhaps-lossy-label", "masks", masks, ", its values decide"),
    ):
        for name in sorted({a.lossy for _, a in all_} - {""}):  # a mask of these is not read
            note(check, f"compressed as {name}", [p for p, a in all_ if a.lossy == name], len(all_), noun)
        for name in sorted({a.perhaps_lossy for _, a in all_} - {""}):
            paths = [p for p, a in all_ if a.perhaps_lossy == name]
            note(check, f"compressed as {name}, {tells}{more}", paths, len(all_), noun)
    return found
