"""The plain CNN of a common tutorial, made fully convolutional."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from refold.methods.network import Network
from refold.networks.problem import Problem

Width = Annotated[int, Field(ge=1, le=2048)]


class CNN(Network):
    """A plain convolutional network without skips: two convolutions with max pooling, a dense layer, upsampling."""

    fewest_stages: ClassVar[int] = 3

    kind: Literal["cnn"] = "cnn"
    features: tuple[Width, Width] = Field((32, 64))
    dense: int = Field(64, ge=1, le=4096)

    @property
    def planned_stages(self) -> int:
        return 3  # two poolings

    def build(self, problem: Problem):
        from refold.networks.cnn import cnn

        return cnn(problem, self.features, self.dense)
