"""Who is tested on, by what ``results/splits.json`` holds."""

from __future__ import annotations

from typing import Any

from refold.core.errors import RefoldError
from refold.core.paths import SPLITS
from refold.settings.names import HOLDOUT


def tested(splits: dict[str, Any], fold: str, path: object = SPLITS) -> list[str]:
    """The cases that a fold, or ``holdout``, is tested on.

    Raises:
        RefoldError: there is no such fold, or no case is held out.
    """
    held = splits.get(HOLDOUT) or []
    if fold == HOLDOUT and not held:
        raise RefoldError(f"{path} holds out no test cases; set split.test_fraction")
    found = held if fold == HOLDOUT else next((f["test"] for f in splits["folds"] if str(f["fold"]) == fold), [])
    if not found:
        known = [str(f["fold"]) for f in splits["folds"]] + ([HOLDOUT] if held else [])
        raise RefoldError(f"--fold {fold}: {path} has {', '.join(known)}")
    return list(found)
