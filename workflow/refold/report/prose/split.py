"""How the data were split, in the report's words."""

from __future__ import annotations

from refold.core.language import N_, _, listed, plural
from refold.report.inputs import Experiment
from refold.report.prose.writing import Prose
from refold.settings.names import CV, HOLDOUT


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


def describe(prose: Prose, e: Experiment) -> None:
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
