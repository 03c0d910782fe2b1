"""From a data set's folder to its cases: the Decathlon's (MSD) layout and nnU-Net's.

Imports are light on purpose: a dry run asks `read` and `patients` before any job runs. Nothing here opens an image.
"""

from __future__ import annotations

import csv
import json
import os
import re
from collections import Counter, defaultdict
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath
from typing import Any, Literal

from refold.core import paths
from refold.core.errors import RefoldError
from refold.data.problems import CHECKS, Problem
from refold.imaging.dataset import Description, Labels
from refold.settings import names
from refold.settings.base import NAME, nearest
from refold.settings.dataset import Dataset

RAW = paths.RAW
UNPACKED = ".unpacked.json"  # in raw/<name>: from which archive; hidden, so it is taken for no file of the data set
ARCHIVES = (".tar", ".tar.gz", ".tgz", ".zip")
# as in imaging.images, which would import numpy
VOLUME = (".nii.gz", ".nii", ".seg.nrrd", ".nrrd", ".mha", ".mgz", ".mgh")
JPEG = (".jpg", ".jpeg")
PICTURE = (".png", ".tif", ".tiff", *JPEG)
PHANTOM_PATTERN = r"^(patient\d+)"
JPEG_LABEL = "{} is a JPEG, which changes values along every edge: no label map can be read from it"
MOST_LABELS = 255
LARGEST_VALUE = 65535
WHOLE_NUMBER = r"\s*-?[0-9]{1,9}\s*"
LONGEST_NAME = 255  # bytes of a file's or folder's name that file systems take
IMAGES, LABELS = "imagesTr", "labelsTr"  # nnU-Net's folders
UNREAD = ("validation", "test")  # lists that other programs know beside `training`


@dataclass(frozen=True)
class Entry:
    """One case as listed. Paths are relative to the root; label is empty where the listing has none."""

    case: str
    patient: str
    images: tuple[str, ...]
    label: str


@dataclass(frozen=True)
class Layout:
    """A data set as its folder describes it: usable as far as no problem is an error.

    excluded: entries that `dataset.exclude` leaves out.
    """

    root: Path
    description: Description
    entries: tuple[Entry, ...]
    problems: tuple[Problem, ...]
    excluded: tuple[Entry, ...] = ()


# ---------------------------------------------------------------- where the data are


def kind(dataset: Dataset) -> Literal["phantom", "decathlon", "archive", "folder"]:
    """Where a data set comes from.

    Raises:
        RefoldError: `dataset.source` does not exist, or is neither a folder nor an archive of a known kind.
    """
    if dataset.source is None:
        return "phantom" if dataset.name == "phantom" else "decathlon"
    source = Path(dataset.source).expanduser()
    if source.is_dir():
        return "folder"
    allowed = f"give a folder with a dataset.json, or an archive ({', '.join(ARCHIVES)})"
    if not source.exists():
        raise RefoldError(f"dataset.source: {dataset.source} does not exist (seen from {Path.cwd()}); {allowed}")
    if not source.is_file() or not source.name.lower().endswith(ARCHIVES):
        raise RefoldError(f"dataset.source: {dataset.source} is neither a folder nor a known archive; {allowed}")
    return "archive"


def root(dataset: Dataset, raw: str | Path = RAW) -> Path:
    """The folder where the files of the data set lie, or will lie once fetched."""
    if dataset.source and kind(dataset) == "folder":
        return Path(dataset.source).expanduser()
    return Path(raw) / dataset.name


def archive(dataset: Dataset) -> Path | None:
    """The local archive that has to be unpacked, if any."""
    return Path(dataset.source).expanduser() if dataset.source and kind(dataset) == "archive" else None


def unpacked(dataset: Dataset, raw: str | Path = RAW) -> str | None:
    """The sha256 of the archive that raw/<name> was unpacked from, which lies beside the data; None if unknown."""
    try:
        found = json.loads((Path(raw) / dataset.name / UNPACKED).read_text(encoding="utf-8"))
        return str(found["archive"])
    except (OSError, ValueError, KeyError, TypeError):
        return None


