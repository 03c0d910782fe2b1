"""The U-Net++: nested, dense skips."""

from __future__ import annotations

import keras
from keras import layers

from refold.methods.network import Problem
from refold.methods.unetplusplus import UNetPlusPlus
from refold.networks.layers import Maker


def unetplusplus(settings: UNetPlusPlus, problem: Problem) -> keras.Model:
    """A U-Net++ (Zhou et al. 2018). Input as of `refold.networks.unet`; output the logits of node (0, last).

    Node (i, j) joins nodes (i, 0) to (i, j - 1) with the upsampled (i + 1, j - 1). With deep supervision there are the
    logits of every node (0, j), deepest first, all at full resolution.
    """
    make, strides = Maker(problem, settings.normalisation), problem.strides
    same, depth = (1,) * problem.dimension, len(strides)
    image = x = make.input()
    columns: list[list] = [[] for _ in range(depth)]
    for i, stride in enumerate(strides):
        x = make.block(x, settings.width(i), stride, f"node{i}_0", settings.convolutions)
        columns[i].append(x)
    for j in range(1, depth):
        for i in range(depth - j):
            up = make.up(settings.width(i), strides[i + 1], name=f"up{i}_{j}")(columns[i + 1][j - 1])
            x = layers.Concatenate(name=f"join{i}_{j}")([*columns[i], up])
            columns[i].append(make.block(x, settings.width(i), same, f"node{i}_{j}", settings.convolutions))
    supervised = range(depth - 1, 0, -1) if problem.train.deep_supervision else [depth - 1]
    outputs = [make.head(f"logits{depth - 1 - j}")(columns[0][j]) for j in supervised]
    return keras.Model(image, outputs if len(outputs) > 1 else outputs[0], name="unetplusplus")
