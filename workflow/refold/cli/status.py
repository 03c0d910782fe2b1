"""``refold status``: what Snakemake holds for fresh, what DVC has on record, where they differ, what to run next."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

import yaml

from refold.cli import chain, handover, originals, stages, tools
from refold.data import layout
from refold.experiment.params import Params
from refold.experiment.reading import load
from refold.run import graph

UNRECORDED = "not on record"
BY_TIME = "looked at: sizes and times of files; `refold status --thorough` reads them all"


@dataclass(frozen=True)
class Phase:
    """One row. pending of total files would be made by Snakemake; differences are DVC's, empty where none."""

    name: str
    pending: int
    total: int
    differences: list[str]
    recorded: bool

    @property
    def snakemake(self) -> str:
        return f"{self.pending} of {self.total} files to be made" if self.pending else "fresh"

    @property
    def dvc(self) -> str:
        if not self.recorded:
            return UNRECORDED
        if not self.differences:
            return "on record"
        first, more = self.differences[0], len(self.differences) - 1
        return f"differs: {first}" + (f" and {more} more" if more else "")


def phases(params: Params, outputs: list[tools.Output], thorough: bool = False) -> list[Phase]:
    """The state of each phase, of which Snakemake plans these outputs.

    Args:
        thorough: let DVC read every file.

    Raises:
        RefoldError: Snakemake or DVC cannot say.
    """
    differing = tools.differing(thorough=thorough)
    lock = Path(handover.LOCK)
    known = (yaml.safe_load(lock.read_text(encoding="utf-8")) or {}).get("stages", {}) if lock.is_file() else {}
    found = []
    for name in graph.PHASES:
        mine = [o for o in outputs if graph.owner(o.path, params.dataset.name) == name]
        found.append(
            Phase(
                name,
                sum(o.pending for o in mine),
                len(mine),
                tools.reasons(differing.get(name, [])),
                name in known,
            )
        )
    return found


def advice(
    found: list[Phase], differs: bool = False, altered: Collection[str] = (), strays: bool = False, gone: str = ""
) -> str:
    """What to run next.

    Args:
        differs: files that no job makes are not those that the results were made from.
        altered: files of the results that are not what their jobs wrote.
        strays: files of an earlier experiment lie among the results.
        gone: how to bring back the whole data set, where it is not there.
    """
    fresh = not any(p.pending for p in found)
    clean = all(p.recorded and not p.differences for p in found)
    if altered:
        again = "make the files named above again as it says there"
        # fresh results that are not on record yet would be replaced by old ones
        differing = {d.rsplit(" ", 1)[0] for p in found for d in p.differences}  # of "results/models modified"
        within = {f: {d for d in differing if f == d or f.startswith(f"{d}/")} for f in altered}
        if all(p.recorded for p in found) and all(within.values()) and differing == set().union(*within.values()):
            return f"delete the files named above, then `dvc checkout --force` brings back those on record; or {again}"
        return again
    if gone and fresh:
        return f"{gone}; nothing can be recorded without it"
    if differs and fresh:
        return "`dvc checkout` (or `dvc pull`), or put the files back: nothing can be recorded without them"
    if differs and clean:
        return (
            "put the files back (delete those that DVC keeps, then `dvc checkout`); or `snakemake`, then `refold "
            "record`: makes the results again from those here"
        )
    if fresh and clean:
        return "nothing: what is here is fresh and on record"
    if fresh and strays:
        return "`refold record --clean`: deletes those files, and records the results, which are fresh"
    if fresh:
        return "`refold record`: the results are fresh, but DVC does not have them"
    if clean:
        return "`refold sync`: the results are those on record, but Snakemake does not know it"
    outs = [r for phase in graph.PHASES for r in (*graph.OUTS[phase], graph.METRICS, layout.RAW)]
    only_outs = all(d.startswith(tuple(outs)) for p in found for d in p.differences)
    if only_outs and all(p.recorded for p in found):
        return (
            "`dvc checkout` (or `dvc pull`), then `refold sync`: brings back the results on record; "
            "or `snakemake`, then `refold record`: makes them again"
        )
    return (f"{gone}; then " if gone else "") + "`snakemake`, then `refold record`; or `dvc repro`"


def text(thorough: bool = False) -> tuple[str, bool]:
    """The whole answer, for people, and whether every file that was looked through is what its maker wrote.

    Args:
        thorough: read and hash every file instead of trusting sizes and times.

    Raises:
        RefoldError: this is no project with a record, or `dvc.yaml` does not fit.
    """
    tools.initialised()
    params = load()
    stages.complete()
    stages.check(params)
    outputs = tools.planned()
    found = phases(params, outputs, thorough)
    width = max(len(p.snakemake) for p in found)
    lines = [f"{'phase':<11} {'Snakemake':<{width}}  DVC"]
    lines += [f"{p.name:<11} {p.snakemake:<{width}}  {p.dvc}" for p in found]
    looks = originals.look(params, stages.tested(params), thorough)
    if changed := originals.lines(looks):
        lines += ["files that the results were made from have changed:", *changed]
    looked = chain.look(outputs) if thorough else None
    left = handover.strays(outputs, params)
    if left:
        lines.append(f"{len(left)} files of an earlier experiment lie among the results, such as {left[0]}")
    lines.append(looked.text() if looked else BY_TIME)
    altered = looked.names if looked else ()
    gone = originals.bring_back(params.dataset) if any(one.gone for one in looks) else ""
    lines.append(f"next: {advice(found, bool(changed), altered, bool(left), gone)}")
    return "\n".join(lines), not altered and not (thorough and changed)
