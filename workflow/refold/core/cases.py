"""The table of cases and the description of the data set that every phase reads."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from refold.core import seals
from refold.core.errors import RefoldError
from refold.core.files import read_csv, sha256_file, write_csv
from refold.core.grid import mm
from refold.core.place import Place

CASES = "data/cases.csv"
DATASET = "data/dataset.json"
CHECKS = "data/checks.json"


@dataclass(frozen=True)
class Labels:
    """Declared labels. Inside refold a label map holds indices 0..n-1; files hold the declared values.

    values: the values in the files, background first (index 0), then ascending.
    names: their names, in the same order.
    """

    values: tuple[int, ...]
    names: tuple[str, ...]

    @property
    def foreground(self) -> tuple[str, ...]:
        return self.names[1:]

    def __len__(self) -> int:
        return len(self.values)


@dataclass(frozen=True)
class Rule:
    """How the files of a data set are to be read, where a picture could mean several things.

    channels: of an image file, as far as that is declared. colours: of each label, ``#rrggbb``, background first; empty
    where masks hold values. pixels: `dataset.pixels`.
    """

    labels: Labels = Labels((), ())
    channels: int | None = None
    colours: tuple[tuple[str, ...], ...] = ()
    pixels: str | None = None


PLAIN = Rule()


@dataclass(frozen=True)
class Description:
    """``data/dataset.json``: the data set as refold understands it.

    root is where the files of ``cases.csv`` lie: the source folder as given in params.yaml, or data/raw/<name>. It
    is no part of the file, so that data can be moved without a result having other inputs; empty where nobody asked.
    patients says where patients come from: ``pattern``, ``table``, ``phantom`` or ``case`` (each case its own).
    colours and pixels: how masks and pictures are read, see `Rule`.
    single: dataset.json calls data in NIfTI 2-D: every file has to be a single slice.
    excluded: cases left out by `dataset.exclude`, and why; they have no row in ``cases.csv``.
    files: sha256 of what was written together with it, by the name of the file.
    """

    name: str
    root: str
    dimension: int
    channels: tuple[str, ...]
    modalities: tuple[str, ...]
    labels: Labels
    patients: str
    licence: str = ""
    reference: str = ""
    colours: tuple[tuple[str, ...], ...] = ()
    pixels: str | None = None
    single: bool = False
    excluded: dict[str, str] = field(default_factory=dict)
    files: dict[str, str] = field(default_factory=dict, compare=False)

    def rule(self, files: int = 1, values: Sequence[int] | None = None) -> Rule:
        """How an image that comes in so many files, or a label map, is to be read.

        Args:
            values: of the labels in files of another program, background first.
        """
        labels = Labels(tuple(values), self.labels.names) if values else self.labels
        channels = len(self.channels)
        each = channels if files == 1 else 1 if files == channels else None
        return Rule(labels, each or None, self.colours, self.pixels)

    def write(
        self, path: str | Path = DATASET, beside: Iterable[str | Path] = (), warnings: Sequence[dict[str, str]] = ()
    ) -> None:
        """Write it, with the hashes of the files that belong to it, and what was found in images and labels."""
        seals.write(
            path,
            {
                "name": self.name,
                "dimension": self.dimension,
                "channels": list(self.channels),
                "modalities": list(self.modalities),
                "labels": [{"value": v, "name": n} for v, n in zip(self.labels.values, self.labels.names, strict=True)],
                "patients": self.patients,
                "licence": self.licence,
                "reference": self.reference,
                "colours": [list(c) for c in self.colours],
                "pixels": self.pixels,
                "single": self.single,
                "excluded": self.excluded,
                "files": {Path(p).name: sha256_file(p) for p in beside},
                "warnings": list(warnings),
            },
        )

    @classmethod
    def read(cls, path: str | Path = DATASET, place: str | Path | None = None) -> Description:
        """Raises `RefoldError` when a file is absent, damaged or changed. ``place``: the file that tells the root."""
        return cls.of(seals.read(path), Place.read(place).root if place else "")

    @classmethod
    def of(cls, v: dict[str, Any], root: str = "") -> Description:
        """From the content of the file. root: where the data lie."""
        labels = Labels(tuple(x["value"] for x in v["labels"]), tuple(x["name"] for x in v["labels"]))
        lists = {k: tuple(v[k]) for k in ("channels", "modalities")}
        colours = tuple(tuple(c) for c in v.get("colours", ()))
        rest = {k: x for k, x in v.items() if k != "warnings"}  # for data/checks.json
        return cls(**{**rest, **lists, "root": root, "labels": labels, "colours": colours})


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
    path: str | Path = CASES, dataset_file: str | Path = DATASET, place: str | Path | None = None
) -> tuple[list[Case], Description]:
    """The table of cases and the description that it was written with. ``place``: as `Description.read` takes it.

    Raises:
        RefoldError: a file is absent, damaged or changed since.
    """
    description = Description.read(dataset_file, place)
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
