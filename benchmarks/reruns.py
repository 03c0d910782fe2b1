"""Which phases run again after a change, under Snakemake and under DVC: measured, as a table.

    python -m benchmarks.reruns            examples/tiny.yaml with one fold: 40 runs of the experiment
    python -m benchmarks.reruns train      changes of one phase alone; `words`: those of texts

One parameter of each section, one source file of each phase and some texts are changed, each in a finished copy of
the experiment, once under ``snakemake`` and once under ``dvc repro``. A phase ran when one of its jobs did.
"""

from __future__ import annotations

import sys
import tempfile
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from refold.run.graph import PHASES
from tests.projects import Project, tiny


@dataclass(frozen=True)
class Change:
    """of: the section or phase, or "words", a text alone. words: for the table. first: the first phase that must run
    again; all after it do."""

    of: str
    words: str
    first: str | None
    make: Callable[[Project], None]

    @property
    def expected(self) -> list[str]:
        """What docs/how-to/dvc.md promises. Folds do not depend on preprocessed arrays, nor those on the folds."""
        after = list(PHASES[PHASES.index(self.first) :]) if self.first else []
        return [p for p in after if not (self.first == "preprocess" and p == "split")]


def _parameter(section: str, first: str, **values) -> Change:
    words = ", ".join(f"`{section}.{k}`" for k in values)
    return Change(section, words, first, lambda project: project.edit(**{section: values}))


def _edit(of: str, words: str, first: str | None, file: str, old: str, new: str) -> Change:
    def edit(project: Project) -> None:
        path = project.folder / "workflow/refold" / file
        text = path.read_text()
        if text.count(old) != 1:
            raise ValueError(f"{file} no longer has {old!r} once: give benchmarks/reruns.py another edit")
        path.write_text(text.replace(old, new))

    return Change(of, words, first, edit)


def _code(phase: str, file: str, old: str, new: str) -> Change:
    return _edit(phase, f"`{file}`", phase, file, old, new)


def _text(what: str, first: str | None, file: str, old: str, new: str) -> Change:
    return _edit("words", f"{what} in `{file}`", first, file, old, new)


CHANGES = [
    _parameter("dataset", "data", phantom={**tiny()["dataset"]["phantom"], "seed": 2}),
    _parameter("preprocess", "preprocess", normalisation="minmax"),
    _parameter("split", "split", seed=7),
    _parameter("train", "train", learning_rate=0.001),
    _parameter("augment", "train", noise={"p": 0.5, "variance": [0.0, 0.1]}),
    Change(
        "methods", "`methods.unet.features`", "train",
        lambda project: project.edit(methods={"unet": {"kind": "unet", "features": 6, "stages": 3}}),
    ),
    _parameter("predict", "predict", mirror_axes=["x"]),
    _parameter("evaluate", "evaluate", nsd_tolerance=3.0),
    _parameter("report", "report", title="Another title"),
    _code("data", "data/phantom.py", "SCALE = (0.3, 30.0)", "SCALE = (0.3, 20.0)"),
    _code("preprocess", "preprocess/fingerprint.py", "round(stored / raw, 4)", "round(stored / raw, 3)"),
    _code("split", "split/strata.py", ", volume {b + 1}/{bins}", ", size {b + 1}/{bins}"),
    _code("train", "train/losses.py", "from __future__ import annotations", "from __future__ import annotations  #"),
    _code("predict", "predict/__main__.py", '"cases": done,', '"cases": done, "edited": True,'),
    _code("evaluate", "evaluate/fold.py", '"empty": ', '"edited": True, "empty": '),
    _code("report", "report/report.css", "color-scheme: light dark;", "color-scheme: dark light;"),
    _text("an error message", None, "experiment/messages.py", "write the digits alone, ", "write digits alone, "),
    _text("a key's description", "report", "experiment/descriptions.py", '"Number of epochs."', '"Epochs."'),
    _text("a sentence of the report", "report", "report/prose/unet.py", "leaky ReLU and dropout", "ReLU and dropout"),
    _text("a docstring", "evaluate", "evaluate/__init__.py", "Metrics on each", "Metrics in each"),
]  # fmt: skip


def measure(finished: Project, change: Change, folder: Path, command: str) -> list[str]:
    project = finished.copy(folder)
    if command == "snakemake":
        project.refold("sync")
    project.ran()
    change.make(project)
    if command == "snakemake":
        project.snakemake("--cores", "all")
        ran = project.phases_run()
    else:
        project.refold("stages")
        project.dvc("repro")
        ran = project.phases_run()
    return [p for p in PHASES if p in ran]


def main() -> None:
    wanted = sys.argv[1:] or [c.of for c in CHANGES]
    with tempfile.TemporaryDirectory(prefix="refold-reruns-") as name:
        finished = Project.create(Path(name) / "finished", tiny(split={"run_folds": [0]}))
        print("running the experiment once", file=sys.stderr)
        finished.dvc("repro")
        finished.commit("results")
        print("| change | ran under `snakemake` | ran under `dvc repro` | promised |\n|---|---|---|---|", flush=True)
        wrong = 0
        for i, change in enumerate(c for c in CHANGES if c.of in wanted):
            ran = [measure(finished, change, Path(name) / f"{i}-{c}", c) for c in ("snakemake", "dvc")]
            row = [change.words, *(", ".join(phases) for phases in (*ran, change.expected))]
            print(f"| {' | '.join(row)} |", flush=True)
            wrong += ran[0] != change.expected or ran[1] != change.expected
    print(f"{wrong} rows differ" if wrong else "all as promised", file=sys.stderr)
    sys.exit(bool(wrong))


if __name__ == "__main__":
    main()
