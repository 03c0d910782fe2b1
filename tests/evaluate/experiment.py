"""A small finished experiment with everything that is hard about tables, run in this process.

Two labels and a region, lesions, anisotropic voxels of two sizes, second scans of patients, two repeats of two folds,
a held-out set; three programs with designed failures, and a forest of two seeds with probabilities.
"""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
from scipy import ndimage

SHAPES = {0: ((20, 18, 9), (0.8, 0.9, 2.2)), 1: ((18, 20, 10), (1.1, 1.0, 1.7))}
VALUES = np.array([0, 3, 7], np.uint8)  # of background, organ and lesion in the files
PATIENTS, TWICE = 20, 4
WITHOUT_LESION = (1, 4, 8, 13, 17)
WITHOUT_ORGAN = (4, 11)  # patient 4 has neither
PROGRAMS = ("good", "shy", "bold")
FORESTS = ("forest1", "forest2")
METHODS = (*PROGRAMS, *FORESTS)


def generator(*key: Any) -> np.random.Generator:
    return np.random.default_rng(list("/".join(map(str, key)).encode()))


def truth(patient: int, scan: int) -> tuple[np.ndarray, np.ndarray, tuple[float, ...]]:
    """Image (x, y, z), label indices and spacing in mm."""
    rng = generator("truth", patient, scan)
    shape, spacing = SHAPES[patient % 2]
    grid = np.indices(shape)
    label = np.zeros(shape, np.uint8)
    if patient not in WITHOUT_ORGAN:
        centre = np.array([7, 8, 4]) + rng.integers(-1, 2, 3)
        radii = np.array([4.2, 4.6, 2.4]) + rng.uniform(-0.5, 0.8, 3)
        label[(((grid - centre.reshape(3, 1, 1, 1)) / radii.reshape(3, 1, 1, 1)) ** 2).sum(0) <= 1] = 1
    if patient not in WITHOUT_LESION:
        for corner in [(13, 3, 2), (14, 13, 5), (3, 14, 6)][: 1 + (patient + scan) % 3]:
            size = rng.integers(1, 4, 3) + np.array([1, 1, 0])
            label[tuple(slice(c, c + s) for c, s in zip(corner, size, strict=True))] = 2
    image = 20 + 8.0 * (label == 1) + 14.0 * (label == 2) + rng.normal(0, 4, shape)
    return image.round(2).astype(np.float32), label, spacing


def answer(method: str, fold: str, case: str, label: np.ndarray) -> np.ndarray:
    """What a program makes of a case; another thing in each repeat of the split."""
    rng = generator(method, fold, case)
    patient = int(case[1:3])
    out = np.zeros_like(label)
    organ = np.roll(label == 1, int(rng.integers(-1, 2)), axis=int(rng.integers(0, 3)))
    organ &= rng.random(label.shape) > 0.04  # holes
    if method == "shy":
        organ = ndimage.binary_erosion(organ)
    if method == "shy" and patient == 6:
        organ[:] = False  # missed
    out[organ] = 1
    lesions, count = ndimage.label(label == 2, np.ones((3, 3, 3)))
    for i in range(1, count + 1):
        kept = {"good": 0.85, "shy": 0.5, "bold": 0.95}[method] > rng.random()
        if kept and not (method == "shy" and patient in (2, 9)):
            mask = lesions == i
            out[np.roll(mask, 1, axis=0) if rng.random() < 0.4 else mask] = 2
    if method == "bold" or (method == "good" and patient == 8):
        at = rng.integers(2, 5, 3)
        out[at[0] : at[0] + 2, at[1] + 10 : at[1] + 12, at[2]] = 2  # invented, in every scan
    if method == "bold" and patient == 4:
        out[9:12, 5:8, 3:6] = 1
    return out


def parameters(**evaluate: Any) -> dict[str, Any]:
    forest = {"kind": "random_forest", "trees": 4, "depth": 6, "samples": 150, "sigmas": [1.0]}
    return {
        "dataset": {"name": "made", "source": "given", "patient_pattern": r"^(p\d+)"},
        "preprocess": {"spacing": "original", "crop_nonzero": False, "shards": 1},
        "split": {"folds": 2, "repeats": 2, "test_fraction": 0.25},
        "methods": {
            **{m: {"kind": "external", "folder": f"programs/{m}"} for m in PROGRAMS},
            **{m: {**forest, "seed": i} for i, m in enumerate(FORESTS, start=1)},
        },
        "evaluate": {
            "nsd_tolerance": 1.3,
            "regions": {"all of it": ["organ", "lesion"]},
            "lesions": ["lesion", "all of it"],
            "lesion_iou": 0.15,
            "calibration_margin": 2.0,
            "bootstrap": 2000,
            **evaluate,
        },
    }


