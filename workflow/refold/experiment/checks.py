"""Combinations of values in ``params.yaml`` that cannot work, each valid for itself."""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Collection, Iterator, Sequence
from contextlib import suppress
from itertools import product
from typing import Any

from refold.core.errors import RefoldError
from refold.experiment.params import Params
from refold.methods.derived import Derived
from refold.methods.network import Network
from refold.methods.prediction import Prediction
from refold.settings import names
from refold.settings.base import nearest
from refold.settings.changes import Changes
from refold.settings.dataset import KNOWN
from refold.settings.train import Train

WEIGHTED = ("ce", "ce_dice", "focal", "focal_dice")  # losses that know class weights


def _data_dimension(p: Params) -> int | None:
    """Axes of the data as far as params.yaml tells."""
    if p.dataset.source is None:
        return 3  # the phantom and all Decathlon tasks
    if isinstance(p.preprocess.spacing, list):
        return len(p.preprocess.spacing)
    networks = [(n, p.network(n)) for n in p.networks]
    patches = [p.train_of(n).patch for n, m in networks if m.dimension == "auto"]
    if patches and len(patches) == len(networks) and all(isinstance(x, list) for x in patches):
        return len(patches[0])
    return None


def _networks(p: Params) -> dict[str, tuple[Network, int | None]]:
    """Each network and its number of axes as far as params.yaml tells."""
    data = _data_dimension(p)
    networks = {name: p.network(name) for name in p.networks}
    return {name: (m, data if m.dimension == "auto" else m.dimension) for name, m in networks.items()}


def _key(p: Params, method: str, section: str, key: str) -> str:
    """Where a method's value stands: under the method if it changes it, otherwise in the section."""
    changes: Changes = getattr(p.methods[method], section)
    return f"methods.{method}.{section}.{key}" if changes.has(key) else f"{section}.{key}"


def _trainings(p: Params) -> Iterator[tuple[Train, Callable[[str], str], str | None]]:
    """Every way in which networks are trained, the name of each of its keys, and whose it is (None: everyone's)."""
    yield p.train, "train.{}".format, None
    for name in p.networks:
        if p.network(name).train.model_fields_set:
            yield p.train_of(name), functools.partial(_key, p, name, "train"), name


def _check_dataset(p: Params) -> Iterator[tuple[str, tuple[str, ...], str]]:
    d, given = p.dataset, ("dataset.name", "dataset.source")
    if d.source is None and d.name not in KNOWN:
        guess = nearest(d.name, KNOWN)
        yield given[0], given, f"{d.name!r} is not known{guess}; without dataset.source, allowed are {', '.join(KNOWN)}"
    if d.source is not None and d.name == "phantom":
        yield given[0], given, "phantom is the embedded data, but dataset.source is given; give your data another name"
    if d.patient_pattern and d.patient_table:
        key = "dataset.patient_pattern"
        yield (
            key,
            (key, "dataset.patient_table"),
            "it and patient_table exclude each other; keep one, set the other to null",
        )
    if d.phantom.second_scans > d.phantom.patients:
        keys = ("dataset.phantom.second_scans", "dataset.phantom.patients")
        yield (
            keys[0],
            keys,
            f"{d.phantom.second_scans} is more than the {d.phantom.patients} patients; at most that many",
        )
    if d.source is None and d.name in KNOWN:
        channels, labels = KNOWN[d.name]
        modes = p.preprocess.normalisation
        if isinstance(modes, list) and len(modes) != channels:
            key = "preprocess.normalisation"
            yield (
                key,
                (key, *given),
                f"{len(modes)} entries, {d.name} has {channels} channel(s); one for each, or one word for all",
            )
        for t, key_of, _ in _trainings(p):
            weights, key = t.loss.class_weights, key_of("loss.class_weights")
            if weights is not None and len(weights) != labels:
                yield (
                    key,
                    (key, *given),
                    f"{len(weights)} numbers, {d.name} has {labels} labels, the background counted; one for each",
                )
        for name, m in p.methods.items():
            for key, text in m.unsuited(d.name, channels, labels):
                yield f"methods.{name}.{key}", (f"methods.{name}", *given), text


