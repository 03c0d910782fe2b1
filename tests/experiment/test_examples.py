"""Each example is a whole experiment: valid, explained, and made for this very model."""

import json
import re
from pathlib import Path

import jsonschema
import pytest

from refold.experiment import messages, pages, params, yamlfile
from refold.experiment.params import Params
from refold.experiment.reading import load
from refold.imaging.plan import plan
from refold.settings.augment import Augment
from refold.settings.dataset import KNOWN

ROOT = Path(__file__).resolve().parents[2]
EXAMPLES = sorted((ROOT / "examples").glob("*.yaml"))
ALL = [ROOT / "params.yaml", *EXAMPLES]
DATA = ROOT.parent / "shared" / "data"
KINDS_SHOWN = ("unet", "threshold")  # of the many kinds, params.yaml has two
KEYS = {k for k in messages.keys(Params) if not k.startswith("methods.")} | {
    f"methods.<name>.{key}"
    for kind in KINDS_SHOWN
    for key in messages.keys(params.KINDS[kind])
    if key not in ("train", "augment")  # changes to sections that are shown whole
}

# an example may show any kind, and change what it likes of `train`, `augment` and `predict` for one method
VALID = (
    KEYS | {"methods.<name>"} | {f"methods.<name>.{k}" for kind in params.KINDS.values() for k in messages.keys(kind)}
)
VALID |= {f"methods.<name>.{k}" for k in KEYS if k.partition(".")[0] in ("train", "augment", "predict")}


def _id(path: Path) -> str:
    return path.stem


def test_the_examples_are_those_documented():
    assert [p.stem for p in EXAMPLES] == [
        "ct", "hippocampus-ablation", "hippocampus-hour", "hippocampus-minutes", "hippocampus", "methods",
        "multichannel", "nuclei", "tiny",
    ]  # fmt: skip


@pytest.mark.parametrize("path", ALL, ids=_id)
def test_it_is_valid(path):
    load(path)


@pytest.mark.parametrize("path", ALL, ids=_id)
def test_it_fits_the_schema(path):
    values = yamlfile.parse(path.read_text(encoding="utf-8")).values
    jsonschema.Draft202012Validator(json.loads(pages.json_schema())).validate(values)


def _written(values, prefix=""):
    for name, value in values.items():
        key = f"{prefix}{name}"
        yield key
        if isinstance(value, dict):
            yield from _written(value, f"{key}.")


@pytest.mark.parametrize("path", ALL, ids=_id)
def test_it_mentions_only_valid_keys(path):
    """Also in comments: what is commented out has to work when it is switched on."""
    text = path.read_text(encoding="utf-8")
    for key in _written(yamlfile.parse(text).values):
        assert re.sub(r"^methods\.[^.]+", "methods.<name>", key) in VALID
    names = {k.rpartition(".")[2] for k in VALID}
    for key in re.findall(r"^\s*#\s+([a-z]\w*): \S", text, re.MULTILINE):
        assert key in names


@pytest.mark.parametrize("path", ALL, ids=_id)
def test_it_is_a_whole_experiment_with_comments(path):
    text = path.read_text(encoding="utf-8")
    assert text.startswith("# yaml-language-server: $schema=workflow/params.schema.json\n")
    assert set(yamlfile.parse(text).values) >= {"dataset", "preprocess", "split", "train", "methods", "report"}
    assert text.count("#") >= 8
    assert max(map(len, text.splitlines())) <= 120 and text.endswith("\n") and "\t" not in text
    if path.parent.name == "examples":
        assert f"cp examples/{path.name} params.yaml" in text


def test_params_yaml_shows_every_key_in_the_order_of_the_model():
    values = yamlfile.parse((ROOT / "params.yaml").read_text(encoding="utf-8")).values
    written = [re.sub(r"^methods\.[^.]+", "methods.<name>", k) for k in _written(values)]
    assert set(written) - {"methods.<name>"} == KEYS
    sections = [k for k in written if not k.startswith("methods.")]
    assert sections == [k for k in messages.keys(Params) if not k.startswith("methods.")]


