import json
import math
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path

import jsonschema
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from refold.core.errors import RefoldError
from refold.experiment import checks, messages, pages, params, yamlfile
from refold.experiment.params import Params
from refold.experiment.reading import load, validate
from refold.imaging.plan import plan
from refold.methods import frozen
from refold.settings import changes
from refold.settings.base import Section, nearest
from refold.settings.dataset import KNOWN, MSD_TASKS
from refold.settings.stamps import Stamps
from refold.settings.train import Loss, Train

ROOT = Path(__file__).resolve().parents[2]
SCHEMA = json.loads((ROOT / "workflow" / "params.schema.json").read_text(encoding="utf-8"))


def check(text: str, tmp_path: Path) -> Params:
    path = tmp_path / "params.yaml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def lines(text: str, tmp_path: Path) -> list[str]:
    """The problems of a file, without the head line and the name of the file."""
    with pytest.raises(RefoldError) as caught:
        check(text, tmp_path)
    head, *rest = str(caught.value).splitlines()
    count = "1 problem" if len(rest) == 1 else f"{len(rest)} problems"
    assert head == f"{tmp_path / 'params.yaml'}: {count}"
    assert all(line.startswith("  - ") for line in rest)
    return [line.removeprefix("  - ") for line in rest]


PATCH = "auto, or a list of 2 or 3 whole numbers from 4 to 4096"
PHASES = "dataset, preprocess, split, train, augment, methods, predict, evaluate, report"
ALL_KINDS = ", ".join(params.KINDS)
NETS = "methods: {u: {kind: unet, dimension: 2}}"

