import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

from snakemake.exceptions import WorkflowError

sys.path.insert(0, str(Path(workflow.basedir) / "workflow"))

from refold.cli import originals, stages
from refold.core import paths, private
from refold.core.errors import RefoldError
from refold.core.files import sha256_file
from refold.data import layout
from refold.evaluate import structures
from refold.experiment import reading
from refold.imaging import place
from refold.methods.external import External
from refold.run import bytecode, git, graph, jobs, runlog, runs, slurm
from refold.run.command import no_room
from refold.settings.names import HOLDOUT
from refold.split import planned

jobs.prepare()

PHASES = graph.PHASES
STARTED = time.time()
MAIN = private.snakemake_is_main(workflow)
if MAIN:
    bytecode.check_by_hash(Path(workflow.basedir) / "workflow" / "refold")

if unknown := set(config) - {"only_phase"}:
    raise WorkflowError(
        f"--config {', '.join(sorted(unknown))}: an experiment is described in params.yaml alone; edit that file"
    )
if config.get("only_phase", PHASES[0]) not in PHASES:
    raise WorkflowError(
        f"--config only_phase={config['only_phase']}: one of {', '.join(PHASES)}"
    )


def checked(read):
    """What ``read`` returns; its complaint to the user ends the run without a traceback."""
    try:
        return read()
    except (RefoldError, OSError) as error:
        told = error if isinstance(error, RefoldError) else no_room(error)
        if told is None:
            raise
        if MAIN:
            print(f"error: {told}", file=sys.stderr)
            raise SystemExit(1)
        raise WorkflowError(str(told))


P = checked(reading.load)
KINDS = {m.kind for m in P.methods.values()}
FOR_DVC = "only_phase" in config and MAIN  # nobody else asks for one phase alone
if FOR_DVC:
    checked(stages.complete)
    checked(lambda: stages.check(P))
FOLDS = P.split.fold_numbers
FETCHED = checked(lambda: layout.kind(P.dataset)) != "folder"
checked(lambda: planned.check(P.split, layout.patients(P.dataset)))
TESTED = checked(lambda: stages.tested(P))
# Sections reach jobs as files, rewritten only when their content changes, and only by the main process: a queued
# cluster job parses this file again and must not pick up a later edit. The same holds for what is known of raw files.
if MAIN:
    for name, entry in P.methods.items():
        if isinstance(entry, External):
            checked(lambda: entry.check(name))
    LOOKS = checked(lambda: originals.look(P, TESTED))
    checked(lambda: runs.enter(P.frozen(), lambda: originals.freeze(P, LOOKS)))
    originals.tell(LOOKS)
METHODS = list(P.methods)
TRAINED = [name for name, entry in P.methods.items() if entry.trained]
NETWORKS = P.networks
CLASSICAL = [name for name in TRAINED if name not in NETWORKS]
COMPOSITIONS = {name: P.composition(name) for name in METHODS}
EXTERNAL = {name for name, entry in P.methods.items() if isinstance(entry, External)}
MODEL = {name: P.methods[name].file for name in TRAINED}
# Networks share a GPU in turns; a machine without one has no such limit.
GPU = int(jobs.has_gpu())
# A region or lesion that is no label is told now, not after all training.
if LABELS := checked(lambda: layout.labels(P.dataset)):
    checked(lambda: structures.structures(LABELS, P.evaluate))


wildcard_constraints:
    method="[a-z0-9][a-z0-9_-]*",
    fold=f"[0-9]+|{HOLDOUT}",
    shard="[0-9]+",


# Where raw files lie: no job is due because they were moved.
PLACE = ancient(place.FILE)


def stamps(*sections):
    """Files with frozen sections of params.yaml."""
    return [f"results/.params/{section}.json" for section in sections]


def code(phase):
    """Source files of a phase and all that they import: code is an input too."""
    return graph.code(phase, KINDS)


def as_word(text):
    return re.sub(r"\W", "_", text)


def code_of(phase):
    """The same for the kinds of one method alone: another method's code is none of its business."""
    return lambda wildcards: graph.code(
        phase, {P.methods[m].kind for m in COMPOSITIONS[wildcards.method].entries}
    )


# What a stage of DVC began with: DVC reads it again at the end, for its record.
BEGAN = {f: sha256_file(f) for f in code(config["only_phase"])} if FOR_DVC else {}


