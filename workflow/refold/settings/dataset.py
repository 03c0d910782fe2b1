"""The section `dataset` of params.yaml: keys, defaults, ranges."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field, field_validator

from refold.settings.base import NAME, CaseName, LabelName, Probability, Section, Seed, Words

# Channels and labels (with the background) of the known data sets: medicaldecathlon.com, docs/reference/phantom.md
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
