"""Kinds of methods: found by their files, complete, and told plainly where a user's own is not."""

import re
import sys
from pathlib import Path

import numpy as np
import pytest

from refold import methods
from refold.core.errors import RefoldError
from refold.experiment.params import KINDS, Params
from refold.experiment.reading import validate
from refold.methods.base import About, Segmenter
from refold.report import prose
from tests import folds

ROOT = Path(__file__).resolve().parents[2]
PAGE = ROOT / "docs/reference/methods.md"
EXAMPLES = re.findall(r"`workflow/refold/methods/(\w+)\.py`:\n\n```python\n(.*?)```", PAGE.read_text(), re.S)
SOUND = '''
from typing import Literal
from refold.methods.base import Classical
class Mine(Classical):
    """Mine."""
    kind: Literal["mine"] = "mine"
    def create(self, predict):
        return None
'''


@pytest.fixture
def add(tmp_path, monkeypatch):
    """Write a module of methods beside refold's own."""
    monkeypatch.setattr(methods, "__path__", [*methods.__path__, str(tmp_path)])

    def write(name: str, text: str) -> None:
        (tmp_path / f"{name}.py").write_text(text)

    methods.kinds.cache_clear()
    yield write
    methods.kinds.cache_clear()
    for name, module in list(sys.modules.items()):
        if name.startswith("refold.methods.") and module.__file__.startswith(str(tmp_path)):
            del sys.modules[name]


def test_a_file_more_is_a_kind_more(add):
    add("mine", SOUND)
    assert set(methods.kinds()) == {*KINDS, "mine"}
    assert not methods.kinds()["mine"].network


@pytest.mark.parametrize(
    "text, told",
    [
        ("1 / 0", "cannot be imported: ZeroDivisionError: division by zero"),
        ("", "has 0 classes of settings; one is wanted"),
        (SOUND + SOUND.replace("Mine", "Other"), "has 2 classes of settings"),
        (SOUND.replace('"mine"', '"other"'), 'needs the field `kind: Literal["mine"] = "mine"`'),
        (SOUND.replace("create", "make"), "Mine needs the method create"),
    ],
)
def test_what_is_wrong_with_a_file_is_told(add, text, told):
    add("mine", text)
    with pytest.raises(RefoldError, match=r"^workflow/refold/methods/mine\.py") as error:
        methods.kinds()
    assert told in str(error.value)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_can_be_written_about_and_has_a_page_of_parameters(kind):
    settings = KINDS[kind]
    assert settings.__doc__ and f"### kind: {kind}\n" in (ROOT / "docs/reference/params.md").read_text()
    if settings.trained:
        entry = settings()
        cited = []
        about = About(lambda *keys: cited.extend(keys) or " [1]", ["T1", "T2"], 3)
        text = prose.words(entry, about)
        assert text.endswith(".") and len(text) > 30
        assert set(cited) <= {*prose.references(settings), "nnunet"}
        assert (entry.file == "model.keras") == entry.network


def test_the_examples_of_the_page_are_found():
    assert [name for name, _ in EXAMPLES] == ["nearest_mean", "tiny_net"]


def test_the_method_of_the_page_works(add, tmp_path):
    add("nearest_mean", dict(EXAMPLES)["nearest_mean"])
    settings = methods.kinds()["nearest_mean"]()
    with folds.opened(tmp_path / "data") as fold:
        model = folds.create(settings)
        assert isinstance(model, Segmenter)
        facts = model.fit(fold)
        # labels are 0, 1 and 2 in noise, then z-scored: their means keep that order and distance
        means = np.array(facts["means"])[:, 0]
        assert means[2] - means[1] == pytest.approx(means[1] - means[0], rel=0.15)
        case = fold.validation["case4"]
        image = fold.image(case)
        p = model.predict_proba(image)
        np.testing.assert_allclose(p.sum(-1), 1, rtol=1e-5)
        assert (p.argmax(-1) == case.label[...]).mean() > 0.85
        model.save(tmp_path)
        again = folds.create(settings)
        again.load(tmp_path, {})
        np.testing.assert_array_equal(again.predict_proba(image), p)
    assert "T1" in prose.words(settings, About(lambda *k: "", ["T1"], 3))


@pytest.mark.slow
@pytest.mark.parametrize("shape", [(14, 16), (14, 16, 12)])
def test_the_network_of_the_page_works(add, tmp_path, shape):
    pytest.importorskip("tensorflow")
    add("tiny_net", dict(EXAMPLES)["tiny_net"])
    patch = [16, 16, 8][: len(shape)]
    settings = methods.kinds()["tiny_net"](train={"epochs": 2, "samples_per_epoch": 8, "patch": patch})
    with folds.opened(tmp_path / "data", shape=shape) as fold:
        model = folds.create(settings)
        facts = model.fit(fold)
        image = fold.image(fold.validation["case4"])
        p = model.predict_proba(image)
        model.save(tmp_path)
    assert p.shape == (*shape, 3) and model.history[1]["loss"] < model.history[0]["loss"]
    again = folds.create(settings)
    again.load(tmp_path, {"training": facts})
    np.testing.assert_array_equal(again.predict_proba(image), p)
    assert "plain network" in prose.words(settings, About(lambda *k: "", ["T1"], 3))


def test_changes_of_one_method_reach_its_training_alone():
    p = validate(
        {
            "train": {"epochs": 7, "loss": {"kind": "dice"}},
            "methods": {
                "a": {"kind": "unet"},
                "b": {
                    "kind": "unet",
                    "train": {"epochs": 9, "loss": {"batch_dice": False}},
                    "augment": {"noise": {"p": 0}},
                },
            },
        }
    )
    a, b = p.train_of("a"), p.train_of("b")
    assert a == p.train
    assert (b.epochs, b.loss.kind, b.loss.batch_dice, b.seed) == (9, "dice", False, p.train.seed)
    assert (p.augment_of("b").noise.p, p.augment_of("b").noise.variance) == (0, p.augment.noise.variance)
    assert p.section("methods")["b"]["train"] == {"epochs": 9, "loss": {"batch_dice": False}}
    frozen = Params.model_validate({"methods": {"b": p.frozen_method("b")}})
    assert frozen.train_of("b") == b and frozen.augment_of("b") == p.augment_of("b")


def test_a_change_that_repeats_the_section_changes_no_frozen_entry():
    entry = {"kind": "unet", "train": {"epochs": 7}}
    one = validate({"train": {"epochs": 7}, "methods": {"a": {"kind": "unet"}}})
    two = validate({"train": {"epochs": 3, "warmup_epochs": 0.5}, "methods": {"a": entry}})
    assert one.frozen_method("a") == two.frozen_method("a")
