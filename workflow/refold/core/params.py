"""The one typed model of ``params.yaml``: defaults, descriptions, checks.

Every section is one phase's. ``workflow/params.schema.json`` and ``docs/params.md`` are made from this file::

    python -m refold.core.params [FILE]    check an experiment
    python -m refold.core.params --schema  print the JSON schema
    python -m refold.core.params --docs    print the page of the documentation
"""

from __future__ import annotations

import argparse
import copy
import json
import math
import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Literal, get_args

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError, field_validator
from pydantic.json_schema import GenerateJsonSchema

from refold.core import explain, plan, yamlfile
from refold.core.errors import AT_END, RefoldError, run
from refold.core.explain import Words, nearest
from refold.core.files import read_json, write_text

# Channels and labels (with the background) of the data sets known by name: medicaldecathlon.com, docs/phantom.md
KNOWN = {
    "phantom": (2, 3),
    "Task01_BrainTumour": (4, 4),
    "Task02_Heart": (1, 2),
    "Task03_Liver": (1, 3),
    "Task04_Hippocampus": (1, 3),
    "Task05_Prostate": (2, 3),
    "Task06_Lung": (1, 2),
    "Task07_Pancreas": (1, 3),
    "Task08_HepaticVessel": (1, 3),
    "Task09_Spleen": (1, 2),
    "Task10_Colon": (1, 2),
}
MSD_TASKS = tuple(KNOWN)[1:]
NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
METHOD_NAME = r"^[a-z0-9][a-z0-9_-]*$"

Instructions = Literal["avx2", "native"]
Probability = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, le=2**53)]  # what JSON carries exactly
LibrarySeed = Annotated[int, Field(ge=0, le=2**32 - 101)]  # scikit-learn's and Keras's, with room for 100 repeats
Axis = Literal["x", "y", "z"]
Voxels = Annotated[list[Annotated[int, Field(ge=4, le=4096)]], Field(min_length=2, max_length=3)]


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=False, frozen=True, allow_inf_nan=False)


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"the lower end stands first: [{value[1]:g}, {value[0]:g}]")
    return value


def _range(low: float, high: float) -> Any:
    end = Annotated[float, Field(ge=low, le=high)]
    return Annotated[tuple[end, end], AfterValidator(_ordered)]


