"""``refold reproduce``: one experiment run in several ways, each in a fresh clone, ends with the same bytes."""

from __future__ import annotations

import hashlib
import shutil
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

from refold.cli import clones, cluster, diff
from refold.cli.clones import say
from refold.core.errors import RefoldError
from refold.core.files import sha256_file, write_text
from refold.data import layout
from refold.experiment.reading import load
from refold.run import graph

LOGS = Path("logs/reproduce")
SHOWN = 12  # characters of a hash in the table
POLL = 0.05  # seconds between two looks for the moment to kill


class LeftOut(Exception):
    """Why a way is not possible here."""


@dataclass
class Run:
    """What came of one way. hashes: of each out; empty where the way was left out, for the reason given."""

    way: str
    hashes: dict[str, str] = field(default_factory=dict)
    seconds: float = 0.0
    left_out: str = ""
    folder: Path | None = None


def reproduce(
    example: str | None = None,
    ways: str = "",
    out: str | Path | None = None,
    keep: bool = False,
    scratch: str | Path | None = None,
) -> bool:
    """Run HEAD's experiment in each way, compare every out, print the table.

    Args:
        example: one of ``examples/`` in place of params.yaml.
        ways: some of `WAYS`, with commas between; default: all.
        out: file for the table in Markdown.
        keep: leave the clones.
        scratch: folder in which they are made; default: the system's for temporary files.

    Returns:
        Whether all outs of all ways are the same.

    Raises:
        RefoldError: a run failed, or fewer than two ways are left.
    """
    names = ways.split(",") if ways else list(WAYS)
    if unknown := [n for n in names if n not in WAYS]:
        raise RefoldError(f"--ways {','.join(unknown)}: allowed are {', '.join(WAYS)}")
    if len(set(names)) < 2 or len(set(names)) < len(names):
        raise RefoldError(f"--ways {ways}: give two or more different ways to compare, of {', '.join(WAYS)}")
    head = clones.commit("HEAD")
    clones.warn_of_changes(f"commit {head[:10]} is run without them")
    shutil.rmtree(LOGS, ignore_errors=True)
    with clones.scratch("reproduce", keep, scratch) as folder:
        seed = _seed(head, example, folder / "seed")
        outs = _outs(seed)
        runs = [_run(name, seed, folder / name, outs) for name in names]
        made = [run for run in runs if not run.left_out]
        if len(made) < 2:
            raise RefoldError("; ".join(f"{r.way}: {r.left_out}" for r in runs if r.left_out) + "; nothing to compare")
        what = f"commit {head[:10]}, {f'examples/{example}.yaml' if example else 'params.yaml'}"
        text = table(runs)
        say(f"\n{what}\n\n{text}\n")
        equal = all(run.hashes == made[0].hashes for run in made[1:])
        if out:
            write_text(out, f"{what[0].upper()}{what[1:]}.\n\n{markdown(runs)}\n{verdict(runs)}\n")
        for run in made[1:]:
            if run.hashes != made[0].hashes:
                assert made[0].folder and run.folder
                found = diff.compare(made[0].folder, run.folder, outs)
                say(f"{made[0].way} and {run.way}\n{found.text((f'in {made[0].way}', f'in {run.way}'))}")
        say(verdict(runs))
    return equal


# ---------------------------------------------------------------- clones


def _seed(head: str, example: str | None, folder: Path) -> Path:
    """A clone that all others are made of: all have one commit, also with an example in place of params.yaml."""
    project = clones.clone(head, folder)
    if not example:
        return project
    chosen = project / "examples" / f"{example}.yaml"
    if not chosen.is_file():
        there = ", ".join(sorted(p.stem for p in (project / "examples").glob("*.yaml")))
        raise RefoldError(f"--example {example}: HEAD has no examples/{example}.yaml; there are {there}")
    shutil.copy(chosen, project / "params.yaml")
    own = str(project / "workflow")
    clones.run(sys.executable, "-m", "refold.cli", "stages", folder=project, PYTHONPATH=own)
    who = ("-c", "user.name=refold", "-c", "user.email=refold@localhost", "-c", "commit.gpgsign=false")
    clones.run("git", "add", "--all", folder=project)
    clones.run(
        "git", *who, "commit", "--quiet", "--allow-empty", "--message", f"examples/{example}.yaml", folder=project
    )
    return project


