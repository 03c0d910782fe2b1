"""``python -m refold.predict --method NAME --fold K``: label maps of a fold's test cases, on their own grid."""

from __future__ import annotations

import argparse
from pathlib import Path
from typing import Any

import numpy as np

from refold.core import log, seals, sources
from refold.core.errors import RefoldError
from refold.core.files import sha256_file, sha256_json
from refold.core.paths import CASES, DATASET, FINGERPRINT, PARAMS, PREPROCESSED, SPLITS
from refold.imaging import cases, geometry, images, place, store
from refold.imaging.dataset import Description
from refold.imaging.intensity import Statistics
from refold.imaging.record import Record
from refold.imaging.splits import tested as tested_on
from refold.methods.base import no_channel
from refold.methods.derived import Composition, Member, composition
from refold.methods.external import External
from refold.methods.frozen import Entry, settings, thaw_all
from refold.predict import external, postprocess
from refold.predict.models import Model, mean_probabilities
from refold.run import command, machine, seen
from refold.settings.names import HOLDOUT
from refold.settings.predict import Predict
from refold.settings.stamps import Stamps
from refold.train.score import Score

PROBABILITIES = "probabilities"  # folder beside the label maps


def main() -> command.Job:
    parser = argparse.ArgumentParser(prog="python -m refold.predict", description=__doc__)
    parser.add_argument("--method", required=True)
    parser.add_argument(
        "--fold", required=True, help="a fold's number, or `holdout`: the held-out test cases, by the mean of --models"
    )
    parser.add_argument("--models", nargs="+", help="files of the models; default results/models/<method>/fold-<k>")
    parser.add_argument("--params", default=PARAMS, help="folder of the frozen sections")
    parser.add_argument("--cases", default=CASES)
    parser.add_argument("--dataset", default=DATASET)
    parser.add_argument("--fingerprint", default=FINGERPRINT)
    parser.add_argument("--preprocessed", default=PREPROCESSED)
    parser.add_argument("--splits", default=SPLITS)
    parser.add_argument("--place", default=place.FILE, help="tells where another program's label maps lie")
    parser.add_argument("--out", help="folder of the predictions; default results/predictions/<method>/fold-<k>")
    return run(parser.parse_args())


class Output:
    """The folder of a fold's predictions; what is half done in it has no manifest."""

    def __init__(self, folder: Path, description: Description):
        self.folder, self.description = folder, description
        self._ending = ".nii.gz" if description.dimension == 3 else ".png"
        self._values, self._rule = np.array(description.labels.values), description.rule()
        smallest = np.min_scalar_type(self._values.max())
        self._kind = smallest if self._values.min() >= 0 else np.int16

    def begin(self) -> None:
        (self.folder / "predictions.json").unlink(missing_ok=True)
        self.folder.mkdir(parents=True, exist_ok=True)

    def write(self, case: str, indices: np.ndarray, record: Record) -> dict[str, Any]:
        """Write the label indices (x, y[, z]) of a case; its entry in the manifest."""
        path = self.folder / f"{case}{self._ending}"
        values, affine = self._values[indices].astype(self._kind), np.array(record.raw_affine)
        images.write_label(path, values[..., 0] if record.flat else values, affine, self._rule)
        return {"file": path.name, "sha256": sha256_file(path)}

    def write_probabilities(self, case: str, probabilities: np.ndarray, record: Record) -> tuple[np.ndarray, dict]:
        """The label indices (x, y[, z]) on the case's own grid, and the entry of the probabilities, which it writes."""
        path = self.folder / PROBABILITIES / f"{case}{images.PROBABILITY_SUFFIX[self.description.dimension]}"
        labels = len(self._values) - 1
        with images.probability_writer(path, record.raw_shape, labels, np.array(record.raw_affine)) as write:
            indices = geometry.to_original(probabilities, record, lambda i, p: write(p) if i else None)
        name = path.relative_to(self.folder).as_posix()
        return indices, {"probabilities": {"file": name, "sha256": sha256_file(path)}}

    def end(self, method: str, fold: str, done: dict[str, dict[str, Any]], **more: Any) -> None:
        """Write the manifest, and remove what is not in it."""
        kept = {f["file"] for v in done.values() for f in (v, v.get("probabilities")) if f}
        for path in sorted(self.folder.rglob("*"), reverse=True):
            if path.is_dir():
                if not any(path.iterdir()):
                    path.rmdir()
            elif path.relative_to(self.folder).as_posix() not in kept:
                path.unlink()  # a case of an earlier split
        about = {"method": method, "fold": fold if fold == HOLDOUT else int(fold), "cases": done, **more}
        seals.write(self.folder / "predictions.json", about)


