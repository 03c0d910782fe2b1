"""The section `augment` of params.yaml: keys, defaults, ranges."""

from __future__ import annotations

from pydantic import Field

from refold.settings.base import Axes, Probability, Section, between


class Rotation(Section):
    p: Probability = Field(0.2, description="Probability; 0 switches it off.")
    degrees: float = Field(30.0, ge=0, le=180, description="Largest angle about each axis, drawn evenly, either way.")


class Scaling(Section):
    p: Probability = Field(0.2, description="Probability; 0 switches it off.")
    range: between(0.1, 10) = Field((0.7, 1.4), description="Factor; over 1 enlarges.")


class Crop(Section):
    p: Probability = Field(0.0, description="Probability; 0 switches it off.")
    range: between(0.1, 1) = Field(
        (0.8, 1.0),
        description="Share of the patch's edge that is kept, at a random place, and enlarged to the whole patch.",
    )


class Flip(Section):
    p: Probability = Field(0.5, description="Probability, for each axis by itself.")
    axes: Axes = Field(
        [],
        description="Axes that may be flipped: x (left-right), y (posterior-anterior), z (inferior-superior); "
        "none whose labels name a side.",
    )


class Noise(Section):
    p: Probability = Field(0.1, description="Probability; 0 switches it off.")
    variance: between(0, 100) = Field(
        (0.0, 0.1), description="Variance of Gaussian noise, in units of the normalised image."
    )


class Blur(Section):
    p: Probability = Field(0.1, description="Probability; 0 switches it off.")
    sigma: between(0, 20) = Field((0.5, 1.0), description="Standard deviation of the Gaussian, in voxels.")


class Brightness(Section):
    p: Probability = Field(0.15, description="Probability; 0 switches it off.")
    range: between(0, 100) = Field((0.75, 1.25), description="Factor.")


class Contrast(Section):
    p: Probability = Field(0.15, description="Probability; 0 switches it off.")
    range: between(0, 100) = Field(
        (0.75, 1.25), description="Factor about the mean; the result is kept in the former range."
    )


class LowResolution(Section):
    p: Probability = Field(0.125, description="Probability; 0 switches it off.")
    range: between(0.05, 1) = Field((0.5, 1.0), description="Factor of the resolution simulated.")


class Gamma(Section):
    p: Probability = Field(0.3, description="Probability; 0 switches it off.")
    range: between(0.05, 20) = Field((0.7, 1.5), description="Exponent; mean and standard deviation are kept.")


class GammaInverted(Gamma):
    p: Probability = Field(0.1, description="Probability; 0 switches it off.")


class ChannelDropout(Section):
    p: Probability = Field(
        0.0, lt=1, description="Probability, for each channel by itself, that it is set to 0; one always stays."
    )


class Augment(Section):
    """Random changes of training patches, each with its probability and range; `p: 0` switches one off.

    Defaults are nnU-Net's (Isensee et al. 2021), but for flips, which need axes named.
    """

    rotation: Rotation = Field(Rotation(), description="Rotation; in 2-D in the plane.")
    scaling: Scaling = Field(Scaling(), description="Scaling, the same for all axes.")
    crop: Crop = Field(Crop(), description="Random crop, enlarged to the patch.")
    flip: Flip = Field(Flip(), description="Mirror images.")
    noise: Noise = Field(Noise(), description="Gaussian noise.")
    blur: Blur = Field(Blur(), description="Gaussian blur.")
    brightness: Brightness = Field(Brightness(), description="Multiplication of the intensities.")
    contrast: Contrast = Field(Contrast(), description="Contrast.")
    low_resolution: LowResolution = Field(LowResolution(), description="Simulated low resolution.")
    gamma_inverted: GammaInverted = Field(GammaInverted(), description="Gamma on the inverted image.")
    gamma: Gamma = Field(Gamma(), description="Gamma.")
    channel_dropout: ChannelDropout = Field(
        ChannelDropout(), description="Missing channels, so that the network survives without them."
    )
