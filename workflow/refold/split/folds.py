"""Making the folds, and asserting that they are sound."""

from __future__ import annotations

import math
from collections import Counter, defaultdict
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import numpy as np

from refold.core.errors import RefoldError
from refold.core.paths import CASES
from refold.core.words import quoted
from refold.imaging.cases import Case
from refold.imaging.dataset import Description
from refold.settings.base import nearest
from refold.settings.split import Split
from refold.split import planned
from refold.split.strata import strata

TABLE = CASES


def _names(names: Iterable[str]) -> str:
    return quoted(sorted(names))


def _unseen(folds: list[dict], cases: list[Case], description: Description) -> list[str]:
    """Sentences on labels that no training case of a fold shows, though others do: nothing can learn them there."""
    shown = {c.case: {i for i, n in enumerate(c.voxels[1:], start=1) if n} for c in cases}
    anywhere = set().union(*shown.values())
    notes: dict[tuple[tuple[int, ...], int], list[int]] = {}
    for number, fold in enumerate(folds):
        if lacking := anywhere.difference(*(shown[c] for c in fold["train"])):
            tested = sum(bool(shown[c] & lacking) for c in fold["test"])
            notes.setdefault((tuple(sorted(lacking)), tested), []).append(number)
    return [
        _unseen_told([description.labels.names[i] for i in lacking], tested, numbers)
        for (lacking, tested), numbers in notes.items()
    ]


def _unseen_told(labels: list[str], tested: int, folds: list[int]) -> str:
    """tested: cases of each of these folds that show any of the labels."""
    several = len(labels) > 1
    text = f"no training case of fold{'s' * (len(folds) > 1)} {', '.join(map(str, folds))} shows "
    text += f"{'any of ' * several}{quoted(labels)}, so no method can learn {'them' if several else 'it'} there"
    if not tested:
        return text
    show = "1 tested case shows" if tested == 1 else f"{tested} tested cases show"
    return f"{text}; {'in each, ' * (len(folds) > 1)}{show} {'one or more of them' if several else 'it'}"


def _foreground(case: Case, description: Description) -> tuple[list[str], float]:
    """Names of the labels present, and the volume of all of them in mm^3 (mm^2 in 2-D)."""
    counts = case.voxels[1:]
    present = [name for name, n in zip(description.labels.foreground, counts, strict=True) if n]
    return present, sum(counts) * math.prod(case.spacing)


def _holdout(cases: list[Case], description: Description, split: Split) -> tuple[set[str], list[str]]:
    """The patients held out: a stratified random draw of round(test_fraction x patients), at least one."""
    from sklearn.model_selection import StratifiedShuffleSplit

    of_patient = defaultdict(list)
    for case in cases:
        of_patient[case.patient].append(_foreground(case, description))
    patients = sorted(of_patient)
    wanted = max(1, round(len(patients) * split.test_fraction))
    left = len(patients) - wanted
    if left < split.folds:
        raise RefoldError(
            f"split.test_fraction: {split.test_fraction:g} of {len(patients)} patients leaves {left} for "
            f"{split.folds} folds; lower it, or split.folds"
        )
    present = [[n for n in description.labels.foreground if any(n in p for p, _ in of_patient[x])] for x in patients]
    volume = [float(np.mean([v for _, v in of_patient[x]])) for x in patients]
    # so small that both sides get at least one member of each stratum
    smallest = max(2, math.ceil(len(patients) / min(wanted, left)))
    names, notes = strata(present, volume, smallest)
    draw = StratifiedShuffleSplit(n_splits=1, test_size=wanted, random_state=split.seed)
    _, held = next(draw.split(np.zeros(len(patients)), names))
    return {patients[i] for i in held}, [f"held-out set: {n}" for n in notes]


def _grouped(cases: list[Case], description: Description, split: Split) -> tuple[list[dict], dict, list[str]]:
    from sklearn.model_selection import StratifiedGroupKFold

    present, volume = zip(*(_foreground(c, description) for c in cases), strict=True)
    names, notes = strata(present, volume, split.folds)
    groups = [c.patient for c in cases]
    folds = []
    for repeat in range(split.repeats):
        draw = StratifiedGroupKFold(split.folds, shuffle=True, random_state=split.seed + repeat)
        for train, test in draw.split(np.zeros(len(cases)), names, groups):
            folds.append({"repeat": repeat, "train": train, "test": test})
    return folds, dict(sorted(Counter(names).items())), notes


def _kfold(cases: list[Case], split: Split) -> list[dict]:
    from sklearn.model_selection import KFold

    folds = []
    for repeat in range(split.repeats):
        draw = KFold(split.folds, shuffle=True, random_state=split.seed + repeat)
        folds += [{"repeat": repeat, "train": a, "test": b} for a, b in draw.split(np.zeros(len(cases)))]
    return folds


