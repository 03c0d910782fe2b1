"""Instructions and threads of NumPy and OpenBLAS, pinned in every phase.

Both choose their instructions by processor. `pin` holds them to AVX2 with FMA, so that every x86-64 processor that has
both chooses alike. It only sets environment variables, so it has to run before NumPy is imported: `refold` does so
itself. TensorFlow's part of it is in `refold.train.runtime`.
"""

from __future__ import annotations

import os
import platform
from collections.abc import MutableMapping
from functools import cache
from importlib import metadata
from pathlib import Path

RELIED = ("avx2", "fma")
# What NumPy can choose beyond AVX2, by its own names. One that a NumPy does not know draws an ImportWarning from it;
# one that the processor lacks goes unnoticed.
BEYOND = ("X86_V4", "AVX512_ICL", "AVX512_SPR")
BEYOND_BEFORE_2_4 = (
    "AVX512F", "AVX512CD", "AVX512_SKX", "AVX512_CLX", "AVX512_CNL", "AVX512_ICL", "AVX512_SPR",
)  # fmt: skip


@cache
def cpuinfo() -> dict[str, str]:
    """What Linux says of the first processor; empty on other systems."""
    try:
        first = Path("/proc/cpuinfo").read_text(encoding="utf-8", errors="replace").partition("\n\n")[0]
    except OSError:
        return {}
    return {k.strip(): v.strip() for k, _, v in (line.partition(":") for line in first.splitlines())}


def is_x86() -> bool:
    return platform.machine().lower() in ("x86_64", "amd64")


def has_avx2() -> bool:
    """Whether this is an x86-64 processor with AVX2 and FMA, as far as the system tells."""
    return is_x86() and set(RELIED) <= set(cpuinfo().get("flags", "").split())


def pin(environment: MutableMapping[str, str] = os.environ) -> None:
    """Hold NumPy and OpenBLAS to AVX2 on one thread.

    What is inherited is replaced: a cluster's job may run on another kind of processor than the command that sent it.
    """
    # two threads sum a product of matrices otherwise than one, and Snakemake gives as many as --cores allows
    environment["OPENBLAS_NUM_THREADS"] = "1"
    environment.pop("NPY_ENABLE_CPU_FEATURES", None)  # NumPy refuses both together
    environment.pop("NPY_DISABLE_CPU_FEATURES", None)
    environment.pop("OPENBLAS_CORETYPE", None)
    if is_x86():
        environment["NPY_DISABLE_CPU_FEATURES"] = " ".join(beyond())
    if has_avx2():  # on any other processor OpenBLAS would die of an illegal instruction
        environment["OPENBLAS_CORETYPE"] = "Haswell"


def beyond() -> tuple[str, ...]:
    major, minor = (int(n) for n in metadata.version("numpy").split(".")[:2])
    return BEYOND if (major, minor) >= (2, 4) else BEYOND_BEFORE_2_4
