"""The network and its training: sizes, determinism, exact resume, archive bytes."""

import json
import re
import zipfile

import numpy as np
import pytest

from refold.core.errors import RefoldError
from refold.methods.network import Problem
from refold.methods.unet import UNet
from refold.settings.train import Loss, Train

tf = pytest.importorskip("tensorflow")
import keras  # noqa: E402

from refold.networks.segmenter import NetworkSegmenter, save_network  # noqa: E402
from refold.train.loop import Trainer  # noqa: E402
from refold.train.score import Score  # noqa: E402
from tests.folds import create  # noqa: E402

STRIDES = ((1, 1, 1), (2, 2, 2), (2, 2, 2))


@pytest.fixture(autouse=True, scope="module")
def deterministic():
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(1)


def segmenter(settings, augment=None, **method):
    method = {"features": 4, "stages": 3, **method}
    return create(UNet(**method), settings, augment)


def build(strides, channels, labels, priors=None, train=None, **method):
    patch = (16,) * len(strides[0])
    train = train or Train()
    how = {"seed": train.seed, "initializer": train.initializer, "deep_supervision": train.deep_supervision}
    return UNet(**method).build(Problem(tuple(map(tuple, strides)), patch, channels, labels, priors, **how))


def weights(model):
    return b"".join(v.numpy().tobytes() for v in model.variables)


def test_parameter_count_by_hand():
    model = build(STRIDES[:2], 1, 3, features=2, stages=2)
    conv = lambda i, o: 27 * i * o + 2 * o  # noqa: E731  kernel, norm scale and offset
    expected = conv(1, 2) + conv(2, 2) + conv(2, 4) + conv(4, 4) + (8 * 4 * 2 + 2) + conv(4, 2) + conv(2, 2) + 2 * 3 + 3
    assert model.count_params() == expected


def test_widths_are_those_of_the_stages_and_make_them():
    settings = UNet(widths=[2, 7, 5])
    fingerprint = {"median": {"shape": [40, 56, 40], "spacing": [1, 1, 1]}}
    planned = settings.plan(fingerprint, 3, "auto")
    assert planned.stages == 3  # four without
    model = settings.build(Problem(planned.strides, planned.patch, 1, 3))
    widths = [model.get_layer(n).kernel.shape[-1] for n in ("down0_conv1", "down1_conv2", "down2_conv2", "dec1_conv1")]
    assert widths == [2, 7, 5, 7]


@pytest.mark.parametrize("dimension", [2, 3])
@pytest.mark.parametrize("normalisation", ["instance", "group", "none"])
def test_output_has_the_size_of_the_input(dimension, normalisation):
    strides = [s[:dimension] for s in STRIDES]
    deep = Train(deep_supervision=True)
    model = build(strides, 2, 3, train=deep, features=8, normalisation=normalisation)
    shape = (12, 8, 16)[:dimension]
    assert tuple(model(np.zeros((1, *shape, 2), "float32")).shape) == (1, *shape, 3)
    deeper = build([*strides, (2,) * dimension], 2, 3, train=deep, features=8)
    shapes = [tuple(o.shape[1:-1]) for o in deeper(np.zeros((1, *(2 * n for n in shape), 2), "float32"))]
    assert shapes == [tuple(2 * n for n in shape), shape]


def test_the_first_answer_is_the_prior():
    priors = [0.9, 0.07, 0.03]
    model = build(STRIDES, 1, 3, priors=priors, features=4)
    p = tf.nn.softmax(model(np.zeros((1, 8, 8, 8, 1), "float32"))).numpy()
    np.testing.assert_allclose(p[0, 4, 4, 4], priors, atol=1e-5)