def _outs(project: Path) -> list[str]:
    """Every file and folder that is an out of a phase."""
    params = load(project / "params.yaml")
    raw = [f"{layout.RAW}/{params.dataset.name}"] if layout.kind(params.dataset) != "folder" else []
    return [*raw, *(out for phase in graph.PHASES for out in graph.OUTS[phase]), graph.METRICS]


def _clone(seed: Path, folder: Path) -> Path:
    top = clones.run("git", "rev-parse", "--show-toplevel", folder=seed).stdout.strip()
    clones.run("git", "clone", "--quiet", "--shared", top, str(folder), folder=folder.parent)
    return folder / seed.relative_to(Path(top).resolve())


# ---------------------------------------------------------------- runs


def _run(name: str, seed: Path, folder: Path, outs: list[str]) -> Run:
    project = _clone(seed, folder)
    log = LOGS / f"{name}.txt"
    say(f"{name}: running; log: {log}")
    start = time.monotonic()
    try:
        note = WAYS[name](project, log)
    except LeftOut as reason:
        say(f"{name}: left out: {reason}")
        return Run(name, left_out=str(reason))
    run = Run(name, hashes(project, outs), time.monotonic() - start, folder=project)
    say(f"{name}: done in {run.seconds:.0f} s{note or ''}")
    return run


def _environment() -> dict[str, str]:
    """Without the user's choice of a profile, which would be everyone's."""
    return {k: v for k, v in clones.environment().items() if k != "SNAKEMAKE_PROFILE"}


def _command(project: Path, log: Path, *command: str) -> None:
    causes: list[str] = []

    def line(text: str) -> None:
        if text.lower().startswith("error: "):
            causes.append(text)

    status = clones.logged(*command, folder=project, log=log, line=line, env=_environment())
    if status:
        told = "\n".join(f"  {c}" for c in dict.fromkeys(causes))
        raise RefoldError(f"the run ended with exit status {status}; see {log}\n{told}")


SNAKEMAKE = (sys.executable, "-m", "snakemake")


def _one_core(project: Path, log: Path) -> None:
    _command(project, log, *SNAKEMAKE, "--cores", "1")


def _two_cores(project: Path, log: Path) -> None:
    _command(project, log, *SNAKEMAKE, "--cores", "2")


def _dvc(project: Path, log: Path) -> None:
    dvc = (sys.executable, "-m", "dvc")
    # results that another run left in a shared cache prove nothing
    clones.run(*dvc, "config", "--local", "cache.dir", str(project / ".dvc" / "cache"), folder=project)
    _command(project, log, *dvc, "repro", "--no-run-cache")


def _slurm(project: Path, log: Path) -> None:
    if not (project / "profiles" / "slurm").is_dir():
        raise LeftOut("there is no profiles/slurm")
    with _cluster() as start:
        _command(project, log, *start, "--profile", "profiles/slurm")


@contextmanager
def _cluster() -> Iterator[tuple[str, ...]]:
    """The command to start Snakemake with where a Slurm answers; one of our own where there is none.

    Raises:
        LeftOut: neither is possible.
    """
    if shutil.which("sinfo"):
        try:
            if subprocess.run(["sinfo", "--noheader"], capture_output=True, timeout=20).returncode == 0:
                yield SNAKEMAKE
                return
        except subprocess.TimeoutExpired:
            pass
    own = cluster.Cluster()
    try:
        own.__enter__()
    except cluster.Unavailable as error:
        raise LeftOut(f"no Slurm answers here (sinfo), and none can be started: {error}") from None
    try:
        # it keeps no accounts, and a small experiment would spend its time waiting between two looks at the queue
        quick = ("--slurm-status-command", "squeue", "--slurm-init-seconds-before-status-checks", "1")
        yield (sys.executable, "-m", "refold.cli.fast_snakemake", *quick)
    finally:
        own.__exit__(None, None, None)


