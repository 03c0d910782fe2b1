"""What refold relies on of interfaces that are not promised: after an upgrade, these say which of them is gone."""

import inspect
import platform
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from refold.core import private

ROOT = Path(__file__).resolve().parents[2]


def test_numpy_tells_what_it_chose():
    chosen = private.numpy_chosen()
    assert len(chosen) == len(set(chosen))
    if platform.machine() in ("x86_64", "AMD64"):
        assert [n for n in chosen if n.startswith(("SSE", "X86_V2"))]
    program = "from refold.core import private; print(*private.numpy_chosen())"
    environment = {"PYTHONPATH": str(ROOT / "workflow"), "PATH": ""}
    done = subprocess.run([sys.executable, "-c", program], env=environment, capture_output=True, text=True, check=True)
    assert not [n for n in done.stdout.split() if "AVX512" in n or n == "X86_V4"]  # pinned by importing refold


@pytest.mark.slow
def test_kerass_normalisation_calls_the_function_that_is_put_in_place():
    tf = pytest.importorskip("tensorflow")
    import keras
    from keras.src import backend

    before, asked = backend.math.rsqrt, []
    try:
        private.keras_exact_rsqrt(tf)
        exact = backend.math.rsqrt
        values = np.array([1e-5, 0.3, 7.0], "float32")
        np.testing.assert_array_equal(exact(tf.constant(values)), np.sqrt(values) / values)
        backend.math.rsqrt = lambda x: asked.append(1) or exact(x)
        keras.layers.GroupNormalization(groups=-1)(np.ones((1, 4, 4, 2), "float32"))
        assert asked
    finally:
        backend.math.rsqrt = before


def test_snakemakes_workflow_has_what_the_snakefile_asks():
    import snakemake.api  # noqa: F401  before its workflow, which it imports
    from snakemake.persistence import file
    from snakemake.settings.types import ExecMode
    from snakemake.workflow import Workflow

    assert {"exec_mode", "executor_plugin", "executor_settings"} <= set(dir(Workflow))
    assert private.snakemake_is_main(SimpleNamespace(exec_mode=ExecMode.DEFAULT))
    assert not private.snakemake_is_main(SimpleNamespace(exec_mode=ExecMode.SUBPROCESS))
    source = inspect.getsource(file)
    assert '"locks"' in source and "{lock_type}.lock" in source and private.SNAKEMAKE_LOCKS.name == "locks"


def test_dvcs_record_reads_every_file_and_its_run_cache_learns_nothing():
    from dvc.stage.cache import StageCache
    from dvc_data.hashfile.state import State, StateNoop

    assert list(inspect.signature(StageCache.save).parameters) == ["self", "stage"]
    for name in ("get", "get_many"):
        own, none = (inspect.signature(getattr(c, name)).parameters for c in (State, StateNoop))
        assert len(own) == len(none), name
