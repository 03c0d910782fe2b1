"""The ``refold`` command: how Snakemake's work here and DVC's record fit together."""
