"""Dice of an experiment on the published hippocampus folds beside nnU-Net's, case by case.

    python benchmarks/hippocampus.py --results results --reference ../shared/data/nnunetv2_hippocampus_reference.csv

Run it after the experiment of examples/hippocampus.yaml, with one fold or all five. Prints a markdown table: mean Dice
by label and fold, the mean of both labels with its bootstrap interval, and the paired difference to nnU-Net with its
interval (2000 samples of cases, percentiles).
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
NAMES = {"Anterior": 1, "Posterior": 2}


def interval(values: np.ndarray, seed: int = 1, samples: int = 2000) -> tuple[float, float]:
    """Percentile interval (95 %) of the mean over cases."""
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (samples, len(values)))].mean(axis=1)
    return tuple(np.percentile(means, [2.5, 97.5]))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    parser.add_argument(
        "--reference", type=Path, default=ROOT.parent / "shared/data/nnunetv2_hippocampus_reference.csv"
    )
    parser.add_argument("--method", default="unet")
    a = parser.parse_args()
    for path in (a.results / "metrics/cases.csv", a.reference):
        if not path.is_file():
            sys.exit(f"error: {path} is missing; run the experiment of examples/hippocampus.yaml first")
    rows = pd.read_csv(a.results / "metrics/cases.csv")
    rows = rows[(rows.metric == "dice") & (rows.method == a.method) & rows.label.isin(NAMES)]
    ours = rows.assign(label=rows.label.map(NAMES)).set_index(["fold", "case", "label"]).value.unstack()
    theirs = pd.read_csv(a.reference).set_index(["fold", "case", "label"]).dice.unstack()
    ours.index = ours.index.set_levels(ours.index.levels[0].astype(int), level=0)
    missing = ours.index.difference(theirs.index)
    if len(missing):
        sys.exit(f"error: {len(missing)} cases lie in other folds than the published ones, such as {missing[0]}")
    theirs = theirs.loc[ours.index]
    print("| fold | cases | anterior | posterior | mean | nnU-Net: anterior | posterior | mean |")
    print("|---|---|---|---|---|---|---|---|")
    folds = ours.index.get_level_values(0)
    for fold in [*sorted(set(folds)), "all"]:
        chosen = np.ones(len(ours), bool) if fold == "all" else folds == fold
        cells = [f"{v:.4f}" for t in (ours, theirs) for v in (*t[chosen].mean(), t[chosen].mean(axis=1).mean())]
        print(f"| {fold} | {chosen.sum()} | {' | '.join(cells)} |")
    mean, other = ours.mean(axis=1).to_numpy(), theirs.mean(axis=1).to_numpy()
    difference = mean - other
    print(f"\nmean of both labels {mean.mean():.4f}, 95 % interval {interval(mean)[0]:.4f} to {interval(mean)[1]:.4f}")
    low, high = interval(difference)
    print(f"paired difference to nnU-Net {difference.mean():+.4f}, 95 % interval {low:+.4f} to {high:+.4f}")
    print(f"cases better than nnU-Net's: {(difference > 0).sum()} of {len(difference)}")


if __name__ == "__main__":
    main()
