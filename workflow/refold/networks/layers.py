"""What the networks are put together from, in 2-D and 3-D, with seeded initial weights."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import count
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from refold.networks.problem import Problem

Normalisation = Literal["instance", "group", "none"]


class GroupNormalization(layers.GroupNormalization):
    """Keras's layer, on processors faster where each map is a group: instance normalisation (Ulyanov et al. 2016).

    Keras takes several passes over the maps; this gives each case to oneDNN's batch normalisation as a batch of one,
    which is the same thing. It is Keras's where that does not hold: with fewer groups than maps, on a GPU, or while
    the number of cases is not known. It is called as Keras's, so that a saved model can be opened with that one.
    """

    def __init__(self, groups: int = -1, epsilon: float = 1e-5, **more: Any):
        super().__init__(groups=groups, epsilon=epsilon, **more)

    def call(self, inputs: tf.Tensor) -> tf.Tensor:
        """(batch, x, y[, z], maps) to the same shape."""
        shape, maps = tf.shape(inputs), inputs.shape[-1]
        if self.groups != maps or inputs.shape[0] is None or tf.config.list_physical_devices("GPU"):
            return super().call(inputs)
        x = inputs
        if x.dtype == tf.bfloat16 and maps % 16:  # for these oneDNN has no fast bfloat16
            x = tf.cast(x, tf.float32)
        flat = tf.reshape(x, (shape[0], 1, shape[1], -1, maps))
        cases = [
            tf.raw_ops.FusedBatchNormV3(
                x=case,
                scale=tf.convert_to_tensor(self.gamma),
                offset=tf.convert_to_tensor(self.beta),
                mean=tf.zeros(0),
                variance=tf.zeros(0),
                epsilon=self.epsilon,
                is_training=True,
            ).y
            for case in tf.unstack(flat, num=inputs.shape[0])
        ]
        return tf.ensure_shape(tf.reshape(tf.cast(tf.concat(cases, 0), self.compute_dtype), shape), inputs.shape)


class Maker:
    """Makes the layers of one network; every one with weights takes the next seed.

    Args:
        problem: gives the number of axes, the seed, the initializer, and labels and priors of the last layer.
        normalisation: ``instance``, ``group`` (8 groups) or ``none``.
    """

    def __init__(self, problem: Problem, normalisation: Normalisation = "instance"):
        self.problem, self.normalisation = problem, normalisation
        self._seeds = count(problem.seed * 10_007)

    @property
    def dimension(self) -> int:
        return self.problem.dimension

    def seed(self) -> int:
        """The next seed."""
        return next(self._seeds)

    def initial(self) -> keras.initializers.Initializer:
        """The initializer of the next layer's weights."""
        kind, seed = self.problem.initializer, self.seed()
        if kind == "he":
            return keras.initializers.HeNormal(seed=seed)
        if kind == "glorot":
            return keras.initializers.GlorotUniform(seed=seed)
        return keras.initializers.RandomNormal(stddev=0.02, seed=seed)

    def input(self, size: Sequence[int] | None = None) -> keras.KerasTensor:
        """The image; of any size, or of ``size`` alone."""
        return keras.Input((*(size or (None,) * self.dimension), self.problem.channels), name="image")

    def conv(
        self, width: int, kernel: int | Sequence[int] = 3, stride: int | Sequence[int] = 1, **more: Any
    ) -> layers.Layer:
        kind = layers.Conv3D if self.dimension == 3 else layers.Conv2D
        stride = stride if isinstance(stride, int) else tuple(stride)
        more = {"padding": "same", "kernel_initializer": self.initial(), **more}
        return kind(width, kernel, strides=stride, **more)

    def up(self, width: int, step: Sequence[int], **more: Any) -> layers.Layer:
        """Transposed convolution that enlarges by ``step``."""
        kind = layers.Conv3DTranspose if self.dimension == 3 else layers.Conv2DTranspose
        return kind(width, tuple(step), strides=tuple(step), kernel_initializer=self.initial(), **more)

    def norm(self, name: str) -> layers.Layer | None:
        if self.normalisation == "none":
            return None
        groups = -1 if self.normalisation == "instance" else 8
        return GroupNormalization(groups=groups, name=name)

    def act(self, x, name: str):
        return layers.LeakyReLU(negative_slope=0.01, name=name)(x)

    def block(self, x, width: int, stride: Sequence[int], name: str, convolutions: int = 2):
        """Convolution, normalisation, leaky ReLU, so many times; the first convolution has the stride."""
        for i in range(convolutions):
            plain = self.normalisation == "none"
            x = self.conv(width, 3, stride if i == 0 else 1, use_bias=plain, name=f"{name}_conv{i + 1}")(x)
            norm = self.norm(f"{name}_norm{i + 1}")
            x = self.act(norm(x) if norm else x, f"{name}_act{i + 1}")
        return x

    def dropout(self, rate: float, name: str = "dropout") -> layers.Layer:
        kind = layers.SpatialDropout3D if self.dimension == 3 else layers.SpatialDropout2D
        return kind(rate, seed=self.problem.seed, name=name)

    def head(self, name: str = "logits0") -> layers.Layer:
        """Logits by a convolution of size 1, in float32.

        Its bias starts at the logarithm of the labels' priors, so that the first steps are not spent on learning that
        most voxels are background.
        """
        priors, bias = self.problem.priors, "zeros"
        if priors is not None:
            bias = keras.initializers.Constant(np.log(np.maximum(priors, 1e-4)).tolist())
        return self.conv(self.problem.labels, 1, bias_initializer=bias, dtype="float32", name=name)


def residual(make: Maker, x, width: int, stride: Sequence[int], name: str):
    """Two convolutions with normalisation, the input added before the last leaky ReLU (He et al. 2016).

    Where width or grid change, the input goes through a convolution of size 1 of its own.
    """
    plain, shortcut = make.normalisation == "none", x
    steps: tuple[Sequence[int] | int, ...] = (stride, 1)
    for i, step in enumerate(steps, start=1):
        x = make.conv(width, 3, step, use_bias=plain, name=f"{name}_conv{i}")(x)
        norm = make.norm(f"{name}_norm{i}")
        x = norm(x) if norm else x
        x = make.act(x, f"{name}_act1") if i == 1 else x
    if shortcut.shape[-1] != width or any(s > 1 for s in stride):
        if len(stride) == 2 and shortcut.shape[-1] < 8:
            # oneDNN's 2-D convolution of size 1 with a stride and under 8 channels writes beyond its memory on AVX2
            pick = layers.MaxPooling2D(1, tuple(stride), name=f"{name}_pick", dtype=shortcut.dtype)
            shortcut, stride = pick(shortcut), (1, 1)
        shortcut = make.conv(width, 1, stride, use_bias=plain, name=f"{name}_short")(shortcut)
        norm = make.norm(f"{name}_norm_short")
        shortcut = norm(shortcut) if norm else shortcut
    return make.act(layers.Add(name=f"{name}_add")([x, shortcut]), f"{name}_act2")
