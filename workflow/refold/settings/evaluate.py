"""The section `evaluate` of params.yaml: keys, defaults, ranges."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from refold.settings.base import LabelName, Section, Seed

# keys of section evaluate that may be ``auto``: so many times the voxel size within a slice (`imaging.lengths`)
AUTO_LENGTHS = {"nsd_tolerance": 1.0, "calibration_margin": 5.0}


class Evaluate(Section):
    """Metrics on each case's own grid, in mm; empty masks by the policy in docs/reference/evaluate.md."""

    nsd_tolerance: Literal["auto"] | Annotated[float, Field(gt=0, le=1000)] = Field(
        "auto",
        description="Tolerance of the normalised surface distance (NSD), in mm; best what two readers differ by. "
        "`auto`: the voxel size within a slice that nine in ten cases do not exceed.",
    )
    regions: dict[LabelName, Annotated[list[LabelName], Field(min_length=1, max_length=255)]] = Field(
        {},
        description="Unions of labels that are measured beside the labels: a name and the labels' names, such as "
        "`whole_tumour: [oedema, core]`. They have no part in the mean over the labels.",
    )
    lesions: list[LabelName] = Field(
        [],
        description="Labels and regions whose connected components are counted as lesions: sensitivity, precision, F1, "
        "missed ones and false positives a scan, panoptic quality.",
    )
    lesion_iou: float = Field(
        0.1, gt=0, le=1, description="Least intersection over union of two components that are the same lesion."
    )
    calibration_margin: Literal["auto"] | Annotated[float, Field(ge=0, le=1000)] = Field(
        "auto",
        description="Calibration is measured in a box about the truth, this much wider on each side, in mm. `auto`: "
        "five voxels of the size that `nsd_tolerance` takes.",
    )
    confidence: float = Field(
        0.95,
        gt=0.5,
        lt=1,
        description="Level of the intervals. Where a corrected p is under 1 minus it, a method is called better.",
    )
    interval: Literal["studentised", "percentile"] = Field(
        "studentised",
        description="Kind of bootstrap interval. `studentised` (bootstrap-t) covers the mean about as often as it says "
        "from 12 patients on, where no few cases fail; `percentile` is narrower, and covers less, with under 50.",
    )
    bootstrap: int = Field(2000, ge=100, le=100000, description="Bootstrap samples, drawn by patient.")
    test: Literal["wilcoxon", "permutation"] = Field(
        "wilcoxon",
        description="Paired test between methods, on one difference a patient. `wilcoxon`: of signed ranks; "
        "`permutation`: of the mean, by flipped signs.",
    )
    seed: Seed = Field(1, description="Seed of the bootstrap and the permutations.")
