"""Losses against values worked out by hand."""

import numpy as np
import pytest

from refold.settings.train import Loss

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


@pytest.mark.parametrize("weights", [None, [1.0, 2.0, 3.0]])
@pytest.mark.parametrize("batch", [True, False])
def test_both_at_once_are_the_sum_of_the_two(weights, batch):
    random = np.random.default_rng(4)
    logits = tf.constant(random.normal(0, 30, (2, 6, 5, 4, 3)).astype("float32"))  # e^90 has no place in float32
    truth = tf.constant(random.integers(0, 3, (2, 6, 5, 4)).astype("uint8"))

    def both(z):
        return losses.ce_dice(z, truth, weights, 0.1, batch)

    def one_by_one(z):
        return losses.cross_entropy(z, truth, weights) + losses.soft_dice(tf.nn.softmax(z), truth, 0.1, batch)

    found = []
    for loss in (both, one_by_one):
        with tf.GradientTape() as tape:
            tape.watch(logits)
            value = loss(logits)
        found.append((float(value), tape.gradient(value, logits).numpy()))
    assert found[0][0] == pytest.approx(found[1][0], rel=1e-5)
    np.testing.assert_allclose(found[0][1], found[1][1], rtol=1e-3, atol=1e-7)


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


# ---------------------------------------------------------------- focal and Tversky


def test_focal_by_hand():
    """p of the truth: .6, .6, .7, .7."""
    true = np.where(Y == 1, P, 1 - P)
    expected = np.mean((1 - true) ** 2 * -np.log(true))  # (.16 * .5108 + .09 * .3567) / 2 = 0.0569
    assert expected == pytest.approx(0.0569, abs=5e-5)
    logits = np.log(_two_labels(P))
    assert float(losses.focal(logits, Y[None], 2.0)) == pytest.approx(expected, rel=1e-5)
    assert float(losses.focal(logits, Y[None], 0.0)) == pytest.approx(float(losses.cross_entropy(logits, Y[None])))
    weights = np.where(Y == 1, 3.0, 1.0)
    weighted = ((1 - true) ** 2 * -np.log(true) * weights).sum() / weights.sum()
    assert float(losses.focal(logits, Y[None], 2.0, [1.0, 3.0])) == pytest.approx(weighted, rel=1e-5)


def test_focal_of_a_certain_answer_is_nothing_and_has_a_slope():
    logits = tf.constant([[[50.0, 0.0], [0.0, 50.0]]])
    with tf.GradientTape() as tape:
        tape.watch(logits)
        value = losses.focal(logits, np.array([[0, 0]]), 2.0)
    assert float(value) == pytest.approx(25, rel=1e-5)  # the wrong one alone: 50 of two voxels
    assert np.isfinite(tape.gradient(value, logits)).all()


def test_tversky_by_hand():
    """TP 1.3, FP 0.7, FN 0.7: with .3 and .7 1.3 / (1.3 + .21 + .49) = 0.65."""
    p = _two_labels(P)
    assert float(losses.tversky(p, Y[None], 0.3, 0.7, smooth=0)) == pytest.approx(0.35, abs=1e-6)
    # FP 0.4 less: 1.3 / (1.3 + .3 * .3 + .49) = 0.6915
    fewer = _two_labels(np.array([0.6, 0.0, 0.7, 0.3]))
    assert float(losses.tversky(fewer, Y[None], 0.3, 0.7, smooth=0)) == pytest.approx(1 - 1.3 / 1.88, abs=1e-6)
    assert float(losses.tversky(p, Y[None], 0.3, 0.7, gamma=2.0, smooth=0)) == pytest.approx(0.35**0.5, abs=1e-6)


def test_tversky_of_halves_is_dice():
    p = np.random.default_rng(0).dirichlet([1, 1, 1], (2, 4, 5)).astype("float32")
    y = np.random.default_rng(1).integers(0, 3, (2, 4, 5))
    for batch in (True, False):
        assert float(losses.tversky(p, y, 0.5, 0.5, smooth=5e-6, batch=batch)) == pytest.approx(
            float(losses.soft_dice(p, y, smooth=1e-5, batch=batch)), abs=1e-6
        )


# ---------------------------------------------------------------- generalised Dice, boundary, clDice


