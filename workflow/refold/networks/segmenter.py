"""A network as a method: planned from the fingerprint, trained within its budget, saved as one Keras file."""

from __future__ import annotations

import json
import tempfile
import zipfile
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Literal

import keras
import numpy as np
import tensorflow as tf

from refold.core import log
from refold.core.errors import RefoldError
from refold.core.files import atomic
from refold.imaging.plan import Plan, plan
from refold.networks.layers import GroupNormalization
from refold.networks.problem import Problem
from refold.settings.augment import Augment
from refold.settings.predict import Predict
from refold.settings.train import Train
from refold.train import inference
from refold.train.augment import AXES, Augmenter
from refold.train.fold import Fold
from refold.train.loop import Trainer
from refold.train.sampler import Sampler
from refold.train.score import Score
from refold.train.segmenter import Segmenter

# what Keras raises for an archive that is none, or whose configuration it cannot use
UNREADABLE = (
    OSError, ValueError, KeyError, TypeError, AttributeError, ImportError, IndexError, RecursionError,
    zipfile.BadZipFile,
)  # fmt: skip


class NetworkSegmenter(Segmenter):
    file = "model.keras"

    def __init__(
        self,
        build: Callable[[Problem], keras.Model],
        train: Train | None = None,
        augment: Augment | None = None,
        predict: Predict | None = None,
        *,
        dimension: Literal["auto", 2, 3] = "auto",
        plan: Callable[..., Plan] = plan,
        fewest_stages: int = 2,
        layers: Mapping[str, type] | None = None,
        trainer: Callable[..., Trainer] = Trainer,
    ):
        """A network that is not yet trained.

        Args:
            build: makes it: (batch, x, y[, z], channels) to logits (batch, x, y[, z], labels), or with deep supervision
                a list of them, finest first.
            train, augment, predict: how it is trained, its patches are changed, and it predicts; None: by default.
            dimension: 2: slice by slice across z; 3: volumes; `auto`: the data's.
            plan: gives patch and pooling by fingerprint, dimension and `train.patch`.
            fewest_stages: with which it can be built.
            layers: of its own, by the names in a saved model.
            trainer: makes its trainer.
        """
        super().__init__()
        self.build, self.dimension, self.planned, self.fewest_stages = build, dimension, plan, fewest_stages
        self.train, self.augment, self.predict = train or Train(), augment or Augment(), predict or Predict()
        self.layers, self.trainer = dict(layers or {}), trainer
        self.network: keras.Model  # after `fit` or `load`
        self.plan: Plan
        self.labels = 0
        self._graphs: dict[int, Any] = {}

    # ---- learning

    def fit(self, fold: Fold) -> dict[str, Any]:
        dimension = self.dimension if self.dimension != "auto" else fold.description.dimension
        self.labels = fold.labels
        try:
            self._build(fold, dimension)
        except RefoldError as error:
            raise RefoldError(f"methods.{fold.name}: {error}") from None
        augmenter = Augmenter(self.augment, dimension)
        for axis in augmenter.ignored:
            self.warnings.append(f"augment.flip.axes: {axis} is no axis of a {dimension}-D network: not flipped")
        sampler = Sampler(
            cases=fold.training,
            statistics=fold.statistics,
            augmenter=augmenter,
            patch=self.plan.patch,
            batch_size=self.train.batch_size,
            samples_per_epoch=self.train.samples_per_epoch or len(fold.training),
            foreground_fraction=self.train.foreground_fraction,
            seed=self.train.seed,
            fold=fold.fold,
        )
        name = f"{fold.name} fold {fold.fold}"
        log.get().info(
            f"{name}: {len(fold.training)} cases, patch {list(self.plan.patch)}, {self.plan.stages} stages, "
            f"{self.network.count_params():,} weights, {self.train.epochs} epochs of {sampler.steps} steps"
        )
        validate = (lambda: self._validate(fold)) if fold.validation else None
        trainer = self.trainer(self.network, self.train, sampler, validate, fold.checkpoint, fold.key, name)
        trainer.run()
        self.history = trainer.history
        kept = trainer.best[1] if trainer.best else trainer.epoch  # whose weights the network holds now
        known = (row["score"] for row in self.history if row["epoch"] == kept and "score" in row)
        self.score = next((Score(**found) for found in known), None)
        return {
            "plan": {"patch": list(self.plan.patch), "strides": [list(s) for s in self.plan.strides]},
            "parameters": int(self.network.count_params()),
            "epochs": trainer.epoch,
            "steps": trainer.epoch * sampler.steps,
            "samples": trainer.epoch * sampler.steps * sampler.batch_size,
            "best_epoch": trainer.best[1] if trainer.best else None,
        }

    def _build(self, fold: Fold, dimension: int) -> None:
        self.plan = self.planned(fold.fingerprint, dimension, self.train.patch)
        if self.plan.stages < self.fewest_stages:
            raise RefoldError(
                f"train.patch: {list(self.plan.patch)} cannot be pooled: an axis needs 8 voxels; "
                "give a larger patch, or a finer preprocess.spacing"
            )
        if self.train.deep_supervision and self.plan.stages < 4:
            raise RefoldError(
                f"train.deep_supervision: {self.plan.stages} stages leave no coarser resolution to supervise; "
                "set it to false, or give a larger patch"
            )
        weights = self.train.loss.class_weights
        if weights is not None and len(weights) != fold.labels:
            raise RefoldError(
                f"train.loss.class_weights: {list(weights)} is {len(weights)} long, the data have {fold.labels} labels "
                f"({', '.join(fold.description.labels.names)}); give one each"
            )
        problem = Problem(
            self.plan.strides,
            self.plan.patch,
            len(fold.description.channels),
            fold.labels,
            tuple(fold.priors()),
            self.train.seed,
            self.train.initializer,
            self.train.deep_supervision,
        )
        self.network = self.build(problem)

    def _validate(self, fold: Fold) -> tuple[float, list[float], dict[str, Any]]:
        """Cross-entropy, mean Dice by foreground label, and `Score` over the inner validation, without mirroring."""
        values, dice, score = [], [], Score("cases of the inner validation")
        for case in fold.validation.values():
            p = self._probabilities(fold.image(case), mirror_axes=())
            truth = case.label[...]
            chosen = np.take_along_axis(p, truth[..., None].astype(np.intp), -1)
            values.append(float(-np.log(np.maximum(chosen, 1e-7)).mean()))
            predicted = p.argmax(-1)
            row = []
            for label in range(1, self.labels):
                a, t = predicted == label, truth == label
                total = int(a.sum()) + int(t.sum())
                # no mask on either side says nothing about the network
                row.append(2 * int((a & t).sum()) / total if total else float("nan"))
            dice.append(row)
            score.compare(predicted, truth, self.labels)
        columns = np.array(dice).T
        means = [float(np.mean(c[~np.isnan(c)])) if (~np.isnan(c)).any() else float("nan") for c in columns]
        return float(np.mean(values)), means, vars(score)

    # ---- predicting

    def _forward(self, batch: np.ndarray) -> np.ndarray:
        # a graph for each number of cases: normalisation must know it
        if len(batch) not in self._graphs:
            size = (None,) * len(self.plan.patch)
            signature = tf.TensorSpec((len(batch), *size, self.network.input_shape[-1]), tf.float32)

            @tf.function(input_signature=[signature], autograph=False)
            def graph(x):
                out = self.network(x, training=False)
                return tf.nn.softmax(tf.cast(out[0] if isinstance(out, list | tuple) else out, tf.float32))

            self._graphs[len(batch)] = graph
        return self._graphs[len(batch)](tf.constant(batch)).numpy()

    def _probabilities(self, image: np.ndarray, mirror_axes) -> np.ndarray:
        forward = inference.mirrored(self._forward, mirror_axes)
        dimension = len(self.plan.patch)
        if dimension < image.ndim - 1:
            return inference.slices(forward, image, self.labels, self.plan.divisor, self.plan.patch)
        tile = inference.tile_size(self.predict.tile, image.shape[:-1], self.plan.patch, self.plan.divisor)
        return inference.probabilities(forward, image, self.labels, self.plan.divisor, tile, self.predict.overlap)

    def predict_proba(self, image: np.ndarray) -> np.ndarray:
        """(x, y[, z], channels) normalised -> (x, y[, z], labels) float32, by `predict`'s tiles and mirror axes."""
        return self._probabilities(image, self.predict.mirror_axes)

    # ---- keeping

    def save(self, folder: Path) -> None:
        save_network(self.network, folder / self.file)

    def load(self, folder: Path, card: dict[str, Any]) -> None:
        path = folder / self.file
        try:
            own = {"GroupNormalization": GroupNormalization, **self.layers}
            self.network = keras.models.load_model(path, own, compile=False)
        except UNREADABLE as error:
            told = f"{type(error).__name__}: {error}".splitlines()[0]
            raise RefoldError(
                f"{path} cannot be loaded ({told}); `snakemake --forcerun {path}` trains it again"
            ) from None
        p = card["training"]["plan"]
        self.plan = Plan(tuple(p["patch"]), tuple(map(tuple, p["strides"])))
        dimension = len(self.plan.patch)
        for axis in AXES[dimension:]:
            if axis in self.predict.mirror_axes:
                self.warnings.append(f"mirror_axes: {axis} is no axis of a {dimension}-D network: not averaged over")
        out = self.network.output_shape
        self.labels = (out[0] if isinstance(out, list) else out)[-1]


