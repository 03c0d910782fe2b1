"""The pin reaches the processes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from refold.run import pins

ROOT = Path(__file__).resolve().parents[2]
HASWELL = "fpu sse sse2 ssse3 sse4_1 sse4_2 avx f16c fma bmi1 avx2 bmi2"
SKYLAKE = f"{HASWELL} avx512f avx512dq avx512cd avx512bw avx512vl"


def job(code: str, **environment) -> str:
    """What a process prints that imports refold first, as every phase does."""
    run = subprocess.run(
        [sys.executable, "-W", "error::ImportWarning", "-c", f"import refold\n{code}"],
        env={**os.environ, "PYTHONPATH": str(ROOT / "workflow"), **environment},
        capture_output=True,
        text=True,
    )
    assert run.returncode == 0, run.stderr
    return run.stdout.strip()


def test_the_environment_with_and_without_avx2(processor):
    processor(SKYLAKE)
    found = {"NPY_ENABLE_CPU_FEATURES": "X86_V4", "OPENBLAS_NUM_THREADS": "8"}
    pins.pin(found)
    assert found.pop("NPY_DISABLE_CPU_FEATURES").split()[-2:] == ["AVX512_ICL", "AVX512_SPR"]
    assert found == {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "1"}
    processor(HASWELL.replace("avx2", ""))
    pins.pin(found)
    assert "OPENBLAS_CORETYPE" not in found  # set by the command on another node, and deadly here
    processor("", "aarch64")
    pins.pin(found)
    assert found == {"OPENBLAS_NUM_THREADS": "1"}


@pytest.mark.parametrize(
    ("version", "first"), [("2.0.2", "AVX512F"), ("2.3.9", "AVX512F"), ("2.4.0", "X86_V4"), ("3.0.0rc1", "X86_V4")]
)
def test_names_by_the_version_of_numpy(monkeypatch, version, first):
    monkeypatch.setattr(pins.metadata, "version", lambda name: version)
    assert pins.beyond()[0] == first


def test_this_numpy_knows_the_names():
    """-W error::ImportWarning: NumPy warns of names that it does not dispatch."""
    if not pins.is_x86():
        pytest.skip("NumPy's names are those of x86-64")
    names = json.loads(
        job("import json\nfrom numpy._core import _multiarray_umath as u\nprint(json.dumps(u.__cpu_dispatch__))")
    )
    assert set(pins.beyond()) <= set(names)


def test_a_job_has_the_pin():
    code = """import json, os, numpy, threadpoolctl
from refold.run import machine
blas = [i for i in threadpoolctl.threadpool_info() if i["user_api"] == "blas"]
print(json.dumps([machine.chosen_beyond(), [b["architecture"] for b in blas], [b["num_threads"] for b in blas]]))"""
    beyond, architectures, threads = json.loads(
        job(code, OPENBLAS_NUM_THREADS="4", NPY_DISABLE_CPU_FEATURES="", OPENBLAS_CORETYPE="Nehalem")
    )
    assert beyond == []
    assert set(threads) <= {1}
    if pins.has_avx2():
        assert set(architectures) <= {"Haswell"}


def test_features_of_numpy_are_really_off():
    flags = pins.cpuinfo().get("flags", "").split()
    if "avx512vl" not in flags:
        pytest.skip("this processor has no AVX-512 that NumPy could choose")
    code = "from refold.run import machine\nimport numpy\nprint(machine.chosen_beyond())"
    assert job(code) == "[]"
    run = subprocess.run(
        [sys.executable, "-c", "import numpy, refold\n" + code],  # NumPy first: no pin
        env={"PYTHONPATH": str(ROOT / "workflow"), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() != "[]"
