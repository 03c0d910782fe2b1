"""Every network: shapes, seeds, learning, saving, resuming."""

import numpy as np
import pytest

from refold.core.errors import RefoldError
from refold.core.files import read_json
from refold.experiment.params import KINDS
from refold.imaging.dataset import Description
from refold.methods.network import Problem
from refold.settings.augment import Augment
from refold.settings.changes import AugmentChanges
from refold.settings.predict import Predict
from refold.settings.train import Train
from refold.train.fold import open_fold
from tests import folds

tf = pytest.importorskip("tensorflow")
import keras  # noqa: E402

from refold.networks.layers import GroupNormalization  # noqa: E402
from refold.networks.segmenter import NetworkSegmenter, save_network  # noqa: E402
from refold.train import optimizers  # noqa: E402
from refold.train.loop import Trainer  # noqa: E402

NETWORKS = [name for name, kind in KINDS.items() if kind.network]
TINY = {
    "cnn": {"features": [4, 8], "dense": 8},
    "segresnet_vae": {"latent": 4},
    "transunet": {"heads": 2, "blocks": 1},
    "adversarial": {"discriminator_features": 4},
}
STILL = AugmentChanges(
    **{
        k: {"p": 0}
        for k in (
            "rotation",
            "scaling",
            "gamma",
            "gamma_inverted",
            "noise",
            "blur",
            "low_resolution",
            "contrast",
            "brightness",
        )
    }
)


@pytest.fixture(autouse=True, scope="module")
def deterministic():
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(1)


def settings_of(kind: str, **more):
    shared = {} if kind == "cnn" else {"features": 4, **({"stages": 3} if "stages" in KINDS[kind].model_fields else {})}
    return KINDS[kind](**{**shared, **TINY.get(kind, {}), **more})


def problem(kind: str, dimension: int = 3, channels: int = 2, priors=None, **how) -> Problem:
    size = (16,) * dimension
    entry = settings_of(kind)
    fingerprint = {"median": {"shape": list(size), "spacing": [1.0] * dimension}}
    plan = entry.plan(fingerprint, dimension, list(size))
    return Problem(plan.strides, plan.patch, channels, 3, priors, **how)


def dimensions(kind: str) -> tuple[int, ...]:
    return (3,) if kind == "convlstm_unet" else (2, 3)


def weights(model) -> bytes:
    return b"".join(v.numpy().tobytes() for v in model.variables)


BOTH = [(kind, d) for kind in NETWORKS for d in dimensions(kind)]


