"""The section `split` of params.yaml: keys, defaults, ranges."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from refold.settings.base import LibrarySeed, Section, distinct


class Split(Section):
    """Who is trained on and who is tested on, by patient."""

    kind: Literal["grouped", "kfold", "file"] = "grouped"
    folds: int = Field(5, ge=1, le=100)
    repeats: int = Field(1, ge=1, le=100)
    run_folds: (
        Literal["all"]
        | Annotated[list[Annotated[int, Field(ge=0, le=9999)]], Field(min_length=1), AfterValidator(distinct)]
    ) = "all"
    test_fraction: float = Field(0.0, ge=0, lt=0.9)
    file: str | None = Field(None, min_length=1)
    seed: LibrarySeed = 1

    @property
    def fold_numbers(self) -> list[int]:
        """The folds to run, in ascending order."""
        return list(range(self.folds * self.repeats)) if self.run_folds == "all" else sorted(self.run_folds)