def patients(dataset: Dataset, raw: str | Path = RAW) -> int | None:
    """Number of patients, or None while the data set is not there yet or holds what the checks will refuse.

    Raises:
        RefoldError: as `read`; or cases whose patient cannot be told, all of them named.
    """
    if kind(dataset) == "phantom":
        return dataset.phantom.patients
    if kind(dataset) == "archive":
        return None  # what lies unpacked may come from another archive
    if kind(dataset) != "folder" and not (root(dataset, raw) / "dataset.json").is_file():
        return None
    layout = read(dataset, raw)
    if strange := [p.message for p in layout.problems if p.check == "exclude"]:
        raise RefoldError("\n".join(strange))
    unknown = [p for p in layout.problems if p.check in ("no-patient", "patient-table")]
    if unknown:
        lines = "\n".join(f"  - {p.message}" for p in unknown)
        raise RefoldError(f"the patient of {len(unknown)} case(s) cannot be told\n{lines}\n{unknown[0].action}")
    if any(p.is_error for p in layout.problems):
        return None
    return len({e.patient for e in layout.entries})


def labels(dataset: Dataset, raw: str | Path = RAW) -> Labels | None:
    """The declared labels, or None while the data set is not there or declares them wrongly, which the checks say.

    Raises:
        RefoldError: as `read`.
    """
    folder = root(dataset, raw)
    if kind(dataset) == "archive" or not (folder / "dataset.json").is_file():
        return None
    reader = _Reader(dataset, folder)
    return reader.labels(reader.load().get("labels")) or None


# ---------------------------------------------------------------- reading a layout


