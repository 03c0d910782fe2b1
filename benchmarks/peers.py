"""The other side of a comparison: a process with its own packages that does so many rounds when it is told to."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from typing import Any


class Peer:
    """A program that prints ``ready``, then for each line with a number n does n rounds and prints its times as JSON.

    Args:
        python: of an environment with the packages that ``program`` imports. environment: variables it gets besides.
    """

    def __init__(self, python: str, program: str, arguments: list[str], environment: dict[str, str] | None = None):
        inherited = {k: v for k, v in os.environ.items() if k != "PYTHONPATH"}
        self.process = subprocess.Popen(
            [python, "-c", program, *arguments], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            env={**inherited, **(environment or {})}, text=True,
        )  # fmt: skip
        while self._line() != "ready\n":
            pass

    def block(self, n: int) -> Any:
        """The times of n rounds."""
        self.process.stdin.write(f"{n}\n")
        self.process.stdin.flush()
        return json.loads(self._line())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()

    def _line(self) -> str:
        line = self.process.stdout.readline()
        if not line:
            sys.exit(f"error: the peer ended with status {self.process.wait()}; its message stands above")
        return line
