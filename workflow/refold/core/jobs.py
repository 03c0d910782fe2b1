"""The environment that Snakemake's jobs run in."""

from __future__ import annotations

import os
import sys
from pathlib import Path


def prepare() -> None:
    """Let ``python`` in jobs be this very Python with refold's own sources, whether or not an environment is active."""
    os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])


def has_gpu() -> bool:
    """Whether this machine has an NVIDIA card; asked where Snakemake is started."""
    return Path("/dev/nvidia0").exists()
