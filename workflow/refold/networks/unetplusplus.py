"""The U-Net++: nested, dense skips."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from refold.networks.layers import Maker, Normalisation
from refold.networks.problem import Problem


def unetplusplus(
    problem: Problem, widths: Sequence[int], convolutions: int = 1, normalisation: Normalisation = "instance"
) -> keras.Model:
    """A U-Net++ (Zhou et al. 2018). Input as of `refold.networks.unet`; output the logits of node (0, last).

    Node (i, j) joins nodes (i, 0) to (i, j - 1) with the upsampled (i + 1, j - 1). With deep supervision there are the
    logits of every node (0, j), deepest first, all at full resolution.
    """
    make, strides = Maker(problem, normalisation), problem.strides
    same, depth = (1,) * problem.dimension, len(strides)
    image = x = make.input()
    columns: list[list] = [[] for _ in range(depth)]
    for i, stride in enumerate(strides):
        x = make.block(x, widths[i], stride, f"node{i}_0", convolutions)
        columns[i].append(x)
    for j in range(1, depth):
        for i in range(depth - j):
            up = make.up(widths[i], strides[i + 1], name=f"up{i}_{j}")(columns[i + 1][j - 1])
            x = layers.Concatenate(name=f"join{i}_{j}")([*columns[i], up])
            columns[i].append(make.block(x, widths[i], same, f"node{i}_{j}", convolutions))
    supervised = range(depth - 1, 0, -1) if problem.deep_supervision else [depth - 1]
    outputs = [make.head(f"logits{depth - 1 - j}")(columns[0][j]) for j in supervised]
    return keras.Model(image, outputs if len(outputs) > 1 else outputs[0], name="unetplusplus")
