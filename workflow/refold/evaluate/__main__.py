"""``python -m refold.evaluate fold|aggregate|incomplete``: of one fold, or of all methods and folds."""

from __future__ import annotations

import argparse

from refold.core.paths import CASES, DATASET, FOLDS, PARAMS, PREDICTIONS, SPLITS, TABLES
from refold.imaging import place
from refold.run import command
from refold.settings.evaluate import Evaluate
from refold.settings.stamps import Stamps


def _count(text: str) -> int:
    value = int(text)
    if value < 1:
        raise argparse.ArgumentTypeError("at least 1")
    return value


def main(argv: list[str] | None = None) -> command.Job | None:
    parser = argparse.ArgumentParser(prog="python -m refold.evaluate", description=__doc__)
    parser.add_argument("--params", default=PARAMS, help="frozen parameters (default: %(default)s)")
    verbs = parser.add_subparsers(dest="verb", required=True)

    fold = verbs.add_parser("fold", help="metrics of one fold of one method")
    fold.add_argument("--method", required=True)
    fold.add_argument("--fold", required=True, help="a number, or holdout")
    fold.add_argument("--cases", default=CASES, help="default: %(default)s")
    fold.add_argument("--dataset", default=DATASET, help="default: %(default)s")
    fold.add_argument("--place", default=place.FILE, help="where the raw files lie (default: %(default)s)")
    fold.add_argument("--splits", default=SPLITS, help="default: %(default)s")
    fold.add_argument("--predictions", default=PREDICTIONS, help="default: %(default)s")
    fold.add_argument("--output", default=FOLDS, help="default: %(default)s")
    fold.add_argument("--processes", type=_count, default=1, help="no result depends on it (default: %(default)s)")

    aggregate = verbs.add_parser("aggregate", help="tables, intervals and comparisons")
    aggregate.add_argument("--methods", nargs="+", required=True)
    aggregate.add_argument("--folds", nargs="+", required=True, help="numbers, and holdout if there is one")
    aggregate.add_argument("--input", default=FOLDS, help="default: %(default)s")
    aggregate.add_argument("--splits", default=SPLITS, help="default: %(default)s")
    aggregate.add_argument("--output", default=TABLES, help="default: %(default)s")
    rest = verbs.add_parser("incomplete", help="after a failure: tables of the methods that are whole")
    rest.add_argument("--methods", nargs="+", required=True)
    rest.add_argument("--folds", nargs="+", required=True)
    rest.add_argument("--input", default=FOLDS, help="default: %(default)s")
    rest.add_argument("--output", default="results/incomplete", help="default: %(default)s")
    args = parser.parse_args(argv)

    if args.verb == "incomplete":
        from refold.evaluate import incomplete

        if text := incomplete.run(args.methods, args.folds, Stamps(args.params), args.input, args.output):
            print(text)
        return None
    stamps = Stamps(args.params)
    if args.verb == "fold":
        from refold.evaluate.fold import run as measure

        measure(
            args.method, args.fold, stamps.read(Evaluate), args.cases, args.dataset, args.splits,
            args.predictions, args.output, args.processes, args.place,
        )  # fmt: skip
    else:
        from refold.evaluate.aggregate import run as summarise

        summarise(args.methods, args.folds, stamps, args.input, args.output, args.splits)
    return command.Job(stamps)


if __name__ == "__main__":
    command.run(main)
