"""What is known of the split before any job runs: a dry run calls this."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from typing import Any

from refold.core.errors import RefoldError
from refold.core.files import read_json, sha256_json
from refold.core.words import quoted
from refold.settings.split import Split

FORM = '{"folds": [{"train": [...], "test": [...]}, ...], "holdout": [...]}'


@dataclass(frozen=True)
class Given:
    """A user's split as its file says. folds: (train, test), train None for all other cases."""

    folds: tuple[tuple[list[str] | None, list[str]], ...]
    holdout: list[str]

    @property
    def sha256(self) -> str:
        """Hash of what the file says: how it is written out changes nothing."""
        folds = [{"train": train, "test": test} for train, test in self.folds]
        return sha256_json({"folds": folds, "holdout": self.holdout})


def _cases(value: Any, where: str) -> list[str]:
    if not isinstance(value, list) or not all(isinstance(c, str) for c in value):
        raise RefoldError(f"{where}: a list of case ids is wanted")
    if twice := {c for c in value if value.count(c) > 1} if len(set(value)) < len(value) else ():
        raise RefoldError(f"{where}: listed more than once: {quoted(sorted(twice))}")
    return sorted(value)


def read(path: str) -> Given:
    """A split of the user's own: ``FORM``; one training and test split, ``{"train": [...], "test": [...]}``; or
    nnU-Net's ``splits_final.json``, ``[{"train": [...], "val": [...]}, ...]``.

    Raises:
        RefoldError: it cannot be read or is no such file; names the key and what is wanted.
    """
    try:
        value = read_json(path)
    except RefoldError as error:
        raise RefoldError(f"split.file: {error}") from None
    except (OSError, RecursionError) as error:
        raise RefoldError(f"split.file: {path} cannot be read: {error}") from None
    if isinstance(value, dict) and "folds" not in value and value.keys() & {"test", "val"}:
        value = {"folds": [{k: v for k, v in value.items() if k != "holdout"}], "holdout": value.get("holdout", [])}
    elif isinstance(value, list):
        value = {"folds": value}
    if not isinstance(value, dict) or not isinstance(value.get("folds"), list):
        raise RefoldError(f'split.file: {path}: {FORM} is wanted, or one split {{"train": [...], "test": [...]}}')
    if extra := value.keys() - {"folds", "holdout"}:
        raise RefoldError(f"split.file: {path}: unknown key {quoted(sorted(extra))}; allowed are folds, holdout")
    folds = []
    for i, fold in enumerate(value["folds"]):
        tests = fold.keys() & {"test", "val"} if isinstance(fold, dict) else ()
        if len(tests) != 1 or fold.keys() - {"train", "test", "val"}:
            raise RefoldError(
                f"split.file: {path}: fold {i} must have the keys train and test (or nnU-Net's train and val); without "
                "train, all other cases are trained on"
            )
        (test,) = tests
        train = _cases(fold["train"], f"{path}: train of fold {i}") if "train" in fold else None
        folds.append((train, _cases(fold[test], f"{path}: {test} of fold {i}")))
    return Given(tuple(folds), _cases(value.get("holdout", []), f"{path}: holdout"))


def has_holdout(split: Split, excluded: Collection[str] = ()) -> bool:
    """Whether cases are held out of all folds. Raises `RefoldError` when the user's file cannot be read.

    Args:
        excluded: cases that `dataset.exclude` leaves out.
    """
    if split.kind != "file":
        return split.test_fraction > 0
    assert split.file is not None
    return bool(set(read(split.file).holdout) - set(excluded))


def check(split: Split, patients: int | None) -> None:
    """Refuse a split that cannot be made.

    Args:
        split: the section.
        patients: of the data set; None while not known.

    Raises:
        RefoldError: more folds than patients, or another number of folds than in the user's file.
    """
    if split.kind == "file":
        assert split.file is not None
        same_number(split, read(split.file))
    elif patients is not None:
        left = patients - (max(1, round(patients * split.test_fraction)) if split.test_fraction else 0)
        if split.folds > left:
            raise RefoldError(f"split.folds: {split.folds} is more than the {left} patients there are; at most {left}")


def same_number(split: Split, given: Given) -> None:
    """Raises `RefoldError` unless `split.folds` is the number of folds in the file."""
    there = len(given.folds)
    if there == 0:
        raise RefoldError(f"split.file: {split.file} has no fold; {FORM} is wanted")
    if there != split.folds:
        raise RefoldError(f"split.folds: {split.folds}, but {split.file} has {there}; set split.folds: {there}")
