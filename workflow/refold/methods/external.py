"""Label maps that another program made."""

from __future__ import annotations

import itertools
from pathlib import Path
from typing import Annotated, ClassVar, Literal

from pydantic import Field

from refold.core.errors import RefoldError
from refold.methods.base import Settings
from refold.settings.names import HOLDOUT

ENDINGS = {2: (".png", ".tif", ".tiff"), 3: (".nii.gz", ".nii", ".nrrd", ".mha", ".mgz")}  # by the data's dimension


def find(folder: Path, fold: str, case: str, dimension: int) -> Path | None:
    """The label map of a case: in the fold's own folder, else in ``folder`` itself; None where there is none."""
    places = [HOLDOUT] if fold == HOLDOUT else [f"fold_{fold}/validation", f"fold_{fold}"]
    for place, ending in itertools.product([*places, "."], ENDINGS[dimension]):
        path = folder / place / f"{case}{ending}"
        if path.is_file():
            return path
    return None


class External(Settings):
    """Label maps of another program on the same cases, evaluated and reported as any other method's.

    Nothing is trained. Only label maps are read, so nothing can be made from it that needs probabilities.
    """

    trained: ClassVar[bool] = False
    where: ClassVar[str] = "folder"
    places: ClassVar[tuple[str, ...]] = ("folder",)

    kind: Literal["external"] = "external"
    folder: str = Field(min_length=1)
    program: str = Field("another program", min_length=1, max_length=200)
    values: Annotated[list[Annotated[int, Field(ge=0, le=65535)]], Field(min_length=2)] | None = None

    def check(self, name: str) -> None:
        """Raises `RefoldError` where the folder of the method ``name`` is none, or holds no label map anywhere."""
        folder, endings = Path(self.folder), tuple(e for all_ in ENDINGS.values() for e in all_)
        if not folder.is_dir():
            raise RefoldError(f"methods.{name}.folder: {folder} is no folder; give that of the label maps")
        if not any(p.name.endswith(endings) and p.is_file() for p in folder.rglob("*")):
            raise RefoldError(f"methods.{name}.folder: {folder} holds no file that ends with {', '.join(endings)}")

    def faults(self) -> list[tuple[str, str]]:
        if self.values is not None and len(set(self.values)) < len(self.values):
            return [("values", f"{self.values} has a value twice; each label needs one of its own")]
        return []

    def unsuited(self, data: str, channels: int, labels: int) -> list[tuple[str, str]]:
        if self.values is not None and len(self.values) != labels:
            return [("values", f"{len(self.values)} values; {data} has {labels} labels, the background among them")]
        return []
