"""Settings that the methods from certain voxels share."""

from __future__ import annotations

from typing import ClassVar

from pydantic import Field

from refold.methods.base import Classical, no_channel


class Seeded(Classical):
    """A method that starts from voxels of whose label intensity and place leave no doubt."""

    file: ClassVar[str] = "model.npz"

    channel: int = Field(0, ge=0, le=999)
    certainty: float = Field(0.9, gt=0.5, lt=1)

    def unsuited(self, data: str, channels: int, labels: int) -> list[tuple[str, str]]:
        fault = no_channel(self.channel, data, channels)
        return [("channel", fault)] if fault else []
