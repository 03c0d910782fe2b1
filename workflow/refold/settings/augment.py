"""The section `augment` of params.yaml: keys, defaults, ranges."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from refold.settings.base import Axes, Probability, Range, Section


class Rotation(Section):
    p: Probability = 0.2
    degrees: float = Field(30.0, ge=0, le=180)


class Scaling(Section):
    p: Probability = 0.2
    range: Range[Annotated[float, Field(ge=0.1, le=10)]] = (0.7, 1.4)


class Crop(Section):
    p: Probability = 0.0
    range: Range[Annotated[float, Field(ge=0.1, le=1)]] = (0.8, 1.0)


class Flip(Section):
    p: Probability = 0.5
    axes: Axes = Field([])


class Noise(Section):
    p: Probability = 0.1
    variance: Range[Annotated[float, Field(ge=0, le=100)]] = (0.0, 0.1)


class Blur(Section):
    p: Probability = 0.1
    sigma: Range[Annotated[float, Field(ge=0, le=20)]] = (0.5, 1.0)


class Brightness(Section):
    p: Probability = 0.15
    range: Range[Annotated[float, Field(ge=0, le=100)]] = (0.75, 1.25)


class Contrast(Section):
    p: Probability = 0.15
    range: Range[Annotated[float, Field(ge=0, le=100)]] = (0.75, 1.25)


class LowResolution(Section):
    p: Probability = 0.125
    range: Range[Annotated[float, Field(ge=0.05, le=1)]] = (0.5, 1.0)


class Gamma(Section):
    p: Probability = 0.3
    range: Range[Annotated[float, Field(ge=0.05, le=20)]] = (0.7, 1.5)


class GammaInverted(Gamma):
    p: Probability = 0.1


class ChannelDropout(Section):
    p: Probability = Field(0.0, lt=1)


class Augment(Section):
    """Random changes of training patches, each with its probability and range; `p: 0` switches one off.

    Defaults are nnU-Net's (Isensee et al. 2021), but for flips, which need axes named.
    """

    rotation: Rotation = Rotation()
    scaling: Scaling = Scaling()
    crop: Crop = Crop()
    flip: Flip = Flip()
    noise: Noise = Noise()
    blur: Blur = Blur()
    brightness: Brightness = Brightness()
    contrast: Contrast = Contrast()
    low_resolution: LowResolution = LowResolution()
    gamma_inverted: GammaInverted = GammaInverted()
    gamma: Gamma = Gamma()
    channel_dropout: ChannelDropout = ChannelDropout()
