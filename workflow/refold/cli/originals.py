"""Files that no job makes: raw images and labels, an archive, a split file, another program's label maps; against what
was read.

Snakemake sees that a file is newer, not that it was replaced by an older one, and knows nothing of files that a job
brought besides its declared outputs. So the main process looks: a file whose size or times changed is read, and where
its content is another one, a stamp that the job depends on is written anew. Times themselves are in no stamp.
"""

from __future__ import annotations

import os
import sys
import time
import uuid
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from refold.core import log, seals, sources
from refold.core.errors import RefoldError
from refold.core.files import read_json, sha256_file, write_json
from refold.core.paths import CASES, CHECKS, DATASET, SPLITS
from refold.data import layout, listing
from refold.experiment.params import Params
from refold.imaging import cases as table
from refold.imaging.cases import Case
from refold.imaging.dataset import Description
from refold.imaging.place import Place
from refold.methods.external import External, find
from refold.run.life import FOLDER
from refold.run.seen import ARCHIVE, RAW, Seen, of_method, stored
from refold.settings.dataset import Dataset
from refold.settings.split import Split
from refold.split import planned

STAMPS = Path("results/.data")
DATA, UNPACKED, SPLIT = STAMPS / "cases.json", STAMPS / "archive.json", STAMPS / "split.json"
LISTING = STAMPS / "listing.json"  # that other warnings are to be told, of the same cases
SOURCES = FOLDER / "seen/code.json"
CODE = (".py", ".smk", ".j2", ".css", ".js", ".json")
RESULTS = Path(SPLITS)
WAYS_BACK = "bring them back, or run `snakemake`: it makes again what rests on them"
KEPT_EVERY = 30.0  # seconds between notes on what was read so far


@dataclass(frozen=True)
class Look:
    """What was found about the files behind one stamp.

    differs: what is otherwise, in words for people, a line each. made: the outputs of the job that reads the stamp.
    gone: the whole data set is not there, which makes no result wrong.
    """

    stamp: Path
    differs: tuple[str, ...]
    made: tuple[str, ...]
    gone: bool = False


def stamp_of(method: str, fold: str | int) -> str:
    """The stamp of another program's label maps."""
    return str(STAMPS / f"methods.{method}.fold-{fold}.json")


def place(params: Params) -> Place:
    """Where the files of this experiment lie. Raises `RefoldError` as `layout.kind` does."""
    d = params.dataset
    folders = {name: m.folder for name, m in params.methods.items() if isinstance(m, External)}
    return Place(layout.root(d).as_posix(), d.source, d.patient_table, params.split.file, folders)


# ---------------------------------------------------------------- looking


def look(params: Params, folds: Iterable[str | int], thorough: bool = False) -> list[Look]:
    """Hold all such files against what the results were made from; what was never read is no difference.

    Args:
        params: the experiment.
        folds: those that are predicted, ``holdout`` among them if there is one.
        thorough: read every file, also where neither size nor time changed.

    Raises:
        RefoldError: `dataset.source` does not exist.
    """
    found = [*_of_dataset(params.dataset, thorough)]
    if layout.kind(params.dataset) == "archive":
        found.append(_of_archive(params.dataset, thorough))
    if params.split.kind == "file":
        found.append(_of_split(params.split))
    for name, entry in params.methods.items():
        if isinstance(entry, External):
            found += [_of_label_maps(name, entry, str(fold), thorough) for fold in folds]
    return found


def _of_dataset(dataset: Dataset, thorough: bool) -> tuple[Look, Look]:
    """Of what the catalogue reads; and of what gives rise to warnings alone, which makes no case another one."""
    found = None
    made, root = (CASES, DATASET), layout.root(dataset)
    if not all(map(os.path.isfile, made)):
        data = Look(DATA, (), made)
    elif not (root / "dataset.json").is_file():
        data = Look(DATA, (f"{root / 'dataset.json'} is missing",), made, layout.kind(dataset) != "folder")
    else:
        try:
            found = layout.read(dataset)
            data = Look(DATA, tuple(_of_cases(found, thorough)), made)
        except RefoldError as error:
            data = Look(DATA, (str(error),), made)
    differs: tuple[str, ...] = ()
    if found and not data.differs and os.path.isfile(CHECKS):
        try:
            if seals.read(CHECKS).get("listing") != listing.digest(listing.problems(found)):
                differs = (f"{root}: its dataset.json or folders make other warnings than {CHECKS} has",)
        except RefoldError as error:
            differs = (str(error),)
    return data, Look(LISTING, differs, (CHECKS,))


