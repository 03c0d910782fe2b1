"""The environment that Snakemake's jobs run in."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable
from pathlib import Path

from refold.run import life


def prepare() -> None:
    """Let ``python`` in jobs be this very Python with refold's own sources, whether or not an environment is active.

    The jobs end with this process.
    """
    os.environ["PYTHONPATH"] = str(Path(__file__).resolve().parents[2])
    os.environ["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), os.environ.get("PATH", "")])
    life.mark_parent()


def has_gpu() -> bool:
    """Whether a job may use an NVIDIA GPU: one of this machine, or in a Slurm job one that it was given."""
    if "SLURM_JOB_ID" in os.environ:
        return os.environ.get("CUDA_VISIBLE_DEVICES", "NoDevFiles") not in ("", "NoDevFiles")
    return Path("/dev/nvidia0").exists()


def growing(first: int) -> Callable[..., int]:
    """A resource that doubles with each attempt of a job: ``first``, 2 ``first``, 4 ``first``."""

    def resource(wildcards: object, attempt: int) -> int:
        return first * 2 ** (attempt - 1)

    return resource