def test_generalised_dice_by_hand():
    """One voxel of label 1 with p .5, three of the background with p 1, 1 and .5: weights 1/9 and 1."""
    p, y = _two_labels(np.array([0.5, 0.0, 0.0, 0.5])), np.array([[1, 0, 0, 0]])
    overlap = 2.5 / 9 + 0.5
    total = (3.0 + 3) / 9 + (1.0 + 1)
    assert float(losses.generalised_dice(p, y, smooth=0)) == pytest.approx(1 - 2 * overlap / total, abs=1e-6)
    certain = _two_labels(np.array([1.0, 0.0, 0.0, 0.0]))
    assert float(losses.generalised_dice(certain, y)) == pytest.approx(0, abs=1e-5)
    # a label that is nowhere: its weight is that of the largest, and inventing it costs
    absent = np.zeros((1, 4), int)
    assert float(losses.generalised_dice(p, absent, smooth=0)) == pytest.approx(1 - 2 * 3 / (3 + 4 + 1), abs=1e-6)


def test_signed_distances_by_hand():
    truth = np.array([[0, 0, 1, 1, 1, 0, 0]])
    np.testing.assert_array_equal(losses.signed_distances(truth, 2)[0, :, 0], [2, 1, 0, -1, 0, 1, 2])
    # 1 across edges, the square root of 2 across corners; each case and label by itself
    squares = np.array([[[1, 1, 0], [1, 1, 0], [0, 0, 0]], [[2, 0, 0], [0, 0, 0], [0, 0, 0]]])
    found = losses.signed_distances(squares, 3)
    root2, root5, root8 = np.sqrt([2, 5, 8]).astype("float32")
    np.testing.assert_array_equal(found[0, ..., 0], [[-1, 0, 1], [0, 0, 1], [1, 1, root2]])
    np.testing.assert_array_equal(found[1, ..., 1], [[0, 1, 2], [1, root2, root5], [2, root5, root8]])
    assert not found[0, ..., 1].any() and not found[1, ..., 0].any()
    # a label that is absent, or everywhere, has no border
    assert not losses.signed_distances(np.zeros((1, 3, 3), int), 3).any()
    assert not losses.signed_distances(np.ones((1, 3, 3), int), 2).any()


def test_boundary_by_hand():
    truth = np.array([[0, 0, 1, 1, 1, 0, 0]])
    p = _two_labels(np.array([0.5, 0, 0, 1, 0, 0.25, 0]))
    assert float(losses.boundary(tf.constant(p), tf.constant(truth))) == pytest.approx((1.0 - 1 + 0.25) / 7, abs=1e-6)


def test_boundary_takes_its_share_as_the_training_goes_on():
    truth = tf.constant([[0, 0, 1, 1, 1, 0, 0]])
    logits = tf.constant(np.log(_two_labels(np.array([0.5, 0.1, 0.1, 0.9, 0.1, 0.25, 0.1]))))
    loss = losses.build(Loss(kind="boundary", boundary_weight=0.4, smooth=0))
    p = tf.nn.softmax(logits)
    dice, edge = float(losses.generalised_dice(p, truth, 0)), float(losses.boundary(p, truth))
    for progress in (0.0, 0.5, 1.0):
        share = 0.4 * progress
        assert float(loss(logits, truth, progress)) == pytest.approx((1 - share) * dice + share * edge, abs=1e-6)


def _bar(gap=False):
    """A bar 3 voxels wide and 11 long, with its middle gone or not."""
    bar = np.zeros((1, 9, 15, 1), "float32")
    bar[0, 3:6, 2:13] = 1
    if gap:
        bar[0, :, 7] = 0
    return bar


def test_the_skeleton_of_a_bar_is_its_middle_line():
    skeleton = losses.soft_skeleton(tf.constant(_bar()), 3).numpy()[0, ..., 0]
    line = np.zeros((9, 15))
    line[4, 3:12] = 1
    np.testing.assert_array_equal(skeleton, line)


def test_cldice_of_a_bar_and_of_one_with_a_gap():
    truth = _bar()[..., 0].astype(int)
    answer = lambda bar: tf.constant(np.concatenate([1 - bar, bar], -1))  # noqa: E731
    assert float(losses.cldice(answer(_bar()), truth, 3)) == pytest.approx(0, abs=1e-5)
    broken = float(losses.cldice(answer(_bar(gap=True)), truth, 3))
    # all of the answer's skeleton lies in the truth; of the truth's 9 voxels all but the one of the gap:
    # 1 - 2 (8/9) / (1 + 8/9)
    assert broken == pytest.approx(1 / 17, abs=1e-5)
    # a thinner answer costs clDice nothing, and Dice a lot
    thin = np.zeros_like(_bar())
    thin[0, 4, 2:13] = 1
    assert float(losses.cldice(answer(thin), truth, 3)) < broken < float(losses.soft_dice(answer(thin), truth))


