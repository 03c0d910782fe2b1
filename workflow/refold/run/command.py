"""The one way of running a phase's command: its code and parameters are held against it at its end, and it ends well.

The last line of a failed command always says why, in words for people.
"""

from __future__ import annotations

import errno
import os
import sys
import traceback
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from hashlib import sha256
from pathlib import Path

from refold.core import sources
from refold.core.errors import RefoldError
from refold.run import life
from refold.settings.stamps import Stamps


@dataclass(frozen=True)
class Job:
    """What a command's work rests on besides what it imports by name; the same must hold at its end.

    stamps: of the sections that it read. modules: that it chose by a parameter, such as those of its methods' kinds.
    """

    stamps: Stamps
    modules: Iterable[str] = ()


def _code() -> dict[str, bytes]:
    """Hash of each source file of refold."""
    files = (p for p in (sources.ROOT / "refold").rglob("*") if p.is_file() and p.suffix != ".pyc")
    return {str(p.relative_to(sources.ROOT.parent)): sha256(p.read_bytes()).digest() for p in files}


def _check_code(before: dict[str, bytes], modules: Iterable[str]) -> None:
    """Raise `RefoldError` if the command's code is no longer what it ran with: the output would pass for up to date."""
    spec = sys.modules["__main__"].__spec__
    if spec is not None and spec.name.startswith("refold."):
        now = _code()
        changed = [f for f in sources.closure(spec.name, *modules) if before.get(f) != now.get(f)]
        if changed:
            raise RefoldError(f"{', '.join(changed)} changed while this job ran; run snakemake again")


def _place(error: Exception) -> str:
    """The innermost line below ``workflow/refold`` that took part in ``error``."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if Path(frame.filename).is_relative_to(sources.ROOT / "refold") and frame.filename != __file__:
            return f" in {Path(frame.filename).relative_to(sources.ROOT.parent)}, line {frame.lineno}"
    return ""


_FULL = "free some (docs/reference/outputs.md says what may be deleted), or move the project to another disk"
NO_ROOM = {
    errno.ENOSPC: f"no space is left on the disk of {{folder}}; {_FULL}",
    errno.EDQUOT: f"your quota on the disk of {{folder}} is used up; {_FULL}",
    errno.EROFS: "{folder} lies on a disk that can only be read; make it writable, or move the project to another disk",
}


def no_room(error: BaseException) -> str | None:
    """Words for a disk that takes nothing more, if that is what ``error`` or what caused it says; else None."""
    cause: BaseException | None = error
    while cause is not None:
        code = getattr(cause, "errno", None)
        if not isinstance(cause, OSError) or code not in NO_ROOM:
            # libraries such as HDF5 tell it in their text alone
            code = next((c for c in NO_ROOM if os.strerror(c) in str(cause)), None)
        if code is not None:
            told = (getattr(e, key, None) for e in (cause, error) for key in ("filename", "place"))  # see files.atomic
            named = next((n for n in told if isinstance(n, str)), None)
            folder = Path(named).absolute().parent if named else Path.cwd()
            return f"{NO_ROOM[code].format(folder=folder)}; then run again: what is whole is kept"
        cause = cause.__cause__ or cause.__context__
    return None


def run(main: Callable[[], Job | None]) -> None:
    """Run a phase's ``main``, which returns what its work rested on, and turn its failure into a readable end.

    The last line written to standard error is always ``error: <cause>``. The exit status is 1 for a
    `RefoldError` or when the Snakemake that started the command has died, 2 for what nobody foresaw in refold or in a
    method of the user's (with the traceback above), 130 when interrupted.
    """
    try:
        life.begin()
        code = _code()
        job = main()
        if isinstance(job, Job):
            job.stamps.check()
        _check_code(code, job.modules if isinstance(job, Job) else ())
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
        remedy = "give the job more, a coarser preprocess.spacing, or a network a smaller train.patch or predict.tile"
        print(f"error: out of memory ({error}); {remedy}", file=sys.stderr)
        sys.exit(2)
    except Exception as error:
        traceback.print_exc()
        told = no_room(error) or f"{type(error).__name__}: {error} (unforeseen{_place(error)}: see above)"
        print(f"error: {told}", file=sys.stderr)
        sys.exit(2)
