"""The two certified hand-overs between Snakemake (what is fresh here) and DVC (what is on record).

When the two disagree, the outcome is needless work or a refusal, never an old result taken for a new one.
"""

from __future__ import annotations

import shutil
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path

from refold.cli import chain, originals, stages, tools
from refold.core import hashes, seals, sources
from refold.core.errors import RefoldError
from refold.core.files import sha256_file, sha256_json, write_text
from refold.core.paths import CASES, PARAMS, SPLITS
from refold.data import layout
from refold.experiment.params import Params
from refold.experiment.reading import load
from refold.methods import kinds
from refold.run import graph
from refold.settings.stamps import Stamps

LOCK = "dvc.lock"
ASIDE = Path(".dvc/tmp/refold")  # dvc.lock as it was, while a record is being made


def record(clean: bool = False) -> str:
    """Snakemake certifies, DVC records: ``dvc commit`` of what a run made.

    Args:
        clean: delete files of earlier experiments that lie among the results.

    Returns:
        What was done, for people.

    Raises:
        RefoldError: something is still to be done, a file is not the one its job wrote, files lie among the results
            that no job of this experiment makes, or an input changed meanwhile. Nothing is recorded then.
    """
    params = _ready()
    before = _inputs()
    outputs = _certified()
    verify_hashes(params)
    originals.verify(params, stages.tested(params), "not recorded")
    chain.check(outputs, "recorded")
    left = strays(outputs, params)
    if left and clean:
        for path in left:
            path.unlink()
            _remove_empty(path.parent)
    elif left:
        shown = "\n".join(f"  {p}" for p in left[:10]) + (f"\n  and {len(left) - 10} more" if len(left) > 10 else "")
        raise RefoldError(
            "not recorded: files of an earlier experiment lie among the results; delete them, or run "
            f"`refold record --clean`\n{shown}"
        )
    with _put_back(Path(LOCK)):
        done = tools.commit(graph.PHASES)
        if done.returncode:
            raise RefoldError("not recorded: `dvc commit` failed, see above")
        if _inputs() != before:
            raise RefoldError(
                "not recorded: params.yaml, dvc.yaml or the code changed while the results were recorded; run "
                "snakemake, then `refold record`"
            )
        if wrong := _differing():
            raise RefoldError(f"not recorded: DVC still differs, in {', '.join(wrong)}; see `dvc status`")
    count = sum(1 for phase in graph.PHASES for _ in graph.OUTS[phase])
    return f"recorded: {count} outs of {len(graph.PHASES)} phases are in {LOCK}; keep them with `git commit`"


def sync() -> str:
    """DVC certifies, Snakemake marks as fresh: after ``dvc checkout``, ``dvc pull`` or ``dvc exp apply``.

    Returns:
        What was done, for people.

    Raises:
        RefoldError: the files are not those on record for these parameters and this code. Nothing is marked then.
    """
    params = _ready()
    if not Path(LOCK).is_file():
        raise RefoldError(f"not synced: there is no {LOCK}, so nothing is on record; run snakemake, then refold record")
    before = _inputs()
    wrong = _differing()
    if wrong:
        told = "\n".join(f"  {name}: {'; '.join(tools.reasons(found))}" for name, found in wrong.items())
        raise RefoldError(
            "not synced: the files here are not what dvc.lock says (`dvc checkout` or `dvc pull` brings those on "
            f"record; `dvc repro` or snakemake makes new ones)\n{told}"
        )
    originals.verify(params, stages.tested(params), "not synced")
    outputs = tools.planned()  # freezes the parameters too
    verify_hashes(params)
    chain.check(outputs, "synced")
    try:
        done = tools.snakemake("--touch", "--forceall", "--cores", "1", "--quiet", "--", "all")
    except BaseException:
        _forget()
        raise
    if done.returncode:
        raise RefoldError(f"not synced: Snakemake could not mark the files\n{tools.last_words(done)}")
    if _inputs() != before:
        _forget()
        raise RefoldError("not synced: params.yaml, dvc.yaml or the code changed meanwhile; run `refold sync` again")
    if not tools.fresh():
        raise RefoldError("Snakemake still has work to do after marking; see `snakemake -n`")
    return "synced: Snakemake takes the files on record for fresh; `snakemake -n` has nothing to do"


def _forget() -> None:
    """Let Snakemake take no result for fresh: the stamps are written anew, newer than all."""
    shutil.rmtree(PARAMS, ignore_errors=True)


def _ready() -> Params:
    """The parameters, where there is a record that watches all of them."""
    tools.initialised()
    params = load()
    stages.complete()
    stages.check(params)
    restore(Path(LOCK))
    return params


def _inputs() -> dict[str, str]:
    """Hashes of the parameters, the stages and all source code."""
    code = [f for phase in graph.PHASES for f in graph.code(phase, kinds())]
    names = {"params.yaml", stages.FILE, "Snakefile", *code}
    root = sources.ROOT.parent
    return {f: sha256_file(p) for f in sorted(names) if (p := root / f).is_file()}


