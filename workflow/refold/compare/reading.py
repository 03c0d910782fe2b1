"""What is read of each run, checked once."""

from __future__ import annotations

import string
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import pandas as pd
from pydantic import ValidationError

from refold.compare.locations import HASHES, PARAMS, SCORES, Folder, Place
from refold.core import seals
from refold.core.errors import RefoldError
from refold.core.files import read_json, sha256_file
from refold.core.hashes import of_params
from refold.core.paths import CASES, DATASET, PROVENANCE, SPLITS
from refold.evaluate.fold import COLUMNS
from refold.experiment import yamlfile
from refold.experiment.params import Params, without_places
from refold.experiment.reading import validate
from refold.imaging import cases as case_table
from refold.imaging.dataset import Description
from refold.settings.evaluate import Evaluate
from refold.settings.names import CV, HOLDOUT

MARKS = string.ascii_uppercase
SECTIONS = {name for name in Params.model_fields if name != "methods"}


@dataclass(frozen=True)
class Run:
    """One run.

    mark: ``A``, ``B`` and so on. scores: the rows of its cases.csv, all text but ``value``, with a column ``set``.
    params: its parameters by section, defaults filled in; None where they are not known. written: instead of them,
    params.yaml as it stands, where this version of refold cannot fill in its defaults. filled: whether it did so.
    mismatched: sections that are not those behind the tables. provenance: results/provenance.json, if of these tables.
    unsealed: files that no hash was written down of, as an earlier refold left them.
    """

    mark: str
    place: Place
    scores: pd.DataFrame
    hashes: dict[str, Any]
    cases: dict[str, case_table.Case] | None
    description: Description | None
    splits: dict[str, Any] | None
    params: dict[str, Any] | None
    written: dict[str, Any] | None
    filled: bool
    mismatched: list[str]
    evaluate: Evaluate | None
    provenance: dict[str, Any] | None
    unsealed: list[str]

    @cached_property
    def methods(self) -> list[str]:
        return self.scores["method"].unique().tolist()

    @cached_property
    def labels(self) -> list[str]:
        return self.scores["label"].unique().tolist()

    @cached_property
    def sets(self) -> list[str]:
        there = self.scores["set"].unique()
        return [s for s in (CV, HOLDOUT) if s in there]

    @cached_property
    def patients(self) -> dict[str, str]:
        """The patient of each case with a score."""
        rows = self.scores.drop_duplicates("case")
        return dict(zip(rows["case"], rows["patient"], strict=True))

    @property
    def source(self) -> dict[str, Any]:
        """Commit, date and state of the sources behind the results; empty where nothing says so."""
        return (self.provenance or {}).get("git") or {}


NO_TABLE = ("report", "selection")  # stamps on which no number rests


def _scores(place: Place) -> pd.DataFrame:
    """Raises `RefoldError` where cases.csv is not what the evaluate phase writes."""
    path, told = place.file(SCORES), f"{place.given}: {SCORES}"
    try:
        rows = pd.read_csv(path, dtype=str, na_filter=False, encoding="utf-8")
    except ValueError as error:  # pandas' and the decoder's errors are such
        raise RefoldError(f"{told} cannot be read as a table ({error}); run the evaluate phase there again") from None
    if missing := [c for c in COLUMNS if c not in rows.columns]:
        raise RefoldError(
            f"{told} has no column {', '.join(missing)}: it was not written by refold's evaluate phase, or by one too "
            "old to compare; run it again"
        )
    if rows.empty:
        raise RefoldError(f"{told} holds no case; run the evaluate phase there again")
    try:
        rows["value"] = rows["value"].astype(float)
    except ValueError as error:
        raise RefoldError(f"{told} is damaged: {error} in column value; run the evaluate phase there again") from None
    keys = ["method", "fold", "case", "label", "metric"]
    if (twice := rows.duplicated(keys)).any():
        row = rows[twice].iloc[0]
        raise RefoldError(
            f"{told} has {row['metric']} of {row['label']!r} twice for case {row['case']!r}, method {row['method']}, "
            f"fold {row['fold']}; run the evaluate phase there again"
        )
    dice = rows[rows["metric"] == "dice"]
    tested = rows[["method", "fold", "case"]].drop_duplicates()
    if len(dice) != len(tested) * rows["label"].nunique():
        lacking = tested.merge(dice.groupby(["method", "fold", "case"]).size().rename("n").reset_index(), how="left")
        row = lacking[lacking["n"] != rows["label"].nunique()].iloc[0]
        raise RefoldError(
            f"{told} has no Dice of some label for case {row['case']!r}, method {row['method']}, fold {row['fold']}; "
            "run the evaluate phase there again"
        )
    rows["set"] = rows["fold"].map(lambda fold: HOLDOUT if fold == HOLDOUT else CV)
    return rows


