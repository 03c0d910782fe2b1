"""All speed benchmarks in one command; prints their tables one after another.

    PYTHONPATH=workflow python benchmarks/run.py --peer-python <python of an environment with the peers>

Each compares refold with a peer in the same run, alternating. The peers are in benchmarks/requirements-peers.txt.
"""

from __future__ import annotations

import argparse
import os
import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--peer-python", required=True)
    peer = parser.parse_args().peer_python
    environment = {**os.environ, "PYTHONPATH": str(HERE.parent / "workflow")}
    failed = []
    for name, arguments in (
        ("preprocess", ["--peer-python", peer]),
        ("augment", ["--peer-python", peer]),
        ("metrics", []),
        ("step", ["--peer-python", peer]),
    ):
        print(f"\n## {name}\n", flush=True)
        command = [sys.executable, str(HERE / f"{name}.py"), *arguments]
        if subprocess.run(command, env=environment).returncode:
            failed.append(name)
    if failed:
        sys.exit(f"error: failed: {', '.join(failed)}")


if __name__ == "__main__":
    main()
