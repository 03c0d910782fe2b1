"""What is changed after a finished run, and who notices: a table, which goes into docs/how-to/verify.md.

``python -m tests.cli.changes`` works it out, prints it, and writes it where the page has its place. Each row is one
state of the folder: one file of a finished and recorded experiment is changed, the commands are asked
(`tests/cli/noticed.py`), and all is put back.
"""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from refold.core.files import write_text
from refold.imaging import images
from tests.projects import PATH, ROOT, Project, tiny

# ---------------------------------------------------------------- the experiment

CLASSICAL = {name: {"kind": "threshold", "channel": 1, "classes": n} for name, n in (("a", 2), ("b", 3))}
THEIRS = {"kind": "external", "folder": "theirs", "program": "another program"}


ATLAS = {"kind": "atlas"}  # of its predictions there are probabilities


def finished(classical: Project, folder: Path, **more: dict[str, Any]) -> Project:
    """A finished experiment, on record: the given one with label maps of another program, and these methods."""
    project = Project(classical.copy(folder).folder)  # what DVC notes of files is this project's alone
    for path in sorted((folder / "data/raw/phantom/labelsTr").iterdir()):
        label = images.read(path, label=True)
        images.write_label(folder / "theirs" / path.name, np.roll(label.data, 1, 0), label.affine)
    project.edit(methods={"theirs": THEIRS, **more})
    project.refold("stages")
    project.snakemake("--cores", "2")
    project.refold("record")
    project.commit("label maps of another program")
    return project


# ---------------------------------------------------------------- changes

DAY = 86_400 * 10**9
INPUTS = ("raw image", "raw label", "external map", "parameter", "code")
# {0} is the first case that fold 0 tests
FILES = {
    "raw image": "data/raw/phantom/imagesTr/{0}.nii.gz",
    "raw label": "data/raw/phantom/labelsTr/{0}.nii.gz",
    "external map": "theirs/{0}.nii.gz",
    "table of cases": "data/cases.csv",
    "stored case": "data/preprocessed/{0}.h5",
    "folds": "results/splits.json",
    "model": "results/models/a/fold-0/model.json",
    "prediction": "results/predictions/a/fold-0/{0}.nii.gz",
    "probability": "results/predictions/atlas/fold-0/probabilities/{0}.nii.gz",
    "fold file": "results/metrics/folds/a/fold-0.json",
    "table": "results/metrics/summary.csv",
    "report": "results/report/report.html",
    "stamp": "results/.params/evaluate.json",
    "parameter": "params.yaml",
    "code": "workflow/refold/report/tables.py",
}


class Way:
    """How a file is changed. shift: what is added to its time in ns; None: the time of now."""

    def __init__(self, replaced: bool, shift: int | None, longer: bool):
        self.replaced, self.shift, self.longer = replaced, shift, longer
        time_ = {None: "newer", 0: "same time"}.get(shift, "older")
        self.name = f"{'replaced' if replaced else 'in place'}, {time_}{', longer' if longer else ''}"


WAYS = {
    way.name: way
    for way in (
        Way(False, None, False), Way(False, -DAY, True), Way(False, 0, False),
        Way(True, None, True), Way(True, -DAY, False), Way(True, 0, False),
    )
}  # fmt: skip
NEWER, LONGER, SAME, _, OLDER, PUT = WAYS
ALL_WAYS = ("raw image", "raw label", "external map", "table", "prediction", "model")
SOME_WAYS = {"parameter": (NEWER, SAME, OLDER), "code": (NEWER, SAME, OLDER)}
ROWS = [
    (what, how)
    for what in FILES
    for how in (WAYS if what in ALL_WAYS else SOME_WAYS.get(what, (NEWER, SAME)))
]  # fmt: skip
# asked by the tests
FEW = [
    ("raw label", OLDER), ("external map", PUT), ("stored case", SAME), ("model", SAME), ("prediction", NEWER),
    ("table", LONGER), ("code", OLDER),
]  # fmt: skip