def _load(folder: Path, part: Member, entry: Entry, predict: Predict, split: str) -> Model:
    card = seals.read(folder / "card.json")
    if card["method"] != part.method:
        raise RefoldError(f"{folder / 'card.json'} is of method {card['method']!r}, not {part.method!r}; train again")
    if card["hashes"]["split"] != split:
        raise RefoldError(f"{folder} was trained on another split than results/splits.json; train again")
    segmenter = entry.create(part.predict.apply_to(predict))
    seals.check(folder / segmenter.file, card["hashes"]["model"], folder / "card.json")
    segmenter.load(folder, card)
    return Model(part.method, segmenter, Statistics.from_json(card["statistics"]), card, part.missing)


def _wanted(splits: dict[str, Any], fold: str, cards: list[dict[str, Any]]) -> list[str]:
    """Cases to predict; asserted that no model has seen one of them."""
    wanted = tested_on(splits, fold)
    patients = splits["patients"]
    tested = {patients[c] for c in wanted}
    for card in cards:
        seen = [c for k in ("cases", "inner_validation") for c in card["training"][k] if patients[c] in tested]
        if seen:
            raise RefoldError(
                f"{card['method']} fold {card['fold']} was trained on patients to be predicted: {', '.join(seen[:5])}"
            )
    return sorted(wanted)


def _folders(how: Composition, method: str, fold: str, given: list[str] | None) -> list[tuple[Path, Member]]:
    """(folder of a model, how it predicts) for all models that predict."""
    files = [Path(f) for f in given or []]
    found = []
    for part in how.models:
        mine = {f.parent for f in files if f.parent.parent.name == part.method}
        if not given:
            mine = {Path(f"results/models/{part.method}/fold-{fold}")}
        if not mine:
            raise RefoldError(f"--models names no model of {part.method}, which is a part of {method}")
        found += [(folder, part) for folder in sorted(mine)]
    return found


def _setup(networks: bool, predict: Predict) -> dict[str, Any]:
    """TensorFlow set up where a network predicts; the facts of this machine."""
    if not networks:
        return machine.facts()
    from refold.train.runtime import configure, device

    log.get().info("importing TensorFlow")
    tf = configure(predict.threads, 0, instructions=predict.instructions)
    return machine.facts(predict.instructions, predict.threads, device=device(tf))


def _checked(models: list[Model], method: str, fingerprint: str) -> dict[str, Any]:
    """The hashes that the models share. Raises `RefoldError` where they were not made from the same things."""
    preprocessed, first = sha256_file(fingerprint), models[0].card
    merged: dict[str, Any] = {"code": {}, "params": {}}
    for model in models:
        card = model.card
        if card["hashes"]["preprocess"] != preprocessed:
            where = f"results/models/{model.method}/fold-{card['fold']}"
            raise RefoldError(f"{where} was trained on other data than {fingerprint} describes; train again")
        for group in ("code", "params"):
            for key, value in card["hashes"].get(group, {}).items():
                if merged[group].setdefault(key, value) != value:
                    folds = f"folds {first['fold']} and {card['fold']}"
                    raise RefoldError(f"{method}: {folds} were trained on different {group}; train again")
        for key in ("data", "preprocess"):
            if card["hashes"][key] != first["hashes"][key]:
                folds = f"folds {first['fold']} and {card['fold']}"
                raise RefoldError(f"{method}: {folds} were trained on different {key}; train again")
    shared = {k: v for k, v in first["hashes"].items() if k not in ("model", "history", "code", "params")}
    return {**shared, **merged}


