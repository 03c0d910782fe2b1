"""The one typed model of ``params.yaml``: all sections, each one phase's, and the methods."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Any, Union

from pydantic import Field

from refold.methods import kinds
from refold.methods.base import Settings
from refold.methods.derived import Composition, composition
from refold.methods.network import Network
from refold.settings.augment import Augment
from refold.settings.base import METHOD_NAME, Section, Words
from refold.settings.dataset import Dataset
from refold.settings.evaluate import Evaluate
from refold.settings.predict import Predict
from refold.settings.preprocess import Preprocess
from refold.settings.report import Report
from refold.settings.split import Split
from refold.settings.train import Train

KINDS = kinds()
PLACES = (("dataset", "source"), ("dataset", "patient_table"), ("split", "file"))  # keys that say where files lie
GIVEN = "given in params.yaml"  # stands for such a path wherever parameters are kept or shown
if TYPE_CHECKING:
    Method = Settings
else:
    Method = Annotated[Union[tuple(KINDS.values())], Field(discriminator="kind")]  # noqa: UP007


def without_places(values: dict[str, Any]) -> None:
    """In sections as plain values, valid or not, say where files lie no more than that it is given."""
    methods = values.get("methods")
    entries = [e for e in methods.values() if isinstance(e, dict)] if isinstance(methods, dict) else []
    found = [(e, key) for e in entries if (kind := KINDS.get(str(e.get("kind")))) for key in kind.places]
    found += [(values[section], key) for section, key in PLACES if isinstance(values.get(section), dict)]
    for section, key in found:
        if section.get(key) is not None:
            section[key] = GIVEN


class Params(Section):
    """An experiment of refold: everything that its numbers depend on."""

    dataset: Dataset = Field(Dataset(), description="Which data.")
    preprocess: Preprocess = Field(Preprocess(), description="From raw images to arrays.")
    split: Split = Field(Split(), description="Who is trained on, who is tested on.")
    train: Train = Field(Train(), description="How networks are trained.")
    augment: Augment = Field(Augment(), description="Random changes of the training patches.")
    methods: dict[
        Annotated[
            str,
            Field(pattern=METHOD_NAME, max_length=60),
            Words("small letters, digits, `_` and `-`, a letter or digit first, at most 60 in all"),
        ],
        Method,
    ] = Field(
        {"unet": KINDS["unet"].model_validate({})},
        min_length=1,
        json_schema_extra={"additionalProperties": False},
        description="The methods compared: a name of your choice, then its kind and parameters. What tables would take "
        "for something else is no name: a number, `all`, `mean`, `holdout`, `incomplete`, `na`, `nan`, `none`, `null`, "
        "`true`, `false`.",
    )
    predict: Predict = Field(Predict(), description="From models to label maps.")
    evaluate: Evaluate = Field(Evaluate(), description="Metrics and statistics.")
    report: Report = Field(Report(), description="The report.")

    def train_of(self, name: str) -> Train:
        """How this network is trained: the section `train` with its own changes."""
        return self.network(name).train.apply_to(self.train)

    def augment_of(self, name: str) -> Augment:
        """How its patches are changed: the section `augment` with its own changes."""
        return self.network(name).augment.apply_to(self.augment)

    def network(self, name: str) -> Network:
        """The settings of a method that is a network."""
        entry = self.methods[name]
        assert isinstance(entry, Network), name
        return entry

    @property
    def networks(self) -> list[str]:
        """The methods that are networks."""
        return [name for name, m in self.methods.items() if m.network]

    def frozen_method(self, name: str) -> dict[str, Any]:
        """One method as plain JSON values; a network's with the whole of `train` and `augment` as it is trained.

        A section's value that the method changes for itself may so change without training it anew.
        """
        entry = self.section("methods")[name]
        for key in self.methods[name].places:
            entry[key] = GIVEN
        if self.methods[name].network:
            entry["train"] = self.train_of(name).model_dump(mode="json")
            entry["augment"] = self.augment_of(name).model_dump(mode="json")
        return entry

    def composition(self, name: str) -> Composition:
        """Which models predict for a method, and what becomes of their prediction.

        Raises:
            RefoldError: a part of it is no method, a circle, or cannot be averaged.
        """
        return composition(self.methods, name)

    def uses_networks(self, name: str) -> bool:
        """Whether networks predict for a method, alone or together with others. Raises as `composition` does."""
        return any(self.methods[part.method].network for part in self.composition(name).models)

    def section(self, name: str) -> dict[str, Any]:
        """One section as plain JSON values, defaults filled in."""
        return self.model_dump(mode="json")[name]

    def frozen(self) -> dict[str, Any]:
        """What jobs see of it: the content of each stamp by its name."""
        sections = {name: self.section(name) for name in type(self).model_fields if name != "methods"}
        # which folds are run changes none of them: another choice must not draw the split, and so train, anew
        sections["split"].pop("run_folds")
        # nor does it matter where files lie; what they hold is told by hashes, and where to find them by imaging.place
        without_places(sections)
        sections |= {f"methods.{name}": self.frozen_method(name) for name in self.methods}
        # what stands in tables and report: one method or fold fewer changes no file that they read
        sections["selection"] = {"methods": list(self.methods), "folds": self.split.fold_numbers}
        return sections
