"""Where the results come from: ``results/provenance.json``, the same as an RO-Crate, and the report's section.

Nothing here differs between runs that give the same results: no date but the commit's, no host, no path of a machine.
What differs stands in ``logs/provenance.log`` (`refold.run.runlog`).
"""

from __future__ import annotations

import ast
import os
import platform
import re
import textwrap
import zlib
from importlib import metadata
from pathlib import Path
from typing import Any

import refold
from refold.core import seals, sources
from refold.core.errors import RefoldError
from refold.core.files import read_json, sha256_file, sha256_json
from refold.core.language import N_, _, joined, plural
from refold.report.inputs import Experiment
from refold.run import git, graph, machine
from refold.settings.names import HOLDOUT

PHASES = (
    N_("data"), N_("preprocess"), N_("split"), N_("train"), N_("predict"), N_("evaluate"), N_("report"),
)  # fmt: skip
PACKAGES = (
    "numpy", "scipy", "pandas", "scikit-image", "scikit-learn", "tensorflow", "tensorflow-cpu", "keras", "nibabel",
    "h5py", "pillow", "tifffile", "imagecodecs", "matplotlib", "jinja2", "pydantic", "rocrate", "snakemake",
)  # fmt: skip
AGAIN = "snakemake --cores all"
LIBC = N_("C library")
NEVER = "1970-01-01"  # stands for a date that is not known
DATA = ("cases.csv", "checks.json", "dataset.json", "fingerprint.json")
PROVENANCE, CRATE = "provenance.json", "ro-crate-metadata.json"
# the crate's own hash: JSON-LD has a place for it among its entities, not beside them
SEALED = "sha256 of this file with zeros in place of this value"


# ---------------------------------------------------------------- facts


def gather(e: Experiment) -> dict[str, Any]:
    """All facts, as they stand in ``provenance.json``. Docstring of the keys: docs/explanation/reproducibility.md."""
    results = e.folders.results
    metrics = e.folders.tables
    data = {name: sha256_file(e.folders.data / name) for name in DATA}
    return {
        "code": graph.code_hashes({m.kind for m in e.params.methods.values()}),
        "commands": {"everything": AGAIN, "jobs": commands()},
        "data": data,
        "experiment": {"dataset": e.description.name, "methods": e.methods, "title": e.params.report.title},
        "git": _source(results / Path(git.FILE).name),
        "machines": machines(e),
        "models": {
            m: {f: card["hashes"].get("model") for (method, f), card in e.cards.items() if method == m}
            for m in e.methods
        },
        "params": {name: sha256_json(content) for name, content in e.stamps.items()},
        "predictions": {
            m: {f: sha256_file(results / "predictions" / m / f"fold-{f}" / "predictions.json") for f in e.folds}
            for m in e.methods
        },
        "seeds": seeds(e),
        "split": e.split_hash,
        "tables": {p.name: sha256_file(p) for p in sorted(metrics.glob("*.*"))},
        "threads": {"predict": e.params.predict.threads, "train": e.params.train.threads},
        "versions": dict(versions(e)),
    }


def _source(path: Path) -> dict[str, Any]:
    """What Snakemake's main process asked git."""
    if path.is_file():
        return read_json(path)
    note = f"{path.name} is missing: the report was not made by Snakemake"
    return {"commit": None, "date": None, "clean": None, "modified": None, "note": note}


def versions(e: Experiment) -> list[tuple[str, str]]:
    """Python, refold, the packages behind the numbers and two libraries below them; what is not installed is left out.

    What the trainings ran with stands in their cards, all alike (aggregation sees to it), and goes before what is here.
    """
    trained: dict[str, str] = next((c["versions"] for c in e.cards.values() if "versions" in c), {})
    found = [("Python", trained.get("python") or platform.python_version()), ("refold", refold.__version__)]
    for name in PACKAGES:
        try:
            here = metadata.version(name)
        except metadata.PackageNotFoundError:
            continue
        found.append((name, trained.get(name) or here))
    # deflate's choices, and so the bytes of compressed predictions, are this library's
    return [*found, ("zlib", zlib.ZLIB_RUNTIME_VERSION), (LIBC, machine.libc())]


def seeds(e: Experiment) -> dict[str, int]:
    """Every seed by its key in params.yaml."""
    found: dict[str, int] = {}

    def walk(value: Any, key: str) -> None:
        if isinstance(value, dict):
            for name, part in value.items():
                walk(part, f"{key}.{name}" if key else name)
        elif key.endswith("seed") and (e.params.dataset.name == "phantom" or ".phantom." not in key):
            found[key] = value

    walk(e.shown, "")
    return found


