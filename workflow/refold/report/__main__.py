"""The one command of the report phase."""

from __future__ import annotations

import argparse
from pathlib import Path

from refold.core import log
from refold.core.files import read_json, write_text
from refold.core.paths import PARAMS, REPORT
from refold.evaluate import incomplete
from refold.imaging import place
from refold.report import inputs, page, plots, provenance
from refold.run import command
from refold.settings.stamps import Stamps


def main() -> command.Job:
    parser = argparse.ArgumentParser(prog="refold.report", description=__doc__)
    parser.add_argument("--methods", nargs="+", required=True, metavar="NAME", help="methods shown, in this order")
    parser.add_argument("--folds", nargs="+", type=int, required=True, metavar="K", help="folds that were run")
    parser.add_argument("--data", type=Path, default=Path("data"), help="folder with cases.csv and dataset.json")
    parser.add_argument(
        "--results", type=Path, default=Path("results"), help="folder with metrics/, models/, predictions/"
    )
    parser.add_argument("--params", type=Path, default=Path(PARAMS), help="folder of the frozen parameters")
    parser.add_argument("--place", type=Path, default=Path(place.FILE), help="file that tells where the raw data are")
    parser.add_argument("--out", type=Path, default=Path(REPORT), help="file written")
    parser.add_argument(
        "--incomplete",
        type=Path,
        help="after a failure: folder of the tables of the other methods; nothing else is written",
    )
    args = parser.parse_args()

    failed = read_json(args.incomplete / incomplete.FAILED) if args.incomplete else {}
    methods = [m for m in args.methods if m not in failed]
    folders = inputs.Folders(args.data, args.results, args.params, args.incomplete, args.place)
    stamps = Stamps(args.params)
    experiment = inputs.read(methods, args.folds, folders, failed, stamps)
    facts = provenance.gather(experiment)
    if args.incomplete:
        write_text(args.incomplete / args.out.name, page.render(experiment, facts).html)
        return command.Job(stamps)
    page.write(experiment, args.out, facts)
    plots.write(experiment, args.out.parent)
    provenance.write(experiment, facts, args.out)
    log.get().info("wrote %s (%.1f MB)", args.out, args.out.stat().st_size / 1e6)
    return command.Job(stamps)


if __name__ == "__main__":
    command.run(main)
