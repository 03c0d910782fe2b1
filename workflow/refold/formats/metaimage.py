"""MetaImage of one file (.mha), as ITK and its programs write it.

The format: https://itk.org/Wiki/ITK/MetaIO/Documentation. Read here, because the only library that does brings all of
ITK (274 MB). World axes are LPS; ``TransformMatrix`` holds the direction of one axis of voxels after the other.
"""

from __future__ import annotations

import zlib
from pathlib import Path

import numpy as np

from refold.formats.record import Refused, Volume, place

SUFFIXES = (".mha",)
TYPES = {
    "MET_CHAR": "i1", "MET_UCHAR": "u1", "MET_SHORT": "i2", "MET_USHORT": "u2", "MET_INT": "i4", "MET_UINT": "u4",
    "MET_LONG": "i4", "MET_ULONG": "u4", "MET_LONG_LONG": "i8", "MET_ULONG_LONG": "u8", "MET_FLOAT": "f4",
    "MET_DOUBLE": "f8",
}  # fmt: skip
LONGEST_HEADER = 1 << 20
TWINS = {
    "TransformMatrix": ("Rotation", "Orientation"),
    "Offset": ("Origin", "Position"),
    "ElementByteOrderMSB": ("BinaryDataByteOrderMSB",),
}


def read(path: str | Path) -> Volume:
    """One volume.

    Raises:
        Refused: its voxels lie in another file, it is in another unit than mm, or has a scale that programs ignore.
        ValueError: no MetaImage, or a damaged one.
    """
    raw = Path(path).read_bytes()
    header, start = _header(raw)
    if header["ElementDataFile"].upper() != "LOCAL":
        raise Refused("format", f"{path} names another file for its voxels; save it as one file (.mha)")
    if header.get("DistanceUnits", "mm").lower() not in ("mm", "?", "millimeter", "millimetre"):
        raise Refused("units", f"the header is in {header['DistanceUnits']}; wanted is mm")
    slope = float(header.get("ElementToIntensityFunctionSlope", 1))
    offset = float(header.get("ElementToIntensityFunctionOffset", 0))
    if (slope, offset) != (1, 0):
        told = f"{path} scales its voxels by {slope:g} and adds {offset:g}, which programs read or ignore"
        raise Refused("scale", f"{told}; store scaled values")
    axes = int(header["NDims"])
    sizes = _numbers(header, "DimSize", axes, int)
    if axes not in (2, 3):
        raise Refused("dimension", f"{path} has shape {tuple(sizes)}: wanted are 2 or 3 axes")
    channels = int(header.get("ElementNumberOfChannels", 1))
    if min(*sizes, channels) < 0:
        raise ValueError(f"DimSize = {sizes}")
    order = ">" if _true(header, "ElementByteOrderMSB") else "<"
    if header["ElementType"] not in TYPES:
        raise Refused("data-type", f"the voxels are of type {header['ElementType']}, not plain numbers")
    dtype = np.dtype(order + TYPES[header["ElementType"]])
    if not _true(header, "BinaryData", True):
        raise Refused("format", f"{path} holds its voxels as text; save it with BinaryData = True")
    size = int(np.prod(sizes, dtype=object)) * channels * dtype.itemsize
    if _true(header, "CompressedData"):
        unpacker = zlib.decompressobj()
        body = unpacker.decompress(raw[start:], size + 1)
        if len(body) <= size and not unpacker.eof:
            body += unpacker.decompress(b"", 1)  # the check sum stands behind the last byte
        if len(body) == size and not unpacker.eof:
            raise ValueError("its compressed voxels have no end")
    else:
        skipped = int(header.get("HeaderSize", 0))
        begin = len(raw) - size if skipped == -1 else max(start, skipped)
        body = raw[begin:]
    if len(body) != size:
        raise ValueError(f"{len(body)} bytes of voxels, {size} are announced")
    data = np.frombuffer(body, dtype).astype(dtype.newbyteorder("="), copy=False)
    data = data.reshape((channels, *sizes), order="F")
    data = np.moveaxis(data, 0, -1) if channels > 1 else data[0]
    flat = axes == 2
    if flat:
        data = data[:, :, None]
    return Volume(data, _affine(header, axes), flat)


def _header(raw: bytes) -> tuple[dict[str, str], int]:
    """Keys and values, and where the voxels begin: behind the line ElementDataFile, always the last."""
    found: dict[str, str] = {}
    start = 0
    while (end := raw.find(b"\n", start, LONGEST_HEADER)) >= 0:
        key, equals, value = raw[start:end].decode("latin-1").partition("=")
        start = end + 1
        if not equals:
            if key.strip():
                break
            continue
        found[key.strip()] = value.strip()
        if key.strip() == "ElementDataFile":
            if not {"NDims", "DimSize", "ElementType"} <= found.keys():
                break
            for name, others in TWINS.items():
                for other in others:
                    if other in found:
                        found.setdefault(name, found[other])
            return found, start
    raise ValueError("no MetaImage: NDims, DimSize, ElementType and ElementDataFile are wanted")


def _numbers(header: dict[str, str], key: str, count: int, kind: type = float) -> list:
    values = [kind(v) for v in header[key].split()]
    if len(values) != count:
        raise ValueError(f"{key} has {len(values)} numbers, {count} are wanted")
    return values


def _true(header: dict[str, str], key: str, otherwise: bool = False) -> bool:
    return header[key].lower() in ("true", "1") if key in header else otherwise


def _affine(header: dict[str, str], axes: int) -> np.ndarray:
    directions, origin, sizes = np.eye(3), np.zeros(3), np.ones(3)
    if "TransformMatrix" in header:
        given = np.array(_numbers(header, "TransformMatrix", axes * axes)).reshape(axes, axes)
        directions[:axes, :axes] = given.T  # an axis of voxels after the other
    if "Offset" in header:
        origin[:axes] = _numbers(header, "Offset", axes)
    key = "ElementSpacing" if "ElementSpacing" in header else "ElementSize"
    if key in header:
        sizes[:axes] = _numbers(header, key, axes)
    return place(directions * sizes, origin, (-1, -1, 1))
