"""``python -m refold.data fetch``, ``catalogue`` and ``checks``."""

from __future__ import annotations

import argparse
import signal
import sys

from refold.core import cases, errors, place, seen
from refold.core.params import Stamps
from refold.data import layout


def main(argv: list[str] | None = None) -> None:
    """Run one verb of the `data` phase."""
    parser = argparse.ArgumentParser(prog="python -m refold.data", description="Fetch and check a data set.")
    verbs = parser.add_subparsers(dest="verb", required=True)
    fetch = verbs.add_parser("fetch", help="make, download or unpack the data set into <raw>/<name>")
    check = verbs.add_parser("catalogue", help="check the data set and write the table of cases")
    warn = verbs.add_parser("checks", help="write the warnings of the catalogue, and those of dataset.json")
    for verb in (fetch, check, warn):
        verb.add_argument("--params", default="results/.params", help="folder of the frozen parameters")
        verb.add_argument("--place", default=place.FILE, help="file that tells where the data set lies")
        verb.add_argument("--raw", default=layout.RAW, help="folder of the data sets fetched")
    check.add_argument("--cases", default=cases.CASES, help="table of cases, written")
    for verb in (check, warn):
        verb.add_argument("--dataset", default=cases.DATASET, help="description of the data set, written by catalogue")
        verb.add_argument("--checks", default=cases.CHECKS, help="warnings, written; empty: not by this verb")
    check.add_argument("--log-checks", default="logs/data/checks.json", help="errors and warnings, written on errors")
    check.add_argument("--processes", type=int, default=1, help="processes; no result depends on it")
    options = parser.parse_args(argv)
    dataset = place.Place.read(options.place).dataset(Stamps(options.params).read("dataset").dataset)
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


if __name__ == "__main__":
    # a terminated job tidies up as a failed one does
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    errors.run(main)
