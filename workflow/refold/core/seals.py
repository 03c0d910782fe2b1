"""What a file's maker wrote down of it, held against the file whenever it is read.

A JSON file of refold's carries its own hash under ``seal``: the sha256 of the file with zeros in its place. A file of
another kind stands, with its hash, in a JSON file of the same job. So an edit by hand, a damaged disk and a file of
another run are refused by name, and what the next phase writes rests on what the phase before it wrote.
"""

from __future__ import annotations

import hashlib
import json
import re
from pathlib import Path
from typing import Any

from refold.core.errors import RefoldError
from refold.core.files import sha256_file, write_text

KEY = "seal"
IN_CRATE = "value"  # the key in ro-crate-metadata.json, whose keys a standard gives
EMPTY = "0" * 64

# who makes a file, by the end of its path
_MAKERS = (
    (r"data/(cases\.csv|dataset\.json|checks\.json)", "the data phase"),
    (r"(preprocessed/[^/]+|fingerprint\.json)", "the preprocess phase"),
    (r"splits\.json", "the split phase"),
    (r"models/[^/]+/fold-[^/]+/[^/]+", "the train phase"),
    (r"predictions/.+", "the predict phase"),
    (r"metrics/.+", "the evaluate phase"),
    (r"(report/.+|provenance\.json|ro-crate-metadata\.json)", "the report phase"),
)


class Unsealed(RefoldError):
    """A JSON file that has no hash of itself."""


def maker(path: str | Path) -> str:
    """The phase that writes a file, in words."""
    name = Path(path).as_posix()
    return next((words for end, words in _MAKERS if re.search(rf"(^|/){end}$", name)), "its job")


def _again(path: str | Path) -> str:
    return f"`snakemake --forcerun {path}` makes it again"


def missing(path: str | Path, again: str | Path | None = None) -> RefoldError:
    """The error that says a file is absent."""
    return RefoldError(f"{path} is missing, which {maker(path)} writes; {_again(again or path)}")


def altered(path: str | Path, detail: str, again: str | Path | None = None) -> RefoldError:
    """The error that says a file is not what its maker wrote. again: the declared file to make anew, if another."""
    return RefoldError(
        f"{path} is not what {maker(path)} wrote ({detail}): it was changed since, is damaged, or is of another run; "
        f"{_again(again or path)}"
    )


def _before(key: str) -> str:
    """What stands before a key at the top of a file; a method or case may have the same name."""
    return "\n  " if key == KEY else ""


def write(path: str | Path, value: dict[str, Any], key: str = KEY) -> None:
    """Write a JSON file as `refold.core.files.write_json` does, with its hash in it.

    Args:
        key: if not `KEY`, which is added at the top, ``value`` holds it somewhere, once, with `EMPTY`.
    """
    value = {**value, KEY: EMPTY} if key == KEY else value
    text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False, allow_nan=False) + "\n"
    place = f'{_before(key)}"{key}": "{EMPTY}"'
    if text.count(place) != 1:
        raise ValueError(f"{path} has {text.count(place)} places for its hash")
    write_text(path, text.replace(place, f'{_before(key)}"{key}": "{hashlib.sha256(text.encode()).hexdigest()}"'))


def read(path: str | Path, again: str | Path | None = None, key: str = KEY) -> dict[str, Any]:
    """What `write` wrote; without the hash where that stands at the top.

    Args:
        again: the declared file whose job makes it, where that is another.
        key: as `write` was given it.

    Raises:
        RefoldError: the file is absent, no JSON, or not what `write` wrote.
    """
    try:
        content = Path(path).read_bytes()
        value = json.loads(content)
    except FileNotFoundError:
        raise missing(path, again) from None
    except (ValueError, RecursionError) as error:
        raise altered(path, f"it is no valid JSON: {error}", again) from None
    found = re.findall(f'{_before(key)}"{key}": "([0-9a-f]{{64}})"'.encode(), content)
    if len(found) != 1 or not isinstance(value, dict):
        raise Unsealed(
            f"{path} has no hash of its own (`{key}`): it was edited, or {maker(path)} of an earlier refold wrote it; "
            f"{_again(again or path)}"
        )
    own = hashlib.sha256(content.replace(found[0], EMPTY.encode())).hexdigest()
    if own != found[0].decode():
        raise altered(path, f"sha256 {own[:12]}, it says {found[0].decode()[:12]}", again)
    value.pop(key, None)
    return value


def check(path: str | Path, sha256: str | None, where: str | Path, again: str | Path | None = None) -> str:
    """Hold a file against the hash that its maker wrote in ``where``; returns it.

    Args:
        again: the declared file whose job makes it, where that is another.

    Raises:
        RefoldError: the file is absent, or another than its maker wrote.
    """
    if not Path(path).is_file():
        raise missing(path, again)
    if sha256 is None:
        raise altered(path, f"{where} has no hash of it", again)
    if (found := sha256_file(path)) != sha256:
        raise altered(path, f"sha256 {found[:12]}, {where} says {sha256[:12]}", again)
    return found
