"""The U-Net, in 2-D and 3-D, as a Keras model from image patches to logits."""

from __future__ import annotations

import keras
from keras import layers

from refold.methods.network import Problem
from refold.methods.unet import UNet
from refold.networks.layers import Maker


def _encoder(make: Maker, settings: UNet, x, prefix: str = "") -> list:
    """The features of every stage, finest first."""
    skips = []
    for i, stride in enumerate(make.problem.strides):
        x = make.block(x, settings.width(i), stride, f"{prefix}down{i}", settings.convolutions)
        skips.append(x)
    return skips


def unet(settings: UNet, problem: Problem) -> keras.Model:
    """A U-Net (Ronneberger et al. 2015; Cicek et al. 2016) in nnU-Net's plain form (Isensee et al. 2021).

    Input (batch, x, y[, z], channels) of any size that the strides divide; output logits (batch, x, y[, z], labels), or
    with deep supervision a list of them, finest first: every resolution but the two coarsest.
    """
    make, strides = Maker(problem, settings.normalisation), problem.strides
    widths = [settings.width(i) for i in range(len(strides))]
    image = make.input()
    if settings.fusion == "late" and problem.channels > 1:
        encoded = [_encoder(make, settings, image[..., c : c + 1], f"channel{c}_") for c in range(problem.channels)]
        skips = [
            make.act(
                make.conv(widths[i], 1, name=f"fuse{i}")(layers.Concatenate(name=f"channels{i}")(each)), f"fused{i}"
            )
            for i, each in enumerate(zip(*encoded, strict=True))
        ]
    else:
        skips = _encoder(make, settings, image)
    x = skips[-1]
    if settings.dropout:
        x = make.dropout(settings.dropout)(x)
    outputs = []
    for i in range(len(strides) - 2, -1, -1):
        x = make.up(widths[i], strides[i + 1], name=f"up{i}")(x)
        x = layers.Concatenate(name=f"join{i}")([skips[i], x])
        x = make.block(x, widths[i], (1,) * make.dimension, f"dec{i}", settings.convolutions)
        if i == 0 or (problem.train.deep_supervision and i < len(strides) - 2):
            outputs.append(make.head(f"logits{i}")(x))
    outputs.reverse()
    return keras.Model(image, outputs if len(outputs) > 1 else outputs[0], name="unet")
