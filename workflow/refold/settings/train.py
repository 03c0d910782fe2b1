"""The section `train` of params.yaml: keys, defaults, ranges."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from refold.settings.base import Instructions, LibrarySeed, Probability, Section, Voxels


class Loss(Section):
    """What is minimised."""

    kind: Literal[
        "ce", "dice", "ce_dice", "focal", "focal_dice", "tversky", "focal_tversky", "generalised_dice", "boundary",
        "cldice",
    ] = "ce_dice"  # fmt: skip
    class_weights: Annotated[list[Annotated[float, Field(gt=0, le=1e6)]], Field(min_length=2)] | None = None
    batch_dice: bool = True
    smooth: float = Field(1e-5, ge=0, le=1000)
    focal_gamma: float = Field(2.0, ge=0, le=10)
    tversky_alpha: float = Field(0.3, ge=0, le=10)
    tversky_beta: float = Field(0.7, ge=0, le=10)
    tversky_gamma: float = Field(4 / 3, ge=1, le=5)
    boundary_weight: float = Field(0.5, gt=0, le=1)
    cldice_weight: float = Field(0.5, gt=0, le=1)
    cldice_iterations: int = Field(3, ge=1, le=50)


class Train(Section):
    """How every network is trained. `methods` says which networks."""

    seed: LibrarySeed = 1
    threads: int = Field(1, ge=1, le=256)
    instructions: Instructions = "avx2"
    precision: Literal["float32", "bfloat16"] = "float32"
    epochs: int = Field(20, ge=1, le=1000000)
    samples_per_epoch: int | None = Field(None, ge=1, le=10000000)
    batch_size: int = Field(2, ge=1, le=4096)
    patch: Literal["auto"] | Voxels = "auto"
    foreground_fraction: Probability = 0.33
    loss: Loss = Loss()
    deep_supervision: bool = False
    optimizer: Literal["sgd", "adam", "adamw", "muon"] = "adamw"
    learning_rate: float = Field(3e-3, gt=0, le=100)
    weight_decay: float = Field(1e-4, ge=0, le=100)
    momentum: float = Field(0.99, ge=0, lt=1)
    clip_norm: float | None = Field(12.0, gt=0, le=1e6)
    schedule: Literal["constant", "polynomial", "cosine"] = "cosine"
    warmup_epochs: float = Field(0.5, ge=0, le=1000000)
    initializer: Literal["he", "glorot", "gaussian"] = "he"
    averaging: float = Field(0.99, ge=0, lt=1)
    validation_fraction: float = Field(0.1, ge=0, lt=0.9)
    validation_seed: LibrarySeed = 1
    validate_every: int = Field(5, ge=1, le=1000000)
    early_stopping: int | None = Field(None, ge=1, le=1000000)
