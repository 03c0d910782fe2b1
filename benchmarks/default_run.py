"""The whole default experiment of this commit against another's, in turns: time and memory as ratios.

    python benchmarks/default_run.py --against <commit> [--runs 3] [--params examples/tiny.yaml]

Each run is `snakemake --cores all` in a fresh clone, by this environment, from the raw data to the report. Clones are
of commits: what is not committed is not measured. Peak memory is that of the largest single process.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
FIGURES = ("wall s", "processor s", "peak memory MB")


def clone(commit: str, folder: Path, params: Path | None) -> None:
    subprocess.run(["git", "clone", "--quiet", str(ROOT), str(folder)], check=True)
    subprocess.run(["git", "-C", str(folder), "checkout", "--quiet", commit], check=True)
    if params:
        shutil.copy(params, folder / "params.yaml")


def measure(commit: str, params: Path | None) -> tuple[float, float, float]:
    """Wall time, processor time and peak memory of one run of the experiment."""
    with tempfile.TemporaryDirectory(prefix="refold-default-run-") as name:
        folder = Path(name) / "project"
        clone(commit, folder, params)
        log = Path(name) / "log"
        with log.open("w") as stream:
            started = time.monotonic()
            process = subprocess.Popen(
                [str(Path(sys.executable).parent / "snakemake"), "--cores", "all"],
                cwd=folder, stdin=subprocess.DEVNULL, stdout=stream, stderr=stream,
            )  # fmt: skip
            _, status, usage = os.wait4(process.pid, 0)  # of the process and all that it waited for
            wall = time.monotonic() - started
        if status:
            sys.exit(f"error: the run of {commit} failed:\n{log.read_text()[-3000:]}")
    return wall, usage.ru_utime + usage.ru_stime, usage.ru_maxrss / 1024


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--against", required=True, help="the commit to compare with")
    parser.add_argument("--commit", default="HEAD", help="the commit that is compared")
    parser.add_argument("--runs", type=int, default=3, help="runs of each")
    parser.add_argument("--params", type=Path, help="an experiment that both know; otherwise each its params.yaml")
    arguments = parser.parse_args()
    names = [arguments.commit, arguments.against]
    commits = [
        subprocess.run(
            ["git", "-C", str(ROOT), "rev-parse", n], check=True, capture_output=True, text=True
        ).stdout.strip()
        for n in names
    ]
    found: list[list[tuple[float, float, float]]] = [[], []]
    for i in range(arguments.runs):
        for side in (0, 1) if i % 2 == 0 else (1, 0):  # a machine that warms up favours neither
            found[side].append(measure(commits[side], arguments.params))
            figures = (f"{value:.1f} {what}" for what, value in zip(FIGURES, found[side][-1], strict=True))
            print(f"{commits[side][:7]}: {', '.join(figures)}", flush=True)
    print(f"\n| | {commits[0][:7]} | {commits[1][:7]} | ratio |\n|---|---|---|---|")
    for k, figure in enumerate(FIGURES):
        new, old = ([run[k] for run in side] for side in found)
        ratios = [a / b for a, b in zip(new, old, strict=True)]
        spread = f"{statistics.median(ratios):.3f} ({min(ratios):.3f} to {max(ratios):.3f})"
        print(f"| {figure} | {statistics.median(new):.1f} | {statistics.median(old):.1f} | {spread} |")


if __name__ == "__main__":
    main()