# one wrong value each: the whole line
SINGLE = {
    # numbers
    "train: {epochs: 0}": "train.epochs: 0 is not allowed; allowed: a whole number from 1 to 1000000",
    "train: {epochs: 2.5}": "train.epochs: 2.5 is not allowed; allowed: a whole number from 1 to 1000000",
    "train: {epochs: 1e400}": "train.epochs: .inf is not allowed; this is no finite number; "
    "allowed: a whole number from 1 to 1000000",
    "train: {epochs: true}": "train.epochs: true is not allowed; allowed: a whole number from 1 to 1000000",
    "train: {epochs: }": "train.epochs: null is not allowed; allowed: a whole number from 1 to 1000000",
    'train: {epochs: "3"}': 'train.epochs: "3" is not allowed; this is text; write the number without quotes; '
    "allowed: a whole number from 1 to 1000000",
    "train: {epochs: 1_000}": 'train.epochs: "1_000" is not allowed; write the digits alone, 1000; '
    "allowed: a whole number from 1 to 1000000",
    "train: {epochs: 1:30}": 'train.epochs: "1:30" is not allowed; allowed: a whole number from 1 to 1000000',
    "train: {threads: 99999999999999999999}": "train.threads: 99999999999999999999 is not allowed; "
    "allowed: a whole number from 1 to 256",
    "train: {seed: -1}": "train.seed: -1 is not allowed; allowed: a whole number from 0 to 4294967195",
    "train: {learning_rate: 0}": "train.learning_rate: 0 is not allowed; allowed: a number over 0 and at most 100",
    "train: {learning_rate: .nan}": "train.learning_rate: .nan is not allowed; this is no finite number; "
    "allowed: a number over 0 and at most 100",
    "train: {learning_rate: -.inf}": "train.learning_rate: -.inf is not allowed; this is no finite number; "
    "allowed: a number over 0 and at most 100",
    'train: {learning_rate: "1e-3"}': 'train.learning_rate: "1e-3" is not allowed; this is text; write the number '
    "without quotes; allowed: a number over 0 and at most 100",
    'train: {learning_rate: "0,003"}': 'train.learning_rate: "0,003" is not allowed; write a decimal point, not a '
    "comma; allowed: a number over 0 and at most 100",
    "train: {validation_fraction: 10%}": 'train.validation_fraction: "10%" is not allowed; write the share, 0.1; '
    "allowed: a number at least 0 and under 0.9",
    "train: {clip_norm: none}": 'train.clip_norm: "none" is not allowed; for none, write null without quotes; '
    "allowed: a number over 0 and at most 1000000, or null",
    "augment: {rotation: {p: 1.5}}": "augment.rotation.p: 1.5 is not allowed; allowed: a number from 0 to 1",
    "evaluate: {confidence: 95}": "evaluate.confidence: 95 is not allowed; allowed: a number over 0.5 and under 1",
    # true and false
    "preprocess: {crop_nonzero: yes}": 'preprocess.crop_nonzero: "yes" is not allowed; write true without quotes; '
    "allowed: true, false",
    "preprocess: {crop_nonzero: off}": 'preprocess.crop_nonzero: "off" is not allowed; write false without quotes; '
    "allowed: true, false",
    "preprocess: {crop_nonzero: 1}": "preprocess.crop_nonzero: 1 is not allowed; allowed: true, false",
    # words
    "train: {optimizer: Adam}": "train.optimizer: \"Adam\" is not allowed (did you mean 'adam'?); "
    "allowed: sgd, adam, adamw, muon",
    "train: {precision: float16}": "train.precision: \"float16\" is not allowed (did you mean 'bfloat16'?); "
    "allowed: float32, bfloat16",
    "train: {schedule: step}": 'train.schedule: "step" is not allowed; allowed: constant, polynomial, cosine',
    "split: {kind: }": "split.kind: null is not allowed; allowed: grouped, kfold, file",
    "report: {title: 3}": "report.title: 3 is not allowed; this is a number; put text in quotes; "
    "allowed: text, not empty",
    'report: {title: ""}': 'report.title: "" is not allowed; allowed: text, not empty',
    "dataset: {name: my data, source: x}": 'dataset.name: "my data" is not allowed; '
    "allowed: letters, digits, `_`, `.` and `-`, a letter or digit first",
    "dataset: {name: ../x, source: x}": 'dataset.name: "../x" is not allowed; '
    "allowed: letters, digits, `_`, `.` and `-`, a letter or digit first",
    "dataset: {name: x, source: 3}": "dataset.source: 3 is not allowed; this is a number; put text in quotes; "
    "allowed: text, not empty, or null",
    **{
        f"dataset: {{colours: {{organ: {value}}}}}": f"dataset.colours.organ: {shown}: no colour; write "
        '`"#rrggbb"` (in quotes: # begins a comment) or `[red, green, blue]` from 0 to 255, or a list of such'
        for value, shown in (("red", '"red"'), ("null", "null"), ("[300, 0, 0]", "[300, 0, 0]"), ("[1, 2]", "[1, 2]"))
    },
    "dataset: {pixels: sown}": "dataset.pixels: \"sown\" is not allowed (did you mean 'shown'?); "
    "allowed: shown, stored, or null",
    "dataset: {patient_pattern: '('}": 'dataset.patient_pattern: "(": no valid regular expression: '
    "missing ), unterminated subpattern at position 0",
    "dataset: {patient_pattern: 'a.*'}": 'dataset.patient_pattern: "a.*": one group in parentheses is wanted, it has 0',
    # lists, unions, ranges: one line for each real problem
    "train: {patch: [32, a, 32]}": 'train.patch[1]: "a" is not allowed; allowed: a whole number from 4 to 4096',
    "train: {patch: [2, 32, 32]}": "train.patch[0]: 2 is not allowed; allowed: a whole number from 4 to 4096",
    "train: {patch: [32]}": f"train.patch: [32] is not allowed; allowed: {PATCH}",
    "train: {patch: []}": f"train.patch: [] is not allowed; allowed: {PATCH}",
    "train: {patch: 32}": f"train.patch: 32 is not allowed; a list stands in brackets, [32]; allowed: {PATCH}",
    "train: {patch: automatic}": f"train.patch: \"automatic\" is not allowed (did you mean 'auto'?); allowed: {PATCH}",
    "train: {patch: {x: 3}}": f'train.patch: {{"x": 3}} is not allowed; allowed: {PATCH}',
    "preprocess: {spacing: [1, 1, -1]}": "preprocess.spacing[2]: -1 is not allowed; "
    "allowed: a number over 0 and at most 1000",
    "preprocess: {spacing: mean}": "preprocess.spacing: \"mean\" is not allowed (did you mean 'median'?); "
    "allowed: median, original, or a list of 2 or 3 numbers over 0 and at most 1000",
    "preprocess: {normalisation: [ct, auto]}": 'preprocess.normalisation[1]: "auto" is not allowed; '
    "allowed: zscore, ct, minmax, none",
    "preprocess: {normalisation: []}": "preprocess.normalisation: [] is not allowed; "
    "allowed: auto, zscore, ct, minmax, none, or a list of any of zscore, ct, minmax, none",
    "split: {run_folds: 0}": "split.run_folds: 0 is not allowed; a list stands in brackets, [0]; "
    "allowed: all, or a list of whole numbers from 0 to 9999",
    "split: {run_folds: [0, 0]}": "split.run_folds: [0, 0]: 0 stands twice",
    "train: {loss: {class_weights: [1, 0, 1]}}": "train.loss.class_weights[1]: 0 is not allowed; "
    "allowed: a number over 0 and at most 1000000",
    "augment: {flip: {axes: x}}": 'augment.flip.axes: "x" is not allowed; a list stands in brackets, [x]; '
    "allowed: a list of any of x, y, z",
    "augment: {flip: {axes: [x, w]}}": 'augment.flip.axes[1]: "w" is not allowed; allowed: x, y, z',
    "augment: {flip: {axes: [x, x]}}": 'augment.flip.axes: ["x", "x"]: x stands twice',
    "predict: {mirror_axes: [0]}": "predict.mirror_axes[0]: 0 is not allowed; allowed: x, y, z",
    "augment: {scaling: {range: [1.4, 0.7]}}": "augment.scaling.range: [1.4, 0.7]: "
    "the lower end stands first: [0.7, 1.4]",
    "augment: {scaling: {range: [0.7]}}": "augment.scaling.range: [0.7] is not allowed; "
    "allowed: two numbers from 0.1 to 10, [lowest, highest]",
    "augment: {scaling: {range: [0.7, b]}}": 'augment.scaling.range: [0.7, "b"] is not allowed; '
    "allowed: two numbers from 0.1 to 10, [lowest, highest]",
    "augment: {scaling: {range: 2}}": "augment.scaling.range: 2 is not allowed; "
    "allowed: two numbers from 0.1 to 10, [lowest, highest]",
    # keys
    "train: {epoch: 3}": "train.epoch: unknown key (did you mean 'epochs'?); allowed are "
    + ", ".join(Train.model_fields),
    "epochs: 3": f"epochs: unknown key (did you mean train.epochs?); allowed are {PHASES}",
    "trian: {}": f"trian: unknown key (did you mean 'train'?); allowed are {PHASES}",
    "methods: {u: {kind: unet, epochs: 3}}": "methods.u.epochs: unknown key (did you mean train.epochs or "
    "methods.u.train.epochs?); "
    "allowed are " + ", ".join(params.KINDS["unet"].model_fields),
    "train: {loss: {weights: [1, 1]}}": "train.loss.weights: unknown key (did you mean 'class_weights'?); allowed are "
    + ", ".join(Loss.model_fields),
    "train: {1: 3}": "train.1: the key is not text; write a name, if need be in quotes",
    "? [a]\n: 3": "line 1: a key is one word, not a list or section",
    "true: 3": "true: the key is not text; write a name, if need be in quotes",
    # sections
    "train: 3": "train: 3 is no section; its keys stand below it, indented; allowed are "
    + ", ".join(Train.model_fields),
    "report: ": "report: is empty, a section is wanted; leave the line out to have all defaults; otherwise its keys "
    "stand below it, indented; allowed are title, language, cases, viewer_mb",
    "report: [title]": 'report: ["title"] is a list, a section is wanted: no `-` before the keys; its keys stand '
    "below it, indented; allowed are title, language, cases, viewer_mb",
    "train:\n  epochs:3": 'train: "epochs:3" is no section; put a space after the colon',
    "train: {loss: ce}": 'train.loss: "ce" is no section; its keys stand below it, indented; allowed are '
    + ", ".join(Loss.model_fields),
    # methods
    "evaluate: {regions: [a]}": 'evaluate.regions: ["a"] is a list, a section is wanted: no `-` before the keys; below '
    "it stand names, each with a list of text, not empty, indented: `name: ...`",
    "dataset: {exclude: case_1}": 'dataset.exclude: "case_1" is no section; below it stand names, each with text, the '
    "reason, indented: `name: ...`",
    "dataset: {exclude: }": "dataset.exclude: is empty; leave the line out to have none; otherwise below it stand "
    "names, each with text, the reason, indented: `name: ...`",
    "dataset: {exclude: {a: }}": "dataset.exclude.a: null is not allowed; allowed: text, the reason",
    "dataset: {exclude: {a: ''}}": 'dataset.exclude.a: "" is not allowed; allowed: text, the reason',
    "methods: ": "methods: is empty, a section is wanted; each method is a name with its keys below, indented; "
    "at least kind: " + ALL_KINDS,
    "methods: []": "methods: [] is a list, a section is wanted: no `-` before the keys; each method is a name with "
    "its keys below, indented; at least kind: " + ALL_KINDS,
    "methods: {}": "methods: none is given; name at least one, each with its kind: " + ALL_KINDS,
    "methods: unet": 'methods: "unet" is no section; each method is a name with its keys below, indented; '
    "at least kind: " + ALL_KINDS,
    "methods: {a: unet}": 'methods.a: "unet" is no section; each method is a name with its keys below, indented; '
    "at least kind: " + ALL_KINDS,
    "methods: {a: }": "methods.a: is empty, a section is wanted; each method is a name with its keys below, "
    "indented; at least kind: " + ALL_KINDS,
    "methods: {a: {features: 8}}": "methods.a.kind: missing; allowed are " + ALL_KINDS,
    "methods: {a: {kind: u-net}}": "methods.a.kind: \"u-net\" is not allowed (did you mean 'unet'?); "
    "allowed are " + ALL_KINDS,
    "methods: {a: {kind: [unet]}}": 'methods.a.kind: ["unet"] is not allowed; allowed are ' + ALL_KINDS,
    "methods: {UNet: {kind: unet}}": 'methods.UNet: "UNet" is not allowed; '
    "allowed: small letters, digits, `_` and `-`, a letter or digit first, at most 60 in all",
    "methods: {a/b: {kind: unet}}": 'methods.a/b: "a/b" is not allowed; '
    "allowed: small letters, digits, `_` and `-`, a letter or digit first, at most 60 in all",
    "methods: {a: {kind: unet, dimension: 4}}": "methods.a.dimension: 4 is not allowed; allowed: auto, 2, 3",
    "methods: {a: {kind: unet, stages: 1}}": "methods.a.stages: 1 is not allowed; "
    "allowed: auto, or a whole number from 2 to 8",
    "methods: {a: {kind: threshold, classes: 9}}": "methods.a.classes: 9 is not allowed; "
    "allowed: a whole number from 2 to 5",
    "methods: {a: {kind: threshold, features: 9}}": "methods.a.features: unknown key "
    "(did you mean methods.<name>.features?); allowed are kind, channel, classes",
}


