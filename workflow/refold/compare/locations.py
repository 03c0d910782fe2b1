"""Where the files of a run are: a folder of results, or what DVC has on record of a commit or an experiment."""

from __future__ import annotations

import json
import re
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import yaml

from refold.cli import clones, tools
from refold.core import paths
from refold.core.errors import RefoldError
from refold.core.files import read_json
from refold.data import layout
from refold.experiment import yamlfile
from refold.imaging import place
from refold.imaging.cases import Case

SCORES, HASHES = "results/metrics/cases.csv", paths.HASHES
NEEDED = (SCORES, HASHES)
WANTED = (paths.CASES, paths.DATASET, paths.SPLITS, paths.PROVENANCE)
LOCK, PARAMS, STAMPS = "dvc.lock", "params.yaml", paths.PARAMS
FOLDER, COMMIT, EXPERIMENT = "folder", "commit", "experiment"


@dataclass(frozen=True)
class Place(ABC):
    """A run's files, named as in its project: ``results/...``, ``data/...``, ``params.yaml``.

    given: the run as the user named it. name: short, for headings. kind: one of `FOLDER`, `COMMIT`, `EXPERIMENT`.
    commit, date: of a record, the commit's; of a folder None, its provenance tells.
    """

    given: str
    name: str
    kind: str
    commit: str | None = None
    date: str | None = None

    @abstractmethod
    def file(self, path: str) -> Path | None:
        """Where one of its files can be read now; None where it cannot."""

    @abstractmethod
    def text(self, path: str) -> str | None:
        """Content of a file that is in Git; None where there is none."""

    @abstractmethod
    def raw(self, name: str, case: Case) -> Path | None:
        """The folder that holds a case's image and label, ``name`` being the data set's; None if not all are there."""


def _whole(root: Path, case: Case) -> Path | None:
    return root if all((root / name).is_file() for name in (*case.images, case.label)) else None


@dataclass(frozen=True)
class Folder(Place):
    """results: the folder with metrics/. The project is the folder above it, whatever the results are called."""

    results: Path = Path()

    def _path(self, path: str) -> Path:
        head, _, rest = path.partition("/")
        return self.results / rest if head == "results" else self.results.parent / path

    def file(self, path: str) -> Path | None:
        found = self._path(path)
        return found if found.is_file() else None

    def stamps(self) -> dict[str, Any]:
        """The frozen parameters by section; empty where there are none."""
        return {p.name.removesuffix(".json"): read_json(p) for p in sorted(self._path(STAMPS).glob("*.json"))}

    def text(self, path: str) -> str | None:
        found = self.file(path)
        try:
            return found.read_text(encoding="utf-8") if found else None
        except UnicodeDecodeError:
            raise RefoldError(f"{found} is no text in UTF-8") from None

    def raw(self, name: str, case: Case) -> Path | None:
        listing = self._path(place.FILE)
        root = place.Place.read(listing).root if listing.is_file() else f"{layout.RAW}/{name}"
        return _whole(self.results.parent / Path(root).expanduser(), case)


@dataclass(frozen=True)
class Record(Place):
    """A commit whose dvc.lock says which bytes belong to it.

    cache: DVC's. links: an empty folder of this run's own, where files of the cache get their names.
    """

    commit: str = ""
    cache: Path = Path()
    links: Path = Path()

    @cached_property
    def outs(self) -> dict[str, str]:
        """{path: md5} of all that is on record; the md5 of a folder ends in ``.dir``.

        Raises:
            RefoldError: the commit has no record, or one without tables.
        """
        lock = self.text(LOCK)
        if lock is None:
            raise RefoldError(
                f"{self.given}: commit {self.commit[:10]} has no {LOCK}, so no results are on record; `refold record`, "
                "then `git commit`, or name a folder of results"
            )
        try:
            stages = yaml.safe_load(lock)["stages"].values()
            found = {o["path"]: o["md5"] for s in stages for o in s.get("outs", ()) if "md5" in o}
        except (yaml.YAMLError, AttributeError, KeyError, TypeError) as error:
            raise RefoldError(f"{self.given}: {LOCK} of commit {self.commit[:10]} cannot be read: {error}") from None
        if missing := [path for path in NEEDED if path not in found]:
            raise RefoldError(
                f"{self.given}: {LOCK} of commit {self.commit[:10]} has no {missing[0]}; finish the run there, "
                "`refold record`, `git commit`"
            )
        return found

    def _cached(self, md5: str) -> Path | None:
        found = self.cache / "files" / "md5" / md5[:2] / md5[2:]
        return found if found.is_file() else None

    @cached_property
    def _listings(self) -> dict[str, dict[str, str]]:
        return {}

    def _md5(self, path: str) -> str | None:
        """Of a file on record, or within a folder on record; None where it is not, or the folder's list is gone."""
        if path in self.outs:
            return self.outs[path]
        out = next((o for o in self.outs if path.startswith(f"{o}/")), None)
        if out is None:
            return None
        if out not in self._listings:
            listing = self._cached(self.outs[out])
            entries = json.loads(listing.read_text(encoding="utf-8")) if listing else []
            self._listings[out] = {e["relpath"]: e["md5"] for e in entries}
        return self._listings[out].get(path[len(out) + 1 :])

    def file(self, path: str) -> Path | None:
        md5 = self._md5(path)
        cached = self._cached(md5) if md5 and not md5.endswith(".dir") else None
        if cached is None:
            return None
        link = self.links / path
        if not link.exists():
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(cached)
        return link

    def text(self, path: str) -> str | None:
        done = tools.git("show", f"{self.commit}:./{path}")
        return None if done.returncode else done.stdout

    def raw(self, name: str, case: Case) -> Path | None:
        root = f"{layout.RAW}/{name}"
        for file in (*case.images, case.label):
            self.file(f"{root}/{file}")
        # data that are read in place are on no record, but perhaps still where they were
        return _whole(self.links / root, case) or _whole(Path(self._source() or root).expanduser(), case)

    def _source(self) -> str | None:
        """The folder that the commit's parameters name."""
        try:
            values = yamlfile.parse(self.text(PARAMS) or "").values
            source = values["dataset"]["source"]
        except (yamlfile.SyntaxFault, KeyError, TypeError):
            return None
        return source if isinstance(source, str) else None

    def bring(self, scratch: Path) -> None:
        """See to it that the tables are in DVC's cache.

        Raises:
            RefoldError: they are neither there nor on the remote.
        """
        if all(self._cached(self.outs[path]) for path in NEEDED):
            return
        missing = [p for p in (*NEEDED, *WANTED) if p in self.outs and not self._cached(self.outs[p])]
        clone = clones.clone(self.commit, scratch / "clone")
        clones.use_cache(clone)
        clones.checkout(clone, missing, clones.environment(DVC_SITE_CACHE_DIR=str(scratch / "dvc")))
        # `dvc pull` of several files, of which some are nowhere, does not always fail
        if lacking := [path for path in NEEDED if not self._cached(self.outs[path])]:
            raise RefoldError(
                f"{self.given}: {lacking[0]} is neither in DVC's cache nor on the remote; `dvc push` where it was made"
            )


