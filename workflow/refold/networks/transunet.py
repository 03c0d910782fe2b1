"""The U-Net with a transformer at its coarsest stage."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import layers, ops

from refold.core.errors import RefoldError
from refold.networks.layers import Maker, Normalisation
from refold.networks.problem import Problem


class Transformer(layers.Layer):
    """One transformer block (Vaswani et al. 2017) over the voxels of a grid (batch, x, y[, z], width) of any size.

    Normalisation before attention and before the hidden layer. Where a voxel lies it learns from a depthwise
    convolution (Chu et al. 2023), so that the grid may be larger at prediction than in training.

    Args:
        width, heads, hidden: maps, attention heads, maps of the hidden layer. dimension: 2 or 3. seed: of the weights.
    """

    def __init__(self, width: int, heads: int, hidden: int, dimension: int, seed: int, **more: Any):
        super().__init__(**more)
        self.settings = {"width": width, "heads": heads, "hidden": hidden, "dimension": dimension, "seed": seed}
        initial = lambda i: keras.initializers.GlorotUniform(seed=seed + i)  # noqa: E731
        policy = {"dtype": self.dtype_policy}
        conv = layers.Conv3D if dimension == 3 else layers.Conv2D
        self.place = conv(
            width, 3, padding="same", groups=width, kernel_initializer=initial(0), name="place", **policy
        )  # fmt: skip
        self.first = layers.LayerNormalization(epsilon=1e-6, name="first", **policy)
        self.second = layers.LayerNormalization(epsilon=1e-6, name="second", **policy)
        names = ("query", "key", "value", "out")
        self.maps = [
            layers.Dense(width, kernel_initializer=initial(1 + i), name=n, **policy) for i, n in enumerate(names)
        ]
        self.grow = layers.Dense(hidden, activation="gelu", kernel_initializer=initial(5), name="grow", **policy)
        self.shrink = layers.Dense(width, kernel_initializer=initial(6), name="shrink", **policy)

    def build(self, shape: tuple[int | None, ...]) -> None:
        tokens = (None, None, self.settings["width"])
        self.place.build(shape)
        for part in (self.first, self.second, *self.maps, self.grow):
            part.build(tokens)
        self.shrink.build((None, None, self.settings["hidden"]))
        self.built = True

    def call(self, x: Any) -> Any:
        x = x + self.place(x)
        shape = ops.shape(x)
        width, heads = self.settings["width"], self.settings["heads"]
        tokens = ops.reshape(x, (shape[0], -1, width))
        normal = self.first(tokens)
        query, key, value = (
            ops.transpose(ops.reshape(part(normal), (shape[0], -1, heads, width // heads)), (0, 2, 1, 3))
            for part in self.maps[:3]
        )
        weights = ops.softmax(ops.matmul(query, ops.transpose(key, (0, 1, 3, 2))) * (width // heads) ** -0.5)
        seen = ops.reshape(ops.transpose(ops.matmul(weights, value), (0, 2, 1, 3)), (shape[0], -1, width))
        tokens = tokens + self.maps[3](seen)
        tokens = tokens + self.shrink(self.grow(self.second(tokens)))
        return ops.reshape(tokens, shape)

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return shape

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.settings}


def transunet(
    problem: Problem,
    widths: Sequence[int],
    blocks: int = 2,
    heads: int = 4,
    expansion: int = 2,
    normalisation: Normalisation = "instance",
) -> keras.Model:
    """A U-Net with `Transformer` blocks between encoder and decoder (Chen et al. 2021); in and out as the U-Net.

    Raises:
        RefoldError: the coarsest stage's width is no multiple of the heads.
    """
    make, strides = Maker(problem, normalisation), problem.strides
    width = widths[len(strides) - 1]
    if width % heads:
        raise RefoldError(
            f"heads: the coarsest of {len(strides)} stages has {width} maps, which {heads} heads cannot share;"
            " give a number of heads that divides it"
        )
    image = x = make.input()
    skips = []
    for i, stride in enumerate(strides):
        x = make.block(x, widths[i], stride, f"down{i}")
        skips.append(x)
    for b in range(blocks):
        hidden = expansion * width
        seed = problem.seed * 10_007 + 6_000 + 10 * b
        x = Transformer(width, heads, hidden, problem.dimension, seed, name=f"transformer{b + 1}")(x)
    outputs = []
    for i in range(len(strides) - 2, -1, -1):
        x = make.up(widths[i], strides[i + 1], name=f"up{i}")(x)
        x = layers.Concatenate(name=f"join{i}")([skips[i], x])
        x = make.block(x, widths[i], (1,) * problem.dimension, f"dec{i}")
        if i == 0 or (problem.deep_supervision and i < len(strides) - 2):
            outputs.append(make.head(f"logits{i}")(x))
    outputs.reverse()
    return keras.Model(image, outputs if len(outputs) > 1 else outputs[0], name="transunet")