@pytest.mark.parametrize("text", SINGLE)
def test_one_wrong_value_is_one_line(text, tmp_path):
    (line,) = lines(text + "\n", tmp_path)
    line, _, number = line.partition(" (line ")
    assert line == SINGLE[text]
    assert number in ("", f"{text.count(chr(10)) + 1})") or text == "train:\n  epochs:3"


# combinations: the key, and what the line must say
COMBINED = {
    "dataset: {name: hippocampus}": (
        "dataset.name: 'hippocampus' is not known (did you mean 'Task04_Hippocampus'?); without dataset.source, "
        "allowed are phantom, " + ", ".join(MSD_TASKS)
    ),
    "dataset: {source: x}": "dataset.name: phantom is the embedded data, but dataset.source is given; "
    "give your data another name",
    "dataset: {patient_pattern: (a), patient_table: t.csv}": "dataset.patient_pattern: it and patient_table exclude "
    "each other; keep one, set the other to null",
    "dataset: {phantom: {patients: 5, second_scans: 6}}": "dataset.phantom.second_scans: 6 is more than the "
    "5 patients; at most that many",
    "preprocess: {normalisation: [ct]}": "preprocess.normalisation: 1 entries, phantom has 2 channel(s); "
    "one for each, or one word for all",
    "dataset: {name: Task09_Spleen}\ntrain: {loss: {class_weights: [1, 2, 3]}}": "train.loss.class_weights: "
    "3 numbers, Task09_Spleen has 2 labels, the background counted; one for each",
    "methods: {t: {kind: threshold, channel: 2}}": "methods.t.channel: 2 is not allowed; "
    "phantom has the channels 0 to 1",
    "dataset: {name: Task09_Spleen}\nmethods: {t: {kind: threshold, channel: 1}}": "methods.t.channel: "
    "1 is not allowed; Task09_Spleen has only channel 0",
    # split
    "split: {kind: file}": "split.file: missing; with kind file, give the JSON file with the folds",
    "split: {file: s.json}": "split.file: kind is grouped, so the file would not be read; set kind: file, "
    "or file: null",
    "split: {kind: file, file: s.json, repeats: 2}": "split.repeats: 2 is not allowed; with kind file it is 1, "
    "the file holds all folds",
    "split: {kind: file, file: s.json, test_fraction: 0.1}": "split.test_fraction: 0.1 is not allowed; "
    "with kind file it is 0, `holdout` in the file names the test set",
    "split: {folds: 3, repeats: 2, run_folds: [5, 6]}": "split.run_folds: there is no fold 6; allowed are 0 to 5 "
    "(folds x repeats - 1)",
    "split: {folds: 1}": "split.folds: 1 is not allowed with kind grouped; at least 2, or give one training and test "
    "split with kind file",
    "dataset: {name: a, source: a}\nsplit: {folds: 1, kind: kfold}": "split.folds: 1 is not allowed with kind kfold; "
    "at least 2, or give one training and test split with kind file",
    "dataset: {phantom: {patients: 10, second_scans: 0}}\nsplit: {folds: 11}": "split.folds: 11 is more than the "
    "10 patients there are; at most 10",
    "dataset: {phantom: {patients: 10, second_scans: 0}}\nsplit: {folds: 10, kind: kfold, test_fraction: 0.01}": (
        "split.folds: 10 is more than the 9 patients there are, 1 of 10 being held out; at most 9"
    ),
    "dataset: {phantom: {patients: 4, second_scans: 0}}\nsplit: {folds: 2}\ntrain: {validation_fraction: 0.8}": (
        "train.validation_fraction: 0.8 of 2 training patients leaves none to train on; lower it"
    ),
    # train
    "train: {early_stopping: 1, validation_fraction: 0}": "train.early_stopping: needs validation_fraction over 0: "
    "it looks at the inner validation, never at the fold reported",
    "train: {early_stopping: 4, validate_every: 5, epochs: 21}": "train.early_stopping: 4 can never be reached in "
    "21 epochs, one validation every 5; at most 3, or a smaller validate_every",
    "train: {early_stopping: 1, validate_every: 15}": "train.early_stopping: 1 can never be reached in 20 epochs, "
    "one validation every 15; lower validate_every",
    "train: {early_stopping: 1, validate_every: 30}": "train.early_stopping: validate_every 30 leaves one validation "
    "in 20 epochs, at their end; lower it",
    "train: {epochs: 2, warmup_epochs: 3}": "train.warmup_epochs: 3 is more than the 2 epochs there are; "
    "at most that many",
    "train: {loss: {kind: dice, class_weights: [1, 2, 3]}}": "train.loss.class_weights: only the cross-entropy and "
    "focal losses have weights, and kind is dice; set kind: ce, ce_dice, focal or focal_dice, or class_weights: null",
    "train: {loss: {kind: tversky, tversky_alpha: 0, tversky_beta: 0}}": "train.loss.tversky_beta: 0, and "
    "tversky_alpha too, so that no mistake costs anything; give one of them a weight over 0",
    # networks
    "methods: {u: {kind: unet, features: 16, max_features: 8}}": "methods.u.max_features: 8 is less than features, 16",
    "methods: {u: {kind: unet, features: 12, normalisation: group}}": "methods.u.features: 12 is not allowed with "
    "normalisation group; allowed: multiples of 8, one a group",
    "methods: {u: {kind: unet, widths: [8, 32], stages: 3}}": "methods.u.widths: 2 numbers for 3 stages; give as many, "
    "or leave out stages",
    "methods: {u: {kind: unet, widths: [8, 20], normalisation: group}}": "methods.u.widths: 20 is not allowed with "
    "normalisation group; allowed: multiples of 8, one a group",
    "methods: {u: {kind: unet, widths: [8, 16, 32]}}\ntrain: {deep_supervision: true}": "train.deep_supervision: "
    "methods.u has 3 stages, which leaves no coarser resolution to supervise; set it to false, or at least 4 stages",
    "methods: {u: {kind: unet, stages: 3}}\ntrain: {deep_supervision: true}": "train.deep_supervision: methods.u has "
    "3 stages, which leaves no coarser resolution to supervise; set it to false, or at least 4 stages",
    # label maps of another program
    "methods: {e: {kind: external}}": "methods.e.folder: null is not allowed; allowed: text, not empty",
    "methods: {e: {kind: external, folder: f, values: [0, 1, 1]}}": "methods.e.values: [0, 1, 1] has a value twice; "
    "each label needs one of its own",
    "methods: {e: {kind: external, folder: f}, both: {kind: ensemble, members: [e, t]}, t: {kind: threshold}}": (
        "methods.both.members: 'e' has label maps alone, no model that could predict; name a method that is trained "
        "here"
    ),
    # names that tables would take for something else
    **{
        f"methods: {{'{name}': {{kind: threshold}}}}": f"methods.{name}: the name {why}; choose another"
        for names, why in {
            ("all", "mean", "holdout", "incomplete"): "is a word of refold's own tables",
            ("nan", "na", "none", "null"): "is read as a missing value by programs that read tables",
            ("true", "false"): "is read as a truth value by programs that read tables",
            ("2", "1e5", "0x1f", "inf"): "is read as a number by programs that read tables",
        }.items()
        for name in names
    },
    "evaluate: {regions: {Mean: [organ]}}": "evaluate.regions.Mean: the name is a word of refold's own tables; choose "
    "another",
    "evaluate: {regions: {'7': [organ]}}": "evaluate.regions.7: the name is read as a number by programs that read "
    "tables; choose another",
    'evaluate: {regions: {"a\\nb": [organ]}}': "evaluate.regions.a\\nb: the name holds a line break or control "
    "character (U+000A); choose another",
    # axes
    "preprocess: {spacing: [1, 1]}": "preprocess.spacing: 2 numbers, phantom has 3 axes; give [x, y, z]",
    "train: {patch: [32, 32]}": "train.patch: [32, 32] has 2 numbers, methods.unet is 3-D; give 3, or auto",
    f"train: {{patch: [32, 32, 32]}}\n{NETS}": "train.patch: [32, 32, 32] has 3 numbers, methods.u is 2-D; "
    "give 2, or auto",
    "dataset: {name: a, source: a}\npreprocess: {spacing: [1, 1]}\nmethods: {u: {kind: unet, dimension: 3}}": (
        "methods.u.dimension: 3 is not allowed; preprocess.spacing has 2 numbers, for 2-D data"
    ),
    "dataset: {name: a, source: a}\npreprocess: {spacing: [1, 1]}\ntrain: {patch: [32, 32, 32]}": (
        "train.patch: [32, 32, 32] has 3 numbers, methods.unet is 2-D; give 2, or auto"
    ),
    "dataset: {name: a, source: a}\ntrain: {patch: [32, 32]}\npredict: {tile: [32, 32, 32]}": (
        "predict.tile: [32, 32, 32] has 3 numbers, methods.unet is 2-D; give 2, or auto"
    ),
    "dataset: {name: a, source: a}\ntrain: {patch: [32, 32, 32]}\npredict: {tile: [32, 32]}": (
        "predict.tile: [32, 32] has 2 numbers, methods.unet is 3-D; give 3, or auto"
    ),
    "predict: {tile: [32, 32]}": "predict.tile: [32, 32] has 2 numbers, methods.unet is 3-D; give 3, or auto",
    f"predict: {{tile: [32, 32]}}\n{NETS}": "predict.tile: methods.u is 2-D and predicts whole slices of 3-D data; "
    "write auto",
    f"augment: {{flip: {{axes: [x, z]}}}}\n{NETS}": "augment.flip.axes: z is no axis of a 2-D network; allowed: x, y",
    f"predict: {{mirror_axes: [z]}}\n{NETS}": "predict.mirror_axes: z is no axis of a 2-D network; allowed: x, y",
    "train: {patch: [33, 33, 33]}": "train.patch: [33, 33, 33] cannot be pooled 3 times: its axes must be multiples "
    "of [8, 8, 8]; the next that fits is [40, 40, 40]; for methods.unet",
    "train: {patch: [16, 16, 16]}\nmethods: {u: {kind: unet, stages: 8}}\npreprocess: {spacing: [1, 1, 1]}": (
        "train.patch: [16, 16, 16] can be pooled 3 times, stages: 8 asks for 7; at most 4 stages, or a larger patch; "
        "for methods.u"
    ),
    # widths alone set the stages of an encoder that has 3 by default
    "methods: {d: {kind: deeplab, widths: [8, 16]}}": (
        "methods.d.widths: 2 numbers are not allowed; allowed: 3 to 6, one a stage"
    ),
    "methods: {d: {kind: deeplab, stages: 3, widths: [8, 16, 32, 64]}}": (
        "methods.d.widths: 4 numbers for 3 stages; give as many, or leave out stages"
    ),
    "methods: {t: {kind: transunet, widths: [8, 16, 18]}}": (
        "methods.t.heads: 4 heads cannot share the 18 maps of the coarsest stage; allowed: what divides them"
    ),
    "train: {patch: [33, 32, 9]}\nmethods: {c: {kind: convlstm_unet}}": (
        "train.patch: [33, 32, 9] cannot be pooled 3 times: its axes must be multiples of [8, 8, 1]; the next that "
        "fits is [40, 32, 9]; for methods.c"
    ),
}


