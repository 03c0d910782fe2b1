"""The optimizers of a training."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

import keras

from refold.settings.train import Train

# adds weight decay to the weights rather than to the gradient
DECOUPLED = ("adamw", "muon")


def build(settings: Train, variables: Sequence[keras.Variable]) -> keras.optimizers.Optimizer:
    """SGD with Nesterov momentum, Adam, AdamW or Muon; decoupled weight decay on kernels alone."""
    common = {"learning_rate": settings.learning_rate, "global_clipnorm": settings.clip_norm}
    decay = settings.weight_decay
    if settings.optimizer == "sgd":
        optimizer = keras.optimizers.SGD(momentum=settings.momentum, nesterov=True, **common)
    elif settings.optimizer == "adam":
        optimizer = keras.optimizers.Adam(**common)
    elif settings.optimizer == "adamw":
        optimizer = keras.optimizers.AdamW(weight_decay=decay, **common)
    else:
        optimizer = Muon(weight_decay=decay, adam_weight_decay=decay, **common)
    if settings.optimizer in DECOUPLED:
        optimizer.exclude_from_weight_decay(var_list=[v for v in variables if not is_kernel(v)])
    optimizer.build(variables)
    return optimizer


def is_kernel(variable: keras.Variable) -> bool:
    return variable.path.endswith("kernel")


class Muon(keras.optimizers.Muon):
    """Muon (Jordan et al. 2024) for kernels of convolutions too, which Keras's leaves to AdamW.

    A kernel (x, y, z, maps, maps) counts as the matrix (x y z maps, maps). A step turns its averaged gradient into the
    nearest matrix whose singular values are all about 1, and has the root mean square of AdamW's steps (Liu et al.
    2025), so that one learning rate and weight decay serve both. Biases, normalisation and the layers
    that predict (``logits``) take AdamW's steps.
    """

    def _should_use_adamw(self, variable: keras.Variable) -> bool:
        return not is_kernel(variable) or "logits" in variable.path

    def zeropower_via_newtonschulz5(self, x: Any, steps: int) -> Any:
        matrix = keras.ops.reshape(x, (-1, x.shape[-1]))
        return keras.ops.reshape(super().zeropower_via_newtonschulz5(matrix, steps), x.shape)

    def lr_adjust(self, x: Any) -> Any:
        return x * (self.rms_rate * math.sqrt(max(math.prod(x.shape[:-1]), x.shape[-1])))
