"""What a data set is: its labels and channels, and how its files are to be read."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from refold.core import seals
from refold.core.errors import RefoldError
from refold.core.files import sha256_file
from refold.core.paths import DATASET


def numbers(values: Iterable[float]) -> str:
    """A few of many values as a text, with all the digits that tell them from whole numbers."""
    ordered = sorted(values)
    shown = ", ".join(f"{v:.9g}" for v in ordered[:6])
    return shown + (f" and {len(ordered) - 6} more" if len(ordered) > 6 else "")


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

    def indices(self, data: np.ndarray, path: str | Path, remedy: str = "") -> np.ndarray:
        """A label map of indices from one of values.

        Args:
            data: (x, y[, z]) of any dtype, floats that are whole numbers too.
            path, remedy: of the file and what else to do, for the message.

        Returns:
            (x, y[, z]) uint8.

        Raises:
            RefoldError: a value is not declared; names the file and the values.
        """
        order = np.argsort(self.values)
        known = np.array(self.values)[order]
        if data.dtype in (np.uint8, np.uint16):  # each possible value once, not each voxel
            every = np.arange(np.iinfo(data.dtype).max + 1)
            place = np.searchsorted(known, every).clip(0, len(known) - 1)
            declared, result = (known[place] == every)[data], order.astype(np.uint8)[place][data]
        else:
            place = np.searchsorted(known, data).clip(0, len(known) - 1)
            declared, result = known[place] == data, order.astype(np.uint8)[place]
        if not declared.all():
            strange = numbers(np.unique(data[~declared]).tolist())
            allowed = ", ".join(map(str, self.values))
            raise RefoldError(f"{path} holds {strange}; declared label values are {allowed}{remedy}")
        return result

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
    def read(cls, path: str | Path = DATASET, root: str = "") -> Description:
        """Raises `RefoldError` when the file is absent, damaged or changed. ``root``: where the data lie, if wanted."""
        return cls.of(seals.read(path), root)

    @classmethod
    def of(cls, v: dict[str, Any], root: str = "") -> Description:
        """From the content of the file. root: where the data lie."""
        labels = Labels(tuple(x["value"] for x in v["labels"]), tuple(x["name"] for x in v["labels"]))
        lists = {k: tuple(v[k]) for k in ("channels", "modalities")}
        colours = tuple(tuple(c) for c in v.get("colours", ()))
        rest = {k: x for k, x in v.items() if k != "warnings"}  # for data/checks.json
        return cls(**{**rest, **lists, "root": root, "labels": labels, "colours": colours})