def test_params_yaml_differs_from_the_defaults_only_where_it_must():
    """A default changed in the model and forgotten here would go unnoticed."""
    p, default = load(ROOT / "params.yaml"), Params()
    assert p.augment == default.augment and p.predict == default.predict and p.preprocess == default.preprocess
    assert p.dataset == default.dataset
    assert p.evaluate.model_dump(exclude={"lesions"}) == default.evaluate.model_dump(exclude={"lesions"})
    tuned = {"epochs", "threads", "batch_size", "learning_rate", "validate_every", "validation_fraction", "patch"}
    tuned |= {"samples_per_epoch", "averaging", "warmup_epochs", "foreground_fraction"}
    assert p.train.model_dump(exclude=tuned) == default.train.model_dump(exclude=tuned)


def test_the_default_experiment():
    p = load(ROOT / "params.yaml")
    assert (p.dataset.name, p.split.kind, p.split.folds) == ("phantom", "grouped", 3)
    assert {name: m.kind for name, m in p.methods.items()} == {"unet": "unet", "threshold": "threshold"}
    assert p.augment.flip.axes == [] == p.predict.mirror_axes  # the organ lies on one side


@pytest.mark.parametrize("name", ["hippocampus", "hippocampus-hour"])
def test_hippocampus_has_the_published_folds(name):
    p = load(ROOT / "examples" / f"{name}.yaml")
    assert (p.dataset.name, p.split.kind, p.split.folds, p.split.seed) == ("Task04_Hippocampus", "kfold", 5, 12345)
    assert p.augment.flip.axes == ["x"] == p.predict.mirror_axes  # y would exchange anterior and posterior


def test_the_hour_is_the_half_hour_and_more():
    """So that models trained by the one stand in the other."""
    half, hour = (load(ROOT / "examples" / f"hippocampus{name}.yaml") for name in ("", "-hour"))
    assert half.model_dump(exclude={"methods"}) == hour.model_dump(exclude={"methods"})
    assert all(hour.methods[name] == half.methods[name] for name in ("unet", "unet_seed2", "two_seeds"))
    assert hour.methods["three"].members == ["unet", "unet_seed2", "wide"]
    assert hour.augment_of("wide").model_dump(exclude={"flip"}) == Augment().model_dump(exclude={"flip"})
    assert hour.augment_of("wide").flip == hour.augment.flip


def test_ct_and_multichannel():
    ct, mr = load(ROOT / "examples" / "ct.yaml"), load(ROOT / "examples" / "multichannel.yaml")
    assert ct.preprocess.normalisation == "ct"
    assert len(mr.preprocess.normalisation) == KNOWN[mr.dataset.name][0] == 4
    for p in (ct, mr):
        for method in p.methods.values():
            if method.kind == "unet":
                shape = {"median": {"shape": p.train.patch, "spacing": p.preprocess.spacing}}
                made = plan(shape, 3, p.train.patch, method.stages)
                assert made.stages >= 4 and made.patch == tuple(p.train.patch)


def test_nuclei_asks_for_the_users_own_data():
    p = load(ROOT / "examples" / "nuclei.yaml")
    assert p.dataset.source == "path/to/nuclei" and p.preprocess.spacing == "original"
    assert p.methods["unet"].dimension == 2
    assert set(p.augment.flip.axes) == {"x", "y"} and p.augment.rotation.degrees == 180


def test_tiny_is_tiny():
    p = load(ROOT / "examples" / "tiny.yaml")
    assert (p.dataset.phantom.patients, p.dataset.phantom.size, p.split.folds, p.train.epochs) == (6, 24, 2, 1)


@pytest.mark.parametrize(("name", "folder"), [("hippocampus", "Task04_Hippocampus"), ("nuclei", "Nuclei2D")])
def test_with_a_source_it_fits_the_real_data(name, folder, tmp_path):
    """What the comments say: set `source` and go."""
    if not (DATA / folder).is_dir():
        pytest.skip(f"{folder} does not lie in shared/data beside the project")
    from refold.data import layout

    text = (ROOT / "examples" / f"{name}.yaml").read_text(encoding="utf-8")
    text = re.sub(r"^  source: .*$", f"  source: {DATA / folder}", text, flags=re.MULTILINE)
    (tmp_path / "params.yaml").write_text(text)
    p = load(tmp_path / "params.yaml")
    found = layout.read(p.dataset)
    assert {x.check for x in found.problems} <= {"each-case-a-patient"} and len(found.entries) >= 100
    channels = len(found.description.channels)
    assert all(m.channel < channels for m in p.methods.values() if m.kind == "threshold")
    assert found.description.dimension == (2 if name == "nuclei" else 3)