@pytest.mark.parametrize("text", COMBINED)
def test_impossible_combinations(text, tmp_path):
    (line,) = lines(text, tmp_path)
    assert line.partition(" (line ")[0] == COMBINED[text]


POSSIBLE = [
    "dataset: {colours: {a: '#Ff0000', b: [0, 255, 0], c: ['#000000', [1, 2, 3]]}, pixels: stored}",
    "train: {epochs: 1e1, learning_rate: 1e-3, batch_size: 2.0}",
    "train: {early_stopping: 3, validate_every: 5, epochs: 21}",
    "train: {early_stopping: 2, validate_every: 1, epochs: 4}",
    "train: {deep_supervision: true}\nmethods: {u: {kind: unet, stages: 4}}",
    "train: {loss: {class_weights: [1, 2, 3]}}",
    "train: {patch: [40, 56, 40]}",
    # flat voxels: the third axis waits while the others are pooled
    "train: {patch: [64, 64, 8]}\nmethods: {u: {kind: unet, stages: 6}}",
    # no slice is left out, none is asked for
    "train: {patch: [32, 32, 9]}\nmethods: {c: {kind: convlstm_unet}}",
    "methods: {d: {kind: deeplab, widths: [8, 16, 32, 64]}}",
    f"train: {{patch: [64, 64]}}\n{NETS}",
    f"augment: {{flip: {{axes: [x, y]}}}}\n{NETS}",
    "augment: {flip: {axes: [z]}}\nmethods: {a: {kind: unet, dimension: 2}, b: {kind: unet}}",
    "augment: {flip: {axes: [z]}}\nmethods: {t: {kind: threshold}}",
    "dataset: {name: a, source: a}\npreprocess: {spacing: [1, 1]}\ntrain: {patch: [32, 32]}\npredict: {tile: [64, 64]}",
    "dataset: {name: a, source: a}\nmethods: {t: {kind: threshold, channel: 7}}",
    "dataset: {name: a, source: a}\nsplit: {folds: 100}",
    "split: {folds: 3, repeats: 2, run_folds: [5]}",
    "split: {kind: file, file: s.json, folds: 2}",
    "split: {kind: file, file: s.json, folds: 1}",
    "evaluate: {regions: {all: [organ]}}",
    "methods: {nano: {kind: threshold}, 2d: {kind: threshold}, all-in: {kind: threshold}, means: {kind: threshold}}",
    "methods: {base: &b {kind: unet, features: 8}, wide: {<<: *b, features: 16}}",
    "methods: {u: {kind: unet, normalisation: group, features: 16}}",
    "train: {seed: 4294967195}\nsplit: {seed: 4294967195, repeats: 100, folds: 2}\nevaluate: {seed: 4294967296}",
]


