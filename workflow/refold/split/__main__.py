"""``python -m refold.split``: write results/splits.json."""

from __future__ import annotations

import argparse

from refold.core import log, seals
from refold.core.files import sha256_file
from refold.core.paths import CASES, DATASET, PARAMS, SPLITS
from refold.imaging import cases as case_table
from refold.imaging import place
from refold.run import command
from refold.settings.split import Split
from refold.settings.stamps import Stamps
from refold.split import folds


def main(argv: list[str] | None = None) -> command.Job:
    parser = argparse.ArgumentParser(prog="python -m refold.split", description=__doc__)
    parser.add_argument("--cases", default=CASES, help="table of cases (default: %(default)s)")
    parser.add_argument("--dataset", default=DATASET, help="its description (default: %(default)s)")
    parser.add_argument("--params", default=PARAMS, help="frozen parameters (default: %(default)s)")
    parser.add_argument("--place", default=place.FILE, help="where files lie (default: %(default)s)")
    parser.add_argument("--output", default=SPLITS, help="file to write (default: %(default)s)")
    args = parser.parse_args(argv)

    stamps = Stamps(args.params)
    split = stamps.read(Split)
    if split.kind == "file":
        split = place.Place.read(args.place).split(split)
    splits = folds.make(*case_table.load(args.cases, args.dataset), split)
    for note in splits["notes"]:
        log.get().warning(note)
    seals.write(args.output, splits)
    sizes = ", ".join(f"{len(f['train'])}/{len(f['test'])}" for f in splits["folds"])
    log.get().info(
        f"{args.output}: {len(splits['folds'])} folds (train/test {sizes}), {len(splits['holdout'])} held out, "
        f"sha256 {sha256_file(args.output)[:12]}"
    )
    return command.Job(stamps)


if __name__ == "__main__":
    command.run(main)
