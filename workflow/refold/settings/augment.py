"""The section `augment` of params.yaml: keys, defaults, ranges."""

from __future__ import annotations

from pydantic import Field

from refold.settings.base import Axes, Probability, Section, between


class Rotation(Section):
    p: Probability = 0.2
    degrees: float = Field(30.0, ge=0, le=180)


class Scaling(Section):
    p: Probability = 0.2
    range: between(0.1, 10) = Field((0.7, 1.4))


class Crop(Section):
    p: Probability = 0.0
    range: between(0.1, 1) = Field((0.8, 1.0))


class Flip(Section):
    p: Probability = 0.5
    axes: Axes = Field([])


class Noise(Section):
    p: Probability = 0.1
    variance: between(0, 100) = Field((0.0, 0.1))


class Blur(Section):
    p: Probability = 0.1
    sigma: between(0, 20) = Field((0.5, 1.0))


class Brightness(Section):
    p: Probability = 0.15
    range: between(0, 100) = Field((0.75, 1.25))


class Contrast(Section):
    p: Probability = 0.15
    range: between(0, 100) = Field((0.75, 1.25))


class LowResolution(Section):
    p: Probability = 0.125
    range: between(0.05, 1) = Field((0.5, 1.0))


class Gamma(Section):
    p: Probability = 0.3
    range: between(0.05, 20) = Field((0.7, 1.5))


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
