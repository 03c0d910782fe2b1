"""The experiment in words: the finding in one sentence, and a methods section ready for a paper."""

from __future__ import annotations

import math
import re
from typing import Any

from refold.core.language import N_, _, joined, listed, plural
from refold.evaluate import statistics
from refold.experiment.params import KINDS, Params
from refold.methods.base import About
from refold.report import prose as of_kind
from refold.report import tables
from refold.report.inputs import Experiment
from refold.report.prose.prediction import in_tiles
from refold.settings.augment import Augment
from refold.settings.dataset import MSD_TASKS
from refold.settings.names import CV, HOLDOUT, MEAN
from refold.settings.train import Loss, Train

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
    "muon": "Jordan K et al. Muon: an optimizer for hidden layers in neural networks. 2024. "
    "https://kellerjordan.github.io/posts/muon/",
    "moonlight": "Liu J et al. Muon is scalable for LLM training. arXiv:2502.16982, 2025.",
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
    "wilson": "Wilson EB. Probable inference, the law of succession, and statistical inference. Journal of the "
    "American Statistical Association 22, 209-212, 1927.",
    "effective": "Korn EL, Graubard BI. Confidence intervals for proportions with small expected number of positive "
    "counts estimated from survey data. Survey Methodology 24, 193-201, 1998.",
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
        return _(" [{numbers}]", numbers=", ".join(str(self.cited.index(k) + 1) for k in keys))

    def add(self, title: str, *sentences: str) -> None:
        text = _(" ").join(s for s in sentences if s)
        self.paragraphs.append((title, re.sub("\0([^\0]+)\0", self._number, text)))

    def references(self) -> list[str]:
        known = {**{k: v for kind in KINDS.values() for k, v in of_kind.references(kind).items()}, **REFERENCES}
        return [known[k] for k in self.cited]


def share(value: float) -> str:
    """A metric between 0 and 1 as the report writes it: 4 decimals."""
    return _("not defined") if math.isnan(value) else f"{value:.4f}"


def percent(value: float) -> str:
    """``0.33`` -> ``33 %``."""
    return f"{round(value * 100, 6):g} %"


def level(experiment: Experiment) -> str:
    """``95 %``."""
    return percent(experiment.params.evaluate.confidence)


def alpha(confidence: float) -> str:
    """The level of tests that belongs to that of intervals: ``0.05`` of 0.95."""
    return f"{round(1 - confidence, 9):g}"


def _by_patient(experiment: Experiment, text: str) -> str:
    """An evaluation, and whether its split is by patient."""
    if experiment.description.patients == "case":
        return _("{evaluation}, split by case, each taken as its own patient", evaluation=text)
    return _("{evaluation}, split by patient", evaluation=text)


def evaluation(experiment: Experiment, set_: str = CV) -> str:
    """``5-fold cross-validation, split by patient``; says so when only some folds were run."""
    if set_ == HOLDOUT:
        return _by_patient(experiment, _("held-out test set"))
    per_repeat: dict[int, int] = {}
    for fold in experiment.splits["folds"]:
        per_repeat[fold.get("repeat", 0)] = per_repeat.get(fold.get("repeat", 0), 0) + 1
    k, repeats = next(iter(per_repeat.values())), len(per_repeat)
    if experiment.single:
        if experiment.description.patients == "case":
            return _("one training and test split by case, each taken as its own patient")
        return _("one training and test split by patient")
    text = _("{k}-fold cross-validation", k=k)
    if repeats > 1:
        text = _("{evaluation} repeated {repeats} times", evaluation=text, repeats=repeats)
    ran = experiment.fold_numbers
    if len(ran) < len(experiment.splits["folds"]):
        text = _("{folds} of {evaluation}", folds=folds(ran), evaluation=text)
    return _by_patient(experiment, text)


def folds(names: list[str]) -> str:
    """``fold 0``, ``folds 0 and 1``."""
    return _("fold {fold}", fold=names[0]) if len(names) == 1 else _("folds {folds}", folds=listed(names))


def ranking(experiment: Experiment, set_: str = CV) -> list[tuple[str, dict[str, Any]]]:
    """Methods with their summary row of the mean Dice, best first; those without a defined Dice last."""
    rows = [(m, experiment.row(set_, m, MEAN, "dice")) for m in experiment.ordered(set_)]
    return [(m, r) for m, r in rows if r is not None]


