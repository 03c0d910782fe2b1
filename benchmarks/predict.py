"""Prediction from tiles: refold against nnU-Net's predictor on the processor, the same network and tiles, side by side.

    python benchmarks/predict.py --peer-python <python with torch, nnunetv2 and dynamic_network_architectures>

The network is nnU-Net's plain 3-D U-Net for hippocampi (tiles of 40 x 56 x 40, 4 stages), its weights random; the
images are a hippocampus crop and 256 x 256 x 160 voxels, tiles that overlap by half with Gaussian weights, averaged
over mirror images along x. From the normalised image in memory to label probabilities (nnU-Net: logits) of every voxel.
Each side and each image has a process of its own; memory is its peak, the library included.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path

from peers import Peer

ROOT = Path(__file__).resolve().parents[1]
PATCH = (40, 56, 40)
IMAGES = {"hippocampus": (36, 51, 35), "256 x 256 x 160": (256, 256, 160)}

OWN = """
import json, resource, sys, time
sys.path.insert(0, sys.argv[1])
from refold.train import runtime
features, threads, patch, shape = int(sys.argv[2]), *map(json.loads, sys.argv[3:6])
tf = runtime.configure(threads, 1, "float32", sys.argv[6])
import numpy as np
from refold.imaging.plan import Plan, plan_stages
from refold.settings.predict import Predict
from refold.methods.network import Problem
from refold.methods.unet import UNet
from refold.networks.segmenter import NetworkSegmenter

strides = plan_stages(patch, (1.0, 1.0, 1.0))
settings = Predict(mirror_axes=["x"], threads=threads)
segmenter = NetworkSegmenter(UNet(features=features).build, predict=settings)
segmenter.network = segmenter.build(Problem(strides, tuple(patch), 1, 3))
segmenter.plan, segmenter.labels = Plan(tuple(patch), strides), 3
image = np.random.default_rng(1).normal(size=(*shape, 1)).astype("float32")

def predict():
    return segmenter.predict_proba(image)
"""

PEER = """
import json, resource, sys, time
from types import SimpleNamespace
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor
features, threads, patch, shape = int(sys.argv[2]), *map(json.loads, sys.argv[3:6])
torch.set_num_threads(threads)
predictor = nnUNetPredictor(
    tile_step_size=0.5, use_gaussian=True, use_mirroring=True, perform_everything_on_device=False,
    device=torch.device("cpu"), verbose=False, allow_tqdm=False,
)
predictor.network = PlainConvUNet(
    1, 4, [features * 2**i for i in range(4)], torch.nn.Conv3d, 3, [1, 2, 2, 2], 2, 3, 2, conv_bias=False,
    norm_op=torch.nn.InstanceNorm3d, norm_op_kwargs={"eps": 1e-5, "affine": True}, nonlin=torch.nn.LeakyReLU,
    nonlin_kwargs={"inplace": True}, deep_supervision=False,
)
predictor.configuration_manager = SimpleNamespace(patch_size=patch)
predictor.label_manager = SimpleNamespace(num_segmentation_heads=3)
predictor.allowed_mirroring_axes = (0,)
image = torch.randn(1, *shape)

def predict():
    return predictor.predict_sliding_window_return_logits(image)
"""

ROUNDS = """
assert tuple(sorted(predict().shape)) == tuple(sorted([*shape, 3]))
print("ready", flush=True)
for line in sys.stdin:
    times = []
    for _ in range(int(line)):
        begun = time.perf_counter()
        predict()
        times.append(time.perf_counter() - begun)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024**2
    print(json.dumps({"times": times, "peak": peak}), flush=True)
"""


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", help="python of an environment with benchmarks/requirements-peers.txt")
    parser.add_argument("--features", type=int, default=8)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--instructions", choices=["avx2", "native"], default="native", help="of refold's side")
    parser.add_argument("--blocks", type=int, default=3)
    args = parser.parse_args()
    print(f"{args.features} base features, {args.threads} threads, refold with {args.instructions} instructions\n")
    print("| image | refold | nnU-Net | ratio | refold's peak | nnU-Net's peak |")
    print("|---|---|---|---|---|---|")
    for name, shape in IMAGES.items():
        arguments = [
            str(ROOT / "workflow"), str(args.features), str(args.threads), str([*PATCH]), str([*shape]),
            args.instructions,
        ]  # fmt: skip
        programs = {"refold": (sys.executable, OWN)}
        if args.peer_python:
            programs["nnU-Net"] = (args.peer_python, PEER)
        sides = {key: Peer(python, program + ROUNDS, arguments) for key, (python, program) in programs.items()}
        times: dict[str, list[float]] = {key: [] for key in sides}
        peak: dict[str, float] = {}
        rounds = 10 if shape[0] < 100 else 1
        for _ in range(args.blocks):
            for key, side in sides.items():
                found = side.block(rounds)
                times[key] += found["times"]
                peak[key] = found["peak"]
        for side in sides.values():
            side.close()
        took = {key: statistics.median(values) for key, values in times.items()}
        peer = took.get("nnU-Net")
        cells = [name, f"{took['refold']:.3f} s", f"{peer:.3f} s" if peer else "-"]
        cells += [f"{peer / took['refold']:.2f}" if peer else "-", f"{peak['refold']:.2f} GB"]
        cells += [f"{peak['nnU-Net']:.2f} GB" if peer else "-"]
        print(f"| {' | '.join(cells)} |", flush=True)


if __name__ == "__main__":
    main()