class _Reader:
    """Collects problems while a dataset.json is taken apart."""

    def __init__(self, dataset: Dataset, folder: Path):
        self.dataset = dataset
        self.folder = folder
        self.problems: list[Problem] = []
        self.rows: dict[str, str] = {}  # of the patient table
        self._listings: dict[str, set[str]] = {}
        self._numbers: dict[str, dict[str, set[int]]] = {}

    def note(self, check: str, message: str, case: str = "", file: str = "") -> None:
        assert check in CHECKS
        self.problems.append(Problem(check, message, case, file))

    def load(self) -> dict[str, Any]:
        path = self.folder / "dataset.json"

        def pairs(items: list[tuple[str, Any]]) -> dict[str, Any]:
            keys = [k for k, _ in items]
            for key in sorted({k for k in keys if keys.count(k) > 1}) if len(set(keys)) < len(keys) else ():
                self.note("dataset-json", f"the key {key!r} stands twice; the first is lost", file="dataset.json")
            return dict(items)

        try:
            text = path.read_text(encoding="utf-8-sig")
        except FileNotFoundError:
            raise RefoldError(
                f"{path} is missing: {self.folder} is no data set; "
                "wanted is a folder with dataset.json, imagesTr/ and labelsTr/ (see docs/reference/data.md)"
            ) from None
        except (OSError, UnicodeDecodeError) as error:
            raise RefoldError(f"{path} cannot be read: {error}") from None
        try:
            values = json.loads(text, object_pairs_hook=pairs)
            json.dumps(values, ensure_ascii=False).encode()
        except UnicodeEncodeError as error:
            raise RefoldError(
                f"{path} holds half a character ({error.object[error.start]!a}); mend that text"
            ) from None
        except (ValueError, RecursionError) as error:
            raise RefoldError(f"{path} is not valid JSON: {error}") from None
        if not isinstance(values, dict) or not values.keys() & {"training", "channel_names", "file_ending"}:
            raise RefoldError(
                f"{path} has neither a list `training` (MSD layout) nor `channel_names` (nnU-Net v2's layout); "
                "docs/reference/data.md shows one of each"
            )
        return values

    def labels(self, values: Any) -> Labels:
        found: dict[int, str] = {}
        fail = False

        def wrong(message: str) -> None:
            nonlocal fail
            fail = True
            self.note("labels", message, file="dataset.json")

        if isinstance(values, list):
            values = {str(i): name for i, name in enumerate(values)}
        if not isinstance(values, dict) or not values:
            wrong("labels are not declared")
            values = {}
        # {"0": "background"} (MSD) or {"background": 0} (nnU-Net)
        by_value = all(re.fullmatch(WHOLE_NUMBER, k) for k in values)
        for key, item in values.items():
            value, name = (key, item) if by_value else (item, key)
            if str(name).strip().lower() == "ignore" and not by_value:
                wrong("the `ignore` label of nnU-Net is not supported")
            elif isinstance(value, list):
                wrong(f"label {name!r} is a region of several values {value}; regions are not supported")
            elif isinstance(value, bool) or not re.fullmatch(WHOLE_NUMBER, str(value)):
                wrong(f"label {name!r} has the value {value!r}, which is no whole number")
            elif not isinstance(name, str) or not name.strip():
                wrong(f"label value {value} has no name" + (f"; {name!r} is no text" if name else ""))
            elif text := names.fault(name.strip()) or names.taken(name):
                wrong(f"the label name {name!r} {text}; choose another")
            elif not 0 <= int(value) <= LARGEST_VALUE:
                wrong(f"label {name!r} has the value {int(value)}; allowed are 0 to {LARGEST_VALUE}")
            elif int(value) in found:
                wrong(f"label value {int(value)} is declared twice: {found[int(value)]!r} and {name!r}")
            elif name.strip() in found.values():
                wrong(f"two labels are named {name!r}")
            else:
                found[int(value)] = name.strip()
        if found and 0 not in found:
            wrong(f"no label has the value 0, the background; declared are {sorted(found)}")
        elif any(v != 0 and n.lower() == "background" for v, n in found.items()):
            wrong("background has to have the value 0")
        elif not fail and len(found) < 2:
            wrong("only the background is declared")
        if len(found) > MOST_LABELS:
            wrong(f"{len(found)} labels are declared; at most {MOST_LABELS}")
        if fail:
            return Labels((), ())  # so that no label is held against a wrong declaration
        ordered = sorted(found)
        return Labels(tuple(ordered), tuple(found[v] for v in ordered))

    def channels(self, values: dict[str, Any]) -> tuple[tuple[str, ...], tuple[str, ...]]:
        """Names, made distinct, and modalities as written, from `channel_names` or `modality`."""
        given = {key: self._channels(values[key], key) for key in ("channel_names", "modality") if key in values}
        if not given:
            message = "`modality` does not name the channels: it is missing, and so is nnU-Net's `channel_names`"
            self.note("channel-names", message, file="dataset.json")
        elif len(set(given.values())) > 1 and () not in given.values():
            message = "`channel_names` and `modality` differ: " + " and ".join(", ".join(v) for v in given.values())
            self.note("channel-names", message, file="dataset.json")
        modalities = next(iter(given.values()), ())
        twice = {m for m in modalities if modalities.count(m) > 1}
        numbered = tuple(f"{m} {i}" if m in twice else m for i, m in enumerate(modalities))
        if len(set(numbered)) < len(numbered):  # one is called like another with its number
            numbered = tuple(f"{m} {i}" for i, m in enumerate(modalities))
        return numbered, modalities

    def _channels(self, values: Any, key: str) -> tuple[str, ...]:
        """The channels in order: of a list, {"0": name} or {name: 0}; none (and a problem) of anything else."""

        def wrong(message: str) -> tuple[()]:
            self.note("channel-names", f"`{key}` {message}: {values!r:.200}", file="dataset.json")
            return ()

        if isinstance(values, str):
            values = [values]
        if isinstance(values, list):
            values = {str(i): name for i, name in enumerate(values)}
        if not isinstance(values, dict) or not values:
            return wrong("does not name the channels 0, 1, ...")
        by_number = all(re.fullmatch(WHOLE_NUMBER, k) for k in values)
        pairs = [(k, v) if by_number else (v, k) for k, v in values.items()]
        if not all(isinstance(name, str) and name.strip() for _, name in pairs) or not all(
            re.fullmatch(WHOLE_NUMBER, str(n)) and not isinstance(n, bool) for n, _ in pairs
        ):
            return wrong("does not name the channels 0, 1, ...")
        for _, name in pairs:
            if text := names.fault(name.strip()):
                return wrong(f"has a name that {text}")
        numbers = sorted(int(n) for n, _ in pairs)
        if numbers != list(range(len(numbers))):
            gap = next(i for i in range(len(numbers) + 1) if i not in numbers)
            why = "a number stands twice" if len(set(numbers)) < len(numbers) else f"there is no channel {gap}"
            return wrong(f"does not name the channels 0, 1, ... ({why})")
        return tuple(name.strip() for _, name in sorted(pairs, key=lambda p: int(p[0])))

    def colours(self, labels: Labels, dimension: int) -> tuple[tuple[str, ...], ...]:
        """The colours of each label, background first; empty where masks hold values."""
        table = self.dataset.colour_table
        if not table or not len(labels):
            return ()
        problems = len(self.problems)
        if dimension == 3:
            self.note("colours", "dataset.colours is for pictures; the labels of volumes are values")
        for name in table.keys() - set(labels.names):
            known = ", ".join(labels.names)
            self.note("colours", f"dataset.colours names {name!r}; dataset.json declares {known}")
        given = [c for colours in table.values() for c in colours]
        background = () if "#000000" in given else ("#000000",)
        found = [table.get(n, background if v == 0 else ()) for v, n in zip(labels.values, labels.names, strict=True)]
        for name, colours in zip(labels.names, found, strict=True):
            if not colours:
                self.note("colours", f"label {name!r} has no colour under dataset.colours")
        for colour in sorted({c for c in given if given.count(c) > 1}):
            self.note("colours", f"the colour {colour} stands twice under dataset.colours")
        for value, colours in zip(labels.values, found, strict=True):
            for grey in (int(c[1:3], 16) for c in colours if c[1:3] == c[3:5] == c[5:]):
                if grey != value and grey in labels.values:
                    message = f"grey {grey} is the colour of label {value} and the value of another label"
                    self.note("colours", message)
        return tuple(found) if len(self.problems) == problems else ()

    def path(self, value: Any, what: str, case: str) -> str | None:
        """A listed path of a case, normalised; None (and a problem) when it is none."""
        if not isinstance(value, str) or not value.strip():
            self.note("entry", f"{what}: {value!r:.200} is no path", case, "dataset.json")
            return None
        if code := names.unprintable(value):
            self.note("entry", f"{what}: {value!r:.200} holds a control character ({code})", case, "dataset.json")
            return None
        pure = PurePosixPath(value.strip())
        if pure.is_absolute() and pure.is_relative_to(self.folder.absolute()):  # as nnU-Net's `dataset` may have it
            pure = pure.relative_to(self.folder.absolute())
        if pure.is_absolute() or ".." in pure.parts or re.match(r"[A-Za-z]:|\\", value):
            self.note("outside-path", f"{what}: {value} leads out of the data set's folder", case, "dataset.json")
            return None
        text = str(pure)
        if any(len(part.encode()) > LONGEST_NAME for part in pure.parts):
            self.note("entry", f"{what}: {value[:80]}... has a name of over {LONGEST_NAME} bytes", case, "dataset.json")
            return None
        if not text.lower().endswith(VOLUME + PICTURE):
            self.note("format", f"{what}: {value} has an unknown format", case, text)
            return None
        return text

    def listed(self, items: Any, what: str, channels: int, cases: Sequence[str] = ()) -> list[Entry]:
        """Entries of an explicit list. cases: their names; none: those of their label files."""
        if not isinstance(items, list):
            self.note("dataset-json", f"`{what}` is no list", file="dataset.json")
            return []
        found = []
        for number, item in enumerate(items, start=1):
            where = f"entry {number} of `{what}`"
            case = cases[number - 1] if cases else _named(item)  # first, so that `dataset.exclude` can name it
            if not isinstance(item, dict) or not item.get("image"):
                self.note("entry", f"{where} has no image: {json.dumps(item)[:80]}", case, "dataset.json")
                continue
            listed = item["image"] if isinstance(item["image"], list) else [item["image"]]
            images = [path for p in listed if (path := self.path(p, where, case)) is not None]
            if not item.get("label"):
                self.note("entry", f"{where} has no label", case, "dataset.json")
                continue
            label = self.path(item["label"], where, case)
            if label is not None and label.lower().endswith(JPEG):
                self.note("lossy-label", JPEG_LABEL.format(label), case, label)
                continue
            if label is None or len(images) < len(listed):
                continue
            if len(images) == 1:
                images = self.numbered(images[0], case, channels)
            found.append(Entry(case, "", tuple(images), label))
        return found

    def there(self, folder: str) -> set[str]:
        """The names in a folder of the data set."""
        if folder not in self._listings:
            self._listings[folder] = set(_names(self.folder / folder))
        return self._listings[folder]

    def numbered(self, image: str, case: str, channels: int) -> list[str]:
        """The files that ``image`` stands for: itself, or nnU-Net's ``<name>_0000``, a channel each.

        nnU-Net v1 lists images without the channel's number.
        """
        pure, stem = PurePosixPath(image), _stem(image)
        found = self.channel_numbers(str(pure.parent)).get(pure.name, ())
        if not found or pure.name in self.there(str(pure.parent)):
            return [image]
        return self.channel_files(str(pure.with_name(stem)), pure.name[len(stem) :], found, case, channels)

    def channel_numbers(self, folder: str) -> dict[str, set[int]]:
        """{name without its channel's number: the numbers that are there}, of the files ``<stem>_0000<ending>``."""
        if folder not in self._numbers:
            found: dict[str, set[int]] = defaultdict(set)
            self._numbers[folder] = found
            for name in self.there(folder):
                stem = _stem(name)
                if match := re.fullmatch(r"(.+)_([0-9]{4})", stem):
                    found[match[1] + name[len(stem) :]].add(int(match[2]))
        return self._numbers[folder]

    def channel_files(self, base: str, ending: str, found: Collection[int], case: str, channels: int) -> list[str]:
        """The files of a case in the order of the channels; a missing one is found by the checks.

        Args:
            base: path without number and ending. found: numbers that are there. channels: how many are named.
        """
        for i in sorted(set(found) - set(range(channels))) if channels else ():
            file = f"{base}_{i:04d}{ending}"
            self.note("channel-count", f"channel {i} is not among the {channels} named", case, file)
        wanted: Sequence[int] = range(channels or max(found, default=0) + 1)
        if ending.lower() in PICTURE:
            # a colour picture holds several channels; whether all are there is seen when it is read
            wanted = [i for i in wanted if i in found] or [0]
        return [f"{base}_{i:04d}{ending}" for i in wanted]

    def nnunet(self, values: dict[str, Any], channels: int) -> list[Entry]:
        """Entries from the folders imagesTr and labelsTr, or from nnU-Net's optional `dataset` object."""
        items = values.get("dataset")
        if isinstance(items, dict):
            entries = [{**i, "image": i.get("images")} if isinstance(i, dict) else i for i in items.values()]
            return self.listed(entries, "dataset", channels, list(items))
        folders = {f: sorted(self.there(f)) for f in (IMAGES, LABELS)}
        ending = values.get("file_ending")
        if not isinstance(ending, str) or ending.lower() not in VOLUME + PICTURE:
            message = f"`file_ending` is {'missing' if ending is None else repr(ending)}; "
            message += f"known are {', '.join(VOLUME + PICTURE)}{_endings(IMAGES, folders[IMAGES])}"
            self.note("format", message, file="dataset.json")
            return []
        images = {n[: -len(ending)]: i for n, i in self.channel_numbers(IMAGES).items() if n.endswith(ending)}
        labels = {n[: -len(ending)] for n in folders[LABELS] if n.endswith(ending)}
        if ending.lower() in JPEG:
            for case in sorted(images.keys() | labels):
                file = f"{LABELS}/{case}{ending}"
                self.note("lossy-label", JPEG_LABEL.format(file), case, file)
            return []
        none = [f for f in folders if not any(n.endswith(ending) for n in folders[f])]
        for folder in none:
            message = f"no file in {folder} ends with {ending}, the `file_ending`{_endings(folder, folders[folder])}"
            self.note("format", message, file="dataset.json")
        if none:
            return []
        return [
            Entry(
                case,
                "",
                tuple(self.channel_files(f"{IMAGES}/{case}", ending, images.get(case, ()), case, channels)),
                f"{LABELS}/{case}{ending}",  # a file that is missing is found by the checks
            )
            for case in sorted(images.keys() | labels)
        ]

    def unread(self, values: dict[str, Any], kept: list[Entry]) -> None:
        """Note cases with labels that are not among those read: other programs keep their test set there."""
        used = {e.label for e in kept}
        for key in UNREAD:
            items = values.get(key)
            with_label = [i for i in items if isinstance(i, dict) and i.get("label")] if isinstance(items, list) else []
            if with_label:
                self.note(
                    "not-read", f"the list `{key}` names {len(with_label)} case(s) with labels", file="dataset.json"
                )
        for folder in ("labelsTs", "labelsVal"):
            files = [n for n in sorted(self.there(folder)) if n.lower().endswith(VOLUME + PICTURE)]
            if files and not any(f"{folder}/{n}" in used for n in files):
                self.note("not-read", f"{folder} holds {len(files)} label(s)", file=f"{folder}/{files[0]}")

    def exclude(self, found: list[Entry]) -> tuple[list[Entry], list[Entry]]:
        """What stays, and what `dataset.exclude` leaves out; problems of the latter are none any more."""
        out = self.dataset.exclude
        known = {e.case for e in found} | {p.case for p in self.problems if p.case}
        self.problems = [p for p in self.problems if p.case not in out]
        for case in sorted(out.keys() - known):
            guess = nearest(case, known)
            self.note("exclude", f"dataset.exclude: the data set has no case {case!r}{guess}", case)
        return [e for e in found if e.case not in out], [e for e in found if e.case in out]

    def checked(self, found: list[Entry]) -> list[Entry]:
        """Without unsafe and duplicate names; with patients."""
        patient_of = self.patients()
        seen: dict[str, Entry] = {}
        kept = []
        for entry in sorted(found, key=lambda e: (e.case, e.images)):
            if not re.fullmatch(NAME, entry.case) or len(entry.case) > 150:
                self.note("case-name", f"{entry.case!r} is no safe name of a file", entry.case, entry.label)
                continue
            other = seen.setdefault(entry.case.casefold(), entry)
            if other is not entry:
                message = f"the same case name as {other.case} ({', '.join(other.images)}; {other.label})"
                self.note("duplicate-case", message, entry.case, entry.images[0])
                continue
            patient = patient_of(entry.case)
            kept.append(Entry(entry.case, patient or "", entry.images, entry.label))
        unused = sorted(self.rows.keys() - {e.case for e in kept} - self.dataset.exclude.keys())
        if unused and self.dataset.patient_table:  # which the rows are of
            message = f"{len(unused)} row(s) name no case of the data set: {', '.join(unused[:5])}"
            self.note("patient-table-unused", message, file=Path(self.dataset.patient_table).name)
        return kept

    def patients(self):
        """A function from case to patient that notes those it cannot tell."""
        dataset = self.dataset
        if dataset.patient_table:
            rows = self.table(Path(dataset.patient_table))
            if rows is None:
                return lambda case: None
            self.rows = rows

            def look_up(case: str) -> str | None:
                if case not in rows:
                    message = f"case {case} does not stand in dataset.patient_table ({dataset.patient_table})"
                    self.note("no-patient", message, case)
                return rows.get(case)

            return look_up
        pattern = dataset.patient_pattern or (PHANTOM_PATTERN if self.source == "phantom" else None)
        if pattern is None:
            return lambda case: case

        def search(case: str) -> str | None:
            match = re.search(pattern, case)
            if not match or not match[1]:
                self.note("no-patient", f"case {case} does not match dataset.patient_pattern {pattern}", case)
                return None
            return match[1]

        return search

    @property
    def source(self) -> str:
        """How patients are told: `Description.patients`."""
        if self.dataset.patient_table:
            return "table"
        if self.dataset.patient_pattern:
            return "pattern"
        return "phantom" if self.dataset.source is None and self.dataset.name == "phantom" else "case"

    def table(self, path: Path) -> dict[str, str] | None:
        try:
            with open(path, encoding="utf-8-sig", newline="") as handle:
                reader = csv.DictReader(handle)
                if not {"case", "patient"} <= set(reader.fieldnames or ()):
                    message = f"{path} has the columns {reader.fieldnames}; wanted are case and patient"
                    self.note("patient-table", message, file=str(path))
                    return None
                rows: dict[str, str] = {}
                for row in reader:
                    case, patient = (row["case"] or "").strip(), (row["patient"] or "").strip()
                    if not case or not patient:
                        self.note("patient-table", f"{path}, line {reader.line_num}: an empty field", case, str(path))
                    elif text := names.fault(case, LONGEST_NAME) or names.fault(patient):
                        message = f"{path}, line {reader.line_num}: a name {text}"
                        self.note("patient-table", message, file=str(path))
                    elif rows.setdefault(case, patient) != patient:
                        message = f"{path}: case {case} has two patients, {rows[case]} and {patient}"
                        self.note("patient-table", message, case, str(path))
                return rows
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            self.note("patient-table", f"dataset.patient_table {path} cannot be read: {error}", file=str(path))
            return None


