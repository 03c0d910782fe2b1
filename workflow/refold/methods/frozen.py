"""Entries under ``methods`` as jobs see them: frozen, and for a network with the whole of `train` and `augment`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from refold.methods import kinds
from refold.methods.base import Segmenter, Settings
from refold.settings.augment import Augment
from refold.settings.predict import Predict
from refold.settings.stamps import Stamps
from refold.settings.train import Train


@dataclass(frozen=True)
class Entry:
    """One method. train, augment: how a network is trained; of another method by default, and read by nobody."""

    settings: Settings
    train: Train
    augment: Augment

    def create(self, predict: Predict) -> Segmenter:
        """The method, not yet fitted. Raises `TypeError` for one that has no model of its own."""
        return self.settings.segmenter(self.train, self.augment, predict)


def thaw(stamps: Stamps, name: str) -> Entry:
    """One entry. Raises `RefoldError` when its stamp is missing or damaged."""
    content = dict(stamps.frozen(f"methods.{name}"))
    kind = kinds()[content["kind"]]
    whole = {key: content.pop(key) for key in ("train", "augment") if kind.network}
    return Entry(
        kind.model_validate(content),
        Train.model_validate(whole.get("train", {})),
        Augment.model_validate(whole.get("augment", {})),
    )


def thaw_all(stamps: Stamps, name: str) -> dict[str, Entry]:
    """An entry, and those that it is made from, by name."""
    found: dict[str, Entry] = {}
    todo = [name]
    while todo:
        if (part := todo.pop()) not in found:
            found[part] = thaw(stamps, part)
            todo += found[part].settings.parts
    return found


def settings(entries: Mapping[str, Entry]) -> dict[str, Settings]:
    """The settings of each."""
    return {name: entry.settings for name, entry in entries.items()}
