"""Python's compiled files of refold: that what runs is what is hashed.

Python takes a compiled file for that of a source of the same time, in whole seconds, and size. A source replaced by one
of both would be on record while the former one runs. Compiled files that hold their source's hash are checked by it
(PEP 552), and Python keeps them so when it makes them again.
"""

from __future__ import annotations

import importlib.util
import py_compile
import sys
from contextlib import suppress
from pathlib import Path

CHECKED_HASH = 0b11  # flags in the second word of a compiled file


def check_by_hash(folder: Path) -> None:
    """Let every source below ``folder`` have a compiled file that is checked by hash, where one may be written."""
    for source in folder.rglob("*.py"):
        compiled = Path(importlib.util.cache_from_source(str(source)))
        try:
            with compiled.open("rb") as stream:
                head = stream.read(8)
        except OSError:
            if sys.dont_write_bytecode:
                continue
            head = b""
        if head[:4] != importlib.util.MAGIC_NUMBER or int.from_bytes(head[4:], "little") != CHECKED_HASH:
            # a source that cannot be compiled is named by what imports it
            with suppress(OSError, py_compile.PyCompileError):
                py_compile.compile(
                    str(source), doraise=True, invalidation_mode=py_compile.PycInvalidationMode.CHECKED_HASH
                )