# ---------------------------------------------------------------- from a name


def _folder(given: str, path: Path) -> Folder:
    """Raises `RefoldError` where no results of refold lie in a folder; says what is missing."""
    results = next((r for r in (path / "results", path) if (r / "metrics" / "cases.csv").is_file()), None)
    if results is None:
        raise RefoldError(
            f"{given} holds no results of refold: neither results/metrics/cases.csv nor metrics/cases.csv lies in it; "
            "give a project's folder after `snakemake evaluate`, or its folder of results. Label maps of another "
            "program become results as a method of kind `external`"
        )
    if not (results / "metrics" / "hashes.json").is_file():
        raise RefoldError(
            f"{given}: {results.name}/metrics/hashes.json is missing, which says what the tables belong to; copy the "
            "whole folder metrics, or run `snakemake evaluate` there"
        )
    project = results.resolve().parent if results.name == "results" else results.resolve()
    return Folder(given, project.name or given, FOLDER, results=results)


def _experiments(name: str) -> list[str]:
    """Commits of DVC's experiments of this name; one for each commit that they started from."""
    listed = tools.git("for-each-ref", "--format=%(objectname) %(refname)", "refs/exps").stdout.splitlines()
    pattern = re.compile(rf"([0-9a-f]+) refs/exps/[0-9a-f]{{2}}/[0-9a-f]{{38,}}/{re.escape(name)}")
    return sorted({m[1] for line in listed if (m := pattern.fullmatch(line))})


def _commit(name: str) -> str | None:
    done = tools.git("rev-parse", "--verify", "--quiet", "--end-of-options", f"{name}^{{commit}}")
    return done.stdout.strip() if done.returncode == 0 else None


def find(given: str, here: Path, scratch: Path) -> Place:
    """The run that a name means, of the project in the current folder.

    Args:
        given: a folder, a revision that Git knows, or the name of an experiment of DVC.
        here: what a folder's path is relative to.
        scratch: an empty folder for this run alone.

    Raises:
        RefoldError: it is none of them, more than one, or has no results.
    """
    path = here / given
    if given.startswith((".", "/")) or not tools.is_repository():
        if not path.is_dir():
            raise RefoldError(f"{given} is no folder; give a folder of results, a commit or an experiment of DVC")
        return _folder(given, path)
    experiments, commit = _experiments(given), _commit(given)
    meant = [*experiments, *([commit] if commit and commit not in experiments else [])]
    if len(meant) > 1:
        raise RefoldError(
            f"{given} is {len(meant)} commits: {', '.join(m[:10] for m in meant)}; give one of the hashes"
        )
    if meant and path.is_dir():
        raise RefoldError(
            f"{given} is a folder and a commit; write ./{given} for the folder, {meant[0][:10]} for the commit"
        )
    if path.is_dir():
        return _folder(given, path)
    if not meant:
        raise RefoldError(
            f"{given} is no folder, no commit (`git log --oneline`) and no experiment (`dvc exp list`); one of them is "
            "wanted"
        )
    told = tools.git("-c", "log.showSignature=false", "log", "-1", "--format=%cI", meant[0])
    kind = EXPERIMENT if experiments else COMMIT
    found = Record(given, given, kind, meant[0], told.stdout.strip(), cache=clones.cache(), links=scratch / "files")
    found.bring(scratch)
    return found


@contextmanager
def opened(names: list[tuple[str, Path]]) -> Iterator[list[Place]]:
    """The runs that names mean, each with the folder that its path is relative to; links are gone at the end.

    Raises:
        RefoldError: as `find`.
    """
    with clones.scratch("compare") as folder:
        found = []
        for i, (name, here) in enumerate(names):
            scratch = folder / str(i)
            scratch.mkdir()
            found.append(find(name, here, scratch))
        taken = [place.name for place in found]
        yield [replace(place, name=place.given) if taken.count(place.name) > 1 else place for place in found]
