"""What the settings of every network have."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Annotated, Any, ClassVar, Literal

from pydantic import Field

from refold.core.language import N_, _, joined, listed
from refold.core.plan import Plan, plan
from refold.core.sections import Augment, AugmentChanges, Predict, Train, TrainChanges
from refold.methods.base import About, Segmenter, Settings

if TYPE_CHECKING:
    import keras


@dataclass(frozen=True)
class Problem:
    """What a network is built for.

    strides: pooling before each stage and axis, the first all ones; their number is that of the stages. patch: voxels
    of a training patch. labels: with the background. priors: share of the training voxels that each label has. train:
    the method's training settings (seed, initializer, deep supervision).
    """

    strides: tuple[tuple[int, ...], ...]
    patch: tuple[int, ...]
    channels: int
    labels: int
    train: Train = field(default_factory=Train)
    priors: tuple[float, ...] | None = None

    @property
    def dimension(self) -> int:
        return len(self.patch)


class Network(Settings):
    """A network: a Keras model from image patches to logits, trained as the sections `train` and `augment` say."""

    network: ClassVar[bool] = True
    file: ClassVar[str] = "model.keras"
    title: ClassVar[str] = N_("network")  # in the report: "A 3-D <title> with ..."
    sources: ClassVar[tuple[str, ...]] = ()  # keys of its references
    fewest_stages: ClassVar[int] = 2
    whole: ClassVar[tuple[int, ...]] = ()  # axes that it does not pool
    deep_supervision: ClassVar[bool] = False  # whether `build` gives logits of several resolutions

    dimension: Literal["auto", 2, 3] = Field(
        "auto", description="2: slice by slice across z; 3: volumes; `auto`: the data's."
    )
    train: TrainChanges = Field(TrainChanges(), description="What differs from the section `train`, for this method.")
    augment: AugmentChanges = Field(
        AugmentChanges(), description="What differs from the section `augment`, for this method."
    )

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

    def create(self, predict: Predict) -> Segmenter:
        from refold.networks.segmenter import NetworkSegmenter

        return NetworkSegmenter(self, self.train.on(Train()), self.augment.on(Augment()), predict)

    def words(self, about: About) -> str:
        dimension = about.dimension if self.dimension == "auto" else self.dimension
        plan = about.facts.get("plan")
        text = _("A {dimension}-D {network}", dimension=dimension, network=_(self.title))
        text += about.cite(*self.sources) if self.sources else ""
        parts = []
        if plan:
            patch = " x ".join(map(str, plan["patch"]))
            sizes = _("{stages} resolutions, a patch of {patch} voxels", stages=len(plan["strides"]), patch=patch)
            if self.planned_stages == "auto" and about.train.patch == "auto":
                cite = about.cite("nnunet")
                sizes = _("{sizes} (planned from the fingerprint by nnU-Net's rule{cite})", sizes=sizes, cite=cite)
            parts.append(sizes)
        elif self.planned_stages != "auto":
            parts.append(_("{stages} resolutions", stages=self.planned_stages))
        parts += self.details(about)
        if parts:
            text = _("{network} with {parts}", network=text, parts=joined(parts))
        count = about.facts.get("parameters")
        return _("{network}; {count:,} parameters.", network=text, count=count) if count else _("{text}.", text=text)

    def details(self, about: About) -> list[str]:
        """What else the report tells of it, as parts of a list."""
        return []


class Staged(Network):
    """A network of several resolutions, with more feature maps at each coarser one."""

    features: int = Field(8, ge=1, le=512, description="Feature maps of the first stage; doubled at each one.")
    max_features: int = Field(320, ge=1, le=2048, description="Most feature maps at any stage.")
    widths: Annotated[list[Annotated[int, Field(ge=1, le=2048)]], Field(min_length=2, max_length=8)] | None = Field(
        None,
        description="Feature maps of each stage, finest first, in place of `features` and `max_features`; there are as "
        "many stages as numbers. The finest stage takes most of the time: make it narrow, and the others wide.",
    )
    stages: Literal["auto"] | Annotated[int, Field(ge=2, le=8)] = Field(
        "auto", description="Resolutions; `auto`: planned from patch and spacing by nnU-Net's rule."
    )
    normalisation: Literal["instance", "group", "none"] = Field(
        "instance", description="Normalisation layer; `group` has 8 groups, so features must be a multiple of 8."
    )

    @property
    def planned_stages(self) -> Literal["auto"] | int:
        return self.stages if self.widths is None else len(self.widths)

    def width(self, stage: int) -> int:
        """Feature maps of a stage."""
        if self.widths is not None:
            return self.widths[stage]
        return min(self.features * 2**stage, self.max_features)

    def details(self, about: About) -> list[str]:
        norm = {
            "instance": _("instance normalisation"),
            "group": _("group normalisation"),
            "none": _("no normalisation"),
        }
        return [self.maps(), norm[self.normalisation]]

    def maps(self) -> str:
        """The number of feature maps, in words."""
        if self.widths is not None:
            return _("{widths} feature maps", widths=listed(map(str, self.widths)))
        return _(
            "{first} feature maps at the first, doubled at each to at most {most}",
            first=self.features,
            most=self.max_features,
        )

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