@pytest.mark.parametrize("kind", Loss.model_fields["kind"].annotation.__args__)
@pytest.mark.parametrize("shape", [(2, 8, 8), (2, 8, 8, 4)])
@pytest.mark.parametrize("batch", [True, False])
def test_every_loss_falls_along_its_gradient_in_a_graph(kind, shape, batch):
    random = np.random.default_rng(0)
    truth = tf.constant(random.integers(0, 2, shape).astype("uint8"))  # label 2 is absent
    logits = tf.Variable(random.normal(size=(*shape, 3)).astype("float32"))
    coarse = logits[(slice(None), *[slice(None, None, 2)] * (len(shape) - 1))]
    loss = losses.build(Loss(kind=kind, batch_dice=batch))

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            value = loss(logits, truth, 0.5)
        return value, tape.gradient(value, logits)

    before, gradient = step()
    assert np.isfinite(gradient).all() and np.abs(gradient).max() > 0
    logits.assign_sub(gradient * (0.1 / tf.norm(gradient)))
    assert float(step()[0]) < float(before)
    both = losses.deep_supervision(loss, [logits, tf.constant(coarse)], truth, 0.5)
    assert both.shape == () and np.isfinite(both)


def _random(shape=(2, 8, 8), labels=3):
    random = np.random.default_rng(3)
    return tf.constant(random.normal(size=(*shape, labels)).astype("float32")), random.integers(0, labels, shape)


@pytest.mark.parametrize(
    ("settings", "expected"),
    [
        ({"kind": "ce", "class_weights": [1, 2, 3]}, lambda z, p, y: losses.cross_entropy(z, y, [1, 2, 3])),
        ({"kind": "dice", "batch_dice": False}, lambda z, p, y: losses.soft_dice(p, y, 1e-5, False)),
        (
            {"kind": "ce_dice", "class_weights": [1, 2, 3], "smooth": 1},
            lambda z, p, y: losses.cross_entropy(z, y, [1, 2, 3]) + losses.soft_dice(p, y, 1),
        ),
        (
            {"kind": "focal", "focal_gamma": 1.5, "class_weights": [1, 2, 3]},
            lambda z, p, y: losses.focal(z, y, 1.5, [1, 2, 3]),
        ),
        (
            {"kind": "focal_dice", "batch_dice": False},
            lambda z, p, y: losses.focal(z, y, 2) + losses.soft_dice(p, y, batch=False),
        ),
        ({"kind": "tversky", "tversky_gamma": 3}, lambda z, p, y: losses.tversky(p, y, 0.3, 0.7)),
        (
            {"kind": "focal_tversky", "tversky_alpha": 0.6, "tversky_beta": 0.4, "batch_dice": False},
            lambda z, p, y: losses.tversky(p, y, 0.6, 0.4, 4 / 3, batch=False),
        ),
        ({"kind": "generalised_dice", "smooth": 0}, lambda z, p, y: losses.generalised_dice(p, y, 0)),
        (
            {"kind": "boundary", "boundary_weight": 1},
            lambda z, p, y: losses.boundary(p, tf.constant(y)),  # at the end nothing else is left
        ),
        (
            {"kind": "cldice", "cldice_weight": 0.25, "cldice_iterations": 2, "batch_dice": False},
            lambda z, p, y: 0.75 * losses.soft_dice(p, y, batch=False) + 0.25 * losses.cldice(p, y, 2, batch=False),
        ),
    ],
    ids=lambda value: value["kind"] if isinstance(value, dict) else "",
)
def test_settings_reach_the_loss(settings, expected):
    logits, truth = _random()
    found = losses.build(Loss(**settings))(logits, tf.constant(truth))
    assert float(found) == pytest.approx(float(expected(logits, tf.nn.softmax(logits), truth)), abs=1e-6)


@pytest.mark.parametrize("kind", Loss.model_fields["kind"].annotation.__args__)
def test_deep_supervision_takes_every_loss_at_each_resolution(kind):
    logits, truth = _random()
    loss = losses.build(Loss(kind=kind))
    coarse = logits[:, ::2, ::2] * 0.5
    found = losses.deep_supervision(loss, [logits, coarse], tf.constant(truth), 0.5)
    fine, rough = loss(logits, tf.constant(truth), 0.5), loss(coarse, tf.constant(truth[:, ::2, ::2]), 0.5)
    assert float(found) == pytest.approx(2 / 3 * float(fine) + 1 / 3 * float(rough), abs=1e-6)
