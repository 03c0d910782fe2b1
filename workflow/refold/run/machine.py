"""What of a machine decides the bytes: pinned in every phase where that is possible, and put on record.

NumPy and OpenBLAS choose their instructions by processor. `pin` holds them to AVX2 with FMA, so that every x86-64
processor that has both chooses alike. It only sets environment variables, so it has to run before NumPy is imported:
`refold` does so itself. TensorFlow's part of it is in `refold.train.runtime`.
"""

from __future__ import annotations

import os
import platform
import re
from collections.abc import MutableMapping
from functools import cache
from importlib import metadata
from pathlib import Path
from typing import Any

from refold.core import private

RELIED = ("avx2", "fma")
# What NumPy can choose beyond AVX2, by its own names. One that a NumPy does not know draws an ImportWarning from it;
# one that the processor lacks goes unnoticed.
BEYOND = ("X86_V4", "AVX512_ICL", "AVX512_SPR")
BEYOND_BEFORE_2_4 = (
    "AVX512F", "AVX512CD", "AVX512_SKX", "AVX512_CLX", "AVX512_CNL", "AVX512_ICL", "AVX512_SPR",
)  # fmt: skip
SIMD = re.compile(r"(sse|ssse|avx|amx|fma|f16c)")


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


def model() -> str:
    """The processor's name."""
    return cpuinfo().get("model name") or platform.processor() or platform.machine()


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
        environment["NPY_DISABLE_CPU_FEATURES"] = " ".join(_beyond())
    if has_avx2():  # on any other processor OpenBLAS would die of an illegal instruction
        environment["OPENBLAS_CORETYPE"] = "Haswell"


def _beyond() -> tuple[str, ...]:
    major, minor = (int(n) for n in metadata.version("numpy").split(".")[:2])
    return BEYOND if (major, minor) >= (2, 4) else BEYOND_BEFORE_2_4


def chosen_beyond() -> list[str]:
    """What NumPy chose beyond AVX2 all the same: it was imported before the pin, or built for more."""
    return [name for name in private.numpy_chosen() if name in {*BEYOND, *BEYOND_BEFORE_2_4}]


def doubts(instructions: str, key: str) -> list[str]:
    """Why ``instructions`` cannot be kept here, a sentence each; empty where they can.

    Args:
        instructions: ``avx2`` or ``native``.
        key: where that was asked, such as ``train.instructions``.
    """
    if instructions == "native":
        return []
    found = []
    if not has_avx2():
        found.append(
            f"{key}: avx2 cannot be kept on this processor ({model()}, {platform.machine()}), which has no AVX2 with "
            "FMA or does not tell; another kind of processor will give other bytes"
        )
    if beyond := chosen_beyond():
        found.append(
            f"{key}: avx2 is not kept by NumPy, which chose {', '.join(beyond)}; it was imported before refold or "
            "built for this kind of processor alone"
        )
    return found


def slow(precision: str, device: str = "cpu") -> list[str]:
    """A sentence where this processor has no instructions for ``precision``; empty where it has, or on a GPU."""
    flags = set(cpuinfo().get("flags", "").split())
    if precision != "bfloat16" or device != "cpu" or flags & {"amx_bf16", "avx512_bf16"}:
        return []
    return [
        f"train.precision: bfloat16 is slower than float32 on this processor ({model()}), which has no instructions "
        "for it (AMX or AVX512-BF16)"
    ]


def facts(
    instructions: str = "avx2", threads: int = 1, precision: str | None = None, device: str = "cpu"
) -> dict[str, Any]:
    """What of this machine and its settings decides the bytes, and nothing else of it.

    Args:
        instructions: ``avx2`` or ``native``, as asked for.
        threads: math threads.
        precision: of a network's arithmetic; None where there is none.
        device: ``cpu``, or the GPU.

    Returns:
        ``processor`` is the list of features relied upon where the instructions are pinned; elsewhere the architecture,
        the model and all SIMD features, because then these decide.
    """
    pinned = instructions == "avx2" and not doubts(instructions, "")
    info = cpuinfo()
    features = sorted(
        f for f in (info.get("flags") or info.get("Features") or "").split() if SIMD.match(f) or not is_x86()
    )
    found = {
        "device": device,
        "instructions": instructions,
        "libc": libc(),
        "processor": list(RELIED)
        if pinned
        else {"architecture": platform.machine(), "features": features, "model": model()},
        "threads": threads,
    }
    return found if precision is None else {**found, "precision": precision}


def libc() -> str:
    """The C library, whose functions such as exp and log round in their own way."""
    try:
        return os.confstr("CS_GNU_LIBC_VERSION") or "unknown"
    except (AttributeError, ValueError):
        return f"{platform.system()} {platform.release()}"