def models_of(wildcards):
    """Model files that a prediction needs: of its fold, or of every fold for the held-out test set."""
    folds = FOLDS if wildcards.fold == HOLDOUT else [wildcards.fold]
    methods = dict.fromkeys(m.method for m in COMPOSITIONS[wildcards.method].models)
    return [
        f"results/models/{m}/fold-{f}/{name}"
        for m in methods
        for f in folds
        for name in (MODEL[m], "card.json")
    ]


def stamps_of(wildcards):
    """The frozen entries of a method and of those that it is made from."""
    return stamps(*(f"methods.{m}" for m in COMPOSITIONS[wildcards.method].entries))


def label_maps_of(wildcards):
    """Of another program's label maps: what is known of their files, and where they lie."""
    if wildcards.method not in EXTERNAL:
        return []
    return [
        originals.stamp_of(wildcards.method, wildcards.fold),
        paths.CASES,
        PLACE,
    ]


def uses_networks(wildcards):
    return P.uses_networks(wildcards.method)


def training_threads(wildcards):
    return P.train_of(wildcards.method).threads


def prediction_threads(wildcards):
    return P.predict.threads if uses_networks(wildcards) else 1


def appendix(path, category, **options):
    """An output that `snakemake --report` shows, with the caption of its name."""
    name = Path(path)
    return report(
        directory(path) if options else path,
        caption=f"../captions/{name.stem}.rst",
        category=category,
        **options or {"labels": {"file": name.name}},
    )


def artifacts(phase):
    """Every declared file of a phase."""
    each = dict(method=METHODS, fold=FOLDS)
    return {
        "data": [paths.CASES, paths.DATASET, paths.CHECKS],
        "preprocess": [
            paths.FINGERPRINT,
            *expand("data/preprocessed/shard-{s}.json", s=range(P.preprocess.shards)),
        ],
        "split": [paths.SPLITS],
        "train": [
            f"results/models/{m}/fold-{f}/{name}"
            for m in TRAINED
            for f in FOLDS
            for name in (MODEL[m], "card.json", "history.csv")
        ],
        "predict": expand(
            "results/predictions/{method}/fold-{fold}/predictions.json",
            method=METHODS,
            fold=TESTED,
        ),
        "evaluate": [
            *expand(
                "results/metrics/folds/{method}/fold-{fold}.{kind}",
                method=METHODS,
                fold=TESTED,
                kind=["csv", "json"],
            ),
            *graph.EVALUATED,
            graph.METRICS,
        ],
        "report": expand(
            "results/{name}",
            name=[
                "report/report.html",
                "report/learning-curves.csv",
                "report/dice.csv",
                "report/tables",
                "report/figures",
                "provenance.json",
                "ro-crate-metadata.json",
            ],
        ),
    }[phase]


def explain_failures():
    """The cause of each job that failed in this run, in one line, and where its log is."""
    for path in sorted(Path("logs").rglob("*.log")):
        if path.stat().st_mtime >= STARTED - 1:
            causes = [
                x
                for x in path.read_text(errors="replace").splitlines()
                if x.startswith("error: ")
            ]
            if causes:
                print(f"{causes[-1]}\n  log: {path}", file=sys.stderr)


def show_the_ranking():
    """Which method was best, for those who look at the terminal alone."""
    from refold.evaluate import ranking

    shutil.rmtree("results/incomplete", ignore_errors=True)
    path = Path(paths.SUMMARY)
    if path.is_file() and path.stat().st_mtime >= STARTED - 1:
        print(f"\n{ranking.text(path, P.evaluate.confidence)}\n", file=sys.stderr)


def show_the_others_rows():
    """What the methods reached that did not fail; only whole tables are results."""
    command = [sys.executable, "-m", "refold.evaluate", "incomplete"]
    command += ["--methods", *METHODS, "--folds", *map(str, TESTED)]
    done = subprocess.run(command, capture_output=True, text=True)
    if done.returncode:
        print(done.stderr, file=sys.stderr)
    elif done.stdout.strip():
        print(f"\n{done.stdout}tables: results/incomplete\n", file=sys.stderr)
        command = [sys.executable, "-m", "refold.report", "--incomplete"]
        command += ["results/incomplete", "--methods", *METHODS]
        command += ["--folds", *map(str, FOLDS)]
        done = subprocess.run(command, capture_output=True, text=True)
        page = "report of the others: results/incomplete/report.html\n"
        print(done.stderr if done.returncode else page, file=sys.stderr)


def say_where_the_report_is():
    path = Path(paths.REPORT)
    if path.is_file():
        print(f"report: {path}", file=sys.stderr)
