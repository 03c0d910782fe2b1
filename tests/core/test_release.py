"""What names a version, and what names a file of the project, says the same everywhere."""

import datetime
import re
from pathlib import Path

import pytest
import yaml

import refold

ROOT = Path(__file__).resolve().parents[2]
GUIDE = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
SHORT = ("", "workflow/refold", "workflow/rules", "workflow/refold/evaluate/metrics", "workflow/refold/settings",
         "workflow/refold/run", "workflow/refold/report")  # fmt: skip


def test_version_date_and_changelog_are_of_one_release():
    cited = yaml.safe_load((ROOT / "CITATION.cff").read_text(encoding="utf-8"))
    sections = re.findall(r"(?m)^## (.+)$", (ROOT / "CHANGELOG.md").read_text(encoding="utf-8"))
    released = [section for section in sections if section != "Unreleased"]
    assert sections in (released, ["Unreleased", *released])
    assert all(re.fullmatch(r"\d+\.\d+\.\d+ \(\d{4}-\d\d-\d\d\)", section) for section in released)
    assert released[0] == f"{refold.__version__} ({cited['date-released']})"
    assert cited["version"] == refold.__version__ and isinstance(cited["date-released"], datetime.date)
    dates = [section.split(" ")[1] for section in released]
    assert dates == sorted(dates, reverse=True)


def paths(text: str) -> list[str]:
    """What stands in backticks and looks like a file or folder of the project; `<phase>` and its like are any."""
    words = re.findall(r"`([^`\s]+)`", text)
    return sorted({w for w in words if re.fullmatch(r"[\w<>./-]+(/|\.(py|md|smk|yaml|json|toml|lock|cff|js))", w)})


@pytest.mark.parametrize("path", paths(GUIDE))
def test_every_file_that_the_guide_names_exists(path):
    pattern = re.sub(r"<\w+>", "*", path)
    assert any(any((ROOT / folder).glob(pattern)) for folder in SHORT), f"CONTRIBUTING.md names {path}"


@pytest.mark.parametrize(("name", "path"), re.findall(r"`(?:class )?(\w+)`\s+in\s+`([\w/.]+\.py)`", GUIDE))
def test_what_the_guide_says_of_a_file_stands_in_it(name, path):
    file = next(ROOT / folder / path for folder in SHORT if (ROOT / folder / path).exists())
    defined = rf"(?m)^\s*(?:def |class )?{name}\b.*(?:=|\()|^class {name}\b"
    assert re.search(defined, file.read_text(encoding="utf-8")), f"CONTRIBUTING.md says that {path} has {name}"


def test_every_test_that_the_guide_names_exists():
    there = "".join(path.read_text(encoding="utf-8") for path in (ROOT / "tests").rglob("test_*.py"))
    assert [name for name in re.findall(r"`(test_\w+)`", GUIDE) if f"def {name}(" not in there] == []


def test_hooks_have_the_versions_of_the_lock_file():
    locked = dict(re.findall(r"(?m)^([\w-]+)==(\S+)", (ROOT / "requirements-test.lock").read_text(encoding="utf-8")))
    hooks = yaml.safe_load((ROOT / ".pre-commit-config.yaml").read_text(encoding="utf-8"))["repos"][0]["hooks"]
    pinned = dict(pin.split("==") for hook in hooks for pin in hook["additional_dependencies"])
    assert {"ruff", "snakefmt"} <= set(pinned)
    assert {name: version for name, version in pinned.items() if name in locked and locked[name] != version} == {}
