"""Augmentation a patch on one thread: refold against batchgeneratorsv2 as nnU-Net v2 sets it up, side by side.

    python benchmarks/augment.py --peer-python <python with nnunetv2 and batchgeneratorsv2>

Both sides make the same operations with the same probabilities (nnU-Net's default training transforms without deep
supervision, all axes mirrored) on patches of one channel with two labels, in processes of their own, alternating block
by block after a warm-up. refold's time includes the generator, the draw and cutting the patch out of the volume; the
peer's starts from the enlarged patch that nnU-Net's loader hands it, already a tensor. Processor time is the measure to
look at on a busy machine.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
os.environ.update(dict.fromkeys(THREADS, "1"))

import numpy as np  # noqa: E402

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT / "workflow"))

from peers import Peer  # noqa: E402

from refold.core import rng  # noqa: E402
from refold.settings.augment import Augment  # noqa: E402
from refold.train.augment import Augmenter  # noqa: E402

# nnU-Net blurs in 0.2 and coarsens in 0.25 of the patches, in both half of the channels
SETTINGS = {"flip": {"axes": ["x", "y", "z"]}, "blur": {"p": 0.1}, "low_resolution": {"p": 0.125}}

PEER = """
import json, sys, time
import numpy as np, torch
from nnunetv2.training.data_augmentation.compute_initial_patch_size import get_patch_size
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

torch.set_num_threads(1)
patch = json.loads(sys.argv[2])
angle = (-np.pi / 6, np.pi / 6)
size = get_patch_size(patch, angle, angle, angle, (0.85, 1.25))
transforms = nnUNetTrainer.get_training_transforms(patch, angle, None, (0, 1, 2), False)
data = np.load(sys.argv[1])
start = [(n - s) // 2 for n, s in zip(data["label"].shape, size)]
box = tuple(slice(a, a + int(s)) for a, s in zip(start, size))
image = torch.from_numpy(np.ascontiguousarray(np.moveaxis(data["image"][box], -1, 0)))
label = torch.from_numpy(data["label"][box][None].astype(np.int16))
assert list(image.shape[1:]) == [int(s) for s in size], "the volume is too small for the enlarged patch"
np.random.seed(1)
torch.manual_seed(1)
print("ready", flush=True)
for line in sys.stdin:
    times = []
    for _ in range(int(line)):
        given = {"image": image.clone(), "segmentation": label.clone()}
        wall, cpu = time.perf_counter(), time.process_time()
        result = transforms(**given)
        times.append((time.perf_counter() - wall, time.process_time() - cpu))
    assert list(result["image"].shape[1:]) == patch
    print(json.dumps(times), flush=True)
"""


def volume(shape: tuple[int, int, int]) -> tuple[np.ndarray, np.ndarray]:
    """A noisy image (x, y, z, 1) of two touching ellipsoids, and its label map."""
    generator = rng.generator(1, "benchmark", "augment")
    axes = np.ogrid[tuple(slice(-1, 1, n * 1j) for n in shape)]
    label = np.zeros(shape, np.uint8)
    for index, middle in ((1, -0.15), (2, 0.15)):
        label[((axes[0] / 0.25) ** 2 + ((axes[1] - middle) / 0.3) ** 2 + (axes[2] / 0.25) ** 2) < 1] = index
    image = label + generator.standard_normal(shape, dtype=np.float32)
    return image[..., None].astype(np.float32), label


class Refold:
    """Refold's side, in this process."""

    def __init__(self, image: np.ndarray, label: np.ndarray, patch: list[int]):
        self.image, self.label, self.patch = image, label, patch
        self.augmenter = Augmenter(Augment.model_validate(SETTINGS), 3)
        self.count = 0

    def block(self, n: int) -> list[tuple[float, float]]:
        times, centre = [], [(s - 1) / 2 for s in self.label.shape]
        for _ in range(n):
            self.count += 1
            wall, cpu = time.perf_counter(), time.process_time()
            generator = rng.generator(1, "augment", self.count)
            draw = self.augmenter.draw(generator)
            self.augmenter.sample(self.image, self.label, centre, self.patch, draw, generator)
            times.append((time.perf_counter() - wall, time.process_time() - cpu))
        return times


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", help="python of an environment with benchmarks/requirements-peers.txt")
    parser.add_argument("--patches", type=int, default=600, help="patches each, at least 300")
    parser.add_argument("--block", type=int, default=50, help="patches in a row on one side")
    parser.add_argument("--patch", type=int, nargs=3, default=[40, 56, 40])
    args = parser.parse_args()
    if args.patches < 300:
        parser.error("--patches is at least 300: geometry fires in a third of them only")
    needed = "import nnunetv2, batchgeneratorsv2.transforms.spatial.spatial"
    with_peer = bool(args.peer_python)
    if not with_peer:
        print("batchgeneratorsv2 left out: no --peer-python (see benchmarks/requirements-peers.txt)")
    elif subprocess.run([args.peer_python, "-c", needed], capture_output=True).returncode:
        with_peer = False
        print(f"batchgeneratorsv2 left out: {args.peer_python} cannot import it together with nnunetv2")

    image, label = volume(tuple(2 * p for p in args.patch))
    with tempfile.TemporaryDirectory() as name:
        np.savez(Path(name) / "data.npz", image=image, label=label)
        sides = {"refold": Refold(image, label, args.patch)}
        if with_peer:
            environment = {f"nnUNet_{key}": name for key in ("raw", "preprocessed", "results")}
            arguments = [str(Path(name) / "data.npz"), json.dumps(args.patch)]
            sides["batchgeneratorsv2"] = Peer(args.peer_python, PEER, arguments, environment)
        blocks: dict[str, list[np.ndarray]] = {side: [] for side in sides}
        for side in sides.values():
            side.block(args.block)
        for _ in range(-(-args.patches // args.block)):
            for key, side in sides.items():
                blocks[key].append(1000 * np.array(side.block(args.block)))
        if with_peer:
            sides["batchgeneratorsv2"].close()

    print(f"\n{len(blocks['refold']) * args.block} patches of {args.patch} each, blocks of {args.block}, ms a patch\n")
    print("| | mean, processor (median of blocks) | mean, wall (median of blocks) | median patch, processor |")
    print("|---|---|---|---|")
    figures = {}
    for key, parts in blocks.items():
        means = [part.mean(axis=0) for part in parts]
        wall, cpu = (statistics.median(float(m[i]) for m in means) for i in (0, 1))
        figures[key] = cpu, wall, float(np.median(np.concatenate(parts)[:, 1]))
        print(f"| {key} | " + " | ".join(f"{v:.2f}" for v in figures[key]) + " |")
    if with_peer:
        ratios = (b / a for a, b in zip(figures["refold"], figures["batchgeneratorsv2"], strict=True))
        print("| refold is faster by | " + " | ".join(f"{r:.1f}x" for r in ratios) + " |")


if __name__ == "__main__":
    main()
