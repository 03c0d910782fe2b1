"""The one typed model of ``params.yaml``: defaults, descriptions, checks.

Every section is one phase's. ``workflow/params.schema.json`` and ``docs/params.md`` are made from this file::

    python -m refold.core.params [FILE]    check an experiment
    python -m refold.core.params --schema  print the JSON schema
    python -m refold.core.params --docs    print the page of the documentation
"""

from __future__ import annotations

import argparse
import copy
import functools
import json
import math
import re
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import suppress
from itertools import product
from pathlib import Path
from typing import Annotated, Any, Union, get_args

from pydantic import Field, ValidationError
from pydantic.json_schema import GenerateJsonSchema

from refold.core import explain, names, yamlfile
from refold.core.errors import AT_END, RefoldError, run
from refold.core.explain import Words, nearest
from refold.core.files import read_json, write_text
from refold.core.sections import (
    KNOWN,
    METHOD_NAME,
    Augment,
    Changes,
    Dataset,
    Evaluate,
    Predict,
    Preprocess,
    Report,
    Section,
    Split,
    Train,
)  # fmt: skip
from refold.methods import kinds
from refold.methods.base import Answer, Settings, answer

KINDS = kinds()
PLACES = (("dataset", "source"), ("dataset", "patient_table"), ("split", "file"))  # keys that say where files lie
GIVEN = "given in params.yaml"  # stands for such a path wherever parameters are kept or shown
WEIGHTED = ("ce", "ce_dice", "focal", "focal_dice")  # losses that know class weights
Method = Annotated[Union[tuple(KINDS.values())], Field(discriminator="kind")]  # noqa: UP007


def without_places(values: dict[str, Any]) -> None:
    """In sections as plain values, valid or not, say where files lie no more than that it is given."""
    methods = values.get("methods")
    entries = [e for e in methods.values() if isinstance(e, dict)] if isinstance(methods, dict) else []
    found = [(e, key) for e in entries if (kind := KINDS.get(str(e.get("kind")))) for key in kind.places]
    found += [(values[section], key) for section, key in PLACES if isinstance(values.get(section), dict)]
    for section, key in found:
        if section.get(key) is not None:
            section[key] = GIVEN


class Params(Section):
    """An experiment of refold: everything that its numbers depend on."""

    dataset: Dataset = Field(Dataset(), description="Which data.")
    preprocess: Preprocess = Field(Preprocess(), description="From raw images to arrays.")
    split: Split = Field(Split(), description="Who is trained on, who is tested on.")
    train: Train = Field(Train(), description="How networks are trained.")
    augment: Augment = Field(Augment(), description="Random changes of the training patches.")
    methods: dict[
        Annotated[
            str,
            Field(pattern=METHOD_NAME, max_length=60),
            Words("small letters, digits, `_` and `-`, a letter or digit first, at most 60 in all"),
        ],
        Method,
    ] = Field(
        {"unet": KINDS["unet"]()},
        min_length=1,
        json_schema_extra={"additionalProperties": False},
        description="The methods compared: a name of your choice, then its kind and parameters. What tables would take "
        "for something else is no name: a number, `all`, `mean`, `holdout`, `incomplete`, `na`, `nan`, `none`, `null`, "
        "`true`, `false`.",
    )
    predict: Predict = Field(Predict(), description="From models to label maps.")
    evaluate: Evaluate = Field(Evaluate(), description="Metrics and statistics.")
    report: Report = Field(Report(), description="The report.")

    def train_of(self, name: str) -> Train:
        """How this network is trained: the section `train` with its own changes."""
        return self.methods[name].train.on(self.train)

    def augment_of(self, name: str) -> Augment:
        """How its patches are changed: the section `augment` with its own changes."""
        return self.methods[name].augment.on(self.augment)

    @property
    def networks(self) -> list[str]:
        """The methods that are networks."""
        return [name for name, m in self.methods.items() if m.network]

    def frozen_method(self, name: str) -> dict[str, Any]:
        """One method as plain JSON values; a network's with the whole of `train` and `augment` as it is trained.

        A section's value that the method changes for itself may so change without training it anew.
        """
        entry = self.section("methods")[name]
        for key in self.methods[name].places:
            entry[key] = GIVEN
        if self.methods[name].network:
            entry["train"] = self.train_of(name).model_dump(mode="json")
            entry["augment"] = self.augment_of(name).model_dump(mode="json")
        return entry

    def answer(self, name: str) -> Answer:
        """Which models answer for a method, and what becomes of their answer.

        Raises:
            RefoldError: a part of it is no method, a circle, or cannot be averaged.
        """
        return answer(self.methods, name)

    def asks_networks(self, name: str) -> bool:
        """Whether networks answer for a method, alone or together with others. Raises as `answer` does."""
        return any(self.methods[part.method].network for part in self.answer(name).models)

    def section(self, name: str) -> dict[str, Any]:
        """One section as plain JSON values, defaults filled in."""
        return self.model_dump(mode="json")[name]


