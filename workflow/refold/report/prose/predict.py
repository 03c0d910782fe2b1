"""How networks predicted, in the report's words."""

from __future__ import annotations

from refold.core.language import _, listed
from refold.report.prose.prediction import in_tiles
from refold.report.prose.writing import Prose, percent
from refold.settings.predict import Predict


def describe(prose: Prose, q: Predict) -> None:
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
