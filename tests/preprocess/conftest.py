import gzip
from dataclasses import dataclass, field
from pathlib import Path

import nibabel
import numpy as np
import pytest
from PIL import Image as Pillow

from refold.core import paths
from refold.core.files import write_json
from refold.experiment.reading import validate
from refold.imaging import cases as table
from refold.imaging.dataset import Description, Labels
from refold.imaging.place import FILE, Place
from refold.preprocess import cases, fingerprint
from refold.settings.preprocess import Preprocess


@dataclass
class Project:
    """A small data set on disk, as the data phase leaves it."""

    root: Path
    modalities: tuple[str, ...] = ("MRI",)
    values: tuple[int, ...] = (0, 1, 2)
    names: tuple[str, ...] = ("background", "organ", "lesion")
    rows: list[table.Case] = field(default_factory=list)

    @property
    def raw(self) -> Path:
        return self.root / "raw"

    @property
    def folder(self) -> Path:
        return self.root / "data" / "preprocessed"

    @property
    def cases(self) -> list[table.Case]:
        return sorted(self.rows, key=lambda c: c.case)

    @property
    def description(self) -> Description:
        dimension = len(self.rows[0].shape)
        labels = Labels(self.values, self.names)
        channels = tuple(f"channel {i}" for i in range(len(self.modalities)))
        return Description("test", str(self.raw), dimension, channels, self.modalities, labels, "case")

    def add(self, case: str, image: np.ndarray, label: np.ndarray, affine: np.ndarray | None = None) -> table.Case:
        """Image (x, y[, z], channels) and label (x, y[, z]) in declared values; written as NIfTI or PNG."""
        self.raw.mkdir(parents=True, exist_ok=True)
        flat = label.ndim == 2
        names = [
            f"{case}{end}" for end in (("_image.png", "_label.png") if flat else ("_image.nii.gz", "_label.nii.gz"))
        ]
        affine = np.eye(label.ndim + 1) if affine is None else affine
        if flat:
            picture = image[..., 0] if image.shape[-1] == 1 else image
            Pillow.fromarray(picture.swapaxes(0, 1)).save(self.raw / names[0])
            Pillow.fromarray(label.T).save(self.raw / names[1])
        else:
            for name, data in zip(names, (image, label), strict=True):
                data = data[..., 0] if data.ndim == 4 and data.shape[-1] == 1 else data
                raw = nibabel.Nifti1Image(data, affine).to_bytes()
                (self.raw / name).write_bytes(gzip.compress(raw, 1))
        row = table.Case(
            case=case,
            patient=case,
            images=(names[0],),
            label=names[1],
            channels=image.shape[-1],
            shape=label.shape,
            spacing=tuple(np.sqrt((affine[:-1, :-1] ** 2).sum(0)).tolist()),
            orientation="XY" if flat else "".join(nibabel.aff2axcodes(affine)),
            voxels=tuple(int((label == v).sum()) for v in self.values),
            sha256=table.digest(self.raw / name for name in names),
        )
        self.rows = [r for r in self.rows if r.case != case] + [row]
        return row

    def stamp(self, **section) -> Path:
        """Files as the commands read them; the folder of the frozen parameters."""
        table.write(self.rows, self.root / paths.CASES)
        self.description.write(self.root / paths.DATASET, [self.root / paths.CASES])
        Place(str(self.raw)).write(self.root / FILE)
        frozen = self.root / "results" / ".params"
        write_json(frozen / "preprocess.json", validate({"preprocess": section}).section("preprocess"))
        return frozen

    def run(self, folder: Path | None = None, **section) -> dict:
        """All shards, then the fingerprint."""
        params = Preprocess(**section)
        for shard in range(params.shards):
            cases.run(self.cases, self.description, params, shard, folder or self.folder)
        return fingerprint.build(self.cases, self.description, params, folder or self.folder)


@pytest.fixture
def project(tmp_path):
    return Project(tmp_path)


def scan(seed: int, shape=(24, 20, 16), channels: int = 1, empty: bool = False):
    """A bright box with a brighter one inside, noise all over, nowhere zero."""
    rng = np.random.default_rng(seed)
    image = rng.normal(100, 5, (*shape, channels)).astype(np.float32)
    label = np.zeros(shape, np.uint8)
    label[tuple(slice(n // 4, 3 * n // 4) for n in shape)] = 1
    if not empty:
        label[tuple(slice(n // 3, n // 3 + 3) for n in shape)] = 2
    image += 40 * label[..., None]
    return image, label


@pytest.fixture
def make():
    return scan
