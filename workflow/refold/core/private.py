"""What refold uses of other libraries that they do not promise to keep, so that an upgrade shows what breaks.

Each has a test of its own in ``tests/core/test_private.py``, which says what refold relies on.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

SNAKEMAKE_LOCKS = Path(".snakemake/locks")


def numpy_chosen() -> list[str]:
    """NumPy: the processor features that it was built for or chose, by its own names."""
    from numpy._core import _multiarray_umath as umath  # type: ignore[attr-defined]  # no part of NumPy's types

    return [n for n in (*umath.__cpu_baseline__, *umath.__cpu_dispatch__) if umath.__cpu_features__[n]]


def keras_exact_rsqrt(tf: Any) -> None:
    """Keras: let its normalisation do without TensorFlow's rsqrt.

    That starts from the processor's own approximation (RSQRTPS), whose bits AMD and Intel choose differently; division
    and square root are rounded as IEEE 754 says on both.
    """
    from keras.src import backend

    # not 1 / sqrt(x): TensorFlow's graph optimizer would make rsqrt or a reciprocal (RCPPS) of it again
    backend.math.rsqrt = lambda x: tf.math.divide(tf.math.sqrt(x), x)


def snakemake_is_main(workflow: Any) -> bool:
    """Snakemake: whether the Snakefile is read by the main process, not by a job's."""
    from snakemake.settings.types import ExecMode

    return workflow.exec_mode == ExecMode.DEFAULT


def snakemake_executor(workflow: Any) -> tuple[str, Any]:
    """Snakemake: the name of what runs the jobs, and its settings."""
    return workflow.executor_plugin.name, workflow.executor_settings


def dvc_commit(names: list[str]) -> int:
    """DVC: as `dvc commit --force`, but its run cache learns nothing, every file is read, and all stages are written
    at once: DVC reads and writes the whole lock file for each otherwise.

    A record that is refused after all must leave no trace; and DVC takes a file of the same inode, size and mtime for
    unchanged, and would record its old content.
    """
    from dvc.cli import main
    from dvc.repo import Repo, lock_repo
    from dvc.stage.cache import StageCache
    from dvc_data.hashfile.state import State, StateNoop

    def commit(repo: Any, *arguments: Any, **options: Any) -> None:
        with lock_repo(repo):
            stages = [found.stage for name in names for found in repo.stage.collect_granular(name)]
            for stage in stages:
                stage.save()
                stage.commit()
            stages[0].dvcfile.dump_stages(stages, update_pipeline=False)

    StageCache.save = lambda self, stage: None
    state: Any = State
    state.get, state.get_many = StateNoop.get, StateNoop.get_many
    Repo.commit = commit
    return main(["commit", "--force"])
