"""The U-Net with residual blocks."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from refold.networks.layers import Maker, Normalisation, residual
from refold.networks.problem import Problem


def residual_unet(
    problem: Problem, widths: Sequence[int], blocks: int = 1, normalisation: Normalisation = "instance"
) -> keras.Model:
    """The U-Net of `refold.networks.unet` with `residual` blocks (Zhang et al. 2018); input and outputs as there."""
    make, strides = Maker(problem, normalisation), problem.strides
    image = x = make.input()
    skips, same = [], (1,) * problem.dimension
    for i, stride in enumerate(strides):
        for b in range(blocks):
            x = residual(make, x, widths[i], same if b else stride, f"down{i}_{b + 1}")
        skips.append(x)
    outputs = []
    for i in range(len(strides) - 2, -1, -1):
        x = make.up(widths[i], strides[i + 1], name=f"up{i}")(x)
        x = layers.Concatenate(name=f"join{i}")([skips[i], x])
        x = residual(make, x, widths[i], same, f"dec{i}")
        if i == 0 or (problem.deep_supervision and i < len(strides) - 2):
            outputs.append(make.head(f"logits{i}")(x))
    outputs.reverse()
    return keras.Model(image, outputs if len(outputs) > 1 else outputs[0], name="residual_unet")
