"""Where the user's own files lie on this machine: read by the jobs that open them, and no part of any result.

The main Snakemake process writes it. No job is due because it changed: what a file holds is told by its hash.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from refold.core.errors import RefoldError
from refold.core.files import read_json, write_json

if TYPE_CHECKING:
    from refold.settings.dataset import Dataset
    from refold.settings.split import Split

FILE = "results/.data/place.json"
AGAIN = "`snakemake -n` writes it anew"


@dataclass(frozen=True)
class Place:
    """Paths as params.yaml gives them, None where it gives none.

    root: the folder that the files of ``data/cases.csv`` are relative to. folders: of methods whose label maps another
    program made, by the method's name.
    """

    root: str
    source: str | None = None
    patient_table: str | None = None
    split_file: str | None = None
    folders: Mapping[str, str] = field(default_factory=dict)

    def write(self, path: str | Path = FILE) -> None:
        """Only if it changed."""
        write_json(path, asdict(self), if_changed=True)

    @classmethod
    def read(cls, path: str | Path = FILE) -> Place:
        """Raises `RefoldError` when the file is absent or damaged."""
        try:
            return cls(**read_json(path))
        except RefoldError as error:
            raise RefoldError(f"{error}; {AGAIN}") from None
        except TypeError as error:
            raise RefoldError(f"{path} is damaged ({error}); {AGAIN}") from None

    def dataset(self, section: Dataset) -> Dataset:
        """The frozen section with its paths."""
        return section.model_copy(update={"source": self.source, "patient_table": self.patient_table})

    def split(self, section: Split) -> Split:
        return section.model_copy(update={"file": self.split_file})

    def folder(self, method: str) -> str:
        """Raises `RefoldError` for a method whose folder was not written."""
        try:
            return self.folders[method]
        except (KeyError, TypeError):
            raise RefoldError(f"{FILE} has no folder for the method {method!r}; {AGAIN}") from None
