"""The table of cases that every phase reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path

from refold.core import seals
from refold.core.errors import RefoldError
from refold.core.files import read_csv, write_csv
from refold.core.paths import CASES, DATASET
from refold.imaging.dataset import Description
from refold.imaging.grid import mm


@dataclass(frozen=True)
class Case:
    """One row of ``data/cases.csv``.

    images: files relative to the description's root: one with all channels, or one a channel.
    shape: voxels (x, y[, z]) as in the file. spacing: mm in the same order.
    orientation: such as ``RAS``; ``XY`` for pictures.
    voxels: label voxel counts, background first.
    sha256: of the image file(s) and the label file's bytes, in this order.
    """

    case: str
    patient: str
    images: tuple[str, ...]
    label: str
    channels: int
    shape: tuple[int, ...]
    spacing: tuple[float, ...]
    orientation: str
    voxels: tuple[int, ...]
    sha256: str


def digest(paths: Iterable[str | Path]) -> str:
    """sha256 of the bytes of several files, one after the other."""
    found = hashlib.sha256()
    for path in paths:
        with open(path, "rb") as handle:
            while block := handle.read(1 << 20):
                found.update(block)
    return found.hexdigest()


def checked(path: str | Path, description: Description, dataset_file: str | Path = DATASET) -> str:
    """The hash of a table of cases, or other file of the data phase. Raises `RefoldError` where it was changed."""
    return seals.check(path, description.files.get(Path(path).name), dataset_file)


def load(
    path: str | Path = CASES, dataset_file: str | Path = DATASET, root: str = ""
) -> tuple[list[Case], Description]:
    """The table of cases and the description that it was written with. ``root``: as `Description.read` takes it.

    Raises:
        RefoldError: a file is absent, damaged or changed since.
    """
    description = Description.read(dataset_file, root)
    checked(path, description, dataset_file)
    return read(path), description


def verify(case: Case, root: str | Path) -> None:
    """Raises `RefoldError` when the raw files of a case are not those that ``data/cases.csv`` was made from."""
    files = [Path(root) / name for name in (*case.images, case.label)]
    missing = [f for f in files if not f.is_file()]
    if missing:
        raise RefoldError(
            f"{missing[0]} is missing: case {case.case}; bring it back, or run `{AGAIN}`, which fetches a data set "
            "that is not there at all and checks what is there"
        )
    if digest(files) != case.sha256:
        raise RefoldError(
            f"the files of case {case.case} changed since data/cases.csv was made; bring them back, or run "
            "`snakemake`, which finds the change when it starts and begins with data/cases.csv; where it finds none, "
            f"as on a file system that keeps no time of it, run `{AGAIN}` before"
        )


AGAIN = "snakemake --cores 1 --forcerun catalogue -- data"
COLUMNS = ("case", "patient", "images", "label", "channels", "shape", "spacing", "orientation", "voxels", "sha256")


def write(cases: list[Case], path: str | Path = CASES) -> None:
    """Write the table, sorted by case. Lists stand as JSON so that any CSV reader keeps them whole."""
    rows = []
    for c in sorted(cases, key=lambda c: c.case):
        row = {k: getattr(c, k) for k in COLUMNS}
        row["images"] = json.dumps(list(c.images), ensure_ascii=False)
        for key in ("shape", "voxels"):
            row[key] = json.dumps(list(row[key]))
        row["spacing"] = json.dumps(mm(c.spacing))
        rows.append(row)
    write_csv(path, COLUMNS, rows)


def read(path: str | Path = CASES) -> list[Case]:
    """All cases, sorted by id. Raises `RefoldError` when the file is absent or damaged."""
    cases = []
    for row in read_csv(path):
        try:
            cases.append(
                Case(
                    case=row["case"],
                    patient=row["patient"],
                    images=tuple(json.loads(row["images"])),
                    label=row["label"],
                    channels=int(row["channels"]),
                    shape=tuple(json.loads(row["shape"])),
                    spacing=tuple(map(float, json.loads(row["spacing"]))),
                    orientation=row["orientation"],
                    voxels=tuple(json.loads(row["voxels"])),
                    sha256=row["sha256"],
                )
            )
        except (KeyError, TypeError, ValueError) as error:
            raise RefoldError(f"{path}: the row of case {row.get('case')!r} is damaged ({error})") from None
    return cases
