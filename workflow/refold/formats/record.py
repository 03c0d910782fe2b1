"""What every format is read to, and how a file is refused."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from refold.core.errors import RefoldError


class Refused(RefoldError):
    """A file that is not read as a part of this data set; ``check`` names the data check that it fails."""

    def __init__(self, check: str, message: str):
        super().__init__(message)
        self.check = check

    def __reduce__(self) -> tuple[type[Refused], tuple[str, str]]:
        return type(self), (self.check, str(self))  # or it could not leave the process of a pool


@dataclass(frozen=True)
class Volume:
    """A volume as its file says.

    data: (x, y, z) or (x, y, z, channels), in the stored dtype.
    affine: (4, 4) float64, voxel indices to mm in RAS+.
    flat: the file has two axes, which stand here as (x, y, 1).
    notes: what a reader of the data checks should know, as (check, message).
    """

    data: np.ndarray
    affine: np.ndarray
    flat: bool = False
    notes: tuple[tuple[str, str], ...] = ()


def stand(directions: np.ndarray) -> None:
    """Give (3, 3) directions of two axes a third, in place, that stands on both and is 1 mm long, if they have none."""
    if not directions[:, 2].any():
        normal = np.cross(directions[:, 0], directions[:, 1])
        directions[:, 2] = normal / (np.linalg.norm(normal) or 1)


def place(directions: np.ndarray, origin: np.ndarray, signs: tuple[int, int, int]) -> np.ndarray:
    """An affine in RAS+.

    Args:
        directions: (3, 3), a column an axis of voxels, in mm.
        origin: (3,) centre of the first voxel in mm.
        signs: 1 where the file's world axis points right, anterior, superior, -1 where it points the other way.

    >>> place(np.diag([1.0, 2, 3]), np.array([5.0, 6, 7]), (-1, -1, 1))[:3].tolist()
    [[-1.0, 0.0, 0.0, -5.0], [0.0, -2.0, 0.0, -6.0], [0.0, 0.0, 3.0, 7.0]]
    """
    affine = np.eye(4)
    affine[:3, :3], affine[:3, 3] = directions, origin
    affine[:3] *= np.array(signs)[:, None]
    return affine + 0.0  # no negative zero
