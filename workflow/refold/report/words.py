"""The experiment in words: the finding in one sentence, and a methods section ready for a paper."""

from __future__ import annotations

import math
import re
from typing import Any

from refold.core.params import KINDS, Params
from refold.core.sections import MSD_TASKS, Augment, Loss, Train
from refold.methods.base import About
from refold.report.inputs import CV, HOLDOUT, MEAN, Experiment

REFERENCES = {
    "msd": "Antonelli M et al. The Medical Segmentation Decathlon. Nature Communications 13, 4128, 2022.",
    "nnunet": "Isensee F et al. nnU-Net: a self-configuring method for deep learning-based biomedical image "
    "segmentation. Nature Methods 18, 203-211, 2021.",
    "dice_loss": "Milletari F, Navab N, Ahmadi S-A. V-Net: fully convolutional neural networks for volumetric medical "
    "image segmentation. 3DV 2016.",
    "generalised_dice": "Sudre CH et al. Generalised Dice overlap as a deep learning loss function for highly "
    "unbalanced segmentations. Deep Learning in Medical Image Analysis, 2017.",
    "focal": "Lin T-Y et al. Focal loss for dense object detection. ICCV 2017.",
    "tversky": "Salehi SSM, Erdogmus D, Gholipour A. Tversky loss function for image segmentation using 3D fully "
    "convolutional deep networks. Machine Learning in Medical Imaging, 2017.",
    "focal_tversky": "Abraham N, Khan NM. A novel focal Tversky loss function with improved attention U-Net for lesion "
    "segmentation. ISBI 2019.",
    "boundary": "Kervadec H et al. Boundary loss for highly unbalanced segmentation. MIDL 2019.",
    "cldice": "Shit S et al. clDice: a novel topology-preserving loss function for tubular structure segmentation. "
    "CVPR 2021.",
    "adam": "Kingma DP, Ba J. Adam: a method for stochastic optimization. ICLR 2015.",
    "adamw": "Loshchilov I, Hutter F. Decoupled weight decay regularization. ICLR 2019.",
    "cosine": "Loshchilov I, Hutter F. SGDR: stochastic gradient descent with warm restarts. ICLR 2017.",
    "he": "He K et al. Delving deep into rectifiers. ICCV 2015.",
    "glorot": "Glorot X, Bengio Y. Understanding the difficulty of training deep feedforward neural networks. "
    "AISTATS 2010.",
    "nsd": "Nikolov S et al. Clinically applicable segmentation of head and neck anatomy for radiotherapy. "
    "Journal of Medical Internet Research 23(7), e26151, 2021.",
    "metrics": "Maier-Hein L et al. Metrics reloaded: recommendations for image analysis validation. "
    "Nature Methods 21, 195-212, 2024.",
    "panoptic": "Kirillov A et al. Panoptic segmentation. CVPR 2019.",
    "agreement": "Bland JM, Altman DG. Measuring agreement in method comparison studies. Statistical Methods in "
    "Medical Research 8, 135-160, 1999.",
    "concordance": "Lin LI. A concordance correlation coefficient to evaluate reproducibility. Biometrics 45, 255-268, "
    "1989.",
    "ece": "Naeini MP, Cooper GF, Hauskrecht M. Obtaining well calibrated probabilities using Bayesian binning. AAAI "
    "2015.",
    "brier": "Brier GW. Verification of forecasts expressed in terms of probability. Monthly Weather Review 78, 1-3, "
    "1950.",
    "selective": "El-Yaniv R, Wiener Y. On the foundations of noise-free selective classification. Journal of Machine "
    "Learning Research 11, 1605-1641, 2010.",
    "bootstrap": "Efron B, Tibshirani RJ. An introduction to the bootstrap. Chapman & Hall, 1993.",
    "studentised": "Hall P. Theoretical comparison of bootstrap confidence intervals. Annals of Statistics 16, "
    "927-953, 1988.",
    "wilcoxon": "Wilcoxon F. Individual comparisons by ranking methods. Biometrics Bulletin 1, 80-83, 1945.",
    "permutation": "Phipson B, Smyth GK. Permutation p-values should never be zero. Statistical Applications in "
    "Genetics and Molecular Biology 9, 39, 2010.",
    "holm": "Holm S. A simple sequentially rejective multiple test procedure. Scandinavian Journal of Statistics 6, "
    "65-70, 1979.",
}