def read(dataset: Dataset, raw: str | Path = RAW) -> Layout:
    """Read the layout of a data set that is there.

    Returns:
        All entries that are listed rightly, sorted by case, and all problems with those that are not.

    Raises:
        RefoldError: the source or its dataset.json does not exist, or dataset.json is of no known layout.
    """
    folder = root(dataset, raw)
    reader = _Reader(dataset, folder)
    values = reader.load()
    labels = reader.labels(values.get("labels"))
    channels, modalities = reader.channels(values)
    # nnU-Net v2 reads its folders; a list `training` that a converter left empty says nothing
    second = bool(values.keys() & {"channel_names", "file_ending"})
    decathlon = "training" in values and not (second and not values["training"])
    if decathlon:
        found = reader.listed(values["training"], "training", len(channels))
    else:
        found = reader.nnunet(values, len(channels))
    listed = len(values["training"]) if decathlon and isinstance(values["training"], list) else len(found)
    found, excluded = reader.exclude(found)
    kept = reader.checked(found)
    reader.unread(values, kept)

    suffixes = {p for e in kept for p in (*e.images, e.label)}
    pictures = sorted(p for p in suffixes if p.lower().endswith(PICTURE))
    dimension = 2 if pictures else 3
    size = str(values.get("tensorImageSize", "")).strip().upper()
    if pictures and len(pictures) < len(suffixes):
        other = min(suffixes - set(pictures))
        reader.note("mixed-dimension", f"volumes (such as {other}) beside pictures (such as {pictures[0]})")
    elif kept and size in ("3D", "4D") and dimension == 2:
        reader.note("dimension", f"tensorImageSize is {size}, the files are pictures", file="dataset.json")
    stated = values.get("numTraining")
    if stated is not None and str(stated) != str(listed):
        reader.note("count-differs", f"numTraining is {stated!r}, {listed} cases are listed", file="dataset.json")
    if len(kept) < 2:
        reader.note("few-cases", f"{len(kept)} usable case(s) are listed; at least 2 are needed", file="dataset.json")
    elif reader.source == "case":
        reader.note("each-case-a-patient", f"no patients are given: each of the {len(kept)} cases counts as its own")
    elif len({e.patient for e in kept}) == 1 and kept[0].patient:
        reader.note("one-patient", f"all {len(kept)} cases belong to patient {kept[0].patient}; folds need two")

    description = Description(
        name=dataset.name,
        root=folder.as_posix(),
        dimension=dimension,
        channels=channels,
        modalities=modalities,
        labels=labels,
        patients=reader.source,
        licence=_line(values.get("licence") or values.get("license")),
        reference=_line(values.get("reference")),
        colours=reader.colours(labels, dimension),
        pixels=dataset.pixels,
        single=dimension == 3 and size == "2D",
        excluded=dict(sorted(dataset.exclude.items())),
    )
    return Layout(folder, description, tuple(kept), tuple(reader.problems), tuple(excluded))


