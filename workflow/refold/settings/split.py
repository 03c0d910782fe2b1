"""The section `split` of params.yaml: keys, defaults, ranges."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from refold.settings.base import LibrarySeed, Section, distinct


class Split(Section):
    """Who is trained on and who is tested on, by patient."""

    kind: Literal["grouped", "kfold", "file"] = Field(
        "grouped",
        description="`grouped`: folds by patient, stratified by foreground. `kfold`: scikit-learn's "
        "KFold(folds, shuffle=True, random_state=seed) on the sorted case ids, as published folds are made. "
        "`file`: your own, see `file`.",
    )
    folds: int = Field(
        5, ge=1, le=100, description="Number of folds k; 1, a single training and test split, with kind `file` alone."
    )
    repeats: int = Field(
        1, ge=1, le=100, description="How often the k-fold split is drawn anew; repeat r uses seed + r."
    )
    run_folds: (
        Literal["all"]
        | Annotated[list[Annotated[int, Field(ge=0, le=9999)]], Field(min_length=1), AfterValidator(distinct)]
    ) = Field("all", description="Which folds to run, counted from 0 over all repeats; `all` or a list such as [0].")
    test_fraction: float = Field(
        0.0,
        ge=0,
        lt=0.9,
        description="Share of patients held out of all folds as a test set, predicted by the mean of the "
        "folds' models.",
    )
    file: str | None = Field(
        None,
        min_length=1,
        description='JSON file for kind `file`: {"folds": [{"train": [cases], "test": [cases]}, ...], "holdout": '
        '[cases]}, one split {"train": [cases], "test": [cases]}, or nnU-Net\'s splits_final.json.',
    )
    seed: LibrarySeed = Field(1, description="Seed of the split.")

    @property
    def fold_numbers(self) -> list[int]:
        """The folds to run, in ascending order."""
        return list(range(self.folds * self.repeats)) if self.run_folds == "all" else sorted(self.run_folds)
