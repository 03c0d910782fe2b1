"""What each kind of network costs: parameters, seconds of a training step, seconds of a prediction.

    PYTHONPATH=workflow python benchmarks/networks.py

Every kind with its default parameters, on a patch of the embedded data (two channels, three labels), float32, batches
of two, one math thread, native instructions. The first steps, which build the graph, are not counted.
"""

from __future__ import annotations

import argparse
import statistics
import time


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--patch", type=int, nargs=3, default=[40, 40, 40])
    parser.add_argument("--steps", type=int, default=5)
    parser.add_argument("--threads", type=int, default=1)
    args = parser.parse_args()

    from refold.train import runtime

    tf = runtime.configure(args.threads, 1, instructions="native")
    import numpy as np

    from refold.experiment.params import KINDS
    from refold.methods.network import Problem
    from refold.settings.train import Train

    random = np.random.default_rng(1)
    image = random.normal(size=(2, *args.patch, 2)).astype("float32")
    label = random.integers(0, 3, (2, *args.patch)).astype("uint8")
    fingerprint = {"median": {"shape": args.patch, "spacing": [1.0] * 3}}
    print("| kind | parameters | training step (s) | prediction (s) |")
    print("|---|---|---|---|")
    for kind, settings in KINDS.items():
        if not settings.network:
            continue
        entry = settings()
        plan = entry.plan(fingerprint, 3, args.patch)
        network = entry.build(Problem(plan.strides, plan.patch, 2, 3))
        trainer = entry.trainer()(network, Train(), None, None, "unused", "key", kind)

        def step(trainer=trainer) -> None:
            rates = [tf.constant(v, tf.float32) for v in (1e-3, 0.99, 0.5)]
            float(trainer._step(tf.constant(image), tf.constant(label), *rates))

        graph = tf.function(lambda x, network=network: network(x, training=False), autograph=False)
        times = []
        for work in (step, lambda graph=graph: graph(tf.constant(image[:1]))):
            found = []
            for _ in range(args.steps + 2):
                begun = time.perf_counter()
                work()
                found.append(time.perf_counter() - begun)
            times.append(statistics.median(found[2:]))
        print(f"| `{kind}` | {network.count_params():,} | {times[0]:.2f} | {times[1]:.2f} |", flush=True)


if __name__ == "__main__":
    main()