def _of_cases(now: layout.Layout, thorough: bool) -> list[str]:
    try:
        rows, description = {c.case: c for c in table.read()}, Description.read()
    except (RefoldError, KeyError, TypeError) as error:
        return [f"data/cases.csv or data/dataset.json is damaged: {error}"]
    # an entry that is wrong is none, and the cases alone would not tell of it
    differs = [f"{now.root / 'dataset.json'}: {p.message}" for p in listing.problems(now) if p.is_error]
    if replace(now.description, root="") != description:
        differs.append(f"{now.root / 'dataset.json'} describes the data otherwise than data/dataset.json")
    differs += [f"case {name} is no longer listed" for name in sorted(rows.keys() - {e.case for e in now.entries})]
    same: list[Case] = []
    for entry in now.entries:
        row = rows.get(entry.case)
        if row is None:
            differs.append(f"case {entry.case} is new")
        elif (entry.patient, entry.images, entry.label) != (row.patient, row.images, row.label):
            differs.append(f"case {entry.case} has another patient or other files")
        else:
            same.append(row)
    wanted = [(c.case, (*c.images, c.label), c.sha256) for c in same]
    return differs + _contents(Seen(RAW), wanted, now.root, thorough)


def _contents(notes: Seen, wanted: Sequence[tuple[str, Sequence[str], str]], root: Path, thorough: bool) -> list[str]:
    """Those of (what, its files, sha256) that are otherwise now; files are read where the notes do not know them."""
    differs, unknown = [], []
    for what, names, sha256 in wanted:
        found = None if thorough else notes.known(what, names, root)
        if found is None:
            unknown.append((what, names, sha256))
        elif found != sha256:
            differs.append(_changed(what, names, root))
    kept, done = time.monotonic(), False
    try:
        for what, names, sha256 in log.progress(unknown, f"comparing files in {root} with what was read"):
            try:
                if notes.read(what, names, root) != sha256:
                    differs.append(_changed(what, names, root))
            except OSError:
                missing = next((n for n in names if not (root / n).is_file()), names[0])
                differs.append(f"{root / missing} is missing or cannot be read")
            if time.monotonic() - kept > KEPT_EVERY:
                notes.save(rest=True)
                kept = time.monotonic()
        done = True
    finally:  # what was read before Ctrl-C is not read again
        notes.save(rest=not done)
    return differs


def _changed(what: str, names: Sequence[str], root: Path) -> str:
    if [what] == list(names):
        return f"{root / what} has another content"
    return f"case {what}: {' or '.join(names)} changed"


def _of_archive(dataset: Dataset, thorough: bool) -> Look:
    made, archive = str(layout.root(dataset) / "dataset.json"), str(layout.archive(dataset))
    if not os.path.isfile(made):
        return Look(UNPACKED, (), (made,))
    then = layout.unpacked(dataset)
    if then is None:
        return Look(UNPACKED, (f"{Path(made).parent} does not tell from which archive it was unpacked",), (made,))
    notes = Seen(ARCHIVE)
    now = None if thorough else notes.known("archive", [archive])
    if now is None:
        now = notes.read("archive", [archive])
        notes.save()
    return Look(UNPACKED, () if now == then else (f"{archive} is not the archive that was unpacked",), (made,))


def _of_split(split: Split) -> Look:
    made = (str(RESULTS),)
    if not RESULTS.is_file():
        return Look(SPLIT, (), made)
    try:
        then = seals.read(RESULTS).get("given")
    except RefoldError as error:
        return Look(SPLIT, (str(error),), made)
    assert split.file is not None
    try:
        now = planned.read(split.file).sha256
    except RefoldError as error:
        return Look(SPLIT, (str(error),), made)
    return Look(SPLIT, () if now == then else (f"{split.file} gives other folds than {RESULTS} was made from",), made)


def _of_label_maps(method: str, entry: External, fold: str, thorough: bool) -> Look:
    listing = Path(f"results/predictions/{method}/fold-{fold}/predictions.json")
    stamp, made, folder = Path(stamp_of(method, fold)), (str(listing),), Path(entry.folder)
    if not listing.is_file():
        return Look(stamp, (), made)
    differs, wanted = [], []
    try:
        for case, about in sorted(read_json(listing)["cases"].items()):
            source = about["source"]
            path = find(folder, fold, case, 2 if about["file"].endswith(".png") else 3)
            if path is None or (name := path.relative_to(folder).as_posix()) != source["file"]:
                differs.append(f"the label map of case {case} is {path or 'missing'}, was {folder / source['file']}")
            else:
                wanted.append((name, (name,), source["sha256"]))
    except (RefoldError, AttributeError, KeyError, TypeError) as error:
        return Look(stamp, (f"{listing} is damaged: {error!r}",), made)
    differs += _contents(Seen(of_method(method, fold)), wanted, folder, thorough)
    return Look(stamp, tuple(differs), made)