NAMED = 4  # methods named in the finding beside the best


class Prose:
    """Paragraphs that number the references in the order of their first mention."""

    def __init__(self) -> None:
        self.cited: list[str] = []
        self.paragraphs: list[tuple[str, str]] = []

    def cite(self, *keys: str) -> str:
        """A mark that `add` turns into numbers, when the place of the mention is known."""
        return f"\0{','.join(keys)}\0"

    def _number(self, mark: re.Match) -> str:
        keys = mark[1].split(",")
        self.cited += [k for k in keys if k not in self.cited]
        return " [" + ", ".join(str(self.cited.index(k) + 1) for k in keys) + "]"

    def add(self, title: str, *sentences: str) -> None:
        text = " ".join(s for s in sentences if s)
        self.paragraphs.append((title, re.sub("\0([^\0]+)\0", self._number, text)))

    def references(self) -> list[str]:
        known = {**{k: v for kind in KINDS.values() for k, v in kind.references.items()}, **REFERENCES}
        return [known[k] for k in self.cited]


def plural(number: int, word: str, many: str | None = None) -> str:
    """``1 case``, ``2 cases``."""
    return f"{number} {word if number == 1 else many or word + 's'}"


def listed(words: list[str]) -> str:
    """``a, b and c``."""
    words = list(words)
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} and {words[-1]}" if words else "none"


def share(value: float) -> str:
    """A metric between 0 and 1 as the report writes it: 4 decimals."""
    return "not defined" if math.isnan(value) else f"{value:.4f}"


def percent(value: float) -> str:
    """``0.33`` -> ``33 %``."""
    return f"{round(value * 100, 6):g} %"


def level(experiment: Experiment) -> str:
    """``95 %``."""
    return percent(experiment.params.evaluate.confidence)


def patient_unit(experiment: Experiment) -> str:
    """Whether folds are by patient, in the words of the finding."""
    return "by case, each taken as its own patient" if experiment.description.patients == "case" else "by patient"


def evaluation(experiment: Experiment, set_: str = CV) -> str:
    """``5-fold cross-validation, split by patient``; says so when only some folds were run."""
    if set_ == HOLDOUT:
        return f"held-out test set, split {patient_unit(experiment)}"
    per_repeat: dict[int, int] = {}
    for fold in experiment.splits["folds"]:
        per_repeat[fold.get("repeat", 0)] = per_repeat.get(fold.get("repeat", 0), 0) + 1
    k, repeats = next(iter(per_repeat.values())), len(per_repeat)
    text = f"{k}-fold cross-validation" if k > 1 else "one training and test split"
    if repeats > 1:
        text += f" repeated {repeats} times"
    ran = experiment.fold_numbers
    if len(ran) < len(experiment.splits["folds"]):
        text = f"{'fold' if len(ran) == 1 else 'folds'} {listed(ran)} of {text}"
    return f"{text}, split {patient_unit(experiment)}"


def ranking(experiment: Experiment, set_: str = CV) -> list[tuple[str, dict[str, Any]]]:
    """Methods with their summary row of the mean Dice, best first; those without a defined Dice last."""
    rows = [(m, experiment.row(set_, m, MEAN, "dice")) for m in experiment.methods]
    rows = [(m, r) for m, r in rows if r is not None]
    return sorted(rows, key=lambda pair: (math.isnan(pair[1]["mean"]), -pair[1]["mean"], pair[0]))


