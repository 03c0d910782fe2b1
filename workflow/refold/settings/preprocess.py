"""The section `preprocess` of params.yaml: keys, defaults, ranges."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from refold.settings.base import Section

Normalisation = Literal["zscore", "ct", "minmax", "none"]


class Preprocess(Section):
    """From raw images to arrays on one grid size and one intensity scale."""

    spacing: (
        Literal["median", "original"]
        | Annotated[list[Annotated[float, Field(gt=0, le=1000)]], Field(min_length=2, max_length=3)]
    ) = "median"
    normalisation: Literal["auto"] | Normalisation | Annotated[list[Normalisation], Field(min_length=1)] = "auto"
    crop_nonzero: bool = True
    image_order: int = Field(3, ge=0, le=5)
    label_order: int = Field(3, ge=0, le=5)
    anisotropy: float = Field(3.0, gt=1, le=1000)
    shards: int = Field(2, ge=1, le=1000)
