"""A segmentation network trained against a patch discriminator."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
import numpy as np
import tensorflow as tf
from keras import layers

from refold.networks.layers import Maker, Normalisation
from refold.networks.problem import Problem
from refold.settings.train import Train
from refold.train.loop import Trainer


def generator(problem: Problem, widths: Sequence[int], normalisation: Normalisation = "instance") -> keras.Model:
    """The plain U-Net that predicts; the discriminator exists in training alone."""
    make, strides = Maker(problem, normalisation), problem.strides
    image = x = make.input()
    skips = []
    for i, stride in enumerate(strides):
        x = make.block(x, widths[i], stride, f"down{i}")
        skips.append(x)
    for i in range(len(strides) - 2, -1, -1):
        x = make.up(widths[i], strides[i + 1], name=f"up{i}")(x)
        x = layers.Concatenate(name=f"join{i}")([skips[i], x])
        x = make.block(x, widths[i], (1,) * problem.dimension, f"dec{i}")
    return keras.Model(image, make.head()(x), name="adversarial")


def discriminator(features: int, dimension: int, channels: int, labels: int, seed: int) -> keras.Model:
    """A verdict (logit) for each region of an image with a label map (Isola et al. 2017).

    Input (batch, x, y[, z], channels + labels), the image and one map a label in 0..1; two strided convolutions, so
    that a verdict sees 18 voxels an axis. No normalisation: it would mix the true and the false of a batch.
    """
    conv = layers.Conv3D if dimension == 3 else layers.Conv2D
    image = x = keras.Input((*(None,) * dimension, channels + labels), name="pair")
    for i in range(2):
        initial = keras.initializers.HeNormal(seed=seed * 10_007 + 7_000 + i)
        x = conv(features * 2**i, 4, strides=2, padding="same", kernel_initializer=initial, name=f"look{i + 1}")(x)
        x = layers.LeakyReLU(negative_slope=0.2, name=f"look{i + 1}_act")(x)
    initial = keras.initializers.HeNormal(seed=seed * 10_007 + 7_002)
    x = conv(1, 3, padding="same", kernel_initializer=initial, dtype="float32", name="verdict")(x)
    return keras.Model(image, x, name="discriminator")


class AdversarialTrainer(Trainer):
    """Each step first improves the network against the discriminator as it stands, then the discriminator."""

    def __init__(
        self, network: keras.Model, settings: Train, *more: Any, weight: float = 0.05, features: int = 8,
        rate: float = 1e-3,
    ):  # fmt: skip
        """``weight``: of deceiving the discriminator. features, rate: its first maps, its learning rate (Adam)."""
        super().__init__(network, settings, *more)
        self.weight, self.labels = weight, network.output_shape[-1]
        self.critic = discriminator(
            features, len(network.input_shape) - 2, network.input_shape[-1], self.labels, settings.seed
        )
        self.critic_optimizer = keras.optimizers.Adam(rate, beta_1=0.5)
        self.critic_optimizer.build(self.critic.trainable_variables)

    def _extra_loss(self, image: tf.Tensor, logits: tf.Tensor) -> tf.Tensor:
        """How far the discriminator is from taking the prediction for the truth."""
        predicted = tf.nn.softmax(tf.cast(logits, tf.float32))
        verdict = self.critic(tf.concat([tf.cast(image, tf.float32), predicted], -1), training=True)
        return self.weight * _cross_entropy(verdict, 1.0)

    def _after_step(self, image: tf.Tensor, label: tf.Tensor, logits: tf.Tensor) -> None:
        """Teach the discriminator the truth and the prediction that was made."""
        image = tf.cast(image, tf.float32)
        predicted = tf.stop_gradient(tf.nn.softmax(tf.cast(logits, tf.float32)))
        truth = tf.one_hot(tf.cast(label, tf.int32), self.labels, dtype=tf.float32)
        variables = self.critic.trainable_variables
        with tf.GradientTape() as tape:
            true = self.critic(tf.concat([image, truth], -1), training=True)
            false = self.critic(tf.concat([image, predicted], -1), training=True)
            loss = (_cross_entropy(true, 1.0) + _cross_entropy(false, 0.0)) / 2
        self.critic_optimizer.apply(tape.gradient(loss, [v.value for v in variables]), variables)

    def _state(self) -> dict[str, list[Any]]:
        return {
            **super()._state(),
            "critic": self.critic.variables,
            "critic_optimizer": self.critic_optimizer.variables,
        }


def _cross_entropy(verdict: tf.Tensor, truth: float) -> tf.Tensor:
    return tf.reduce_mean(
        tf.nn.sigmoid_cross_entropy_with_logits(labels=tf.fill(tf.shape(verdict), np.float32(truth)), logits=verdict)
    )