# ---------------------------------------------------------------- impossible combinations


def _data_dimension(p: Params) -> int | None:
    """Axes of the data as far as params.yaml tells."""
    if p.dataset.source is None:
        return 3  # the phantom and all Decathlon tasks
    if isinstance(p.preprocess.spacing, list):
        return len(p.preprocess.spacing)
    networks = [(n, p.methods[n]) for n in p.networks]
    patches = [p.train_of(n).patch for n, m in networks if m.dimension == "auto"]
    if patches and len(patches) == len(networks) and all(isinstance(x, list) for x in patches):
        return len(patches[0])
    return None


def _networks(p: Params) -> dict[str, tuple[Settings, int | None]]:
    """Each network and its number of axes as far as params.yaml tells."""
    data = _data_dimension(p)
    networks = {name: p.methods[name] for name in p.networks}
    return {name: (m, data if m.dimension == "auto" else m.dimension) for name, m in networks.items()}


def _key(p: Params, method: str, section: str, key: str) -> str:
    """Where a method's value stands: under the method if it changes it, otherwise in the section."""
    changes: Changes = getattr(p.methods[method], section)
    return f"methods.{method}.{section}.{key}" if changes.gives(key) else f"{section}.{key}"


def _trainings(p: Params) -> Iterator[tuple[Train, Callable[[str], str], str | None]]:
    """Every way in which networks are trained, the name of each of its keys, and whose it is (None: everyone's)."""
    yield p.train, "train.{}".format, None
    for name in p.networks:
        if p.methods[name].train.model_fields_set:
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
        if not m.trained:
            try:
                p.answer(name)
                if m.kind == "prediction" and not p.asks_networks(name):
                    raise RefoldError(f"{m.of} has no network, and others answer the same whatever `predict` says")
            except RefoldError as error:
                yield f"methods.{name}.{m.where}", ("methods",), str(error)
        for key, text in m.faults():
            yield f"methods.{name}.{key}", (f"methods.{name}",), text
        if not m.network or not p.train_of(name).deep_supervision:
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
        if m.kind == "prediction":
            with suppress(RefoldError):  # told by `_check_methods`
                parts = {part.method for part in p.answer(name).models}
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
    rests = ("dataset.source", "preprocess.spacing")
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
    flat = [("augment.flip.axes", p.augment.flip.axes, networks)]
    for predict, of, these in _predictions(p, networks):
        tile = predict.get("tile")
        for name, (_, axes) in these.items() if isinstance(tile, list) else ():
            key = f"methods.{name}"
            patch_key = _key(p, name, "train", "patch")
            rests = (f"{of}.tile", "dataset.source", "preprocess.spacing", patch_key, f"{key}.dimension")
            sliced = axes == 2 and data in (3, None)  # answers slice by slice, whatever the tile
            if axes is not None and not sliced and len(tile) != axes:
                yield rests[0], rests, f"{tile} has {len(tile)} numbers, {key} is {axes}-D; give {axes}, or auto"
            elif axes == 2 and data == 3 and len(these) == 1:
                yield rests[0], rests, f"{key} is 2-D and answers whole slices of 3-D data; write auto"
        flat.append((f"{of}.mirror_axes", predict.get("mirror_axes", ()), these))
    for key, axes, these in flat:
        if "z" in axes and these and all(dimension == 2 for _, dimension in these.values()):
            rests = (key, "methods", "preprocess.spacing", "train.patch", "dataset.source")
            yield key, rests, "z is no axis of a 2-D network; allowed: x, y"


