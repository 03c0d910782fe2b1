"""Steps of the optimizers against numpy's."""

import numpy as np
import pytest

from refold.settings.train import Train

tf = pytest.importorskip("tensorflow")

import keras  # noqa: E402

from refold.train import optimizers  # noqa: E402

RATE = 0.01


def variables(**shapes):
    """Named as in a network, with values and gradients of their own."""
    random = np.random.default_rng(1)
    made = []
    for name, shape in shapes.items():
        layer, last = name.rsplit("_", 1)
        with keras.name_scope(layer):
            made.append(keras.Variable(random.normal(size=shape).astype("float32"), name=last))
    return made, [random.normal(size=v.shape).astype("float32") for v in made]


def step(settings, made, gradients):
    """How each variable changed."""
    optimizer = optimizers.build(settings, made)
    before = [v.numpy().copy() for v in made]
    optimizer.apply([tf.constant(g) for g in gradients], made)
    return [v.numpy() - b for v, b in zip(made, before, strict=True)]


def settings(**more):
    return Train(optimizer="muon", learning_rate=RATE, weight_decay=0, clip_norm=None, **more)


@pytest.mark.parametrize("shape", [(3, 3, 3, 4, 8), (2, 2, 2, 3, 40), (3, 3, 16, 8), (12, 7), (6, 9)])
def test_a_step_of_muon_is_the_gradient_with_singular_values_about_1(shape):
    made, gradients = variables(conv_kernel=shape)
    [change] = step(settings(), made, gradients)
    matrix = gradients[0].reshape(-1, shape[-1]).astype(float)
    u, s, vt = np.linalg.svd(matrix, full_matrices=False)
    # in the gradient's own directions the step is diagonal
    inside = u.T @ (-change.reshape(matrix.shape)) @ vt.T / (RATE * 0.2 * np.sqrt(max(matrix.shape)))
    np.testing.assert_allclose(inside, np.diag(np.diag(inside)), atol=2e-3)
    # Jordan 2024: 0.7 to 1.2 after five steps, of what is not near 0 beside the norm
    found = np.diag(inside)[s > 0.02 * np.linalg.norm(s)]
    assert len(found) > 2 and found.min() > 0.65 and found.max() < 1.25
    # as large as a step of AdamW after many, 0.2 to 0.4 of the rate
    assert 0.1 < np.sqrt(np.mean(change**2)) / RATE < 0.25


def test_newton_and_schulz_as_published():
    """Jordan's own lines in float64."""
    shape = (3, 3, 3, 4, 8)
    made, gradients = variables(conv_kernel=shape)
    [change] = step(settings(), made, gradients)
    x = gradients[0].reshape(-1, 8).astype(float).T
    x /= np.linalg.norm(x)
    for _ in range(5):
        a = x @ x.T
        x = 3.4445 * x + (-4.7750 * a + 2.0315 * a @ a) @ x
    np.testing.assert_allclose(change, -RATE * 0.2 * np.sqrt(108) * x.T.reshape(shape), rtol=1e-3, atol=1e-6)


def test_biases_normalisation_and_the_last_layer_step_as_with_adamw():
    shapes = {"conv_bias": (5,), "norm_gamma": (5,), "logits0_kernel": (1, 1, 1, 5, 3), "logits0_bias": (3,)}
    made, gradients = variables(**shapes)
    for change, gradient in zip(step(settings(), made, gradients), gradients, strict=True):
        np.testing.assert_allclose(change, -RATE * np.sign(gradient), rtol=1e-3)


@pytest.mark.parametrize("name", ["adamw", "muon"])
def test_weight_decay_shrinks_kernels_alone(name):
    made, _ = variables(conv_kernel=(3, 3, 3, 2, 4), logits0_kernel=(1, 1, 1, 4, 3), conv_bias=(4,))
    before = [v.numpy().copy() for v in made]
    still = [np.zeros(v.shape, "float32") for v in made]
    changes = step(settings().model_copy(update={"optimizer": name, "weight_decay": 0.5}), made, still)
    for change, value in zip(changes[:2], before[:2], strict=True):
        np.testing.assert_allclose(change, -RATE * 0.5 * value, rtol=1e-3, atol=1e-6)
    assert not changes[2].any()
