"""Metrics on each case's own grid, and what they say about methods: ``results/metrics/``."""
