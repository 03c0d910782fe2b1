"""Metrics and statistics, in the report's words."""

from __future__ import annotations

from refold.core.language import N_, _, listed
from refold.evaluate import statistics
from refold.report.inputs import Experiment
from refold.report.prose.writing import Prose, alpha, level, percent


def describe(prose: Prose, e: Experiment) -> None:
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
