"""Intensity normalisation by modality.

``zscore``, ``minmax`` and ``none`` are done per case at preprocessing. ``ct`` needs statistics of several cases: such
channels are stored raw, `fit` learns from the training cases of a fold alone, and `apply` normalises what is read.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from refold.core.errors import RefoldError

MODES = ("zscore", "ct", "minmax", "none")


def modes(setting: str | Sequence[str], modalities: Sequence[str]) -> tuple[str, ...]:
    """One mode a channel from ``preprocess.normalisation``.

    Args:
        setting: ``auto``, one mode, or a list with one a channel.
        modalities: of the channels, as in the data set's description; ``auto`` takes ``ct`` for CT, else ``zscore``.

    Raises:
        RefoldError: a list of another length than there are channels.
    """
    if setting == "auto":
        return tuple("ct" if m.strip().lower() == "ct" else "zscore" for m in modalities)
    if isinstance(setting, str):
        return (setting,) * len(modalities)
    if len(setting) != len(modalities):
        raise RefoldError(
            f"preprocess.normalisation: {list(setting)} names {len(setting)} channels, the data have "
            f"{len(modalities)} ({', '.join(modalities)}); give one a channel, one word for all, or auto"
        )
    return tuple(setting)


def normalise(image: np.ndarray, modes: Sequence[str], mask: np.ndarray | None = None) -> tuple[np.ndarray, list[str]]:
    """Normalise one case; ``ct`` channels stay as they are.

    Args:
        image: (x, y[, z], channels).
        modes: one a channel.
        mask: (x, y[, z]) bool; if given, ``zscore`` takes mean and standard deviation inside it and writes 0 outside.

    Returns:
        float32 image, and a message for each channel that is constant (it becomes 0).
    """
    out = np.array(image, np.float32, order="C")
    messages = []
    for channel, mode in enumerate(modes):
        if mode in ("ct", "none"):
            continue
        values = out[..., channel]
        inside = values if mask is None or mode == "minmax" else values[mask]
        if inside.size == 0 or inside.min() == inside.max():
            values[...] = 0
            messages.append(f"channel {channel} has one value only: stored as 0")
            continue
        if mode == "zscore":
            shift, scale = inside.mean(dtype=np.float64), inside.std(dtype=np.float64)
        else:
            shift = np.float64(inside.min())
            scale = np.float64(inside.max()) - shift
        for plane in values:  # plane by plane: float64 of the whole would be the largest array of the phase
            plane[...] = (plane - shift) / scale  # never 0: the values differ
        if mode == "zscore" and mask is not None:
            values[~mask] = 0
    return out, messages


@dataclass(frozen=True)
class Statistics:
    """What ``ct`` channels are normalised with; entries of other channels are None.

    p0_5, p99_5: the percentiles 0.5 and 99.5 of the foreground. mean, sd: its mean and standard deviation (before
    clipping, as in nnU-Net). cases: how many cases they were learnt from.
    """

    modes: tuple[str, ...]
    p0_5: tuple[float | None, ...]
    p99_5: tuple[float | None, ...]
    mean: tuple[float | None, ...]
    sd: tuple[float | None, ...]
    cases: int = 0

    def to_json(self) -> dict[str, Any]:
        return {k: list(v) if isinstance(v, tuple) else v for k, v in vars(self).items()}

    @classmethod
    def from_json(cls, values: dict[str, Any]) -> Statistics:
        fields: dict[str, Any] = {k: tuple(v) if isinstance(v, list) else v for k, v in values.items()}
        return cls(**fields)


def fit(samples: Sequence[np.ndarray], modes: Sequence[str]) -> Statistics:
    """Learn the statistics of ``ct`` channels from the training cases' foreground intensities.

    Args:
        samples: one (n, channels) array a case, such as `refold.imaging.store.Stored.intensities`. Only training cases.
        modes: one a channel. Without a ``ct`` channel nothing is read.

    Raises:
        RefoldError: a ``ct`` channel and no foreground voxel in any case, or one intensity in over 99 % of them.
    """
    none = (None,) * len(modes)
    if "ct" not in modes:
        return Statistics(tuple(modes), none, none, none, none, 0)
    samples = [np.asarray(s) for s in samples]
    pooled = np.concatenate(samples) if samples else np.empty((0, len(modes)))
    if len(pooled) == 0:
        raise RefoldError(
            "preprocess.normalisation: ct needs foreground voxels, the training cases have none; "
            "take zscore or minmax, or check the labels"
        )
    columns: dict[str, list[float | None]] = {"p0_5": [], "p99_5": [], "mean": [], "sd": []}
    for channel, mode in enumerate(modes):
        if mode != "ct":
            values: tuple = (None,) * 4
        else:
            column = pooled[:, channel].astype(np.float64)
            values = (*bounds(column), float(column.mean()), float(column.std()))
            if values[0] == values[1]:
                raise RefoldError(one_intensity(channel, values[0], "the training cases"))
        for key, value in zip(columns, values, strict=True):
            columns[key].append(value)
    return Statistics(tuple(modes), **{k: tuple(v) for k, v in columns.items()}, cases=len(samples))


def bounds(values: np.ndarray) -> tuple[float, float]:
    """The percentiles 0.5 and 99.5 of foreground intensities (n,), which ``ct`` clips to."""
    low, high = np.percentile(values.astype(np.float64), [0.5, 99.5]).tolist()
    return low, high


def one_intensity(channel: int, value: float, where: str) -> str:
    """Why a ``ct`` channel cannot be normalised whose percentiles are one intensity."""
    return (
        f"preprocess.normalisation: ct: in channel {channel} over 99 % of the foreground of {where} has the intensity "
        f"{value:g}; clipped to the percentiles 0.5 and 99.5, the whole image would be constant. Take zscore, minmax "
        "or none for that channel, or check the images"
    )


def apply(image: np.ndarray, statistics: Statistics) -> np.ndarray:
    """Normalise the ``ct`` channels of a stored image or part of one (x, y[, z], channels); others pass unchanged.

    Clips to the percentiles, subtracts the mean, divides by the standard deviation; float32.
    """
    if "ct" not in statistics.modes:
        return np.asarray(image, np.float32)
    out = np.array(image, np.float32)
    for channel, mode in enumerate(statistics.modes):
        if mode == "ct":
            values = out[..., channel]
            np.clip(values, statistics.p0_5[channel], statistics.p99_5[channel], out=values)
            values -= np.float32(statistics.mean[channel])
            values /= np.float32(statistics.sd[channel])
    return out
