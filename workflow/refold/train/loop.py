"""Training a network within a fixed budget."""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import keras
import numpy as np
import tensorflow as tf

from refold.core import log
from refold.settings.train import Train
from refold.train import checkpoint, losses, optimizers
from refold.train.sampler import Feed, Sampler
from refold.train.schedules import learning_rate

# threads that prepare patches beside the training step; no result depends on them
WORKERS = max(1, min(4, (os.cpu_count() or 2) // 2))


class Trainer:
    """One network, one fold.

    Args:
        network: from patches (batch, x, y[, z], channels) to logits, or a list of them with deep supervision.
        settings: the section ``train``.
        sampler: of the fold's training cases.
        validate: gives the inner validation's (loss, Dice by foreground label, `Score` as a dictionary) of the network
            as it stands; None without inner validation.
        checkpoint_path: written after each epoch.
        key: hash of everything that the result depends on; a checkpoint with another key is not used.
        name: for log lines.
    """

    def __init__(
        self,
        network: keras.Model,
        settings: Train,
        sampler: Sampler,
        validate: Callable[[], tuple[float, list[float], dict[str, Any]]] | None,
        checkpoint_path: str | Path,
        key: str,
        name: str,
    ):
        self.network, self.settings, self.sampler, self.validate = network, settings, sampler, validate
        self.checkpoint_path, self.key, self.name = Path(checkpoint_path), key, name
        self.optimizer = optimizers.build(settings, network.trainable_variables)
        self.loss = losses.build(settings.loss)
        self.averages = [tf.Variable(v.value, trainable=False) for v in network.trainable_variables]
        self.history: list[dict[str, Any]] = []
        self.best: tuple[float, int] | None = None
        self.best_weights: list[np.ndarray] = []
        self.epoch = 0
        self.stopped = False

    # ---- one step

    @tf.function(reduce_retracing=True, autograph=False)
    def _step(
        self, image: tf.Tensor, label: tf.Tensor, rate: tf.Tensor, decay: tf.Tensor, progress: tf.Tensor
    ) -> tf.Tensor:
        variables = self.network.trainable_variables
        self.optimizer.learning_rate.assign(rate)
        with tf.GradientTape() as tape:
            logits = self.network(image, training=True)
            if isinstance(logits, list | tuple):
                loss = losses.deep_supervision(self.loss, logits, label, progress)
            else:
                loss = self.loss(logits, label, progress)
            if self.network.losses:  # of its own, such as a regulariser's
                loss += tf.add_n([tf.cast(value, tf.float32) for value in self.network.losses])
            extra = self._extra_loss(image, logits)
            if extra is not None:
                loss += extra
        gradients = tape.gradient(loss, [v.value for v in variables])
        if self.settings.optimizer not in optimizers.DECOUPLED and self.settings.weight_decay:
            gradients = [
                g + self.settings.weight_decay * v if g is not None and optimizers.is_kernel(v) else g
                for g, v in zip(gradients, variables, strict=True)
            ]
        self.optimizer.apply(gradients, variables)
        if self.settings.averaging:
            for average, variable in zip(self.averages, variables, strict=True):
                average.assign(decay * average + (1 - decay) * variable.value)
        self._after_step(image, label, logits)
        return loss

    def _extra_loss(self, image: tf.Tensor, logits: tf.Tensor) -> tf.Tensor | None:
        """For trainers derived from this one: a scalar to be added to the loss."""
        return None

    def _after_step(self, image: tf.Tensor, label: tf.Tensor, logits: tf.Tensor) -> None:
        """For trainers derived from this one: what else they train in a step."""

    # ---- state

    def _state(self) -> dict[str, list[Any]]:
        """The variables that a checkpoint keeps."""
        return {
            "weights": self.network.variables,
            "optimizer": self.optimizer.variables,
            "averages": self.averages,
        }

    def _arrays(self) -> dict[str, list[np.ndarray]]:
        found = {name: [np.array(v.numpy()) for v in variables] for name, variables in self._state().items()}
        return {**found, "best": self.best_weights}

    def _save(self) -> None:
        state = {"epoch": self.epoch, "history": self.history, "best": self.best, "stopped": self.stopped}
        checkpoint.save(self.checkpoint_path, self.key, self._arrays(), state)

    def _restore(self) -> None:
        found = checkpoint.load(self.checkpoint_path, self.key)
        if found is None:
            return
        arrays, state = found
        for name, variables in self._state().items():
            for variable, value in zip(variables, arrays[name], strict=True):
                variable.assign(value)
        self.best_weights = arrays.get("best", [])
        self.epoch, self.history, self.stopped = state["epoch"], state["history"], state["stopped"]
        self.best = tuple(state["best"]) if state["best"] else None
        log.get().info(f"{self.name}: goes on after epoch {self.epoch}")

    def _swap_averages(self) -> None:
        """Exchange weights and averaged weights."""
        if self.settings.averaging:
            for variable, average in zip(self.network.trainable_variables, self.averages, strict=True):
                value = variable.numpy().copy()
                variable.assign(average)
                average.assign(value)

    # ---- the whole training

    def run(self) -> None:
        """Train; afterwards the network holds the averaged (or, with early stopping, the best) weights."""
        settings, steps = self.settings, self.sampler.steps
        total = steps * settings.epochs
        warmup = round(settings.warmup_epochs * steps)
        self._restore()
        feed = Feed(self.sampler, WORKERS)
        begun = shown = time.monotonic()
        first = self.epoch
        try:
            for epoch in range(self.epoch, settings.epochs):
                if self.stopped:
                    break
                values = []
                for i, (image, label) in enumerate(feed.epoch(epoch)):
                    step = epoch * steps + i
                    rate = learning_rate(step, total, settings.learning_rate, settings.schedule, warmup)
                    # a young average forgets faster, or it would remember the initial weights
                    decay = min(settings.averaging, (1 + step) / (10 + step))
                    loss = self._step(
                        tf.constant(image),
                        tf.constant(label),
                        tf.constant(rate, tf.float32),
                        tf.constant(decay, tf.float32),
                        tf.constant(step / total, tf.float32),
                    )
                    values.append(loss)
                    now = time.monotonic()
                    if now - shown >= 15 or (sys.stderr.isatty() and now - shown >= 1):
                        shown = now
                        done = step + 1 - first * steps
                        left = (now - begun) / done * (total - step - 1)
                        self._show(
                            f"epoch {epoch + 1}/{settings.epochs}, step {i + 1}/{steps}, {log.duration(left)} left"
                        )
                self._end_epoch(epoch, [float(v) for v in values], rate)
                self._save()
        finally:
            feed.close()
        elapsed = time.monotonic() - begun
        if elapsed and self.epoch > first:
            log.get().info(
                f"{self.name}: trained {log.duration(elapsed)}, {feed.waited / elapsed:.1%} of it waiting for data"
            )
        if settings.early_stopping is not None and self.best_weights:
            for variable, value in zip(self.network.variables, self.best_weights, strict=True):
                variable.assign(value)
        else:
            self._swap_averages()

    def _show(self, text: str) -> None:
        if sys.stderr.isatty():
            print(f"\r{self.name}: {text:<60}", end="", file=sys.stderr, flush=True)
        else:
            log.get().info(f"{self.name}: {text}")

    def _end_epoch(self, epoch: int, values: list[float], rate: float) -> None:
        settings = self.settings
        row: dict[str, Any] = {"epoch": epoch + 1, "learning_rate": rate, "loss": float(np.mean(values))}
        if not np.isfinite(row["loss"]):
            from refold.core.errors import RefoldError

            raise RefoldError(
                f"{self.name}: the loss is {row['loss']} in epoch {epoch + 1}; "
                "lower train.learning_rate or set train.clip_norm, and look at the data's intensities"
            )
        last = epoch + 1 == settings.epochs
        if self.validate is not None and ((epoch + 1) % settings.validate_every == 0 or last):
            self._swap_averages()
            row["validation_loss"], row["dice"], row["score"] = self.validate()
            known = [d for d in row["dice"] if not np.isnan(d)]
            mean = float(np.mean(known)) if known else float("nan")
            if settings.early_stopping is not None and known and (self.best is None or mean > self.best[0]):
                self.best = (mean, epoch + 1)
                self.best_weights = [v.numpy().copy() for v in self.network.variables]
            self._swap_averages()
            if settings.early_stopping is not None and self.best is not None:
                since = (epoch + 1 - self.best[1]) / settings.validate_every
                self.stopped = since >= settings.early_stopping and not last
        self.history.append(row)
        self.epoch = epoch + 1
        dice = f", inner validation Dice {np.nanmean(row['dice']):.4f}" if row.get("dice") else ""
        text = f"{self.name}: epoch {epoch + 1}/{settings.epochs}, loss {row['loss']:.4f}{dice}"
        log.get().info(("\r" if sys.stderr.isatty() else "") + text)
        if self.stopped and self.best:
            log.get().info(f"{self.name}: stopped early, best epoch {self.best[1]}")
