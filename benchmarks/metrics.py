"""Time of the metrics of one case, beside surface-distance (DeepMind) and MedPy, in one run on one core.

    PYTHONPATH=workflow python benchmarks/metrics.py [--data FOLDER] [--cases N]

refold computes all its metrics, the others Dice, HD95, ASSD and (surface-distance) NSD. Predictions are the real labels
with a smooth random shift of their surfaces. The packages take turns case by case; each figure is a median.
Peers: ``pip install surface-distance medpy``; one that is absent is left out, and so are hippocampi without their data.
"""

# ruff: noqa: E402
from __future__ import annotations

import os

for _name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[_name] = "1"  # before numpy is imported

import argparse
import importlib.util
import time
import warnings
from collections.abc import Callable
from pathlib import Path

import numpy as np
from scipy import ndimage

from refold.evaluate.metrics import compute
from refold.evaluate.pair import pairs
from refold.evaluate.structures import Structure
from refold.imaging import images

HIPPOCAMPUS = Path(__file__).resolve().parents[2] / "shared" / "data" / "Task04_Hippocampus"
Case = tuple[np.ndarray, np.ndarray, tuple[float, ...]]


def perturbed(truth: np.ndarray, labels: int, voxels: float, seed: int) -> np.ndarray:
    """A label map whose surfaces lie about ``voxels`` off, smoothly varying."""
    random = np.random.default_rng(seed)
    depth = []
    for label in range(labels):
        inside = truth == label
        noise = ndimage.gaussian_filter(random.normal(size=truth.shape), 2)
        signed = ndimage.distance_transform_edt(inside) - ndimage.distance_transform_edt(~inside)
        depth.append(signed + voxels * noise / noise.std())
    return np.argmax(depth, axis=0).astype(np.uint8)


def hippocampi(folder: Path, n: int) -> list[Case]:
    """Every so many of the labels, so that ``n`` are spread over the data set."""
    files = sorted((folder / "labelsTr").glob("hippocampus_*.nii.gz"))
    cases = []
    for i, path in enumerate(files[:: max(1, len(files) // n)][:n]):
        label = images.read(path, label=True)
        truth = label.data.astype(np.uint8)
        cases.append((truth, perturbed(truth, 3, 1.5, i), label.spacing))
    return cases


def organ() -> list[Case]:
    """A liver-sized ellipsoid in 256 x 256 x 160 voxels of 1.5 x 1.5 x 2 mm."""
    x, y, z = np.ogrid[:256, :256, :160]
    truth = (((x - 128) / 70) ** 2 + ((y - 120) / 80) ** 2 + ((z - 80) / 50) ** 2 < 1).astype(np.uint8)
    return [(truth, perturbed(truth, 2, 2.0, 0), (1.5, 1.5, 2.0))]


def ours(truth: np.ndarray, prediction: np.ndarray, spacing: tuple[float, ...]) -> list[list[float]]:
    parts = [Structure(str(i), (i,)) for i in range(1, int(truth.max()) + 1)]
    found = [compute(p) for p in pairs(truth, prediction, parts, spacing, 1.0)]
    return [[m["dice"], m["hd95"], m["assd"]] for m in found]


def surface_distance(truth: np.ndarray, prediction: np.ndarray, spacing: tuple[float, ...]) -> list[list[float]]:
    from surface_distance import metrics as package

    found = []
    for label in range(1, int(truth.max()) + 1):
        masks = truth == label, prediction == label
        d = package.compute_surface_distances(*masks, spacing)
        package.compute_surface_dice_at_tolerance(d, 1.0)
        sizes = d["surfel_areas_gt"].sum(), d["surfel_areas_pred"].sum()
        mean = np.average(package.compute_average_surface_distance(d), weights=sizes)
        found.append([package.compute_dice_coefficient(*masks), package.compute_robust_hausdorff(d, 95), mean])
    return found


def medpy(truth: np.ndarray, prediction: np.ndarray, spacing: tuple[float, ...]) -> list[list[float]]:
    from medpy.metric import binary

    found = []
    for label in range(1, int(truth.max()) + 1):
        masks = prediction == label, truth == label
        found.append([binary.dc(*masks), binary.hd95(*masks, spacing), binary.assd(*masks, spacing)])
    return found


def measure(cases: list[Case], packages: dict[str, Callable], rounds: int) -> dict[str, float]:
    """Median milliseconds a case; a small untimed one comes first. Asserts that values of one definition agree."""
    times: dict[str, list[float]] = {name: [] for name in packages}
    cube = np.zeros((8, 8, 8), np.uint8)
    cube[2:6, 2:6, 2:6] = 1
    for function in packages.values():
        function(cube, cube, (1.0, 1.0, 1.0))
    for _ in range(rounds):
        for case in cases:
            values = {}
            for name, function in packages.items():
                start = time.perf_counter()
                values[name] = function(*case)
                times[name].append(time.perf_counter() - start)
            if "surface-distance" in values:
                np.testing.assert_allclose(values["refold"], values["surface-distance"], atol=1e-6)
            if "MedPy" in values:
                np.testing.assert_allclose(np.array(values["refold"])[:, 0], np.array(values["MedPy"])[:, 0], atol=1e-9)
    return {name: 1000 * float(np.median(t)) for name, t in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--data", type=Path, default=HIPPOCAMPUS, help="hippocampus task (default: beside the project)")
    parser.add_argument("--cases", type=int, default=20, help="hippocampi measured (default: %(default)s)")
    parser.add_argument("--rounds", type=int, default=3, help="times each is measured (default: %(default)s)")
    args = parser.parse_args()
    warnings.simplefilter("ignore", DeprecationWarning)

    packages: dict[str, Callable] = {"refold": ours}
    for name, module, function in (
        ("surface-distance", "surface_distance", surface_distance),
        ("MedPy", "medpy", medpy),
    ):
        if importlib.util.find_spec(module):
            packages[name] = function
        else:
            print(f"{name} is not installed and left out: pip install {name.lower()}\n")

    print("| what | package | ms a case | refold is faster |\n|---|---|---|---|")
    sets = {"organ, 256 x 256 x 160, 1 label": (organ(), 1)}
    cases = hippocampi(args.data, args.cases)
    if cases:
        sets = {f"hippocampus, 2 labels, {len(cases)} cases": (cases, args.rounds)} | sets
    for what, (chosen, rounds) in sets.items():
        found = measure(chosen, packages, rounds)
        for name, ms in found.items():
            print(f"| {what} | {name} | {ms:.1f} | {ms / found['refold']:.1f} x |", flush=True)
    if not cases:
        print(f"\nno hippocampi: {args.data / 'labelsTr'} is not there; give the folder with --data")


if __name__ == "__main__":
    main()