def _check_split(p: Params) -> Iterator[tuple[str, tuple[str, ...], str]]:
    s, d = p.split, p.dataset
    if s.kind == "file" and s.file is None:
        yield "split.file", ("split.file", "split.kind"), "missing; with kind file, give the JSON file with the folds"
    if s.kind != "file" and s.file is not None:
        yield (
            "split.file",
            ("split.file", "split.kind"),
            f"kind is {s.kind}, so the file would not be read; set kind: file, or file: null",
        )
    if s.kind != "file" and s.folds == 1:
        yield (
            "split.folds",
            ("split.folds", "split.kind"),
            f"1 is not allowed with kind {s.kind}; at least 2, or give one training and test split with kind file",
        )
    if s.kind == "file" and s.repeats != 1:
        yield (
            "split.repeats",
            ("split.repeats", "split.kind"),
            f"{s.repeats} is not allowed; with kind file it is 1, the file holds all folds",
        )
    if s.kind == "file" and s.test_fraction:
        yield (
            "split.test_fraction",
            ("split.test_fraction", "split.kind"),
            f"{s.test_fraction:g} is not allowed; with kind file it is 0, `holdout` in the file names the test set",
        )
    if isinstance(s.run_folds, list) and (wrong := [f for f in s.run_folds if f >= s.folds * s.repeats]):
        yield (
            "split.run_folds",
            ("split.run_folds", "split.folds", "split.repeats"),
            f"there is no fold {', '.join(map(str, wrong))}; allowed are 0 to {s.folds * s.repeats - 1} (folds x "
            "repeats - 1)",
        )
    if d.source is None and d.name == "phantom" and s.kind != "file":
        patients = d.phantom.patients
        left = patients - (max(1, round(patients * s.test_fraction)) if s.test_fraction else 0)
        rests = ("split.folds", "split.kind", "split.test_fraction", "dataset")
        if s.folds == 1:
            pass
        elif s.folds > left:
            out = f", {patients - left} of {patients} being held out" if left < patients else ""
            yield "split.folds", rests, f"{s.folds} is more than the {left} patients there are{out}; at most {left}"
        elif s.run_folds == "all" and p.networks:
            taught = left - math.ceil(left / s.folds)
            for t, key_of, _ in _trainings(p):
                share, key = t.validation_fraction, key_of("validation_fraction")
                if share and max(1, round(share * taught)) >= taught:
                    yield (
                        key,
                        (key, "methods", *rests),
                        f"{share:g} of {taught} training patients leaves none to train on; lower it",
                    )


def _check_train(p: Params) -> Iterator[tuple[str, tuple[str, ...], str]]:
    for t, key_of, name in _trainings(p):
        yield from _check_training(p, t, key_of, [name] if name else p.networks)