@pytest.mark.parametrize("text", POSSIBLE)
def test_possible_combinations(text, tmp_path):
    check(text, tmp_path)


# the text, and what the message must hold
SYNTAX = {
    "train:\n\tepochs: 3": "line 2: a tab; indent with spaces: 'epochs: 3'",
    "train:\n  epochs: 3\n\n  learning_rate 3\n  seed: 1": "line 5: a key without a colon",
    "train: epochs: 3": "line 1: a colon where none can stand",
    "train:\n  epochs: 3\n learning_rate: 3": "line 3: the indentation does not fit the lines above",
    "train: {epochs: 3": "line 1: ",
    "report: {title: 'a}": "line 1: ",
    "report:\n  title: *best": "line 2: found undefined alias 'best'; `*` at the start",
    "train: {}\n---\nsplit: {}": "line 2: a second document begins (`---`)",
    "a: !!python/object/apply:os.system [ls]": "line 1: a tag (`!...`) means nothing here",
    "a: &a [*a]": "line 1: a[0] contains itself through an alias",
    "report:\n  title: \x07": "line 2: the character '\\x07' cannot stand in YAML",
    "train: {seed: " + "9" * 5000 + "}": "line 1: train.seed: a number of 5000 digits",
}


@pytest.mark.parametrize("text", SYNTAX)
def test_syntax_errors_name_the_line(text, tmp_path):
    (line,) = lines(text, tmp_path)
    assert line.startswith(SYNTAX[text])


