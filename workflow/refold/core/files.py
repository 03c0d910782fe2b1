"""Files that are whole or absent, and the one way of hashing and formatting them."""

from __future__ import annotations

import csv
import hashlib
import io
import json
import math
import os
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from refold.core.errors import RefoldError


@contextmanager
def atomic(path: str | Path) -> Iterator[Path]:
    """Give a temporary path beside ``path`` that replaces it if the block succeeds and vanishes if not.

    The temporary name keeps the suffixes of ``path``, because image libraries choose a format by it.
    """
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    fd, name = tempfile.mkstemp(prefix=".tmp-", suffix="-" + path.name, dir=path.parent)
    os.close(fd)
    temporary = Path(name)
    try:
        try:
            yield temporary
        except OSError as error:
            if error.filename is None:  # as of a write to a full disk; the message shall say where
                if error.errno is None:  # its text is all that it says, and a file name would replace it
                    error.place = str(path)  # type: ignore[attr-defined]  # refold's own
                else:
                    error.filename = str(path)
            raise
        umask = os.umask(0)
        os.umask(umask)
        temporary.chmod(0o666 & ~umask)
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)


def write_text(path: str | Path, text: str) -> None:
    with atomic(path) as temporary:
        temporary.write_text(text, encoding="utf-8", newline="\n")


def write_json(path: str | Path, value: Any, if_changed: bool = False) -> None:
    """Indented JSON with sorted keys; NaN is refused because JSON has none (write null).

    ``if_changed``: a file of this very content is left alone, its time too.
    """
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    if not (if_changed and Path(path).is_file() and Path(path).read_bytes() == text.encode()):
        write_text(path, text)


def read_json(path: str | Path) -> Any:
    """Raises `RefoldError` naming the file when it is absent or no JSON."""
    try:
        return json.loads(Path(path).read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise RefoldError(f"{path} is missing") from None
    except (ValueError, RecursionError) as error:
        raise RefoldError(f"{path} is not valid JSON: {error}") from None


def number(value: float | int | None) -> str:
    """The one format of numbers in tables: integers as they are, others with 6 decimals, NaN as ``nan``.

    >>> number(0.5), number(3), number(float("nan")), number(None)
    ('0.500000', '3', 'nan', '')
    """
    if value is None:
        return ""
    if isinstance(value, int) or (hasattr(value, "dtype") and value.dtype.kind in "iu"):
        return str(int(value))
    text = f"{float(value):.6f}"
    return "0.000000" if text == "-0.000000" else text


def significant(value: float, scale: float | None = None) -> str:
    """As `number`, but with six significant digits where six decimals hold fewer, as of a volume in ml in a mouse.

    Args:
        value: in a table of its own unit.
        scale: the largest value that it was worked out from; what lies below its ninth digit is rounding.

    >>> significant(0.5), significant(0.000123456789)
    ('0.500000', '0.000123457')
    """
    value = float(value)
    scale = abs(value) if scale is None else abs(float(scale))
    if not (math.isfinite(value) and math.isfinite(scale)) or scale == 0:
        return number(value)
    least = min(abs(value) or scale, scale)
    digits = max(6, min(5 - math.floor(math.log10(least)), 8 - math.floor(math.log10(scale))))
    text = f"{value:.{digits}f}"
    return text.removeprefix("-") if float(text) == 0 else text


def write_csv(path: str | Path, columns: Sequence[str], rows: Iterable[Mapping[str, Any]]) -> None:
    """Write rows as CSV with ``\\n`` line ends; floats through `number`."""
    buffer = io.StringIO()
    writer = csv.writer(buffer, lineterminator="\n")
    writer.writerow(columns)
    for row in rows:
        writer.writerow([v if isinstance(v := row[c], str) else number(v) for c in columns])
    write_text(path, buffer.getvalue())


def read_csv(path: str | Path) -> list[dict[str, str]]:
    """All rows as dictionaries of text. Raises `RefoldError` when the file is absent."""
    try:
        with open(path, encoding="utf-8", newline="") as handle:
            return list(csv.DictReader(handle))
    except FileNotFoundError:
        raise RefoldError(f"{path} is missing") from None


def sha256_file(path: str | Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def sha256_json(value: Any) -> str:
    """Hash of a JSON value that does not depend on key order."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)
    return hashlib.sha256(text.encode()).hexdigest()
