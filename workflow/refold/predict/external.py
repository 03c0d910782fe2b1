"""Label maps of another program as a method's predictions: found, checked against the case's grid, written anew."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from refold.core import log
from refold.core.errors import RefoldError
from refold.core.files import sha256_json
from refold.imaging import images
from refold.imaging.dataset import PLAIN, Description, Labels, Rule
from refold.imaging.record import Record
from refold.methods.external import ENDINGS, External, find
from refold.run.seen import Seen


def read(path: Path, record: Record, known: Sequence[int], rule: Rule = PLAIN) -> np.ndarray:
    """Label indices (x, y[, z]) uint8 of one file.

    Args:
        record: of the case, for its grid. known: the value of each label in the file, background first. rule: how
            pictures are read.

    Raises:
        RefoldError: another shape, another place, or a value that stands for no label; names the file.
    """
    image = images.read(path, True, rule)
    try:
        images.require_grid(image, path, record.raw_shape, record.raw_affine, "its case")
    except RefoldError as error:
        raise RefoldError(f"{error}; export the label map on the grid of the raw image") from None
    labels = Labels(tuple(known), tuple(map(str, known)))
    return labels.indices(image.data, path, "; or say with `values` what stands for which label")


def gather(
    name: str,
    entry: External,
    fold: str,
    wanted: Sequence[str],
    description: Description,
    record_of: Callable[[str], Record],
    write: Callable[[str, np.ndarray, Record], dict[str, Any]],
    notes: Seen,
) -> tuple[dict[str, Any], dict[str, str]]:
    """Read each case's label map and hand it to ``write``.

    Nothing is written before all files are there. ``notes``: are told what was read.

    Returns:
        What ``write`` gave for each case, and as ``source`` the file that was read, with its sha256; the sha256 of all
        files that were read, under the fold's name.

    Raises:
        RefoldError: a case has no file, or one that does not fit it.
    """
    folder = Path(entry.folder)
    found = {case: find(folder, fold, case, description.dimension) for case in wanted}
    if lacking := [case for case, path in found.items() if path is None]:
        raise RefoldError(
            f"methods.{name}.folder: {folder} has no label map of {', '.join(lacking[:5])}"
            + (f" and {len(lacking) - 5} more" if len(lacking) > 5 else "")
            + f", tested in fold {fold}; a file is called after its case, such as {lacking[0]}"
            f"{ENDINGS[description.dimension][0]}, or leave the method out"
        )
    known = entry.values or description.labels.values
    if len(known) != len(description.labels):
        raise RefoldError(
            f"methods.{name}.values: {len(known)} values; the data set has {len(description.labels)} labels, the "
            "background among them"
        )
    done, hashes, rule = {}, {}, description.rule(values=known)
    for case, path in log.progress(found.items(), f"{name} fold {fold}: read", len(found)):
        assert path is not None
        record, file = record_of(case), path.relative_to(folder).as_posix()
        hashes[case] = notes.read(file, [file], folder)
        done[case] = write(case, read(path, record, known, rule), record)
        done[case]["source"] = {"file": file, "sha256": hashes[case]}
    return done, {fold: sha256_json(hashes)}
