"""Errors meant for people, and the one way a phase's command ends."""

from __future__ import annotations

import sys
import traceback
from collections.abc import Callable


class RefoldError(Exception):
    """Something the user can put right.

    The message says what is wrong, in which file or key, what is allowed and what to do.
    """


# Called after a phase's work; each raises `RefoldError` if what the work rests on has changed meanwhile.
AT_END: list[Callable[[], None]] = []


def run(main: Callable[[], None]) -> None:
    """Run a phase's ``main`` and turn its failure into a readable end.

    The last line written to standard error is always ``error: <cause>``. The exit status is 1 for a
    `RefoldError`, 2 for a defect of refold itself (with its traceback above), 130 when interrupted.
    """
    try:
        main()
        for check in AT_END:
            check()
    except RefoldError as error:
        first, _, rest = str(error).strip().partition("\n")
        if rest:
            print(f"{first}\n{rest}", file=sys.stderr)
        print(f"error: {first}{' (listed above)' if rest else ''}", file=sys.stderr)
        sys.exit(1)
    except KeyboardInterrupt:
        print("error: interrupted", file=sys.stderr)
        sys.exit(130)
    except MemoryError as error:
        traceback.print_exc()
        print(f"error: out of memory ({error}); lower predict.tile or train.batch_size", file=sys.stderr)
        sys.exit(2)
    except Exception as error:
        traceback.print_exc()
        print(f"error: {type(error).__name__}: {error} (a defect of refold: see the lines above)", file=sys.stderr)
        sys.exit(2)