def finding(experiment: Experiment, set_: str = CV) -> dict[str, Any]:
    """The finding of one evaluation: the parts of its sentence, so that the template can mark the number."""
    method, row = ranking(experiment, set_)[0]
    folds = experiment.fold_numbers if set_ == CV else [HOLDOUT]
    cases = {c for f in folds for c in experiment.fold(f)["test"]}
    others = [(m, r) for m, r in ranking(experiment, set_)[1:]]
    told = others if len(others) <= NAMED + 1 else others[:NAMED]
    return {
        "set": set_,
        "method": method,
        "dice": share(row["mean"]),
        "defined": not math.isnan(row["mean"]),
        "interval": f"{share(row['ci_low'])} to {share(row['ci_high'])}",
        "level": level(experiment),
        "labels": listed(list(experiment.labels)),
        "n": int(row["n"]),
        "n_nan": int(row["n_nan"]),
        "cases": plural(len(cases), "case"),
        "patients": plural(len({experiment.cases[c].patient for c in cases}), "patient"),
        "evaluation": evaluation(experiment, set_),
        "of": len(others) + 1,
        "others": [(m, share(r["mean"])) for m, r in told],
        "more": plural(len(others) - len(told), "other") if len(told) < len(others) else "",
    }


def origin(git: dict[str, Any]) -> list[str]:
    """Which sources the results come from, in sentences; ``git`` is as `refold.core.git.state` gives it."""
    if git["commit"] is None:
        return [f"No commit is known: {git['note']}. The hashes below say which code ran."]
    sentences = [f"Made from commit {git['commit']} of {git['date']}."]
    if git["clean"]:
        sentences.append("Workflow, code and params.yaml were as in that commit.")
    else:
        files = git["modified"]
        shown = listed(files[:12]) + (f" and {len(files) - 12} more" if len(files) > 12 else "")
        sentences.append(f"Changed since and not committed: {shown}.")
    if git["note"]:
        sentences.append(f"{git['note'][0].upper()}{git['note'][1:]}.")
    return sentences


# ---------------------------------------------------------------- methods


def methods(experiment: Experiment) -> Prose:
    """The methods section: what was done, in the past tense, every number from the frozen parameters."""
    prose, p = Prose(), experiment.params
    _data(prose, experiment)
    _preprocessing(prose, p, experiment)
    _split(prose, experiment)
    for name in experiment.methods:
        facts = next((c for (method, _), c in experiment.cards.items() if method == name), {}).get("training", {})
        description = experiment.description
        train = p.train_of(name) if p.methods[name].network else Train()
        about = About(prose.cite, list(description.channels), description.dimension, facts, train)
        prose.add(f"Method {name}", p.methods[name].words(about))
    networks = [m for m in experiment.methods if p.methods[m].network]
    for train, augment, names in _recipes(p, networks):
        whose = f" of {listed(names)}" if len(names) < len(networks) else ""
        _training(prose, train, whose)
        _augmentation(prose, augment, whose)
    if networks:
        _prediction(prose, p)
    _evaluation(prose, experiment)
    return prose


def _data(prose: Prose, e: Experiment) -> None:
    d = e.description
    patients = len({c.patient for c in e.cases.values()})
    if d.patients == "phantom":
        origin = f"The data were a simulated head-like phantom (seed {e.params.dataset.phantom.seed})."
    elif d.name in MSD_TASKS:
        origin = f"The data set was {d.name} of the Medical Segmentation Decathlon{prose.cite('msd')}."
    else:
        origin = f"The data set was {d.name}."
    prose.add(
        "Data",
        origin,
        f"It held {plural(len(e.cases), 'case')} of {plural(patients, 'patient')}, {d.dimension}-dimensional, with "
        f"{plural(len(d.channels), 'channel')} ({listed(list(d.channels))}) and the labels "
        f"{listed(list(d.labels.names))}.",
        "Each case was taken as its own patient, because nothing said which cases belong together."
        if d.patients == "case"
        else "",
        d.reference,
    )


