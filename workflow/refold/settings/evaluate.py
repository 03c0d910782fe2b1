"""The section `evaluate` of params.yaml: keys, defaults, ranges."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from refold.settings.base import LabelName, Section, Seed

# keys of section evaluate that may be ``auto``: so many times the voxel size within a slice (`imaging.lengths`)
AUTO_LENGTHS = {"nsd_tolerance": 1.0, "calibration_margin": 5.0}


class Evaluate(Section):
    """Metrics on each case's own grid, in mm; empty masks by the policy in docs/reference/evaluate.md."""

    nsd_tolerance: Literal["auto"] | Annotated[float, Field(gt=0, le=1000)] = "auto"
    regions: dict[LabelName, Annotated[list[LabelName], Field(min_length=1, max_length=255)]] = Field({})
    lesions: list[LabelName] = Field([])
    lesion_iou: float = Field(0.1, gt=0, le=1)
    calibration_margin: Literal["auto"] | Annotated[float, Field(ge=0, le=1000)] = "auto"
    confidence: float = Field(0.95, gt=0.5, lt=1)
    interval: Literal["studentised", "percentile"] = "studentised"
    bootstrap: int = Field(2000, ge=100, le=100000)
    test: Literal["wilcoxon", "permutation"] = "wilcoxon"
    seed: Seed = 1
