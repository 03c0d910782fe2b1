"""What is known of the split before any job runs: a dry run calls this."""

from __future__ import annotations

from refold.core.errors import RefoldError
from refold.core.files import read_json
from refold.core.sections import Split


def has_holdout(split: Split) -> bool:
    """Whether cases are held out of all folds. Raises `RefoldError` when the user's file cannot be read."""
    if split.kind != "file":
        return split.test_fraction > 0
    value = read_json(split.file)
    return bool(isinstance(value, dict) and value.get("holdout"))


def check(split: Split, patients: int | None) -> None:
    """Refuse a split that cannot be made.

    Args:
        split: the section.
        patients: of the data set; None while not known.

    Raises:
        RefoldError: more folds than patients, or another number of folds than in the user's file.
    """
    if split.kind == "file":
        value = read_json(split.file)
        folds = value.get("folds") if isinstance(value, dict) else None
        if not isinstance(folds, list):
            raise RefoldError(f"split.file: {split.file} has no list `folds`; see docs/split.md for its form")
        if len(folds) != split.folds:
            raise RefoldError(
                f"split.folds: {split.folds}, but {split.file} has {len(folds)}; set split.folds: {len(folds)}"
            )
    elif patients is not None:
        left = patients - (max(1, round(patients * split.test_fraction)) if split.test_fraction else 0)
        if split.folds > left:
            raise RefoldError(f"split.folds: {split.folds} is more than the {left} patients there are; at most {left}")
