"""The U-Net, in 2-D and 3-D, as a Keras model from image patches to logits."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Literal

import keras
from keras import layers

from refold.networks.layers import Maker, Normalisation
from refold.networks.problem import Problem


def _encoder(make: Maker, x: Any, widths: Sequence[int], convolutions: int, prefix: str = "") -> list:
    """The features of every stage, finest first."""
    skips = []
    for i, stride in enumerate(make.problem.strides):
        x = make.block(x, widths[i], stride, f"{prefix}down{i}", convolutions)
        skips.append(x)
    return skips


def unet(
    problem: Problem,
    widths: Sequence[int],
    convolutions: int = 2,
    dropout: float = 0.0,
    fusion: Literal["early", "late"] = "early",
    normalisation: Normalisation = "instance",
) -> keras.Model:
    """A U-Net (Ronneberger et al. 2015; Cicek et al. 2016) in nnU-Net's plain form (Isensee et al. 2021).

    Input (batch, x, y[, z], channels) of any size that the strides divide; output logits (batch, x, y[, z], labels), or
    with deep supervision a list of them, finest first: every resolution but the two coarsest.

    Args:
        widths: feature maps of each stage, finest first.
        convolutions: a stage.
        dropout: share of the coarsest stage's maps that is dropped.
        fusion: `late` gives each channel an encoder of its own.
        normalisation: see `Maker`.
    """
    make, strides = Maker(problem, normalisation), problem.strides
    image = make.input()
    if fusion == "late" and problem.channels > 1:
        encoded = [
            _encoder(make, image[..., c : c + 1], widths, convolutions, f"channel{c}_") for c in range(problem.channels)
        ]
        skips = [
            make.act(
                make.conv(widths[i], 1, name=f"fuse{i}")(layers.Concatenate(name=f"channels{i}")(each)), f"fused{i}"
            )
            for i, each in enumerate(zip(*encoded, strict=True))
        ]
    else:
        skips = _encoder(make, image, widths, convolutions)
    x = skips[-1]
    if dropout:
        x = make.dropout(dropout)(x)
    outputs = []
    for i in range(len(strides) - 2, -1, -1):
        x = make.up(widths[i], strides[i + 1], name=f"up{i}")(x)
        x = layers.Concatenate(name=f"join{i}")([skips[i], x])
        x = make.block(x, widths[i], (1,) * make.dimension, f"dec{i}", convolutions)
        if i == 0 or (problem.deep_supervision and i < len(strides) - 2):
            outputs.append(make.head(f"logits{i}")(x))
    outputs.reverse()
    return keras.Model(image, outputs if len(outputs) > 1 else outputs[0], name="unet")
