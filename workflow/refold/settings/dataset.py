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

    seed: Seed = 1
    patients: int = Field(40, ge=4, le=1000)
    second_scans: int = Field(8, ge=0, le=1000)
    without_lesion: Probability = 0.15
    size: int = Field(40, ge=24, le=128)


class Dataset(Section):
    """Which data: the embedded phantom, a Decathlon task by name, or a folder or archive of your own."""

    name: Annotated[str, Words("letters, digits, `_`, `.` and `-`, a letter or digit first")] = Field(
        "phantom", pattern=NAME, max_length=100
    )
    source: str | None = Field(None, min_length=1)
    patient_pattern: str | None = Field(None, min_length=1)
    patient_table: str | None = Field(None, min_length=1)
    colours: dict[LabelName, Colours] = Field({})
    pixels: Literal["shown", "stored"] | None = None
    exclude: dict[CaseName, Annotated[str, Field(min_length=1, max_length=500), Words("text, the reason")]] = Field({})
    phantom: Phantom = Phantom()

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