def _preprocessing(prose: Prose, p: Params, e: Experiment) -> None:
    q = p.preprocess
    target = e.fingerprint["target_spacing"]
    if target is None:
        resampling = "Cases were not resampled."
    else:
        spacing = " x ".join(f"{s:g}" for s in target) + " mm"
        if q.spacing == "median":
            spacing += (
                " (the median of the data set, or the 10th percentile for a markedly coarser axis"
                f"{prose.cite('nnunet')})"
            )
        resampling = (
            f"Cases were resampled to {spacing}, images by splines of order {q.image_order}, "
            f"labels one by one by order {q.label_order}; cases whose coarsest spacing exceeded the finest "
            f"{q.anisotropy:g}-fold were resampled in plane first and by nearest neighbour across slices."
        )
    kinds = e.fingerprint["normalisation"]
    phrases = {
        "zscore": "to zero mean and unit variance per case",
        "ct": "by clipping to the foreground's percentiles 0.5 and 99.5 and its z-score, learnt from each fold's "
        "training cases only",
        "minmax": "to the range 0 to 1 per case",
        "none": "not at all",
    }
    names = e.description.channels
    if len(set(kinds)) == 1:
        normalised = f"Intensities were normalised {phrases[kinds[0]]}."
    else:
        each = [f"channel {name} {phrases[kind]}" for name, kind in zip(names, kinds, strict=True)]
        normalised = f"Intensities were normalised channel by channel: {listed(each)}."
    prose.add(
        "Preprocessing",
        "Volumes were brought to the canonical orientation (RAS+)." if e.description.dimension == 3 else "",
        "Images were cropped to the box of non-zero voxels." if q.crop_nonzero else "",
        resampling,
        normalised,
    )


def _split(prose: Prose, e: Experiment) -> None:
    s = e.params.split
    how = {
        "grouped": "Folds were drawn by patient and stratified by foreground (StratifiedGroupKFold of scikit-learn, "
        f"seed {s.seed}).",
        "kfold": f"Folds were drawn by KFold of scikit-learn (shuffled, seed {s.seed}) over the sorted case names.",
        "file": "Folds were given by a file.",
    }[s.kind]
    held = e.splits.get("holdout") or []
    prose.add(
        "Evaluation design",
        (
            f"All methods were evaluated on the same {evaluation(e)}."
            if len(e.methods) > 1
            else f"Evaluation: {evaluation(e)}."
        ),
        how,
        f"{plural(len(held), 'case')} were held out of all folds as a test set and predicted by the mean of the "
        "folds' models."
        if held
        else "",
        "No patient was on two sides of any split; this was asserted when the split was made and again for this "
        "report.",
    )


def _recipes(p: Params, networks: list[str]) -> list[tuple[Train, Augment, list[str]]]:
    """Each way of training and augmenting, with the networks that share it."""
    found: list[tuple[Train, Augment, list[str]]] = []
    for name in networks:
        pair = (p.train_of(name), p.augment_of(name))
        same = next((names for *other, names in found if tuple(other) == pair), None)
        if same is None:
            found.append((*pair, [name]))
        else:
            same.append(name)
    return found


# losses whose sums run over the batch or over each case, as `batch_dice` says
BY_BATCH = {"dice", "ce_dice", "focal_dice", "tversky", "focal_tversky", "cldice"}


def _loss(prose: Prose, s: Loss) -> str:
    """What a loss minimises, with its parameters."""
    dice = f"soft Dice loss{prose.cite('dice_loss')}"
    generalised = f"generalised Dice loss{prose.cite('generalised_dice')}"
    focal = f"focal loss{prose.cite('focal')} (gamma {s.focal_gamma:g})"
    sides = f"{s.tversky_alpha:g} for false positives and {s.tversky_beta:g} for false negatives"
    text = {
        "ce": "cross-entropy",
        "dice": dice,
        "ce_dice": f"the sum of cross-entropy and {dice}",
        "focal": focal,
        "focal_dice": f"the sum of {focal} and {dice}",
        "tversky": f"Tversky loss{prose.cite('tversky')} (weights {sides})",
        "focal_tversky": f"focal Tversky loss{prose.cite('focal_tversky')} (weights {sides}, gamma "
        f"{s.tversky_gamma:.3g})",
        "generalised_dice": generalised,
        "boundary": f"{generalised} and boundary loss{prose.cite('boundary')}, whose share rose from 0 to "
        f"{s.boundary_weight:g}",
        "cldice": f"{dice} and clDice loss{prose.cite('cldice')} with the shares {1 - s.cldice_weight:g} and "
        f"{s.cldice_weight:g} (soft skeleton in {s.cldice_iterations} steps)",
    }[s.kind]
    if s.class_weights is not None:
        text += f" with class weights {listed([f'{w:g}' for w in s.class_weights])}"
    return text