def _unpoolable(patch: list[int], network: Settings, spacing: str | list[float]) -> str | None:
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


def _combinations(p: Params) -> Iterator[tuple[str, tuple[str, ...], str]]:
    """(key, all keys it rests on, what is wrong) for each combination that cannot work."""
    for check in (_check_dataset, _check_split, _check_train, _check_methods, _check_names, _check_axes):
        yield from check(p)


# ---------------------------------------------------------------- reading, and messages for people


def _plainly(value: Any, key: str, faults: list[tuple[str, str]]) -> Any:
    """Values as pydantic's strict mode wants them: 1e3 and 20.0 are whole numbers, tuples are lists."""
    if isinstance(value, dict):
        for name in value:
            if not isinstance(name, str):
                faults.append((f"{key}.{name}" if key else str(name), "the key is not text; write a name in quotes"))
        return {k: _plainly(v, f"{key}.{k}" if key else k, faults) for k, v in value.items() if isinstance(k, str)}
    if isinstance(value, list | tuple):
        return [_plainly(v, f"{key}[{i}]", faults) for i, v in enumerate(value)]
    if isinstance(value, float) and math.isfinite(value) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    return value


def _strictly(values: dict[str, Any]) -> Params:
    """No text for a number, no 1 for true; JSON because only there strict mode takes a list for a pair."""
    return Params.__pydantic_validator__.validate_json(json.dumps(values, default=str), strict=True)


def _without(values: dict[str, Any], keys: Iterable[str]) -> dict[str, Any]:
    """Without the keys that are wrong: the defaults stand in for them."""
    values = copy.deepcopy(values)
    for key in keys:
        node, parts = values, key.partition("[")[0].split(".")
        if parts[0] == "methods" and len(parts) > 1:
            # a name may hold no dot if it is right, and a method without its kind is none
            name = key.removeprefix("methods.")
            for known in [m for m in node.get("methods") or () if name == m or name.removesuffix(".kind") == m]:
                del node["methods"][known]
        for part in parts[:-1]:
            node = node.get(part) if isinstance(node, dict) else None
        if isinstance(node, dict):
            node.pop(parts[-1], None)
    if any(key.startswith("methods") for key in keys) and not values.get("methods"):
        values["methods"] = {"unknown": {"kind": "threshold"}}  # the default network was not asked for
    return values


def _touch(a: str, b: str) -> bool:
    return "" in (a, b) or a == b or a.startswith((f"{b}.", f"{b}[")) or b.startswith((f"{a}.", f"{a}["))


def validate(values: Any, source: str = "params.yaml") -> Params:
    """Check a whole experiment.

    Args:
        values: what the file holds.
        source: its name, for the message.

    Raises:
        RefoldError: with every problem, a line each: key, value, what is allowed, nearest valid name.
    """
    return _validate(yamlfile.Document(values, {}, []), source)


def _validate(document: yamlfile.Document, source: str) -> Params:
    if not isinstance(document.values, dict):
        found = explain.shown(document.values)
        raise RefoldError(
            f"{source}: 1 problem\n  - the file must hold sections such as `dataset:` and `train:`, with their keys "
            f"below them, indented; it holds {found}"
        )
    problems = list(document.faults)
    values = _plainly(document.values, "", problems)
    params = None
    try:
        params = _strictly(values)
    except ValidationError as error:
        wrong = explain.problems(Params, error, values)
        problems += wrong
        try:
            params = _strictly(_without(values, [key for key, _ in wrong]))
        except ValidationError:
            params = None
    if params is not None:
        # an unknown key may stand for any other of its section
        no_key = ("unknown key", "the key ", "a key ")
        broken = [key.rpartition(".")[0] if text.startswith(no_key) else key for key, text in problems]
        for key, rests, text in _combinations(params):
            # what rests on a wrong value is looked at once that is right
            if not any(_touch(b, r) for b in broken for r in rests):
                problems.append((key, text))
    if problems:
        problems = sorted(dict.fromkeys(problems), key=lambda p: document.lines.get(p[0], math.inf))
        count = "1 problem" if len(problems) == 1 else f"{len(problems)} problems"
        raise RefoldError("\n".join([f"{source}: {count}", *(_line(k, t, document.lines) for k, t in problems)]))
    return params