def _killed(project: Path, log: Path) -> str:
    """SIGKILL to Snakemake and its jobs in three phases; after each the run goes on, and at last to its end."""
    command = (*SNAKEMAKE, "--cores", "2")
    networks = bool(load(project / "params.yaml").networks)
    # as soon as such a file is there
    moments = {
        "preprocess": "data/preprocessed/*.h5",
        "train": "results/.checkpoints/**/*.npz" if networks else "results/models/*/fold-*/model.*",
        "predict": "results/predictions/*/fold-*/*",
    }
    for phase, pattern in moments.items():
        _killed_once(project, log, command, phase, pattern)
        say(f"  killed in {phase}")
    _command(project, log, *command)
    return f", killed in {', '.join(moments)}"


def _killed_once(project: Path, log: Path, command: tuple[str, ...], phase: str, pattern: str) -> None:
    log.parent.mkdir(parents=True, exist_ok=True)
    with open(log, "a", encoding="utf-8") as handle:
        process = subprocess.Popen(
            command, cwd=project, env=_environment(), stdin=subprocess.DEVNULL, stdout=handle,
            stderr=subprocess.STDOUT, start_new_session=True,
        )  # fmt: skip
        try:
            while not any(p for p in project.glob(pattern) if not p.name.startswith(diff.TEMPORARY)):
                if process.poll() is not None:
                    raise RefoldError(f"the run ended before it could be killed in {phase}; see {log}")
                time.sleep(POLL)
        finally:
            clones.kill(process)
        handle.write(f"\n======== killed (SIGKILL) in {phase} ========\n")


WAYS: dict[str, Callable[[Path, Path], str | None]] = {
    "cores-1": _one_core,
    "cores-2": _two_cores,
    "dvc": _dvc,
    "slurm": _slurm,
    "killed": _killed,
}


# ---------------------------------------------------------------- the table


def hashes(project: Path, outs: list[str]) -> dict[str, str]:
    """SHA-256 of each out: of a file's bytes; of a folder's sorted list of names and hashes. ``missing`` if absent."""
    found = {}
    for out in outs:
        if (project / out).is_file():
            found[out] = sha256_file(project / out)
            continue
        names = diff.listing(project, [out])
        lines = "".join(f"{sha256_file(project / n)}  {n}\n" for n in names)
        found[out] = hashlib.sha256(lines.encode()).hexdigest() if names else "missing"
    return found


def _cells(runs: list[Run]) -> list[list[str]]:
    made = [run for run in runs if not run.left_out]
    rows = [["out", *(run.way for run in made), ""]]
    for out in made[0].hashes:
        values = [run.hashes[out] for run in made]
        rows.append([out, *(v[:SHOWN] for v in values), "equal" if len(set(values)) == 1 else "DIFFERENT"])
    rows.append(["seconds", *(f"{run.seconds:.0f}" for run in made), ""])
    return rows


def table(runs: list[Run]) -> str:
    """A row an out, a column a way."""
    rows = _cells(runs)
    widths = [max(len(row[i]) for row in rows) for i in range(len(rows[0]))]
    lines = ["  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip() for row in rows]
    return "\n".join([*lines, *_absent(runs)])


def markdown(runs: list[Run]) -> str:
    """The same for a page."""
    head, *rows = _cells(runs)
    lines = [f"| {' | '.join(head)} |", f"|{'---|' * len(head)}"]
    lines += [f"| {' | '.join(f'`{c}`' if i == 0 and c != 'seconds' else c for i, c in enumerate(r))} |" for r in rows]
    return "\n".join([*lines, "", *(f"{line}." for line in _absent(runs))])


def _absent(runs: list[Run]) -> list[str]:
    return [f"{run.way}: left out: {run.left_out}" for run in runs if run.left_out]


def verdict(runs: list[Run]) -> str:
    """``all equal``, or which outs differ."""
    made = [run for run in runs if not run.left_out]
    wrong = [out for out in made[0].hashes if len({run.hashes[out] for run in made}) > 1]
    return f"different: {', '.join(wrong)}" if wrong else "all equal"
