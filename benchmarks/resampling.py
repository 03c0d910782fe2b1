"""What resampling takes from the labels of the embedded data, on the way to the stored grid and back.

    PYTHONPATH=workflow python benchmarks/resampling.py --patients 100

Each case's labels go to the median spacing of all cases and back to their own grid, without a network between: the mean
volume (1: all is there) and Dice with what they were, by spline order of the labels and of the way back. ``logarithms``
is refold's way back for probabilities, here of labels blurred by half a voxel as a network's answers are; ``linear``
resamples these probabilities themselves.
"""

from __future__ import annotations

import argparse
import tempfile
from pathlib import Path

import nibabel
import numpy as np
from scipy.ndimage import gaussian_filter, zoom

from refold.data import phantom
from refold.imaging import geometry
from refold.settings.dataset import Phantom

NAMES = {1: "organ", 2: "lesion"}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patients", type=int, default=100)
    parser.add_argument("--size", type=int, default=32, help="edge of the field of view in mm")
    parser.add_argument("--sigma", type=float, default=0.5, help="blur of the probabilities, in voxels")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        phantom.generate(Phantom(patients=args.patients, second_scans=0, size=args.size), Path(folder))
        files = [nibabel.load(f) for f in sorted(Path(folder).rglob("labelsTr/*.nii.gz"))]
        cases = [(np.asarray(f.dataobj).astype(np.uint8), f.affine) for f in files]
    target = np.median([geometry.record(label.shape, affine).cropped_spacing for label, affine in cases], axis=0)
    found: dict[tuple[str, int], list[tuple[float, float]]] = {}
    for label, affine in cases:
        record = geometry.record(label.shape, affine, None, target)
        own = geometry.canonical(label, record.transform)
        voxel = np.prod(record.stored_spacing) / np.prod(record.cropped_spacing)

        def note(how: str, mask: np.ndarray, i: int, share: float = 1.0, own: np.ndarray = own) -> None:
            truth = own == i
            if truth.any():
                same = mask.shape == truth.shape
                dice = 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) if same else np.nan
                found.setdefault((how, i), []).append((mask.sum() * share / truth.sum(), dice))

        for order in (1, 3):
            stored = geometry.resample_label(own, record.stored_shape, order)
            blurred = np.stack([gaussian_filter((stored == i).astype(np.float32), args.sigma) for i in range(3)], -1)
            back = geometry.canonical(geometry.to_original(blurred, record), record.transform)
            factors = np.array(record.cropped_shape) / record.stored_shape
            lines = np.argmax(
                [zoom(blurred[..., i], factors, order=1, mode="nearest", grid_mode=True) for i in range(3)], axis=0
            )
            for i in NAMES:
                note(f"labels of order {order}, stored", stored == i, i, voxel)
                note(f"labels of order {order}, back by logarithms", back == i, i)
                note(f"labels of order {order}, back linearly", lines == i, i)
    print("| what | " + " | ".join(f"{n}: volume | Dice" for n in NAMES.values()) + " |\n|---|---|---|---|---|")
    for how in dict.fromkeys(how for how, _ in found):
        cells = [v for i in NAMES for v in np.mean(found[how, i], axis=0)]
        print(f"| {how} | " + " | ".join("" if np.isnan(v) else f"{v:.3f}" for v in cells) + " |")


if __name__ == "__main__":
    main()