def unlisted(layout: Layout) -> list[str]:
    """Images beside the listed ones, in the same folders, that no entry names; sorted relative paths."""
    used = {p for e in (*layout.entries, *layout.excluded) for p in (*e.images, e.label)}
    folders = sorted({os.path.dirname(p) for p in used})
    present = (os.path.join(f, n) for f in folders for n in _names(layout.root / f))
    return sorted(p for p in present if p not in used and p.lower().endswith(VOLUME + PICTURE))


def _names(folder: Path) -> list[str]:
    """File names in a folder, without hidden ones such as macOS's ``._*``."""
    try:
        return sorted(n for n in os.listdir(folder) if not n.startswith("."))
    except OSError:
        return []


def _stem(path: str) -> str:
    name = PurePosixPath(path).name
    suffix = next((s for s in VOLUME + PICTURE if name.lower().endswith(s)), "")
    return name[: len(name) - len(suffix)]


def _named(item: Any) -> str:
    """The case of a listed entry, whatever is wrong with it: of its label file, else its first image; else empty."""
    values = [item.get("label"), item.get("image")] if isinstance(item, dict) else []
    firsts = (v[0] if isinstance(v, list) and v else v for v in values)
    path = next((v.strip() for v in firsts if isinstance(v, str) and v.strip()), "")
    name, stem = PurePosixPath(path).name, _stem(path)
    return stem if stem != name else PurePosixPath(name).stem


def _endings(folder: str, files: Collection[str]) -> str:
    """Which endings the files of a folder have, as the end of a sentence."""
    if not files:
        return f"; {folder} is missing or empty"
    known = Counter((n[len(_stem(n)) :] or PurePosixPath(n).suffix) for n in files)
    each = ", ".join(f"{ending or 'no ending'} ({count})" for ending, count in known.most_common(5))
    return f"; {folder} holds {each}"


def _line(value: Any) -> str:
    """A text of dataset.json on one line, without control characters."""
    text = " ".join(str(value or "").split())
    return "".join(c for c in text if names.unprintable(c) is None)