def _line(key: str, text: str, lines: dict[str, int]) -> str:
    where = f" (line {lines[key]})" if key in lines and not re.search(r"\blines? \d", text) else ""
    return f"  - {names.visible(key)}: {text}{where}"


def load(path: str | Path = "params.yaml") -> Params:
    """Read and check ``params.yaml``. Raises `RefoldError` listing every problem."""
    try:
        text = Path(path).read_text(encoding="utf-8-sig")
    except FileNotFoundError:
        raise RefoldError(f"{path} is missing; copy one from examples/") from None
    except (OSError, UnicodeDecodeError) as error:
        raise RefoldError(f"{path} cannot be read: {error}; text in UTF-8 is wanted") from None
    try:
        document = yamlfile.parse(text)
    except yamlfile.SyntaxFault as error:
        raise RefoldError(f"{path}: 1 problem\n  - {error}") from None
    if document.values is None:
        raise RefoldError(f"{path} is empty; copy one from examples/")
    return _validate(document, str(path))


# ---------------------------------------------------------------- schema and documentation


class _Untitled(GenerateJsonSchema):
    """Without a title that repeats each key."""

    def field_title_should_be_set(self, schema) -> bool:
        return False


def json_schema() -> str:
    """The JSON schema of ``params.yaml``, as the text of ``params.schema.json``."""
    schema = Params.model_json_schema(schema_generator=_Untitled)
    head = {"$schema": "https://json-schema.org/draft/2020-12/schema", "title": "refold: params.yaml"}
    return (
        json.dumps({**head, **{k: v for k, v in schema.items() if k not in head}}, indent=2, ensure_ascii=False) + "\n"
    )


_PREFACE = """\
# params.yaml, key by key

<!-- made by `python -m refold.core.params --docs` from workflow/refold/core/params.py; a test keeps it in step -->

`params.yaml` describes one experiment: everything that its numbers depend on, and nothing else. Each section is one
phase's, and a phase runs again only when its own section changes. What you leave out has the default given here.

Check a file without running anything: `PYTHONPATH=workflow python -m refold.core.params params.yaml`. Snakemake does
the same before any job. All problems come in one message, a line each: key, value, what is allowed, the nearest name,
and the line of the file.

How values are written:

- YAML 1.2: `1e-3` is a number (in YAML 1.1, which many tools still read, it is text); only `true` and `false` are
  true and false, not `yes`, `no`, `on` or `off`; `010` is ten.
- A number in quotes is text and is refused. `20.0` and `2e1` are accepted where a whole number is wanted.
- `null` means none, where the table allows it. An empty section (`train:` with nothing below) is refused.
- A key that stands twice is refused: otherwise the first would be lost in silence.
- A range is written `[lowest, highest]`; axes are x (left to right), y (posterior to anterior), z (inferior to
  superior), in 2-D x (columns) and y (rows).
- Sizes in voxels and spacings in mm are in the order x, y, z.

Editors that know the YAML language server show this text and complete keys: `workflow/params.schema.json` is named in
the first line of each file.
"""


def docs() -> str:
    """The text of ``docs/params.md``."""
    text = [_PREFACE]
    for name, field in Params.model_fields.items():
        text.append(f"\n## {name}\n")
        if name == "methods":
            text.append(f"{field.description} Names: {explain.words(get_args(field.annotation)[0])}.\n")
            for kind, model in KINDS.items():
                text += [f"### kind: {kind}\n", _first_paragraph(model) + "\n", _table(model)]
        else:
            text += [_first_paragraph(field.annotation) + "\n", _table(field.annotation)]
    return "\n".join(text).replace("\n\n\n", "\n\n")


def _first_paragraph(model: type[Section]) -> str:
    return " ".join(line.strip() for line in model.__doc__.strip().splitlines()).replace("  ", " ")


