"""The section `predict` of params.yaml: keys, defaults, ranges."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from refold.settings.base import Axes, Instructions, Section, Voxels


class Predict(Section):
    """From trained models to label maps on each case's own grid."""

    tile: Literal["auto", "whole"] | Voxels = Field(
        "auto",
        description="`whole`: the volume at once; a size in voxels: overlapping tiles; `auto`: tiles of the "
        "training patch's size, whole where the volume is at most twice as large.",
    )
    overlap: float = Field(
        0.5, ge=0, lt=1, description="Share of a tile that overlaps its neighbour; Gaussian weights."
    )
    mirror_axes: Axes = Field(
        [], description="Average over mirror images along these axes; none whose labels name a side."
    )
    threads: int = Field(1, ge=1, le=256, description="Math threads of one prediction job. Part of the experiment.")
    instructions: Instructions = Field(
        "avx2", description="As `train.instructions`, for predictions. Part of the experiment."
    )
    keep_probabilities: bool = Field(
        True,
        description="Keep each label's probability beside the label maps, in 8 bits: calibration and uncertainty are "
        "measured from them.",
    )
