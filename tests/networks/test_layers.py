"""The fused normalisation is Keras's, only faster."""

import numpy as np
import pytest

tf = pytest.importorskip("tensorflow")
import keras  # noqa: E402

from refold.networks.layers import GroupNormalization  # noqa: E402

SHAPES = [(1, 6, 8, 5, 4), (2, 6, 8, 5, 16), (3, 7, 9, 3), (2, 1, 1, 8)]


def pair(shape, dtype="float32"):
    """Both layers with the same scales and offsets, other than at the start."""
    rng = np.random.default_rng(1)
    made = GroupNormalization(dtype=dtype), keras.layers.GroupNormalization(groups=-1, epsilon=1e-5, dtype=dtype)
    values = rng.uniform(0.5, 2, shape[-1]), rng.normal(size=shape[-1])
    for layer in made:
        layer.build(shape)
        layer.set_weights(values)
    return made


def image(shape):
    return np.random.default_rng(0).normal(3, 2, shape).astype("float32")


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("traced", [True, False])
def test_values_and_gradients_are_those_of_keras(shape, traced):
    x, weight = tf.constant(image(shape)), tf.constant(image(shape))

    def of(layer):
        def run(x):
            variables = [v.value for v in layer.trainable_variables]
            with tf.GradientTape() as tape:
                tape.watch(x)
                out = layer(x)
                value = tf.reduce_sum(out * weight)
            return out, *tape.gradient(value, [x, *variables])

        return (tf.function(run) if traced else run)(x)

    own, keras_own = (of(layer) for layer in pair(shape))
    for mine, other in zip(own, keras_own, strict=True):
        assert mine.shape == other.shape
        np.testing.assert_allclose(mine, other, rtol=2e-4, atol=2e-4)


def test_each_map_of_each_case_by_hand():
    x = np.array([[1, 3], [5, 5], [2, 4], [0, 8]], "float32").reshape(2, 2, 1, 2)  # cases, x, y, maps
    out = GroupNormalization(epsilon=0)(x).numpy()
    np.testing.assert_allclose(out.reshape(4, 2), [[-1, -1], [1, 1], [1, -1], [-1, 1]], atol=1e-5)


@pytest.mark.parametrize("maps", [8, 16])
def test_in_bfloat16_it_keeps_to_its_precision(maps):
    shape = (2, 6, 8, 5, maps)
    layer, plain = pair(shape, "mixed_bfloat16")
    out = tf.function(layer)(tf.constant(image(shape)))
    assert out.dtype == tf.bfloat16
    exact = pair(shape)[1](image(shape))
    mine, other = (np.abs(tf.cast(v, tf.float32) - exact).mean() for v in (out, plain(image(shape))))
    assert mine < 1.5 * other < 0.05


def test_without_a_known_number_of_cases_it_is_the_layer_of_keras():
    shape = (2, 6, 8, 4)
    own, plain = pair(shape)
    run = tf.function(own, input_signature=[tf.TensorSpec((None, *shape[1:]), tf.float32)])
    np.testing.assert_array_equal(run(image(shape)), tf.function(plain)(image(shape)))
    assert "FusedBatchNormV3" not in {op.type for op in run.get_concrete_function().graph.get_operations()}


def test_groups_are_those_of_keras():
    own = GroupNormalization(groups=2)
    plain = keras.layers.GroupNormalization(groups=2, epsilon=1e-5)
    np.testing.assert_array_equal(own(image((2, 4, 4, 8))), plain(image((2, 4, 4, 8))))
