"""Reading and writing images: NIfTI and the formats of `refold.formats` in 3-D, PNG, TIFF and JPEG in 2-D, one
convention for all.

Arrays have their spatial axes first, in the order x, y (, z), and channels last. A 2-D picture, stored as rows and
columns, is transposed so that axis 0 is x (columns) and axis 1 is y (rows). Spacing is in mm; pictures without a
physical size have spacing 1 and the identity as affine.
"""

from __future__ import annotations

import gzip
import json
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from refold.core.errors import RefoldError
from refold.core.files import atomic
from refold.formats import metaimage, mgh, nrrd
from refold.formats.record import stand
from refold.imaging import pictures
from refold.imaging.dataset import PLAIN, Rule
from refold.imaging.grid import differences, mm

NIFTI = (".nii.gz", ".nii")
FORMATS = {suffix: module for module in (nrrd, metaimage, mgh) for suffix in module.SUFFIXES}
VOLUME = (*NIFTI, *FORMATS)
JPEG = (".jpg", ".jpeg")
PICTURE = (".png", ".tif", ".tiff", *JPEG)
ELSEWHERE = 10  # tolerances of `grid.differences` that a label map of another program may use up
WHOLE = 1e-3  # a label's values this close to whole numbers are those numbers: rounding, no interpolation
COARSE = 0.05  # ... or half a step of the file's own scaling, up to this
SLAB = 1 << 22  # voxels looked at in one go, beside the image itself


@dataclass(frozen=True)
class Image:
    """An image and its place in the world.

    data: (x, y[, z], channels) for images, (x, y[, z]) for labels; the stored dtype (float64 if a NIfTI is scaled).
    affine: (dimension + 1, dimension + 1) float64, voxel indices to mm in RAS+.
    flat: a volume's file of two axes (x, y), which stand here as (x, y, 1).
    rounded: how far a label's values were from the whole numbers that stand here for them.
    zero: the value that the file's scaling made of 0, and how many voxels had it; they are 0 here. None: 0 is 0.
    about: what a picture is besides; None for a volume.
    notes: what a file of `FORMATS` says that the checks should pass on, as (check, message).
    """

    data: np.ndarray
    affine: np.ndarray
    flat: bool = False
    rounded: float = 0.0
    zero: tuple[float, int] | None = None
    about: pictures.About | None = None
    notes: tuple[tuple[str, str], ...] = ()

    @property
    def dimension(self) -> int:
        return self.affine.shape[0] - 1

    @property
    def spacing(self) -> tuple[float, ...]:
        """Voxel size in mm along each array axis."""
        return tuple(np.sqrt((self.affine[:-1, :-1] ** 2).sum(axis=0)).tolist())


def suffix(path: str | Path) -> str:
    """``.nii.gz`` for ``a.b.nii.gz``; the empty string when the format is none of those known."""
    name = Path(path).name.lower()
    return next((s for s in (*VOLUME, *PICTURE) if name.endswith(s)), "")


def stem(path: str | Path) -> str:
    """File name without its (double) suffix."""
    name = Path(path).name
    return name[: len(name) - len(suffix(name))] if suffix(name) else name


def read(path: str | Path, label: bool = False, rule: Rule = PLAIN) -> Image:
    """Read one file.

    A label's values within `WHOLE` of whole numbers, or within the rounding of the file's own scaling, are read as
    these numbers, all of them or none. A NIfTI of two axes is read as a volume of one slice.

    Args:
        path: a file of `VOLUME` or `PICTURE`.
        label: a label has no channel axis.
        rule: of the data set: `Description.rule`. It is for pictures.

    Raises:
        RefoldError: absent, of an unknown format, truncated or otherwise unreadable.
    """
    kind = suffix(path)
    if not kind:
        raise RefoldError(f"{path}: unknown image format; known are {', '.join((*VOLUME, *PICTURE))}")
    try:
        if kind in NIFTI:
            image, step = _read_nifti(path, label)
        elif kind in FORMATS:
            found = FORMATS[kind].read(path)
            data = _axes(path, found.data, label)
            image, step = Image(data, found.affine, found.flat, notes=found.notes), 0.0
        else:
            data, about = pictures.read(path, label, rule)
            image, step = Image(data, np.eye(3), about=about), 0.0
        return _whole(image, max(WHOLE, min(COARSE, 0.501 * step))) if label and image.data.dtype.kind == "f" else image
    except RefoldError:
        raise
    except FileNotFoundError:
        raise RefoldError(f"{path} is missing") from None
    except (OSError, EOFError, ValueError, gzip.BadGzipFile, zlib.error, SyntaxError) as error:
        raise RefoldError(f"{path} cannot be read ({error or type(error).__name__}): truncated or damaged?") from None
    except Exception as error:  # libraries raise their own types for damaged files
        raise RefoldError(f"{path} cannot be read ({type(error).__name__}: {error}): damaged?") from None


