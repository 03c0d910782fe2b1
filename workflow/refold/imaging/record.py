"""How a case's stored grid came from its raw file."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, fields

import numpy as np

from refold.core.errors import RefoldError


def _tuples(value):
    return tuple(_tuples(v) for v in value) if isinstance(value, (list, tuple)) else value


@dataclass(frozen=True)
class Record:
    """How a case's stored grid came from its raw file.

    dimension: 2 or 3, the number d of spatial axes.
    flat: the file is a NIfTI of two axes, which stand here as (x, y, 1).
    raw_shape: (d,) voxels as in the file. raw_spacing: mm, same axes.
    raw_affine: (d + 1, d + 1), voxel indices of the file to mm in RAS+.
    codes: orientation of the file's axes, such as ``LPS``; ``XY`` for pictures.
    transform: a row for each file axis: (canonical axis it becomes, 1 or -1 if it is flipped on the way).
    crop: a row for each canonical axis: (first voxel, one past the last) of the box kept.
    cropped_shape: voxels of that box. cropped_spacing: mm, canonical axes.
    stored_shape: voxels after resampling. stored_spacing: mm, exact: the box's extent / stored_shape.
    """

    dimension: int
    flat: bool
    raw_shape: tuple[int, ...]
    raw_spacing: tuple[float, ...]
    raw_affine: tuple[tuple[float, ...], ...]
    codes: str
    transform: tuple[tuple[int, int], ...]
    crop: tuple[tuple[int, int], ...]
    cropped_shape: tuple[int, ...]
    cropped_spacing: tuple[float, ...]
    stored_shape: tuple[int, ...]
    stored_spacing: tuple[float, ...]

    def to_json(self) -> str:
        return json.dumps(asdict(self), sort_keys=True)

    @classmethod
    def from_json(cls, text: str) -> Record:
        """Raises `RefoldError` when a field is missing or unknown."""
        values = json.loads(text)
        names = {f.name for f in fields(cls)}
        if set(values) != names:
            raise RefoldError(
                f"geometry record with the fields {sorted(values)}, wanted are {sorted(names)}; preprocess again"
            )
        return cls(**{k: _tuples(v) for k, v in values.items()})

    @property
    def canonical_shape(self) -> tuple[int, ...]:
        """Voxels (x, y[, z]) of the whole image in canonical orientation."""
        shape = [0] * self.dimension
        for size, (axis, _) in zip(self.raw_shape, self.transform, strict=True):
            shape[axis] = size
        return tuple(shape)

    @property
    def stored_affine(self) -> np.ndarray:
        """(d + 1, d + 1) float64: voxel indices of the stored grid to mm in RAS+."""
        from nibabel.orientations import inv_ornt_aff

        affine = np.array(self.raw_affine) @ inv_ornt_aff(np.array(self.transform, float), self.raw_shape)
        scale = np.array(self.cropped_shape) / np.array(self.stored_shape)
        grid = np.eye(self.dimension + 1)
        grid[:-1, :-1] = np.diag(scale)
        grid[:-1, -1] = np.array(self.crop)[:, 0] + scale / 2 - 0.5
        return affine @ grid
