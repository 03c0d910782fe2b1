import json

import pytest

from refold.imaging.cases import Case
from refold.imaging.dataset import Description, Labels
from refold.settings.split import Split

DESCRIPTION = Description(
    "toy", "data/raw/toy", 3, ("T1",), ("MR",), Labels((0, 1, 2), ("background", "organ", "lesion")), "pattern"
)


def make_cases(scans_of_patient, voxels=None):
    """One patient for each entry, with that many scans; label voxel counts from ``voxels(number of the case)``."""
    cases = []
    for p, scans in enumerate(scans_of_patient):
        for s in range(scans):
            n = len(cases)
            counts = voxels(n) if voxels else (1000, 100 + n, 10)
            cases.append(
                Case(f"p{p:03d}_s{s}", f"p{p:03d}", ("i",), "l", 1, (10, 10, 10), (1.0, 1.0, 2.0), "RAS", counts, "0")
            )
    return cases


@pytest.fixture
def description():
    return DESCRIPTION


@pytest.fixture
def split_file(tmp_path):
    """Writes a user's split file and gives the parameters that name it."""

    def write(value, folds=2):
        path = tmp_path / "mine.json"
        path.write_text(json.dumps(value))
        return Split(kind="file", file=str(path), folds=folds)

    return write
