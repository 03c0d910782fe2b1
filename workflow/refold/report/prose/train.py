"""How networks were trained, in the report's words."""

from __future__ import annotations

from refold.core.language import N_, _, listed, plural
from refold.report.prose.writing import Prose, percent
from refold.settings.train import Loss, Train

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


def describe(prose: Prose, t: Train, whose: list[str]) -> None:
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
