"""One HDF5 file a preprocessed case, opened lazily.

Datasets, contiguous and uncompressed so that a box is read by seeking:
``image`` (x, y[, z], channels) float32, ``label`` (x, y[, z]) uint8 indices, ``foreground/<label index>`` (n, d) int32
voxel coordinates in the stored grid, ``intensities`` (n, channels) float32 raw foreground values; attribute ``record``:
JSON of `refold.imaging.geometry.Record`. The same content gives the same bytes.
"""

from __future__ import annotations

from collections.abc import Mapping
from functools import cached_property
from pathlib import Path

import h5py
import numpy as np

from refold.core import seals
from refold.core.errors import RefoldError
from refold.core.files import atomic
from refold.core.paths import FINGERPRINT, PREPROCESSED
from refold.imaging.record import Record

FOLDER = PREPROCESSED
SUFFIX = ".h5"
AGAIN = "preprocess_shard -- preprocess"  # what makes them anew, after `snakemake --forcerun`


def path(folder: str | Path, case: str) -> Path:
    return Path(folder) / f"{case}{SUFFIX}"


class Stored:
    """An open case; a context manager. Nothing is read before it is asked for."""

    def __init__(self, file: h5py.File):
        self._file = file

    @property
    def image(self) -> h5py.Dataset:
        """(x, y[, z], channels) float32; ``case.image[2:34, 0:32]`` reads that box alone. ct channels are raw."""
        return self._file["image"]

    @property
    def label(self) -> h5py.Dataset:
        """(x, y[, z]) uint8 label indices."""
        return self._file["label"]

    @cached_property
    def labels(self) -> tuple[int, ...]:
        """Foreground label indices present in the case, ascending."""
        return tuple(sorted(int(k) for k in self._file["foreground"]))

    def foreground(self, label_index: int) -> np.ndarray:
        """(n, d) int32 voxel coordinates of the label: all, or a seeded sample; (0, d) where it is absent."""
        group = self._file["foreground"]
        if str(label_index) not in group:
            return np.empty((0, self.label.ndim), np.int32)
        return group[str(label_index)][...]

    @cached_property
    def intensities(self) -> np.ndarray:
        """(n, channels) float32: a seeded sample of the raw foreground intensities, before normalisation."""
        return self._file["intensities"][...]

    @cached_property
    def record(self) -> Record:
        return Record.from_json(self._file.attrs["record"])

    def close(self) -> None:
        self._file.close()

    def __enter__(self) -> Stored:
        return self

    def __exit__(self, *_) -> None:
        self.close()


def open(folder: str | Path, case: str, sha256: str | None = None) -> Stored:
    """Open a preprocessed case for reading.

    Args:
        folder: of the preprocessed cases.
        case: its id.
        sha256: what the fingerprint says of the file; None: not checked.

    Raises:
        RefoldError: the file is missing, not one that `write` made, or another than the fingerprint describes.
    """
    name = path(folder, case)
    if sha256 is not None:
        seals.check(name, sha256, FINGERPRINT, AGAIN)
    elif not name.is_file():
        raise RefoldError(f"{name} is missing; run `snakemake --forcerun {AGAIN}`")
    try:
        # no lock: many readers at once, also on file systems that have none
        file = h5py.File(name, "r", locking=False)
    except OSError as error:
        raise RefoldError(f"{name} cannot be read ({error}); delete it and preprocess again") from None
    if "record" not in file.attrs or not {"image", "label", "foreground", "intensities"} <= set(file):
        file.close()
        raise RefoldError(f"{name} is no preprocessed case; delete it and preprocess again")
    return Stored(file)


def write(
    folder: str | Path,
    case: str,
    image: np.ndarray,
    label: np.ndarray,
    foreground: Mapping[int, np.ndarray],
    intensities: np.ndarray,
    record: Record,
) -> Path:
    """Write a case atomically; arguments as in the module's description, ``foreground`` only labels present.

    Returns the file's path.
    """
    name = path(folder, case)
    # track_times off: HDF5 otherwise stores the time at which a dataset was made
    with atomic(name) as temporary, h5py.File(temporary, "w", locking=False) as file:
        file.attrs["record"] = record.to_json()
        for key, value, kind in (
            ("image", image, np.float32),
            ("label", label, np.uint8),
            ("intensities", intensities, np.float32),
        ):
            file.create_dataset(key, data=np.ascontiguousarray(value, kind), track_times=False)
        group = file.create_group("foreground")
        for index in sorted(foreground):
            points = np.ascontiguousarray(foreground[index], np.int32)
            group.create_dataset(str(index), data=points, track_times=False)
    return name