def _belongs(place: Place, path: str, hashes: dict[str, Any], key: str) -> Path | None:
    """A file that the tables rest on; None where it is not there.

    Raises:
        RefoldError: it is another one than theirs.
    """
    found = place.file(path)
    if found is not None and hashes.get(key) != sha256_file(found):
        raise RefoldError(
            f"{place.given}: {path} is not the one behind the tables ({HASHES} has another hash of it): files of two "
            "runs are mixed; run the evaluate phase there again, or copy the whole of data/ and results/"
        )
    return found


def _frozen(values: Any, name: str) -> dict[str, Any]:
    """Sections of params.yaml as jobs see them, defaults filled in. Raises `RefoldError` where they do not validate."""
    return dict(sorted(validate(values, name).frozen().items()))


def _params(place: Place) -> tuple[dict[str, Any] | None, dict[str, Any] | None, bool]:
    """(sections with defaults, or else params.yaml as it stands, and whether defaults were filled in here)."""
    if isinstance(place, Folder) and (stamps := place.stamps()).keys() >= SECTIONS:
        return stamps if all(isinstance(v, dict) for v in stamps.values()) else None, None, False
    try:
        values = yamlfile.parse(place.text(PARAMS) or "").values
    except yamlfile.SyntaxFault:
        values = None
    if not isinstance(values, dict):
        return None, None, False
    try:
        return _frozen(values, PARAMS), None, True
    except RefoldError:
        without_places(values)
        return None, values, False


def _json(place: Place, path: str, unsealed: list[str]) -> Any:
    """A JSON file that a job wrote; None where it is not there.

    Raises:
        RefoldError: it is not what its job wrote.
    """
    found = place.file(path)
    if found is None:
        return None
    try:
        return seals.read(found, path)
    except seals.Unsealed:
        unsealed.append(path)
        return read_json(found)
    except RefoldError as error:
        raise RefoldError(f"{place.given}: {str(error).replace(str(found), path)}") from None


def _unchanged(place: Place, path: str, digest: str | None, where: str, unsealed: list[str]) -> None:
    """Raises `RefoldError` where a file is not what its job wrote, as ``where`` says."""
    found = place.file(path)
    if digest is None:
        unsealed.append(path)
    elif found is not None:
        try:
            seals.check(found, digest, where, path)
        except RefoldError as error:
            raise RefoldError(f"{place.given}: {str(error).replace(str(found), path)}") from None


def _description(place: Place, unsealed: list[str]) -> Description | None:
    path = DATASET
    try:
        found = _json(place, path, unsealed)
        return None if found is None else Description.of(found)
    except (AttributeError, KeyError, TypeError) as error:
        raise RefoldError(f"{place.given}: {path} is damaged ({error!r}); run the data phase there again") from None


def _provenance(place: Place, unsealed: list[str]) -> dict[str, Any] | None:
    """What provenance.json says; None where it tells of other tables, such as those before the last run."""
    found = _json(place, PROVENANCE, unsealed)
    scores = place.file(SCORES)
    try:
        return found if scores and found["tables"]["cases.csv"] == sha256_file(scores) else None
    except (KeyError, TypeError):
        return None


def read(place: Place, mark: str) -> Run:
    """Read one run.

    Raises:
        RefoldError: its table of cases is damaged, or files of several runs are mixed.
    """
    unsealed: list[str] = []
    hashes = _json(place, HASHES, unsealed)
    if not isinstance(hashes, dict) or "split" not in hashes or "data" not in hashes:
        raise RefoldError(
            f"{place.given}: {HASHES} lacks the hashes of data and split; run the evaluate phase there again"
        )
    table = _belongs(place, CASES, hashes, "data")
    split = _belongs(place, SPLITS, hashes, "split")
    _unchanged(place, SCORES, hashes.get("tables", {}).get(Path(SCORES).name), HASHES, unsealed)
    params, written, filled = _params(place)
    known = of_params(params) if params else {}
    provenance = _provenance(place, unsealed)
    recorded = {**(provenance or {}).get("params", {}), **(hashes.get("params") or {})}
    try:
        evaluate = None
        if params and "evaluate" in params:
            # lengths that were auto, as they were taken
            evaluate = Evaluate.model_validate({**params["evaluate"], **hashes.get("settings", {})})
    except ValidationError:
        evaluate = None
    return Run(
        mark=mark,
        place=place,
        scores=_scores(place),
        hashes=hashes,
        cases={c.case: c for c in case_table.read(table)} if table else None,
        description=_description(place, unsealed),
        splits=_json(place, SPLITS, unsealed) if split else None,
        params=params,
        written=written,
        filled=filled,
        mismatched=sorted(n for n, h in recorded.items() if n in known and known[n] != h and n not in NO_TABLE),
        evaluate=evaluate,
        provenance=provenance,
        unsealed=unsealed,
    )


def read_all(places: list[Place]) -> list[Run]:
    """All runs, marked in their order.

    Raises:
        RefoldError: as `read`; fewer than two, or more than there are letters.
    """
    if not 2 <= len(places) <= len(MARKS):
        raise RefoldError(f"{len(places)} runs; two to {len(MARKS)} can be compared")
    return [read(place, mark) for place, mark in zip(places, MARKS, strict=False)]