def run(a: argparse.Namespace) -> command.Job:
    stamps = Stamps(a.params)
    entries, predict = thaw_all(stamps, a.method), stamps.read(Predict)
    methods = settings(entries)
    how = composition(methods, a.method)
    job = command.Job(stamps, [sources.kind(methods[name].kind) for name in how.entries])
    splits, description = seals.read(a.splits), Description.read(a.dataset)
    output = Output(Path(a.out or f"results/predictions/{a.method}/fold-{a.fold}"), description)
    if isinstance(entry := methods[a.method], External):
        _take_over(a, entry, stamps, splits, output)
        return job
    wanted_models = _folders(how, a.method, a.fold, a.models)
    here = _setup(any(methods[part.method].network for part in how.models), predict)
    doubts = machine.doubts(here["instructions"], "predict.instructions")
    for text in doubts:
        log.get().warning(text)
    split = sha256_file(a.splits)
    models = [_load(f, part, entries[part.method], predict, split) for f, part in wanted_models]
    for model in models:
        if beyond := [c for c in model.missing if c >= len(description.channels)]:
            raise RefoldError(f"methods.{a.method}: {no_channel(beyond[0], 'the data set', len(description.channels))}")
        if len(model.missing) == len(description.channels):
            raise RefoldError(f"methods.{a.method}: no channel would be left of {model.method}; leave one out")
    hashes = _checked(models, a.method, a.fingerprint)
    hashes["params"] |= {
        **{f"methods.{n}": sha256_json(stamps.frozen(f"methods.{n}")) for n in how.entries},
        "predict": sha256_json(stamps.frozen("predict")),
    }
    fingerprint = seals.read(a.fingerprint)
    wanted = _wanted(splits, a.fold, [m.card for m in models])

    def stored_case(case: str):
        return store.open(a.preprocessed, case, fingerprint["cases"][case]["sha256"])

    # of methods that only decide, the mean of several decisions would look like a probability
    keep = predict.keep_probabilities and not any(methods[m.method].decides for m in models)
    output.begin()
    chosen, warnings = postprocess.choose(methods, how, models, stored_case, description.labels)
    for model in models:
        if model.method != a.method:  # the report shows its own card's warnings beside a method
            name = f"{model.method} fold {model.card['fold']}"
            model.segmenter.warnings += Score.told(name, model.card["training"].get("score"))
    warnings += _told(models)
    done = {}
    for case in log.progress(wanted, f"{a.method} fold {a.fold}: predict", len(wanted)):
        with stored_case(case) as stored:
            image, record = stored.image[...], stored.record
        probabilities = mean_probabilities(models, image)
        more: dict[str, Any] = {}
        warnings += _told(models, case)
        if keep:
            indices, more = output.write_probabilities(case, probabilities, record)
        else:
            indices = geometry.to_original(probabilities, record)
        for choice in chosen:
            indices = choice.apply(indices, record.raw_spacing)
        done[case] = output.write(case, indices, record) | more
    alone = len(how.models) == 1
    output.end(
        a.method,
        a.fold,
        done,
        hashes={
            **hashes,
            "models": {
                str(m.card["fold"]) if alone else f"{m.method}/{m.card['fold']}": m.card["hashes"]["model"]
                for m in models
            },
        },
        machine=here,
        postprocessing=[c.to_json(description.labels) for c in chosen],
        warnings=[*doubts, *warnings],
    )
    return job


def _told(models: list[Model], case: str | None = None) -> list[Any]:
    """What the models have warned of since the last call, for the log and for the report."""
    told = list(dict.fromkeys(w for m in models for w in m.segmenter.warnings))
    for model in models:
        model.segmenter.warnings.clear()
    for text in told:
        log.get().warning(f"{case}: {text}" if case else text)
    return [{"case": case, "message": text} for text in told] if case else told


def _take_over(a: argparse.Namespace, entry: External, stamps: Stamps, splits: dict[str, Any], output: Output) -> None:
    """Another program's label maps as predictions."""
    fingerprint = seals.read(a.fingerprint)

    def record_of(case: str) -> Record:
        with store.open(a.preprocessed, case, fingerprint["cases"][case]["sha256"]) as stored:
            return stored.record

    wanted = _wanted(splits, a.fold, [])
    output.begin()
    entry = entry.model_copy(update={"folder": place.Place.read(a.place).folder(a.method)})
    notes = seen.Seen(seen.of_method(a.method, a.fold))
    done, read = external.gather(a.method, entry, a.fold, wanted, output.description, record_of, output.write, notes)
    notes.save()
    text = (
        f"methods.{a.method}: label maps of {entry.program}; refold cannot know whether it was trained on the cases "
        "that it is tested on here"
    )
    log.get().warning(text)
    output.end(
        a.method,
        a.fold,
        done,
        hashes={
            "data": cases.checked(a.cases, output.description, a.dataset),
            "split": sha256_file(a.splits),
            "preprocess": sha256_file(a.fingerprint),
            "code": {},
            "params": {f"methods.{a.method}": sha256_json(stamps.frozen(f"methods.{a.method}"))},
            "models": read,
        },
        machine=machine.facts(),
        postprocessing=[],
        warnings=[text],
    )


if __name__ == "__main__":
    command.run(main)
