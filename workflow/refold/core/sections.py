"""The sections of ``params.yaml``, one a phase, with their defaults, ranges and descriptions.

`refold.methods` adds the kinds of methods, `refold.core.params` puts all together and checks them.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from typing import Annotated, Any, ClassVar, Literal

from pydantic import (
    AfterValidator,
    BaseModel,
    BeforeValidator,
    ConfigDict,
    Field,
    create_model,
    field_validator,
    model_serializer,
)

from refold.core.explain import Words

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
CaseName = Annotated[str, Field(min_length=1, max_length=150)]
LabelName = Annotated[str, Field(min_length=1, max_length=100)]
COLOUR = '`"#rrggbb"` (in quotes: # begins a comment) or `[red, green, blue]` from 0 to 255'


def _coloured(value: Any) -> Any:
    """As it is, if it is a colour or a list of colours."""

    def one(v: Any) -> bool:
        if isinstance(v, str):
            return re.fullmatch("#[0-9A-Fa-f]{6}", v) is not None
        return isinstance(v, list) and len(v) == 3 and all(type(x) is int and 0 <= x <= 255 for x in v)

    if not one(value) and not (isinstance(value, list) and value and all(map(one, value))):
        raise ValueError(f"no colour; write {COLOUR}, or a list of such")
    return value


Hex = Annotated[str, Field(pattern="^#[0-9A-Fa-f]{6}$")]
RGB = Annotated[list[Annotated[int, Field(ge=0, le=255)]], Field(min_length=3, max_length=3)]
Colours = Annotated[
    Hex | RGB | Annotated[list[Hex | RGB], Field(min_length=1)],
    BeforeValidator(_coloured),
    Words(f"a colour, {COLOUR}, or a list of such"),
]
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


def distinct(value: list) -> list:
    twice = next((v for v in value if value.count(v) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice} stands twice")
    return value


Axes = Annotated[list[Axis], Field(json_schema_extra={"uniqueItems": True}), AfterValidator(distinct)]


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
    colours: dict[LabelName, Colours] = Field(
        {},
        description='For masks in colours: each label\'s colour, as `vessel: "#ff0000"` or `vessel: [255, 0, 0]`, or a '
        "list of such; the background is black if it is not named. Predictions are written in the same colours.",
    )
    pixels: Literal["shown", "stored"] | None = Field(
        None,
        description="What pictures mean by TIFF's white-is-zero and by tags of orientation. `shown`: as programs show "
        "them; `stored`: the pixels as they lie in the file. null: as shown, and refused where the two would set image "
        "and mask, or the masks' inside and outside, against each other.",
    )
    exclude: dict[CaseName, Annotated[str, Field(min_length=1, max_length=500), Words("text, the reason")]] = Field(
        {},
        description="Cases that are left out, each with the reason, which stands in the report: `case_012: the same "
        "patient as case_003`. Their files are not read.",
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

    @property
    def colour_table(self) -> dict[str, tuple[str, ...]]:
        """The colours of each label named, ``#rrggbb`` in lower case."""

        def plain(colour: str | list[int]) -> str:
            return colour.lower() if isinstance(colour, str) else "#" + bytes(colour).hex()

        def several(value: Any) -> tuple[str, ...]:
            one = isinstance(value, str) or isinstance(value[0], int)
            return (plain(value),) if one else tuple(plain(c) for c in value)

        return {name: several(value) for name, value in self.colours.items()}


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


# ---------------------------------------------------------------- split


class Split(Section):
    """Who is trained on and who is tested on, by patient."""

    kind: Literal["grouped", "kfold", "file"] = Field(
        "grouped",
        description="`grouped`: folds by patient, stratified by foreground. `kfold`: scikit-learn's "
        "KFold(folds, shuffle=True, random_state=seed) on the sorted case ids, as published folds are made. "
        "`file`: your own, see `file`.",
    )
    folds: int = Field(
        5, ge=1, le=100, description="Number of folds k; 1, a single training and test split, with kind `file` alone."
    )
    repeats: int = Field(
        1, ge=1, le=100, description="How often the k-fold split is drawn anew; repeat r uses seed + r."
    )
    run_folds: (
        Literal["all"]
        | Annotated[list[Annotated[int, Field(ge=0, le=9999)]], Field(min_length=1), AfterValidator(distinct)]
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
        description='JSON file for kind `file`: {"folds": [{"train": [cases], "test": [cases]}, ...], "holdout": '
        '[cases]}, one split {"train": [cases], "test": [cases]}, or nnU-Net\'s splits_final.json.',
    )
    seed: LibrarySeed = Field(1, description="Seed of the split.")

    @property
    def fold_numbers(self) -> list[int]:
        """The folds to run, in ascending order."""
        return list(range(self.folds * self.repeats)) if self.run_folds == "all" else sorted(self.run_folds)


# ---------------------------------------------------------------- train


