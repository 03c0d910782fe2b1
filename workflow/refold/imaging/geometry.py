"""From a raw grid to the stored one and back: orientation, crop, resampling.

Raw file -> canonical orientation (RAS+) -> box of non-zero voxels -> stored grid. A `Record` holds all that is needed
to bring a prediction on the stored grid back to the raw file's own grid.

Resampling aligns the edges of the two grids, not the centres of their first voxels: the field of view stays the same
and voxel ``i`` of ``m`` lies at ``(i + 0.5) * n / m - 0.5`` among the ``n`` old ones, as in
``skimage.transform.resize`` and ``scipy.ndimage.zoom(grid_mode=True, mode="nearest")``.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence

import numpy as np

from refold.core.errors import RefoldError
from refold.imaging.grid import mm
from refold.imaging.record import Record

SAME = 1e-6  # relative difference below which two spacings are the same
LEAST = 1e-5  # added to probabilities before their logarithm: what a network is sure of has one too
_PAD = 12  # voxels of edge padding before the spline prefilter, as in scipy.ndimage; its poles have died out by then


# ---------------------------------------------------------------- orientation and crop


def orientation(affine: np.ndarray) -> tuple[str, tuple[tuple[int, int], ...]]:
    """Axis codes and transform (see `Record`) of a grid; oblique axes count as their nearest main axis.

    Raises:
        RefoldError: the affine has no direction for an axis.
    """
    from nibabel.orientations import io_orientation, ornt2axcodes

    affine = np.asarray(affine, float)
    dimension = affine.shape[0] - 1
    if dimension == 2:
        return "XY", ((0, 1), (1, 1))
    ornt = io_orientation(affine)
    if np.isnan(ornt).any():
        raise RefoldError(f"affine {affine.tolist()} gives no direction to some axis; put the file's header right")
    return "".join(ornt2axcodes(ornt)), tuple((int(a), int(f)) for a, f in ornt)


def reorder(values: Sequence, transform: Sequence[tuple[int, int]]) -> tuple:
    """Per-axis values (shape, spacing) from file order to canonical order."""
    out = list(values)
    for value, (axis, _) in zip(values, transform, strict=True):
        out[axis] = value
    return tuple(out)


def canonical(array: np.ndarray, transform: Sequence[tuple[int, int]]) -> np.ndarray:
    """``array`` (x, y[, z][, channels]) in canonical axis order and direction; a view where possible."""
    from nibabel.orientations import apply_orientation

    return apply_orientation(array, np.array(transform, float))


def decanonical(array: np.ndarray, transform: Sequence[tuple[int, int]]) -> np.ndarray:
    """The inverse of `canonical`."""
    for target, flip in transform:
        if flip < 0:
            array = np.flip(array, target)
    order = [target for target, _ in transform]
    return array.transpose(*order, *range(len(order), array.ndim))


def crop_nonzero(image: np.ndarray) -> tuple[tuple[int, int], ...]:
    """Box (first, one past the last) an axis of the voxels where any channel is not 0; the whole image if none is.

    Args:
        image: (x, y[, z], channels).
    """
    mask = (image != 0).any(axis=-1)
    box = []
    for axis in range(mask.ndim):
        found = np.flatnonzero(mask.any(axis=tuple(a for a in range(mask.ndim) if a != axis)))
        if found.size == 0:
            return tuple((0, n) for n in mask.shape)
        box.append((int(found[0]), int(found[-1]) + 1))
    return tuple(box)


def slices(box: Sequence[tuple[int, int]]) -> tuple[slice, ...]:
    return tuple(slice(a, b) for a, b in box)


# ---------------------------------------------------------------- grids


def target_spacing(
    spacings: Sequence[Sequence[float]],
    sizes: Sequence[Sequence[int]],
    setting: str | Sequence[float],
    anisotropy: float = 3.0,
) -> tuple[float, ...] | None:
    """Voxel size that all cases are brought to; None where each keeps its own.

    Args:
        spacings: mm, one row a case, canonical axes.
        sizes: voxels, one row a case, canonical axes.
        setting: ``preprocess.spacing``: ``original``, ``median`` or mm an axis.
        anisotropy: ``preprocess.anisotropy``; nnU-Net's value is 3.

    ``median`` is nnU-Net's rule (Isensee et al. 2021, doi:10.1038/s41592-020-01008-z): the median over the cases; an
    axis more than ``anisotropy`` times coarser than the others and with under 1/``anisotropy`` of their voxels takes
    its 10th percentile instead, never finer than the others.

    Raises:
        RefoldError: a given spacing has another number of axes than the data.
    """
    spacing_table, size_table = np.array(spacings, float), np.array(sizes, float)
    dimension = spacing_table.shape[1]
    if setting == "original":
        return None
    if not isinstance(setting, str):
        if len(setting) != dimension:
            raise RefoldError(
                f"preprocess.spacing: {list(setting)} has {len(setting)} numbers, the data have {dimension} axes; "
                f"give {dimension} numbers, median or original"
            )
        return tuple(float(s) for s in setting)
    # a single slice's thickness is no distance between slices: it counts only where no case has one
    several = size_table > 1
    spacing_table[~several & several.any(axis=0)] = np.nan
    target, size = np.nanmedian(spacing_table, axis=0), np.median(size_table, axis=0)
    worst = int(np.argmax(target))
    others = [a for a in range(dimension) if a != worst]
    if target[worst] > anisotropy * target[others].max() and size[worst] * anisotropy < size[others].min():
        target[worst] = max(np.nanpercentile(spacing_table[:, worst], 10), target[others].max())
    return tuple(mm(target))


def resampled_shape(shape: Sequence[int], spacing: Sequence[float], target: Sequence[float] | None) -> tuple[int, ...]:
    """Voxels of the grid with about the ``target`` spacing over the same extent; an axis within `SAME` is kept.

    >>> resampled_shape((256, 256, 40), (0.5, 0.5, 3.0), (1.0, 1.0, 1.0))
    (128, 128, 120)
    """
    if target is None:
        return tuple(shape)
    return tuple(
        n if abs(s - t) <= SAME * t else max(1, round(n * s / t))
        for n, s, t in zip(shape, spacing, target, strict=True)
    )


def coarse_axis(spacing: Sequence[float], target: Sequence[float] | None, anisotropy: float) -> int | None:
    """The slice axis of a thick-slice case, or None.

    It is the coarsest axis of the case, or else of the target grid, if it is over ``anisotropy`` times the finest. Two
    equally coarse axes are no slices (nnU-Net's rule).

    >>> coarse_axis((0.5, 0.5, 3.0), None, anisotropy=3.0)
    2
    >>> coarse_axis((1.0, 1.0, 1.2), None, anisotropy=3.0) is None
    True
    """
    for s in (spacing, target):
        if s is None or len(s) < 3 or max(s) <= anisotropy * min(s):
            continue
        coarsest = [a for a, v in enumerate(s) if v >= max(s) * (1 - SAME)]
        return coarsest[0] if len(coarsest) == 1 else None
    return None


def record(
    shape: Sequence[int],
    affine: np.ndarray,
    crop: Sequence[tuple[int, int]] | None = None,
    target: Sequence[float] | None = None,
    flat: bool = False,
) -> Record:
    """Work out where a case's stored grid lies.

    Args:
        shape: voxels as in the file.
        affine: (d + 1, d + 1), of the file.
        crop: box in the canonical grid; None: the whole image.
        target: spacing in mm, canonical axes; None: as it is.
        flat: as in `Record`.
    """
    affine = np.asarray(affine, float)
    codes, transform = orientation(affine)
    raw_spacing = tuple(np.sqrt((affine[:-1, :-1] ** 2).sum(axis=0)).tolist())
    spacing = reorder(raw_spacing, transform)
    whole = reorder(shape, transform)
    box = tuple((int(a), int(b)) for a, b in crop or [(0, n) for n in whole])
    cropped = tuple(b - a for a, b in box)
    # the thickness of a single slice is no extent that could be sampled
    stored = tuple(1 if n == 1 else m for n, m in zip(whole, resampled_shape(cropped, spacing, target), strict=True))
    return Record(
        dimension=len(shape),
        flat=flat,
        raw_shape=tuple(int(n) for n in shape),
        raw_spacing=raw_spacing,
        raw_affine=tuple(tuple(row) for row in affine.tolist()),
        codes=codes,
        transform=transform,
        crop=box,
        cropped_shape=cropped,
        cropped_spacing=spacing,
        stored_shape=stored,
        stored_spacing=tuple(s if n == m else s * n / m for s, n, m in zip(spacing, cropped, stored, strict=True)),
    )


# ---------------------------------------------------------------- resampling


def _weights(n: int, m: int, order: int):
    """Sparse (m, n padded) matrix from B-spline coefficients along one axis to its values on the new grid."""
    from scipy.interpolate import BSpline

    pad = _PAD if order > 1 else 0
    where = (np.arange(m) + 0.5) * n / m - 0.5
    where = where + pad if pad else where.clip(0, n - 1)
    knots = np.arange(n + 2 * pad + order + 1) - (order + 1) / 2
    return BSpline.design_matrix(where, knots, order, extrapolate=not pad)


def _resample_axis(array: np.ndarray, axis: int, m: int, order: int) -> np.ndarray:
    """One axis of a separable spline resampling; float32 in and out."""
    n = array.shape[axis]
    if n == 1:
        return np.repeat(array, m, axis)
    if order == 0:
        index = np.floor((np.arange(m) + 0.5) * n / m).astype(int)
        return array.take(index.clip(0, n - 1), axis)
    x = np.moveaxis(array, axis, 0)
    rest = x.shape[1:]
    if order > 1:
        from scipy.ndimage import spline_filter1d

        x = np.pad(x, [(_PAD, _PAD)] + [(0, 0)] * len(rest), mode="edge")
        x = spline_filter1d(x, order, axis=0, output=np.float32, mode="nearest")
    # sparse, not BLAS: its sums do not depend on the processor or the number of threads
    out = _weights(n, m, order).astype(np.float32) @ x.reshape(len(x), -1)
    return np.moveaxis(out.reshape(m, *rest), 0, axis)


def _resample(array: np.ndarray, shape: Sequence[int], order: int, coarse: int | None) -> np.ndarray:
    axes = [a for a in range(len(shape)) if array.shape[a] != shape[a]]
    # axes that shrink come first: less work for the others; the slice axis comes last
    for axis in sorted(axes, key=lambda a: (a == coarse, shape[a] / array.shape[a])):
        array = _resample_axis(array, axis, shape[axis], 0 if axis == coarse else order)
    return array


def resample_image(array: np.ndarray, shape: Sequence[int], order: int = 3, coarse: int | None = None) -> np.ndarray:
    """Resample (x, y[, z], channels) to ``shape`` by splines, each channel for itself; float32.

    Args:
        array: any real dtype.
        shape: new voxels (x, y[, z]). Axes that do not change are not touched.
        order: spline order 0 to 5.
        coarse: slice axis of a thick-slice case (`coarse_axis`): in plane first, then by nearest neighbour along it.

    Values are clipped to the range of their channel before resampling, as skimage and so nnU-Net do: splines overshoot
    at edges otherwise. There is no smoothing before an axis shrinks (nor in nnU-Net).
    """
    array = np.asarray(array, np.float32)
    if tuple(array.shape[:-1]) == tuple(shape):
        return array
    axes = tuple(range(len(shape)))
    low, high = array.min(axis=axes), array.max(axis=axes)
    return np.ascontiguousarray(_resample(array, shape, order, coarse).clip(low, high))


def _argmax(layers, shape: Sequence[int]) -> np.ndarray:
    """Index of the largest of ``layers``, the first where equal; holds two layers at a time."""
    best, label = None, np.zeros(tuple(shape), np.uint8)
    for index, layer in layers:
        if best is None:
            best = np.array(layer, np.float32)
            label[...] = index
            continue
        larger = layer > best
        label[larger] = index
        np.copyto(best, layer, where=larger)
    return label


def resample_label(label: np.ndarray, shape: Sequence[int], order: int = 3, coarse: int | None = None) -> np.ndarray:
    """Resample a label map of indices (x, y[, z]) to ``shape``: each label's indicator, then the argmax; uint8.

    Label values are never averaged. Where labels are equally near, the lower index wins. By cubic splines small
    structures keep their volume; interpolated linearly (order 1, nnU-Net's) the convex ones shrink.
    """
    if tuple(label.shape) == tuple(shape):
        return np.asarray(label, np.uint8)
    present = np.flatnonzero(np.bincount(label.ravel(), minlength=1))
    layers = ((i, _resample((label == i).astype(np.float32), shape, order, coarse)) for i in present)
    return _argmax(layers, shape)


def to_original(
    probabilities: np.ndarray, record: Record, each: Callable[[int, np.ndarray], object] | None = None
) -> np.ndarray:
    """Probabilities on the stored grid to a label map on the raw file's own grid.

    Where the grids differ, the logarithm of each label's probability is resampled by cubic splines to the cropped
    canonical grid before the argmax; the lower index wins where two are equal. Probabilities themselves are flat but
    for a voxel or two at a border, and small convex structures would shrink. Outside the box stands background. Label
    by label with a running maximum, so that memory does not grow with the number of labels: beside the input six
    float32 volumes of the cropped grid, or seven with ``each``.

    Args:
        probabilities: (x, y[, z], labels) of the record's stored shape; or any array that ``[..., i]`` reads.
        each: called for every label in turn with its index and its probability on the raw file's grid, (x, y[, z])
            float32 from 0 to 1, summing to 1 over the labels; 0 outside the box, but 1 for the background.

    Returns:
        uint8 indices, shape ``record.raw_shape``.

    Raises:
        RefoldError: the shape is not the stored one.
    """
    if tuple(probabilities.shape[:-1]) != record.stored_shape:
        raise RefoldError(f"probabilities of shape {probabilities.shape} for a stored grid of {record.stored_shape}")
    resampled = record.stored_shape != record.cropped_shape
    total = np.zeros(record.cropped_shape, np.float32) if resampled and each is not None else None

    def layer(i: int) -> np.ndarray:
        stored = np.asarray(probabilities[..., i], np.float32)
        return _resample(np.log(stored + LEAST), record.cropped_shape, 3, None) if resampled else stored

    def layers() -> Iterator[tuple[int, np.ndarray]]:
        for i in range(probabilities.shape[-1]):
            values = layer(i)
            if total is not None:
                np.add(total, np.exp(values), out=total)
            yield i, values

    whole = np.zeros(record.canonical_shape, np.uint8)
    whole[slices(record.crop)] = _argmax(layers(), record.cropped_shape)
    if each is not None:
        for i in range(probabilities.shape[-1]):
            padded = np.full(record.canonical_shape, np.float32(i == 0))
            # once more: to keep all labels would take their number of volumes
            padded[slices(record.crop)] = layer(i) if total is None else np.exp(layer(i)) / total
            each(i, decanonical(padded, record.transform))
    return np.ascontiguousarray(decanonical(whole, record.transform))
