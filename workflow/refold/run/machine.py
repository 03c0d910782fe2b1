"""What of a machine decides the bytes, put on record. What can be pinned is (`refold.run.pins`)."""

from __future__ import annotations

import os
import platform
import re
from typing import Any

from refold.core import private
from refold.run import pins

SIMD = re.compile(r"(sse|ssse|avx|amx|fma|f16c)")


def model() -> str:
    """The processor's name."""
    return pins.cpuinfo().get("model name") or platform.processor() or platform.machine()


def chosen_beyond() -> list[str]:
    """What NumPy chose beyond AVX2 all the same: it was imported before the pin, or built for more."""
    return [name for name in private.numpy_chosen() if name in {*pins.BEYOND, *pins.BEYOND_BEFORE_2_4}]


def doubts(instructions: str, key: str) -> list[str]:
    """Why ``instructions`` cannot be kept here, a sentence each; empty where they can.

    Args:
        instructions: ``avx2`` or ``native``.
        key: where that was asked, such as ``train.instructions``.
    """
    if instructions == "native":
        return []
    found = []
    if not pins.has_avx2():
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
    flags = set(pins.cpuinfo().get("flags", "").split())
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
    info = pins.cpuinfo()
    features = sorted(
        f for f in (info.get("flags") or info.get("Features") or "").split() if SIMD.match(f) or not pins.is_x86()
    )
    found = {
        "device": device,
        "instructions": instructions,
        "libc": libc(),
        "processor": list(pins.RELIED)
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
