"""``refold``: how Snakemake's work here and DVC's record fit together, and whether the tables can be made again."""

from __future__ import annotations

import argparse
import os
import sys
from pathlib import Path

from refold.core import sources
from refold.core.errors import RefoldError
from refold.run import command


def project(start: Path) -> Path:
    """The folder with the Snakefile at or above ``start``.

    Raises:
        RefoldError: there is none.
    """
    for folder in (start, *start.parents):
        if (folder / "Snakefile").is_file() and (folder / "workflow" / "refold").is_dir():
            return folder
    raise RefoldError(f"{start} lies in no project of refold (a folder with a Snakefile and workflow/refold)")


def run(arguments: list[str] | None = None) -> None:
    parser = argparse.ArgumentParser(prog="refold", description=__doc__)
    verbs = parser.add_subparsers(dest="verb", required=True, metavar="VERB")
    state = verbs.add_parser("status", help="what is fresh, what is on record, what to run next")
    state.add_argument(
        "--thorough", action="store_true", help="read and hash every file; exit status 1 where one was changed"
    )
    record = verbs.add_parser("record", help="after snakemake: put its results on DVC's record")
    record.add_argument("--clean", action="store_true", help="delete files of earlier experiments among the results")
    verbs.add_parser("sync", help="after dvc checkout, pull or exp apply: tell Snakemake that the results are fresh")
    verbs.add_parser("stages", help="bring the stages of dvc.yaml up to date with the code and params.yaml")
    verify = verbs.add_parser("verify", help="make the results on record again in a scratch clone, and compare")
    verify.add_argument("revision", nargs="?", default="HEAD", metavar="REV", help="commit with the record (HEAD)")
    verify.add_argument("--quick", action="store_true", help="from the models on record on, without training")
    verify.add_argument("--cores", default="all", help="for Snakemake (all)")
    again = verbs.add_parser("reproduce", help="run the experiment in several ways in fresh clones, and compare")
    again.add_argument("--example", metavar="NAME", help="examples/NAME.yaml in place of params.yaml, such as tiny")
    again.add_argument("--ways", default="", metavar="WAY,...", help="some of the ways; the first is compared to (all)")
    again.add_argument("--out", metavar="FILE", help="write the table here too, as Markdown")
    compare = verbs.add_parser("compare", help="two or more runs side by side, in one HTML file")
    compare.add_argument(
        "runs", nargs="+", metavar="RUN",
        help="a commit, an experiment of DVC or a folder of results; one alone is held against this project's results",
    )  # fmt: skip
    compare.add_argument(
        "--methods", nargs="+", default=[], metavar="NAME",
        help="compare these; A=B pairs two names, one a run (all that have the same name)",
    )  # fmt: skip
    compare.add_argument("--out", metavar="FILE.html", help="the page (results/compare/<names>.html)")
    compare.add_argument(
        "--cases", type=int, default=3, metavar="N", help="how many cases are pictured in each direction (3)"
    )
    for verb in (verify, again):
        verb.add_argument("--keep", action="store_true", help="leave the clones, and say where they are")
        verb.add_argument("--scratch", metavar="FOLDER", help="where to make them (the folder of temporary files)")
    a = parser.parse_args(arguments)

    here = Path.cwd()
    home = project(here)
    if not (home / "workflow").samefile(sources.ROOT):
        # installed from another clone: this clone's own code decides
        os.environ["PYTHONPATH"] = str(home / "workflow")
        os.execv(sys.executable, [sys.executable, "-m", "refold.cli", *(arguments or sys.argv[1:])])
    os.chdir(home)

    if a.verb == "status":
        from refold.cli import status

        told, good = status.text(a.thorough)
        print(told)
        sys.exit(0 if good else 1)
    elif a.verb == "stages":
        from refold.cli import stages
        from refold.experiment.reading import load

        params = load()
        stages.complete()
        changed = stages.write(params)
        print(f"dvc.yaml: {', '.join(changed)} brought up to date" if changed else "dvc.yaml is up to date")
    elif a.verb == "verify":
        from refold.cli import verify as verification

        found = verification.verify(a.revision, a.quick, a.keep, a.cores, a.scratch)
        print(found.text())
        sys.exit(0 if found.identical else 1)
    elif a.verb == "compare":
        from refold.compare import page

        table, files = page.compare(a.runs, a.methods, a.out, here, a.cases)
        print(table)
        print(f"report: {files[0]}")
        print(f"tables: {', '.join(map(str, files[1:]))}")
    elif a.verb == "reproduce":
        from refold.cli import reproduce

        sys.exit(0 if reproduce.reproduce(a.example, a.ways, a.out, a.keep, a.scratch) else 1)
    else:
        from refold.cli import handover

        print(handover.record(a.clean) if a.verb == "record" else handover.sync())


def main() -> None:
    command.run(run)


if __name__ == "__main__":
    main()
