"""``dvc.yaml``: one stage a phase, made from what each phase reads, imports and makes.

DVC wants every dependency named in a file of its own. Made from the same facts that Snakemake uses, the two cannot
come to disagree; a test compares the file with a dry run of the whole graph.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import yaml

from refold.core.errors import RefoldError
from refold.core.files import write_text
from refold.core.paths import CASES, MODELS
from refold.data import layout
from refold.experiment import yamlfile
from refold.experiment.params import Params
from refold.methods.external import External
from refold.run import graph
from refold.settings.names import HOLDOUT
from refold.split import planned

FILE = "dvc.yaml"
PLOTS = [
    {
        "Learning curves": {
            "x": "epoch",
            "y": {"results/report/learning-curves.csv": "value"},
            "title": "Learning curves",
            "x_label": "epoch",
            "y_label": "loss or Dice",
            "template": "curves",
        }
    },
    {
        "Dice by case": {
            "x": "method",
            "y": {"results/report/dice.csv": "dice"},
            "title": "Dice of every case",
            "x_label": "method",
            "y_label": "Dice",
            "template": "cases",
        }
    },
]

ARTIFACTS = {
    "models": {
        "path": MODELS,
        "type": "model",
        "desc": "The model of each method and fold, with its card and learning curve.",
        "labels": ["segmentation"],
    }
}

HEADER = """\
# One stage a phase. Made by `refold stages` from what each phase reads, imports and makes: do not edit these stages;
# stages and plots of your own may stand beside them.
"""


def kinds(params: Params, phase: str) -> set[str]:
    """The kinds of methods whose code a phase uses: another kind's code is none of its business."""
    return {m.kind for m in params.methods.values() if m.trained or phase != "train"}


def tested(params: Params) -> list[int | str]:
    """The folds that are predicted and evaluated; a held-out test set is one more.

    Raises:
        RefoldError: the user's split file cannot be read.
    """
    folds: list[int | str] = [*params.split.fold_numbers]
    return [*folds, HOLDOUT] if planned.has_holdout(params.split, params.dataset.exclude) else folds


def complete(file: str | Path = "params.yaml") -> None:
    """Raises `RefoldError` where the file leaves out what DVC looks for by name; Snakemake takes the defaults."""
    values = yamlfile.parse(Path(file).read_text(encoding="utf-8")).values
    missing = [name for name in Params.model_fields if name not in values]
    if missing:
        raise RefoldError(
            f"{file} has no section {', '.join(missing)}. Snakemake takes the defaults, but DVC watches sections by "
            f"their names; write `{missing[0]}: {{}}`"
        )
    if "name" not in (values["dataset"] or {}):
        raise RefoldError(f"{file} has no dataset.name, which dvc.yaml names; write `name: phantom` under dataset")


def stages(params: Params) -> dict[str, dict[str, Any]]:
    """The stages of an experiment.

    Raises:
        RefoldError: `dataset.source` does not exist, or is written in a way that DVC does not understand.
    """
    dataset = params.dataset
    fetched = layout.kind(dataset) != "folder"
    folders = {f"methods.{n}.folder": m.folder for n, m in params.methods.items() if isinstance(m, External)}
    for key, value in (
        *folders.items(),
        ("dataset.source", dataset.source),
        ("dataset.patient_table", dataset.patient_table),
        ("split.file", params.split.file),
    ):
        if value and value.startswith("~"):
            raise RefoldError(f"{key}: {value}: DVC knows no `~`; write the whole path")
    # names in place of paths, so that `dvc exp run -S dataset.name=...` watches and keeps the right folder
    raw = layout.RAW + "/${dataset.name}" if fetched else "${dataset.source}"
    found = {}
    for phase in graph.PHASES:
        # a folder read in place may be moved: for what comes after the data phase, cases.csv stands with its hashes
        reads = [raw if d == graph.RAW else d for d in graph.READS[phase] if fetched or d != graph.RAW]
        if phase == "data":
            reads += ["${dataset.source}"] if dataset.source else []
            reads += ["${dataset.patient_table}"] if dataset.patient_table else []
        if phase == "split" and params.split.file:
            reads.append("${split.file}")
        if phase == "predict" and folders:
            reads += [CASES, *(f"${{{key}}}" for key in folders)]
        stage: dict[str, Any] = {
            "cmd": f"snakemake --config only_phase={phase} -- {phase}",
            "deps": [*sorted(reads), *graph.code(phase, kinds(params, phase))],
            "params": graph.SECTIONS[phase],
            "outs": sorted([*graph.OUTS[phase], *([raw] if phase == "data" and fetched else [])]),
        }
        if phase == "evaluate":
            stage["metrics"] = [graph.METRICS]
        found[phase] = stage
    return found


def text(params: Params) -> str:
    """The whole of dvc.yaml."""
    whole = {"stages": stages(params), "plots": PLOTS, "artifacts": ARTIFACTS}
    return HEADER + yaml.safe_dump(whole, sort_keys=False, width=120)


def differing(params: Params, file: str | Path = FILE) -> list[str]:
    """The stages that ``file`` lacks or has otherwise than `stages` says.

    Raises:
        RefoldError: the file is missing or no YAML.
    """
    try:
        found = (yaml.safe_load(Path(file).read_text(encoding="utf-8")) or {}).get("stages") or {}
    except FileNotFoundError:
        raise RefoldError(f"{file} is missing; `refold stages` makes it") from None
    except (yaml.YAMLError, AttributeError) as error:
        raise RefoldError(f"{file} is no YAML file of stages ({error}); `refold stages` makes it anew") from None
    return [name for name, stage in stages(params).items() if found.get(name) != stage]


def check(params: Params, file: str | Path = FILE) -> None:
    """Raises `RefoldError` unless ``file`` watches all that the phases read."""
    if wrong := differing(params, file):
        raise RefoldError(
            f"{file} does not fit params.yaml and the code (stage {', '.join(wrong)}), so DVC could take an old result "
            "for a new one; run `refold stages`, then go on"
        )


def write(params: Params, file: str | Path = FILE) -> list[str]:
    """Bring the phases' stages up to date; other stages, plots and artifacts in the file are kept.

    Returns:
        The stages that changed.
    """
    path = Path(file)
    if not path.is_file():
        write_text(path, text(params))
        return list(graph.PHASES)
    changed = differing(params, path)
    kept = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    mine = {k for plot in PLOTS for k in plot}
    own_plots = kept.get("plots") or []
    if isinstance(own_plots, dict):
        own_plots = [{k: v} for k, v in own_plots.items()]
    whole = {
        "stages": {**stages(params), **{k: v for k, v in (kept.get("stages") or {}).items() if k not in graph.PHASES}},
        "plots": [*PLOTS, *(p for p in own_plots if not (isinstance(p, dict) and mine & set(p)))],
        "artifacts": {**(kept.get("artifacts") or {}), **ARTIFACTS},
    }
    whole |= {k: v for k, v in kept.items() if k not in whole}
    new = HEADER + yaml.safe_dump(whole, sort_keys=False, width=120)
    if new != path.read_text(encoding="utf-8"):
        write_text(path, new)
    return changed
