"""What pinning the instructions costs on this machine, and whether it changes bytes.

Run from the project's folder: ``PYTHONPATH=workflow python benchmarks/instructions.py``. Each variant trains the same
small 3-D U-Net in a process of its own, in turns; the first step, which builds the graph, is not counted.
"""

from __future__ import annotations

import argparse
import hashlib
import json
import os
import statistics
import subprocess
import sys
import time
from pathlib import Path

VARIANTS = (("avx2", 1), ("native", 1), ("avx2", 2), ("native", 2))


def train(instructions: str, threads: int, steps: int, edge: int, features: int) -> dict:
    """One variant: median seconds of a step, and the hash of the weights after all steps."""
    from refold.train import runtime

    runtime.ISA.setdefault(instructions, instructions.upper())
    tf = runtime.configure(threads, 1, instructions=instructions)
    import keras
    import numpy as np

    from refold.methods.network import Problem
    from refold.methods.unet import UNet
    from refold.run import machine
    from refold.settings.train import Loss
    from refold.train import losses

    model = UNet(features=features).build(Problem(((1,) * 3, (2,) * 3, (2,) * 3), (edge,) * 3, 1, 3))
    optimizer, loss = keras.optimizers.AdamW(3e-3), losses.build(Loss())
    random = np.random.default_rng(1)
    image = tf.constant(random.normal(size=(2, *[edge] * 3, 1)).astype("float32"))
    label = tf.constant(random.integers(0, 3, (2, *[edge] * 3)).astype("uint8"))

    @tf.function
    def step():
        with tf.GradientTape() as tape:
            value = loss(model(image, training=True), label)
        variables = model.trainable_variables
        optimizer.apply(tape.gradient(value, [v.value for v in variables]), variables)

    seconds = []
    for _ in range(steps + 1):
        begun = time.perf_counter()
        step()
        seconds.append(time.perf_counter() - begun)
    weights = b"".join(v.numpy().tobytes() for v in model.variables)
    return {
        "device": runtime.device(tf),
        "doubts": machine.doubts("native" if instructions == "native" else "avx2", "instructions"),
        "seconds": statistics.median(seconds[1:]),
        "sha256": hashlib.sha256(weights).hexdigest(),
    }


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--steps", type=int, default=10)
    parser.add_argument("--edge", type=int, default=40, help="of the patch, voxels")
    parser.add_argument("--features", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=2)
    parser.add_argument("--also", nargs="*", default=[], help="more of oneDNN's names, such as sse41 avx, on 1 thread")
    parser.add_argument("--variant", nargs=2, help=argparse.SUPPRESS)
    a = parser.parse_args()
    if a.variant:
        print(json.dumps(train(a.variant[0], int(a.variant[1]), a.steps, a.edge, a.features)))
        return
    from refold.run import machine, pins

    print(f"{machine.model()}, {os.cpu_count()} cores, AVX-512: {'avx512f' in pins.cpuinfo().get('flags', '')}")
    found: dict[tuple[str, int], list[dict]] = {v: [] for v in (*VARIANTS, *((i, 1) for i in a.also))}
    for _ in range(a.rounds):
        for instructions, threads in found:
            command = [sys.executable, str(Path(__file__)), "--variant", instructions, str(threads)]
            command += ["--steps", str(a.steps), "--edge", str(a.edge), "--features", str(a.features)]
            run = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True)
            found[instructions, threads].append(json.loads(run.stdout.splitlines()[-1]))
    print(f"| instructions | threads | s a step | sha256 of the weights | {a.rounds} runs alike |")
    print("|---|---|---|---|---|")
    for (instructions, threads), runs in found.items():
        seconds = statistics.median(r["seconds"] for r in runs)
        alike = "-" if a.rounds == 1 else "yes" if len({r["sha256"] for r in runs}) == 1 else "NO"
        print(f"| {instructions} | {threads} | {seconds:.3f} | {runs[0]['sha256'][:12]} | {alike} |")
    for threads in (1, 2):
        pinned, free = (statistics.median(r["seconds"] for r in found[i, threads]) for i in ("avx2", "native"))
        same = found["avx2", threads][0]["sha256"] == found["native", threads][0]["sha256"]
        print(
            f"{threads} thread(s): avx2 takes {pinned / free:.2f} times as long; bytes {'equal' if same else 'differ'}"
        )
    for text in dict.fromkeys(d for runs in found.values() for r in runs for d in r["doubts"]):
        print(text)


if __name__ == "__main__":
    main()
