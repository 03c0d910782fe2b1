"""The kinds of methods: one module here each, found by its file name. `base` has what they share.

A method of your own is one more file (docs/reference/methods.md).
"""

from __future__ import annotations

import importlib
import pkgutil
from functools import cache

from refold.core.errors import RefoldError
from refold.methods.base import Settings

HELPERS = {"base", "derived", "frozen", "network", "seeded", "voxels"}


@cache
def kinds() -> dict[str, type[Settings]]:
    """The settings of every kind, by its name, which is that of its module.

    Raises:
        RefoldError: a module cannot be imported, or holds no settings of a kind called as its file.
    """
    found = {}
    for name in sorted(m.name for m in pkgutil.iter_modules(__path__) if m.name not in HELPERS):
        where = f"workflow/refold/methods/{name}.py"
        try:
            module = importlib.import_module(f"{__name__}.{name}")
        except Exception as error:  # a user's file may raise anything
            raise RefoldError(f"{where} cannot be imported: {type(error).__name__}: {error}") from error
        own = [
            v
            for v in vars(module).values()
            if isinstance(v, type) and issubclass(v, Settings) and v.__module__ == module.__name__
        ]
        if len(own) != 1:
            raise RefoldError(
                f"{where} has {len(own)} classes of settings; one is wanted, derived from Classical, Network or Derived"
            )
        if own[0].model_fields["kind"].default != name:
            raise RefoldError(
                f'{where}: {own[0].__name__} needs the field `kind: Literal["{name}"] = "{name}"`, called as its file'
            )
        if missing := sorted(own[0].__abstractmethods__):
            raise RefoldError(f"{where}: {own[0].__name__} needs the method {' and '.join(missing)}")
        found[name] = own[0]
    return found
