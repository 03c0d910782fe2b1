"""Networks against classical methods: which beat which, by the corrected paired test of an experiment.

After a run of ``examples/methods.yaml``: ``PYTHONPATH=workflow python benchmarks/methods.py``. Reads the tables of
``results/metrics``; the differences are of the mean Dice over the labels.
"""

from __future__ import annotations

import argparse
from pathlib import Path

from refold.core.files import read_csv
from refold.experiment.reading import load


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--params", type=Path, default=Path("params.yaml"))
    parser.add_argument("--results", type=Path, default=Path("results"))
    args = parser.parse_args()
    params = load(args.params)
    means = {
        r["method"]: r
        for r in read_csv(args.results / "metrics/summary.csv")
        if (r["set"], r["fold"], r["label"], r["metric"]) == ("cross-validation", "all", "mean", "dice")
    }
    pairs = {
        (r["method_a"], r["method_b"]): (float(r["difference"]), float(r["p_holm"]))
        for r in read_csv(args.results / "metrics/comparisons.csv")
        if (r["set"], r["label"], r["metric"]) == ("cross-validation", "mean", "dice")
    }
    pairs |= {(b, a): (-d, p) for (a, b), (d, p) in pairs.items()}
    classical = [m for m, e in params.methods.items() if e.trained and not e.network]
    ranked = sorted(means, key=lambda m: -float(means[m]["mean"]))
    print(f"| method | Dice | 95 % interval | n | not beaten (of {len(classical)} classical methods) |")
    print("|---|---|---|---|---|")
    for method in ranked:
        row = means[method]
        told = "–"
        if params.uses_networks(method):
            left = [c for c in classical if not (pairs[method, c][0] > 0 and pairs[method, c][1] < 0.05)]
            told = ", ".join(f"{c} ({pairs[method, c][0]:+.4f}, p {pairs[method, c][1]:.3f})" for c in left) or "none"
        interval = f"{float(row['ci_low']):.4f} to {float(row['ci_high']):.4f}"
        print(f"| `{method}` | {float(row['mean']):.4f} | {interval} | {row['n']} | {told} |")


if __name__ == "__main__":
    main()