def machines(e: Experiment) -> dict[str, list[dict[str, Any]]]:
    """By phase, the kinds of machine that its jobs ran on, each with the jobs as ``method/fold-k``."""
    found: dict[str, list[dict[str, Any]]] = {}
    for phase, records in (("train", e.cards), ("predict", e.predictions)):
        kinds = found.setdefault(phase, [])
        for method in e.methods:
            for fold in e.folds:
                about = records.get((method, fold), {}).get("machine")
                if about is None:
                    continue
                same = next((k for k in kinds if k["machine"] == about), None)
                if same is None:
                    kinds.append(same := {"machine": about, "jobs": []})
                same["jobs"].append(f"{method}/fold-{fold}")
    return found


def commands() -> dict[str, str]:
    """The command of each rule's jobs, with Snakemake's placeholders, in the order of the phases.

    Raises:
        RefoldError: a rule's file is written in a way that this does not understand.
    """
    found = {}
    for phase in PHASES:
        path = sources.ROOT / "rules" / f"{phase}.smk"
        text = path.read_text(encoding="utf-8")
        parts = re.split(r"(?m)^\s*rule\s+(\w+)\s*:", text)[1:]
        for name, body in zip(parts[::2], parts[1::2], strict=True):
            shell = re.search(r"(?ms)^(\s*)shell:(.*?)(?=^\1\w|^\S|\Z)", body)
            if shell is None:
                continue  # a phase's target has no command
            try:
                found[name] = ast.literal_eval("(" + textwrap.dedent(shell[2]).strip() + ")")
            except (ValueError, SyntaxError):
                raise RefoldError(f"{path.name}: the shell command of rule {name} is no plain text") from None
    return found


def differing(kinds: list[dict[str, Any]]) -> list[str]:
    """In what the machines of one method's jobs differ: names of facts."""
    keys = {key for kind in kinds for key in kind["machine"]}
    return sorted(k for k in keys if len({str(kind["machine"].get(k)) for kind in kinds}) > 1)


def in_words(about: dict[str, Any]) -> str:
    """A machine's facts in one line."""
    processor = about["processor"]
    if isinstance(processor, list):
        text = _("any processor with {features}", features=_(" and ").join(processor))
    else:
        features = " ".join(processor["features"]) or _("not recorded")
        text = f"{processor['model']} ({processor['architecture']}; {features})"
    parts = [
        about["device"],
        _("instructions {set}: {processor}", set=about["instructions"], processor=text),
        plural(about["threads"], "math thread"),
        about["libc"],
    ]
    return joined([*parts, *([about["precision"]] if "precision" in about else [])])


# ---------------------------------------------------------------- RO-Crate


