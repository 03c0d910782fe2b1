"""The plain CNN of a common tutorial, made fully convolutional."""

from __future__ import annotations

from collections.abc import Sequence

import keras
from keras import layers

from refold.networks.layers import Maker
from refold.networks.problem import Problem


def cnn(problem: Problem, features: Sequence[int] = (32, 64), dense: int = 64) -> keras.Model:
    """Convolution, ReLU, max pooling, twice; a dense layer as a convolution of size 1; transposed convolutions back.

    The tutorial's layers end in Flatten and Dense(1), one number an image. Here the dense layer keeps the grid (Long et
    al. 2015), and each pooling is undone by a transposed convolution of its own size. There are no skips: what pooling
    loses stays lost, and what a U-Net gains over this network is what skips and depth are worth.
    """
    make = Maker(problem, "none")
    pool = layers.MaxPooling3D if problem.dimension == 3 else layers.MaxPooling2D
    image = x = make.input()
    for i, width in enumerate(features):
        x = make.conv(width, 3, activation="relu", name=f"conv{i + 1}")(x)
        x = pool(problem.strides[i + 1], name=f"pool{i + 1}")(x)
    x = make.conv(dense, 1, activation="relu", name="dense")(x)
    for i, width in reversed(list(enumerate(features))):
        x = make.up(width, problem.strides[i + 1], activation="relu", name=f"up{i + 1}")(x)
    return keras.Model(image, make.head()(x), name="cnn")