def finding(experiment: Experiment, set_: str = CV) -> dict[str, Any]:
    """The finding of one evaluation: the parts of its sentence, so that the template can mark the number."""
    method, row = ranking(experiment, set_)[0]
    names = experiment.fold_numbers if set_ == CV else [HOLDOUT]
    cases = {c for f in names for c in experiment.fold(f)["test"]}
    others = [(m, r) for m, r in ranking(experiment, set_)[1:]]
    told = others if len(others) <= NAMED + 1 else others[:NAMED]
    return {
        "set": set_,
        "method": method,
        "dice": share(row["mean"]),
        "defined": not math.isnan(row["mean"]),
        "interval": _("not known")
        if math.isnan(row["ci_low"])
        else _("{low} to {high}", low=share(row["ci_low"]), high=share(row["ci_high"])),
        "level": level(experiment),
        "labels": listed(list(experiment.labels)),
        "n": int(row["n"]),
        "n_nan": int(row["n_nan"]),
        "cases": plural(len(cases), "case"),
        "patients": plural(len({experiment.cases[c].patient for c in cases}), "patient"),
        "evaluation": evaluation(experiment, set_),
        "of": len(others) + 1,
        "others": joined(f"{m} {share(r['mean'])}" for m, r in told),
        "more": plural(len(others) - len(told), "other") if len(told) < len(others) else "",
        "failed": failed(experiment, set_, method),
    }


def failed(e: Experiment, set_: str, method: str) -> str:
    """What a mean of Dice does not tell of a method: lesions found, false positives and labels missed, with their n."""
    lesions = e.params.evaluate.lesions
    named = len(lesions) > 1 or bool(set(lesions) - set(e.labels))
    if set_ == CV and e.repeats > 1:  # a case has a prediction in each repeat
        said = {
            "lesion_sensitivity": N_("found {count} lesions labelled {label}, each repeat counted")
            if named
            else N_("found {count} lesions, each repeat counted"),
            "false_positive": N_("marked {label} in {count} predictions of cases without it"),
            "missed": N_("missed {label} in {count} predictions of cases that have it"),
        }
    else:
        said = {
            "lesion_sensitivity": N_("found {count} lesions labelled {label}")
            if named
            else N_("found {count} lesions"),
            "false_positive": N_("marked {label} in {count} cases without it"),
            "missed": N_("missed {label} in {count} cases that have it"),
        }
    found = []
    for measure, text in said.items():
        # that nothing was missed goes without saying; that there was no false positive depends on how many could be
        rows = [(r, x) for x, r in tables.countable(e, set_, method, measure) if r["count"] or measure != "missed"]
        found += [(r, x, text) for r, x in sorted(rows, key=lambda row: -row[0]["share"])]
    parts = []
    for row, label, text in found[:NAMED]:
        part = _(text, label=label, count=tables.count_of(row))
        parts.append(_("{text} ({interval})", text=part, interval=tables.shares(row)) if tables.shares(row) else part)
    if len(found) > NAMED:
        parts.append(_("more in the table of failures"))
    return listed(parts) if parts else ""


def origin(git: dict[str, Any]) -> list[str]:
    """Which sources the results come from, in sentences; ``git`` is as `refold.run.git.state` gives it."""
    if git["commit"] is None:
        return [_("No commit is known: {note}. The hashes below say which code ran.", note=git["note"])]
    sentences = [_("Made from commit {commit} of {date}.", commit=git["commit"], date=git["date"])]
    if git["clean"]:
        sentences.append(_("Workflow, code and params.yaml were as in that commit."))
    else:
        files, more = listed(git["modified"][:12]), len(git["modified"]) - 12
        shown = _("{some} and {count} more", some=files, count=more) if more > 0 else files
        sentences.append(_("Changed since and not committed: {files}.", files=shown))
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
        prose.add(_("Method {name}", name=name), of_kind.words(p.methods[name], about))
    networks = [m for m in experiment.methods if p.methods[m].network]
    for train, augment, names in _recipes(p, networks):
        whose = names if len(names) < len(networks) else []
        _training(prose, train, whose)
        _augmentation(prose, augment)
    if networks:
        _prediction(prose, p)
    _evaluation(prose, experiment)
    return prose