def _from_file(
    cases: list[Case], description: Description, split: Split
) -> tuple[list[dict], list[str], list[str], str]:
    """The folds, the held-out cases, notes, and the hash of what the file says."""
    assert split.file is not None
    given, path = planned.read(split.file), Path(split.file).name  # notes stand in the report, which names no place
    planned.same_number(split, given)
    known = {c.case: c.patient for c in cases}
    excluded: set[str] = set()

    def there(names: list[str], where: str) -> list[str]:
        excluded.update(description.excluded.keys() & set(names))
        names = [c for c in names if c not in description.excluded]
        if unknown := set(names) - known.keys():
            guess = nearest(min(unknown), known)
            raise RefoldError(
                f"{path}: {where}: {TABLE} has no case {_names(unknown)}{guess}; the ids are the file names without "
                "suffix"
            )
        return names

    holdout = there(given.holdout, "holdout")
    folds: list[dict[str, Any]] = []
    for i, (train, test) in enumerate(given.folds):
        test = there(test, f"test of fold {i}")
        if train is None:
            train = sorted(known.keys() - set(test) - set(holdout))
        folds.append({"repeat": 0, "train": there(train, f"train of fold {i}"), "test": test})
    named = set(holdout).union(*(f[side] for f in folds for side in ("train", "test")))
    if known.keys() - named:
        raise RefoldError(
            f"{path} leaves out {_names(known.keys() - named)} of {TABLE}; put every case into a fold or holdout"
        )
    tested = Counter(c for f in folds for c in f["test"])
    notes = []
    if excluded:
        notes.append(f"{len(excluded)} cases that {path} names are left out by dataset.exclude: {_names(excluded)}")
    never = known.keys() - set(holdout) - tested.keys()
    if never and len(folds) == 1:
        notes.append(
            f"one split into training and test, as {path} gives it: {_count(tested, known)} are tested, "
            f"{_count(never, known)} trained on alone; how much another split would change is not in the numbers"
        )
    elif never:
        notes.append(f"{len(never)} cases are trained on but never tested: {_names(never)}")
    if often := [c for c, n in tested.items() if n > 1]:
        notes.append(f"{len(often)} cases are tested in more than one fold: {_names(often)}")
    return folds, holdout, notes, given.sha256


def _count(names: Iterable[str], patients: dict[str, str]) -> str:
    """``10 cases of 8 patients``."""
    names = set(names)
    return f"{len(names)} cases of {len({patients[c] for c in names})} patients"


def check(splits: dict[str, Any], cases: list[Case]) -> None:
    """Assert that a split is sound; nothing downstream has to ask again.

    No patient is on two sides of a fold, or held out and in a fold; no side is empty; every case that is not held out
    is tested exactly once a repeat (kind ``file``: at most once a fold).

    Raises:
        RefoldError: naming the fold and the patients or cases.
    """
    patient = {c.case: c.patient for c in cases}
    grouped = "; use `split.kind: grouped`" if splits["kind"] == "kfold" else ""
    holdout = set(splits["holdout"])
    held = {patient[c] for c in holdout}
    tested: dict[int, Counter] = defaultdict(Counter)
    for fold in splits["folds"]:
        name = f"split: fold {fold['fold']}"
        for side in ("train", "test"):
            if not fold[side]:
                more = "give one in split.file" if splits["kind"] == "file" else "choose fewer folds (split.folds)"
                raise RefoldError(f"{name} has no {side} case; {more}")
        trained_on, tested_on = ({patient[c] for c in fold[side]} for side in ("train", "test"))
        if both := trained_on & tested_on:
            raise RefoldError(f"{name} has the same patient in training and test: {_names(both)}{grouped}")
        if both := held & (trained_on | tested_on):
            raise RefoldError(f"{name} uses patients of the held-out set: {_names(both)}")
        tested[fold["repeat"]].update(fold["test"])
    if splits["kind"] != "file":
        wanted = Counter(c for c in patient if c not in holdout)
        for repeat, counts in tested.items():
            if counts != wanted:
                wrong = {c for c in wanted | counts if wanted[c] != counts[c]}
                raise RefoldError(f"split: repeat {repeat} does not test each case exactly once: {_names(wrong)}")


def make(cases: list[Case], description: Description, split: Split) -> dict[str, Any]:
    """Make a split and assert that it is sound.

    Args:
        cases: sorted by id.
        description: names of the labels.
        split: the parameters.

    Returns:
        the content of ``splits.json``; every list of cases is sorted, so the same input gives the same bytes.

    Raises:
        RefoldError: more folds than patients, a leak, or a damaged split file.
    """
    cases = sorted(cases, key=lambda c: c.case)
    notes, by, given = [], None, None
    if description.patients == "case":
        notes.append("each case counts as its own patient: neither dataset.patient_pattern nor patient_table is given")
    if split.kind == "file":
        folds, holdout, more, given = _from_file(cases, description, split)
        notes += more
    else:
        patients = {c.patient for c in cases}
        if split.folds > len(patients):
            raise RefoldError(f"split.folds: {split.folds} is more than the {len(patients)} patients there are")
        held: set[str] = set()
        if split.test_fraction:
            held, more = _holdout(cases, description, split)
            notes += more
        holdout = [c.case for c in cases if c.patient in held]
        rest = [c for c in cases if c.patient not in held]
        if split.kind == "grouped":
            folds, members, more = _grouped(rest, description, split)
            notes += more
            by = {"labels present and quantile of foreground volume": members}
        else:
            folds = _kfold(rest, split)
        folds = [{**f, **{side: [rest[i].case for i in sorted(f[side])] for side in ("train", "test")}} for f in folds]
    notes += _unseen(folds, cases, description)
    splits: dict[str, Any] = {
        "kind": split.kind,
        "seed": split.seed,
        "folds": [{"fold": i, **f} for i, f in enumerate(folds)],
        "holdout": holdout,
        "patients": {c.case: c.patient for c in cases},
        "stratified_by": by,
        "notes": notes,
    }
    if given is not None:
        splits["given"] = given
    check(splits, cases)
    return splits
