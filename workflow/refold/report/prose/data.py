"""The data set, in the report's words."""

from __future__ import annotations

from refold.core.language import _, listed, plural
from refold.report.inputs import Experiment
from refold.report.prose.writing import Prose
from refold.settings.dataset import MSD_TASKS


def describe(prose: Prose, e: Experiment) -> None:
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