def _training(prose: Prose, t: Train, whose: str = "") -> None:
    loss = _loss(prose, t.loss)
    optimizer = {
        "sgd": f"stochastic gradient descent with Nesterov momentum {t.momentum:g}",
        "adam": f"Adam{prose.cite('adam')}",
        "adamw": f"AdamW{prose.cite('adamw')}",
    }[t.optimizer]
    schedule = {
        "constant": "kept constant",
        "polynomial": "lowered polynomially (exponent 0.9)",
        "cosine": f"lowered to 0 by a cosine{prose.cite('cosine')}",
    }[t.schedule]
    start = {
        "he": f"He's scheme{prose.cite('he')}",
        "glorot": f"Glorot's scheme{prose.cite('glorot')}",
        "gaussian": "a Gaussian of standard deviation 0.02",
    }[t.initializer]
    samples = "as many patches as training cases" if t.samples_per_epoch is None else f"{t.samples_per_epoch} patches"
    prose.add(
        f"Training{whose}",
        f"Networks were trained for {plural(t.epochs, 'epoch')} of {samples}, {t.batch_size} a step, "
        f"{percent(t.foreground_fraction)} of them centred on foreground, to minimise {loss}"
        + (" (over the whole batch)" if t.loss.batch_dice and t.loss.kind in BY_BATCH else "")
        + (", at every resolution of the decoder." if t.deep_supervision else "."),
        f"The optimizer was {optimizer}, weight decay {t.weight_decay:g}"
        + (f", gradients clipped at norm {t.clip_norm:g}" if t.clip_norm else "")
        + (
            f"; the learning rate rose over {t.warmup_epochs:g} epochs to {t.learning_rate:g} and was then {schedule}."
            if t.warmup_epochs
            else f"; the learning rate started at {t.learning_rate:g} and was {schedule}."
        ),
        f"Initial weights followed {start}."
        + (
            f" The model kept is the exponential moving average of the weights (decay {t.averaging:g})."
            if t.averaging
            else ""
        ),
        f"{percent(t.validation_fraction)} of each fold's training patients served as inner validation and taught "
        "the network nothing."
        if t.validation_fraction
        else "",
        f"Training stopped early after {t.early_stopping} inner validations without a better Dice, and the best "
        f"weights "
        "were kept."
        if t.early_stopping
        else "The number of epochs was fixed beforehand.",
        "No test fold had a part in training.",
        f"Seed {t.seed}; {t.precision}; deterministic operations; {plural(t.threads, 'math thread')}; processor "
        f"instructions {'held to AVX2' if t.instructions == 'avx2' else 'as the processor has them'}.",
    )


def _augmentation(prose: Prose, a: Augment, whose: str = "") -> None:
    span = lambda r: f"{r[0]:g} to {r[1]:g}"  # noqa: E731
    each = [
        (a.rotation.p, f"rotation by up to {a.rotation.degrees:g} degrees"),
        (a.scaling.p, f"scaling by {span(a.scaling.range)}"),
        (a.crop.p, f"cropping to {span(a.crop.range)} of the edge"),
        (a.flip.p if a.flip.axes else 0, f"flips along {listed(list(a.flip.axes))} for each axis"),
        (a.noise.p, f"Gaussian noise of variance {span(a.noise.variance)}"),
        (a.blur.p, f"Gaussian blur of {span(a.blur.sigma)} voxels"),
        (a.brightness.p, f"brightness by {span(a.brightness.range)}"),
        (a.contrast.p, f"contrast by {span(a.contrast.range)}"),
        (a.low_resolution.p, f"simulated low resolution of {span(a.low_resolution.range)}"),
        (a.gamma_inverted.p, f"gamma of {span(a.gamma_inverted.range)} on the inverted image"),
        (a.gamma.p, f"gamma of {span(a.gamma.range)}"),
        (a.channel_dropout.p, "channels set to 0, each by itself, but never all"),
    ]
    used = [f"{text} (p = {q:g})" for q, text in each if q]
    prose.add(
        "Augmentation",
        f"Training patches were changed at random, each with its probability: {listed(used)}. Spatial changes shared "
        "one interpolation."
        if used
        else "Training patches were not augmented.",
    )