def changed(content: bytes, name: str, longer: bool) -> bytes:
    """Another content that every reader takes, with as many bytes or one more."""
    new = bytearray(content)
    if name.endswith(".gz"):
        new[9] ^= 1  # the system that packed it: no checksum tells
    elif name.endswith(".h5"):
        new[len(new) // 2] ^= 1
    elif name.endswith(".py"):
        place = new.index(b'"""') + 3
        new[place] ^= 0x20  # a small letter for a capital in the first line's words
    elif name.endswith(".yaml"):
        place = new.index(b"bootstrap: ") + len(b"bootstrap: ")
        new[place] ^= 1
    else:
        place = next(i for i in range(len(new) - 1, -1, -1) if chr(new[i]).isdigit())
        new[place] ^= 1
    return bytes(new) + (b"" if not longer else b"\0" if name.endswith((".gz", ".h5")) else b"\n")


def change(path: Path, way: Way) -> None:
    before, content = path.stat(), changed(path.read_bytes(), path.name, way.longer)
    if way.replaced:
        new = path.with_name(f".new-{path.name}")
        new.write_bytes(content)
        new.chmod(before.st_mode)
        os.replace(new, path)
    else:
        path.write_bytes(content)
    now = time.time_ns() if way.shift is None else before.st_mtime_ns + way.shift
    os.utime(path, ns=(now, now))


# ---------------------------------------------------------------- one folder, put back after each row


class Kept:
    """All files below some folders as they are now: content, time and inode."""

    OUT = (".git", ".dvc", "__pycache__")

    def __init__(self, folders: Iterable[Path], aside: Path):
        self.folders, self.aside = list(folders), aside
        self.files: dict[Path, tuple[os.stat_result, bytes]] = {}
        for i, path in enumerate(self._now()):
            self.files[path] = (path.stat(), path.read_bytes())
            aside.mkdir(exist_ok=True)
            os.link(path, aside / str(i))  # a file that is replaced keeps its inode here

    def _now(self) -> list[Path]:
        found = []
        for top in self.folders:
            for folder, names, files in os.walk(top):
                names[:] = [n for n in names if n not in self.OUT]
                found += [Path(folder) / n for n in sorted(files) if not (Path(folder) / n).is_symlink()]
        return found

    def put_back(self) -> None:
        for path in set(self._now()) - self.files.keys():
            path.unlink()
        for i, (path, (before, content)) in enumerate(self.files.items()):
            if not path.exists() or path.stat().st_ino != before.st_ino:
                path.parent.mkdir(parents=True, exist_ok=True)
                link = path.with_name(f".back-{path.name}")
                os.link(self.aside / str(i), link)
                os.replace(link, path)
            if path.read_bytes() != content:
                path.write_bytes(content)
            if path.stat().st_mtime_ns != before.st_mtime_ns:
                os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))


@contextmanager
def asking(project: Project) -> Iterator[Any]:
    """A process in the project's folder that says who notices: ``ask(file, base)``."""
    env = {**project.env, "PATH": PATH, "PYTHONPATH": str(project.folder / "workflow")}
    command = [sys.executable, "-B", str(Path(__file__).with_name("noticed.py"))]
    with tempfile.TemporaryFile("w+") as log:
        process = subprocess.Popen(
            command, cwd=project.folder, env=env, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log, text=True
        )

        def ask(*about: str) -> dict[str, Any]:
            process.stdin.write(json.dumps(about) + "\n")
            process.stdin.flush()
            if not (line := process.stdout.readline()):
                log.seek(0)
                raise AssertionError(log.read()[-4000:])
            return json.loads(line)

        try:
            yield ask
        finally:
            process.stdin.close()
            process.wait()


# ---------------------------------------------------------------- who notices

COLUMNS = ("snakemake -n", "a run", "status", "status --thorough", "record", "sync", "verify", "dvc status", "report")


def rows(project: Project, scratch: Path, wanted: Iterable[tuple[str, str]]) -> dict[tuple[str, str], dict[str, str]]:
    """{(what, how): {column: what is said}}; ``!`` marks silence.

    Raises:
        AssertionError: something is noticed where nothing was changed, before the first row or after the last.
    """
    base = scratch / "base"
    shutil.copytree(project.folder, base, ignore=shutil.ignore_patterns(*Kept.OUT))
    case = json.loads((base / "results/splits.json").read_text())["folds"][0]["test"][0]
    found = {}
    with asking(project) as ask:
        none = FILES["table"]
        control = ask(none, str(base))  # what is noted of sizes and times is of this folder from now on
        _nothing(control)
        kept = Kept([project.folder, Path(project.env["DVC_SITE_CACHE_DIR"])], scratch / "aside")
        for what, how in wanted:
            kept.put_back()
            name = FILES[what].format(case)
            change(project.folder / name, WAYS[how])
            found[what, how] = cells(what, name, case, how, ask(name, str(base)), control)
        kept.put_back()
        _nothing(ask(none, str(base)))
    return found


def _nothing(found: dict[str, Any]) -> None:
    """Where nothing was changed nothing is noticed."""
    quiet = {"differing": [], "due": [], "fresh": True, "dvc": [], "dvc thorough": [], "record": None, "sync": None}
    assert {key: found[key] for key in quiet} == quiet, found
    assert found["status"][1] and found["thorough"][1] and found["report"].get("opened"), found["report"]
    assert "next: nothing" in found["status"][0] and "next: nothing" in found["thorough"][0]


