"""``python -m refold.data fetch``, ``catalogue`` and ``checks``."""

from __future__ import annotations

import argparse
import signal
import sys

from refold.core.paths import CASES, CHECKS, DATASET, PARAMS
from refold.data import layout
from refold.imaging import place
from refold.run import command, seen
from refold.settings.dataset import Dataset
from refold.settings.stamps import Stamps


def main(argv: list[str] | None = None) -> command.Job:
    """Run one verb of the `data` phase."""
    parser = argparse.ArgumentParser(prog="python -m refold.data", description="Fetch and check a data set.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    fetch = verbs.add_parser("fetch", help="make, download or unpack the data set into <raw>/<name>")
    check = verbs.add_parser("catalogue", help="check the data set and write the table of cases")
    warn = verbs.add_parser("checks", help="write the warnings of the catalogue, and those of dataset.json")
    for verb in (fetch, check, warn):
        verb.add_argument("--params", default=PARAMS, help="folder of the frozen parameters")
        verb.add_argument("--place", default=place.FILE, help="file that tells where the data set lies")
        verb.add_argument("--raw", default=layout.RAW, help="folder of the data sets fetched")
    check.add_argument("--cases", default=CASES, help="table of cases, written")
    for verb in (check, warn):
        verb.add_argument("--dataset", default=DATASET, help="description of the data set, written by catalogue")
        verb.add_argument("--checks", default=CHECKS, help="warnings, written; empty: not by this verb")
    check.add_argument("--log-checks", default="logs/data/checks.json", help="errors and warnings, written on errors")
    check.add_argument("--processes", type=int, default=1, help="processes; no result depends on it")
    options = parser.parse_args(argv)
    stamps = Stamps(options.params)
    dataset = place.Place.read(options.place).dataset(stamps.read(Dataset))
    if options.verb == "fetch":
        from refold.data.fetch import fetch as run

        archive = layout.archive(dataset)
        found = seen.stats([archive]) if archive else None  # before: a change meanwhile is noticed later
        run(dataset, options.raw)
        if archive:
            notes = seen.Seen(seen.ARCHIVE)
            notes.note("archive", [str(archive)], found, layout.unpacked(dataset, options.raw))
            notes.save()
    elif options.verb == "checks":
        from refold.data import listing

        listing.run(dataset, options.raw, options.dataset, options.checks)
    else:
        from refold.data.checks import catalogue

        catalogue(
            dataset,
            options.raw,
            options.cases,
            options.dataset,
            options.checks or None,
            options.log_checks,
            options.processes,
            seen.RAW,
        )
    return command.Job(stamps)


if __name__ == "__main__":
    # a terminated job tidies up as a failed one does
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    command.run(main)
