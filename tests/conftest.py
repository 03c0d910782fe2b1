"""What tests of several phases share: projects that were run once, to be copied and changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest
from filelock import FileLock

import refold  # noqa: F401  pins NumPy before a test imports it
from tests.projects import Project, tiny


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long ones first, so that no worker has them left when the others are done."""
    items.sort(key=lambda item: item.get_closest_marker("slow") is None)


def _once(factory: pytest.TempPathFactory, name: str, make: Callable[[Path], Project]) -> Project:
    """Made by the first worker that wants it; the others wait."""
    base = factory.getbasetemp()
    shared = (base.parent if "PYTEST_XDIST_WORKER" in os.environ else base) / name
    with FileLock(f"{shared}.lock"):
        if not (shared / "done").exists():
            make(shared / "project")
            (shared / "done").touch()
    return Project(shared / "project")


def _recorded(folder: Path, **sections) -> Project:
    project = Project.create(folder, tiny(**sections))
    project.dvc("repro")
    project.commit("results")
    return project


@pytest.fixture(scope="session")
def recorded(tmp_path_factory) -> Project:
    """The tiny experiment with a network and a classical method, run by ``dvc repro`` and committed. Copy it."""
    return _once(tmp_path_factory, "recorded", _recorded)


@pytest.fixture(scope="session")
def classical(tmp_path_factory) -> Project:
    """The same with two classical methods alone, which need no TensorFlow: each phase takes seconds. Copy it."""
    methods = {name: {"kind": "threshold", "channel": 1, "classes": n} for name, n in (("a", 2), ("b", 3))}
    return _once(tmp_path_factory, "classical", lambda folder: _recorded(folder, methods=methods))