def _check_training(
    p: Params, t: Train, key_of: Callable[[str], str], networks: list[str]
) -> Iterator[tuple[str, tuple[str, ...], str]]:
    key = key_of("early_stopping")
    if t.early_stopping is not None:
        if t.validation_fraction == 0:
            yield (
                key,
                (key, key_of("validation_fraction")),
                "needs validation_fraction over 0: it looks at the inner validation, never at the fold reported",
            )
        # the first validation sets the mark; one after the last epoch has nothing left to stop
        most = (t.epochs - 1) // t.validate_every - 1
        if t.early_stopping > most:
            rests = (key, key_of("epochs"), key_of("validate_every"))
            if t.validate_every >= t.epochs:
                text = (
                    f"validate_every {t.validate_every} leaves one validation in {t.epochs} epochs, at their "
                    "end; lower it"
                )
            else:
                times = f"in {t.epochs} epochs, one validation every {t.validate_every}"
                text = f"{t.early_stopping} can never be reached {times}; "
                text += f"at most {most}, or a smaller validate_every" if most >= 1 else "lower validate_every"
            yield key, rests, text
    # whether bfloat16 goes to oneDNN TensorFlow asks the processor: AVX2 and AVX-512 part ways in spite of the pin
    for key, value in ((key_of("instructions"), t.instructions), ("predict.instructions", p.predict.instructions)):
        if t.precision == "bfloat16" and value != "native" and networks:
            yield (
                key,
                (key, key_of("precision"), "methods"),
                f"{value} cannot be kept with {key_of('precision')} bfloat16, which every processor computes in its "
                "own way; set it to native, or the precision to float32",
            )
    if t.warmup_epochs > t.epochs:
        yield (
            key_of("warmup_epochs"),
            (key_of("warmup_epochs"), key_of("epochs")),
            f"{t.warmup_epochs:g} is more than the {t.epochs} epochs there are; at most that many",
        )
    if t.loss.class_weights is not None and t.loss.kind not in WEIGHTED:
        yield (
            key_of("loss.class_weights"),
            (key_of("loss.class_weights"), key_of("loss.kind")),
            f"only the cross-entropy and focal losses have weights, and kind is {t.loss.kind}; set kind: "
            f"{', '.join(WEIGHTED[:-1])} or {WEIGHTED[-1]}, or class_weights: null",
        )
    if t.loss.kind in ("tversky", "focal_tversky") and t.loss.tversky_alpha == t.loss.tversky_beta == 0:
        yield (
            key_of("loss.tversky_beta"),
            (key_of("loss.tversky_alpha"), key_of("loss.tversky_beta"), key_of("loss.kind")),
            "0, and tversky_alpha too, so that no mistake costs anything; give one of them a weight over 0",
        )


def _check_methods(p: Params) -> Iterator[tuple[str, tuple[str, ...], str]]:
    for name, m in p.methods.items():
        if isinstance(m, Derived):
            try:
                p.composition(name)
                if isinstance(m, Prediction) and not p.uses_networks(name):
                    raise RefoldError(f"{m.of} has no network, and others predict the same whatever `predict` says")
            except RefoldError as error:
                yield f"methods.{name}.{m.where}", ("methods",), str(error)
        for key, text in m.faults():
            yield f"methods.{name}.{key}", (f"methods.{name}",), text
        if not isinstance(m, Network) or not p.train_of(name).deep_supervision:
            continue
        key = _key(p, name, "train", "deep_supervision")
        if not m.deep_supervision:
            yield (
                key,
                (key, f"methods.{name}"),
                f"methods.{name}, {m.kind}, has but one output; give that method `train: {{deep_supervision: false}}`",
            )
        elif m.planned_stages != "auto" and m.planned_stages < 4:
            yield (
                key,
                (key, f"methods.{name}.stages"),
                f"methods.{name} has {m.planned_stages} stages, which leaves no coarser resolution to supervise; set "
                "it to false, or at least 4 stages",
            )


def _predictions(p: Params, networks: dict[str, Any]) -> Iterator[tuple[dict[str, Any], str, dict[str, Any]]]:
    """(what is set, its section, the networks that it is for) of `predict` and of each method that predicts anew."""
    yield p.predict.model_dump(), "predict", networks
    for name, m in p.methods.items():
        if isinstance(m, Prediction):
            with suppress(RefoldError):  # told by `_check_methods`
                parts = {part.method for part in p.composition(name).models}
                yield (
                    m.predict.model_dump(),
                    f"methods.{name}.predict",
                    {n: v for n, v in networks.items() if n in parts},
                )


def _check_names(p: Params) -> Iterator[tuple[str, tuple[str, ...], str]]:
    for name in p.methods:
        if text := names.taken(name, names.OWN_METHODS):
            yield f"methods.{name}", (f"methods.{name}",), f"the name {text}; choose another"
    for name in p.evaluate.regions:
        if text := names.fault(name) or names.taken(name):
            yield f"evaluate.regions.{name}", ("evaluate.regions",), f"the name {text}; choose another"