def _prediction(prose: Prose, p: Params) -> None:
    q = p.predict
    tile = {"auto": "in tiles of the patch's size or, where little larger, whole", "whole": "whole"}.get(
        q.tile if isinstance(q.tile, str) else "", ""
    ) or "in tiles of " + " x ".join(map(str, q.tile)) + " voxels"
    prose.add(
        "Prediction",
        f"Networks predicted cases {tile}"
        + (
            f"; tiles overlapped by {percent(q.overlap)} under Gaussian weights{prose.cite('nnunet')}."
            if q.tile != "whole"
            else "."
        ),
        f"Predictions were averaged over mirror images along {listed(list(q.mirror_axes))}." if q.mirror_axes else "",
        "Class probabilities were resampled to each case's own grid before the most probable label was taken.",
    )


def _evaluation(prose: Prose, e: Experiment) -> None:
    q = e.params.evaluate
    several = len(e.methods) > 1
    unit = "mm" if e.description.dimension == 3 else "pixels"
    tests = {"wilcoxon": "Wilcoxon's signed-rank test", "permutation": "a permutation test of their signs"}
    prose.add(
        "Metrics and statistics",
        f"Metrics were computed per case and label on the case's own grid, distances in {unit}{prose.cite('metrics')}: "
        "Dice (equal to the F1 score of voxels), intersection over union, precision, recall, specificity, accuracy, "
        "the "
        "95th percentile of the Hausdorff distance (the larger of the two directed ones, weighted by surface), the "
        "average symmetric surface distance, the normalised surface distance at "
        f"{q.nsd_tolerance:g} {unit}{prose.cite('nsd')}, and volume.",
        "Where truth and prediction were both empty, Dice was not defined and the case was counted apart; where one of "
        "them was empty, Dice was 0 and surface distances were not defined; the penalised distance then was the "
        "image's "
        "diagonal.",
        *(f"The region {name} was the union of {listed(members)}." for name, members in q.regions.items()),
        f"Lesions of {listed(q.lesions)} were connected components, matched one to one where their intersection over "
        f"union was at least {q.lesion_iou:g}, and measured by sensitivity, precision, F1, lesions missed and invented "
        f"a scan, and panoptic quality{prose.cite('panoptic')}."
        if q.lesions
        else "",
        f"Predicted and true volumes were compared by bias and 95 % limits of agreement{prose.cite('agreement')}, "
        f"Pearson's and Lin's correlation{prose.cite('concordance')}.",
        f"Probabilities were judged by the expected calibration error{prose.cite('ece')} and the Brier score"
        f"{prose.cite('brier')} of the voxels within {q.calibration_margin:g} {unit} of the box about truth and "
        "prediction, and by whether the mean entropy of a case told its risk, 1 less Dice"
        f"{prose.cite('selective')}."
        if e.uncertainty
        else "",
        f"Intervals are {level(e)} {q.interval} bootstrap intervals of the mean ({q.bootstrap} samples, drawn by "
        f"patient, seed {q.seed}){prose.cite('bootstrap' if q.interval == 'percentile' else 'studentised')}.",
        "Methods were compared by the paired differences of cases, with bootstrap intervals by patient, and by "
        f"{tests[q.test]}{prose.cite(q.test)} on one mean difference a patient; p values were corrected after Holm"
        f"{prose.cite('holm')} for the pairs of methods."
        if several
        else "",
    )
