"""Two trees of results, file by file: the same bytes, or which row, number or voxel differs."""

from __future__ import annotations

import csv
import io
import json
import os
import zipfile
import zlib
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from refold.core import seals

TEMPORARY = ".tmp-"
NO_RESULT = (TEMPORARY, ".snakemake_timestamp")  # the latter says when Snakemake wrote a folder
BLOCK = 1 << 20
WIDTH = 100  # characters shown of one value

RECORDED, AGAIN = "recorded", "again"


@dataclass(frozen=True)
class Difference:
    """One place in a file. Without values (None) ``where`` says it all."""

    where: str
    first: str | None = None
    second: str | None = None

    def text(self, names: tuple[str, str] = (RECORDED, AGAIN)) -> str:
        if self.first is None:
            return self.where
        return f"{self.where}: {self.first} {names[0]}, {self.second} {names[1]}"


@dataclass(frozen=True)
class FileDifference:
    """A file that is not the same in both trees, with at least one place."""

    path: str
    differences: tuple[Difference, ...]


@dataclass(frozen=True)
class Comparison:
    """files: compared or missing on one side. rows: of the CSV tables among them. left_out: path and why."""

    files: int
    rows: int
    differing: tuple[FileDifference, ...]
    left_out: tuple[tuple[str, str], ...] = ()

    @property
    def identical(self) -> bool:
        return not self.differing

    def text(self, names: tuple[str, str] = (RECORDED, AGAIN), places: int = 3, files: int = 20) -> str:
        """For people: the first ``places`` of each of the first ``files`` files, and counts of the rest."""
        if self.identical:
            lines = [f"identical: {self.files} files, {self.rows} rows of tables"]
        else:
            lines = [f"different: {len(self.differing)} of {self.files} files"]
            for file in self.differing[:files]:
                lines.append(f"  {file.path}")
                lines += [f"    {d.text(names)}" for d in file.differences[:places]]
                if len(file.differences) > places:
                    lines.append(f"    and {len(file.differences) - places} more")
            if len(self.differing) > files:
                lines.append(f"  and {len(self.differing) - files} more files")
        return "\n".join([*lines, *(f"left out: {path}: {why}" for path, why in self.left_out)])


def listing(root: str | Path, outs: Iterable[str]) -> list[str]:
    """Files at and below ``outs`` (relative to ``root``), sorted; without half-written ones and times of folders."""
    root = Path(root)
    found = set()
    for out in outs:
        if (root / out).is_file():
            found.add(Path(out).as_posix())
        for folder, _, names in os.walk(root / out):
            found.update((Path(folder) / n).relative_to(root).as_posix() for n in names if not n.startswith(NO_RESULT))
    return sorted(found)


def compare(
    first: str | Path,
    second: str | Path,
    outs: Iterable[str],
    left_out: Mapping[str, str] | None = None,
    ignore: Mapping[str, Iterable[str]] | None = None,
) -> Comparison:
    """Compare all files of ``outs`` below two folders.

    Args:
        first: a folder.
        second: another.
        outs: files and folders, relative to both.
        left_out: files not to be compared, with the reason.
        ignore: top-level keys of JSON files, by path, that may differ.
    """
    first, second, outs = Path(first), Path(second), list(outs)
    left_out, ignore = left_out or {}, ignore or {}
    here, there = set(listing(first, outs)), set(listing(second, outs))
    wanted = sorted((here | there) - left_out.keys())
    differing, rows = [], 0
    for name in wanted:
        if name not in there:
            found = [Difference("is missing", "there", "missing")]
        elif name not in here:
            found = [Difference("is one too many", "none", "there")]
        elif name in ignore:
            found = _json((first / name).read_bytes(), (second / name).read_bytes(), frozenset(ignore[name]))
        else:
            found = files(first / name, second / name)
        if name.endswith(".csv"):
            rows += _count_rows((first if name in here else second) / name)
        if found:
            differing.append(FileDifference(name, tuple(found)))
    shown = tuple((n, why) for n, why in sorted(left_out.items()) if n in here | there)
    return Comparison(len(wanted), rows, tuple(differing), shown)


