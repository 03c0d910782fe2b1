"""Volumes of other formats than NIfTI, a module each: `SUFFIXES`, and ``read(path)`` to one record."""
