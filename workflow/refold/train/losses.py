"""Losses of segmentation networks, on logits.

Shapes: ``logits`` (batch, x, y[, z], labels) float, ``truth`` (batch, x, y[, z]) integer label indices.
Every loss returns a scalar and is computed in float32 whatever the network's precision.
"""

from __future__ import annotations

from collections.abc import Sequence

import tensorflow as tf

from refold.core.params import Loss


def cross_entropy(logits: tf.Tensor, truth: tf.Tensor, weights: Sequence[float] | None = None) -> tf.Tensor:
    """Mean over voxels of -log p(truth); with class weights the weighted mean (weights divided by their sum)."""
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(truth, tf.int32), tf.cast(logits, tf.float32))
    if weights is None:
        return tf.reduce_mean(losses)
    factor = tf.gather(tf.constant(weights, tf.float32), tf.cast(truth, tf.int32))
    return tf.reduce_sum(losses * factor) / tf.reduce_sum(factor)


def soft_dice(
    probabilities: tf.Tensor, truth: tf.Tensor, smooth: float = 1e-5, batch: bool = True, background: bool = False
) -> tf.Tensor:
    """1 - soft Dice, mean over labels (Milletari et al. 2016, with the plain sums of nnU-Net as denominator).

    Dice = (2 sum(p y) + smooth) / (sum(p) + sum(y) + smooth).

    Args:
        probabilities: (batch, x, y[, z], labels), summing to 1 over the labels.
        truth: (batch, x, y[, z]) label indices.
        smooth: keeps an absent label's Dice defined.
        batch: sums over the whole batch; otherwise a Dice for each case, then their mean.
        background: whether label 0 takes part.
    """
    labels = probabilities.shape[-1]
    probabilities = tf.cast(probabilities, tf.float32)
    onehot = tf.one_hot(tf.cast(truth, tf.int32), labels, dtype=tf.float32)
    first = 0 if background else 1
    axes = list(range(0 if batch else 1, probabilities.shape.rank - 1))
    # sums first, slices after: slicing the large arrays would copy them
    overlap = tf.reduce_sum(probabilities * onehot, axes)[..., first:]
    total = (tf.reduce_sum(probabilities, axes) + tf.reduce_sum(onehot, axes))[..., first:]
    return 1 - tf.reduce_mean((2 * overlap + smooth) / (total + smooth))


def build(settings: Loss):
    """The loss as ``f(logits, truth) -> scalar``."""

    def loss(logits: tf.Tensor, truth: tf.Tensor) -> tf.Tensor:
        value = tf.constant(0.0)
        if settings.kind in ("ce", "ce_dice"):
            value += cross_entropy(logits, truth, settings.class_weights)
        if settings.kind in ("dice", "ce_dice"):
            probabilities = tf.nn.softmax(tf.cast(logits, tf.float32))
            value += soft_dice(probabilities, truth, settings.smooth, settings.batch_dice)
        return value

    return loss


def deep_supervision(loss, outputs: Sequence[tf.Tensor], truth: tf.Tensor) -> tf.Tensor:
    """Weighted sum over the decoder's resolutions, finest first, weights 1/2^i made to sum to 1.

    The truth is subsampled by taking every n-th voxel, so that no label value is invented.
    """
    weights = [0.5**i for i in range(len(outputs))]
    total = tf.constant(0.0)
    for weight, logits in zip(weights, outputs, strict=True):
        steps = [t // o for t, o in zip(truth.shape[1:], logits.shape[1:-1], strict=True)]
        small = truth[(slice(None), *(slice(None, None, s) for s in steps))]
        total += weight / sum(weights) * loss(logits, small)
    return total
