"""The bare training step of examples/hippocampus.yaml: one training with two threads, or two at a time with one each.

    PYTHONPATH=workflow python benchmarks/threads.py

Each training is a process of its own; block by block every way takes its turn, after a warm-up. Patches a second are
those of all trainings at a time together, by their median steps. Run it with nothing beside it.
"""

from __future__ import annotations

import argparse
import statistics
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import yaml
from peers import Peer
from step import OWN, ROOT, ROUNDS, own

WAYS = ((1, 2), (1, 1), (2, 1))  # trainings at a time, threads each


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--example", type=Path, default=ROOT / "examples/hippocampus.yaml")
    parser.add_argument("--optimizers", nargs="+", default=["adamw", "muon"])
    parser.add_argument("--blocks", type=int, default=4)
    parser.add_argument("--steps", type=int, default=8, help="in a row one way")
    args = parser.parse_args()
    params = yaml.safe_load(args.example.read_text())
    train, network = params["train"], {"widths": params["methods"]["unet"]["widths"]}
    sides = {
        (optimizer, count, threads): [
            Peer(
                sys.executable, OWN + ROUNDS,
                own(network, train["precision"], threads, train["batch_size"], optimizer=optimizer),
            )
            for _ in range(count)
        ]
        for optimizer in args.optimizers for count, threads in WAYS
    }  # fmt: skip
    times: dict[tuple, list[float]] = {way: [] for way in sides}
    with ThreadPoolExecutor(2) as pool:
        for _ in range(args.blocks):
            for way, peers in sides.items():
                for found in pool.map(lambda p: p.block(args.steps), peers):
                    times[way] += found
    for peers in sides.values():
        for peer in peers:
            peer.close()
    print("| optimizer | trainings at a time | threads each | patches a second together |")
    print("|---|---|---|---|")
    for (optimizer, count, threads), found in times.items():
        rate = count * train["batch_size"] / statistics.median(found)
        print(f"| {optimizer} | {count} | {threads} | {rate:.1f} |")


if __name__ == "__main__":
    main()
