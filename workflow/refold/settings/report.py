"""The section `report` of params.yaml: keys, defaults, ranges."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from refold.settings.base import Section


class Report(Section):
    """One HTML file that opens offline."""

    title: str = Field("refold experiment", min_length=1, max_length=200)
    language: Literal["en", "zh"] = "en"
    cases: int = Field(1, ge=1, le=20)
    viewer_mb: float = Field(6, ge=0, le=100)
