"""The U-Net, in 2-D and 3-D, as a Keras model from image patches to logits."""

from __future__ import annotations

from collections.abc import Sequence

import keras
import numpy as np
from keras import layers

from refold.core.params import UNet


def _initializer(kind: str, seed: int):
    if kind == "he":
        return keras.initializers.HeNormal(seed=seed)
    if kind == "glorot":
        return keras.initializers.GlorotUniform(seed=seed)
    return keras.initializers.RandomNormal(stddev=0.02, seed=seed)


def _normalisation(kind: str, name: str):
    if kind == "instance":
        return layers.GroupNormalization(groups=-1, epsilon=1e-5, name=name)
    if kind == "group":
        return layers.GroupNormalization(groups=8, epsilon=1e-5, name=name)
    return None


def unet(
    settings: UNet,
    strides: Sequence[Sequence[int]],
    channels: int,
    labels: int,
    initializer: str = "he",
    seed: int = 1,
    priors: Sequence[float] | None = None,
    deep_supervision: bool = False,
) -> keras.Model:
    """A U-Net (Ronneberger et al. 2015; Cicek et al. 2016) in nnU-Net's plain form (Isensee et al. 2021).

    Input (batch, x, y[, z], channels) of any size that the strides divide; output logits (batch, x, y[, z], labels),
    or with deep supervision a list of them, finest first.

    Args:
        settings: widths and layers.
        strides: pooling before each stage and axis; the first all ones.
        channels: of the image.
        labels: with the background.
        initializer: ``he``, ``glorot`` or ``gaussian``.
        seed: of the initial weights, each layer its own.
        priors: share of the voxels of each label in the training cases; the last layer starts with their logarithm as
            its bias, so that the first steps are not spent on learning that most voxels are background.
        deep_supervision: logits of every resolution but the two coarsest; with three stages or fewer the finest alone.
    """
    dimension = len(strides[0])
    conv = layers.Conv3D if dimension == 3 else layers.Conv2D
    transposed = layers.Conv3DTranspose if dimension == 3 else layers.Conv2DTranspose
    drop = layers.SpatialDropout3D if dimension == 3 else layers.SpatialDropout2D
    widths = [min(settings.features * 2**i, settings.max_features) for i in range(len(strides))]
    normalised = settings.normalisation != "none"
    counter = iter(range(10_000))

    def initial():
        return _initializer(initializer, seed * 10_007 + next(counter))

    def block(x, width, stride, name):
        for i in range(settings.convolutions):
            x = conv(
                width,
                3,
                strides=tuple(stride) if i == 0 else 1,
                padding="same",
                use_bias=not normalised,
                kernel_initializer=initial(),
                name=f"{name}_conv{i + 1}",
            )(x)
            if normalised:
                x = _normalisation(settings.normalisation, f"{name}_norm{i + 1}")(x)
            x = layers.LeakyReLU(negative_slope=0.01, name=f"{name}_act{i + 1}")(x)
        return x

    image = keras.Input((None,) * dimension + (channels,), name="image")
    x, skips = image, []
    for i, stride in enumerate(strides):
        x = block(x, widths[i], stride, f"down{i}")
        skips.append(x)
    if settings.dropout:
        x = drop(settings.dropout, seed=seed, name="dropout")(x)
    outputs = []
    for i in range(len(strides) - 2, -1, -1):
        step = tuple(strides[i + 1])
        x = transposed(widths[i], step, strides=step, kernel_initializer=initial(), use_bias=True, name=f"up{i}")(x)
        x = layers.Concatenate(name=f"join{i}")([skips[i], x])
        x = block(x, widths[i], (1,) * dimension, f"dec{i}")
        if i == 0 or (deep_supervision and i < len(strides) - 2):
            bias = "zeros" if priors is None else keras.initializers.Constant(np.log(np.maximum(priors, 1e-4)).tolist())
            head = conv(
                labels, 1, kernel_initializer=initial(), bias_initializer=bias, dtype="float32", name=f"logits{i}"
            )
            outputs.append(head(x))
    outputs.reverse()
    return keras.Model(image, outputs if len(outputs) > 1 else outputs[0], name="unet")
