"""Strata: cases alike in which labels they hold and in how much foreground they have."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

import numpy as np

BINS = 4
OTHER = "other combinations"


def strata(present: Sequence[Sequence[str]], volume: Sequence[float], smallest: int) -> tuple[list[str], list[str]]:
    """Name the stratum of each unit (a case, or a patient).

    A unit's combination is the set of foreground labels in it. Combinations with fewer than ``smallest`` units are
    merged into one, and that one into the most frequent if it is too small still. Each combination is then cut at the
    quantiles of the foreground volume into as many bins as leave ``smallest`` units in each, at most four.

    Args:
        present: n times the names of the labels present.
        volume: n foreground volumes, in any unit.
        smallest: fewest units in a stratum; with fewer units in all, there is one stratum.

    Returns:
        the n strata, and sentences that say what was merged.

    >>> strata([["liver"]] * 4 + [["liver", "tumour"]] * 2, [1, 4, 2, 3, 5, 6], 2)[0]  # doctest: +NORMALIZE_WHITESPACE
    ['liver, volume 1/2', 'liver, volume 2/2', 'liver, volume 1/2', 'liver, volume 2/2',
     'liver + tumour', 'liver + tumour']
    """
    combinations = [" + ".join(p) or "no foreground" for p in present]
    notes = []
    counts = Counter(combinations)
    rare = sorted(c for c, n in counts.items() if n < smallest)
    if rare and len(counts) > 1:
        together = sum(counts[c] for c in rare)
        # the larger first, then by name: a tie must not depend on the order of the cases
        frequent = min(counts.keys() - set(rare) or counts.keys(), key=lambda c: (-counts[c], c))
        target = OTHER if together >= smallest else frequent
        combinations = [target if c in rare else c for c in combinations]
        where = "one stratum" if target == OTHER else f"the stratum {target!r}"
        notes.append(
            f"label combinations with fewer than {smallest} members were merged into {where}: "
            + ", ".join(f"{c} ({counts[c]})" for c in rare)
        )
    result = np.empty(len(combinations), dtype=object)
    volumes = np.asarray(volume, float)
    for combination in sorted(set(combinations)):
        members = np.array([i for i, c in enumerate(combinations) if c == combination])
        bins = max(1, min(BINS, len(members) // smallest))
        # by rank, so that the bins are equally full even where volumes are equal
        rank = np.empty(len(members), int)
        rank[np.argsort(volumes[members], kind="stable")] = np.arange(len(members))
        for member, b in zip(members, rank * bins // len(members), strict=True):
            result[member] = f"{combination}, volume {b + 1}/{bins}" if bins > 1 else combination
    return result.tolist(), notes
