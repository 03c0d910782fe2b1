"""``python -m refold.split``: write results/splits.json."""

from __future__ import annotations

import argparse

from refold.core import cases as case_table
from refold.core import errors, log, place, seals
from refold.core.files import sha256_file
from refold.core.params import Stamps
from refold.split import folds


def main(argv: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="python -m refold.split", description=__doc__)
    parser.add_argument("--cases", default=case_table.CASES, help="table of cases (default: %(default)s)")
    parser.add_argument("--dataset", default=case_table.DATASET, help="its description (default: %(default)s)")
    parser.add_argument("--params", default="results/.params", help="frozen parameters (default: %(default)s)")
    parser.add_argument("--place", default=place.FILE, help="where files lie (default: %(default)s)")
    parser.add_argument("--output", default="results/splits.json", help="file to write (default: %(default)s)")
    args = parser.parse_args(argv)

    split = Stamps(args.params).read("split").split
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


if __name__ == "__main__":
    errors.run(main)
