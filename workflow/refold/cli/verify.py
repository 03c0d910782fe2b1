"""``refold verify``: are the results on record what their parameters, data and code make?

Two clones of a commit: one gets the results on record, in the other they are made again from the raw data on record.
Then every file is compared.
"""

from __future__ import annotations

import json
import os
import re
import shutil
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

from refold.cli import clones, diff, tools
from refold.cli.clones import say
from refold.cli.diff import Comparison
from refold.core import paths
from refold.core.errors import RefoldError
from refold.data import layout
from refold.experiment import yamlfile
from refold.run import graph

LOCK, PARAMS = "dvc.lock", "params.yaml"
LOGS = Path("logs/verify")
PROVENANCE = paths.PROVENANCE
GIT = "git"  # its key with the commit and what differed from it
# These tell the commit too, among all else.
TELL_THE_COMMIT = ("report.html", "ro-crate-metadata.json")
QUICK = ("predict", "evaluate", "report")
PATHS = (("dataset", "source"), ("dataset", "patient_table"), ("split", "file"))


def verify(
    revision: str = "HEAD",
    quick: bool = False,
    keep: bool = False,
    cores: str = "all",
    scratch: str | Path | None = None,
) -> Comparison:
    """Make the results on record again in a scratch clone, and compare.

    Args:
        revision: a commit that holds a dvc.lock.
        quick: take data, arrays, folds and models from the record, and make the predictions and what follows.
        keep: leave the scratch folder.
        cores: for Snakemake.
        scratch: folder in which the clones are made; default: the system's for temporary files.

    Raises:
        RefoldError: nothing is on record at this commit, its files cannot be had, it was recorded with other code,
            parameters or data than the commit's, or the run failed.
    """
    tools.initialised()
    wanted = clones.commit(revision)
    clones.warn_of_changes(f"commit {wanted[:10]} is verified without them")
    shutil.rmtree(LOGS, ignore_errors=True)
    with clones.scratch("verify", keep, scratch) as folder:
        first = clones.clone(wanted, folder / "recorded" / "clone")
        outs = recorded_outs(first, wanted)
        outside = external(first / PARAMS)
        if up := max((path.parts.count("..") for path in outside), default=0):
            # so that a path such as ../data leads to a place of this clone's own
            shutil.rmtree(folder / "recorded")
            first = clones.clone(wanted, folder.joinpath("recorded", *["up"] * up, "clone"))
        second = clones.clone(wanted, folder.joinpath("again", *["up"] * up, "clone"))
        env = clones.environment(DVC_SITE_CACHE_DIR=str(folder / "dvc"))

        say(f"commit {wanted[:10]}: getting what is on record")
        clones.use_cache(first)
        clones.checkout(first, [], env)
        _link(first, outside)
        _must_be_clean(first, wanted, outside, env)

        again = QUICK if quick else graph.PHASES
        raw = [o for o in outs["data"] if o.startswith(f"{layout.RAW}/")]
        kept = [o for phase in graph.PHASES if phase not in again for o in outs[phase]] or raw
        clones.use_cache(second)
        # data of the user's own that DVC tracks
        own = clones.run("git", "ls-files", "--", "*.dvc", folder=second).stdout.splitlines()
        if kept or own:
            clones.checkout(second, [*kept, *own], env)
        _link(second, outside)
        _mark(second, kept, raw if not quick else [p for p in graph.PHASES if p not in again])
        _again(second, cores, env)

        compared = [o for phase in again for o in outs[phase] if o not in raw]
        return results(first, second, compared)


# ---------------------------------------------------------------- what is on record


def recorded_outs(folder: Path, name: str = "HEAD") -> dict[str, list[str]]:
    """Outs of each phase according to dvc.lock.

    Raises:
        RefoldError: there is none, or a phase is not in it.
    """
    try:
        lock = yaml.safe_load((folder / LOCK).read_text(encoding="utf-8"))["stages"]
    except FileNotFoundError:
        raise RefoldError(
            f"commit {name[:10]} has no {LOCK}, so nothing is on record; `refold record`, then `git commit`"
        ) from None
    except (yaml.YAMLError, TypeError, KeyError) as error:
        raise RefoldError(f"{LOCK} of commit {name[:10]} cannot be read: {error}") from None
    if missing := [phase for phase in graph.PHASES if phase not in lock]:
        raise RefoldError(
            f"{LOCK} of commit {name[:10]} lacks {', '.join(missing)}; finish the run, `refold record`, `git commit`"
        )
    return {phase: [o["path"] for o in lock[phase].get("outs", [])] for phase in graph.PHASES}


def external(params: Path) -> list[Path]:
    """Relative paths to data of the user's own in the parameters.

    Raises:
        RefoldError: the file is no YAML of sections.
    """
    try:
        values = yamlfile.parse(params.read_text(encoding="utf-8")).values or {}
    except (FileNotFoundError, yamlfile.SyntaxFault) as error:
        raise RefoldError(f"{params.name} of this commit cannot be read: {error}") from None
    found = [(values.get(section) or {}).get(key) for section, key in PATHS]
    return [Path(value) for value in found if value and not Path(value).is_absolute()]


