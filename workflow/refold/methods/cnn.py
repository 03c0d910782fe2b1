"""The plain CNN of a common tutorial, made fully convolutional."""

from __future__ import annotations

from typing import Annotated, ClassVar, Literal

from pydantic import Field

from refold.core.language import N_, _
from refold.methods.base import About
from refold.methods.network import Network, Problem

Width = Annotated[int, Field(ge=1, le=2048)]


class CNN(Network):
    """A plain convolutional network without skips: two convolutions with max pooling, a dense layer, upsampling."""

    title: ClassVar[str] = N_("plain convolutional network")
    references: ClassVar[dict[str, str]] = {
        "fcn": "Long J, Shelhamer E, Darrell T. Fully convolutional networks for semantic segmentation. CVPR 2015."
    }
    sources: ClassVar[tuple[str, ...]] = ("fcn",)
    fewest_stages: ClassVar[int] = 3

    kind: Literal["cnn"] = Field("cnn", description="Plain CNN.")
    features: tuple[Width, Width] = Field((32, 64), description="Feature maps of the two convolutions.")
    dense: int = Field(64, ge=1, le=4096, description="Units of the dense layer, a convolution of size 1.")

    @property
    def planned_stages(self) -> int:
        return 3  # two poolings

    def build(self, problem: Problem):
        from refold.networks.cnn import cnn

        return cnn(self, problem)

    def details(self, about: About) -> list[str]:
        one, two = self.features
        return [
            _("two stages of convolution, ReLU and max pooling ({one} and {two} feature maps)", one=one, two=two),
            _("a dense layer of {units} units as a convolution of size 1", units=self.dense),
            _("upsampling by transposed convolutions"),
        ]