def crate(e: Experiment, facts: dict[str, Any], report: Path) -> dict[str, Any]:
    """The facts as RO-Crate 1.1 metadata in the form of a Workflow Run Crate.

    The crate's folder is ``results/``; what lies beside it (Snakefile, data/) is named relative to it.

    Args:
        facts: as `gather` gives.
        report: the report's file; must be there, as all that is listed must.
    """
    from rocrate.model.contextentity import ContextEntity
    from rocrate.model.file import File
    from rocrate.rocrate import ROCrate

    results, source = e.folders.results, facts["git"]
    made = ROCrate(version="1.1")
    made.metadata.extra_terms["sha256"] = "https://schema.org/sha256"
    profiles = [
        made.add(ContextEntity(made, address, properties={"@type": "CreativeWork", "name": name, "version": version}))
        for name, version, address in (
            ("Process Run Crate", "0.5", "https://w3id.org/ro/wfrun/process/0.5"),
            ("Workflow Run Crate", "0.5", "https://w3id.org/ro/wfrun/workflow/0.5"),
            ("Workflow RO-Crate", "1.0", "https://w3id.org/workflowhub/workflow-ro-crate/1.0"),
        )
    ]
    root = made.root_dataset
    root["conformsTo"] = profiles
    root["name"] = e.params.report.title
    root["description"] = (
        f"A k-fold experiment in medical image segmentation on {e.description.name}, run by refold: parameters, split, "
        "models, predictions, tables and report, with their sha256."
    )
    if source["date"] is None:
        root["description"] += f" No commit is known, so datePublished is {NEVER} in place of a date."
    root["datePublished"] = source["date"] or NEVER

    apache = made.add(
        ContextEntity(
            made,
            "https://spdx.org/licenses/Apache-2.0",
            properties={"@type": "CreativeWork", "name": "Apache License 2.0", "identifier": "Apache-2.0"},
        )
    )
    language = made.add(
        ContextEntity(
            made,
            "https://w3id.org/workflowhub/workflow-ro-crate#snakemake",
            properties={
                "@type": "ComputerLanguage",
                "name": "Snakemake",
                "alternateName": "Snakemake",
                "identifier": {"@id": "https://snakemake.github.io"},
                "url": {"@id": "https://snakemake.github.io"},
                "version": facts["versions"].get("snakemake", "unknown"),
            },
        )
    )
    workflow = made.add(
        File(
            made,
            dest_path="../Snakefile",
            properties={
                "@type": ["File", "SoftwareSourceCode", "ComputationalWorkflow"],
                "name": "refold",
                "description": "Reproducible k-fold experiments in medical image segmentation.",
                "version": source["commit"] or refold.__version__,
                "softwareVersion": refold.__version__,
            },
        )
    )
    workflow["programmingLanguage"] = language
    workflow["license"] = apache
    root["mainEntity"] = workflow

    def file(path: Path, name: str) -> File:
        kind = {
            ".json": "application/json",
            ".csv": "text/csv",
            ".html": "text/html",
            ".svg": "image/svg+xml",
            ".pdf": "application/pdf",
            ".tex": "application/x-tex",
        }
        return made.add(
            File(
                made,
                dest_path=os.path.relpath(path, results),
                properties={
                    "name": name,
                    "encodingFormat": kind.get(path.suffix, "application/zip"),
                    "sha256": sha256_file(path),
                    "contentSize": str(path.stat().st_size),
                },
            )
        )

    inputs = [file(e.folders.params / f"{s}.json", f"params.yaml, section {s}, defaults filled in") for s in e.stamps]
    table = file(e.folders.data / "cases.csv", f"The cases of {e.description.name}, with the sha256 of their files")
    if e.description.licence:
        table["license"] = e.description.licence
    if e.description.reference:
        table["citation"] = e.description.reference
    inputs += [table, file(e.folders.data / "dataset.json", f"The data set {e.description.name}")]
    outputs = [
        file(e.folders.data / "fingerprint.json", "The data set in numbers"),
        file(results / "splits.json", "Folds"),
    ]
    for method, fold in e.cards:
        folder = results / "models" / method / f"fold-{fold}"
        outputs += [
            file(p, f"Model {method}, fold {fold}: {p.name}")
            for p in (folder / "model.keras", folder / "model.json", folder / "card.json", folder / "history.csv")
            if p.is_file()
        ]
    for method in e.methods:
        for fold in e.folds:
            where = "the held-out set" if fold == HOLDOUT else f"fold {fold}"
            listing = results / "predictions" / method / f"fold-{fold}" / "predictions.json"
            outputs.append(file(listing, f"Predictions of {method} for {where}: files and their sha256"))
    outputs += [file(results / "metrics" / name, f"Metrics: {name}") for name in facts["tables"]]
    beside = sorted(p for k in ("*.csv", "tables/*", "figures/*") for p in report.parent.glob(k) if p.is_file())
    outputs += [file(p, f"Report: {p.relative_to(report.parent)}") for p in beside]
    outputs += [file(report, "Report"), file(results / PROVENANCE, "Provenance, in refold's own words")]
    action = made.add(
        ContextEntity(
            made,
            "#run",
            properties={
                "@type": "CreateAction",
                "name": f"Run of refold on {e.description.name}",
                "description": AGAIN,
                "actionStatus": "http://schema.org/CompletedActionStatus",
            },
        )
    )
    action["instrument"], action["object"], action["result"] = workflow, inputs, outputs
    root["mentions"] = action
    root["identifier"] = made.add(
        ContextEntity(
            made,
            "#seal",
            properties={"@type": "PropertyValue", "propertyID": SEALED, seals.IN_CRATE: seals.EMPTY},
        )
    )
    return made.metadata.generate()


def write(e: Experiment, facts: dict[str, Any], report: Path) -> None:
    """Write ``provenance.json`` and ``ro-crate-metadata.json`` into the folder of the results, after the report."""
    seals.write(e.folders.results / PROVENANCE, facts)
    seals.write(e.folders.results / CRATE, crate(e, facts, report), seals.IN_CRATE)
