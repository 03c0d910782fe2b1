"""The one command of the report phase."""

from __future__ import annotations

import argparse
from pathlib import Path

from refold.core import errors, log
from refold.report import inputs, page, plots, provenance


def main() -> None:
    parser = argparse.ArgumentParser(prog="refold.report", description=__doc__)
    parser.add_argument("--methods", nargs="+", required=True, metavar="NAME", help="methods shown, in this order")
    parser.add_argument("--folds", nargs="+", type=int, required=True, metavar="K", help="folds that were run")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder with cases.csv and dataset.json")
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="folder with metrics/, models/, predictions/"
    )
    parser.add_argument("--params", type=Path, default=Path("results/.params"), help="folder of the frozen parameters")
    parser.add_argument("--out", type=Path, default=Path("results/report/report.html"), help="file written")
    args = parser.parse_args()

    experiment = inputs.read(args.methods, args.folds, inputs.Folders(args.data, args.results, args.params))
    facts = provenance.gather(experiment)
    page.write(experiment, args.out, facts)
    plots.write(experiment, args.out.parent)
    provenance.write(experiment, facts, args.out)
    log.get().info("wrote %s (%.1f MB)", args.out, args.out.stat().st_size / 1e6)


if __name__ == "__main__":
    errors.run(main)