def _differing() -> dict[str, list]:
    """What DVC finds changed of the phases; stages of the user's own are the user's."""
    return {name: found for name, found in tools.differing().items() if name in graph.PHASES}


@contextmanager
def _put_back(lock: Path) -> Iterator[None]:
    """Leave ``lock`` as it was if the block fails, or is killed and another hand-over follows."""
    aside = ASIDE / lock.name
    write_text(aside, lock.read_text(encoding="utf-8") if lock.is_file() else "")
    try:
        yield
    except BaseException:
        restore(lock)
        raise
    aside.unlink()


def restore(lock: Path) -> None:
    """Undo a record that did not come to its end."""
    aside = ASIDE / lock.name
    if aside.is_file():
        if text := aside.read_text(encoding="utf-8"):
            write_text(lock, text)
        else:
            lock.unlink(missing_ok=True)
        aside.unlink()


def verify_hashes(params: Params) -> None:
    """Check that tables and report say they were made from these parameters, data, folds and code.

    Raises:
        RefoldError: they were not, whatever Snakemake or DVC hold.
    """
    behind = seals.read(chain.HASHES)
    sections = {name: params.section(name) for name in ("predict", "evaluate")}
    sections |= {f"methods.{name}": params.frozen_method(name) for name in params.methods}
    wanted = {f"params.{name}": sha256_json(value) for name, value in sections.items()}
    wanted |= {
        "data": sha256_file(CASES),
        "split": sha256_file(SPLITS),
    }
    wanted |= {
        f"code.{kind}": hashes.of_code(graph.own_code("train", [kind]), sources.ROOT.parent) for kind in behind["code"]
    }
    found = {f"{group}.{k}": v for group in ("params", "code") for k, v in behind[group].items()}
    found |= {k: behind.get(k) for k in ("data", "split")}
    if wrong := [name for name, digest in found.items() if digest != wanted.get(name)]:
        raise RefoldError(
            f"the tables were made from other {', '.join(wrong)} than are here now ({chain.HASHES}): "
            "something changed while they were made; run `snakemake --forceall`, then `refold record`"
        )
    told = seals.read(chain.PROVENANCE)
    frozen = Stamps()
    names = [*(n for n in Params.model_fields if n != "methods"), *(f"methods.{n}" for n in params.methods)]
    wanted = {f"params.{name}": sha256_json(frozen.frozen(name)) for name in names}
    code = graph.code_hashes({m.kind for m in params.methods.values()})
    wanted |= {f"code.{phase}": digest for phase, digest in code.items()}
    found = {f"{group}.{k}": v for group in ("params", "code") for k, v in told[group].items()}
    if wrong := sorted(name for name in wanted.keys() | found if found.get(name) != wanted.get(name)):
        raise RefoldError(
            f"the report was made from other {', '.join(wrong)} than are here now ({chain.PROVENANCE}): something was "
            "changed that Snakemake does not see, such as a file of older date; run `snakemake --forceall`, then "
            "`refold record`"
        )


def _certified() -> list[tools.Output]:
    outputs = tools.planned()
    todo = [o for o in outputs if o.pending]
    if todo or not tools.fresh():
        which = "\n".join(f"  {o.path}: {o.status}" for o in todo[:10]) or "  see `snakemake -n`"
        more = f"\n  and {len(todo) - 10} more" if len(todo) > 10 else ""
        raise RefoldError(f"not recorded: Snakemake still has work to do; run `snakemake`, then this\n{which}{more}")
    return outputs


def strays(outputs: Iterable[tools.Output], params: Params) -> list[Path]:
    """Files among DVC's outs that no job of this experiment wrote, such as those of methods or folds that are gone."""
    outputs = list(outputs)
    known = {Path(o.path) for o in outputs} | _listed(outputs)
    raw = layout.root(params.dataset)
    roots = [Path(r) for phase in graph.PHASES for r in graph.OUTS[phase]]
    return [
        path
        for root in roots
        if root.is_dir() and root != raw
        for path in sorted(root.rglob("*"))
        # what lies in a folder that is an output as a whole was written by its job
        if path.is_file() and not known & {path, *path.parents} and not path.name.startswith(".tmp-")
    ]


def _listed(outputs: Iterable[tools.Output]) -> set[Path]:
    """The files behind lists; of a damaged list, which `chain` names, its folder: nobody knows which of the files."""
    found: set[Path] = set()
    for listing in (Path(o.path) for o in outputs if o.rule in ("preprocess_shard", "predict_fold")):
        if not listing.is_file():
            continue
        try:
            for entry in seals.read(listing)["cases"].values():
                found |= {listing.parent / a["file"] for a in (entry, entry.get("probabilities")) if a}
        except (RefoldError, AttributeError, KeyError, TypeError):
            found.add(listing.parent)
    return found


def _remove_empty(folder: Path) -> None:
    while not any(folder.iterdir()):
        folder.rmdir()
        folder = folder.parent
