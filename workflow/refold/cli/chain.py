"""Every file of a finished experiment, held against what its maker wrote down of it and what was made from it.

Each file is read and hashed once; sizes and times are not asked. Snakemake and DVC both go by these, so a file that was
changed and kept its size and time passes for fresh with them, and not here.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fnmatch import fnmatchcase
from pathlib import Path
from typing import Any

from refold.cli import tools
from refold.core import log, seals
from refold.core.errors import RefoldError
from refold.core.files import sha256_file
from refold.core.paths import CASES, CHECKS, CRATE, DATASET, FINGERPRINT, HASHES, PROVENANCE, SPLITS

# by their whole paths: a raw data set has a dataset.json of its own
SEALED = (
    DATASET, CHECKS, FINGERPRINT, "data/preprocessed/shard-*.json", SPLITS,
    "results/models/*/card.json", "results/predictions/*/predictions.json", "results/metrics/folds/*.json", HASHES,
    PROVENANCE,
)  # fmt: skip


@dataclass(frozen=True)
class Link:
    """A hash of ``path`` that stands in ``where``. again: the declared file whose job makes ``path``."""

    path: Path
    sha256: str | None
    where: str
    again: str


@dataclass(frozen=True)
class Looked:
    """What was looked through.

    files: how many; size: their bytes. altered: what is wrong, a line a file; names: of these files, in this order.
    """

    files: int
    size: int
    altered: tuple[str, ...]
    names: tuple[str, ...] = ()

    def text(self) -> str:
        """For people."""
        told = f"looked through {self.files} files, {self.size / 1e6:.1f} MB, by what is in them: "
        if not self.altered:
            return told + "each is what its maker wrote"
        many = len(self.altered)
        return "\n".join([f"{told}{many} {'is' if many == 1 else 'are'} not", *(f"  {x}" for x in self.altered)])


def _is_sealed(path: str) -> bool:
    return any(fnmatchcase(path, pattern) for pattern in SEALED)


def _within(path: str, value: dict[str, Any]) -> Iterator[Link]:
    """The hashes that a sealed file holds: of files that its job wrote, and of those that it read."""
    folder = Path(path).parent

    def link(file: Path | str, sha256: str | None, again: Path | str | None = None) -> Link:
        return Link(Path(file), sha256, path, str(again or file))

    hashes = value.get("hashes", value if path in (HASHES, PROVENANCE) else {})
    for key, file in (("data", CASES), ("split", SPLITS), ("preprocess", FINGERPRINT)):
        if isinstance(hashes.get(key), str):
            yield link(file, hashes[key])
    name = Path(path).name
    if name == "dataset.json":
        yield link(folder / "cases.csv", value["files"].get("cases.csv"))
    elif name.startswith("shard-") or name == "predictions.json":
        for entry in value["cases"].values():
            for about in (entry, entry.get("probabilities")):
                if about:
                    yield link(folder / about["file"], about["sha256"], path)
    elif path == FINGERPRINT:
        from refold.imaging import store

        # an older list of a shard fits its own files, brought back with it
        for case, about in value["cases"].items():
            yield link(folder / f"preprocessed/{case}{store.SUFFIX}", about["sha256"], store.AGAIN)
    elif name == "card.json":
        yield link(folder / "history.csv", hashes.get("history"))
    elif path == HASHES:
        yield from (link(folder / file, digest) for file, digest in value["tables"].items())
        for method, folds in value["folds"].items():
            yield from (link(folder / f"folds/{method}/fold-{k}.json", digest) for k, digest in folds.items())
    elif path == PROVENANCE:
        yield from (link(f"data/{file}", digest) for file, digest in value["data"].items())
        yield from (link(Path(HASHES).with_name(file), digest) for file, digest in value["tables"].items())
        for method, folds in value["predictions"].items():
            for k, digest in folds.items():
                yield link(f"results/predictions/{method}/fold-{k}/predictions.json", digest)
    elif "folds" in Path(path).parts:
        yield link(Path(path).with_suffix(".csv"), hashes.get("table"))
        listing = f"results/predictions/{value['method']}/fold-{value['fold']}/predictions.json"
        yield link(listing, hashes.get("predictions"))


def _of_card(path: str, value: dict[str, Any]) -> Iterator[Link]:
    """The model beside its card."""
    folder = Path(path).parent
    for file in _models(folder) or [folder / "model"]:
        yield Link(file, value["hashes"].get("model"), path, str(file))


def _of_predictions(path: str, value: dict[str, Any], cards: dict[str, dict[str, Any]]) -> Iterator[Link]:
    """The models behind predictions."""
    behind = value["hashes"].get("models", {})
    for card, about in cards.items():
        fold, method = str(about.get("fold")), about.get("method")
        digest = behind.get(f"{method}/{fold}", behind.get(fold) if value["method"] == method else None)
        if digest is not None:
            yield from (Link(file, digest, path, str(file)) for file in _models(Path(card).parent))


def _models(folder: Path) -> list[Path]:
    return [p for p in folder.glob("model.*") if p.is_file()]


def _of_crate(value: dict[str, Any]) -> Iterator[Link]:
    for item in value["@graph"]:
        if "sha256" in item and not item["@id"].startswith(".params/"):
            file = Path("results", item["@id"]).as_posix().replace("results/../", "")
            yield Link(Path(file), item["sha256"], CRATE, file)


def look(outputs: Iterable[tools.Output]) -> Looked:
    """Look through all files of the phases.

    Args:
        outputs: as Snakemake declares them; those that are not there yet are left out.
    """
    there = [o.path for o in outputs if Path(o.path).is_file()]
    wrong: dict[str, str] = {}
    values: dict[str, dict[str, Any]] = {}
    links: list[Link] = []

    def gather(path: str, found: Iterator[Link]) -> None:
        try:
            links.extend(found)
        except (AttributeError, KeyError, TypeError) as error:
            wrong[path] = str(seals.altered(path, f"it lacks {error}"))

    for path in there:
        key = seals.KEY if _is_sealed(path) else seals.IN_CRATE if path == CRATE else None
        if key is None:
            continue
        try:
            values[path] = seals.read(path, key=key)
        except RefoldError as error:
            wrong[path] = str(error)
    cards = {p: v for p, v in values.items() if Path(p).name == "card.json"}
    for path, value in values.items():
        gather(path, _of_crate(value) if path == CRATE else _within(path, value))
        if path in cards:
            gather(path, _of_card(path, value))
        elif Path(path).name == "predictions.json":
            gather(path, _of_predictions(path, value, cards))
    files: dict[Path, str | None] = dict.fromkeys([*(Path(p) for p in there), *(x.path for x in links)])
    size = 0
    for file in log.progress(files, "files looked through"):
        if file.is_file():
            files[file], size = sha256_file(file), size + file.stat().st_size
    for link in links:
        name, found = str(link.path), files[link.path]
        if name in wrong:
            continue
        if found is None:
            wrong[name] = str(seals.missing(name, link.again))
        elif link.sha256 is None:
            wrong[name] = str(seals.altered(name, f"{link.where} has no hash of it", link.again))
        elif found != link.sha256:
            detail = f"sha256 {found[:12]}, {link.where} says {str(link.sha256)[:12]}"
            wrong[name] = str(seals.altered(name, detail, link.again))
    return Looked(sum(v is not None for v in files.values()), size, tuple(wrong.values()), tuple(wrong))


def check(outputs: Iterable[tools.Output], done: str) -> Looked:
    """`look`, and refuse what it finds.

    Args:
        done: what is not done then, such as ``recorded``.

    Raises:
        RefoldError: a file is not what its maker wrote.
    """
    found = look(outputs)
    if found.altered:
        first, more = found.altered[:10], len(found.altered) - 10
        raise RefoldError(
            "\n".join([f"not {done}: {first[0]}", *first[1:], *([f"and {more} more"] if more > 0 else [])])
        )
    return found
