"""Snakemake that asks Slurm for the state of its jobs every second; only for tests.

The plugin waits 10 s longer after each answer in which no job had ended, and no setting changes that.
"""

import sys

from snakemake.cli import main
from snakemake_interface_executor_plugins.executors.remote import RemoteExecutor

RemoteExecutor.next_seconds_between_status_checks = property(lambda self: 1, lambda self, value: None)
sys.exit(main())