def test_nested_aliases_are_refused_before_they_unfold(tmp_path):
    bomb = "a0: &a0 [x]\n" + "".join(f"a{i}: &a{i} [{', '.join([f'*a{i - 1}'] * 9)}]\n" for i in range(1, 12))
    assert lines(bomb, tmp_path) == ["more than 100000 values; are aliases (*name) nested?"]


def test_duplicate_keys_are_refused_with_both_lines(tmp_path):
    text = "train:\n  epochs: 3\n  seed: 1\n  epochs: 300\ntrain: {}\n"
    assert lines(text, tmp_path) == [
        "train: stands twice, in lines 1 and 5; keep one",
        "train.epochs: stands twice, in lines 2 and 4; keep one",
    ]


def test_all_problems_come_in_one_message_in_the_order_of_the_file(tmp_path):
    text = """\
train:
  epochs: 0
  learning_rate: fast
  patch: [33, 33, 33]
split: {folds: 99}
methods:
  u: {kind: unet, features: few, stages: 3}
  v: {kind: vnet}
report: 3
"""
    assert [line.partition(": ")[0] for line in lines(text, tmp_path)] == [
        "train.epochs",
        "train.learning_rate",
        "train.patch",
        "split.folds",
        "methods.u.features",
        "methods.v.kind",
        "report",
    ]
    assert lines(text, tmp_path)[0].endswith(" (line 2)")


def test_what_rests_on_a_wrong_value_is_not_complained_about(tmp_path):
    """Epochs being wrong, nothing can be said about early stopping; the folds are wrong all the same."""
    text = "train: {epochs: many, early_stopping: 50}\nsplit: {folds: 99}"
    assert [line.partition(": ")[0] for line in lines(text, tmp_path)] == ["train.epochs", "split.folds"]
    # a word misspelt: nobody knows which value was meant
    text = "train: {epoch: 500, early_stopping: 10}\nsplit: {folds: 99}"
    assert [line.partition(": ")[0] for line in lines(text, tmp_path)] == ["train.epoch", "split.folds"]


def test_the_default_network_is_not_held_against_a_method_that_is_wrong(tmp_path):
    for methods in ("3", "{u: {kind: une}}", "{U: {kind: unet, dimension: 2}}"):
        text = f"train: {{patch: [32, 32]}}\nmethods: {methods}\nsplit: {{folds: 99}}"
        assert [line.partition(":")[0] for line in lines(text, tmp_path)][-1] == "split.folds"
        assert len(lines(text, tmp_path)) == 2


def test_wrong_files(tmp_path):
    with pytest.raises(RefoldError, match="is missing; copy one from examples/"):
        load(tmp_path / "params.yaml")
    for text in ("", "# nothing\n", "---\n"):
        (tmp_path / "params.yaml").write_text(text)
        with pytest.raises(RefoldError, match="is empty; copy one from examples/"):
            load(tmp_path / "params.yaml")
    (tmp_path / "params.yaml").write_bytes("report: {title: ü}".encode("latin-1"))
    with pytest.raises(RefoldError, match=r"cannot be read.*UTF-8"):
        load(tmp_path / "params.yaml")
    with pytest.raises(RefoldError, match="cannot be read"):
        load(tmp_path)
    for text, found in (("- train", r'\["train"\]'), ("train", '"train"'), ("3", "3")):
        (tmp_path / "params.yaml").write_text(text)
        with pytest.raises(RefoldError, match=f"the file must hold sections such as .* it holds {found}"):
            load(tmp_path / "params.yaml")


def test_byte_order_mark_and_windows_line_ends(tmp_path):
    (tmp_path / "params.yaml").write_bytes(b"\xef\xbb\xbftrain:\r\n  epochs: 7\r\n")
    assert load(tmp_path / "params.yaml").train.epochs == 7


# ---------------------------------------------------------------- YAML


YAML = {
    "1e-3": 1e-3,
    "1E+3": 1000.0,
    ".5": 0.5,
    "5.": 5.0,
    "-.inf": -math.inf,
    "010": 10,
    "0o17": 15,
    "0x1F": 31,
    "-7": -7,
    "1_000": "1_000",
    "1:30": "1:30",
    "2020-01-01": "2020-01-01",
    "yes": "yes",
    "no": "no",
    "on": "on",
    "y": "y",
    "true": True,
    "False": False,
    "~": None,
    "": None,
    "null": None,
    "none": "none",
    "'3'": "3",
    "=": "=",
    "1.2.3": "1.2.3",
}


@pytest.mark.parametrize("text", YAML)
def test_scalars_are_those_of_yaml_1_2(text):
    value = yamlfile.parse(f"a: {text}\n").values["a"]
    assert value == YAML[text] and type(value) is type(YAML[text])