@pytest.mark.parametrize("kind, dimension", BOTH)
def test_any_size_goes_in_and_comes_out(kind, dimension):
    """And the first answer is the prior, where the image says nothing."""
    priors = (0.9, 0.07, 0.03)
    given = problem(kind, dimension, priors=priors)
    model = settings_of(kind).build(given)
    for size in ((16, 16, 16), (8, 24, 16)):
        out = model(np.zeros((2, *size[:dimension], 2), "float32"), training=False)
        assert tuple(out.shape) == (2, *size[:dimension], 3) and out.dtype == tf.float32
    p = tf.nn.softmax(out).numpy().reshape(-1, 3)
    np.testing.assert_allclose(p[len(p) // 2], priors, atol=0.02)


@pytest.mark.parametrize("kind, dimension", BOTH)
def test_muon_steps_every_kernel_but_those_of_the_last_layers(kind, dimension):
    model = settings_of(kind).build(problem(kind, dimension))
    variables = model.trainable_variables
    optimizer = optimizers.build(Train(optimizer="muon", weight_decay=0), variables)
    random = np.random.default_rng(1)
    before = [v.numpy().copy() for v in variables]
    gradients = [random.choice([-1, 1], v.shape) * random.uniform(0.5, 1.5, v.shape) for v in variables]
    optimizer.apply([tf.constant(g, tf.float32) for g in gradients], variables)
    for v, old in zip(variables, before, strict=True):
        change = np.abs(v.numpy() - old)
        assert np.isfinite(change).all() and change.any(), v.path
        # AdamW's first step is as large as the rate in every weight
        adamw = np.allclose(change, 3e-3, rtol=1e-2)
        assert adamw == (not optimizers.is_kernel(v) or "logits" in v.path), v.path


@pytest.mark.parametrize("kind", NETWORKS)
def test_no_convolution_that_spoils_memory(kind):
    """oneDNN's on AVX2: in 2-D, of size 1 with a stride, of under 8 channels (double free or corruption)."""
    if kind == "convlstm_unet":
        pytest.skip("knows 3-D alone")
    for layer in settings_of(kind).build(problem(kind, 2)).layers:
        if isinstance(layer, keras.layers.Conv2D) and layer.kernel_size == (1, 1) and max(layer.strides) > 1:
            assert layer.input.shape[-1] >= 8, layer.name


@pytest.mark.parametrize("kind", NETWORKS)
def test_the_seed_decides_the_first_weights(kind):
    make = lambda seed: settings_of(kind).build(problem(kind, seed=seed))  # noqa: E731
    assert weights(make(1)) == weights(make(1)) != weights(make(2))


@pytest.mark.parametrize("kind", [k for k in NETWORKS if KINDS[k].deep_supervision])
def test_deep_supervision_gives_several_answers_finest_first(kind):
    size = (32, 32)
    fingerprint = {"median": {"shape": list(size), "spacing": [1.0, 1.0]}}
    entry = settings_of(kind, stages=4)
    plan = entry.plan(fingerprint, 2, list(size))
    model = entry.build(Problem(plan.strides, plan.patch, 1, 3, deep_supervision=True))
    found = [tuple(o.shape[1:]) for o in model(np.zeros((1, *size, 1), "float32"))]
    assert len(found) >= 2 and found[0] == (32, 32, 3) and sorted(found, reverse=True) == found


def conv(inputs, outputs, kernel=27, bias=0):
    return kernel * inputs * outputs + bias * outputs


def test_parameters_of_the_plain_cnn_by_hand():
    model = settings_of("cnn").build(problem("cnn"))
    expected = conv(2, 4, bias=1) + conv(4, 8, bias=1) + conv(8, 8, 1, 1)  # two convolutions, dense
    expected += conv(8, 8, 8, 1) + conv(8, 4, 8, 1) + conv(4, 3, 1, 1)  # back, logits
    assert model.count_params() == expected


def test_parameters_of_a_residual_block_by_hand():
    from refold.networks.layers import Maker, residual

    make = Maker(problem("residual_unet"))
    image = make.input()
    model = keras.Model(image, residual(make, image, 4, (2, 2, 2), "r"))
    norm = 2 * 4
    assert model.count_params() == conv(2, 4) + conv(4, 4) + conv(2, 4, 1) + 3 * norm
    same = keras.Model(image, residual(make, image, 2, (1, 1, 1), "s"))
    assert same.count_params() == 2 * conv(2, 2) + 2 * 2 * 2  # nothing on the way of the input


def test_an_attention_gate_by_hand():
    """With all weights of the sum zero the gate is sigmoid(bias)."""
    from refold.networks.attention_unet import gate
    from refold.networks.layers import Maker

    make = Maker(problem("attention_unet", dimension=2))
    skip, signal = keras.Input((None, None, 4)), keras.Input((None, None, 4))
    model = keras.Model([skip, signal], gate(make, skip, signal, "g"))
    assert model.count_params() == conv(4, 2, 1) + conv(4, 2, 1, 1) + conv(2, 1, 1, 1)
    for layer in model.layers:
        layer.set_weights([np.zeros_like(w) for w in layer.get_weights()])
    layer = model.get_layer("g_weight")
    layer.set_weights([layer.get_weights()[0], np.array([np.log(3.0)])])
    values = np.random.default_rng(0).normal(size=(1, 4, 4, 4)).astype("float32")
    np.testing.assert_allclose(model([values, values]), 0.75 * values, rtol=1e-6)


def test_a_transformer_block_sees_everything_and_is_one_of_numpy():
    from refold.networks.transunet import Transformer

    layer = Transformer(4, 2, 8, 2, seed=3)
    x = np.random.default_rng(0).normal(size=(1, 3, 5, 4)).astype("float32")
    out = layer(x).numpy()

    def dense(values, part):
        kernel, bias = (w.numpy() for w in part.weights)
        return values @ kernel + bias

    def normal(values, part):
        gamma, beta = (w.numpy() for w in part.weights)
        spread = np.sqrt(values.var(-1, keepdims=True) + 1e-6)
        return (values - values.mean(-1, keepdims=True)) / spread * gamma + beta

    tokens = (x + layer.place(x).numpy()).reshape(15, 4)
    inner = normal(tokens, layer.first)
    seen = np.empty((15, 4))
    for head in (slice(0, 2), slice(2, 4)):
        query, key, value = (dense(inner, part)[:, head] for part in layer.maps[:3])
        score = np.exp(query @ key.T / np.sqrt(2))
        seen[:, head] = score / score.sum(-1, keepdims=True) @ value
    tokens = tokens + dense(seen, layer.maps[3])
    grown = tf.nn.gelu(dense(normal(tokens, layer.second), layer.grow)).numpy()
    expected = tokens + dense(grown, layer.shrink)
    np.testing.assert_allclose(out.reshape(15, 4), expected, atol=1e-3)


def test_heads_that_do_not_fit_are_refused():
    with pytest.raises(RefoldError, match="16 maps, which 3 heads cannot share"):
        settings_of("transunet", heads=3).build(problem("transunet"))


def test_late_fusion_has_an_encoder_a_channel():
    late = settings_of("unet", fusion="late").build(problem("unet"))
    names = [layer.name for layer in late.layers]
    assert "channel0_down0_conv1" in names and "channel1_down0_conv1" in names and "down0_conv1" not in names
    one = settings_of("unet", fusion="late").build(problem("unet", channels=1))
    assert one.count_params() == settings_of("unet").build(problem("unet", channels=1)).count_params()
    image = np.random.default_rng(0).normal(size=(1, 16, 16, 16, 2)).astype("float32")
    image[..., 1] = 0
    features = keras.Model(late.input, late.get_layer("channel1_down0_act2").output)
    other = image.copy()
    other[..., 0] += 1
    np.testing.assert_array_equal(features(image), features(other))  # sees its own channel alone


def test_slices_are_convolved_by_themselves_and_joined_by_the_recurrent_layer():
    model = settings_of("convlstm_unet", normalisation="none").build(problem("convlstm_unet"))
    image = np.zeros((1, 16, 16, 6, 2), "float32")
    other = image.copy()
    other[:, :, :, 2] = 1
    changed = lambda name: np.abs(  # noqa: E731
        keras.Model(model.input, model.get_layer(name).output)(image)
        - keras.Model(model.input, model.get_layer(name).output)(other)
    ).max(axis=(0, 1, 2, 4))
    assert (changed("down2_act2") > 0).tolist() == [False, False, True, False, False, False]
    assert (changed("lstm_down") > 0).tolist() == [False, False, True, True, True, True]
    assert (changed("logits0") > 0).all()


@pytest.mark.parametrize("backwards", [False, True])
def test_the_recurrent_layer_is_that_of_keras(backwards):
    from refold.networks.convlstm_unet import SliceLSTM

    x = np.random.default_rng(0).normal(size=(2, 5, 4, 6, 3)).astype("float32")
    mine = SliceLSTM(2, backwards, seed=1)
    mine(x)
    keras_own = keras.layers.ConvLSTM2D(
        2, 3, padding="same", return_sequences=True, go_backwards=backwards, recurrent_activation="sigmoid"
    )
    slices = np.transpose(x, (0, 3, 1, 2, 4))
    keras_own(slices)
    kernel, recurrent, bias = (w.numpy() for w in mine.weights)
    bias = bias + np.repeat([0, 1, 0, 0], 2)  # the forget gate starts open
    keras_own.set_weights([kernel, recurrent, bias])
    expected = keras_own(slices).numpy()
    expected = expected[:, ::-1] if backwards else expected
    np.testing.assert_allclose(mine(x), np.transpose(expected, (0, 2, 3, 1, 4)), atol=1e-5)


def test_the_code_regularises_training_alone():
    model = settings_of("segresnet_vae").build(problem("segresnet_vae"))
    image = np.random.default_rng(0).normal(size=(1, 16, 16, 16, 2)).astype("float32")
    one = model(image, training=False).numpy()
    assert model.losses == []
    np.testing.assert_array_equal(model(image, training=False), one)
    model(image, training=True)
    (first,) = (float(v) for v in model.losses)
    model(image, training=True)
    (second,) = (float(v) for v in model.losses)
    assert first > 0 and first != second  # another code
    off = settings_of("segresnet_vae", vae_weight=0).build(problem("segresnet_vae"))
    off(image, training=True)
    assert off.losses == []


def test_the_divergence_of_a_code_by_hand():
    """Mean 1 and variance e: (1 + e - 1 - 1) / 2 a number; a rebuilt image of 0 costs the image's mean square."""
    from refold.networks.segresnet_vae import VAE

    layer = VAE(2, 1.0, (2, 2), 1, 3, seed=1)
    features, image = np.zeros((1, 2, 2, 3), "float32"), np.full((1, 4, 4, 1), 2, "float32")
    layer([features, image])
    for part in (layer.mean, layer.spread, layer.image):
        part.set_weights([np.zeros_like(w) for w in part.get_weights()])
    for part in (layer.mean, layer.spread):
        part.set_weights([part.get_weights()[0], np.ones(2)])
    layer([features, image], training=True)
    assert float(layer.losses[0]) == pytest.approx((np.e - 1) / 2 + 4, rel=1e-6)


@pytest.mark.parametrize("kind", NETWORKS)
def test_saved_and_loaded_it_answers_the_same_and_has_the_same_bytes(kind, tmp_path):
    entry = settings_of(kind)
    model = entry.build(problem(kind))
    save_network(model, tmp_path / "a.keras")
    own = {"GroupNormalization": GroupNormalization, **entry.layers()}
    loaded = keras.models.load_model(tmp_path / "a.keras", own, compile=False)
    image = np.random.default_rng(0).normal(size=(1, 16, 16, 16, 2)).astype("float32")
    answer = model(image, training=False)
    np.testing.assert_array_equal(loaded(image, training=False), answer)
    # without refold's normalisation, by Keras's own
    plain = keras.models.load_model(tmp_path / "a.keras", entry.layers(), compile=False)
    assert not any(isinstance(layer, GroupNormalization) for layer in plain.layers)
    np.testing.assert_allclose(plain(image, training=False), answer, atol=1e-4)
    save_network(entry.build(problem(kind)), tmp_path / "b.keras")
    assert (tmp_path / "a.keras").read_bytes() == (tmp_path / "b.keras").read_bytes()


# ---------------------------------------------------------------- training


def segmenter(kind: str, train: Train, **more) -> NetworkSegmenter:
    return folds.create(settings_of(kind, **more), train, STILL.apply_to(Augment()))


@pytest.mark.slow
@pytest.mark.parametrize("kind, dimension", BOTH)
def test_learns_two_cases_by_heart(kind, dimension, tmp_path):
    shape, patch = ((14, 16), [16, 16]) if dimension == 2 else ((10, 12, 8), [12, 12, 8])
    settings = Train(
        epochs=80 if kind == "cnn" else 40, samples_per_epoch=8, patch=patch, learning_rate=0.01, averaging=0,
        warmup_epochs=1, validation_fraction=0, foreground_fraction=0,
    )  # fmt: skip
    with folds.opened(tmp_path, 2, 0, shape=shape) as fold:
        s = segmenter(kind, settings, **({"features": [16, 32]} if kind == "cnn" else {"features": 8}))
        s.fit(fold)
        for case in fold.training.values():
            answer, truth = s.predict_proba(fold.image(case)).argmax(-1), case.label[...]
            for label in (1, 2):
                if (truth == label).any():
                    both = ((answer == label) & (truth == label)).sum()
                    assert 2 * both / ((answer == label).sum() + (truth == label).sum()) > 0.95, label


@pytest.mark.slow
@pytest.mark.parametrize("kind", NETWORKS)
def test_on_the_embedded_data_it_learns_and_gives_the_same_bytes_twice(kind, classical, tmp_path):
    """Loss falls, on fold 0 of the phantom; trained twice, saved and loaded it gives the same answer to a test case."""
    root = classical.folder
    splits, fingerprint = (read_json(root / f) for f in ("results/splits.json", "data/fingerprint.json"))
    description = Description.read(root / "data/dataset.json")
    settings = Train(epochs=3, patch=[16, 16, 16], samples_per_epoch=8, learning_rate=0.01, validation_fraction=0)
    where = kind, 0, root / "data/preprocessed", splits, description, fingerprint
    files, answers = [], []
    for i in range(2):
        (tmp_path / str(i)).mkdir()
        with open_fold(*where, 0, 1, tmp_path / str(i) / "checkpoint.npz", "key") as fold:
            s = segmenter(kind, settings)
            facts = s.fit(fold)
            image = fold.image(fold.training[sorted(fold.training)[0]])
        s.save(tmp_path / str(i))
        files.append((tmp_path / str(i) / s.file).read_bytes())
        answers.append(s.predict_proba(image))
    assert files[0] == files[1]
    assert s.history[-1]["loss"] < s.history[0]["loss"]
    loaded = segmenter(kind, settings)
    loaded.load(tmp_path / "0", {"training": facts})
    answers.append(loaded.predict_proba(image))
    for answer in answers[1:]:
        np.testing.assert_array_equal(answer, answers[0])
    np.testing.assert_allclose(answers[0].sum(-1), 1, rtol=1e-5)


@pytest.mark.parametrize("optimizer", ["sgd", "muon"])
def test_without_its_branch_the_residual_network_is_trained_by_any_optimizer(optimizer, tmp_path):
    """`vae_weight: 0`: no weight is there that has no gradient."""
    settings = Train(epochs=1, patch=[16, 16], samples_per_epoch=4, optimizer=optimizer, warmup_epochs=0)
    with folds.opened(tmp_path, shape=(14, 16)) as fold:
        s = segmenter("segresnet_vae", settings, vae_weight=0)
        s.fit(fold)
    assert np.isfinite(s.history[0]["loss"]) and not any("vae" in v.path for v in s.network.variables)


def test_a_step_leaves_weights_without_a_gradient_as_they_are(tmp_path):
    """A user's network may have some: an auxiliary branch that is idle."""
    inputs = keras.Input((None, None, 1))
    network = keras.Model(inputs, keras.layers.Conv2D(3, 1)(inputs))
    network.idle = keras.layers.Conv2D(3, 1, name="idle")
    network.idle.build((None, None, None, 2))
    trainer = Trainer(network, Train(optimizer="sgd", averaging=0), None, None, tmp_path / "c", "k", "n")
    assert len(network.trainable_variables) == 4
    used, idle = network.layers[-1].kernel, network.idle.kernel
    before = [v.numpy().copy() for v in (used, idle)]
    image = tf.ones((1, 4, 4, 1))
    trainer._step(image, tf.zeros((1, 4, 4), tf.uint8), *(tf.constant(v) for v in (0.1, 0.0, 0.0)))
    assert not np.array_equal(used, before[0])
    np.testing.assert_array_equal(idle, before[1])


def test_mirror_axes_that_a_flat_network_has_not_are_told(tmp_path):
    settings = Train(epochs=1, patch=[16, 16], samples_per_epoch=2, warmup_epochs=0, validation_fraction=0)
    with folds.opened(tmp_path, 2, 0) as fold:
        flat = settings_of("unet", dimension=2)
        first = folds.create(flat, settings, STILL.apply_to(Augment()))
        facts = first.fit(fold)
        first.save(tmp_path)
        image = fold.image(fold.training["case0"])
    answers = {}
    for axes in ((), ("z",), ("x",), ("x", "z")):
        s = folds.create(flat, settings, predict=Predict(mirror_axes=list(axes)))
        s.load(tmp_path, {"training": facts})
        told = ["mirror_axes: z is no axis of a 2-D network: not averaged over"] if "z" in axes else []
        assert s.warnings == told
        answers[axes] = s.predict_proba(image)
    np.testing.assert_array_equal(answers["z",], answers[()])
    np.testing.assert_array_equal(answers["x", "z"], answers["x",])
    assert not np.array_equal(answers["x",], answers[()])


def test_what_cannot_be_built_names_its_method(tmp_path):
    settings = Train(patch=[16, 16, 12], deep_supervision=True)
    with folds.opened(tmp_path, 2, 0) as fold, pytest.raises(RefoldError, match=r"^methods\.unet: train\.deep_super"):
        segmenter("unet", settings, stages="auto").fit(fold)
    with folds.opened(tmp_path, 2, 0) as fold, pytest.raises(RefoldError, match=r"^methods\.unet: heads: the coarsest"):
        segmenter("transunet", Train(patch=[16, 16, 12]), stages="auto", heads=3).fit(fold)


@pytest.mark.slow
@pytest.mark.parametrize("kind", ["segresnet_vae", "adversarial", "transunet"])
def test_a_killed_training_goes_on_exactly(kind, tmp_path, monkeypatch):
    """Of networks that have a state beside their weights, or layers of their own."""
    settings = Train(epochs=3, patch=[16, 16], samples_per_epoch=4, warmup_epochs=0, validate_every=2)
    with folds.opened(tmp_path, shape=(14, 16)) as fold:
        whole = segmenter(kind, settings)
        whole.fit(fold)
        fold.checkpoint.unlink()

        class Killed(BaseException):
            pass

        save = Trainer._save

        def save_and_die(self):
            save(self)
            if self.epoch == 2:
                raise Killed

        monkeypatch.setattr(Trainer, "_save", save_and_die)
        with pytest.raises(Killed):
            segmenter(kind, settings).fit(fold)
        monkeypatch.setattr(Trainer, "_save", save)
        resumed = segmenter(kind, settings)
        resumed.fit(fold)
    assert weights(resumed.network) == weights(whole.network)
    np.testing.assert_equal(resumed.history, whole.history)


def test_the_discriminator_learns_to_tell_and_the_network_to_deceive(tmp_path):
    """One step of each lowers its own loss, and the network's answers need no discriminator afterwards."""
    from refold.networks.adversarial import _cross_entropy

    entry = settings_of("adversarial", adversarial_weight=1.0, discriminator_rate=0.01)
    given = problem("adversarial", dimension=2)
    model = entry.build(given)
    trainer = entry.trainer()(model, Train(averaging=0), None, None, tmp_path / "c", "k", "n")
    random = np.random.default_rng(0)
    image = tf.constant(random.normal(size=(2, 16, 16, 2)).astype("float32"))
    label = tf.constant(random.integers(0, 3, (2, 16, 16)).astype("uint8"))

    def told(maps):
        return trainer.critic(tf.concat([image, maps], -1))

    def critic_loss():
        answer = tf.nn.softmax(model(image))
        truth = tf.one_hot(tf.cast(label, tf.int32), 3)
        return float(_cross_entropy(told(truth), 1.0) + _cross_entropy(told(answer), 0.0))

    before = critic_loss()
    logits = model(image)
    for _ in range(5):
        trainer._after_step(image, label, logits)
    assert critic_loss() < before
    deceived = float(trainer._extra_loss(image, model(image)))
    assert deceived == pytest.approx(float(_cross_entropy(told(tf.nn.softmax(model(image))), 1.0)), rel=1e-6)
    frozen = [np.array(v.numpy()) for v in trainer.critic.variables]
    with tf.GradientTape() as tape:
        loss = trainer._extra_loss(image, model(image))
    gradient = tape.gradient(loss, [v.value for v in model.trainable_variables])
    for v, g in zip(model.trainable_variables, gradient, strict=True):
        v.assign(v - 0.01 * g)
    assert float(trainer._extra_loss(image, model(image))) < deceived
    for v, old in zip(trainer.critic.variables, frozen, strict=True):
        np.testing.assert_array_equal(v.numpy(), old)
