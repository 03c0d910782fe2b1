"""The sections of params.yaml, one file a phase."""