def give() -> None:
    """Write the data set ``given``, in the layout of the Decathlon."""
    given = Path("given")
    for part in ("imagesTr", "labelsTr"):
        (given / part).mkdir(parents=True)
    training = []
    for patient in range(PATIENTS):
        for scan in range(1 + (patient < TWICE)):
            name = f"p{patient:02d}{'ab'[scan]}"
            image, label, spacing = truth(patient, scan)
            affine = np.diag([-spacing[0], -spacing[1], spacing[2], 1.0])
            nibabel.save(nibabel.Nifti1Image(image, affine), given / f"imagesTr/{name}.nii.gz")
            nibabel.save(nibabel.Nifti1Image(VALUES[label], affine), given / f"labelsTr/{name}.nii.gz")
            training.append({"image": f"./imagesTr/{name}.nii.gz", "label": f"./labelsTr/{name}.nii.gz"})
    about = {
        "name": "made",
        "modality": {"0": "T1"},
        "labels": {"0": "background", "3": "organ", "7": "lesion"},
        "training": training,
        "test": [],
    }
    (given / "dataset.json").write_text(json.dumps(about))


def programs(splits: dict[str, Any]) -> None:
    """Write the label maps of the three programs for every fold and the held-out cases."""
    wanted = {f"fold_{f['fold']}": f["test"] for f in splits["folds"]} | {"holdout": splits["holdout"]}
    for folder, cases in wanted.items():
        for case in cases:
            file = nibabel.load(f"given/labelsTr/{case}.nii.gz")
            label = np.searchsorted(VALUES, np.asarray(file.dataobj)).astype(np.uint8)
            for method in PROGRAMS:
                out = Path(f"programs/{method}/{folder}/{case}.nii.gz")
                out.parent.mkdir(parents=True, exist_ok=True)
                made = VALUES[answer(method, folder, case, label)]
                nibabel.save(nibabel.Nifti1Image(made, file.affine), out)


def run() -> None:
    """All phases but the report, in the current folder."""
    from refold.core import paths
    from refold.data.__main__ import main as data
    from refold.evaluate.__main__ import main as evaluate
    from refold.experiment.reading import validate
    from refold.imaging import cases
    from refold.imaging.dataset import Description
    from refold.imaging.place import Place
    from refold.predict import __main__ as predict
    from refold.preprocess import cases as preprocess
    from refold.preprocess import fingerprint
    from refold.settings.stamps import Stamps
    from refold.split.__main__ import main as split
    from refold.train import __main__ as train

    give()
    params = validate(parameters())
    Stamps().write(params.frozen())
    Place("given", "given", folders={m: f"programs/{m}" for m in PROGRAMS}).write()
    data(["fetch"])
    data(["catalogue"])
    known, description = cases.read(), Description.read(root="given")
    preprocess.run(known, description, params.preprocess, 0)
    fingerprint.run(known, description, params.preprocess)
    split([])
    splits = json.loads(Path("results/splits.json").read_text())
    programs(splits)
    numbers = [str(f["fold"]) for f in splits["folds"]]
    places = {
        "params": "results/.params", "cases": paths.CASES, "dataset": paths.DATASET,
        "fingerprint": "data/fingerprint.json", "preprocessed": "data/preprocessed", "splits": "results/splits.json",
        "out": None, "checkpoints": "results/.checkpoints", "place": "results/.data/place.json",
    }  # fmt: skip
    for method in FORESTS:
        for fold in numbers:
            train.run(argparse.Namespace(method=method, fold=int(fold), **places))
    for method in METHODS:
        for fold in (*numbers, "holdout"):
            models = None
            if method in FORESTS and fold == "holdout":
                models = [f"results/models/{method}/fold-{k}/model.npz" for k in numbers]
            predict.run(argparse.Namespace(method=method, fold=fold, models=models, **places))
            evaluate(["fold", "--method", method, "--fold", fold])
    evaluate(["aggregate", "--methods", *METHODS, "--folds", *numbers, "holdout"])


def again(**changed: Any) -> None:
    """The evaluation with other settings, into ``results/again``."""
    from refold.evaluate.__main__ import main as evaluate
    from refold.experiment.reading import validate
    from refold.settings.stamps import Stamps

    Stamps("results/again/.params").write(validate(parameters(**changed)).frozen())
    start = ["--params", "results/again/.params"]
    splits = json.loads(Path("results/splits.json").read_text())
    folds = [*(str(f["fold"]) for f in splits["folds"]), "holdout"]
    for method in METHODS:
        for fold in folds:
            out = ["--output", "results/again/folds"]
            evaluate([*start, "fold", "--method", method, "--fold", fold, *out])
    out = ["--input", "results/again/folds", "--output", "results/again"]
    evaluate([*start, "aggregate", "--methods", *METHODS, "--folds", *folds, *out])
