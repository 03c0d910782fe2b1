"""Tiny data sets on disk, made good; tests spoil them."""

from __future__ import annotations

import json
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image as Pillow

from refold.data.__main__ import main
from refold.imaging.place import Place

SHAPE = (6, 7, 8)
AFFINE = np.diag([1.0, 1.0, 2.0, 1.0])


def volume(seed: int, channels: int = 1) -> np.ndarray:
    data = np.random.default_rng(seed).integers(1, 1000, (*SHAPE, channels)).astype(np.int16)
    return data[..., 0] if channels == 1 else data


def label(seed: int) -> np.ndarray:
    data = np.zeros(SHAPE, np.uint8)
    data[1:4, 2:5, 2 + seed % 3 : 5] = 1
    data[4, 4, 4] = 2
    return data


def nifti(path: Path, data: np.ndarray, affine: np.ndarray = AFFINE, **header) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(data, affine)
    image.set_sform(affine, header.pop("sform", 1))
    image.set_qform(header.pop("qform", affine), 1)
    for key, value in header.items():
        image.header[key] = value
    nibabel.save(image, path)


def picture(path: Path, data: np.ndarray) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    if path.suffix == ".png":
        Pillow.fromarray(data).save(path)
    else:
        import tifffile

        tifffile.imwrite(path, data)


class Source:
    """A data set in a folder, with what its dataset.json says."""

    def __init__(self, folder: Path, values: dict):
        self.folder = folder
        self.values = values
        self.save()

    def save(self, **changes) -> None:
        self.values |= changes
        self.folder.mkdir(parents=True, exist_ok=True)
        (self.folder / "dataset.json").write_text(json.dumps(self.values))

    def image(self, number: int, ending: str = ".nii.gz") -> Path:
        return self.folder / "imagesTr" / f"patient{number:03d}_a{ending}"

    def label(self, number: int, ending: str = ".nii.gz") -> Path:
        return self.folder / "labelsTr" / f"patient{number:03d}_a{ending}"


def decathlon(folder: Path, count: int = 3, channels: int = 1) -> Source:
    names = [f"patient{i:03d}_a.nii.gz" for i in range(1, count + 1)]
    source = Source(
        folder,
        {
            "name": "tiny",
            "licence": "CC0",
            "reference": "made by a test",
            "tensorImageSize": "3D" if channels == 1 else "4D",
            "modality": {str(i): f"M{i}" for i in range(channels)},
            "labels": {"0": "background", "1": "organ", "2": "lesion"},
            "numTraining": count,
            "training": [{"image": f"./imagesTr/{n}", "label": f"./labelsTr/{n}"} for n in names],
        },
    )
    for i in range(1, count + 1):
        nifti(source.image(i), volume(i, channels))
        nifti(source.label(i), label(i))
    return source


def pictures(folder: Path, ending: str = ".png", channels: int = 3, count: int = 3) -> Source:
    """Of mixed sizes; mask value 255."""
    names = [f"patient{i:03d}_a{ending}" for i in range(1, count + 1)]
    source = Source(
        folder,
        {
            "tensorImageSize": "2D",
            "modality": {str(i): c for i, c in enumerate("RGB"[:channels])},
            "labels": {"0": "background", "255": "nucleus"},
            "training": [{"image": f"imagesTr/{n}", "label": f"labelsTr/{n}"} for n in names],
        },
    )
    for i in range(1, count + 1):
        random = np.random.default_rng(i)
        rows, columns = 10 + i, 20
        grey = random.integers(0, 256, (rows, columns, channels)).astype(np.uint8)
        picture(source.image(i, ending), grey if channels == 3 else grey[..., 0])
        mask = np.zeros((rows, columns), np.uint8)
        mask[2:5, 3 : 5 + i] = 255
        picture(source.label(i, ending), mask)
    return source


def nnunet(folder: Path, count: int = 3, channels: int = 2) -> Source:
    source = Source(
        folder,
        {
            "channel_names": {str(i): f"M{i}" for i in range(channels)},
            "labels": {"background": 0, "organ": 1, "lesion": 2},
            "numTraining": count,
            "file_ending": ".nii.gz",
        },
    )
    for i in range(1, count + 1):
        for channel in range(channels):
            nifti(source.image(i, f"_{channel:04d}.nii.gz"), volume(10 * i + channel))
        nifti(source.label(i), label(i))
    return source


def pictures_by_number(folder: Path) -> Source:
    """nnU-Net's layout of colour pictures: ``<case>_0000.png`` holds three channels."""
    source = pictures(folder)
    for i in (1, 2, 3):
        source.image(i, ".png").rename(source.image(i, "_0000.png"))
    for key in ("training", "modality", "tensorImageSize"):
        del source.values[key]
    names = {"0": "R", "1": "G", "2": "B"}
    source.save(channel_names=names, labels={"background": 0, "nucleus": 255}, file_ending=".png")
    return source


@pytest.fixture
def project(tmp_path, monkeypatch):
    """An empty project folder to run in."""
    folder = tmp_path / "project"
    (folder / "results" / ".params").mkdir(parents=True)
    monkeypatch.chdir(folder)
    return folder


@pytest.fixture
def stamp(project):
    """Write the frozen section `dataset`."""

    def write(source=None, name="tiny", **keys) -> None:
        values = {"name": name, "source": None if source is None else str(source), **keys}
        (project / "results/.params/dataset.json").write_text(json.dumps(values))
        root = f"data/raw/{name}" if source is None else str(source)
        Place(root, values["source"], keys.get("patient_table")).write()

    return write


@pytest.fixture
def catalogue(project, stamp):
    """Run `python -m refold.data catalogue` in this process."""

    def run(source, *options, **keys) -> None:
        stamp(source, **keys)
        main(["catalogue", *options])

    return run
