"""Dice of an experiment on the published hippocampus folds beside nnU-Net's, case by case.

    python benchmarks/hippocampus.py --results results --reference ../shared/data/nnunetv2_hippocampus_reference.csv

Run it after the experiment of examples/hippocampus.yaml, with one fold or all five. Prints a markdown table: mean Dice
by label and fold, the mean of both labels with its bootstrap interval, and the paired difference to nnU-Net with its
interval (2000 samples of cases, percentiles).

With ``--scores FILE`` the cases of this run first take the place of the same folds and methods in that file, so that
folds run one at a time come together; where there are no results, the file alone is read:

    python benchmarks/hippocampus.py --scores benchmarks/hippocampus-scores.csv --method two_seeds

``--curve FILE`` draws the Dice of fold 0 against the time of training, from the same file: of
examples/hippocampus-minutes.yaml and of examples/hippocampus.yaml.
"""

from __future__ import annotations

import argparse
import sys
from pathlib import Path

import numpy as np
import pandas as pd

ROOT = Path(__file__).resolve().parents[1]
NAMES = {"Anterior": 1, "Posterior": 2}
# epochs of 208 patches, and who was trained for so many: two networks at a time on 2 cores, and their average
EPOCHS = {
    14: ("epochs_14", "epochs_14_seed2", "two_epochs_14"),
    29: ("epochs_29", "epochs_29_seed2", "two_epochs_29"),
    58: ("unet", "unet_seed2", "two_seeds"),
    116: ("epochs_116", "epochs_116_seed2", "two_epochs_116"),
}
COLUMNS = ["method", "fold", "case", "label", "dice"]


def interval(values: np.ndarray, seed: int = 1, samples: int = 2000) -> tuple[float, float]:
    """Percentile interval (95 %) of the mean over cases."""
    rng = np.random.default_rng(seed)
    means = values[rng.integers(0, len(values), (samples, len(values)))].mean(axis=1)
    return tuple(np.percentile(means, [2.5, 97.5]))


def measured(results: Path) -> pd.DataFrame:
    """Dice of each case and label of a run, one row each."""
    rows = pd.read_csv(results / "metrics/cases.csv", dtype={"fold": str})
    rows = rows[(rows.metric == "dice") & rows.label.isin(NAMES)]
    rows = rows.assign(label=rows.label.map(NAMES), fold=rows.fold.astype(int))
    return rows.rename(columns={"value": "dice"})[COLUMNS]


def joined(kept: Path, new: pd.DataFrame | None) -> pd.DataFrame:
    """The kept rows with the new folds in place of the same ones, written back."""
    old = pd.read_csv(kept) if kept.is_file() else pd.DataFrame(columns=COLUMNS)
    if new is None:
        return old
    done = set(zip(new.method, new.fold, strict=True))
    old = old[[key not in done for key in zip(old.method, old.fold, strict=True)]]
    rows = pd.concat([old, new]).sort_values(COLUMNS[:-1])
    part = kept.with_name(f".{kept.name}.part")
    rows.to_csv(part, index=False, float_format="%.6f")
    part.replace(kept)
    return rows


def curve(rows: pd.DataFrame, theirs: pd.Series, rate: float, path: Path) -> None:
    """Mean Dice of fold 0 against minutes of training at ``rate`` patches a second and network."""
    import matplotlib

    matplotlib.use("agg")
    import matplotlib.pyplot as plt

    first = rows[rows.fold == 0]
    dice = first.groupby("method").dice.mean()
    figure, axes = plt.subplots(figsize=(6, 3.2), layout="constrained")
    points = []
    print("\n| minutes | one network, mean of both | both averaged | paired difference to nnU-Net |\n|---|---|---|---|")
    for epochs, (one, other, both) in EPOCHS.items():
        if both not in dice:
            continue
        points.append((epochs * 208 / rate / 60, dice[[one, other]].mean(), dice[both]))
        difference = first[first.method == both].groupby("case").dice.mean() - theirs.loc[0]
        low, high = interval(difference.to_numpy())
        minutes, single, averaged = points[-1]
        print(
            f"| {minutes:.1f} | {single:.4f} | {averaged:.4f} | {difference.mean():+.4f}, {low:+.4f} to {high:+.4f} |"
        )
    minutes, single, averaged = np.transpose(points)
    axes.plot(minutes, single, "o-", label="each network by itself")
    axes.plot(minutes, averaged, "s--", label="both averaged")
    axes.axhline(theirs.loc[0].mean(), color="#777", linestyle="--", linewidth=1)
    axes.annotate("nnU-Net, 1000 epochs", (0, theirs.loc[0].mean()), (4, 4), textcoords="offset points", fontsize=8)
    axes.set(
        xlabel="minutes of training, two networks at a time on 2 cores",
        ylabel="mean Dice, fold 0 (52 cases)",
        xlim=(0, None),
    )
    axes.legend(loc="lower right")
    figure.savefig(path, dpi=150)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, default=ROOT / "results")
    parser.add_argument(
        "--reference", type=Path, default=ROOT.parent / "shared/data/nnunetv2_hippocampus_reference.csv"
    )
    parser.add_argument("--method", default="unet")
    parser.add_argument("--scores", type=Path, help="file of the cases of several runs")
    parser.add_argument("--curve", type=Path, help="draw it into this file")
    parser.add_argument("--rate", type=float, default=6.8, help="patches a second of one training of two (%(default)s)")
    a = parser.parse_args()
    ran = (a.results / "metrics/cases.csv").is_file()
    if not a.reference.is_file():
        sys.exit(f"error: {a.reference} is missing")
    if not ran and not (a.scores and a.scores.is_file()):
        sys.exit(
            f"error: {a.results}/metrics/cases.csv is missing; run the experiment of examples/hippocampus.yaml first"
        )
    rows = measured(a.results) if ran else None
    if a.scores:
        rows = joined(a.scores, rows)
    if a.curve:
        published = pd.read_csv(a.reference).groupby(["fold", "case"]).dice.mean()
        curve(rows, published, a.rate, a.curve)
        return
    rows = rows[rows.method == a.method]
    if rows.empty:
        sys.exit(f"error: no cases of a method {a.method}")
    ours = rows.set_index(["fold", "case", "label"]).dice.unstack()
    theirs = pd.read_csv(a.reference).set_index(["fold", "case", "label"]).dice.unstack()
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
