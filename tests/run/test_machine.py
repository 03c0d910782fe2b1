"""The pin reaches the processes, and what is put on record is what decides the bytes."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from refold.run import machine

ROOT = Path(__file__).resolve().parents[2]
HASWELL = "fpu sse sse2 ssse3 sse4_1 sse4_2 avx f16c fma bmi1 avx2 bmi2"
SKYLAKE = f"{HASWELL} avx512f avx512dq avx512cd avx512bw avx512vl"


@pytest.fixture
def processor(monkeypatch):
    """Pretend to be another processor."""

    def be(flags: str, architecture: str = "x86_64", name: str = "Some processor"):
        monkeypatch.setattr(machine, "cpuinfo", lambda: {"flags": flags, "model name": name})
        monkeypatch.setattr(machine.platform, "machine", lambda: architecture)

    return be


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
    machine.pin(found)
    assert found.pop("NPY_DISABLE_CPU_FEATURES").split()[-2:] == ["AVX512_ICL", "AVX512_SPR"]
    assert found == {"OPENBLAS_CORETYPE": "Haswell", "OPENBLAS_NUM_THREADS": "1"}
    processor(HASWELL.replace("avx2", ""))
    machine.pin(found)
    assert "OPENBLAS_CORETYPE" not in found  # set by the command on another node, and deadly here
    processor("", "aarch64")
    machine.pin(found)
    assert found == {"OPENBLAS_NUM_THREADS": "1"}


@pytest.mark.parametrize(
    ("version", "first"), [("2.0.2", "AVX512F"), ("2.3.9", "AVX512F"), ("2.4.0", "X86_V4"), ("3.0.0rc1", "X86_V4")]
)
def test_names_by_the_version_of_numpy(monkeypatch, version, first):
    monkeypatch.setattr(machine.metadata, "version", lambda name: version)
    assert machine._beyond()[0] == first


def test_this_numpy_knows_the_names():
    """-W error::ImportWarning: NumPy warns of names that it does not dispatch."""
    if not machine.is_x86():
        pytest.skip("NumPy's names are those of x86-64")
    names = json.loads(
        job("import json\nfrom numpy._core import _multiarray_umath as u\nprint(json.dumps(u.__cpu_dispatch__))")
    )
    assert set(machine._beyond()) <= set(names)


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
    if machine.has_avx2():
        assert set(architectures) <= {"Haswell"}


def test_features_of_numpy_are_really_off():
    flags = machine.cpuinfo().get("flags", "").split()
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


def test_what_is_recorded_when_pinned_and_when_not(processor, monkeypatch):
    monkeypatch.setattr(machine, "chosen_beyond", list)
    processor(SKYLAKE, name="A")
    pinned = machine.facts("avx2", 2, "float32")
    assert pinned["processor"] == ["avx2", "fma"] and (pinned["threads"], pinned["precision"]) == (2, "float32")
    native = machine.facts("native", 2)["processor"]
    assert native["model"] == "A" and "avx512f" in native["features"] and "bmi1" not in native["features"]
    processor(HASWELL, name="B")
    assert machine.facts("avx2", 2, "float32") == pinned
    assert machine.facts("native", 2)["processor"] != native


def test_what_cannot_be_kept_is_said(processor, monkeypatch):
    monkeypatch.setattr(machine, "chosen_beyond", list)
    processor(SKYLAKE)
    assert machine.doubts("avx2", "train.instructions") == []
    processor("", "aarch64", "Neoverse")
    assert "train.instructions: avx2 cannot be kept" in machine.doubts("avx2", "train.instructions")[0]
    assert machine.doubts("native", "train.instructions") == []
    assert machine.facts("avx2")["processor"]["model"] == "Neoverse"
    processor(SKYLAKE)
    monkeypatch.setattr(machine, "chosen_beyond", lambda: ["X86_V4"])
    assert "X86_V4" in machine.doubts("avx2", "predict.instructions")[0]
    assert isinstance(machine.facts("avx2")["processor"], dict)


def test_bfloat16_is_said_to_be_slow_where_the_processor_has_nothing_for_it(processor):
    processor("avx2 fma avx512f")
    assert "slower than float32" in machine.slow("bfloat16")[0]
    assert machine.slow("float32") == machine.slow("bfloat16", "NVIDIA H100") == []
    for flag in ("amx_bf16", "avx512_bf16"):
        processor(f"avx2 fma {flag}")
        assert machine.slow("bfloat16") == []