@given(
    st.recursive(
        st.none()
        | st.booleans()
        | st.integers()
        | st.floats(allow_nan=False)
        | st.text(
            st.characters(codec="utf-8", exclude_categories=["Cc", "Cs"], exclude_characters="\ufeff\ufffe\uffff")
        ),
        lambda inner: (
            st.lists(inner, max_size=3) | st.dictionaries(st.text("abcdefgh_", min_size=1), inner, max_size=3)
        ),
        max_leaves=8,
    )
)
@settings(max_examples=60, deadline=None)
def test_json_is_yaml(value):
    """YAML 1.2 contains JSON: what is written as JSON is read unchanged."""
    text = json.dumps(value, ensure_ascii=False).replace("-Infinity", "-.inf").replace("Infinity", ".inf")
    assert yamlfile.parse(text).values == value


@pytest.mark.parametrize("text", ["[" * 51 + "]" * 51, "[" * 3000 + "]" * 3000, "{a: " * 400 + "}" * 400])
def test_what_is_nested_too_deep_is_refused_in_words(tmp_path, text):
    yamlfile.parse("a: " + "[" * 49 + "]" * 49)
    with pytest.raises(yamlfile.SyntaxFault, match=r"stand within each other more than 50 deep"):
        yamlfile.parse(f"a: {text}")
    path = tmp_path / "params.yaml"
    path.write_text(f"dataset: {text}")
    with pytest.raises(RefoldError, match=r"params\.yaml: 1 problem\n  - .*write them flat"):
        load(path)


def test_a_file_of_more_than_a_million_characters_is_not_parsed():
    start = time.monotonic()
    with pytest.raises(yamlfile.SyntaxFault, match=r"1000003 characters; at most 1000000 are read"):
        yamlfile.parse("# " + "x" * 1_000_000 + "\n")
    assert time.monotonic() - start < 1
    assert yamlfile.parse("a: 1\n" + "#" * 999_990).values == {"a": 1}


def test_lines_of_keys():
    document = yamlfile.parse("a:\n  b: 1\n  c:\n  - x\n  - {d: 2}\n")
    assert document.lines == {"a": 1, "a.b": 2, "a.c": 3, "a.c[0]": 4, "a.c[1]": 5, "a.c[1].d": 5}


# ---------------------------------------------------------------- the model


def test_an_integral_number_is_a_whole_number():
    p = validate({"train": {"epochs": 20.0, "batch_size": 2e0}, "methods": {"u": {"kind": "unet", "dimension": 2.0}}})
    assert (p.train.epochs, p.methods["u"].dimension) == (20, 2) and type(p.train.epochs) is int


def test_validate_takes_plain_values():
    with pytest.raises(RefoldError, match=r"params.yaml: 1 problem\n  - train.3: the key is not text"):
        validate({"train": {3: 3}})
    with pytest.raises(RefoldError, match="it holds null"):
        validate(None)
    assert validate({}) == Params()
    assert validate({"augment": {"scaling": {"range": (0.5, 2.0)}}}).augment.scaling.range == (0.5, 2.0)


def test_part_of_a_subsection_leaves_its_other_keys_at_the_section_s_defaults():
    augment = validate({"augment": {"gamma_inverted": {"range": [0.8, 1.2]}}}).augment
    assert (augment.gamma_inverted.p, augment.gamma.p) == (0.1, 0.3)


def test_defaults_of_subsections_agree_with_their_own_class():
    """`augment: {flip: {}}` and no mention of flip mean the same."""

    def nested(model):
        for field in model.model_fields.values():
            if isinstance(field.default, Section):
                assert field.default == type(field.default)()
                nested(type(field.default))

    nested(Params)


def test_known_data_sets_have_distinct_nearest_names():
    for name in KNOWN:
        assert repr(name) in nearest(name.lower(), KNOWN)


def test_pooling_of_an_unknown_spacing_is_refused_only_if_no_spacing_can_do():
    """[64, 64, 8] in 6 stages: isotropic voxels cannot, flat ones can."""
    with pytest.raises(RefoldError):
        plan({"median": {"shape": [64, 64, 8], "spacing": [1, 1, 1]}}, 3, [64, 64, 8], 7)
    plan({"median": {"shape": [64, 64, 8], "spacing": [1, 1, 16]}}, 3, [64, 64, 8], 7)
    unet = params.KINDS["unet"](stages=7)
    assert checks._unpoolable([64, 64, 8], unet, "median") is None
    assert "at most" in checks._unpoolable([64, 64, 8], unet, [1.0, 1.0, 1.0])


@given(
    st.lists(st.integers(4, 48), min_size=2, max_size=3),
    st.lists(st.floats(0.3, 8), min_size=3, max_size=3),
    st.just("auto") | st.integers(2, 6),
)
@settings(max_examples=60, deadline=None)
def test_what_is_refused_for_any_spacing_is_refused_for_each(patch, mm, stages):
    if checks._unpoolable(patch, params.KINDS["unet"](stages=stages), "median") is not None:
        assert checks._unpoolable(patch, params.KINDS["unet"](stages=stages), mm) is not None


@pytest.mark.parametrize(("epochs", "every"), [(20, 5), (21, 5), (7, 2), (4, 1), (3, 3), (2, 1), (100, 7)])
def test_early_stopping_limit_is_what_the_training_loop_can_reach(epochs, every):
    """Best at the first validation and never better: how many validations later does a step before the last come?"""
    first = every if every < epochs else epochs
    reached = [e / every - first / every for e in range(every, epochs, every)]
    most = int(max(reached, default=0))
    for wanted in range(1, 6):
        section = {"train": {"epochs": epochs, "validate_every": every, "early_stopping": wanted}}
        if wanted <= most:
            validate(section)
        else:
            with pytest.raises(RefoldError, match="early_stopping"):
                validate(section)


# ---------------------------------------------------------------- stamps


