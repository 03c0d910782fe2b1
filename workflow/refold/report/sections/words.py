"""The methods section: what was done, ready for a paper."""

from __future__ import annotations

from typing import Any

from refold.core.language import _
from refold.experiment.params import Params
from refold.methods.base import About
from refold.report.export import Kept
from refold.report.inputs import Experiment
from refold.report.prose import augment, data, evaluate, predict, preprocess, split, train, words
from refold.report.prose.writing import Prose
from refold.settings.augment import Augment
from refold.settings.train import Train


def context(e: Experiment, kept: Kept) -> dict[str, Any]:
    """What the template shows."""
    prose = methods(e)
    return {"prose": prose, "references": prose.references()}


def methods(experiment: Experiment) -> Prose:
    """The methods section: what was done, in the past tense, every number from the frozen parameters."""
    prose, p = Prose(), experiment.params
    data.describe(prose, experiment)
    preprocess.describe(prose, experiment)
    split.describe(prose, experiment)
    for name in experiment.methods:
        cards = [card for (method, fold), card in experiment.cards.items() if method == name]
        facts = cards[0].get("training", {}) if cards else {}
        description = experiment.description
        training = p.train_of(name) if p.methods[name].network else Train()
        about = About(prose.cite, list(description.channels), description.dimension, facts, training)
        prose.add(_("Method {name}", name=name), words(p.methods[name], about))
    networks = [m for m in experiment.methods if p.methods[m].network]
    for training, augmentation, names in _recipes(p, networks):
        whose = names if len(names) < len(networks) else []
        train.describe(prose, training, whose)
        augment.describe(prose, augmentation)
    if networks:
        predict.describe(prose, p.predict)
    evaluate.describe(prose, experiment)
    return prose


def _recipes(p: Params, networks: list[str]) -> list[tuple[Train, Augment, list[str]]]:
    """Each way of training and augmenting, with the networks that share it."""
    recipes: list[tuple[Train, Augment, list[str]]] = []
    for name in networks:
        pair = (p.train_of(name), p.augment_of(name))
        same = next((names for *other, names in recipes if tuple(other) == pair), None)
        if same is None:
            recipes.append((*pair, [name]))
        else:
            same.append(name)
    return recipes
