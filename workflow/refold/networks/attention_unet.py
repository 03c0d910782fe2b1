"""The U-Net with attention gates on its skips."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from refold.networks.layers import Maker, Normalisation
from refold.networks.problem import Problem


def gate(make: Maker, skip, signal, name: str):
    """``skip`` times a weight in 0..1 a voxel, from the skip and the decoder's ``signal`` on the same grid.

    Additive attention (Oktay et al. 2018), half as wide as the skip. The gating signal is the upsampled decoder, so
    that the weights are on the skip's own grid and need no interpolation.
    """
    width = max(1, skip.shape[-1] // 2)
    both = layers.Add(name=f"{name}_add")(
        [
            make.conv(width, 1, use_bias=False, name=f"{name}_skip")(skip),
            make.conv(width, 1, name=f"{name}_signal")(signal),
        ]
    )
    weight = make.conv(1, 1, activation="sigmoid", name=f"{name}_weight")(layers.ReLU(name=f"{name}_relu")(both))
    return layers.Multiply(name=name)([skip, weight])


def attention_unet(problem: Problem, widths: Sequence[int], normalisation: Normalisation = "instance") -> keras.Model:
    """The U-Net of `refold.networks.unet` with a `gate` on each skip; input and outputs as there."""
    make, strides = Maker(problem, normalisation), problem.strides
    image = x = make.input()
    skips = []
    for i, stride in enumerate(strides):
        x = make.block(x, widths[i], stride, f"down{i}")
        skips.append(x)
    outputs = []
    for i in range(len(strides) - 2, -1, -1):
        x = make.up(widths[i], strides[i + 1], name=f"up{i}")(x)
        x = layers.Concatenate(name=f"join{i}")([gate(make, skips[i], x, f"gate{i}"), x])
        x = make.block(x, widths[i], (1,) * problem.dimension, f"dec{i}")
        if i == 0 or (problem.deep_supervision and i < len(strides) - 2):
            outputs.append(make.head(f"logits{i}")(x))
    outputs.reverse()
    return keras.Model(image, outputs if len(outputs) > 1 else outputs[0], name="attention_unet")
