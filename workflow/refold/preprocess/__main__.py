"""Commands of the preprocess phase: ``cases`` for one shard, ``fingerprint`` for the whole."""

from __future__ import annotations

import argparse

from refold.core.paths import CASES, DATASET, PARAMS
from refold.imaging import cases as table
from refold.imaging import place, store
from refold.preprocess import cases, fingerprint
from refold.run import command
from refold.settings.preprocess import Preprocess
from refold.settings.stamps import Stamps


def main() -> command.Job:
    parser = argparse.ArgumentParser(prog="refold.preprocess", description=__doc__)
    common = argparse.ArgumentParser(add_help=False)
    common.add_argument("--params", default=PARAMS, help="folder of the frozen parameters")
    common.add_argument("--cases", default=CASES, help="table of cases")
    common.add_argument("--dataset", default=DATASET, help="description of the data set")
    common.add_argument("--folder", default=store.FOLDER, help="where the preprocessed cases lie")
    verbs = parser.add_subparsers(dest="verb", required=True)
    shard = verbs.add_parser("cases", parents=[common], help="preprocess the cases of one shard")
    shard.add_argument("--place", default=place.FILE, help="where the raw files lie")
    shard.add_argument("--shard", type=int, required=True, help="number of the shard, from 0")
    whole = verbs.add_parser("fingerprint", parents=[common], help="merge the shards into the fingerprint")
    whole.add_argument("--out", default=fingerprint.FINGERPRINT, help="file written")
    args = parser.parse_args()

    stamps = Stamps(args.params)
    section = stamps.read(Preprocess)
    root = place.Place.read(args.place).root if args.verb == "cases" else ""
    known, description = table.load(args.cases, args.dataset, root)
    if args.verb == "cases":
        cases.run(known, description, section, args.shard, args.folder)
    else:
        fingerprint.run(known, description, section, args.folder, args.out)
    return command.Job(stamps)


if __name__ == "__main__":
    command.run(main)
