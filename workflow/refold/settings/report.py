"""The section `report` of params.yaml: keys, defaults, ranges."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from refold.settings.base import Section


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
