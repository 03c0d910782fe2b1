"""``python -m refold.experiment``: check ``params.yaml``, or print what is made from its model.

python -m refold.experiment [FILE]    check an experiment
python -m refold.experiment --schema  print the JSON schema
python -m refold.experiment --docs    print the page of the documentation
"""

from __future__ import annotations

import argparse

from refold.experiment import pages, reading
from refold.run import command


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m refold.experiment", description="Check params.yaml.")
    parser.add_argument("file", nargs="?", default="params.yaml")
    parser.add_argument("--schema", action="store_true", help="print the JSON schema instead")
    parser.add_argument("--docs", action="store_true", help="print docs/reference/params.md instead")
    a = parser.parse_args()
    if a.schema or a.docs:
        print(pages.json_schema() if a.schema else pages.docs(), end="")
    else:
        reading.load(a.file)
        print(f"{a.file}: nothing is wrong")


if __name__ == "__main__":
    command.run(main)