# a name registered nowhere: whoever loads the model may put a layer of its own there, and otherwise it is Keras's
PLAIN = {"module": "keras.layers", "registered_name": "GroupNormalization"}


def _plain(value: Any, seen: dict[int, int]) -> Any:
    """A Keras configuration with shared objects numbered as they come, and Keras's own layer of normalisation."""
    if isinstance(value, dict):
        if value.get("class_name") == "GroupNormalization":
            value = {**value, **PLAIN}
        return {
            k: seen.setdefault(v, len(seen)) if k == "shared_object_id" else _plain(v, seen) for k, v in value.items()
        }
    return [_plain(v, seen) for v in value] if isinstance(value, list) else value


def save_network(model: keras.Model, path: str | Path) -> None:
    """Save as ``.keras`` with the same bytes for the same weights.

    Keras writes dates and the memory addresses of shared objects into its archive; here both are fixed.
    """
    with tempfile.TemporaryDirectory() as folder:
        raw = Path(folder) / "model.keras"
        model.save(raw)
        with zipfile.ZipFile(raw) as source, atomic(path) as temporary, zipfile.ZipFile(temporary, "w") as target:
            for name in sorted(source.namelist()):
                content = source.read(name)
                if name == "metadata.json":
                    metadata = json.loads(content)
                    metadata["date_saved"] = "1980-01-01@00:00:00"
                    content = json.dumps(metadata, sort_keys=True).encode()
                if name == "config.json":
                    content = json.dumps(_plain(json.loads(content), {})).encode()
                target.writestr(zipfile.ZipInfo(name, (1980, 1, 1, 0, 0, 0)), content, zipfile.ZIP_STORED)