def files(first: str | Path, second: str | Path) -> list[Difference]:
    """Where two files differ; empty if their bytes are the same.

    What a file's kind cannot tell, or a file that cannot be read as its kind, is told by its bytes.
    """
    first, second = Path(first), Path(second)
    if same_bytes(first, second):
        return []
    name = first.name.lower()
    reader = next((r for suffix, r in READERS.items() if name.endswith(suffix)), _text)
    try:
        return reader(first.read_bytes(), second.read_bytes())
    except (OSError, ValueError, KeyError, EOFError, UnicodeError, csv.Error, zipfile.BadZipFile, zlib.error) as error:
        [found] = _bytes(first.read_bytes(), second.read_bytes())
        return [Difference(f"{found.where} (not readable as its name says: {error})", found.first, found.second)]


def same_bytes(first: str | Path, second: str | Path) -> bool:
    if os.path.getsize(first) != os.path.getsize(second):
        return False
    with open(first, "rb") as a, open(second, "rb") as b:
        while (block := a.read(BLOCK)) == b.read(BLOCK):
            if not block:
                return True
    return False


def _short(value: Any) -> str:
    text = value if isinstance(value, str) else json.dumps(value, ensure_ascii=False)
    return text if len(text) <= WIDTH else f"{text[: WIDTH - 3]}..."


# ---------------------------------------------------------------- bytes and text


def _bytes(first: bytes, second: bytes) -> list[Difference]:
    if len(first) != len(second):
        return [Difference("bytes differ, length", str(len(first)), str(len(second)))]
    count = 0
    at: int | None = None
    for i in range(0, len(first), BLOCK):
        a, b = first[i : i + BLOCK], second[i : i + BLOCK]
        if a != b:
            places = [i + j for j, (x, y) in enumerate(zip(a, b, strict=True)) if x != y]
            count += len(places)
            at = places[0] if at is None else at
    assert at is not None
    where = f"bytes differ, {count} of {len(first)}, first at {at}"
    return [Difference(where, f"0x{first[at]:02x}", f"0x{second[at]:02x}")]


