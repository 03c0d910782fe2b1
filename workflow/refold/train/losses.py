"""Losses of segmentation networks, on logits.

Shapes: ``logits`` (batch, x, y[, z], labels) float, ``truth`` (batch, x, y[, z]) integer label indices.
Every loss returns a scalar and is computed in float32 whatever the network's precision.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import numpy as np
import tensorflow as tf
from scipy import ndimage

from refold.settings.train import Loss


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


@tf.custom_gradient
def _log(x: tf.Tensor) -> tuple[tf.Tensor, Callable[[tf.Tensor], tf.Tensor]]:
    # TensorFlow's own gradient takes the processor's approximate reciprocal: other bits on AMD than on Intel
    return tf.math.log(x), lambda upstream: upstream / x


def ce_dice(
    logits: tf.Tensor,
    truth: tf.Tensor,
    weights: Sequence[float] | None = None,
    smooth: float = 1e-5,
    batch: bool = True,
) -> tf.Tensor:
    """`cross_entropy` plus `soft_dice` of the foreground labels, from logits.

    Label by label: TensorFlow is slow at softmax and sums over an axis as short as that of the labels. It takes less
    than half the time of the two.
    """
    planes = tf.unstack(tf.cast(logits, tf.float32), axis=-1)
    top = planes[0]
    for plane in planes[1:]:
        top = tf.maximum(top, plane)
    top = tf.stop_gradient(top)  # only keeps exp from overflowing
    planes = [plane - top for plane in planes]
    powers = [tf.exp(plane) for plane in planes]
    total = tf.add_n(powers)
    here = [tf.cast(tf.equal(tf.cast(truth, tf.int32), label), tf.float32) for label in range(len(planes))]
    losses = _log(total) - tf.add_n([plane * mask for plane, mask in zip(planes, here, strict=True)])
    if weights is None:
        value = tf.reduce_mean(losses)
    else:
        factor = tf.add_n([weight * mask for weight, mask in zip(weights, here, strict=True)])
        value = tf.reduce_sum(losses * factor) / tf.reduce_sum(factor)
    axes = list(range(0 if batch else 1, total.shape.rank))
    dice = []
    for power, mask in zip(powers[1:], here[1:], strict=True):
        p = power / total
        overlap, both = tf.reduce_sum(p * mask, axes), tf.reduce_sum(p, axes) + tf.reduce_sum(mask, axes)
        dice.append((2 * overlap + smooth) / (both + smooth))
    return value + 1 - tf.reduce_mean(dice)


def focal(logits: tf.Tensor, truth: tf.Tensor, gamma: float, weights: Sequence[float] | None = None) -> tf.Tensor:
    """Mean over voxels of -(1 - p)^gamma log p, p that of the truth (Lin et al. 2017); gamma 0: `cross_entropy`.

    What is predicted well already counts less, so that the many easy voxels do not drown the few hard ones.
    """
    losses = tf.nn.sparse_softmax_cross_entropy_with_logits(tf.cast(truth, tf.int32), tf.cast(logits, tf.float32))
    # 1 - exp(-loss) without losing the digits of a small loss
    losses *= tf.pow(tf.maximum(-tf.math.expm1(-losses), 1e-12), gamma)
    if weights is None:
        return tf.reduce_mean(losses)
    factor = tf.gather(tf.constant(weights, tf.float32), tf.cast(truth, tf.int32))
    return tf.reduce_sum(losses * factor) / tf.reduce_sum(factor)


def tversky(
    probabilities: tf.Tensor,
    truth: tf.Tensor,
    alpha: float,
    beta: float,
    gamma: float = 1.0,
    smooth: float = 1e-5,
    batch: bool = True,
) -> tf.Tensor:
    """Mean over the foreground labels of (1 - TP / (TP + alpha FP + beta FN))^(1 / gamma), sums soft.

    Salehi et al. 2017; with gamma over 1 the focal form of Abraham and Khan 2019. alpha = beta = 0.5 is `soft_dice`.

    Args:
        probabilities, truth, batch: as of `soft_dice`. smooth: added to numerator and denominator of the fraction.
    """
    labels = probabilities.shape[-1]
    probabilities = tf.cast(probabilities, tf.float32)
    onehot = tf.one_hot(tf.cast(truth, tf.int32), labels, dtype=tf.float32)
    axes = list(range(0 if batch else 1, probabilities.shape.rank - 1))
    hits = tf.reduce_sum(probabilities * onehot, axes)[..., 1:]
    false_positive = tf.reduce_sum(probabilities, axes)[..., 1:] - hits
    false_negative = tf.reduce_sum(onehot, axes)[..., 1:] - hits
    index = (hits + smooth) / (hits + alpha * false_positive + beta * false_negative + smooth)
    # the root's slope has no end at 0
    return tf.reduce_mean(tf.pow(tf.maximum(1 - index, 1e-7 if gamma > 1 else 0.0), 1 / gamma))


def generalised_dice(probabilities: tf.Tensor, truth: tf.Tensor, smooth: float = 1e-5) -> tf.Tensor:
    """1 - 2 sum_l w_l sum(p y) / sum_l w_l sum(p + y), w_l = 1 / (voxels of l)^2 (Sudre et al. 2017), over the batch.

    All labels take part, the background too; small ones count as much as large ones. A label that is absent gets the
    largest weight of those present: by the formula it would be infinite.
    """
    labels = probabilities.shape[-1]
    probabilities = tf.cast(probabilities, tf.float32)
    onehot = tf.one_hot(tf.cast(truth, tf.int32), labels, dtype=tf.float32)
    axes = list(range(probabilities.shape.rank - 1))
    voxels = tf.reduce_sum(onehot, axes)
    weights = tf.where(voxels > 0, 1 / tf.square(tf.maximum(voxels, 1)), 0)
    weights = tf.where(voxels > 0, weights, tf.reduce_max(weights))
    weights /= tf.reduce_max(weights)  # of order 1, whatever the patch's size: smooth then means the same
    overlap = tf.reduce_sum(weights * tf.reduce_sum(probabilities * onehot, axes))
    total = tf.reduce_sum(weights * (tf.reduce_sum(probabilities, axes) + voxels))
    return 1 - (2 * overlap + smooth) / (total + smooth)


def signed_distances(truth: np.ndarray, labels: int) -> np.ndarray:
    """Distance of each voxel to the border of each foreground label, in voxels, negative inside.

    Args:
        truth: (batch, x, y[, z]) label indices.

    Returns:
        (batch, x, y[, z], labels - 1) float32; 0 for a label that a case lacks.
    """
    out = np.zeros((*truth.shape, labels - 1), np.float32)
    for case, found in zip(truth, out, strict=True):
        for label in range(1, labels):
            mask = case == label
            if mask.any() and not mask.all():
                outside, inside = (ndimage.distance_transform_edt(m) for m in (~mask, mask))
                found[..., label - 1] = np.where(mask, 1 - inside, outside)
    return out


def boundary(probabilities: tf.Tensor, truth: tf.Tensor) -> tf.Tensor:
    """Mean over voxels and foreground labels of p times the `signed_distances` (Kervadec et al. 2019).

    A prediction costs the more the further it lies outside; it is below 0 where predictions lie inside.
    """
    labels, shape = probabilities.shape[-1], truth.shape
    maps = tf.numpy_function(lambda t: signed_distances(t, labels), [truth], tf.float32, stateful=False)
    maps = tf.stop_gradient(tf.ensure_shape(maps, (*shape, labels - 1)))
    return tf.reduce_mean(tf.cast(probabilities, tf.float32)[..., 1:] * maps)


def soft_skeleton(maps: tf.Tensor, iterations: int) -> tf.Tensor:
    """The soft skeleton of each map (batch, x, y[, z], labels) in 0..1 (Shit et al. 2021), by iterated pooling.

    Erosion takes the least of a voxel and its neighbours along each axis, dilation the most of a voxel and all around.
    """
    rank = maps.shape.rank - 2
    pool = tf.nn.max_pool2d if rank == 2 else tf.nn.max_pool3d

    def erode(x: tf.Tensor) -> tf.Tensor:
        along = [[3 if a == axis else 1 for a in range(rank)] for axis in range(rank)]
        return -tf.reduce_max(tf.stack([pool(-x, size, 1, "SAME") for size in along]), 0)

    def edges(x: tf.Tensor) -> tf.Tensor:
        return tf.nn.relu(x - pool(erode(x), [3] * rank, 1, "SAME"))

    skeleton = edges(maps)
    for _ in range(iterations):
        maps = erode(maps)
        found = edges(maps)
        skeleton += tf.nn.relu(found - skeleton * found)
    return skeleton


def cldice(
    probabilities: tf.Tensor, truth: tf.Tensor, iterations: int, smooth: float = 1e-5, batch: bool = True
) -> tf.Tensor:
    """1 - soft clDice, mean over the foreground labels (Shit et al. 2021).

    clDice is the harmonic mean of two shares: of the prediction's skeleton that lies in the truth, and of the
    truth's that lies in the prediction. A gap in a vessel costs much, its width little.
    """
    labels = probabilities.shape[-1]
    predicted = tf.cast(probabilities, tf.float32)[..., 1:]
    true = tf.one_hot(tf.cast(truth, tf.int32), labels, dtype=tf.float32)[..., 1:]
    axes = list(range(0 if batch else 1, probabilities.shape.rank - 1))
    thin, bone = soft_skeleton(predicted, iterations), soft_skeleton(true, iterations)
    precision = (tf.reduce_sum(thin * true, axes) + smooth) / (tf.reduce_sum(thin, axes) + smooth)
    sensitivity = (tf.reduce_sum(bone * predicted, axes) + smooth) / (tf.reduce_sum(bone, axes) + smooth)
    return 1 - tf.reduce_mean(2 * precision * sensitivity / tf.maximum(precision + sensitivity, 1e-12))


def build(settings: Loss):
    """The loss as ``f(logits, truth, progress=1) -> scalar``; progress is the share of the training done, 0 to 1."""
    s = settings

    def loss(logits: tf.Tensor, truth: tf.Tensor, progress: tf.Tensor | float = 1.0) -> tf.Tensor:
        if s.kind == "ce_dice":
            return ce_dice(logits, truth, s.class_weights, s.smooth, s.batch_dice)
        value = tf.constant(0.0)
        if s.kind == "ce":
            value += cross_entropy(logits, truth, s.class_weights)
        if s.kind in ("focal", "focal_dice"):
            value += focal(logits, truth, s.focal_gamma, s.class_weights)
        if s.kind in ("ce", "focal"):
            return value
        probabilities = tf.nn.softmax(tf.cast(logits, tf.float32))
        if s.kind in ("dice", "focal_dice"):
            value += soft_dice(probabilities, truth, s.smooth, s.batch_dice)
        elif s.kind in ("tversky", "focal_tversky"):
            gamma = s.tversky_gamma if s.kind == "focal_tversky" else 1.0
            value += tversky(probabilities, truth, s.tversky_alpha, s.tversky_beta, gamma, s.smooth, s.batch_dice)
        elif s.kind == "generalised_dice":
            value += generalised_dice(probabilities, truth, s.smooth)
        elif s.kind == "boundary":
            share = s.boundary_weight * tf.cast(progress, tf.float32)
            value += (1 - share) * generalised_dice(probabilities, truth, s.smooth)
            value += share * boundary(probabilities, truth)
        elif s.kind == "cldice":
            value += (1 - s.cldice_weight) * soft_dice(probabilities, truth, s.smooth, s.batch_dice)
            value += s.cldice_weight * cldice(probabilities, truth, s.cldice_iterations, s.smooth, s.batch_dice)
        return value

    return loss


def deep_supervision(
    loss, outputs: Sequence[tf.Tensor], truth: tf.Tensor, progress: tf.Tensor | float = 1.0
) -> tf.Tensor:
    """Weighted sum over the decoder's resolutions, finest first, weights 1/2^i made to sum to 1.

    The truth is subsampled by taking every n-th voxel, so that no label value is invented.
    """
    weights = [0.5**i for i in range(len(outputs))]
    total = tf.constant(0.0)
    for weight, logits in zip(weights, outputs, strict=True):
        steps = [t // o for t, o in zip(truth.shape[1:], logits.shape[1:-1], strict=True)]
        small = truth[(slice(None), *(slice(None, None, s) for s in steps))]
        total += weight / sum(weights) * loss(logits, small, progress)
    return total
