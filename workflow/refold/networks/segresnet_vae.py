"""Residual encoder-decoder with a variational autoencoder branch that regularises the training."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
from keras import layers, ops

from refold.networks.layers import Maker, Normalisation, residual
from refold.networks.problem import Problem


class VAE(layers.Layer):
    """Lets the encoder's features through; in training it adds the loss of a code that must rebuild the image.

    The code has ``latent`` Gaussian numbers at each voxel of the coarsest grid (Myronenko 2018 flattens
    it; a grid takes any size of image). Losses, as there: mean squared error of the rebuilt image, and the
    Kullback-Leibler divergence of the code from the standard normal, a mean over its numbers.

    Args:
        latent: numbers at a voxel. weight: of both losses. scale: voxels of the image a voxel of the features, an axis
        each. channels: of the image. width: feature maps while rebuilding. seed: of weights and codes.
    """

    def __init__(
        self, latent: int, weight: float, scale: Sequence[int], channels: int, width: int, seed: int, **more: Any
    ):
        super().__init__(**more)
        self.settings = {
            "latent": latent, "weight": weight, "scale": list(scale), "channels": channels, "width": width,
            "seed": seed,
        }  # fmt: skip
        conv = layers.Conv3D if len(scale) == 3 else layers.Conv2D
        up = layers.Conv3DTranspose if len(scale) == 3 else layers.Conv2DTranspose
        initial = lambda i: keras.initializers.HeNormal(seed=seed * 10_007 + 5_000 + i)  # noqa: E731
        common = {"padding": "same", "dtype": self.dtype_policy}
        self.mean = conv(latent, 3, kernel_initializer=initial(0), name="mean", **common)
        self.spread = conv(latent, 3, kernel_initializer=initial(1), name="spread", **common)
        self.grow = conv(width, 1, activation="leaky_relu", kernel_initializer=initial(2), name="grow", **common)
        self.rebuild = up(
            width, tuple(scale), strides=tuple(scale), activation="leaky_relu", kernel_initializer=initial(3),
            name="rebuild", **common,
        )  # fmt: skip
        self.image = conv(channels, 1, kernel_initializer=initial(4), name="image", **common)
        # drawn with the layer's own generator, whose state is a variable: a checkpoint goes on with the next numbers
        self.draws = keras.random.SeedGenerator(seed=seed + 1)

    def build(self, shapes: Sequence[tuple[int | None, ...]]) -> None:
        features = shapes[0]
        code = (*features[:-1], self.settings["latent"])
        self.mean.build(features)
        self.spread.build(features)
        self.grow.build(code)
        grown = (*features[:-1], self.settings["width"])
        self.rebuild.build(grown)
        self.image.build(grown)
        self.built = True

    def call(self, inputs: Sequence[Any], training: bool | None = None) -> Any:
        features, image = inputs
        if training:
            mean = ops.cast(self.mean(features), "float32")
            log_variance = ops.clip(ops.cast(self.spread(features), "float32"), -10, 10)
            noise = keras.random.normal(ops.shape(mean), seed=self.draws)
            code = mean + ops.exp(log_variance / 2) * noise
            rebuilt = self.image(self.rebuild(self.grow(ops.cast(code, features.dtype))))
            error = ops.mean(ops.square(ops.cast(rebuilt, "float32") - ops.cast(image, "float32")))
            divergence = ops.mean(ops.square(mean) + ops.exp(log_variance) - log_variance - 1) / 2
            self.add_loss(self.settings["weight"] * (error + divergence))
        return features

    def compute_output_shape(self, shapes: Sequence[tuple[int | None, ...]]) -> tuple[int | None, ...]:
        return tuple(shapes[0])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.settings}


def segresnet_vae(
    problem: Problem,
    widths: Sequence[int],
    latent: int = 16,
    vae_weight: float = 0.1,
    normalisation: Normalisation = "instance",
) -> keras.Model:
    """A residual U-Net whose skips are added, regularised by `VAE`; input and output as of `refold.networks.unet`."""
    make, strides = Maker(problem, normalisation), problem.strides
    image = x = make.input()
    skips, same = [], (1,) * problem.dimension
    for i, stride in enumerate(strides):
        x = residual(make, x, widths[i], stride, f"down{i}")
        skips.append(x)
    scale = np.prod(strides, axis=0).tolist()
    if vae_weight:
        numbers = latent, vae_weight, scale, problem.channels, widths[0], problem.seed
        x = VAE(*numbers, name="vae")([x, image])
    for i in range(len(strides) - 2, -1, -1):
        x = make.up(widths[i], strides[i + 1], name=f"up{i}")(x)
        x = layers.Add(name=f"join{i}")([skips[i], x])
        x = residual(make, x, widths[i], same, f"dec{i}")
    return keras.Model(image, make.head()(x), name="segresnet_vae")
