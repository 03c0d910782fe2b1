"""One experiment in NIfTI, and its twin in other formats: the same tables."""

import json

import nibabel
import numpy as np
import pytest

from tests.formats.written import WRITERS, write_nrrd
from tests.projects import Project, tiny

pytestmark = pytest.mark.slow

AFFINE = np.array([[-1.5, 0, 0, 10], [0, 0, 2, -20], [0, 3, 0, 30], [0, 0, 0, 1.0]])
LABELS = {"background": 0, "organ": 1}


def cases():
    random = np.random.default_rng(5)
    for number in range(6):
        label = np.zeros((12, 14, 10), np.uint8)
        label[3:8, 4 : 9 + number % 3, 2:7] = 1
        yield f"case{number}", (random.normal(10, 2, label.shape) + 12 * label).astype(np.float32), label


def project(folder, write) -> Project:
    """``write(path without ending, data, label or not)`` gives the name of the file that it made."""
    data = folder / "given" / "set"
    data.mkdir(parents=True)
    entries = [
        {"image": write(data / name, image, False), "label": write(data / f"{name}_label", label, True)}
        for name, image, label in cases()
    ]
    description = {"modality": {"0": "CT"}, "labels": LABELS, "training": entries}
    (data / "dataset.json").write_text(json.dumps(description))
    methods = {"threshold": {"kind": "threshold"}}
    made = Project.create(
        folder / "project", tiny(dataset={"name": "set", "source": "set"}, methods=methods), data.parent
    )
    made.snakemake("--cores", "2")
    return made


def test_twins(tmp_path):
    def nifti(path, data, label):
        nibabel.save(nibabel.Nifti1Image(data, AFFINE), f"{path}.nii.gz")
        return f"{path.name}.nii.gz"

    turns = [".nrrd", ".mha", ".mgz"]

    def others(path, data, label):
        ending = turns[int(path.name[4]) % 3]
        written = f"{path}.seg.nrrd" if label and ending == ".nrrd" else f"{path}{ending}"
        (write_nrrd if ending == ".nrrd" else WRITERS[ending])(written, data, AFFINE)
        return written.rpartition("/")[2]

    first, second = project(tmp_path / "nifti", nifti), project(tmp_path / "others", others)
    tables = sorted(p.name for p in (first.folder / "results/metrics").glob("*.csv"))
    assert len(tables) > 8
    for name in tables:
        ours, twins = ((p.folder / "results/metrics" / name).read_bytes() for p in (first, second))
        assert ours == twins, name
    maps = sorted((first.folder / "results/predictions").rglob("*.nii.gz"))
    assert len(maps) >= 6
    for path in maps:
        twin = second.folder / path.relative_to(first.folder)
        assert twin.read_bytes() == path.read_bytes()