# ---------------------------------------------------------------- telling Snakemake


def see_code(folder: str | Path = sources.ROOT) -> list[str]:
    """Give source files that were replaced by older ones of another content the time of now, so that Snakemake sees it.

    What they held is noted at each start; a file that was never seen is no change.

    Returns:
        The files.

    Raises:
        RefoldError: the time of one cannot be set, and Snakemake would not see that it changed.
    """
    folder = Path(folder)
    files = sorted(p for p in folder.rglob("*") if p.is_file() and p.suffix in CODE)
    now = {p.relative_to(folder).as_posix(): sha256_file(p) for p in files}
    then = stored(SOURCES)
    changed = [name for name, digest in now.items() if then.get(name, digest) != digest]
    for name in changed:
        _now(folder / name)
    if now != then:
        write_json(SOURCES, now)
    return changed


def _now(path: Path) -> None:
    """Give a file the time of now; one that is newer than all results may keep its own, where that is refused."""
    try:
        os.utime(path)
    except PermissionError:
        results = (p for top in ("data", "results") for p in Path(top).rglob("*") if p.is_file())
        seen = (p.stat().st_mtime_ns for p in results if not any(part.startswith(".") for part in p.parts))
        if path.stat().st_mtime_ns <= max(seen, default=0):
            raise RefoldError(
                f"{path} has another content than at the last start and an older time than the results, so Snakemake "
                f"would not see the change; it is another user's file, whose time cannot be set here: its owner has to "
                f"run `touch {path}`, or work in a clone of your own"
            ) from None


def freeze(params: Params, looks: Iterable[Look]) -> None:
    """Write the stamps and the place of the files, for the jobs: by the main process alone, while no run goes on."""
    place(params).write()
    see_code()
    looks = list(looks)
    for one in looks:
        _write(one)
    kept = {one.stamp for one in looks}
    for stale in STAMPS.glob("methods.*.json"):
        if stale not in kept:
            stale.unlink()


def _write(one: Look) -> None:
    """A stamp that makes its job due, by a content never seen and a newer time, or one that cannot: older than all."""
    if not one.differs or one.gone:
        write_json(one.stamp, {"differs": [], "token": ""}, if_changed=True)
        os.utime(one.stamp, (0, 0))
        return
    write_json(one.stamp, {"differs": list(one.differs), "token": uuid.uuid4().hex})
    newest = max((os.stat(m).st_mtime_ns for m in one.made if os.path.isfile(m)), default=0)
    when = max(time.time_ns(), newest + 1_000_000_000)  # a clock may have been wrong when they were made
    os.utime(one.stamp, ns=(when, when))


def lines(looks: Iterable[Look], most: int = 5) -> list[str]:
    """All that differs, for people."""
    found = [text for one in looks for text in one.differs]
    return [f"  {text}" for text in found[:most]] + ([f"  and {len(found) - most} more"] if len(found) > most else [])


def tell(looks: Iterable[Look]) -> None:
    """Say on standard error what makes jobs due."""
    if found := lines(one for one in looks if not one.gone):
        print("files changed since they were read; what rests on them is due:", *found, sep="\n", file=sys.stderr)


def verify(params: Params, folds: Iterable[str | int], what: str) -> None:
    """Read all such files. Raises `RefoldError` where one is not what the results were made from."""
    looks = look(params, folds, thorough=True)
    told = f"{what}: files are not those that the results were made from; {WAYS_BACK}"
    if any(one.gone for one in looks):  # nothing is due for that, so Snakemake would bring nothing back
        told = f"{what}: the data set is not there; {bring_back(params.dataset)}"
    if found := lines(looks, 10):
        raise RefoldError("\n".join([told, *found]))


def bring_back(dataset: Dataset) -> str:
    """What to do where a data set that was made, downloaded or unpacked was deleted."""
    root = layout.root(dataset)
    return (
        f"`dvc checkout {root}` brings it back where DVC has it, `snakemake --cores 1 -- {root / 'dataset.json'}` "
        "makes or fetches it anew"
    )