def _check_axes(p: Params) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """Numbers of axes that contradict each other, and patches that cannot be pooled."""
    data, networks = _data_dimension(p), _networks(p)
    spacing = p.preprocess.spacing
    rests: tuple[str, ...] = ("dataset.source", "preprocess.spacing")
    if p.dataset.source is None and isinstance(spacing, list) and len(spacing) != 3:
        yield rests[1], rests, f"{len(spacing)} numbers, {p.dataset.name} has 3 axes; give [x, y, z]"
        return
    for name, (m, axes) in networks.items():
        key, patch, patch_key = f"methods.{name}", p.train_of(name).patch, _key(p, name, "train", "patch")
        if data is not None and axes is not None and axes > data:
            rests = (f"{key}.dimension", "dataset.source", "preprocess.spacing")
            yield rests[0], rests, f"{axes} is not allowed; preprocess.spacing has {data} numbers, for {data}-D data"
            continue
        if isinstance(patch, list):
            rests = (patch_key, "dataset.source", "preprocess.spacing", f"{key}.dimension", f"{key}.stages")
            if axes is not None and len(patch) != axes:
                yield rests[0], rests, f"{patch} has {len(patch)} numbers, {key} is {axes}-D; give {axes}, or auto"
            elif fault := _unpoolable(patch, m, spacing):
                yield rests[0], rests, f"{fault}; for {key}"
    flat: list[tuple[str, Collection[str], dict[str, Any]]] = [("augment.flip.axes", p.augment.flip.axes, networks)]
    for predict, of, these in _predictions(p, networks):
        tile: Any = predict.get("tile")
        for name, (_, axes) in these.items() if isinstance(tile, list) else ():
            key = f"methods.{name}"
            patch_key = _key(p, name, "train", "patch")
            rests = (f"{of}.tile", "dataset.source", "preprocess.spacing", patch_key, f"{key}.dimension")
            sliced = axes == 2 and data in (3, None)  # predicts slice by slice, whatever the tile
            if axes is not None and not sliced and len(tile) != axes:
                yield rests[0], rests, f"{tile} has {len(tile)} numbers, {key} is {axes}-D; give {axes}, or auto"
            elif axes == 2 and data == 3 and len(these) == 1:
                yield rests[0], rests, f"{key} is 2-D and predicts whole slices of 3-D data; write auto"
        flat.append((f"{of}.mirror_axes", predict.get("mirror_axes", ()), these))
    for key, letters, these in flat:
        if "z" in letters and these and all(dimension == 2 for _, dimension in these.values()):
            rests = (key, "methods", "preprocess.spacing", "train.patch", "dataset.source")
            yield key, rests, "z is no axis of a 2-D network; allowed: x, y"


def _unpoolable(patch: list[int], network: Network, spacing: str | list[float]) -> str | None:
    """Why this network cannot take this patch; None if it may.

    How an axis is pooled depends on how coarse it is beside the others. Where the spacing is not known yet, one of all
    orders of coarseness has to do.
    """

    def fault(mm: Sequence[float]) -> str | None:
        try:
            network.plan({"median": {"shape": patch, "spacing": mm}}, len(patch), patch)
        except RefoldError as error:
            return str(error).removeprefix("train.patch: ")
        return None

    if isinstance(spacing, list):
        return fault(spacing[: len(patch)])
    known = fault([1.0] * len(patch))
    if known is None:
        return None
    # pooling compares with factors of two; thirds of one put three axes into every order
    steps = [2 ** (i / 3) for i in range(22)]
    others = (mm for mm in product(steps, repeat=len(patch)) if min(mm) == 1)
    return None if any(fault(mm) is None for mm in others) else known


def combinations(p: Params) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """(key, all keys it rests on, what is wrong) for each combination that cannot work."""
    for check in (_check_dataset, _check_split, _check_train, _check_methods, _check_names, _check_axes):
        yield from check(p)
