"""What the settings of every network have."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from refold.imaging.plan import Plan, plan
from refold.methods.base import Segmenter, Settings
from refold.networks.problem import Problem
from refold.settings.augment import Augment
from refold.settings.changes import AugmentChanges, TrainChanges
from refold.settings.predict import Predict
from refold.settings.train import Train

if TYPE_CHECKING:
    import keras


class Network(Settings):
    """A network: a Keras model from image patches to logits, trained as the sections `train` and `augment` say."""

    network: ClassVar[bool] = True
    file: ClassVar[str] = "model.keras"
    fewest_stages: ClassVar[int] = 2
    whole: ClassVar[tuple[int, ...]] = ()  # axes that it does not pool
    deep_supervision: ClassVar[bool] = False  # whether `build` gives logits of several resolutions
    # of a user's own network, for the report; of refold's own they stand in `report/prose`
    title: ClassVar[str] = ""  # "A 3-D <title> with ..."
    sources: ClassVar[tuple[str, ...]] = ()  # keys of its references

    dimension: Literal["auto", 2, 3] = "auto"
    train: TrainChanges = TrainChanges()
    augment: AugmentChanges = AugmentChanges()

    @property
    def planned_stages(self) -> Literal["auto"] | int:
        """Resolutions; ``auto``: planned from patch and spacing."""
        return getattr(self, "stages", "auto")

    @abstractmethod
    def build(self, problem: Problem) -> keras.Model:
        """The network: (batch, x, y[, z], channels) to logits (batch, x, y[, z], labels).

        It must take any size that the strides divide, or exactly ``problem.patch``. With deep supervision it may give
        a list of logits, finest first. Losses of its own go through `add_loss`.
        """

    def plan(self, fingerprint: dict[str, Any], dimension: int, patch: str | list[int]) -> Plan:
        """Patch and pooling for a data set. Raises `RefoldError` where the patch does not suit."""
        return plan(fingerprint, dimension, patch, self.planned_stages, whole=self.whole)

    def trainer(self) -> Callable[..., Any]:
        """What makes its trainer: `refold.train.loop.Trainer`, or a class derived from it."""
        from refold.train.loop import Trainer

        return Trainer

    def layers(self) -> dict[str, type]:
        """Layers of its own that a saved model names."""
        return {}

    def segmenter(self, train: Train, augment: Augment, predict: Predict) -> Segmenter:
        """The network, not yet trained; ``train`` and ``augment`` as they hold for it."""
        from refold.networks.segmenter import NetworkSegmenter

        return NetworkSegmenter(
            self.build,
            train,
            augment,
            predict,
            dimension=self.dimension,
            plan=self.plan,
            fewest_stages=self.fewest_stages,
            layers=self.layers(),
            trainer=self.trainer(),
        )


class Staged(Network):
    """A network of several resolutions, with more feature maps at each coarser one."""

    features: int = Field(8, ge=1, le=512)
    max_features: int = Field(320, ge=1, le=2048)
    widths: Annotated[list[Annotated[int, Field(ge=1, le=2048)]], Field(min_length=2, max_length=8)] | None = None
    stages: Literal["auto"] | Annotated[int, Field(ge=2, le=8)] = "auto"
    normalisation: Literal["instance", "group", "none"] = "instance"

    @property
    def planned_stages(self) -> Literal["auto"] | int:
        return self.stages if self.widths is None else len(self.widths)

    def maps(self, problem: Problem) -> list[int]:
        """Feature maps of each stage."""
        return [self.width(stage) for stage in range(len(problem.strides))]

    def width(self, stage: int) -> int:
        """Feature maps of a stage."""
        if self.widths is not None:
            return self.widths[stage]
        return min(self.features * 2**stage, self.max_features)

    def faults(self) -> list[tuple[str, str]]:
        found = []
        if self.max_features < self.features:
            found.append(("max_features", f"{self.max_features} is less than features, {self.features}"))
        if self.widths is not None and self.stages not in ("auto", len(self.widths)):
            text = f"{len(self.widths)} numbers for {self.stages} stages; give as many, or leave out stages"
            found.append(("widths", text))
        given = {"features": [self.features], "max_features": [self.max_features], "widths": self.widths or []}
        for key, values in given.items():
            for value in values:
                if self.normalisation == "group" and value % 8:
                    text = f"{value} is not allowed with normalisation group; allowed: multiples of 8, one a group"
                    found.append((key, text))
        return found
