"""FreeSurfer's volumes (.mgz, .mgh), read by nibabel.

The format: https://surfer.nmr.mgh.harvard.edu/fswiki/FsTutorial/MghFormat.
"""

from __future__ import annotations

import gzip
from pathlib import Path
from typing import Any

import numpy as np

from refold.formats.record import Volume

SUFFIXES = (".mgz", ".mgh")


def read(path: str | Path) -> Volume:
    """One volume; frames are channels.

    Raises:
        OSError, ValueError and what nibabel raises: no such file, or a damaged one.
    """
    from nibabel.freesurfer import MGHImage

    raw = Path(path).read_bytes()
    if str(path).lower().endswith(".mgz"):
        raw = gzip.decompress(raw)  # to its end, where the check sum stands
    image: Any = MGHImage.from_bytes(raw)
    notes: tuple[tuple[str, str], ...] = ()
    if not int(image.header["goodRASFlag"]):
        notes = (("no-orientation", "the header does not say where the patient lies; taken for coronal slices"),)
    data = np.asarray(image.dataobj)
    if data.ndim == 4 and data.shape[3] == 1:
        data = data[..., 0]
    return Volume(data.astype(data.dtype.newbyteorder("=")), np.array(image.affine, float), notes=notes)
