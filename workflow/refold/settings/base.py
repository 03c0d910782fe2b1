"""What the sections of params.yaml are built from: names, numbers with their ranges, and the base class."""

from __future__ import annotations

import difflib
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Annotated, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

NAME = r"^[A-Za-z0-9][A-Za-z0-9_.-]*$"
METHOD_NAME = r"^[a-z0-9][a-z0-9_-]*$"
Instructions = Literal["avx2", "native"]
Probability = Annotated[float, Field(ge=0, le=1)]
Seed = Annotated[int, Field(ge=0, le=2**53)]  # what JSON carries exactly
LibrarySeed = Annotated[int, Field(ge=0, le=2**32 - 101)]  # scikit-learn's and Keras's, with room for 100 repeats
Axis = Literal["x", "y", "z"]
CaseName = Annotated[str, Field(min_length=1, max_length=150)]
LabelName = Annotated[str, Field(min_length=1, max_length=100)]
Voxels = Annotated[list[Annotated[int, Field(ge=4, le=4096)]], Field(min_length=2, max_length=3)]


@dataclass(frozen=True)
class Words:
    """Annotation of a type whose constraint reads badly: what is allowed, for people."""

    text: str


def nearest(word: str, words: Iterable[str]) -> str:
    """`` (did you mean 'x'?)``, or nothing when no word is close."""
    known = {str(w).lower(): str(w) for w in words}
    close = difflib.get_close_matches(str(word).lower(), known, n=1, cutoff=0.6)
    return f" (did you mean {known[close[0]]!r}?)" if close else ""


class Section(BaseModel):
    model_config = ConfigDict(extra="forbid", strict=False, frozen=True, allow_inf_nan=False)


def _ordered(value: tuple[float, float]) -> tuple[float, float]:
    if value[0] > value[1]:
        raise ValueError(f"the lower end stands first: [{value[1]:g}, {value[0]:g}]")
    return value


End = TypeVar("End", bound=float)
Range = Annotated[tuple[End, End], AfterValidator(_ordered)]


def distinct(value: list) -> list:
    twice = next((v for v in value if value.count(v) > 1), None)
    if twice is not None:
        raise ValueError(f"{twice} stands twice")
    return value


Axes = Annotated[list[Axis], Field(json_schema_extra={"uniqueItems": True}), AfterValidator(distinct)]
