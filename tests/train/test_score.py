"""Whether a method is worth more than predicting nothing, by hand and for every kind."""

from __future__ import annotations

import argparse
import json
from contextlib import contextmanager
from types import SimpleNamespace

import numpy as np
import pytest

from refold import methods
from refold.core import seals
from refold.core.files import sha256_file
from refold.methods.base import Segmenter
from refold.settings.predict import Predict
from refold.settings.train import Train
from refold.train import score
from refold.train.score import Score, measured, spread
from tests import folds


def told(answer, truth, labels, **more) -> Score:
    found = Score("cases")
    found.compare(np.array(answer), np.array(truth), labels, **more)
    return found


def test_labels_may_not_win_less_than_the_background_loses():
    truth = [0, 0, 0, 0, 0, 0, 0, 0, 1, 2]
    # label 1: 2 / 6, label 2: 2 / 6, background: nothing
    poor = told([1, 1, 1, 1, 2, 2, 2, 2, 1, 2], truth, 3)
    assert (poor.total, poor.nothing) == (pytest.approx((2 / 6 + 2 / 6) / 3), pytest.approx(16 / 18 / 3))
    assert poor.warnings() == [
        "on cases it did no better than predicting nothing but background, by the mean Dice of all labels with the "
        "background among them"
    ]
    # label 1: 2 / 4, background: 12 / 14
    good = told([0, 0, 0, 0, 0, 0, 1, 1, 1, 0], truth, 3)
    assert good.total == pytest.approx((2 / 4 + 12 / 15) / 3) and good.warnings() == []


def test_leaving_an_absent_label_out_is_right():
    """Half of the cases have no lesion: inventing one in each costs more than a poor hit wins."""
    found = Score("cases")
    found.compare(np.array([0, 0, 1, 1]), np.array([0, 0, 0, 1]), 2)
    found.compare(np.array([0, 0, 0, 1]), np.array([0, 0, 0, 0]), 2)
    assert found.total == pytest.approx((2 / 3 + 4 / 5) / 2 + (0 + 6 / 7) / 2)
    assert found.nothing == pytest.approx((0 + 6 / 7) / 2 + 1)
    assert found.warnings()
    assert found.to_json() == {
        "cases": 2, "where": "cases", "dice": pytest.approx(found.total / 2, abs=1e-6),
        "dice_of_nothing": pytest.approx(found.nothing / 2, abs=1e-6),
    }  # fmt: skip


def test_predicting_nothing_is_no_better_than_itself_and_no_case_says_nothing():
    nothing = told([0, 0, 0], [0, 1, 0], 2)
    assert nothing.total == nothing.nothing and nothing.warnings()
    assert Score("cases").warnings() == [] and Score("cases").to_json()["dice"] is None


def test_voxels_outside_a_box_are_background_in_both():
    whole = told([0, 0, 1, 0, 0, 0], [0, 1, 1, 0, 0, 0], 2)
    assert vars(told([1, 0], [1, 1], 2, outside=4)) == vars(whole)


def test_a_few_cases_are_spread_over_all():
    assert spread("abc") == ["a", "b", "c"]
    assert spread("gfedcba") == ["a", "c", "e", "g"]


class Constant(Segmenter):
    """Answers one label everywhere."""

    def __init__(self, label: int):
        super().__init__()
        self.label, self.asked = label, 0

    def fit(self, fold):
        self.warnings.append("as well as could be")
        return {}

    def predict_proba(self, image):
        self.asked += 1
        self.warnings.append("asked")
        return np.broadcast_to(np.eye(3, dtype=np.float32)[self.label], (*image.shape[:-1], 3))

    def save(self, folder):
        (folder / self.file).write_text("{}")

    def load(self, folder, card): ...


@pytest.mark.parametrize("label, worse", [(0, False), (1, True)])
def test_a_method_that_does_not_know_its_score_is_asked_a_few_cases(tmp_path, label, worse):
    with folds.opened(tmp_path, 6, 1, shape=(14, 16)) as fold:
        method = Constant(label)
        found = measured(method, fold)
    assert (found.cases, found.where, method.asked, method.warnings) == (4, "training cases", 4, [])
    assert (found.total < found.nothing) == worse and found.warnings()


KNOWN = ("graph_cut", "region_growing", "threshold", "watershed")


@pytest.mark.parametrize(
    "kind", [k for k, s in methods.kinds().items() if s.trained and not s.network and k != "external"]
)
def test_every_classical_kind_has_a_score_and_beats_nothing_where_it_can(tmp_path, kind):
    with folds.opened(tmp_path, 6, 1, shape=(14, 16)) as fold:
        method = methods.kinds()[kind]().create(Predict())
        method.fit(fold)
        assert (method.score is not None) == (kind in KNOWN)
        found = measured(method, fold)
        assert found.cases and found.warnings() == []
        if kind in ("region_growing", "threshold", "watershed"):
            again = Score("training cases")
            for case in fold.training.values():
                answer = method.predict_proba(fold.image(case)).argmax(-1)
                again.compare(answer, case.label[...], fold.labels)
            assert (again.cases, again.total) == (found.cases, pytest.approx(found.total))


def test_the_warning_is_in_the_log_and_in_the_card(tmp_path, monkeypatch, capsys):
    """Through the command of the phase, with everything around the method taken away."""
    from refold.train import __main__ as command

    entry = SimpleNamespace(
        settings=SimpleNamespace(network=False, kind="atlas", file=Constant.file), train=Train(),
        create=lambda predict: Constant(1),
    )  # fmt: skip

    @contextmanager
    def opened(*a):
        with folds.opened(tmp_path / "data", 4, 1, shape=(14, 16)) as fold:
            monkeypatch.setattr(type(fold), "unseen", lambda fold: ["no training case shows 'rare'"])
            yield fold

    monkeypatch.setattr(command, "open_fold", opened)
    monkeypatch.setattr(command, "Stamps", lambda path: SimpleNamespace(frozen=lambda name: {}))
    monkeypatch.setattr(command, "thaw", lambda stamps, name: entry)
    seals.write(tmp_path / "file", {"folds": []})
    files = {"file": sha256_file(tmp_path / "file")}
    description = SimpleNamespace(labels=SimpleNamespace(foreground=("ball", "cube")), files=files)
    monkeypatch.setattr(command.Description, "read", staticmethod(lambda path: description))
    given = dict.fromkeys(("cases", "dataset", "fingerprint", "splits"), str(tmp_path / "file"))
    places = {"checkpoints": str(tmp_path / "c"), "out": str(tmp_path / "m"), "params": "", "preprocessed": ""}
    command.run(argparse.Namespace(method="a", fold=0, **places, **given))
    card = json.loads((tmp_path / "m/card.json").read_text())
    (line,) = [w for w in card["warnings"] if "no better than predicting nothing" in w]
    assert line.startswith("on training cases it did no better") and "as well as could be" in card["warnings"]
    assert "asked" not in card["warnings"] and f"WARNING {line}" in capsys.readouterr().err
    assert "no training case shows 'rare'" in card["warnings"]
    known = card["training"]["score"]
    assert known["cases"] == 4 and known["dice"] < known["dice_of_nothing"]
    assert score.Score.told("a fold 0", known) == [
        "made from a fold 0, which on training cases did no better than predicting nothing but background"
    ]
    assert Score.told("a fold 0", {**known, "dice": 0.9}) == Score.told("a fold 0", None) == []
