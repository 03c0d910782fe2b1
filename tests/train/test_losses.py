"""Losses against values worked out by hand."""

import numpy as np
import pytest

from refold.core.params import Loss

tf = pytest.importorskip("tensorflow")
from refold.train import losses  # noqa: E402

Y = np.array([1, 0, 1, 0])
P = np.array([0.6, 0.4, 0.7, 0.3])  # of label 1


def _two_labels(p):
    return np.stack([1 - p, p], -1)[None].astype("float32")


def test_cross_entropy_of_the_article_put_right():
    # -log .6 - log .7 = 0.8675 over the foreground; with both terms 1.7350, mean 0.4338
    assert -np.sum(Y * np.log(P)) == pytest.approx(0.8675, abs=5e-5)
    value = losses.cross_entropy(np.log(_two_labels(P)), Y[None])
    assert float(value) == pytest.approx(0.4338, abs=5e-5)
    assert 4 * float(value) == pytest.approx(1.7350, abs=1e-4)


def test_dice_of_the_article_put_right():
    # 1 - 2 * 1.3 / (2.0 + 2.0)
    assert float(losses.soft_dice(_two_labels(P), Y[None], smooth=0)) == pytest.approx(0.35, abs=1e-6)


def test_sum_of_both():
    logits = np.log(_two_labels(P))
    both = losses.build(Loss(kind="ce_dice", smooth=0))(logits, Y[None])
    assert float(both) == pytest.approx(0.4338 + 0.35, abs=1e-4)
    assert float(losses.build(Loss(kind="ce"))(logits, Y[None])) == pytest.approx(0.4338, abs=5e-5)
    assert float(losses.build(Loss(kind="dice", smooth=0))(logits, Y[None])) == pytest.approx(0.35, abs=1e-6)


def test_class_weights_are_a_weighted_mean():
    logits = np.log(_two_labels(P))
    terms = -np.log(np.where(Y == 1, P, 1 - P))
    weights = np.where(Y == 1, 3.0, 1.0)
    expected = (terms * weights).sum() / weights.sum()
    assert float(losses.cross_entropy(logits, Y[None], [1.0, 3.0])) == pytest.approx(expected, rel=1e-6)


def test_batch_dice_pools_cases_and_case_dice_does_not():
    p = np.concatenate([_two_labels(np.array([1.0, 0.0])), _two_labels(np.array([0.5, 0.5]))])
    y = np.array([[1, 0], [0, 0]])
    # pooled: 2 * 1 / (2 + 1); by case: 1 and 0
    assert float(losses.soft_dice(p, y, smooth=0, batch=True)) == pytest.approx(1 - 2 / 3, abs=1e-6)
    assert float(losses.soft_dice(p, y, smooth=1e-9, batch=False)) == pytest.approx(0.5, abs=1e-6)


def test_an_absent_label_answered_by_nothing_costs_nothing():
    p, y = _two_labels(np.zeros(8)), np.zeros((1, 8), int)
    assert float(losses.soft_dice(p, y)) == pytest.approx(0, abs=1e-6)


def test_deep_supervision_weights_halve_and_sum_to_one():
    truth = np.zeros((1, 4, 4), np.uint8)
    truth[:, ::2, ::2] = 1  # every voxel that the coarse level looks at
    fine, coarse = np.zeros((1, 4, 4, 2), "float32"), np.zeros((1, 2, 2, 2), "float32")
    coarse[..., 1] = 20
    loss = losses.build(Loss(kind="ce"))
    value = losses.deep_supervision(loss, [tf.constant(fine), tf.constant(coarse)], tf.constant(truth))
    assert float(value) == pytest.approx(2 / 3 * np.log(2), abs=1e-6)


def test_bfloat16_logits_are_computed_in_float32():
    logits = tf.cast(np.log(_two_labels(P)), tf.bfloat16)
    assert losses.build(Loss())(logits, Y[None]).dtype == tf.float32