def _distinct(value: list) -> list:
    twice = next((v for v in value if value.count(v) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice} stands twice")
    return value


Axes = Annotated[list[Axis], Field(json_schema_extra={"uniqueItems": True}), AfterValidator(_distinct)]


# ---------------------------------------------------------------- dataset


class Phantom(Section):
    """The embedded data: a head-like phantom made from a seed, never downloaded."""

    seed: Seed = Field(1, description="Seed of the phantom.")
    patients: int = Field(40, ge=4, le=1000, description="Number of patients.")
    second_scans: int = Field(8, ge=0, le=1000, description="How many of the patients have two scans.")
    without_lesion: Probability = Field(0.15, description="Share of scans without a lesion.")
    size: int = Field(40, ge=24, le=128, description="Edge of the field of view in mm, about; a voxel has about 1 mm.")


class Dataset(Section):
    """Which data: the embedded phantom, a Decathlon task by name, or a folder or archive of your own."""

    name: Annotated[str, Words("letters, digits, `_`, `.` and `-`, a letter or digit first")] = Field(
        "phantom",
        pattern=NAME,
        max_length=100,
        description="`phantom` (made here), one of the ten Medical Segmentation Decathlon tasks such as "
        "`Task04_Hippocampus` (downloaded once), or any name of your own together with `source`.",
    )
    source: str | None = Field(
        None,
        min_length=1,
        description="Local folder or archive (.tar, .tar.gz, .zip) in MSD layout. A folder is read in place. "
        "null: made or downloaded according to `name`.",
    )
    patient_pattern: str | None = Field(
        None,
        min_length=1,
        description="Regular expression with one group, searched in the case's name; the group is the patient: "
        "`^(patient\\d+)_` turns patient001_frame12 into patient001. null: each case is its own patient.",
    )
    patient_table: str | None = Field(
        None, min_length=1, description="CSV file with the columns `case` and `patient`; instead of `patient_pattern`."
    )
    phantom: Phantom = Field(Phantom(), description="Only read when name is `phantom`.")

    @field_validator("patient_pattern")
    @classmethod
    def _one_group(cls, value: str | None) -> str | None:
        if value is not None:
            try:
                groups = re.compile(value).groups
            except re.error as error:
                raise ValueError(f"no valid regular expression: {error}") from None
            if groups != 1:
                raise ValueError(f"one group in parentheses is wanted, it has {groups}")
        return value


# ---------------------------------------------------------------- preprocess

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
    label_order: int = Field(1, ge=0, le=1, description="Spline order for resampling each label's indicator.")
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


# ---------------------------------------------------------------- split


class Split(Section):
    """Who is trained on and who is tested on, by patient."""

    kind: Literal["grouped", "kfold", "file"] = Field(
        "grouped",
        description="`grouped`: folds by patient, stratified by foreground. `kfold`: scikit-learn's "
        "KFold(folds, shuffle=True, random_state=seed) on the sorted case ids, as published folds are made. "
        "`file`: your own, see `file`.",
    )
    folds: int = Field(5, ge=2, le=100, description="Number of folds k.")
    repeats: int = Field(
        1, ge=1, le=100, description="How often the k-fold split is drawn anew; repeat r uses seed + r."
    )
    run_folds: (
        Literal["all"]
        | Annotated[list[Annotated[int, Field(ge=0, le=9999)]], Field(min_length=1), AfterValidator(_distinct)]
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
        description='JSON file for kind `file`: {"folds": [{"train": [cases], "test": [cases]}, ...], '
        '"holdout": [cases]}.',
    )
    seed: LibrarySeed = Field(1, description="Seed of the split.")

    @property
    def fold_numbers(self) -> list[int]:
        """The folds to run, in ascending order."""
        return list(range(self.folds * self.repeats)) if self.run_folds == "all" else sorted(self.run_folds)


# ---------------------------------------------------------------- train


class Loss(Section):
    """What is minimised."""

    kind: Literal["ce", "dice", "ce_dice"] = Field(
        "ce_dice",
        description="`ce` (cross-entropy), `dice` (soft Dice over the foreground labels), `ce_dice` (their sum).",
    )
    class_weights: Annotated[list[Annotated[float, Field(gt=0, le=1e6)]], Field(min_length=2)] | None = Field(
        None, description="Weight of each label in the cross-entropy, background first; null: all 1."
    )
    batch_dice: bool = Field(True, description="Dice over the whole batch rather than case by case.")
    smooth: float = Field(1e-5, ge=0, le=1000, description="Added to numerator and denominator of the soft Dice.")


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
    optimizer: Literal["sgd", "adam", "adamw"] = Field("adamw", description="`sgd` is with Nesterov momentum.")
    learning_rate: float = Field(3e-3, gt=0, le=100, description="Peak learning rate.")
    weight_decay: float = Field(
        1e-4, ge=0, le=100, description="For adamw decoupled; for sgd and adam added as an L2 gradient."
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
    validate_every: int = Field(5, ge=1, le=1000000, description="Epochs between inner validations.")
    early_stopping: int | None = Field(
        None,
        ge=1,
        le=1000000,
        description="Stop after this many inner validations without a better Dice and keep the best weights; null: "
        "the whole budget.",
    )


# ---------------------------------------------------------------- augment


class Rotation(Section):
    p: Probability = Field(0.2, description="Probability; 0 switches it off.")
    degrees: float = Field(30.0, ge=0, le=180, description="Largest angle about each axis, drawn evenly, either way.")


class Scaling(Section):
    p: Probability = Field(0.2, description="Probability; 0 switches it off.")
    range: _range(0.1, 10) = Field((0.7, 1.4), description="Factor; over 1 enlarges.")


class Crop(Section):
    p: Probability = Field(0.0, description="Probability; 0 switches it off.")
    range: _range(0.1, 1) = Field(
        (0.8, 1.0),
        description="Share of the patch's edge that is kept, at a random place, and enlarged to the whole patch.",
    )


class Flip(Section):
    p: Probability = Field(0.5, description="Probability, for each axis by itself.")
    axes: Axes = Field(
        [],
        description="Axes that may be flipped: x (left-right), y (posterior-anterior), z (inferior-superior); "
        "none whose labels name a side.",
    )


class Noise(Section):
    p: Probability = Field(0.1, description="Probability; 0 switches it off.")
    variance: _range(0, 100) = Field(
        (0.0, 0.1), description="Variance of Gaussian noise, in units of the normalised image."
    )


class Blur(Section):
    p: Probability = Field(0.1, description="Probability; 0 switches it off.")
    sigma: _range(0, 20) = Field((0.5, 1.0), description="Standard deviation of the Gaussian, in voxels.")


class Brightness(Section):
    p: Probability = Field(0.15, description="Probability; 0 switches it off.")
    range: _range(0, 100) = Field((0.75, 1.25), description="Factor.")


class Contrast(Section):
    p: Probability = Field(0.15, description="Probability; 0 switches it off.")
    range: _range(0, 100) = Field(
        (0.75, 1.25), description="Factor about the mean; the result is kept in the former range."
    )


class LowResolution(Section):
    p: Probability = Field(0.125, description="Probability; 0 switches it off.")
    range: _range(0.05, 1) = Field((0.5, 1.0), description="Factor of the resolution simulated.")


class Gamma(Section):
    p: Probability = Field(0.3, description="Probability; 0 switches it off.")
    range: _range(0.05, 20) = Field((0.7, 1.5), description="Exponent; mean and standard deviation are kept.")


class GammaInverted(Gamma):
    p: Probability = Field(0.1, description="Probability; 0 switches it off.")


class Augment(Section):
    """Random changes of training patches, each with its probability and range; `p: 0` switches one off.

    Defaults are nnU-Net's (Isensee et al. 2021), but for flips, which need axes named.
    """

    rotation: Rotation = Field(Rotation(), description="Rotation; in 2-D in the plane.")
    scaling: Scaling = Field(Scaling(), description="Scaling, the same for all axes.")
    crop: Crop = Field(Crop(), description="Random crop, enlarged to the patch.")
    flip: Flip = Field(Flip(), description="Mirror images.")
    noise: Noise = Field(Noise(), description="Gaussian noise.")
    blur: Blur = Field(Blur(), description="Gaussian blur.")
    brightness: Brightness = Field(Brightness(), description="Multiplication of the intensities.")
    contrast: Contrast = Field(Contrast(), description="Contrast.")
    low_resolution: LowResolution = Field(LowResolution(), description="Simulated low resolution.")
    gamma_inverted: GammaInverted = Field(GammaInverted(), description="Gamma on the inverted image.")
    gamma: Gamma = Field(Gamma(), description="Gamma.")


# ---------------------------------------------------------------- methods


class UNet(Section):
    """A U-Net (Ronneberger 2015; Cicek 2016), two convolutions a stage, instance normalisation, leaky ReLU."""

    model_config = ConfigDict(json_schema_extra={"required": ["kind"]})

    kind: Literal["unet"] = Field("unet", description="U-Net.")
    dimension: Literal["auto", 2, 3] = Field(
        "auto", description="2: slice by slice across z; 3: volumes; `auto`: the data's."
    )
    features: int = Field(8, ge=1, le=512, description="Feature maps of the first stage; doubled at each one.")
    max_features: int = Field(320, ge=1, le=2048, description="Most feature maps at any stage.")
    stages: Literal["auto"] | Annotated[int, Field(ge=2, le=8)] = Field(
        "auto", description="Resolutions; `auto`: planned from patch and spacing by nnU-Net's rule."
    )
    convolutions: int = Field(2, ge=1, le=4, description="Convolutions a stage.")
    normalisation: Literal["instance", "group", "none"] = Field(
        "instance", description="Normalisation layer; `group` has 8 groups, so features must be a multiple of 8."
    )
    dropout: float = Field(0.0, ge=0, lt=1, description="Dropout at the coarsest stage.")


class Threshold(Section):
    """Otsu thresholds (Otsu 1979) of one channel a case; which class is which label is learnt from training cases."""

    model_config = ConfigDict(json_schema_extra={"required": ["kind"]})

    kind: Literal["threshold"] = Field("threshold", description="Multi-level Otsu.")
    channel: int = Field(0, ge=0, le=999, description="Channel that is thresholded, counted from 0.")
    classes: int = Field(3, ge=2, le=5, description="Intensity classes.")


Method = Annotated[UNet | Threshold, Field(discriminator="kind")]
METHOD_KINDS = tuple(get_args(c.model_fields["kind"].annotation)[0] for c in (UNet, Threshold))
NETWORKS = ("unet",)


# ---------------------------------------------------------------- predict, evaluate, report


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


class Evaluate(Section):
    """Metrics on each case's own grid, in mm; empty masks by the policy in docs/evaluate.md."""

    nsd_tolerance: float = Field(
        1.0, gt=0, le=1000, description="Tolerance of the normalised surface distance (NSD), in mm."
    )
    confidence: float = Field(0.95, gt=0.5, lt=1, description="Level of the bootstrap intervals.")
    bootstrap: int = Field(2000, ge=100, le=100000, description="Bootstrap samples, drawn by patient.")
    seed: Seed = Field(1, description="Seed of the bootstrap.")


class Report(Section):
    """One HTML file that opens offline."""

    title: str = Field("refold experiment", min_length=1, max_length=200, description="Title of the report.")
    cases: int = Field(1, ge=1, le=20, description="How many worst, median and best cases are pictured a method.")


class Params(Section):
    """An experiment of refold: everything that its numbers depend on."""

    dataset: Dataset = Field(Dataset(), description="Which data.")
    preprocess: Preprocess = Field(Preprocess(), description="From raw images to arrays.")
    split: Split = Field(Split(), description="Who is trained on, who is tested on.")
    train: Train = Field(Train(), description="How networks are trained.")
    augment: Augment = Field(Augment(), description="Random changes of the training patches.")
    methods: dict[
        Annotated[
            str,
            Field(pattern=METHOD_NAME, max_length=60),
            Words("small letters, digits, `_` and `-`, a letter or digit first, at most 60 in all"),
        ],
        Method,
    ] = Field(
        {"unet": UNet()},
        min_length=1,
        json_schema_extra={"additionalProperties": False},
        description="The methods compared: a name of your choice, then its kind and parameters.",
    )
    predict: Predict = Field(Predict(), description="From models to label maps.")
    evaluate: Evaluate = Field(Evaluate(), description="Metrics and statistics.")
    report: Report = Field(Report(), description="The report.")

    def section(self, name: str) -> dict[str, Any]:
        """One section as plain JSON values, defaults filled in."""
        return self.model_dump(mode="json")[name]


# ---------------------------------------------------------------- impossible combinations


def _data_dimension(p: Params) -> int | None:
    """Axes of the data as far as params.yaml tells."""
    if p.dataset.source is None:
        return 3  # the phantom and all Decathlon tasks
    if isinstance(p.preprocess.spacing, list):
        return len(p.preprocess.spacing)
    networks = [m for m in p.methods.values() if isinstance(m, UNet)]
    if isinstance(p.train.patch, list) and networks and all(m.dimension == "auto" for m in networks):
        return len(p.train.patch)
    return None


def _networks(p: Params) -> dict[str, tuple[UNet, int | None]]:
    """Each network and its number of axes as far as params.yaml tells."""
    data = _data_dimension(p)
    networks = {name: m for name, m in p.methods.items() if isinstance(m, UNet)}
    return {name: (m, data if m.dimension == "auto" else m.dimension) for name, m in networks.items()}


def _check_dataset(p: Params) -> Iterator[tuple[str, tuple[str, ...], str]]:
    d, given = p.dataset, ("dataset.name", "dataset.source")
    if d.source is None and d.name not in KNOWN:
        guess = nearest(d.name, KNOWN)
        yield given[0], given, f"{d.name!r} is not known{guess}; without dataset.source, allowed are {', '.join(KNOWN)}"
    if d.source is not None and d.name == "phantom":
        yield given[0], given, "phantom is the embedded data, but dataset.source is given; give your data another name"
    if d.patient_pattern and d.patient_table:
        key = "dataset.patient_pattern"
        yield (
            key,
            (key, "dataset.patient_table"),
            "it and patient_table exclude each other; keep one, set the other to null",
        )
    if d.phantom.second_scans > d.phantom.patients:
        keys = ("dataset.phantom.second_scans", "dataset.phantom.patients")
        yield (
            keys[0],
            keys,
            f"{d.phantom.second_scans} is more than the {d.phantom.patients} patients; at most that many",
        )
    if d.source is None and d.name in KNOWN:
        channels, labels = KNOWN[d.name]
        modes, weights = p.preprocess.normalisation, p.train.loss.class_weights
        if isinstance(modes, list) and len(modes) != channels:
            key = "preprocess.normalisation"
            yield (
                key,
                (key, *given),
                f"{len(modes)} entries, {d.name} has {channels} channel(s); one for each, or one word for all",
            )
        if weights is not None and len(weights) != labels:
            key = "train.loss.class_weights"
            yield (
                key,
                (key, *given),
                f"{len(weights)} numbers, {d.name} has {labels} labels, the background counted; one for each",
            )
        for name, m in p.methods.items():
            if isinstance(m, Threshold) and m.channel >= channels:
                key = f"methods.{name}.channel"
                known = "only channel 0" if channels == 1 else f"the channels 0 to {channels - 1}"
                yield key, (key, *given), f"{m.channel} is not allowed; {d.name} has {known}"


def _check_split(p: Params) -> Iterator[tuple[str, tuple[str, ...], str]]:
    s, d = p.split, p.dataset
    if s.kind == "file" and s.file is None:
        yield "split.file", ("split.file", "split.kind"), "missing; with kind file, give the JSON file with the folds"
    if s.kind != "file" and s.file is not None:
        yield (
            "split.file",
            ("split.file", "split.kind"),
            f"kind is {s.kind}, so the file would not be read; set kind: file, or file: null",
        )
    if s.kind == "file" and s.repeats != 1:
        yield (
            "split.repeats",
            ("split.repeats", "split.kind"),
            f"{s.repeats} is not allowed; with kind file it is 1, the file holds all folds",
        )
    if s.kind == "file" and s.test_fraction:
        yield (
            "split.test_fraction",
            ("split.test_fraction", "split.kind"),
            f"{s.test_fraction:g} is not allowed; with kind file it is 0, `holdout` in the file names the test set",
        )
    if isinstance(s.run_folds, list) and (wrong := [f for f in s.run_folds if f >= s.folds * s.repeats]):
        yield (
            "split.run_folds",
            ("split.run_folds", "split.folds", "split.repeats"),
            f"there is no fold {', '.join(map(str, wrong))}; allowed are 0 to {s.folds * s.repeats - 1} (folds x "
            "repeats - 1)",
        )
    if d.source is None and d.name == "phantom" and s.kind != "file":
        patients = d.phantom.patients
        left = patients - (max(1, round(patients * s.test_fraction)) if s.test_fraction else 0)
        rests = ("split.folds", "split.kind", "split.test_fraction", "dataset")
        if s.folds > left:
            out = f", {patients - left} of {patients} being held out" if left < patients else ""
            yield "split.folds", rests, f"{s.folds} is more than the {left} patients there are{out}; at most {left}"
        elif (
            s.run_folds == "all"
            and p.train.validation_fraction
            and any(isinstance(m, UNet) for m in p.methods.values())
        ):
            taught = left - math.ceil(left / s.folds)
            if max(1, round(p.train.validation_fraction * taught)) >= taught:
                key = "train.validation_fraction"
                yield (
                    key,
                    (key, "methods", *rests),
                    f"{p.train.validation_fraction:g} of {taught} training patients leaves none to train on; lower it",
                )


def _check_train(p: Params) -> Iterator[tuple[str, tuple[str, ...], str]]:
    t = p.train
    key = "train.early_stopping"
    if t.early_stopping is not None:
        if t.validation_fraction == 0:
            yield (
                key,
                (key, "train.validation_fraction"),
                "needs validation_fraction over 0: it looks at the inner validation, never at the fold reported",
            )
        # the first validation sets the mark; one after the last epoch has nothing left to stop
        most = (t.epochs - 1) // t.validate_every - 1
        if t.early_stopping > most:
            rests = (key, "train.epochs", "train.validate_every")
            if t.validate_every >= t.epochs:
                text = (
                    f"validate_every {t.validate_every} leaves one validation in {t.epochs} epochs, at their "
                    "end; lower it"
                )
            else:
                times = f"in {t.epochs} epochs, one validation every {t.validate_every}"
                text = f"{t.early_stopping} can never be reached {times}; "
                text += f"at most {most}, or a smaller validate_every" if most >= 1 else "lower validate_every"
            yield key, rests, text
    # whether bfloat16 goes to oneDNN TensorFlow asks the processor: AVX2 and AVX-512 part ways in spite of the pin
    for key, value in (("train.instructions", t.instructions), ("predict.instructions", p.predict.instructions)):
        if t.precision == "bfloat16" and value != "native" and any(isinstance(m, UNet) for m in p.methods.values()):
            yield (
                key,
                (key, "train.precision", "methods"),
                f"{value} cannot be kept with train.precision bfloat16, which every processor computes in its own way; "
                "set it to native, or the precision to float32",
            )
    if t.warmup_epochs > t.epochs:
        yield (
            "train.warmup_epochs",
            ("train.warmup_epochs", "train.epochs"),
            f"{t.warmup_epochs:g} is more than the {t.epochs} epochs there are; at most that many",
        )
    if t.loss.class_weights is not None and t.loss.kind == "dice":
        yield (
            "train.loss.class_weights",
            ("train.loss.class_weights", "train.loss.kind"),
            "only the cross-entropy has weights, and kind is dice; set kind: ce_dice or ce, or class_weights: null",
        )


def _check_methods(p: Params) -> Iterator[tuple[str, tuple[str, ...], str]]:
    for name, (m, _) in _networks(p).items():
        key = f"methods.{name}"
        if m.max_features < m.features:
            rests = (f"{key}.max_features", f"{key}.features")
            yield rests[0], rests, f"{m.max_features} is less than features, {m.features}"
        for part in ("features", "max_features"):
            value = getattr(m, part)
            if m.normalisation == "group" and value % 8:
                rests = (f"{key}.{part}", f"{key}.normalisation")
                yield (
                    rests[0],
                    rests,
                    f"{value} is not allowed with normalisation group; allowed: multiples of 8, one a group",
                )
        if p.train.deep_supervision and m.stages != "auto" and m.stages < 4:
            rests = ("train.deep_supervision", f"{key}.stages")
            yield (
                rests[0],
                rests,
                f"{key} has {m.stages} stages, which leaves no coarser resolution to supervise; set it to false, or "
                "at least 4 stages",
            )


def _check_axes(p: Params) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Numbers of axes that contradict each other, and patches that cannot be pooled."""
    data, networks = _data_dimension(p), _networks(p)
    spacing, patch, tile = p.preprocess.spacing, p.train.patch, p.predict.tile
    rests = ("dataset.source", "preprocess.spacing")
    if p.dataset.source is None and isinstance(spacing, list) and len(spacing) != 3:
        yield rests[1], rests, f"{len(spacing)} numbers, {p.dataset.name} has 3 axes; give [x, y, z]"
        return
    for name, (m, axes) in networks.items():
        key = f"methods.{name}"
        if data is not None and axes is not None and axes > data:
            rests = (f"{key}.dimension", "dataset.source", "preprocess.spacing")
            yield rests[0], rests, f"{axes} is not allowed; preprocess.spacing has {data} numbers, for {data}-D data"
            continue
        if isinstance(patch, list):
            rests = ("train.patch", "dataset.source", "preprocess.spacing", f"{key}.dimension", f"{key}.stages")
            if axes is not None and len(patch) != axes:
                yield rests[0], rests, f"{patch} has {len(patch)} numbers, {key} is {axes}-D; give {axes}, or auto"
            elif fault := _unpoolable(patch, m.stages, spacing):
                yield rests[0], rests, f"{fault}; for {key}"
        if isinstance(tile, list):
            rests = ("predict.tile", "dataset.source", "preprocess.spacing", "train.patch", f"{key}.dimension")
            sliced = axes == 2 and data in (3, None)  # answers slice by slice, whatever the tile
            if axes is not None and not sliced and len(tile) != axes:
                yield rests[0], rests, f"{tile} has {len(tile)} numbers, {key} is {axes}-D; give {axes}, or auto"
            elif axes == 2 and data == 3 and len(networks) == 1:
                yield rests[0], rests, f"{key} is 2-D and answers whole slices of 3-D data; write auto"
    if networks and all(axes == 2 for _, axes in networks.values()):
        for key, axes in (("augment.flip.axes", p.augment.flip.axes), ("predict.mirror_axes", p.predict.mirror_axes)):
            if "z" in axes:
                rests = (key, "methods", "preprocess.spacing", "train.patch", "dataset.source")
                yield key, rests, "z is no axis of a 2-D network; allowed: x, y"


def _unpoolable(patch: list[int], stages: str | int, spacing: str | list[float]) -> str | None:
    """Why no network of so many stages takes this patch; None if it may.

    How an axis is pooled depends on how coarse it is beside the others. Where the spacing is not known yet, one of all
    orders of coarseness has to do.
    """

    def fault(mm: Sequence[float]) -> str | None:
        try:
            plan.plan({"median": {"shape": patch, "spacing": mm}}, len(patch), patch, stages)
        except RefoldError as error:
            return str(error).removeprefix("train.patch: ")
        return None

    if isinstance(spacing, list):
        return fault(spacing[: len(patch)])
    known = fault([1.0] * len(patch))
    if known is None:
        return None
    # pooling compares with factors of two; thirds of one put three axes into every order
    steps = [2 ** (i / 3) for i in range(22)]
    others = (mm for mm in product(steps, repeat=len(patch)) if min(mm) == 1)
    return None if any(fault(mm) is None for mm in others) else known


def _combinations(p: Params) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """(key, all keys it rests on, what is wrong) for each combination that cannot work."""
    for check in (_check_dataset, _check_split, _check_train, _check_methods, _check_axes):
        yield from check(p)


# ---------------------------------------------------------------- reading, and messages for people


def _plainly(value: Any, key: str, faults: list[tuple[str, str]]) -> Any:
    """Values as pydantic's strict mode wants them: 1e3 and 20.0 are whole numbers, tuples are lists."""
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                faults.append((f"{key}.{name}" if key else str(name), "the key is not text; write a name in quotes"))
        return {k: _plainly(v, f"{key}.{k}" if key else k, faults) for k, v in value.items() if isinstance(k, str)}
    if isinstance(value, list | tuple):
        return [_plainly(v, f"{key}[{i}]", faults) for i, v in enumerate(value)]
    if isinstance(value, float) and math.isfinite(value) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def _strictly(values: dict[str, Any]) -> Params:
    """No text for a number, no 1 for true; JSON because only there strict mode takes a list for a pair."""
    return Params.__pydantic_validator__.validate_json(json.dumps(values, default=str), strict=True)


def _without(values: dict[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Without the keys that are wrong: the defaults stand in for them."""
    values = copy.deepcopy(values)
    for key in keys:
        node, parts = values, key.partition("[")[0].split(".")
        if parts[0] == "methods" and len(parts) > 1:
            # a name may hold no dot if it is right, and a method without its kind is none
            name = key.removeprefix("methods.")
            for known in [m for m in node.get("methods") or () if name == m or name.removesuffix(".kind") == m]:
                del node["methods"][known]
        for part in parts[:-1]:
            node = node.get(part) if isinstance(node, dict) else None
        if isinstance(node, dict):
            node.pop(parts[-1], None)
    if any(key.startswith("methods") for key in keys) and not values.get("methods"):
        values["methods"] = {"unknown": {"kind": "threshold"}}  # the default network was not asked for
    return values


def _touch(a: str, b: str) -> bool:
    return "" in (a, b) or a == b or a.startswith((f"{b}.", f"{b}[")) or b.startswith((f"{a}.", f"{a}["))


def validate(values: Any, source: str = "params.yaml") -> Params:
    """Check a whole experiment.

    Args:
        values: what the file holds.
        source: its name, for the message.

    Raises:
        RefoldError: with every problem, a line each: key, value, what is allowed, nearest valid name.
    """
    return _validate(yamlfile.Document(values, {}, []), source)


def _validate(document: yamlfile.Document, source: str) -> Params:
    if not isinstance(document.values, dict):
        found = explain.shown(document.values)
        raise RefoldError(
            f"{source}: 1 problem\n  - the file must hold sections such as `dataset:` and `train:`, with their keys "
            f"below them, indented; it holds {found}"
        )
    problems = list(document.faults)
    values = _plainly(document.values, "", problems)
    params = None
    try:
        params = _strictly(values)
    except ValidationError as error:
        wrong = explain.problems(Params, error, values)
        problems += wrong
        try:
            params = _strictly(_without(values, [key for key, _ in wrong]))
        except ValidationError:
            params = None
    if params is not None:
        # an unknown key may stand for any other of its section
        no_key = ("unknown key", "the key ", "a key ")
        broken = [key.rpartition(".")[0] if text.startswith(no_key) else key for key, text in problems]
        for key, rests, text in _combinations(params):
            # what rests on a wrong value is looked at once that is right
            if not any(_touch(b, r) for b in broken for r in rests):
                problems.append((key, text))
    if problems:
        problems = sorted(dict.fromkeys(problems), key=lambda p: document.lines.get(p[0], math.inf))
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise RefoldError("\n".join([f"{source}: {count}", *(_line(k, t, document.lines) for k, t in problems)]))
    return params


def _line(key: str, text: str, lines: dict[str, int]) -> str:
    where = f" (line {lines[key]})" if key in lines and not re.search(r"\blines? \d", text) else ""
    return f"  - {key}: {text}{where}"


def load(path: str | Path = "params.yaml") -> Params:
    """Read and check ``params.yaml``. Raises `RefoldError` listing every problem."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise RefoldError(f"{path} is missing; copy one from examples/") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RefoldError(f"{path} cannot be read: {error}; text in UTF-8 is wanted") from None
    try:
        document = yamlfile.parse(text)
    except yamlfile.SyntaxFault as error:
        raise RefoldError(f"{path}: 1 problem\n  - {error}") from None
    if document.values is None:
        raise RefoldError(f"{path} is empty; copy one from examples/")
    return _validate(document, str(path))


# ---------------------------------------------------------------- schema and documentation


class _Untitled(GenerateJsonSchema):
    """Without a title that repeats each key."""

    def field_title_should_be_set(self, schema) -> bool:
        return False


def json_schema() -> str:
    """The JSON schema of ``params.yaml``, as the text of ``params.schema.json``."""
    schema = Params.model_json_schema(schema_generator=_Untitled)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "refold: params.yaml"}
    return (
        json.dumps({**head, **{k: v for k, v in schema.items() if k not in head}}, indent=2, ensure_ascii=False) + "\n"
    )


_PREFACE = """\
# params.yaml, key by key

<!-- made by `python -m refold.core.params --docs` from workflow/refold/core/params.py; a test keeps it in step -->

`params.yaml` describes one experiment: everything that its numbers depend on, and nothing else. Each section is one
phase's, and a phase runs again only when its own section changes. What you leave out has the default given here.

Check a file without running anything: `PYTHONPATH=workflow python -m refold.core.params params.yaml`. Snakemake does
the same before any job. All problems come in one message, a line each: key, value, what is allowed, the nearest name,
and the line of the file.

How values are written:

- YAML 1.2: `1e-3` is a number (in YAML 1.1, which many tools still read, it is text); only `true` and `false` are
  true and false, not `yes`, `no`, `on` or `off`; `010` is ten.
- A number in quotes is text and is refused. `20.0` and `2e1` are accepted where a whole number is wanted.
- `null` means none, where the table allows it. An empty section (`train:` with nothing below) is refused.
- A key that stands twice is refused: otherwise the first would be lost in silence.
- A range is written `[lowest, highest]`; axes are x (left to right), y (posterior to anterior), z (inferior to
  superior), in 2-D x (columns) and y (rows).
- Sizes in voxels and spacings in mm are in the order x, y, z.

Editors that know the YAML language server show this text and complete keys: `workflow/params.schema.json` is named in
the first line of each file.
"""


def docs() -> str:
    """The text of ``docs/params.md``."""
    text = [_PREFACE]
    for name, field in Params.model_fields.items():
        text.append(f"\n## {name}\n")
        if name == "methods":
            text.append(f"{field.description} Names: {explain.words(get_args(field.annotation)[0])}.\n")
            for kind, model in zip(METHOD_KINDS, (UNet, Threshold), strict=True):
                text += [f"### kind: {kind}\n", _first_paragraph(model) + "\n", _table(model)]
        else:
            text += [_first_paragraph(field.annotation) + "\n", _table(field.annotation)]
    return "\n".join(text).replace("\n\n\n", "\n\n")


def _first_paragraph(model: type[Section]) -> str:
    return " ".join(line.strip() for line in model.__doc__.strip().splitlines()).replace("  ", " ")


def _table(model: type[Section]) -> str:
    rows = ["| key | default | allowed | meaning |", "|---|---|---|---|"]

    def add(section: type[Section], prefix: str, defaults: Section | None) -> None:
        for name, field in section.model_fields.items():
            default = field.default if defaults is None else getattr(defaults, name)
            if isinstance(default, Section):
                add(type(default), f"{prefix}{name}.", default)
                continue
            value = json.dumps(default) if not isinstance(default, str) else default
            cells = [f"`{prefix}{name}`", f"`{value}`", explain.field_words(field), field.description]
            rows.append("| " + " | ".join(c.replace("|", r"\|") for c in cells) + " |")

    add(model, "", None)
    return "\n".join(rows) + "\n"


class Stamps:
    """The frozen sections of one run, as jobs see them: ``results/.params/<section>.json``."""

    def __init__(self, folder: str | Path = "results/.params"):
        self.folder = Path(folder)

    def read(self, *sections: str) -> Params:
        """A `Params` with these sections as frozen and all others at their defaults.

        A phase can so not depend on a section it did not declare.
        """
        return Params.model_validate({s: self.frozen(s) for s in sections})

    def frozen(self, section: str) -> Any:
        """One stamp as it is; at the end of the job it must still say the same. Raises `RefoldError` if not."""
        path = self.folder / f"{section}.json"
        found = read_json(path)

        def unchanged() -> None:
            # or the output would be newer than the changed stamp, and pass for up to date
            if read_json(path) != found:
                raise RefoldError(f"params.yaml changed in {section!r} while this job ran; run snakemake again")

        AT_END.append(unchanged)
        return found

    def method(self, name: str) -> UNet | Threshold:
        """One entry under ``methods``, from ``methods.<name>.json``."""
        return Params.model_validate({"methods": {name: self.frozen(f"methods.{name}")}}).methods[name]

    def write(self, params: Params) -> dict[str, str]:
        """Freeze every section; a file is rewritten only when its content changes. Returns the path of each."""
        sections = {name: params.section(name) for name in type(params).model_fields if name != "methods"}
        # which folds are run changes none of them: another choice must not draw the split, and so train, anew
        sections["split"].pop("run_folds")
        sections |= {f"methods.{name}": entry for name, entry in params.section("methods").items()}
        # what stands in tables and report: one method or fold fewer changes no file that they read
        sections["selection"] = {"methods": list(params.methods), "folds": params.split.fold_numbers}
        paths = {}
        for name, value in sections.items():
            path = self.folder / f"{name}.json"
            text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                write_text(path, text)
            paths[name] = str(path)
        for old in self.folder.glob("methods.*.json"):
            if old.name.removesuffix(".json") not in sections:
                old.unlink()
        return paths


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m refold.core.params", description="Check params.yaml.")
    parser.add_argument("file", nargs="?", default="params.yaml")
    parser.add_argument("--schema", action="store_true", help="print the JSON schema instead")
    parser.add_argument("--docs", action="store_true", help="print docs/params.md instead")
    a = parser.parse_args()
    if a.schema or a.docs:
        print(json_schema() if a.schema else docs(), end="")
    else:
        load(a.file)
        print(f"{a.file}: nothing is wrong")


if __name__ == "__main__":
    run(main)