def _text(first: bytes, second: bytes) -> list[Difference]:
    """The first line that differs, cut around its first character that does."""
    a, b = first.decode("utf-8").split("\n"), second.decode("utf-8").split("\n")
    for number, (x, y) in enumerate(zip(a, b, strict=False), 1):
        if x != y:
            at = next((i for i, (p, q) in enumerate(zip(x, y, strict=False)) if p != q), min(len(x), len(y)))
            start = max(0, at - WIDTH // 3)
            cut = [("..." if start else "") + _short(t[start:]) for t in (x, y)]
            return [Difference(f"line {number}, character {at + 1}", *(repr(c) for c in cut))]
    return [Difference("lines", str(len(a)), str(len(b)))]


# ---------------------------------------------------------------- tables


def _table(content: bytes) -> tuple[list[str], list[list[str]]]:
    rows = list(csv.reader(io.StringIO(content.decode("utf-8"), newline="")))
    if not rows:
        raise ValueError("an empty file is no table")
    if uneven := next((i for i, r in enumerate(rows, 1) if len(r) != len(rows[0])), None):
        raise ValueError(f"row {uneven} has {len(rows[uneven - 1])} fields and the header {len(rows[0])}")
    return rows[0], rows[1:]


def _count_rows(path: Path) -> int:
    try:
        return len(_table(path.read_bytes())[1])
    except (ValueError, csv.Error):
        return 0


def _key_columns(*tables: list[list[str]]) -> int:
    """How many columns from the left tell the rows of each table apart; 0: none do."""
    width = min((len(row) for table in tables for row in table), default=0)
    for count in range(1, width):
        if all(len({tuple(r[:count]) for r in table}) == len(table) for table in tables):
            return count
    return 0


def _csv(first: bytes, second: bytes) -> list[Difference]:
    (head_a, rows_a), (head_b, rows_b) = _table(first), _table(second)
    if Counter(head_a) != Counter(head_b):
        return [Difference("columns", _short(", ".join(head_a)), _short(", ".join(head_b)))]
    if head_a != head_b:
        return [Difference("order of the columns", _short(", ".join(head_a)), _short(", ".join(head_b)))]
    keys = _key_columns(rows_a, rows_b)

    def keyed(rows: list[list[str]]) -> dict[tuple[str, ...], list[str]]:
        return {tuple(r[:keys]) if keys else (str(i),): r for i, r in enumerate(rows, 1)}

    def name(key: tuple[str, ...]) -> str:
        return (
            f"row {key[0]}" if not keys else "row " + ", ".join(f"{c}={v}" for c, v in zip(head_a, key, strict=False))
        )

    a, b = keyed(rows_a), keyed(rows_b)
    found = []
    for key in [*a, *(k for k in b if k not in a)]:
        if key not in b or key not in a:
            found.append(Difference(name(key), *(("there", "missing") if key in a else ("missing", "there"))))
            continue
        found += [
            Difference(f"{name(key)}, column {column}", x or "empty", y or "empty")
            for column, x, y in zip(head_a, a[key], b[key], strict=True)
            if x != y
        ]
    if found:
        return found
    order = "order of the rows" if rows_a != rows_b else "quotes or line ends"
    return [Difference(f"every value is the same, but not the {order}")]


# ---------------------------------------------------------------- JSON


def _json(first: bytes, second: bytes, ignore: frozenset[str] = frozenset()) -> list[Difference]:
    a, b = json.loads(first), json.loads(second)
    if ignore:
        a, b = ({k: v for k, v in x.items() if k not in ignore} for x in (a, b))
    found: list[Difference] = []
    _walk(a, b, "", found)
    # the hash that a file has of itself says nothing where something else differs, or may differ
    found = [d for d in found if d.where != seals.KEY] or ([] if ignore else found)
    if not found and not ignore:
        found.append(Difference("every value is the same, but not how it is written"))
    return found


def _walk(a: Any, b: Any, at: str, found: list[Difference]) -> None:
    if isinstance(a, dict) and isinstance(b, dict):
        for key in [*a, *(k for k in b if k not in a)]:
            # keys such as file names hold dots themselves
            place = f"{at}[{json.dumps(key)}]" if not key.isidentifier() else f"{at}.{key}" if at else key
            if key in a and key in b:
                _walk(a[key], b[key], place, found)
            else:
                values = (_short(a[key]), "missing") if key in a else ("missing", _short(b[key]))
                found.append(Difference(place, *values))
    elif isinstance(a, list) and isinstance(b, list) and len(a) == len(b):
        for i, (x, y) in enumerate(zip(a, b, strict=True)):
            _walk(x, y, f"{at}[{i}]", found)
    # 1, 1.0 and true are equal in Python, NaN is not equal to itself
    elif json.dumps(a) != json.dumps(b):
        found.append(Difference(at or "the whole", _short(a), _short(b)))


# ---------------------------------------------------------------- arrays


def _array(where: str, a: Any, b: Any) -> list[Difference]:
    """How many values differ, and by how much at most."""
    import numpy as np

    a, b = np.asarray(a), np.asarray(b)
    if a.shape != b.shape or a.dtype != b.dtype:
        return [Difference(where, f"{a.dtype} {list(a.shape)}", f"{b.dtype} {list(b.shape)}")]
    # an array of objects, such as texts, holds no bytes of its own
    if a.tolist() == b.tolist() if a.dtype.hasobject else a.tobytes() == b.tobytes():
        return []
    if a.dtype.kind not in "biuf":
        return [Difference(where, _short(str(a.tolist())), _short(str(b.tolist())))]
    # NaN in both is the same value; other bits of it, or of zero, are told below
    unequal = (a != b) & ~((a != a) & (b != b))
    if not unequal.any():
        return [Difference(f"{where}: equal numbers with other bits (the sign of zero or kinds of NaN)")]
    if a.ndim == 0:
        return [Difference(where, str(a), str(b))]
    largest = np.abs(a[unequal].astype("f8") - b[unequal].astype("f8"))
    at = np.argwhere(unequal)[0]
    by = f"largest difference {np.nanmax(largest):g}" if np.isfinite(largest).any() else "not finite on one side"
    count = f"{int(unequal.sum())} of {a.size} values differ, {by}"
    return [Difference(f"{where}: {count}; first at {at.tolist()}", str(a[tuple(at)]), str(b[tuple(at)]))]


def _arrays(a: Mapping[str, Any], b: Mapping[str, Any]) -> list[Difference]:
    found = []
    for name in [*a, *(n for n in b if n not in a)]:
        if name in a and name in b:
            found += _array(name, a[name], b[name])
        else:
            found.append(Difference(name, *(("there", "missing") if name in a else ("missing", "there"))))
    return found


def _npz(first: bytes, second: bytes) -> list[Difference]:
    import numpy as np

    with np.load(io.BytesIO(first)) as a, np.load(io.BytesIO(second)) as b:
        return _arrays(dict(a), dict(b)) or [Difference("every array is the same, but not how it is stored")]


def _hdf5(first: bytes, second: bytes) -> list[Difference]:
    import h5py

    def content(data: bytes) -> dict[str, Any]:
        found = {}

        def visit(name: str, item: Any) -> None:
            found.update({f"{name}@{key}": value for key, value in item.attrs.items()})
            if isinstance(item, h5py.Dataset):
                found[name] = item[()]

        with h5py.File(io.BytesIO(data), "r") as file:
            found.update({f"@{key}": value for key, value in file.attrs.items()})
            file.visititems(visit)
        return found

    return _arrays(content(first), content(second)) or [Difference("every array is the same, but not how it is stored")]


def _zip(first: bytes, second: bytes) -> list[Difference]:
    """Members of an archive, such as a Keras model's configuration and weights."""
    with zipfile.ZipFile(io.BytesIO(first)) as a, zipfile.ZipFile(io.BytesIO(second)) as b:
        names = [*a.namelist(), *(n for n in b.namelist() if n not in a.namelist())]
        found = []
        for name in names:
            if name not in a.namelist() or name not in b.namelist():
                there = name in a.namelist()
                found.append(Difference(name, *(("there", "missing") if there else ("missing", "there"))))
            elif (x := a.read(name)) != (y := b.read(name)):
                reader = next((r for suffix, r in READERS.items() if name.endswith(suffix)), _bytes)
                found += [Difference(f"{name}: {d.where}", d.first, d.second) for d in reader(x, y)]
    return found or [Difference("every member is the same, but not how it is packed (dates, order)")]


def _nifti(first: bytes, second: bytes) -> list[Difference]:
    import gzip

    import nibabel
    import numpy as np

    raw = [gzip.decompress(x) if x[:2] == b"\x1f\x8b" else x for x in (first, second)]
    if raw[0] == raw[1]:
        return [Difference("header and voxels are the same, but not how they are packed")]
    a, b = (nibabel.Nifti1Image.from_bytes(x) for x in raw)
    found = []
    for field in a.header:
        x, y = a.header[field], b.header[field]
        if x.tobytes() != y.tobytes():
            found.append(Difference(f"header field {field}", str(x.tolist()), str(y.tolist())))
    found += _array("voxels", np.asanyarray(a.dataobj), np.asanyarray(b.dataobj))
    return found or _bytes(*raw)


def _picture(first: bytes, second: bytes) -> list[Difference]:
    import numpy as np
    from PIL import Image

    pixels = [np.asarray(Image.open(io.BytesIO(x))) for x in (first, second)]
    return _array("pixels", *pixels) or [Difference("every pixel is the same, but not how it is packed")]


READERS: dict[str, Callable[[bytes, bytes], list[Difference]]] = {
    ".csv": _csv,
    ".json": _json,
    ".npz": _npz,
    ".h5": _hdf5,
    ".keras": _zip,
    ".zip": _zip,
    ".nii.gz": _nifti,
    ".nii": _nifti,
    ".png": _picture,
    ".tif": _picture,
    ".tiff": _picture,
}