def test_stamps_give_back_what_was_written(tmp_path):
    p = validate(
        {"train": {"epochs": 7}, "methods": {"a": {"kind": "unet", "features": 16}, "b": {"kind": "threshold"}}}
    )
    stamps = Stamps(tmp_path)
    paths = stamps.write(p.frozen())
    assert set(paths) == {*Params.model_fields} - {"methods"} | {"methods.a", "methods.b", "selection"}
    assert stamps.read(Train) == p.train
    a = frozen.thaw(stamps, "a")
    assert (a.train, a.augment) == (p.train, p.augment) and a.settings == p.methods["a"]
    assert frozen.thaw(stamps, "b").settings == p.methods["b"]


def test_stamps_are_rewritten_only_when_their_content_changes(tmp_path):
    stamps = Stamps(tmp_path)
    paths = stamps.write(validate({"methods": {"a": {"kind": "unet"}, "b": {"kind": "threshold"}}}).frozen())
    before = {name: Path(path).stat().st_mtime_ns for name, path in paths.items()}
    inodes = {name: Path(path).stat().st_ino for name, path in paths.items()}
    paths = stamps.write(validate({"train": {"epochs": 7}, "methods": {"a": {"kind": "unet"}}}).frozen())
    after = {name: Path(path).stat().st_mtime_ns for name, path in paths.items()}
    assert {n for n in after if after[n] != before[n] or Path(paths[n]).stat().st_ino != inodes[n]} == {
        "train",
        "methods.a",  # how it is trained stands there too
        "selection",  # a method fewer: tables and report must change though no file that they read did
    }
    assert not (tmp_path / "methods.b.json").exists()  # a method that is gone


def test_a_missing_stamp_is_named(tmp_path):
    with pytest.raises(RefoldError, match=r"train\.json is missing"):
        Stamps(tmp_path).read(Train)


# ---------------------------------------------------------------- schema and documentation


def test_schema_is_in_step():
    assert (ROOT / "workflow" / "params.schema.json").read_text(encoding="utf-8") == pages.json_schema(), (
        "run: PYTHONPATH=workflow python -m refold.experiment --schema > workflow/params.schema.json"
    )


def test_docs_are_in_step():
    assert (ROOT / "docs/reference/params.md").read_text(encoding="utf-8") == pages.docs(), (
        "run: PYTHONPATH=workflow python -m refold.experiment --docs > docs/reference/params.md"
    )


def test_every_key_of_the_schema_has_description_and_default():
    jsonschema.Draft202012Validator.check_schema(SCHEMA)
    seen = 0
    for title, section in (("", SCHEMA), *SCHEMA["$defs"].items()):
        assert section["additionalProperties"] is False
        for name, key in section["properties"].items():
            assert len(key.get("description", "")) > 4, name
            # what is left out under a method is as in the section
            assert ("default" in key) == (
                not title.endswith("Changes") and name not in section.get("required", ())
            ) or (name == "kind"), (title, name)
            seen += 1
    assert seen == sum(len(m.model_fields) for m in (Params, *map(_model, SCHEMA["$defs"])))


def _model(name: str):
    kinds = {m.__name__: m for m in params.KINDS.values()}
    if name in kinds or hasattr(changes, name):
        return kinds.get(name) or getattr(changes, name)
    known = {section.__name__: section for section in _sections(Params)}
    return known.get(name) or changes.changes_of(known[name.removesuffix("Changes")])


def _sections(model: type[Section]) -> Iterator[type[Section]]:
    """All sections that a section is made of, itself first."""
    yield model
    for field in model.model_fields.values():
        if isinstance(field.default, Section):
            yield from _sections(type(field.default))


def test_docs_name_every_key():
    text = (ROOT / "docs/reference/params.md").read_text(encoding="utf-8")
    sections = dict(part.partition("\n")[::2] for part in text.split("\n## ")[1:])
    for key in messages.keys(Params):
        section, _, rest = key.partition(".")
        if rest and not rest.endswith("<name>"):
            name = rest.removeprefix("<name>.")
            assert f"`{name}`" in sections[section] or f"`{name}." in sections[section], key


# what pydantic's strict mode refuses in a way that JSON schema cannot say
BEYOND_SCHEMA = ("(", "a.*", "[1.4, 0.7]")


@pytest.mark.parametrize(
    "text", [t for t in SINGLE if not any(x in t for x in ("? [a]", "true: 3", "{1: 3}", "1e400"))]
)
def test_schema_refuses_what_the_model_refuses(text):
    values = yamlfile.parse(text).values
    beyond = any(x in text for x in BEYOND_SCHEMA) or "nan" in text or "[0, 0]" in text
    assert beyond or not jsonschema.Draft202012Validator(SCHEMA).is_valid(values)


@pytest.mark.parametrize("text", POSSIBLE)
def test_schema_takes_what_the_model_takes(text):
    values = yamlfile.parse(text).values
    jsonschema.Draft202012Validator(SCHEMA).validate(values)


# ---------------------------------------------------------------- the command


def _command(*arguments: str, cwd: Path) -> subprocess.CompletedProcess:
    return subprocess.run(
        [sys.executable, "-m", "refold.experiment", *arguments],
        cwd=cwd,
        env={"PYTHONPATH": str(ROOT / "workflow"), "PATH": "", "PYTHONIOENCODING": "utf-8"},
        capture_output=True,
        text=True,
        check=False,
    )


def test_command(tmp_path):
    (tmp_path / "params.yaml").write_text("train: {epochs: 3}\n")
    (tmp_path / "other.yaml").write_text("train: {epochs: 0}\n")
    good = _command(cwd=tmp_path)
    assert (good.returncode, good.stdout) == (0, "params.yaml: nothing is wrong\n")
    bad = _command("other.yaml", cwd=tmp_path)
    assert bad.returncode == 1 and "  - train.epochs: 0 is not allowed" in bad.stderr
    assert bad.stderr.splitlines()[-1] == "error: other.yaml: 1 problem (listed above)"
    assert _command("--schema", cwd=tmp_path).stdout == pages.json_schema()
    assert _command("--docs", cwd=tmp_path).stdout == pages.docs()
