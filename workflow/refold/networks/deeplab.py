"""DeepLabV3+ with a small encoder of its own, in 2-D and 3-D."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from refold.networks.layers import Maker, Normalisation, residual
from refold.networks.problem import Problem


def _activated(make: Maker, x, name: str):
    norm = make.norm(f"{name}_norm")
    return make.act(norm(x) if norm else x, f"{name}_act")


def deeplab(
    problem: Problem,
    widths: Sequence[int],
    dilations: Sequence[int] = (1, 2, 4),
    normalisation: Normalisation = "instance",
) -> keras.Model:
    """DeepLabV3+ (Chen et al. 2018). Input and output as of `refold.networks.unet`, one resolution of logits.

    A residual encoder, then at its coarsest grid a pyramid: a convolution of size 3 for each dilation (1: of size 1)
    and the mean over the whole image, joined. The decoder joins the pyramid, upsampled, with the second stage's
    features and goes to full resolution by transposed convolutions. Weights start at random: nothing is pretrained.
    """
    make, strides = Maker(problem, normalisation), problem.strides
    plain, dimension = normalisation == "none", problem.dimension
    image = x = make.input()
    stages = []
    for i, stride in enumerate(strides):
        x = residual(make, x, widths[i], stride, f"down{i}")
        stages.append(x)
    width = widths[len(strides) - 1]
    pyramid = []
    for step in dilations:
        kernel = 1 if step == 1 else 3
        branch = make.conv(width, kernel, dilation_rate=step, use_bias=plain, name=f"dilated{step}")(x)
        pyramid.append(_activated(make, branch, f"dilated{step}"))
    pool = layers.GlobalAveragePooling3D if dimension == 3 else layers.GlobalAveragePooling2D
    # of the mean over the image no instance norm: one value has no spread
    mean = make.act(make.conv(width, 1, name="pooled")(pool(keepdims=True, name="mean")(x)), "pooled_act")
    x = make.conv(width, 1, use_bias=plain, name="pyramid")(layers.Concatenate(name="scales")(pyramid))
    # a convolution of size 1 is a sum over its inputs: the mean need not be spread over the grid first
    x = layers.Add(name="context")([x, make.conv(width, 1, use_bias=False, name="pooled_pyramid")(mean)])
    x = _activated(make, x, "pyramid")
    for i in range(len(strides) - 2, -1, -1):
        x = make.up(widths[i], strides[i + 1], name=f"up{i}")(x)
        if i == 1:
            low = make.conv(widths[0], 1, use_bias=plain, name="low")(stages[1])
            x = layers.Concatenate(name="join")([_activated(make, low, "low"), x])
            x = make.block(x, widths[1], (1,) * dimension, "dec")
    x = make.block(x, widths[0], (1,) * dimension, "last", convolutions=1)
    return keras.Model(image, make.head()(x), name="deeplab")
