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
    ] = Field(
        "ce_dice",
        description="`ce` (cross-entropy), `dice` (soft Dice over the foreground labels), `ce_dice` (their sum), "
        "`focal`, `focal_dice` (its sum with soft Dice), `tversky`, `focal_tversky`, `generalised_dice`, `boundary` "
        "(with generalised Dice), `cldice` (with soft Dice, for thin structures); docs/reference/losses.md.",
    )  # fmt: skip
    class_weights: Annotated[list[Annotated[float, Field(gt=0, le=1e6)]], Field(min_length=2)] | None = Field(
        None, description="Weight of each label in the cross-entropy, background first; null: all 1."
    )
    batch_dice: bool = Field(True, description="Dice over the whole batch rather than case by case.")
    smooth: float = Field(1e-5, ge=0, le=1000, description="Added to numerator and denominator of the soft Dice.")
    focal_gamma: float = Field(
        2.0, ge=0, le=10, description="Of focal losses: how little a voxel counts that is predicted well; 0: not less."
    )
    tversky_alpha: float = Field(0.3, ge=0, le=10, description="Of Tversky losses: weight of false positives.")
    tversky_beta: float = Field(0.7, ge=0, le=10, description="Of Tversky losses: weight of false negatives.")
    tversky_gamma: float = Field(
        4 / 3, ge=1, le=5, description="Of focal_tversky: over 1, a label that is predicted badly counts more."
    )
    boundary_weight: float = Field(
        0.5, gt=0, le=1, description="Of boundary: its share at the end of training; it rises evenly from 0."
    )
    cldice_weight: float = Field(0.5, gt=0, le=1, description="Of cldice: its share beside soft Dice.")
    cldice_iterations: int = Field(
        3,
        ge=1,
        le=50,
        description="Of cldice: steps of the soft skeleton, half the structures' width in voxels or more.",
    )


class Train(Section):
    """How every network is trained. `methods` says which networks."""

    seed: LibrarySeed = Field(1, description="Seed of initial weights, case order, patches and augmentation.")
    threads: int = Field(
        1,
        ge=1,
        le=256,
        description="Math threads of one training job. Part of the experiment: another number gives other bytes.",
    )
    instructions: Instructions = Field(
        "avx2",
        description="Processor instructions of oneDNN, which does a network's convolutions. `avx2`: the same on "
        "every x86-64 processor that has AVX2; `native`: all that the processor has, faster where that is AVX-512, "
        "with other bytes on another kind of processor. Part of the experiment.",
    )
    precision: Literal["float32", "bfloat16"] = Field(
        "float32",
        description="Arithmetic of the network; weights stay float32. `bfloat16` needs `instructions: native` here and "
        "under `predict`.",
    )
    epochs: int = Field(20, ge=1, le=1000000, description="Number of epochs.")
    samples_per_epoch: int | None = Field(
        None, ge=1, le=10000000, description="Patches an epoch; null: one a training case."
    )
    batch_size: int = Field(2, ge=1, le=4096, description="Patches a step.")
    patch: Literal["auto"] | Voxels = Field(
        "auto", description="Patch size in voxels, one number an axis; `auto`: planned from the fingerprint."
    )
    foreground_fraction: Probability = Field(
        0.33, description="Share of the patches that are centred on a foreground voxel, of a label drawn evenly."
    )
    loss: Loss = Field(Loss(), description="What the training minimises.")
    deep_supervision: bool = Field(
        False,
        description="Loss at every resolution of the decoder but the coarsest, weights 1/2^i; a network of under 4 "
        "stages has one such resolution and refuses it.",
    )
    optimizer: Literal["sgd", "adam", "adamw", "muon"] = Field(
        "adamw", description="`sgd` is with Nesterov momentum; `muon` takes AdamW for biases and the last layer."
    )
    learning_rate: float = Field(3e-3, gt=0, le=100, description="Peak learning rate.")
    weight_decay: float = Field(
        1e-4, ge=0, le=100, description="For adamw and muon decoupled; for sgd and adam added as an L2 gradient."
    )
    momentum: float = Field(0.99, ge=0, lt=1, description="Of sgd.")
    clip_norm: float | None = Field(
        12.0, gt=0, le=1e6, description="Largest norm of the gradient over all weights; null: no limit."
    )
    schedule: Literal["constant", "polynomial", "cosine"] = Field(
        "cosine", description="Learning rate over the steps; polynomial has exponent 0.9; cosine ends at 0."
    )
    warmup_epochs: float = Field(
        0.5, ge=0, le=1000000, description="Linear warm-up from 0, in epochs, for every schedule."
    )
    initializer: Literal["he", "glorot", "gaussian"] = Field(
        "he", description="Initial weights: He 2015, Glorot (Xavier) 2010, or Gaussian with standard deviation 0.02."
    )
    averaging: float = Field(
        0.99,
        ge=0,
        lt=1,
        description="Decay of the exponential moving average of the weights that is kept as the model; 0: none.",
    )
    validation_fraction: float = Field(
        0.1,
        ge=0,
        lt=0.9,
        description="Share of the training patients set aside as inner validation; they teach the network "
        "nothing. 0: none.",
    )
    validation_seed: LibrarySeed = Field(
        1, description="Seed of the inner validation: networks of other seeds so still share it, fold by fold."
    )
    validate_every: int = Field(5, ge=1, le=1000000, description="Epochs between inner validations.")
    early_stopping: int | None = Field(
        None,
        ge=1,
        le=1000000,
        description="Stop after this many inner validations without a better Dice and keep the best weights; null: "
        "the whole budget.",
    )