def _table(model: type[Section]) -> str:
    rows = ["| key | default | allowed | meaning |", "|---|---|---|---|"]

    def add(section: type[Section], prefix: str, defaults: Section | None) -> None:
        for name, field in section.model_fields.items():
            if explain.is_partial(field.annotation):
                rows.append(f"| `{prefix}{name}` | `{{}}` | keys of `{name}` | {field.description} |")
                continue
            if field.is_required():
                words = explain.field_words(field).replace("|", r"\|")
                rows.append(f"| `{prefix}{name}` | must be given | {words} | {field.description} |")
                continue
            default = field.default if defaults is None else getattr(defaults, name)
            if isinstance(default, Section):
                add(type(default), f"{prefix}{name}.", default)
                continue
            value = json.dumps(default) if not isinstance(default, str) else default
            cells = [f"`{prefix}{name}`", f"`{value}`", explain.field_words(field), field.description]
            rows.append("| " + " | ".join(c.replace("|", r"\|") for c in cells) + " |")

    add(model, "", None)
    return "\n".join(rows) + "\n"


class Stamps:
    """The frozen sections of one run, as jobs see them: ``results/.params/<section>.json``."""

    def __init__(self, folder: str | Path = "results/.params"):
        self.folder = Path(folder)

    def read(self, *sections: str) -> Params:
        """A `Params` with these sections as frozen and all others at their defaults.

        A phase can so not depend on a section it did not declare.
        """
        return Params.model_validate({s: self.frozen(s) for s in sections})

    def frozen(self, section: str) -> Any:
        """One stamp as it is; at the end of the job it must still say the same. Raises `RefoldError` if not."""
        path = self.folder / f"{section}.json"
        found = read_json(path)

        def unchanged() -> None:
            # or the output would be newer than the changed stamp, and pass for up to date
            if read_json(path) != found:
                raise RefoldError(f"params.yaml changed in {section!r} while this job ran; run snakemake again")

        AT_END.append(unchanged)
        return found

    def methods(self, name: str) -> Params:
        """One entry under ``methods`` and those that it is made from; a network's with all of `train` and `augment`."""
        found, todo = {}, [name]
        while todo:
            if (part := todo.pop()) not in found:
                found[part] = self.frozen(f"methods.{part}")
                todo += Params.model_validate({"methods": {part: found[part]}}).methods[part].parts
        return Params.model_validate({"methods": found})

    def method(self, name: str) -> Settings:
        """One entry alone."""
        return Params.model_validate({"methods": {name: self.frozen(f"methods.{name}")}}).methods[name]

    def write(self, params: Params) -> dict[str, str]:
        """Freeze every section; a file is rewritten only when its content changes. Returns the path of each."""
        sections = {name: params.section(name) for name in type(params).model_fields if name != "methods"}
        # which folds are run changes none of them: another choice must not draw the split, and so train, anew
        sections["split"].pop("run_folds")
        # nor does it matter where files lie; what they hold is told by hashes, and where to find them by core.place
        without_places(sections)
        sections |= {f"methods.{name}": params.frozen_method(name) for name in params.methods}
        # what stands in tables and report: one method or fold fewer changes no file that they read
        sections["selection"] = {"methods": list(params.methods), "folds": params.split.fold_numbers}
        paths = {}
        for name, value in sections.items():
            path = self.folder / f"{name}.json"
            text = json.dumps(value, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
            if not path.exists() or path.read_text(encoding="utf-8") != text:
                write_text(path, text)
            paths[name] = str(path)
        for old in self.folder.glob("methods.*.json"):
            if old.name.removesuffix(".json") not in sections:
                old.unlink()
        return paths


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m refold.core.params", description="Check params.yaml.")
    parser.add_argument("file", nargs="?", default="params.yaml")
    parser.add_argument("--schema", action="store_true", help="print the JSON schema instead")
    parser.add_argument("--docs", action="store_true", help="print docs/params.md instead")
    a = parser.parse_args()
    if a.schema or a.docs:
        print(json_schema() if a.schema else docs(), end="")
    else:
        load(a.file)
        print(f"{a.file}: nothing is wrong")


if __name__ == "__main__":
    run(main)
