"""How cases were preprocessed, in the report's words."""

from __future__ import annotations

from refold.core.language import N_, _, listed
from refold.report.inputs import Experiment
from refold.report.prose.writing import Prose

NORMALISED = {
    "zscore": N_("to zero mean and unit variance per case"),
    "ct": N_(
        "by clipping to the foreground's percentiles 0.5 and 99.5 and its z-score, learnt from each fold's training "
        "cases only"
    ),
    "minmax": N_("to the range 0 to 1 per case"),
    "none": N_("not at all"),
}


def describe(prose: Prose, e: Experiment) -> None:
    q = e.params.preprocess
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
