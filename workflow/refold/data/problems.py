"""Every check of a data set in one table: its name, whether it stops the run, and what to do."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

from refold.settings import names

# name -> (level, what to do)
CHECKS: dict[str, tuple[Literal["error", "warning"], str]] = {
    # the data set as a whole
    "dataset-json": ("error", "put dataset.json right; docs/reference/data.md shows one for each layout"),
    "labels": ("error", 'declare labels as {"0": "background", "1": "name", ...} or {"background": 0, "name": 1, ...}'),
    "channel-names": ("error", 'name the channels in order, e.g. "modality": {"0": "T1", "1": "FLAIR"}'),
    "few-cases": ("error", "give at least two cases"),
    "one-patient": (
        "error",
        "give data of two patients or more, or put dataset.patient_pattern or patient_table right",
    ),
    "no-foreground": ("error", "check that the labels are the right files: there is nothing to learn"),
    "mixed-dimension": ("error", "keep volumes and pictures (PNG, TIFF, JPEG) in separate data sets"),
    "dimension": ("error", "put tensorImageSize right, or give files of that dimension"),
    "colours": ("error", "give each label of dataset.json a colour of its own under dataset.colours"),
    "patient-table": ("error", "give a CSV file with the columns case and patient, one row a case"),
    "exclude": ("error", "write the names as in data/cases.csv, or take the line out"),
    # one entry
    "entry": ("error", 'write the entry as {"image": "imagesTr/a.nii.gz", "label": "labelsTr/a.nii.gz"}'),
    "outside-path": ("error", "give a path inside the data set's folder, relative to it"),
    "case-name": ("error", "rename the label file: letters, digits, _ . - only, first a letter or digit, at most 150"),
    "duplicate-case": ("error", "remove one entry or rename its files (upper and lower case count as the same)"),
    "no-patient": ("error", "put dataset.patient_pattern right, or add the case to dataset.patient_table"),
    "format": (
        "error",
        "convert to .nii.gz, .nii, .nrrd, .mha, .mgz, .png, .tif or .tiff; images may also be .jpg or .jpeg",
    ),
    "missing-file": ("error", "put the file there, or remove the case"),
    # one case's files
    "unreadable": ("error", "copy the file again from its origin, or remove the case"),
    "stack": ("error", "give one picture a file, or volumes as NIfTI"),
    "overlap": ("error", "export the segments as one label map, which asks which of them wins"),
    "scale": ("error", "store the scaled values, without a scale in the header"),
    "colour-model": ("error", "convert to RGB or grey with the program that made it, which knows its colours"),
    "orientation-tag": (
        "error",
        "set dataset.pixels: `shown` if masks were drawn on the turned pictures, `stored` if on the pixels as they lie",
    ),
    "white-is-zero": ("error", "set dataset.pixels, or save the file with black as zero"),
    "lossy-label": ("error", "export the masks from where they were drawn, as PNG or as TIFF with LZW"),
    "mask-colours": ("error", "name each label's colour under dataset.colours, or save masks of one value a label"),
    "label-noise": (
        "error",
        "export the masks anew as PNG or TIFF, resize by nearest neighbour only; declaring the values would not help",
    ),
    "data-type": ("error", "store plain numbers, one a voxel and channel"),
    "shape": ("error", "resample one onto the other's grid, or pair the right files"),
    "spacing": ("error", "resample one onto the other's grid, or copy the right header"),
    "origin": ("error", "resample one onto the other's grid, or copy the right header"),
    "direction": ("error", "resample one onto the other's grid, or copy the right header"),
    "spacing-not-positive": ("error", "put the voxel size in mm into pixdim (and the sform)"),
    "spacing-contradicts": (
        "error",
        "find out which size is right and put it into both; docs/reference/data.md shows how, for a whole folder",
    ),
    "affine-not-finite": ("error", "put a valid sform or qform into the header"),
    "affine-singular": ("error", "put a valid sform or qform into the header"),
    "units": ("error", "convert the header to millimetres"),
    "channel-count": ("error", "give every case the channels that dataset.json names"),
    "image-not-finite": ("error", "replace these voxels with real values"),
    "image-beyond-single": (
        "error",
        "replace values that are none, such as padding never filled, or give the image in another unit",
    ),
    "constant-image": ("error", "replace or remove the case: the image shows nothing"),
    "label-not-finite": ("error", "replace these voxels with declared label values"),
    "label-not-integer": ("error", "store declared values; interpolate labels by nearest neighbour only"),
    "label-undeclared": ("error", "declare the value under labels in dataset.json, or correct the label"),
    "image-is-label": ("error", "pair the right files"),
    "duplicate-image": (
        "error",
        "remove one, or give both the same patient: one could be trained on, the other tested",
    ),
    # noted, and shown in the report
    "each-case-a-patient": (
        "warning",
        "if a patient has several cases, set dataset.patient_pattern or patient_table, or folds will leak",
    ),
    "patient-table-unused": ("warning", "check the spelling of these rows"),
    "duplicate-image-same-patient": ("warning", "remove one of them, or it counts twice"),
    "empty-label": (
        "warning",
        "right if the scan shows none of the structures; docs/reference/evaluate.md: how it is scored",
    ),
    "label-never-present": ("warning", "remove the label from dataset.json, or add cases that show it"),
    "label-float": ("warning", "nothing, if these are the labels; store labels as integers without a scale factor"),
    "constant-channel": ("warning", "right if the channel is missing for this case and was filled"),
    "unlisted-file": ("warning", "add it to dataset.json if it should be used"),
    "not-read": (
        "warning",
        "list these cases under `training` if they should be used, and name the split in a file "
        "(docs/reference/split.md)",
    ),
    "count-differs": ("warning", "correct numTraining, or add the missing entries"),
    "sform-qform": ("warning", "the sform is used; make the two agree"),
    "spacing-differs": ("warning", "nothing, if the size used is right; else put the right one into both"),
    "no-orientation": ("warning", "set the sform: without it left and right are a guess"),
    "sheared": ("warning", "resample to orthogonal axes; distances are computed as if the axes were orthogonal"),
    "single-slice": (
        "warning",
        "right for 2-D data: distances are then measured within the slice; a network of dimension 2 is faster",
    ),
    "zero-rounded": ("warning", "right if 0 is the background; if not, set preprocess.crop_nonzero: false"),
    "alpha-dropped": ("warning", "right if what is left out shows nothing; otherwise save it without transparency"),
    "channels-changed": ("warning", "right if it is meant so; otherwise store the channels that dataset.json names"),
    "turned": ("warning", "check on the report's pictures that masks lie where they should"),
    "lossy-image": ("warning", "take the original files where they are at hand: lossy compression changes intensities"),
    "perhaps-lossy-label": ("warning", "nothing, if edges are as they were drawn; better keep masks as PNG or LZW"),
    "mixed-pictures": ("warning", "check that the pictures come from one source and their values mean the same"),
}


@dataclass(frozen=True)
class Problem:
    """One finding. file is relative to the data set's folder; case and file may be empty."""

    check: str
    message: str
    case: str = ""
    file: str = ""

    @property
    def is_error(self) -> bool:
        return CHECKS[self.check][0] == "error"

    @property
    def action(self) -> str:
        return CHECKS[self.check][1]

    def json(self) -> dict[str, str]:
        return {k: getattr(self, k) for k in ("check", "case", "file", "message", "action")}


def table(problems: Iterable[Problem], most: int = 200) -> str:
    """A text table for people, at most ``most`` problems long."""
    problems = list(problems)
    heads = ("check", "case", "file", "what is wrong", "what to do")
    # a name from outside may hold what moves a terminal's cursor
    shown = [(p.check, p.case or "-", p.file or "-", p.message, p.action) for p in problems[:most]]
    rows = [tuple(names.visible(cell) for cell in row) for row in shown]
    limits = (30, 32, 40, 56, 44)
    widths = [min(limit, max(len(r[i]) for r in (heads, *rows))) for i, limit in enumerate(limits)]
    lines = []
    for row in (heads, tuple("-" * w for w in widths), *rows):
        cells = [textwrap.wrap(cell, width) or [""] for cell, width in zip(row, widths, strict=True)]
        for i in range(max(map(len, cells))):
            parts = [(c[i] if i < len(c) else "").ljust(w) for c, w in zip(cells, widths, strict=True)]
            lines.append("  ".join(parts).rstrip())
    if len(problems) > most:
        lines.append(f"... and {len(problems) - most} more")
    return "\n".join(lines)
