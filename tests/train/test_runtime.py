"""What the job sets is what TensorFlow and oneDNN do; in processes of their own, for it is decided at the import."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from refold.core.errors import RefoldError
from refold.experiment.reading import validate
from refold.run import pins
from refold.train import runtime

ROOT = Path(__file__).resolve().parents[2]
STEP = """
from refold.train import runtime
{before}
tf = runtime.configure({threads}, 1, instructions="{instructions}")
import os
import numpy as np
x = tf.constant(np.random.default_rng(0).normal(size=(1, 8, 8, 8, 4)).astype("float32"))
tf.nn.conv3d(x, x[0, :3, :3, :3, :, None] * tf.ones(8), [1] * 5, "SAME")
print("ISA", os.environ.get("ONEDNN_MAX_CPU_ISA"), os.environ.get("ONEDNN_DEFAULT_FPMATH_MODE"))
import keras
layer = keras.layers.GroupNormalization(groups=-1)
graph = tf.function(lambda v: tf.gradients(layer(v), v)).get_concrete_function(x).graph
from refold.networks.layers import GroupNormalization
own = GroupNormalization()
tf.function(lambda v: tf.gradients(own(v), v))(x)
print("OPS", *sorted({{op.type for op in graph.get_operations()}}))
print("DEVICE", runtime.device(tf))
"""


def step(threads=1, instructions="avx2", before=""):
    pytest.importorskip("tensorflow")
    environment = {
        **os.environ,
        "PYTHONPATH": str(ROOT / "workflow"),
        "ONEDNN_VERBOSE": "1",
        "ONEDNN_MAX_CPU_ISA": "SSE41",
        "ONEDNN_DEFAULT_FPMATH_MODE": "BF16",
    }
    code = STEP.format(threads=threads, instructions=instructions, before=before)
    run = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr[-3000:]
    return run.stdout


@pytest.mark.slow
def test_the_instructions_reach_onednn_and_the_users_environment_does_not():
    if not pins.has_avx2():
        pytest.skip("this processor has no AVX2 to be held to")
    out = step()
    assert "ISA AVX2 None" in out
    assert re.search(r"info,cpu,isa:Intel AVX2\s", out)
    for work in ("convolution", "batch_normalization"):
        done = [line for line in out.splitlines() if f",exec,cpu,{work}" in line]
        assert done and all(re.search(r":(avx2|sse41)\b", line) for line in done), done
    assert re.search(r"(?m)^DEVICE (cpu$|.*compute capability)", out)
    # AMD and Intel approximate these two differently
    operations = next(line for line in out.splitlines() if line.startswith("OPS")).split()
    assert "Sqrt" in operations and not {"Rsqrt", "RsqrtGrad", "Reciprocal"} & set(operations)


@pytest.mark.slow
def test_a_lower_pin_would_be_obeyed():
    """The knob itself: held to SSE4.1, oneDNN says so. On this very machine AVX2 may be all there is."""
    out = step(before='runtime.ISA["avx2"] = "SSE41"')
    assert "isa:Intel SSE4.1" in out and "ISA SSE41 None" in out


def test_native_takes_what_there_is_whatever_the_users_environment_says():
    found = {"ONEDNN_MAX_CPU_ISA": "SSE41", "DNNL_MAX_CPU_ISA": "SSE41", "TF_SET_ONEDNN_FPMATH_MODE": "BF16", "A": "b"}
    runtime.hold("native", found)
    assert found == {"A": "b"}
    runtime.hold("avx2", found)
    assert found == {"A": "b", "ONEDNN_MAX_CPU_ISA": "AVX2"}


def test_bfloat16_is_refused_with_the_pin():
    values = {"train": {"precision": "bfloat16"}}
    with pytest.raises(RefoldError, match=r"train\.instructions: avx2 cannot be kept") as refused:
        validate(values)
    assert "predict.instructions" in str(refused.value)
    values["train"]["instructions"] = "native"
    values["predict"] = {"instructions": "native"}
    assert validate(values).train.precision == "bfloat16"
    validate({"train": {"precision": "bfloat16"}, "methods": {"otsu": {"kind": "threshold"}}})
