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
    ) = Field(
        "median",
        description="Target voxel size: `median` (nnU-Net's rule), `original` (no resampling), or mm per axis as "
        "[x, y, z]. 2-D pictures have no physical size and should keep `original`.",
    )
    normalisation: Literal["auto"] | Normalisation | Annotated[list[Normalisation], Field(min_length=1)] = Field(
        "auto",
        description="`zscore` (per case), `ct` (clip to the training cases' foreground percentiles 0.5 and 99.5, then "
        "their z-score; learnt per fold), `minmax` (per case to 0..1), `none`; one for all channels or a list with one "
        "a channel. `auto`: ct where dataset.json says CT, otherwise zscore.",
    )
    crop_nonzero: bool = Field(True, description="Crop to the box of non-zero voxels of any channel.")
    image_order: int = Field(3, ge=0, le=5, description="Spline order for resampling images.")
    label_order: int = Field(
        3,
        ge=0,
        le=5,
        description="Spline order for resampling each label's indicator. By cubic splines small structures keep their "
        "volume; 1 is nnU-Net's, with which they shrink.",
    )
    anisotropy: float = Field(
        3.0,
        gt=1,
        le=1000,
        description="A case whose coarsest spacing is over this many times the finest is a thick-slice "
        "case: resampled in plane first, then by nearest neighbour across slices.",
    )
    shards: int = Field(
        2, ge=1, le=1000, description="Into how many jobs the cases are divided; no result depends on it."
    )
