"""What is peculiar to dataset.json and the folders beside it, told without opening an image.

A job of its own writes the warnings: where only these change, no image is read again and no later phase made again.
"""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from refold.core import paths, seals
from refold.core.errors import RefoldError
from refold.core.files import sha256_json
from refold.data import layout
from refold.data.problems import Problem
from refold.settings.dataset import Dataset


def problems(found: layout.Layout) -> tuple[Problem, ...]:
    """All of them, errors and warnings."""
    more = (Problem("unlisted-file", "no entry of dataset.json names it", file=p) for p in layout.unlisted(found))
    return (*found.problems, *more)


def digest(told: Iterable[Problem]) -> str:
    """Hash of `problems`. The patient table counts by what it says, not by its name."""
    return sha256_json(
        [[p.check, p.message, p.case, "" if p.check.startswith("patient-table") else p.file] for p in told]
    )


def write(found: layout.Layout, dataset_path: str | Path = paths.DATASET, path: str | Path = paths.CHECKS) -> None:
    """Write all warnings: these, and those that the catalogue found in the files and keeps in ``dataset_path``.

    Raises:
        RefoldError: an entry is wrong, which the catalogue refuses; or ``dataset_path`` is absent or was changed.
    """
    told = problems(found)
    if wrong := [p.message for p in told if p.is_error]:
        raise RefoldError(f"{found.root}/dataset.json changed after the data were checked, run snakemake: {wrong[0]}")
    warnings = [*(p.json() for p in told), *seals.read(dataset_path)["warnings"]]
    # with a hash of its own: were it in dataset.json, all phases would rest on every warning
    seals.write(path, {"errors": [], "warnings": warnings, "listing": digest(told)})


def run(dataset: Dataset, raw: str | Path, dataset_path: str | Path, path: str | Path) -> None:
    write(layout.read(dataset, raw), dataset_path, path)