def cells(what: str, name: str, case: str, how: str, found: dict[str, Any], control: dict[str, Any]) -> dict[str, str]:
    """One row. A change is the only one, so whatever is said that the control does not say, it is said of it."""
    source, same_time = what in INPUTS, "same time" in how
    due, run, dvc = found["due"], found.get("run"), found["dvc"]
    assert bool(due) is not found["fresh"], (due, found["fresh"])

    def named(text: str) -> bool:
        return name in text or Path(name).name in text or case in text

    told = {"snakemake -n": f"due: {due[0]}" + (" on" if len(due) > 1 else "") if due else "nothing due"}
    if source and not due:
        told["snakemake -n"] += " !"
    if run is None:
        told["a run"] = "written anew" if found["back"] else "nothing runs" + " !" * source
    elif run["code"]:
        errors = run["told"][run["told"].find("error: ") :]  # not Snakemake's list of inputs, which stands before
        told["a run"] = "refused" if errors.startswith("error: ") and named(errors) else "fails, not named !"
    elif run["back"] and not source:
        told["a run"] = "written anew"
    else:
        told["a run"] = "made from it" if source and run["again"] else "goes on !"
    by_time = "" if same_time else " !"
    told["status"] = (
        "told" if found["status"][0] != control["status"][0]
        else "written anew" if found["back"]
        else f"fresh, by times{by_time}"
    )  # fmt: skip
    said, good = found["thorough"]
    told["status --thorough"] = (
        "told" if not good or "next: nothing" not in said else "written anew" if found["back"] else "fresh !"
    )
    for verb in ("record", "sync"):
        told[verb] = "refused" if found[verb] else "written anew" if found["back"] else f"{verb}ed !"
    if name in found["differing"]:
        told["verify"] = "found"
    elif source and not name.startswith("data/"):
        told["verify"] = "refused" if found["dvc thorough"] else "silent !"
    elif source:
        told["verify"] = "found" if run and run["again"] else "silent !"
    else:
        told["verify"] = "written anew" if found["back"] else "silent !"
    if dvc:
        told["dvc status"] = "told"
    elif found["back"]:
        told["dvc status"] = "written anew"
    else:
        told["dvc status"] = f"clean, by times{by_time}" if found["dvc thorough"] else "not watched !"
    report = found["report"]
    if "facts" not in report:
        told["report"] = "refused" if named(report.get("refused", "")) else "fails, not named !"
    elif report["facts"] != control["report"]["facts"]:
        told["report"] = "told"
    else:
        told["report"] = "drawn !" if report["opened"] else "reads it not"
    return told


# ---------------------------------------------------------------- the page

BEGIN, END = "<!-- made by python -m tests.cli.changes -->\n", "<!-- end -->\n"
PAGE = ROOT / "docs/how-to/verify.md"
BETWEEN = "; "


def text(found: dict[tuple[str, str], dict[str, str]]) -> str:
    """The table, in Markdown; ways of which the same is said share a row."""
    lines = [f"| changed | how | {' | '.join(f'`{c}`' if ' ' in c and c != 'a run' else c for c in COLUMNS)} |"]
    lines.append("|---" * (len(COLUMNS) + 2) + "|")
    shared: dict[tuple[str, ...], list[str]] = {}
    for (what, how), said in found.items():
        shared.setdefault((what, *(said[c] for c in COLUMNS)), []).append(how)
    lines += [f"| {what} | {BETWEEN.join(ways)} | {' | '.join(said)} |" for (what, *said), ways in shared.items()]
    return "\n".join(lines) + "\n"


def on_page() -> dict[tuple[str, str], dict[str, str]]:
    """What the page says."""
    found = {}
    for line in _table().splitlines()[2:]:
        what, ways, *said = (cell.strip() for cell in line.strip("|").split("|"))
        found |= {(what, how): dict(zip(COLUMNS, said, strict=True)) for how in ways.split(BETWEEN)}
    return found


def _table() -> str:
    return PAGE.read_text(encoding="utf-8").partition(BEGIN)[2].partition(END)[0]


def main() -> None:
    with tempfile.TemporaryDirectory() as scratch:
        place = Path(scratch)
        classical = Project.create(place / "classical/project", tiny(methods=CLASSICAL))
        classical.dvc("repro")
        classical.commit("results")
        table = text(rows(finished(classical, place / "finished/project", atlas=ATLAS), place, ROWS))
    write_text(PAGE, PAGE.read_text(encoding="utf-8").replace(BEGIN + _table(), BEGIN + table))
    print(table)


if __name__ == "__main__":
    main()