@pytest.mark.parametrize("kind", ["he", "glorot", "gaussian"])
def test_initial_weights_follow_the_initializer_and_the_seed(kind):
    make = lambda seed: build(STRIDES, 1, 3, train=Train(initializer=kind, seed=seed), features=16)  # noqa: E731
    kernel = make(1).get_layer("dec0_conv1").kernel.numpy()
    fan_in, fan_out = 27 * 32, 27 * 16
    expected = {"he": (2 / fan_in) ** 0.5, "glorot": (2 / (fan_in + fan_out)) ** 0.5, "gaussian": 0.02}[kind]
    assert kernel.std() == pytest.approx(expected, rel=0.05)
    assert weights(make(1)) == weights(make(1)) != weights(make(2))


@pytest.mark.slow
def test_twice_the_same_bytes_and_seed_changes_them(fold, settings, tmp_path):
    files = []
    for i, seed in enumerate((1, 1, 2)):
        s = segmenter(settings.model_copy(update={"seed": seed}))
        s.fit(fold)
        fold.checkpoint.unlink()
        (tmp_path / str(i)).mkdir()
        s.save(tmp_path / str(i))
        files.append((tmp_path / str(i) / "model.keras").read_bytes())
    assert files[0] == files[1] != files[2]


@pytest.mark.slow
@pytest.mark.parametrize(("optimizer", "early"), [("adamw", 5), ("sgd", None), ("adam", 5), ("muon", None)])
def test_a_killed_training_goes_on_exactly(fold, settings, monkeypatch, optimizer, early):
    settings = settings.model_copy(update={"optimizer": optimizer, "early_stopping": early})
    whole = segmenter(settings)
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
        segmenter(settings).fit(fold)
    monkeypatch.setattr(Trainer, "_save", save)
    resumed = segmenter(settings)
    resumed.fit(fold)
    assert weights(resumed.network) == weights(whole.network)
    np.testing.assert_equal(resumed.history, whole.history)


@pytest.mark.slow
def test_a_checkpoint_of_other_parameters_is_not_used(fold, settings, caplog):
    first = segmenter(settings)
    first.fit(fold)
    other = type(fold)(**{**vars(fold), "key": "another"})
    second = segmenter(settings)
    second.fit(other)
    assert [row["epoch"] for row in second.history] == [1, 2, 3]
    assert weights(first.network) == weights(second.network)


@pytest.mark.slow
def test_early_stopping_keeps_the_best(fold, monkeypatch):
    settings = Train(
        epochs=8,
        patch=[16, 16, 16],
        validate_every=1,
        early_stopping=2,
        learning_rate=1e-3,
        warmup_epochs=0,
        averaging=0,
    )
    scores = iter([0.1, 0.5, 0.4, 0.3, 0.9, 0.9, 0.9, 0.9])
    seen = []

    def validate(self, fold):
        seen.append(weights(self.network))
        return 1.0, [next(scores)] * 2, vars(Score("cases", 1, len(seen), 0.0))

    monkeypatch.setattr(NetworkSegmenter, "_validate", validate)
    s = segmenter(settings)
    facts = s.fit(fold)
    assert (facts["epochs"], facts["best_epoch"]) == (4, 2)
    assert weights(s.network) == seen[1]
    assert s.score.total == 2  # that of the weights that are kept


def test_validation_by_hand(fold, settings):
    s = segmenter(settings)
    s.plan, s.labels = type("P", (), {"patch": (16, 16, 16), "divisor": (4, 4, 4)})(), 3
    truth = fold.validation["case4"].label[...]

    def answer(image, mirror_axes):
        p = np.full((*truth.shape, 3), 0.1, np.float32)
        p[..., 0] = 0.8  # always background
        p[truth == 1] = [0.1, 0.8, 0.1]
        return p

    s._probabilities = answer
    loss, dice, score = s._validate(fold)
    assert dice == [1.0, 0.0]
    ball, cube = (truth == 1).sum(), (truth == 2).sum()
    background = truth.size - ball - cube
    assert score["total"] == pytest.approx((1 + 0 + 2 * background / (2 * background + cube)) / 3)
    assert score["nothing"] == pytest.approx(2 * background / (background + truth.size) / 3)
    assert (score["cases"], score["where"]) == (1, "cases of the inner validation")
    expected = (-np.log(0.8) * (truth != 2).sum() - np.log(0.1) * (truth == 2).sum()) / truth.size
    assert loss == pytest.approx(expected, rel=1e-5)