def _data(prose: Prose, e: Experiment) -> None:
    d = e.description
    patients = len({c.patient for c in e.cases.values()})
    if d.patients == "phantom":
        origin = _("The data were a simulated head-like phantom (seed {seed}).", seed=e.params.dataset.phantom.seed)
    elif d.name in MSD_TASKS:
        origin = _(
            "The data set was {name} of the Medical Segmentation Decathlon{cite}.", name=d.name, cite=prose.cite("msd")
        )
    else:
        origin = _("The data set was {name}.", name=d.name)
    prose.add(
        _("Data"),
        origin,
        _(
            "It held {cases} of {patients}, {dimension}-dimensional, with {channels} ({names}) and the labels "
            "{labels}.",
            cases=plural(len(e.cases), "case"),
            patients=plural(patients, "patient"),
            dimension=d.dimension,
            channels=plural(len(d.channels), "channel"),
            names=listed(d.channels),
            labels=listed(d.labels.names),
        ),
        _("{cases} had been left out, for the reasons given under Data.", cases=plural(len(d.excluded), "case"))
        if d.excluded
        else "",
        _("Each case was taken as its own patient, because nothing said which cases belong together.")
        if d.patients == "case"
        else "",
        d.reference if d.patients != "phantom" else "",
    )


NORMALISED = {
    "zscore": N_("to zero mean and unit variance per case"),
    "ct": N_(
        "by clipping to the foreground's percentiles 0.5 and 99.5 and its z-score, learnt from each fold's training "
        "cases only"
    ),
    "minmax": N_("to the range 0 to 1 per case"),
    "none": N_("not at all"),
}


def _preprocessing(prose: Prose, p: Params, e: Experiment) -> None:
    q = p.preprocess
    target = e.fingerprint["target_spacing"]
    if target is None:
        resampling = _("Cases were not resampled.")
    else:
        spacing = " x ".join(f"{s:g}" for s in target) + " mm"
        if q.spacing == "median":
            spacing = _(
                "{spacing} (the median of the data set, or the 10th percentile for a markedly coarser axis{cite})",
                spacing=spacing,
                cite=prose.cite("nnunet"),
            )
        resampling = _(
            "Cases were resampled to {spacing}, images by splines of order {images}, labels one by one by order "
            "{labels}; cases whose coarsest spacing exceeded the finest {anisotropy:g}-fold were resampled in plane "
            "first and by nearest neighbour across slices.",
            spacing=spacing,
            images=q.image_order,
            labels=q.label_order,
            anisotropy=q.anisotropy,
        )
    kinds = e.fingerprint["normalisation"]
    names = e.description.channels
    if len(set(kinds)) == 1:
        normalised = _("Intensities were normalised {how}.", how=_(NORMALISED[kinds[0]]))
    else:
        each = [
            _("channel {name} {how}", name=name, how=_(NORMALISED[kind]))
            for name, kind in zip(names, kinds, strict=True)
        ]
        normalised = _("Intensities were normalised channel by channel: {each}.", each=listed(each))
    prose.add(
        _("Preprocessing"),
        _("Volumes were brought to the canonical orientation (RAS+).") if e.description.dimension == 3 else "",
        _("Images were cropped to the box of non-zero voxels.") if q.crop_nonzero else "",
        resampling,
        normalised,
    )


