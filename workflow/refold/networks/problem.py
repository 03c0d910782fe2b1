"""What a network is built for."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True)
class Problem:
    """Images, labels and initial weights of a network.

    strides: pooling before each stage and axis, the first all ones; their number is that of the stages. patch: voxels
    of a training patch. channels: of the image. labels: with the background. priors: share of the training voxels that
    each label has; None: unknown. seed, initializer: of the weights, see `networks.layers.Maker`. deep_supervision:
    whether logits of several resolutions are wanted.
    """

    strides: tuple[tuple[int, ...], ...]
    patch: tuple[int, ...]
    channels: int
    labels: int
    priors: tuple[float, ...] | None = None
    seed: int = 1
    initializer: Literal["he", "glorot", "gaussian"] = "he"
    deep_supervision: bool = False

    @property
    def dimension(self) -> int:
        return len(self.patch)
