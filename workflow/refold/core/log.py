"""Plain logging and progress: a bar on a terminal, a line now and then elsewhere."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Iterable, Iterator
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


def progress(items: Iterable[T], what: str, total: int | None = None, every: float = 10.0) -> Iterator[T]:
    """Yield ``items`` while showing what is done, how far it is and how long it still takes.

    On a terminal one line is rewritten in place; otherwise a log line is written at most every ``every`` seconds.
    """
    total = len(items) if total is None else total  # type: ignore[arg-type]
    terminal = sys.stderr.isatty()
    start = shown = time.monotonic()
    done = 0
    for done, item in enumerate(items, start=1):
        yield item
        now = time.monotonic()
        if now - shown < (0.2 if terminal else every) and done < total:
            continue
        shown = now
        left = (now - start) / done * (total - done)
        line = f"{what}: {done}/{total}, {duration(now - start)} so far, {duration(left)} left"
        if terminal:
            print(f"\r{line:<78}", end="\n" if done == total else "", file=sys.stderr, flush=True)
        else:
            get().info(line)