def _place(clone: Path, path: Path) -> Path:
    """Where a relative path leads from a clone; in words, for what is there may be a link."""
    return Path(os.path.normpath(clone / path))


def _link(clone: Path, paths: list[Path]) -> None:
    """Let relative paths to data that are in no commit lead to the project's."""
    for path in paths:
        there, here = Path.cwd() / path, _place(clone, path)
        if there.exists() and not here.exists():
            here.parent.mkdir(parents=True, exist_ok=True)
            here.symlink_to(there.resolve(), there.is_dir())


def _must_be_clean(clone: Path, name: str, outside: list[Path], env: Mapping[str, str]) -> None:
    """Raises `RefoldError` unless the record was made with this commit's parameters, data and code."""
    more = {"DVC_SITE_CACHE_DIR": env["DVC_SITE_CACHE_DIR"]}
    done = clones.run(sys.executable, "-m", "dvc", "status", "--json", *graph.PHASES, folder=clone, **more)
    wrong = json.loads(done.stdout.strip().splitlines()[-1])
    if wrong:
        told = "\n".join(f"  {phase}: {'; '.join(tools.reasons(found))}" for phase, found in wrong.items())
        for path in outside:  # DVC names them whole, in a folder that will be gone
            told = told.replace(str(_place(clone, path)), str(path))
        raise RefoldError(
            f"the record of commit {name[:10]} was made with other parameters, data or code than this commit's, so it "
            f"cannot be made again from it; run the experiment, `refold record`, `git commit`\n{told}"
        )


# ---------------------------------------------------------------- again


def _mark(clone: Path, kept: list[str], targets: list[str]) -> None:
    """Let Snakemake take for fresh what came from the record, and nothing else.

    Raises:
        RefoldError: it would make some of it again.
    """
    if not kept:
        return
    snakemake = (sys.executable, "-m", "snakemake")
    names = [f"{t}/dataset.json" if t.startswith(f"{layout.RAW}/") else t for t in targets]
    clones.run(*snakemake, "--touch", "--forceall", "--cores", "1", "--quiet", "--", *names, folder=clone)
    again = [
        o.path
        for o in tools.planned(clone)
        if o.pending and any(o.path == k or o.path.startswith(f"{k}/") for k in kept)
    ]
    if again:
        raise RefoldError(
            f"Snakemake does not take what is on record for fresh, such as {again[0]}; see `snakemake -n`"
        )


def _again(clone: Path, cores: str, env: Mapping[str, str]) -> None:
    """Run all that is left to be made.

    Raises:
        RefoldError: Snakemake failed, with the causes; the jobs' logs are kept.
    """
    log = LOGS / "snakemake.txt"  # not .log: a failing run of the project shows the causes in its own logs
    say(f"making it again; log: {log}")
    seen, steps, causes = set(), "", []

    def line(text: str) -> None:
        nonlocal steps
        if match := re.match(r"(\d+ of \d+) steps", text):
            steps = f" ({match[1]} jobs done)"
        elif text.startswith("error: "):
            causes.append(text)
        elif (match := re.search(r"python -m refold\.(\w+)", text)) and match[1] not in seen:
            seen.add(match[1])
            say(f"  {match[1]}{steps}")

    command = [sys.executable, "-m", "snakemake", "--cores", cores, "--printshellcmds", "--", "all"]
    status = clones.logged(*command, folder=clone, log=log, line=line, env=env)
    if status:
        if (clone / "logs").is_dir():
            shutil.copytree(clone / "logs", LOGS / "jobs")
        told = "\n".join(f"  {c}" for c in dict.fromkeys(causes))
        raise RefoldError(f"the results cannot be made again: a job failed; see {log} and {LOGS / 'jobs'}\n{told}")


# ---------------------------------------------------------------- the answer


def results(first: Path, second: Path, outs: list[str]) -> Comparison:
    """Compare results; the commit that made them may be another one than that which holds their record."""
    left_out: dict[str, str] = {}
    ignore: dict[str, tuple[str, ...]] = {}
    commits = [_section(folder / PROVENANCE) for folder in (first, second)]
    if commits[0] != commits[1]:
        if PROVENANCE in diff.listing(first, outs):
            ignore[PROVENANCE] = (GIT,)
        why = f"it tells the commit, which is {_name(commits[0])} on record and {_name(commits[1])} here"
        left_out = {path: why for path in diff.listing(first, outs) if Path(path).name in TELL_THE_COMMIT}
    found = diff.compare(first, second, outs, left_out, ignore)
    if ignore:
        found = Comparison(
            found.files, found.rows, found.differing, (*found.left_out, (f"{PROVENANCE}, key {GIT}", "likewise"))
        )
    return found


def _section(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8")).get(GIT)
    except (FileNotFoundError, ValueError, AttributeError):
        return None


def _name(section: Any) -> str:
    commit = (section or {}).get("commit") or "none"
    return f"{commit[:10]}{'' if (section or {}).get('clean', True) else ' with changes'}"
