"""``python -m refold.predict --method NAME --fold K``: label maps of a fold's test cases, on their own grid."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from refold.core import cases, errors, geometry, images, intensity, log, machine, store
from refold.core.errors import RefoldError
from refold.core.files import read_json, sha256_file, sha256_json, write_json
from refold.core.intensity import Statistics
from refold.core.params import NETWORKS, Augment, Stamps, Train
from refold.train.segmenters import Segmenter, create

HOLDOUT = "holdout"


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m refold.predict", description=__doc__)
    parser.add_argument("--method", required=True)
    parser.add_argument(
        "--fold", required=True, help="a fold's number, or `holdout`: the held-out test cases, by the mean of --models"
    )
    parser.add_argument("--models", nargs="+", help="files of the models; default results/models/<method>/fold-<k>")
    parser.add_argument("--params", default="results/.params", help="folder of the frozen sections")
    parser.add_argument("--cases", default=cases.CASES)
    parser.add_argument("--dataset", default=cases.DATASET)
    parser.add_argument("--fingerprint", default="data/fingerprint.json")
    parser.add_argument("--preprocessed", default="data/preprocessed")
    parser.add_argument("--splits", default="results/splits.json")
    parser.add_argument("--out", help="folder of the predictions; default results/predictions/<method>/fold-<k>")
    run(parser.parse_args())


def _load(
    folder: Path, method: str, entry: Any, predict: Any, split: str
) -> tuple[Segmenter, Statistics, dict[str, Any]]:
    card = read_json(folder / "card.json")
    if card["method"] != method:
        raise RefoldError(f"{folder / 'card.json'} is of method {card['method']!r}, not {method!r}; train again")
    if card["hashes"]["split"] != split:
        raise RefoldError(f"{folder} was trained on another split than results/splits.json; train again")
    segmenter = create(entry, Train(), Augment(), predict)
    if sha256_file(folder / segmenter.file) != card["hashes"]["model"]:
        raise RefoldError(f"{folder / segmenter.file} is not the model that card.json describes; train again")
    segmenter.load(folder, card)
    return segmenter, Statistics.from_json(card["statistics"]), card


def _wanted(splits: dict[str, Any], fold: str, cards: list[dict[str, Any]]) -> list[str]:
    """Cases to predict; asserted that no model has seen one of them."""
    if fold == HOLDOUT:
        wanted = splits["holdout"]
        if not wanted:
            raise RefoldError("results/splits.json holds out no test cases; set split.test_fraction")
    else:
        entry = next((f for f in splits["folds"] if str(f["fold"]) == fold), None)
        if entry is None:
            raise RefoldError(f"results/splits.json has no fold {fold}")
        wanted = entry["test"]
    patients = splits["patients"]
    tested = {patients[c] for c in wanted}
    for card in cards:
        seen = [c for k in ("cases", "inner_validation") for c in card["training"][k] if patients[c] in tested]
        if seen:
            raise RefoldError(
                f"{card['method']} fold {card['fold']} was trained on patients to be predicted: {', '.join(seen[:5])}"
            )
    return sorted(wanted)


def run(a: argparse.Namespace) -> None:
    stamps = Stamps(a.params)
    entry, predict = stamps.method(a.method), stamps.read("predict").predict
    files = a.models or [f"results/models/{a.method}/fold-{a.fold}/card.json"]
    folders = sorted({Path(file).parent for file in files})
    if entry.kind in NETWORKS:
        from refold.train.runtime import configure, device

        log.get().info("importing TensorFlow")
        tf = configure(predict.threads, 0, instructions=predict.instructions)
        here = machine.facts(predict.instructions, predict.threads, device=device(tf))
    else:
        here = machine.facts()
    doubts = machine.doubts(here["instructions"], "predict.instructions")
    for text in doubts:
        log.get().warning(text)
    split = sha256_file(a.splits)
    models = [_load(f, a.method, entry, predict, split) for f in folders]
    cards = [m[2] for m in models]
    splits, description = read_json(a.splits), cases.Description.read(a.dataset)
    fingerprint, preprocessed = read_json(a.fingerprint), sha256_file(a.fingerprint)
    for folder, card in zip(folders, cards, strict=True):
        if card["hashes"]["preprocess"] != preprocessed:
            raise RefoldError(f"{folder} was trained on other data than {a.fingerprint} describes; train again")
    wanted = _wanted(splits, a.fold, cards)
    out = Path(a.out or f"results/predictions/{a.method}/fold-{a.fold}")
    manifest = out / "predictions.json"
    manifest.unlink(missing_ok=True)  # what is half done has no manifest
    out.mkdir(parents=True, exist_ok=True)
    ending = ".nii.gz" if description.dimension == 3 else ".png"
    values = np.array(description.labels.values)
    kind = np.min_scalar_type(values.max()) if values.min() >= 0 else np.int16
    done = {}
    for case in log.progress(wanted, f"{a.method} fold {a.fold}: predict", len(wanted)):
        with store.open(a.preprocessed, case, fingerprint["cases"][case]["sha256"]) as stored:
            image, record = stored.image[...], stored.record
        total = None
        for segmenter, statistics, _ in models:
            p = segmenter.predict_proba(intensity.apply(image, statistics))
            # in place: a large volume's probabilities may lie in a file
            total = p if total is None else np.add(total, p, out=total)
        if len(models) > 1:
            total /= np.float32(len(models))
        indices = geometry.to_original(total, record)
        path = out / f"{case}{ending}"
        images.write_label(path, values[indices].astype(kind), np.array(record.raw_affine))
        done[case] = {"file": path.name, "sha256": sha256_file(path)}
    for path in out.iterdir():
        if path.name not in {v["file"] for v in done.values()}:
            path.unlink()  # a case of an earlier split
    warnings = sorted({w for s, _, _ in models for w in getattr(getattr(s, "model", None), "warnings", [])})
    first = cards[0]["hashes"]
    for card in cards[1:]:
        for key in ("data", "preprocess", "params"):
            if card["hashes"][key] != first[key]:
                folds = f"folds {cards[0]['fold']} and {card['fold']}"
                raise RefoldError(f"{a.method}: {folds} were trained on different {key}; train again")
    write_json(
        manifest,
        {
            "method": a.method,
            "fold": a.fold if a.fold == HOLDOUT else int(a.fold),
            "hashes": {
                **{k: v for k, v in first.items() if k != "model"},
                "params": {**first["params"], "predict": sha256_json(predict.model_dump(mode="json"))},
                "models": {str(c["fold"]): c["hashes"]["model"] for c in cards},
            },
            "machine": here,
            "cases": done,
            "warnings": [*doubts, *warnings],
        },
    )


if __name__ == "__main__":
    errors.run(main)