class Loss(Section):
    """What is minimised."""

    kind: Literal[
        "ce", "dice", "ce_dice", "focal", "focal_dice", "tversky", "focal_tversky", "generalised_dice", "boundary",
        "cldice",
    ] = Field(
        "ce_dice",
        description="`ce` (cross-entropy), `dice` (soft Dice over the foreground labels), `ce_dice` (their sum), "
        "`focal`, `focal_dice` (its sum with soft Dice), `tversky`, `focal_tversky`, `generalised_dice`, `boundary` "
        "(with generalised Dice), `cldice` (with soft Dice, for thin structures); docs/losses.md.",
    )  # fmt: skip
    class_weights: Annotated[list[Annotated[float, Field(gt=0, le=1e6)]], Field(min_length=2)] | None = Field(
        None, description="Weight of each label in the cross-entropy, background first; null: all 1."
    )
    batch_dice: bool = Field(True, description="Dice over the whole batch rather than case by case.")
    smooth: float = Field(1e-5, ge=0, le=1000, description="Added to numerator and denominator of the soft Dice.")
    focal_gamma: float = Field(
        2.0, ge=0, le=10, description="Of focal losses: how little a voxel counts that is answered well; 0: not less."
    )
    tversky_alpha: float = Field(0.3, ge=0, le=10, description="Of Tversky losses: weight of false positives.")
    tversky_beta: float = Field(0.7, ge=0, le=10, description="Of Tversky losses: weight of false negatives.")
    tversky_gamma: float = Field(
        4 / 3, ge=1, le=5, description="Of focal_tversky: over 1, a label that is answered badly counts more."
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


class ChannelDropout(Section):
    p: Probability = Field(
        0.0, lt=1, description="Probability, for each channel by itself, that it is set to 0; one always stays."
    )


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
    channel_dropout: ChannelDropout = Field(
        ChannelDropout(), description="Missing channels, so that the network survives without them."
    )


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
    keep_probabilities: bool = Field(
        True,
        description="Keep each label's probability beside the label maps, in 8 bits: calibration and uncertainty are "
        "measured from them.",
    )


# keys of section evaluate that may be ``auto``: so many times the voxel size within a slice (`core.lengths`)
AUTO_LENGTHS = {"nsd_tolerance": 1.0, "calibration_margin": 5.0}


class Evaluate(Section):
    """Metrics on each case's own grid, in mm; empty masks by the policy in docs/evaluate.md."""

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


class Report(Section):
    """One HTML file that opens offline."""

    title: str = Field("refold experiment", min_length=1, max_length=200, description="Title of the report.")
    language: Literal["en", "zh"] = Field(
        "en", description="Language of the report: English, or Chinese in simplified characters."
    )
    cases: int = Field(1, ge=1, le=20, description="How many worst, median and best cases are pictured a method.")
    viewer_mb: float = Field(
        6,
        ge=0,
        le=100,
        description="Size in MB of the images and outlines to scroll through in the report. The worst, median and best "
        "cases go in first, then the worst of the rest, as many as fit; up to 10 also no more than keeps the page "
        "under 10 MB; 0: none.",
    )


# ---------------------------------------------------------------- one method's own settings


class Changes(Section):
    """Some keys of a section, for one method alone; those left out are as in that section."""

    partial: ClassVar[bool] = True  # for those who list keys: these stand in their section already

    @model_serializer(mode="wrap")
    def _given(self, handler: Any) -> dict[str, Any]:
        return {k: v for k, v in handler(self).items() if k in self.model_fields_set}

    def on(self, section: Section) -> Any:
        """``section`` with these changes; also of sections within it."""
        return type(section).model_validate(_merged(section.model_dump(), self.model_dump()))

    def over(self, earlier: Changes) -> Any:
        """Both changes, these where both have a key."""
        return type(self).model_validate(_merged(earlier.model_dump(), self.model_dump()))

    def gives(self, key: str) -> bool:
        """Whether a key such as ``loss.kind`` stands here."""
        first, _, rest = key.partition(".")
        if first not in self.model_fields_set:
            return False
        value = getattr(self, first)
        return value.gives(rest) if rest and isinstance(value, Changes) else True


def _merged(values: dict[str, Any], changes: dict[str, Any]) -> dict[str, Any]:
    return values | {k: _merged(values[k], v) if isinstance(v, dict) else v for k, v in changes.items()}


def _without_default(schema: dict[str, Any]) -> None:
    schema.pop("default", None)


def changes_of(section: type[Section], without: Collection[str] = ()) -> type[Changes]:
    """The model of `Changes` to ``section``: its keys but ``without``, with the same ranges, none of them needed."""
    fields: dict[str, Any] = {}
    for name, field in section.model_fields.items():
        if name in without:
            continue
        if isinstance(field.default, Section):
            inner = changes_of(type(field.default))
            fields[name] = (inner, Field(inner(), description=field.description, json_schema_extra=_without_default))
        else:
            annotation = Annotated[(field.annotation, *field.metadata)] if field.metadata else field.annotation
            fields[name] = (annotation, Field(None, description=field.description, json_schema_extra=_without_default))
    name = f"{section.__name__}Changes"
    doc = f"Changes to `{section.__name__.lower()}` for this method alone."
    return create_model(name, __base__=Changes, __doc__=doc, **fields)


TrainChanges = changes_of(Train)
AugmentChanges = changes_of(Augment)
# the rest is of the whole job
PredictChanges = changes_of(Predict, without=("threads", "instructions", "keep_probabilities"))
