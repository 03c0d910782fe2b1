"""What is measured of a label map: each foreground label, and regions, which are unions of labels."""

from __future__ import annotations

from dataclasses import dataclass

from refold.core.errors import RefoldError
from refold.imaging.dataset import Labels
from refold.settings import names
from refold.settings.evaluate import Evaluate


@dataclass(frozen=True)
class Structure:
    """A label or region: its name, the label indices in it, and whether its components are counted as lesions."""

    name: str
    labels: tuple[int, ...]
    lesions: bool = False


def structures(labels: Labels, evaluate: Evaluate) -> tuple[Structure, ...]:
    """The foreground labels in their order, then the regions of `evaluate.regions` in theirs.

    Raises:
        RefoldError: a region has a label's name or holds a label that the data have not, or `evaluate.lesions` names
            neither; names the key and what is allowed.
    """
    known = {name: i for i, name in enumerate(labels.names) if i}
    there = f"the data's labels are {', '.join(known)}"
    for region, members in evaluate.regions.items():
        if region in labels.names or names.taken(region):
            raise RefoldError(f"params.yaml: evaluate.regions.{region}: the name is taken; choose another")
        if strange := [m for m in members if m not in known]:
            raise RefoldError(f"params.yaml: evaluate.regions.{region}: no label {strange[0]!r}; {there}")
    if strange := [n for n in evaluate.lesions if n not in known and n not in evaluate.regions]:
        more = f" and the regions {', '.join(evaluate.regions)}" if evaluate.regions else ""
        raise RefoldError(f"params.yaml: evaluate.lesions: no label {strange[0]!r}; {there}{more}")
    found: dict[str, tuple[int, ...]] = {name: (index,) for name, index in known.items()}
    found |= {region: tuple(sorted(known[m] for m in members)) for region, members in evaluate.regions.items()}
    return tuple(Structure(name, indices, name in evaluate.lesions) for name, indices in found.items())