def slabs(data: np.ndarray) -> Iterator[np.ndarray]:
    """Parts along the last axis, of at most `SLAB` voxels or one layer."""
    step = max(1, SLAB // max(1, data[..., 0].size))
    for start in range(0, data.shape[-1], step):
        yield data[..., start : start + step]


def _whole(image: Image, within: float) -> Image:
    """A label of floating point in whole numbers, if all its values are ``within`` of some."""
    with np.errstate(invalid="ignore"):
        apart = float(np.max([np.abs(s - np.rint(s)).max(initial=0) for s in slabs(image.data)], initial=0))
    if not 0 < apart <= within:  # also where it is NaN
        return image
    return replace(image, data=np.rint(image.data), rounded=apart)


def _zero(data: np.ndarray, slope: float, inter: float) -> tuple[np.ndarray, tuple[float, int] | None]:
    """A scaled image in which the stored number nearest to 0 is 0, and what it was.

    Floats that a program squeezed into the integers of another header come back with 0 as 2e-6 or so: as far from it as
    the scaling rounds. Without its zeros an image would not be cropped or masked.
    """
    if not inter:
        return data, None
    value = np.rint(-inter / slope) * slope + inter
    if not value:
        return data, None
    count = 0
    data = data if data.flags.writeable else data.copy()
    for slab in slabs(data):
        here = np.abs(slab - value) <= 1e-5 * abs(slope)  # double precision of 32 bits and an offset
        if found := int(np.count_nonzero(here)):
            slab[here] = 0
            count += found
    return data, (float(value), count) if count else None


def _axes(path: str | Path, data: np.ndarray, label: bool) -> np.ndarray:
    """A volume's three axes for a label, with channels behind them for an image."""
    if label and data.ndim == 4 and data.shape[3] == 1:
        data = data[..., 0]
    if not label and data.ndim == 3:
        data = data[..., None]
    if data.ndim != (3 if label else 4):
        what = "a label needs 2 or 3 axes" if label else "an image needs 2 or 3 axes, or 4 with channels last"
        raise RefoldError(f"{path} has shape {data.shape}: {what}")
    return data


def _read_nifti(path: str | Path, label: bool) -> tuple[Image, float]:
    """The image, and the step between stored numbers: 0 where they are not scaled."""
    import nibabel

    image: Any
    if suffix(path) == ".nii":
        image = nibabel.load(path)
    else:
        # to the end, where the check sum stands: nibabel stops before it and misses damage
        with gzip.open(path) as handle:
            raw = handle.read()
        second = raw[:4] in (b"\x1c\x02\x00\x00", b"\x00\x00\x02\x1c")  # length of the header, 540
        image = (nibabel.Nifti2Image if second else nibabel.Nifti1Image).from_bytes(raw)
    data = np.asanyarray(image.dataobj)
    slope, inter = float(image.dataobj.slope), float(image.dataobj.inter)
    scaled = image.get_data_dtype().kind in "iu" and data.dtype.kind == "f"
    if flat := data.ndim == 2:
        data = data[..., None]
    while data.ndim > 4 and data.shape[3] == 1:  # NIfTI keeps channels on axis 5 when axis 4 (time) has length 1
        data = data[:, :, :, 0]
    data = _axes(path, data, label)
    affine, zero = np.array(image.affine, float), None
    if flat:  # the third voxel size of two axes may be 0
        stand(affine[:3, :3])
    if scaled and not label and data.size:
        data, zero = _zero(data, slope, inter)
    return Image(data, affine, flat, zero=zero), abs(slope) if scaled else 0.0


def require_grid(
    image: Image,
    path: str | Path,
    shape: Sequence[int],
    affine: np.ndarray | Sequence[Sequence[float]],
    other: str | Path,
) -> None:
    """Raises `RefoldError` unless a label map lies on the grid of ``other``, of this shape and affine."""
    if image.data.shape != tuple(shape):
        raise RefoldError(f"{path} has shape {image.data.shape}, {other} {tuple(shape)}")
    # pictures have no place
    if len(shape) == 3 and (apart := differences(shape, np.asarray(affine), image.affine, ELSEWHERE)):
        both = (json.dumps([mm(row) for row in np.asarray(a).tolist()]) for a in (image.affine, affine))
        raise RefoldError(f"{path} lies elsewhere than {other} ({', '.join(apart)}): affines {' and '.join(both)}")


def write_label(path: str | Path, data: np.ndarray, affine: np.ndarray, rule: Rule = PLAIN) -> None:
    """Write a label (x, y[, z]) atomically; the same input gives the same bytes.

    To NIfTI or PNG, as the ending says. Integer dtypes up to 16 bits are kept. Where ``rule`` has colours, values up to
    255 are indices of a palette that holds them.
    """
    with atomic(path) as temporary:
        if suffix(path) == ".png":
            from PIL import Image as Pillow

            picture = Pillow.fromarray(np.ascontiguousarray(data.swapaxes(0, 1)))
            if rule.colours and data.dtype == np.uint8:
                picture.putpalette(_palette(rule))
            picture.save(temporary, format="PNG")
        else:
            import nibabel

            image = nibabel.Nifti1Image(data, affine)
            image.header.set_xyzt_units("mm")
            _write_nifti(temporary, image)


def _palette(rule: Rule) -> bytes:
    palette = bytearray(3 * (max(rule.labels.values) + 1))
    for value, colours in zip(rule.labels.values, rule.colours, strict=True):
        palette[3 * value : 3 * value + 3] = bytes.fromhex(colours[0].removeprefix("#"))
    return bytes(palette)


def write_image(path: str | Path, data: np.ndarray, affine: np.ndarray) -> None:
    """Write a 3-D image (x, y, z, channels) as NIfTI with channels on the fourth axis; one channel is dropped."""
    import nibabel

    with atomic(path) as temporary:
        image = nibabel.Nifti1Image(data[..., 0] if data.shape[-1] == 1 else data, affine)
        image.header.set_xyzt_units("mm")
        _write_nifti(temporary, image)


STEPS = 255  # a probability is kept as a whole number of these parts
PROBABILITY_SUFFIX = {2: ".tif", 3: ".nii.gz"}


@contextmanager
def probability_writer(
    path: str | Path, shape: tuple[int, ...], labels: int, affine: np.ndarray
) -> Iterator[Callable[[np.ndarray], object]]:
    """Gives a function that writes the probability (x, y[, z]) of one foreground label after the other.

    8 bits each, one label in memory at a time, the same bytes for the same input. 3-D: NIfTI, labels on the fourth
    axis, its slope set so that programs show 0 to 1. 2-D: TIFF of 255ths, a page a label. Written atomically.

    Args:
        shape: of the image. labels: how many foreground labels follow. affine: of the image.
    """
    if len(shape) == 2:
        import tifffile

        with atomic(path) as temporary, tifffile.TiffWriter(temporary) as tiff:
            options: dict[str, Any] = {
                "photometric": "minisblack",
                "compression": "zlib",
                "software": "",
                "metadata": None,
            }
            options |= {"shape": shape[::-1], "dtype": np.uint8, "rowsperstrip": shape[1]}
            # packed by Python's zlib, as NIfTI is: tifffile would take a library whose bytes follow its own releases
            yield lambda p: tiff.write(iter([zlib.compress(_quantised(p).swapaxes(0, 1).tobytes())]), **options)
        return
    import nibabel

    image = nibabel.Nifti1Image(np.broadcast_to(np.uint8(0), (*shape, labels)), affine)
    _set_affine(image)
    header = image.header
    header.set_xyzt_units("mm")
    header.set_slope_inter(1 / STEPS, 0)
    header["magic"], header["vox_offset"] = b"n+1", 352
    # level 1: probabilities are mostly 0 or smooth, and higher levels take longer than they save
    with (
        atomic(path) as temporary,
        open(temporary, "wb") as handle,
        gzip.GzipFile("", "wb", 1, handle, mtime=0) as packed,
    ):
        packed.write(header.binaryblock + bytes(4))
        yield lambda p: packed.write(_quantised(p).tobytes(order="F"))


def _quantised(p: np.ndarray) -> np.ndarray:
    return np.rint(np.clip(p, 0, 1) * np.float32(STEPS)).astype(np.uint8)


def read_probabilities(path: str | Path) -> np.ndarray:
    """What `probability_writer` wrote: (x, y[, z], foreground labels) uint8 in 255ths.

    Raises:
        RefoldError: it is no such file.
    """
    try:
        if suffix(path) == PROBABILITY_SUFFIX[2]:
            import tifffile

            with tifffile.TiffFile(path) as tiff:
                return np.stack([page.asarray().swapaxes(0, 1) for page in tiff.pages], axis=-1)
        import nibabel
        from nibabel.filebasedimages import ImageFileError

        try:
            image: Any = nibabel.load(path)
            found = np.asarray(image.dataobj.get_unscaled())
        except ImageFileError as error:
            raise ValueError(error) from None
    except (OSError, ValueError, EOFError, zlib.error) as error:
        raise RefoldError(f"{path} cannot be read ({error}); predict that fold again") from None
    if found.ndim != 4 or found.dtype != np.uint8:
        raise RefoldError(f"{path} holds no probabilities; predict that fold again")
    return found


def _set_affine(image) -> None:
    # both forms, because programs differ in which they read; a sheared grid fits into the sform alone
    image.set_sform(image.affine, code=1)
    image.set_qform(image.affine, code=1)
    if not np.allclose(image.get_qform(), image.affine, rtol=0, atol=1e-3 * min(image.header.get_zooms()[:3])):
        image.set_qform(None, code=0)


def _write_nifti(path: Path, image) -> None:
    _set_affine(image)
    if suffix(path) == ".nii":
        path.write_bytes(image.to_bytes())
        return
    # no name and no time in the header, or the same image would give other bytes
    with open(path, "wb") as handle, gzip.GzipFile("", "wb", 6, handle, mtime=0) as packed:
        packed.write(image.to_bytes())
