"""``python -m refold.train --method NAME --fold K``: train one method on one fold."""

from __future__ import annotations

import argparse
import os
import platform
from importlib import metadata
from pathlib import Path

from refold.core import hashes, log, seals, sources
from refold.core.errors import RefoldError
from refold.core.files import sha256_file, sha256_json, write_csv
from refold.core.paths import CASES, DATASET, FINGERPRINT, PARAMS, PREPROCESSED, SPLITS
from refold.imaging import cases
from refold.imaging.dataset import Description
from refold.methods.frozen import thaw
from refold.run import command, machine
from refold.settings.predict import Predict
from refold.settings.stamps import Stamps
from refold.train import score
from refold.train.fold import open_fold


def main() -> command.Job:
    parser = argparse.ArgumentParser(prog="python -m refold.train", description=__doc__)
    parser.add_argument("--method", required=True)
    parser.add_argument("--fold", required=True, type=int)
    parser.add_argument("--params", default=PARAMS, help="folder of the frozen sections")
    parser.add_argument("--cases", default=CASES)
    parser.add_argument("--dataset", default=DATASET)
    parser.add_argument("--fingerprint", default=FINGERPRINT)
    parser.add_argument("--preprocessed", default=PREPROCESSED)
    parser.add_argument("--splits", default=SPLITS)
    parser.add_argument("--out", help="folder of the model; default results/models/<method>/fold-<k>")
    parser.add_argument("--checkpoints", default="results/.checkpoints")
    return run(parser.parse_args())


def run(a: argparse.Namespace) -> command.Job:
    stamps = Stamps(a.params)
    frozen = thaw(stamps, a.method)
    entry, train = frozen.settings, frozen.train
    description = Description.read(a.dataset)
    found = {
        "params": hashes.of_params({f"methods.{a.method}": stamps.frozen(f"methods.{a.method}")}),
        "data": cases.checked(a.cases, description, a.dataset),
        "preprocess": sha256_file(a.fingerprint),
        "split": sha256_file(a.splits),
    }
    code = hashes.of_code(sources.closure("refold.train.__main__", sources.kind(entry.kind)), sources.ROOT.parent)
    # threads that prepare patches change no patch
    used = versions()
    found |= {"code": {entry.kind: code}, "versions": sha256_json(used)}
    if entry.network:
        from refold.train.runtime import configure, device

        log.get().info("importing TensorFlow")
        tf = configure(train.threads, train.seed, train.precision, train.instructions)
        here = machine.facts(train.instructions, train.threads, train.precision, device(tf))
        slow = machine.slow(train.precision, here["device"])
    else:
        here, slow = machine.facts(), []
    doubts = machine.doubts(here["instructions"], "train.instructions") + slow
    for text in doubts:
        log.get().warning(text)
    # a training begun on another kind of machine would go on to bytes that neither of them gives
    key = sha256_json({**found, "fold": a.fold, "machine": here})
    fingerprint, splits = seals.read(a.fingerprint), seals.read(a.splits)
    out = Path(a.out or f"results/models/{a.method}/fold-{a.fold}")
    out.mkdir(parents=True, exist_ok=True)
    checkpoint = Path(a.checkpoints) / a.method / f"fold-{a.fold}.npz"
    segmenter = frozen.create(Predict())
    fraction = train.validation_fraction if entry.network else 0.0
    held = (fraction, train.validation_seed)
    if segmenter.file != entry.file:  # Snakemake waits for the second, whatever the segmenter writes
        raise RefoldError(
            f"workflow/refold/methods/{entry.kind}.py: {type(entry).__name__} has file = {entry.file!r}, "
            f"{type(segmenter).__name__} {segmenter.file!r}; make them equal"
        )
    with open_fold(a.method, a.fold, a.preprocessed, splits, description, fingerprint, *held, checkpoint, key) as fold:
        for text in (unseen := fold.unseen()):
            log.get().warning(text)
        facts = segmenter.fit(fold)
        worth = score.measured(segmenter, fold)
        if poor := worth.warnings():
            log.get().info("{cases} {where}: mean Dice {dice}, of nothing {dice_of_nothing}".format(**worth.to_json()))
        segmenter.warnings += poor
        for text in segmenter.warnings:
            log.get().warning(text)
        segmenter.save(out)
        history = out / "history.csv"
        _write_history(history, segmenter.history, description.labels.foreground)
        card = {
            "method": a.method,
            "kind": entry.kind,
            "fold": a.fold,
            "hashes": {**found, "model": sha256_file(out / segmenter.file), "history": sha256_file(history)},
            "versions": used,
            "machine": here,
            "training": {
                **facts,
                "cases": sorted(fold.training),
                "inner_validation": sorted(fold.validation),
                "score": worth.to_json(),
            },
            "statistics": fold.statistics.to_json(),
            "warnings": [*doubts, *unseen, *segmenter.warnings],
        }
    seals.write(out / "card.json", card)
    checkpoint.unlink(missing_ok=True)
    if checkpoint.parent.is_dir() and not os.listdir(checkpoint.parent):
        checkpoint.parent.rmdir()
    return command.Job(stamps, [sources.kind(entry.kind)])


def versions() -> dict[str, str]:
    """Of Python and the packages that decide what is learnt."""
    packages = ["numpy", "scipy", "scikit-image", "scikit-learn", "h5py", "keras", "tensorflow"]
    found = {"python": platform.python_version()}
    for package in packages:
        names = (package, f"{package}-cpu")
        found[package] = next((v for n in names if (v := _version(n))), "unknown")
    return found


def _version(package: str) -> str | None:
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return None


def _write_history(path: Path, history: list[dict], labels: tuple[str, ...]) -> None:
    nan = float("nan")
    columns = ["epoch", "learning_rate", "loss", "validation_loss", "validation_dice"]
    columns += [f"validation_dice_{name}" for name in labels]
    rows = []
    for row in history:
        dice = row.get("dice", [nan] * len(labels))
        known = [d for d in dice if d == d]
        rows.append(
            {
                **{c: row.get(c, nan) for c in columns[:4]},
                # a rate can be smaller than the tables' six decimals
                "learning_rate": f"{row['learning_rate']:.6g}",
                "validation_dice": sum(known) / len(known) if known else nan,
                **{f"validation_dice_{n}": d for n, d in zip(labels, dice, strict=True)},
            }
        )
    write_csv(path, columns, rows)


if __name__ == "__main__":
    command.run(main)
