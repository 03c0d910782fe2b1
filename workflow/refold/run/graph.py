"""The graph of an experiment: its phases, what each reads, imports and makes.

Snakemake's rules, DVC's stages, provenance and `refold compare` all go by it, so that they cannot come to disagree.
"""

from __future__ import annotations

from collections.abc import Collection
from pathlib import Path

from refold.core import hashes, paths, sources
from refold.core.paths import (
    CASES,
    CHECKS,
    CRATE,
    DATASET,
    FINGERPRINT,
    FOLDS,
    MODELS,
    PREDICTIONS,
    PREPROCESSED,
    PROVENANCE,
    SPLITS,
)

PHASES = ("data", "preprocess", "split", "train", "predict", "evaluate", "report")

SECTIONS = {
    "data": ["dataset"],
    "preprocess": ["preprocess"],
    "split": ["split"],
    # `methods` and `split` also say which models there are
    "train": ["train", "augment", "methods", "split"],
    "predict": ["predict", "methods", "split"],
    "evaluate": ["evaluate", "methods", "split"],
    "report": [
        "dataset", "preprocess", "split", "train", "augment", "methods", "predict", "evaluate", "report",
    ],
}  # fmt: skip

RAW = "<raw data>"
TABLES = [CASES, DATASET]
# what all folds together give, but for METRICS
EVALUATED = [
    f"results/metrics/{name}"
    for name in (
        "agreement.csv", "calibration.csv", "cases.csv", "comparisons.csv", "counts.csv", "hashes.json", "lesions.csv",
        "ranks.csv", "summary.csv", "uncertainty.csv", "variance.csv",
    )
]  # fmt: skip
READS = {
    "data": [],
    "preprocess": [*TABLES, RAW],
    "split": TABLES,
    "train": [*TABLES, FINGERPRINT, PREPROCESSED, SPLITS],
    "predict": [
        DATASET, FINGERPRINT, PREPROCESSED, MODELS, SPLITS,
    ],
    "evaluate": [*TABLES, PREDICTIONS, SPLITS, RAW],
    "report": [
        *TABLES, CHECKS, FINGERPRINT, FOLDS, *EVALUATED,
        "results/metrics/metrics.json", MODELS, PREDICTIONS, SPLITS, RAW,
    ],
}  # fmt: skip

METRICS = "results/metrics/metrics.json"
OUTS = {
    "data": [CASES, CHECKS, DATASET],
    "preprocess": [FINGERPRINT, PREPROCESSED],
    "split": [SPLITS],
    "train": [MODELS],
    "predict": [PREDICTIONS],
    # one by one: metrics.json is a metric, and an out may not lie within another
    "evaluate": [FOLDS, *EVALUATED],
    "report": [PROVENANCE, "results/report", CRATE],
}  # fmt: skip


def module(phase: str) -> str:
    """The module of a phase's command."""
    return f"refold.{phase}.__main__"


def own_code(phase: str, kinds: Collection[str] = ()) -> list[str]:
    """Source files that a phase imports; of training and prediction with those of ``kinds`` of methods, of the report
    with their words."""
    chosen = [sources.kind(name) for name in sorted(kinds)]
    if phase == "report":  # it finds the words by a kind's name
        names = {Path(f).stem for f in sources.closure(*chosen) if Path(f).parent.name == "methods"}
        prose = sources.ROOT / "refold/report/prose"
        chosen = [f"refold.report.prose.{name}" for name in sorted(names) if (prose / f"{name}.py").is_file()]
    elif phase not in ("train", "predict"):
        chosen = []
    return sources.closure(module(phase), *chosen)


def code(phase: str, kinds: Collection[str]) -> list[str]:
    """The same; but of the report, which tells code and commands of all phases, those of all, and the rules."""
    if phase != "report":
        return own_code(phase, kinds)
    rules = [str(p.relative_to(sources.ROOT.parent)) for p in (sources.ROOT / "rules").glob("*.smk")]
    return sorted({*rules, *(f for p in PHASES for f in own_code(p, kinds))})


def code_hashes(kinds: Collection[str]) -> dict[str, str]:
    """Hash of the source files of each phase by its name."""
    return {phase: hashes.of_code(own_code(phase, kinds), sources.ROOT.parent) for phase in PHASES}


def owner(path: str, name: str = "") -> str | None:
    """The phase among whose outs ``path`` is; ``name`` is the data set's. None: nobody's."""
    roots = {phase: [*outs, *([METRICS] if phase == "evaluate" else [])] for phase, outs in OUTS.items()}
    roots["data"] = [*roots["data"], f"{paths.RAW}/{name}"] if name else roots["data"]
    return next((p for p, all_ in roots.items() if any(path == r or path.startswith(f"{r}/") for r in all_)), None)
