"""Pictures of the worst, the median and the best case of each method."""

from __future__ import annotations

from typing import Any

from refold.core import log
from refold.core.language import joined
from refold.report import pictures
from refold.report.cells import shown
from refold.report.export import Kept
from refold.report.inputs import Experiment
from refold.settings.names import HOLDOUT


def context(e: Experiment, kept: Kept) -> dict[str, Any]:
    """What the template shows."""
    methods = []
    for method in e.methods:
        scored = [s for s in e.scored if s.method == method and s.fold != HOLDOUT]
        chosen = pictures.choose(scored, e.params.report.cases)
        cases = []
        for rank, one in log.progress(chosen, f"pictures of {method}"):
            dice = joined(f"{label} {shown(one.values[label]['dice'])}" for label in e.labels)
            cases.append({"rank": rank, "picture": pictures.picture(e, one), "dice": dice})
        methods.append({"method": method, "cases": cases})
    return {"pictures": methods}
