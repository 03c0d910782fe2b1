"""What is put on record is what decides the bytes."""

from refold.run import machine

HASWELL = "fpu sse sse2 ssse3 sse4_1 sse4_2 avx f16c fma bmi1 avx2 bmi2"
SKYLAKE = f"{HASWELL} avx512f avx512dq avx512cd avx512bw avx512vl"


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
