"""The 2-D U-Net over slices with convolutional LSTMs across them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from refold.networks.layers import Maker, Normalisation
from refold.networks.problem import Problem


class SliceLSTM(layers.Layer):
    """A convolutional LSTM (Shi et al. 2015) from slice to slice along z; (batch, x, y, z, c) in, ``width`` maps out.

    Keras's own ConvLSTM2D takes one size of slices only. Gates are the input's convolution plus the state's, with the
    usual order input, forget, cell, output; the forget gate starts open.

    Args:
        width: maps of state and output. backwards: from the last slice to the first. seed: of the weights.
    """

    def __init__(self, width: int, backwards: bool, seed: int, **more: Any):
        super().__init__(**more)
        self.width, self.backwards, self.seed = width, backwards, seed

    def build(self, shape: tuple[int | None, ...]) -> None:
        glorot = keras.initializers.GlorotUniform(seed=self.seed)
        orthogonal = keras.initializers.Orthogonal(seed=self.seed + 1)
        gates = 4 * self.width
        self.kernel = self.add_weight(shape=(3, 3, shape[-1], gates), initializer=glorot, name="kernel")
        self.recurrent = self.add_weight(shape=(3, 3, self.width, gates), initializer=orthogonal, name="state_kernel")
        self.bias = self.add_weight(shape=(gates,), initializer="zeros", name="bias")
        self.built = True

    def call(self, x: Any) -> Any:
        slices = tf.transpose(x, (3, 0, 1, 2, 4))
        shape = tf.shape(slices)
        kernel, recurrent = (tf.cast(w.value, x.dtype) for w in (self.kernel, self.recurrent))
        # the input's share of all slices at once
        inputs = tf.nn.conv2d(tf.reshape(slices, (-1, shape[2], shape[3], slices.shape[-1])), kernel, 1, "SAME")
        inputs = tf.reshape(inputs + tf.cast(self.bias.value, x.dtype), (*tf.unstack(shape[:4]), 4 * self.width))
        start = tf.zeros((*tf.unstack(shape[1:4]), self.width), x.dtype)

        def step(state: tuple[Any, Any], given: Any) -> tuple[Any, Any]:
            hidden, cell = state
            gates = given + tf.nn.conv2d(hidden, recurrent, 1, "SAME")
            enter, forget, new, leave = tf.split(gates, 4, axis=-1)
            cell = tf.sigmoid(forget + 1) * cell + tf.sigmoid(enter) * tf.tanh(new)
            return tf.sigmoid(leave) * tf.tanh(cell), cell

        hidden, _ = tf.scan(step, inputs, (start, start), reverse=self.backwards)
        hidden = tf.transpose(hidden, (1, 2, 3, 0, 4))
        return tf.ensure_shape(hidden, (*x.shape[:4], self.width))

    def compute_output_shape(self, shape: tuple[int | None, ...]) -> tuple[int | None, ...]:
        return (*shape[:-1], self.width)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "width": self.width, "backwards": self.backwards, "seed": self.seed}


def convlstm_unet(problem: Problem, widths: Sequence[int], normalisation: Normalisation = "instance") -> keras.Model:
    """Slices through a 2-D U-Net; at its coarsest stage they see each other (Chen et al. 2016).

    Input (batch, x, y, z, channels), any number of slices; x and y as the strides divide. Convolutions are 3 x 3 x 1.
    """
    make, strides = Maker(problem, normalisation), problem.strides
    plain = normalisation == "none"

    def block(x, width: int, stride, name: str):
        for i, step in enumerate((stride, 1), start=1):
            x = make.conv(width, (3, 3, 1), step, use_bias=plain, name=f"{name}_conv{i}")(x)
            norm = make.norm(f"{name}_norm{i}")
            x = make.act(norm(x) if norm else x, f"{name}_act{i}")
        return x

    image = x = make.input()
    skips = []
    for i, stride in enumerate(strides):
        x = block(x, widths[i], stride, f"down{i}")
        skips.append(x)
    width = widths[len(strides) - 1] // 2 or 1
    both = [SliceLSTM(width, way == "up", make.seed(), name=f"lstm_{way}")(x) for way in ("down", "up")]
    x = layers.Concatenate(name="both_ways")([x, *both])
    for i in range(len(strides) - 2, -1, -1):
        x = make.up(widths[i], strides[i + 1], name=f"up{i}")(x)
        x = layers.Concatenate(name=f"join{i}")([skips[i], x])
        x = block(x, widths[i], (1, 1, 1), f"dec{i}")
    return keras.Model(image, make.head()(x), name="convlstm_unet")
