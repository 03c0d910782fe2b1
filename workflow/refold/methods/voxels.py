"""Settings that the classifiers of voxels share."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, ClassVar

from pydantic import AfterValidator, Field

from refold.methods.base import Classical
from refold.settings.base import LibrarySeed, Probability, distinct

if TYPE_CHECKING:
    from refold.classical.features import Look

Sigma = Annotated[float, Field(gt=0, le=50)]


class Voxels(Classical):
    """A classifier of voxels by what they look like."""

    file: ClassVar[str] = "model.npz"

    samples: int = Field(2000, ge=10, le=1_000_000)
    balance: Probability = 0.5
    sigmas: Annotated[list[Sigma], Field(min_length=1, max_length=10), AfterValidator(distinct)] = Field(
        [1.0, 2.0, 4.0]
    )
    position: bool = True
    seed: LibrarySeed = 1

    def look(self) -> Look:
        """The same, as the classifiers take it."""
        from refold.classical.features import Look

        return Look(self.samples, self.balance, self.sigmas, self.position, self.seed)


class Forested(Voxels):
    """A classifier with a random forest."""

    trees: int = Field(30, ge=1, le=1000)
    depth: int = Field(12, ge=1, le=64)
    leaf: int = Field(5, ge=1, le=10_000)
