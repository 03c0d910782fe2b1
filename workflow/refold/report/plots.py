"""The two tables behind ``dvc plots show``: learning curves, and the Dice of every case."""

from __future__ import annotations

import math
from pathlib import Path

from refold.core.files import write_csv
from refold.report.inputs import Experiment
from refold.settings.names import CV, HOLDOUT

CURVES = ("series", "method", "fold", "quantity", "epoch", "value")
DICE = ("set", "method", "fold", "case", "patient", "label", "dice")
QUANTITIES = {"loss": "training loss", "validation_dice": "inner validation Dice"}


def write(experiment: Experiment, folder: str | Path) -> None:
    """Write ``learning-curves.csv`` and ``dice.csv`` into ``folder``; rows without a value are left out."""
    curves = [
        {
            "series": f"{method}, fold {fold}",
            "method": method,
            "fold": fold,
            "quantity": words,
            "epoch": int(row["epoch"]),
            "value": row[key],
        }
        for key, words in QUANTITIES.items()
        for (method, fold), history in experiment.histories.items()
        for row in history
        if not math.isnan(row.get(key, math.nan))
    ]
    write_csv(Path(folder) / "learning-curves.csv", CURVES, curves)
    dice = [
        {
            "set": HOLDOUT if s.fold == HOLDOUT else CV,
            "method": s.method,
            "fold": s.fold,
            "case": s.case,
            "patient": s.patient,
            "label": label,
            "dice": values["dice"],
        }
        for s in experiment.scored
        for label, values in s.values.items()
        if not math.isnan(values["dice"])
    ]
    write_csv(Path(folder) / "dice.csv", DICE, dice)