def test_saved_and_loaded_it_answers_the_same(fold, settings, tmp_path):
    s = segmenter(settings)
    facts = s.fit(fold)
    s.save(tmp_path)
    loaded = segmenter(settings)
    loaded.load(tmp_path, {"training": facts})
    image = fold.image(fold.validation["case4"])
    assert (loaded.predict_proba(image) == s.predict_proba(image)).all()
    (tmp_path / "model.keras").write_bytes(b"no archive")
    with pytest.raises(RefoldError, match="cannot be loaded"):
        loaded.load(tmp_path, {"training": facts})


def test_a_model_that_keras_refuses_is_named(settings, tmp_path):
    """An archive that is one, whose configuration names no layer: Keras raises TypeError."""
    save_network(build(STRIDES[:2], 1, 2, features=2), tmp_path / "a.keras")
    path = tmp_path / "model.keras"
    with zipfile.ZipFile(tmp_path / "a.keras") as good, zipfile.ZipFile(path, "w") as bad:
        for name in good.namelist():
            content = good.read(name)
            if name == "config.json":
                config = json.loads(content)
                layer = next(x for x in config["config"]["layers"] if x["class_name"].startswith("Conv"))
                layer |= {"module": "nowhere.layers", "registered_name": None}
                content = json.dumps(config).encode()
            bad.writestr(name, content)
    with pytest.raises(RefoldError, match=r"model\.keras cannot be loaded \(TypeError: .*--forcerun .*keras`"):
        segmenter(settings).load(tmp_path, {"training": {}})


@pytest.mark.parametrize("error", [TypeError, ModuleNotFoundError, AttributeError, IndexError, RecursionError])
def test_whatever_keras_raises_for_a_model_names_the_file(settings, tmp_path, monkeypatch, error):
    def refuse(*_, **__):
        raise error("first line\nsecond")

    monkeypatch.setattr(keras.models, "load_model", refuse)
    with pytest.raises(RefoldError, match=rf"model\.keras cannot be loaded \({error.__name__}: first line\);"):
        segmenter(settings).load(tmp_path, {"training": {}})


def test_archives_hold_no_date_and_no_address(tmp_path):
    model = build(STRIDES[:2], 1, 2, features=2)
    save_network(model, tmp_path / "a.keras")
    content = (tmp_path / "a.keras").read_bytes()
    assert b"1980-01-01" in content
    ids = [int(i) for i in re.findall(rb'"shared_object_id": (\d+)', content)]
    assert ids and set(ids) == set(range(max(ids) + 1))
    loaded = keras.models.load_model(tmp_path / "a.keras", compile=False)
    assert weights(loaded) == weights(model)


@pytest.mark.slow
def test_a_2d_network_on_a_volume(fold):
    s = segmenter(Train(epochs=2, patch=[16, 16], samples_per_epoch=4, warmup_epochs=0), dimension=2)
    s.fit(fold)
    p = s.predict_proba(fold.image(fold.validation["case4"]))
    assert p.shape == (14, 16, 12, 3)
    np.testing.assert_allclose(p.sum(-1), 1, atol=1e-5)


def test_class_weights_of_a_wrong_length_are_refused(fold):
    settings = Train(patch=[16, 16, 16], loss=Loss(class_weights=[1, 2]))
    with pytest.raises(RefoldError, match=r"train\.loss\.class_weights.*3 labels"):
        segmenter(settings).fit(fold)


def test_a_loss_that_explodes_ends_with_advice(fold, settings, monkeypatch):
    monkeypatch.setattr(Trainer, "_step", lambda self, *a: tf.constant(float("nan")))
    with pytest.raises(RefoldError, match=r"lower train\.learning_rate"):
        segmenter(settings).fit(fold)
