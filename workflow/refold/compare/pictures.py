"""Pictures of the cases that changed most: truth and both predictions, where image and label maps are at hand."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from refold.compare import words
from refold.compare.pairs import Change, Pair
from refold.compare.reading import Run
from refold.core import log, seals
from refold.core.errors import RefoldError
from refold.core.files import read_json, sha256_file
from refold.core.language import _
from refold.imaging import cases as case_table
from refold.imaging import images
from refold.imaging.dataset import Description
from refold.report.pictures import CHANNELS, Plane, planes, raw, turned


class NotAtHand(Exception):
    """Why a case cannot be pictured, in words for the page."""


@dataclass(frozen=True)
class Picture:
    """One case; without rows the reason why it has no picture. label: whose largest section is shown."""

    change: Change
    label: str
    rows: list[tuple[str, list[Plane]]]
    why_not: str = ""


def _listed(listing: Path) -> dict[str, Any]:
    try:
        return seals.read(listing)
    except seals.Unsealed:  # of an earlier refold: the page says so
        return read_json(listing)


def _prediction(run: Run, method: str, fold: str, case: str) -> np.ndarray:
    """A label map as its file has it; raises `NotAtHand`."""
    folder = f"results/predictions/{method}/fold-{fold}"
    listing = run.place.file(f"{folder}/predictions.json")
    if listing is None:
        raise NotAtHand(words.no_predictions(run))
    try:
        about = _listed(listing)
        entry = about["cases"].get(case)
        path = run.place.file(f"{folder}/{entry['file']}") if entry else None
        if path is None:
            raise NotAtHand(words.no_predictions(run))
        evaluated = run.hashes.get("models", {}).get(method, {})
        models = about.get("hashes", {}).get("models", {})
        if sha256_file(path) != entry["sha256"] or any(evaluated.get(k, v) != v for k, v in models.items()):
            raise NotAtHand(words.another_prediction(run))
    except (AttributeError, KeyError, TypeError, RefoldError):
        raise NotAtHand(_(words.UNREADABLE)) from None
    return images.read(path, True, _data(run)[0].rule()).data


def _data(run: Run) -> tuple[Description, dict[str, case_table.Case]]:
    """Raises `NotAtHand` where its data are not known."""
    if run.description is None or run.cases is None:
        raise NotAtHand(words.no_data(run))
    return run.description, run.cases


def _as_first(data: np.ndarray, first: Run, run: Run, labels: list[str]) -> np.ndarray:
    """A label map of ``run`` with the first run's values of the labels; labels not compared are background."""
    theirs, ours = _data(run)[0].labels, _data(first)[0].labels
    if not set(labels) <= set(theirs.names) & set(ours.names):
        raise NotAtHand(_(words.UNREADABLE))
    found = np.zeros(data.shape, np.int64)
    for name in labels:
        found[data == theirs.values[theirs.names.index(name)]] = ours.values[ours.names.index(name)]
    return found


def picture(pair: Pair, change: Change) -> Picture:
    """The planes of one case through the largest section of the label that changed most, or why there are none."""
    first = pair.runs[0]
    try:
        (description, cases), _second = map(_data, pair.runs)
        case = cases[change.case]
        root = first.place.raw(description.name, case)
        if root is None:
            raise NotAtHand(words.no_image(first))
        case_table.verify(case, root)
        truth = images.read(root / case.label, True, description.rule())
        masks = [
            _as_first(_prediction(run, method, folds[0], change.case), first, run, pair.labels)
            for run, method, folds in zip(pair.runs, pair.methods, change.folds, strict=True)
        ]
        if any(m.shape != truth.data.shape for m in masks):
            raise NotAtHand(_(words.ANOTHER_GRID))
        kept = images.Image(_as_first(truth.data, first, first, pair.labels), truth.affine)
        shown = raw(description, case, root, CHANNELS, kept)
        masks = [shown.truth, *(turned(m, truth.affine) for m in masks)]
        return Picture(change, change.most, planes(description.labels, shown, masks, change.most))
    except NotAtHand as reason:
        return Picture(change, change.most, [], str(reason))
    except RefoldError as error:
        log.get().warning("no picture of %s: %s", change.case, error)
        return Picture(change, change.most, [], _(words.UNREADABLE))
