"""TensorFlow set up once, before anything uses it: threads, instructions, determinism, precision."""

from __future__ import annotations

import os
import re
import sys
import tempfile
from collections.abc import Iterator, MutableMapping
from contextlib import contextmanager
from pathlib import Path

from refold.core import private

ISA = {"avx2": "AVX2", "native": None}  # what oneDNN may use at most, in its own words
# Each of these would change the arithmetic behind the back of params.yaml.
STRAY = (
    "DNNL_MAX_CPU_ISA", "ONEDNN_DEFAULT_FPMATH_MODE", "DNNL_DEFAULT_FPMATH_MODE", "TF_SET_ONEDNN_FPMATH_MODE",
    "TF_XLA_FLAGS", "NVIDIA_TF32_OVERRIDE",
)  # fmt: skip


@contextmanager
def _quiet() -> Iterator[None]:
    """Keep back what TensorFlow's C++ code prints while it is imported; shown if the import fails."""
    sys.stderr.flush()
    with tempfile.TemporaryFile() as kept:
        terminal = os.dup(2)
        os.dup2(kept.fileno(), 2)
        try:
            yield
        except BaseException:
            os.dup2(terminal, 2)
            kept.seek(0)
            sys.stderr.write(kept.read().decode(errors="replace"))
            raise
        finally:
            os.dup2(terminal, 2)
            os.close(terminal)


@contextmanager
def _without(*packages: str) -> Iterator[None]:
    """Keras imports these where it finds them, for helpers that nobody here uses: a quarter of its import's time."""
    absent = [p for p in packages if p not in sys.modules]
    for package in absent:
        sys.modules[package] = None  # type: ignore[assignment]  # so that an import fails
    try:
        yield
    finally:
        for package in absent:
            del sys.modules[package]


def hold(instructions: str, environment: MutableMapping[str, str]) -> None:
    """Tell oneDNN, before it is loaded, which instructions it may use, whatever the user's environment says."""
    for name in ("ONEDNN_MAX_CPU_ISA", *STRAY):
        environment.pop(name, None)
    if most := ISA[instructions]:
        environment["ONEDNN_MAX_CPU_ISA"] = most


def configure(threads: int, seed: int, precision: str = "float32", instructions: str = "avx2"):
    """Import TensorFlow with fixed threads, instructions and deterministic operations; returns the module.

    Args:
        threads: math threads inside one operation; operations run one after another, so that sums keep their order.
        seed: of every global generator.
        precision: ``float32`` or ``bfloat16`` (computation; weights stay float32).
        instructions: ``avx2``, the same on every x86-64 processor that has it, or ``native``, whatever this one has.
    """
    os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")
    # TensorFlow leaves oneDNN off on processors without AVX-512, where a 3-D training step then takes ten times as long
    os.environ["TF_ENABLE_ONEDNN_OPTS"] = "1"
    os.environ["TF_NUM_INTRAOP_THREADS"] = str(threads)
    os.environ["TF_NUM_INTEROP_THREADS"] = "1"
    os.environ["OMP_NUM_THREADS"] = str(threads)
    hold(instructions, os.environ)
    with _quiet(), _without("matplotlib", "sklearn"):
        import keras
        import tensorflow as tf

    tf.config.threading.set_intra_op_parallelism_threads(threads)
    tf.config.threading.set_inter_op_parallelism_threads(1)
    for gpu in tf.config.list_physical_devices("GPU"):
        tf.config.experimental.set_memory_growth(gpu, True)  # or one job would claim the whole GPU
    tf.config.experimental.enable_op_determinism()
    keras.utils.set_random_seed(seed)
    keras.mixed_precision.set_global_policy("mixed_bfloat16" if precision == "bfloat16" else "float32")
    private.keras_exact_rsqrt(tf)
    return tf


def device(tf) -> str:
    """``cpu``, or the GPU that TensorFlow computes on, with what of it decides the bytes."""
    cards = tf.config.list_physical_devices("GPU")
    if not cards:
        return "cpu"
    about = tf.config.experimental.get_device_details(cards[0])
    capability = ".".join(map(str, about.get("compute_capability", ())))
    words = [about.get("device_name", "GPU"), capability and f"compute capability {capability}", _driver()]
    return ", ".join(w for w in words if w)


def _driver() -> str:
    """Version of NVIDIA's driver, as Linux tells; empty where it does not."""
    try:
        first = Path("/proc/driver/nvidia/version").read_text(encoding="utf-8").splitlines()[0]
    except (OSError, IndexError):
        return ""
    found = re.search(r"\d+(\.\d+)+", first)
    return f"driver {found[0]}" if found else ""
