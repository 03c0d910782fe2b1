"""The minimum cuts of graph_cut, by SciPy, against PyMaxflow (GPL): time in turns, and voxels that differ.

    python benchmarks/cuts.py [--edges 16 24 32]

PyMaxflow is a peer: see requirements-peers.txt.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import maxflow
import numpy as np

sys.path.insert(0, str(Path(__file__).resolve().parents[1] / "workflow"))

from refold.classical.graph_cut import minimum_cut, neighbours


def peer(source: np.ndarray, sink: np.ndarray, first: np.ndarray, second: np.ndarray, weight: np.ndarray) -> np.ndarray:
    """The same by Boykov and Kolmogorov's algorithm."""
    graph = maxflow.Graph[float](len(source), len(first))
    nodes = graph.add_nodes(len(source))
    graph.add_edges(first, second, weight, np.zeros_like(weight))
    graph.add_grid_tedges(nodes, source, sink)
    graph.maxflow()
    return graph.get_grid_segments(nodes)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--edges", type=int, nargs="+", default=[16, 24, 32, 48])
    print("| edge in voxels | SciPy (s) | PyMaxflow (s) | ratio | voxels that differ |\n|---|---|---|---|---|")
    for edge in parser.parse_args().edges:
        random = np.random.default_rng(1)
        first, second, weight = neighbours(random.normal(size=(edge,) * 3 + (1,)), 0.5)
        p = np.clip(random.beta(0.6, 0.6, edge**3), 1e-3, 1 - 1e-3)
        given = -np.log(p), -np.log(1 - p), first, second, weight
        times: list[float] = []
        results = []
        for solve in (minimum_cut, peer):
            begun = time.process_time()
            results.append(solve(*given))
            times.append(time.process_time() - begun)
        differ = int((results[0] != results[1]).sum())
        print(f"| {edge} | {times[0]:.3f} | {times[1]:.3f} | {times[0] / times[1]:.1f} | {differ} |", flush=True)


if __name__ == "__main__":
    main()
