"""Volumes in other formats than NIfTI, written by other libraries than those that refold reads them by where one is."""

import nibabel
import numpy as np
import pytest

nrrd = pytest.importorskip("nrrd")
sitk = pytest.importorskip("SimpleITK", reason="SimpleITK, which writes these files, is not installed")

LPS = np.diag([-1.0, -1.0, 1.0, 1.0])


def write_nrrd(path, data, affine, channels=False, **more):
    directions = (LPS @ affine)[:3, :3].T
    header = {"space": "left-posterior-superior", "space origin": (LPS @ affine)[:3, 3]}
    header["space directions"] = [*directions, [np.nan] * 3] if channels else directions
    header["kinds"] = ["domain"] * 3 + ["list"] * channels
    nrrd.write(str(path), data, header | more)
    return path


def write_mha(path, data, affine, channels=False, compress=True):
    moved = data.transpose(2, 1, 0, 3) if channels else data.transpose(2, 1, 0)
    image = sitk.GetImageFromArray(moved, isVector=channels)
    world = LPS @ affine
    spacing = np.linalg.norm(world[:3, :3], axis=0)
    image.SetSpacing(spacing.tolist())
    image.SetDirection((world[:3, :3] / spacing).ravel().tolist())
    image.SetOrigin(world[:3, 3].tolist())
    sitk.WriteImage(image, str(path), useCompression=compress)
    return path


def write_mgz(path, data, affine, channels=False):
    nibabel.save(nibabel.MGHImage(data, affine), path)
    return path


WRITERS = {".nrrd": write_nrrd, ".mha": write_mha, ".mgz": write_mgz}
