"""Plain logging and progress: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable, Iterable, Iterator
from typing import TypeVar

T = TypeVar("T")
_FORMAT = "%(asctime)s %(levelname)s %(message)s"


class _StandardError(logging.StreamHandler):
    """Writes to what standard error is at the moment, not to what it was at the first use."""

    def __init__(self):
        logging.Handler.__init__(self)

    @property
    def stream(self):
        return sys.stderr


def get() -> logging.Logger:
    """The logger of refold; writes to standard error."""
    logger = logging.getLogger("refold")
    if not logger.handlers:
        handler = _StandardError()
        handler.setFormatter(logging.Formatter(_FORMAT, datefmt="%H:%M:%S"))
        logger.addHandler(handler)
        logger.setLevel(logging.INFO)
        logger.propagate = False
    return logger


def duration(seconds: float) -> str:
    """``95`` -> ``1 min 35 s``; ``4000`` -> ``1 h 07 min``."""
    seconds = round(seconds)
    if seconds < 60:
        return f"{seconds} s"
    if seconds < 3600:
        return f"{seconds // 60} min {seconds % 60:02d} s"
    return f"{seconds // 3600} h {seconds % 3600 // 60:02d} min"


def progress(
    items: Iterable[T],
    what: str,
    total: int | None = None,
    every: float = 10.0,
    size: Callable[[T], int] | None = None,
    done: int = 0,
) -> Iterator[T]:
    """Yield ``items`` while showing what is done, how far it is and how long it still takes.

    On a terminal one line is rewritten in place; otherwise a log line is written at most every ``every`` seconds.

    Args:
        total: how many items there are, by default their length; with ``size`` bytes, None where it is not known.
        size: the bytes of an item: then bytes are counted, and shown as MB.
        done: what was done before, of the same unit.
    """
    if total is None and size is None:
        total = len(items)  # type: ignore[arg-type]
    terminal = sys.stderr.isatty()
    start = shown = time.monotonic()
    before, unfinished = done, False
    try:
        for item in items:
            yield item
            done += size(item) if size else 1
            now = time.monotonic()
            if now - shown < (0.2 if terminal else every) and (total is None or done < total):
                continue
            shown = now
            counts = [str(n) if size is None else f"{n / 1e6:.0f}" for n in (done, total) if n is not None]
            line = f"{what}: {'/'.join(counts)}{' MB' if size else ''}, {duration(now - start)} so far"
            if total is not None and done > before:
                line += f", {duration((now - start) / (done - before) * (total - done))} left"
            if terminal:
                unfinished = True
                print(f"\r{line:<78}", end="", file=sys.stderr, flush=True)
            else:
                get().info(line)
    finally:
        if unfinished:
            print(file=sys.stderr, flush=True)