def _split(prose: Prose, e: Experiment) -> None:
    s = e.params.split
    how = {
        "grouped": N_(
            "Folds were drawn by patient and stratified by foreground (StratifiedGroupKFold of scikit-learn, "
            "seed {seed})."
        ),
        "kfold": N_("Folds were drawn by KFold of scikit-learn (shuffled, seed {seed}) over the sorted case names."),
        "file": N_("Training and test cases were given by a file.") if e.single else N_("Folds were given by a file."),
    }[s.kind]
    held = e.splits.get("holdout") or []
    together = (
        N_("All methods were evaluated on the same {evaluation}.")
        if len(e.methods) > 1 and not e.single
        else N_("Evaluation: {evaluation}.")
    )
    prose.add(
        _("Evaluation design"),
        _(together, evaluation=evaluation(e)),
        _(how, seed=s.seed),
        _(
            N_("{cases} were held out as a further test set and predicted by the same models.")
            if e.single
            else N_("{cases} were held out of all folds as a test set and predicted by the mean of the folds' models."),
            cases=plural(len(held), "case"),
        )
        if held
        else "",
        _(
            "No patient was on two sides of any split; this was asserted when the split was made and again for this "
            "report."
        ),
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


LOSSES = {  # as short as a figure's title
    "ce": N_("cross-entropy"),
    "dice": N_("soft Dice loss"),
    "ce_dice": N_("cross-entropy + soft Dice loss"),
    "focal": N_("focal loss"),
    "focal_dice": N_("focal + soft Dice loss"),
    "tversky": N_("Tversky loss"),
    "focal_tversky": N_("focal Tversky loss"),
    "generalised_dice": N_("generalised Dice loss"),
    "boundary": N_("generalised Dice + boundary loss"),
    "cldice": N_("soft Dice + clDice loss"),
}


def loss(s: Loss) -> str:
    """What a training minimises, in a few words."""
    name = _(LOSSES[s.kind])
    return name if s.class_weights is None else _("{loss}, weighted", loss=name)


# losses whose sums run over the batch or over each case, as `batch_dice` says
BY_BATCH = {"dice", "ce_dice", "focal_dice", "tversky", "focal_tversky", "cldice"}


def _loss(prose: Prose, s: Loss) -> str:
    """What a loss minimises, with its parameters."""
    dice = _("soft Dice loss{cite}", cite=prose.cite("dice_loss"))
    generalised = _("generalised Dice loss{cite}", cite=prose.cite("generalised_dice"))
    focal = _("focal loss{cite} (gamma {gamma:g})", cite=prose.cite("focal"), gamma=s.focal_gamma)
    sides = _(
        "{alpha:g} for false positives and {beta:g} for false negatives", alpha=s.tversky_alpha, beta=s.tversky_beta
    )
    text = {
        "ce": _("cross-entropy"),
        "dice": dice,
        "ce_dice": _("the sum of cross-entropy and {dice}", dice=dice),
        "focal": focal,
        "focal_dice": _("the sum of {focal} and {dice}", focal=focal, dice=dice),
        "tversky": _("Tversky loss{cite} (weights {sides})", cite=prose.cite("tversky"), sides=sides),
        "focal_tversky": _(
            "focal Tversky loss{cite} (weights {sides}, gamma {gamma:.3g})",
            cite=prose.cite("focal_tversky"),
            sides=sides,
            gamma=s.tversky_gamma,
        ),
        "generalised_dice": generalised,
        "boundary": _(
            "{generalised} and boundary loss{cite}, whose share rose from 0 to {weight:g}",
            generalised=generalised,
            cite=prose.cite("boundary"),
            weight=s.boundary_weight,
        ),
        "cldice": _(
            "{dice} and clDice loss{cite} with the shares {rest:g} and {weight:g} (soft skeleton in {steps} steps)",
            dice=dice,
            cite=prose.cite("cldice"),
            rest=1 - s.cldice_weight,
            weight=s.cldice_weight,
            steps=s.cldice_iterations,
        ),
    }[s.kind]
    if s.class_weights is not None:
        weights = listed(f"{w:g}" for w in s.class_weights)
        text = _("{loss} with class weights {weights}", loss=text, weights=weights)
    return text


def _training(prose: Prose, t: Train, whose: list[str]) -> None:
    """How the networks were trained; ``whose``: which of them, where not all."""
    loss = _loss(prose, t.loss)
    if t.loss.batch_dice and t.loss.kind in BY_BATCH:
        loss = _("{loss} (over the whole batch)", loss=loss)
    if t.deep_supervision:
        loss = _("{loss}, at every resolution of the decoder", loss=loss)
    optimizer = {
        "sgd": _("stochastic gradient descent with Nesterov momentum {momentum:g}", momentum=t.momentum),
        "adam": f"Adam{prose.cite('adam')}",
        "adamw": f"AdamW{prose.cite('adamw')}",
        "muon": _(
            "Muon{muon} for kernels of hidden layers, AdamW{adamw} for all other weights",
            muon=prose.cite("muon", "moonlight"),
            adamw=prose.cite("adamw"),
        ),
    }[t.optimizer]
    if t.clip_norm:
        optimizer = _(
            "{optimizer}, weight decay {decay:g}, gradients clipped at norm {norm:g}",
            optimizer=optimizer,
            decay=t.weight_decay,
            norm=t.clip_norm,
        )
    else:
        optimizer = _("{optimizer}, weight decay {decay:g}", optimizer=optimizer, decay=t.weight_decay)
    schedule = {
        "constant": _("kept constant"),
        "polynomial": _("lowered polynomially (exponent 0.9)"),
        "cosine": _("lowered to 0 by a cosine{cite}", cite=prose.cite("cosine")),
    }[t.schedule]
    rate = (
        N_(
            "The optimizer was {optimizer}; the learning rate rose over {warmup:g} epochs to {rate:g} and was then "
            "{schedule}."
        )
        if t.warmup_epochs
        else N_("The optimizer was {optimizer}; the learning rate started at {rate:g} and was {schedule}.")
    )
    start = {
        "he": _("He's scheme{cite}", cite=prose.cite("he")),
        "glorot": _("Glorot's scheme{cite}", cite=prose.cite("glorot")),
        "gaussian": _("a Gaussian of standard deviation 0.02"),
    }[t.initializer]
    samples = (
        _("as many patches as training cases")
        if t.samples_per_epoch is None
        else _("{number} patches", number=t.samples_per_epoch)
    )
    prose.add(
        _("Training of {methods}", methods=listed(whose)) if whose else _("Training"),
        _(
            "Networks were trained for {epochs} of {samples}, in batches of {batch}, {share} of them centred on "
            "foreground, to minimise {loss}.",
            epochs=plural(t.epochs, "epoch"),
            samples=samples,
            batch=t.batch_size,
            share=percent(t.foreground_fraction),
            loss=loss,
        ),
        _(rate, optimizer=optimizer, warmup=t.warmup_epochs, rate=t.learning_rate, schedule=schedule),
        _("Initial weights followed {scheme}.", scheme=start),
        _(
            "The model kept is the exponential moving average of the weights (decay {decay:g}).",
            decay=t.averaging,
        )
        if t.averaging
        else "",
        _(
            "{share} of each fold's training patients served as inner validation and taught the network nothing.",
            share=percent(t.validation_fraction),
        )
        if t.validation_fraction
        else "",
        _(
            "Training stopped early after {number} inner validations without a better Dice, and the best weights were "
            "kept.",
            number=t.early_stopping,
        )
        if t.early_stopping
        else _("The number of epochs was fixed beforehand."),
        _("No test fold had a part in training."),
        _(
            "Seed {seed}; {precision}; deterministic operations; {threads}; processor instructions {instructions}.",
            seed=t.seed,
            precision=t.precision,
            threads=plural(t.threads, "math thread"),
            instructions=_("held to AVX2") if t.instructions == "avx2" else _("as the processor has them"),
        ),
    )


def _augmentation(prose: Prose, a: Augment) -> None:
    span = lambda r: _("{low} to {high}", low=f"{r[0]:g}", high=f"{r[1]:g}")  # noqa: E731
    each = [
        (a.rotation.p, _("rotation by up to {degrees:g} degrees", degrees=a.rotation.degrees)),
        (a.scaling.p, _("scaling by {range}", range=span(a.scaling.range))),
        (a.crop.p, _("cropping to {range} of the edge", range=span(a.crop.range))),
        (a.flip.p if a.flip.axes else 0, _("flips along {axes} for each axis", axes=listed(a.flip.axes))),
        (a.noise.p, _("Gaussian noise of variance {range}", range=span(a.noise.variance))),
        (a.blur.p, _("Gaussian blur of {range} voxels", range=span(a.blur.sigma))),
        (a.brightness.p, _("brightness by {range}", range=span(a.brightness.range))),
        (a.contrast.p, _("contrast by {range}", range=span(a.contrast.range))),
        (a.low_resolution.p, _("simulated low resolution of {range}", range=span(a.low_resolution.range))),
        (a.gamma_inverted.p, _("gamma of {range} on the inverted image", range=span(a.gamma_inverted.range))),
        (a.gamma.p, _("gamma of {range}", range=span(a.gamma.range))),
        (a.channel_dropout.p, _("channels set to 0, each by itself, but never all")),
    ]
    used = [_("{operation} (p = {p:g})", operation=text, p=q) for q, text in each if q]
    prose.add(
        _("Augmentation"),
        _(
            "Training patches were changed at random, each with its probability: {operations}. Spatial changes shared "
            "one interpolation.",
            operations=listed(used),
        )
        if used
        else _("Training patches were not augmented."),
    )


def _prediction(prose: Prose, p: Params) -> None:
    q = p.predict
    if q.tile == "whole":
        tiles = _("Networks predicted cases whole.")
    else:
        tiles = _(
            "Networks predicted cases {how}; tiles overlapped by {overlap} under Gaussian weights{cite}.",
            how=in_tiles(q.tile),
            overlap=percent(q.overlap),
            cite=prose.cite("nnunet"),
        )
    prose.add(
        _("Prediction"),
        tiles,
        _("Predictions were averaged over mirror images along {axes}.", axes=listed(q.mirror_axes))
        if q.mirror_axes
        else "",
        _(
            "Logarithms of the class probabilities were resampled to each case's own grid by cubic splines before the "
            "most probable label was taken."
        ),
    )


def _evaluation(prose: Prose, e: Experiment) -> None:
    q = e.params.evaluate
    several = len(e.methods) > 1
    unit = "mm" if e.description.dimension == 3 else _("pixels")
    tests = {"wilcoxon": N_("Wilcoxon's signed-rank test"), "permutation": N_("a permutation test of their signs")}
    prose.add(
        _("Metrics and statistics"),
        _(
            "Metrics were computed per case and label on the case's own grid, distances in {unit}{cite}: Dice (equal "
            "to the F1 score of voxels), intersection over union, precision, recall, specificity, accuracy, the 95th "
            "percentile of the Hausdorff distance (the larger of the two directed ones, weighted by surface), the "
            "average symmetric surface distance, the normalised surface distance at {tolerance:g} {unit}{nsd}, and "
            "volume.",
            unit=unit,
            cite=prose.cite("metrics"),
            tolerance=e.length("nsd_tolerance"),
            nsd=prose.cite("nsd"),
        ),
        _(
            "Where truth and prediction were both empty, Dice was not defined and the case was counted apart; where "
            "one of them was empty, Dice was 0 and surface distances were not defined; the penalised distance then was "
            "the image's diagonal. Missed labels and lesions were counted among those of the truth, false positives "
            "among the cases without the label."
        ),
        _(
            "The mean over the labels is that of a case’s labels for which the metric is defined; means over cases are "
            "of these."
        )
        if len(e.labels) > 1
        else "",
        *(
            _("The region {name} was the union of {labels}.", name=name, labels=listed(members))
            for name, members in q.regions.items()
        ),
        _(
            "Connected components of {labels} were taken one by one, matched one to one where their intersection over "
            "union was at least {iou:g}, and measured by sensitivity, precision, F1, how many were missed and how many "
            "were false positives a scan, and panoptic quality{cite}, with that threshold{other}.",
            labels=listed(q.lesions),
            iou=q.lesion_iou,
            cite=prose.cite("panoptic"),
            other="" if q.lesion_iou == 0.5 else _(" in place of 0.5"),
        )
        if q.lesions
        else "",
        _(
            "Predicted and true volumes were compared by bias and 95 % limits of agreement{cite}, Pearson's and Lin's "
            "correlation{lin}.",
            cite=prose.cite("agreement"),
            lin=prose.cite("concordance"),
        ),
        _(
            "Probabilities were judged by the expected calibration error{ece} and the Brier score{brier} of the voxels "
            "in the box about the truth, widened by {margin:g} {unit} on each side, and by whether the mean entropy of "
            "a case told its risk, 1 minus Dice{selective}.",
            ece=prose.cite("ece"),
            brier=prose.cite("brier"),
            margin=e.length("calibration_margin"),
            unit=unit,
            selective=prose.cite("selective"),
        )
        if e.uncertainty
        else "",
        _(
            "Intervals are {level} {kind} bootstrap intervals of the mean ({number} samples, drawn by patient, seed "
            "{seed}){cite}.",
            level=level(e),
            kind={"studentised": _("studentised"), "percentile": _("percentile")}[q.interval],
            number=q.bootstrap,
            seed=q.seed,
            cite=prose.cite("bootstrap" if q.interval == "percentile" else "studentised"),
        ),
        _(
            "Of fewer than {few} patients they are Student's t intervals; where more than {many} of the patients were "
            "at an end of a metric's scale they are Wilson's score intervals{wilson} of an effective number of "
            "patients{effective}.",
            few=statistics.FEW,
            many=percent(statistics.MANY),
            wilson=prose.cite("wilson"),
            effective=prose.cite("effective"),
        )
        if q.interval == "studentised"
        else "",
        _(
            "Intervals of counts are Wilson's{wilson}, of the effective number of observations where patients have "
            "several{effective}.",
            wilson=prose.cite("wilson"),
            effective=prose.cite("effective"),
        ),
        _(
            "Methods were compared by the paired differences of cases, in which a case rightly left empty counted as 1 "
            "(distances: as 0) and an empty mask beside another as 0 (distances: as the image's diagonal), with "
            "intervals by patient, and by {test}{cite}, two-sided, on one mean difference a patient; p values were "
            "corrected after Holm{holm} for the pairs of methods within each metric and label, and a method was called "
            "better where the corrected p "
            "was under {alpha} and the mean difference pointed the same way. Ranks are by the mean of the same values; "
            "how stable they are was seen in the bootstrap samples.",
            test=_(tests[q.test]),
            cite=prose.cite(q.test),
            holm=prose.cite("holm"),
            alpha=alpha(q.confidence),
        )
        if several
        else "",
    )
