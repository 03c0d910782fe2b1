import subprocess
import sys
from pathlib import Path

import pytest

from refold import methods
from refold.core import sources

ROOT = Path(__file__).resolve().parents[2]
PHASES = ("data", "preprocess", "split", "train", "predict", "evaluate", "report")
BEFORE = {phase: PHASES[max(0, i - 1)] for i, phase in enumerate(PHASES)}


def names(phase: str) -> set[str]:
    return {f.removeprefix("workflow/refold/") for f in sources.closure(f"refold.{phase}.__main__")}


@pytest.mark.parametrize("phase", PHASES)
def test_a_phase_depends_on_itself_and_on_core(phase):
    found = sources.closure(f"refold.{phase}.__main__")
    assert found == sorted(set(found)) and all((ROOT / f).is_file() for f in found)
    assert {f"{phase}/__main__.py", f"{phase}/__init__.py", "settings/stamps.py", "core/files.py"} <= names(phase)


@pytest.mark.parametrize("phase", PHASES[:-1])
def test_how_params_yaml_is_read_is_no_business_of_a_phase(phase):
    """So that no message, description or check of params.yaml makes anything due."""
    assert not [f for f in names(phase) if f.startswith(("experiment/", "report/", "cli/"))]


@pytest.mark.parametrize("phase", PHASES)
def test_a_phase_depends_on_no_other_but_the_one_before(phase):
    packages = {f.partition("/")[0] for f in names(phase) if "/" in f}
    below = {"core", "settings", "formats", "imaging", "run", "methods"}
    networks = {"networks", "train"} if phase in ("train", "predict", "evaluate", "report") else set()
    assert packages <= {*below, *networks, *(("experiment",) if phase == "report" else ()), phase, BEFORE[phase]}


@pytest.mark.parametrize("kind", methods.kinds())
def test_a_kind_of_method_depends_on_no_other(kind):
    """Only so does editing one method leave the others' models alone."""
    found = {f.removeprefix("workflow/refold/") for f in sources.closure(sources.kind(kind))}
    below = {"core", "settings", "formats", "imaging", "run", "methods", "train", "networks", "classical"}
    assert {f.partition("/")[0] for f in found if "/" in f} <= below
    others = {f"methods/{k}.py" for k in methods.kinds()} - {f"methods/{kind}.py"}
    assert not found & others


@pytest.mark.parametrize("kind", [name for name, kind in methods.kinds().items() if not kind.network])
def test_what_learns_without_tensorflow_depends_on_no_network(kind):
    found = sources.closure("refold.train.__main__", sources.kind(kind))
    assert not [f for f in found if "/networks/" in f and not f.endswith(("/__init__.py", "/problem.py"))]


def test_editing_the_report_reruns_the_report_alone():
    reading = [p for p in PHASES if any(f.startswith("report/") for f in names(p))]
    assert reading == ["report"]


def test_templates_count_as_source():
    assert {"report/report.html.j2", "report/report.css", "report/scripts/page.js"} <= names("report")


@pytest.mark.parametrize("phase", ["data", "preprocess", "split", "evaluate"])
def test_every_module_that_is_really_loaded_is_in_the_closure(phase):
    """Seen from the outside: import the command and look at what Python loaded."""
    program = (
        f"import sys, refold.{phase}.__main__\n"
        "print(*[m.__file__ for name, m in sys.modules.items() if name.startswith('refold')])"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={"PYTHONPATH": str(ROOT / "workflow"), "PATH": ""},
        capture_output=True,
        text=True,
        check=True,
    )
    loaded = {str(Path(f).relative_to(ROOT)) for f in done.stdout.split()}
    harness = {"workflow/" + name.replace(".", "/") + ".py" for name in sources.HARNESS}
    assert loaded - harness <= set(sources.closure(f"refold.{phase}.__main__"))


def test_what_begins_and_ends_a_job_counts_for_no_phase():
    found = {f for phase in PHASES for f in sources.closure(f"refold.{phase}.__main__")}
    harness = {"workflow/" + name.replace(".", "/") + ".py" for name in sources.HARNESS}
    assert len(harness) == 3 and all((ROOT / f).is_file() for f in harness) and not harness & found


@pytest.fixture
def tree(tmp_path, monkeypatch):
    """A small package of its own under the name refold."""
    root = tmp_path / "workflow"

    def add(name: str, text: str = "") -> None:
        path = root / "refold" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    for package in ("", "a/", "b/", "core/"):
        add(f"{package}__init__.py")
    monkeypatch.setattr(sources, "ROOT", root)
    sources._imports.cache_clear()
    yield add
    sources._imports.cache_clear()


def test_all_ways_of_importing_are_followed(tree):
    tree("a/__main__.py", "import refold.a.one\nfrom refold.a import two\nfrom . import three\nfrom .four import x\n")
    tree("a/one.py", "def f():\n    from refold.core.deep import g\n")
    tree("a/two.py", "import numpy, json\nif TYPE_CHECKING:\n    from refold.a import unused\n")
    tree("a/three.py", "from ..core import log as l\n")
    tree("a/four.py", "from refold.core.deep import (\n    g,\n)\n")
    tree("a/unused.py")
    tree("b/__main__.py", "from refold.a import one\n")
    tree("core/deep.py", "from refold.a import one\n")  # a circle
    tree("core/log.py")
    tree("core/unused.py")
    assert sources.closure("refold.a.__main__") == [
        "workflow/refold/__init__.py",
        "workflow/refold/a/__init__.py",
        "workflow/refold/a/__main__.py",
        "workflow/refold/a/four.py",
        "workflow/refold/a/one.py",
        "workflow/refold/a/three.py",
        "workflow/refold/a/two.py",
        "workflow/refold/core/__init__.py",
        "workflow/refold/core/deep.py",
        "workflow/refold/core/log.py",
    ]
    assert sources.closure("refold.core.log") == [
        "workflow/refold/__init__.py",
        "workflow/refold/core/__init__.py",
        "workflow/refold/core/log.py",
    ]
