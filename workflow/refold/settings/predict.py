"""The section `predict` of params.yaml: keys, defaults, ranges."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from refold.settings.base import Axes, Instructions, Section, Voxels


class Predict(Section):
    """From trained models to label maps on each case's own grid."""

    tile: Literal["auto", "whole"] | Voxels = "auto"
    overlap: float = Field(0.5, ge=0, lt=1)
    mirror_axes: Axes = Field([])
    threads: int = Field(1, ge=1, le=256)
    instructions: Instructions = "avx2"
    keep_probabilities: bool = True
