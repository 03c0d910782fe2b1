"""A training step of nnU-Net's 3-D U-Net for hippocampi: refold on TensorFlow against PyTorch, side by side.

    python benchmarks/step.py --peer-python <python with torch and dynamic_network_architectures>

The same network (40 x 56 x 40 voxels, 4 stages, two convolutions a stage, instance normalisation, leaky ReLU), batch,
loss (cross-entropy and soft Dice) and optimizer (AdamW) on both sides; the peer's network is nnU-Net's PlainConvUNet.
Each side runs in a process of its own, block by block in turn, after a warm-up. The ratio is that of the medians.
"""

from __future__ import annotations

import argparse
import json
import statistics
import sys
from pathlib import Path
from typing import Any

from peers import Peer

ROOT = Path(__file__).resolve().parents[1]
PATCH = (40, 56, 40)

OWN = """
import json, sys, time
sys.path.insert(0, sys.argv[1])
from refold.train import runtime
precision, threads, batch, patch = sys.argv[3], *map(json.loads, sys.argv[4:7])
network, more = json.loads(sys.argv[2]), json.loads(sys.argv[7])
tf = runtime.configure(threads, 1, precision, "native")
import numpy as np
from refold.imaging.plan import plan_stages
from refold.settings.train import Train
from refold.methods.network import Problem
from refold.methods.unet import UNet
from refold.train.loop import Trainer

settings = Train(precision=precision, **more)
problem = Problem(plan_stages(patch, (1.0, 1.0, 1.0)), tuple(patch), 1, 3)
trainer = Trainer(UNet(**network).build(problem), settings, None, None, "unused", "key", "step")
random = np.random.default_rng(1)
image = random.normal(size=(batch, *patch, 1)).astype("float32")
label = random.integers(0, 3, (batch, *patch)).astype("uint8")

def step():
    rates = [tf.constant(v, tf.float32) for v in (1e-3, 0.99, 0.5)]
    return float(trainer._step(tf.constant(image), tf.constant(label), *rates))
"""

PEER = """
import json, sys, time
import torch
from dynamic_network_architectures.architectures.unet import PlainConvUNet
precision, threads, batch, patch = sys.argv[3], *map(json.loads, sys.argv[4:7])
features = json.loads(sys.argv[2])["features"]
torch.set_num_threads(threads)
torch.manual_seed(1)
net = PlainConvUNet(
    1, 4, [features * 2**i for i in range(4)], torch.nn.Conv3d, 3, [1, 2, 2, 2], 2, 3, 2, conv_bias=False,
    norm_op=torch.nn.InstanceNorm3d, norm_op_kwargs={"eps": 1e-5, "affine": True}, nonlin=torch.nn.LeakyReLU,
    nonlin_kwargs={"inplace": True}, deep_supervision=False,
)
optimizer = torch.optim.AdamW(net.parameters(), 1e-3)
image = torch.randn(batch, 1, *patch)
label = torch.randint(0, 3, (batch, *patch))
onehot = torch.nn.functional.one_hot(label).movedim(-1, 1).float()
half = precision == "bfloat16"

def step():
    optimizer.zero_grad(set_to_none=True)
    with torch.autocast("cpu", torch.bfloat16, enabled=half):
        logits = net(image).float()
    p = logits.softmax(1)
    overlap, total = (p * onehot).sum((0, 2, 3, 4))[1:], (p.sum((0, 2, 3, 4)) + onehot.sum((0, 2, 3, 4)))[1:]
    loss = torch.nn.functional.cross_entropy(logits, label) + 1 - ((2 * overlap + 1e-5) / (total + 1e-5)).mean()
    loss.backward()
    torch.nn.utils.clip_grad_norm_(net.parameters(), 12)
    optimizer.step()
    return float(loss)
"""

ROUNDS = """
for _ in range(3):
    step()
print("ready", flush=True)
for line in sys.stdin:
    times = []
    for _ in range(int(line)):
        begun = time.perf_counter()
        step()
        times.append(time.perf_counter() - begun)
    print(json.dumps(times), flush=True)
"""


def own(network: dict[str, Any], precision: str, threads: int, batch: int, **settings: Any) -> list[str]:
    """What ``OWN`` and ``PEER`` read: the U-Net's parameters, and others of ``train`` than those here."""
    values = [network, precision, threads, batch, PATCH, settings]
    return [str(ROOT / "workflow"), *(v if isinstance(v, str) else json.dumps(v) for v in values)]


def compare(features: int, precision: str, args: argparse.Namespace) -> dict[str, float]:
    """Patches a second of each side."""
    arguments = own({"features": features}, precision, args.threads, args.batch)
    sides = {"refold": Peer(sys.executable, OWN + ROUNDS, arguments)}
    if args.peer_python:
        sides["PyTorch"] = Peer(args.peer_python, PEER + ROUNDS, arguments)
    times: dict[str, list[float]] = {key: [] for key in sides}
    for _ in range(args.blocks):
        for key, side in sides.items():
            times[key] += side.block(args.steps)
    for side in sides.values():
        side.close()
    return {key: args.batch / statistics.median(found) for key, found in times.items()}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", help="python of an environment with benchmarks/requirements-peers.txt")
    parser.add_argument("--features", type=int, nargs="+", default=[8, 16, 32])
    parser.add_argument("--precision", nargs="+", default=["float32", "bfloat16"], choices=["float32", "bfloat16"])
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--batch", type=int, default=2)
    parser.add_argument("--blocks", type=int, default=4)
    parser.add_argument("--steps", type=int, default=5, help="in a row on one side")
    args = parser.parse_args()
    print(f"patches of {PATCH} a second, batches of {args.batch}, {args.threads} threads\n")
    print("| base features | precision | refold | PyTorch | ratio |")
    print("|---|---|---|---|---|")
    for precision in args.precision:
        for features in args.features:
            found = compare(features, precision, args)
            peer = found.get("PyTorch")
            rest = f"{peer:.1f} | {found['refold'] / peer:.2f}" if peer else "left out: no --peer-python | "
            print(f"| {features} | {precision} | {found['refold']:.1f} | {rest} |", flush=True)


if __name__ == "__main__":
    main()
