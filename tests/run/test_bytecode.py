import os
import py_compile
import subprocess
import sys

import pytest

from refold.run import bytecode


@pytest.fixture
def module(tmp_path):
    """A source of which another version, of the same size and time, is compiled by Python's own rule."""
    source = tmp_path / "rules.py"
    write(source, 1)
    py_compile.compile(str(source), invalidation_mode=py_compile.PycInvalidationMode.TIMESTAMP)
    write(source, 2)
    return source


def write(source, value):
    source.write_text(f"VALUE = {value}\n")
    os.utime(source, (1e9, 1e9))


def runs(source, **environment):
    environment = {k: v for k, v in os.environ.items() if k != "PYTHONDONTWRITEBYTECODE"} | environment
    command = [sys.executable, "-c", "import rules; print(rules.VALUE)"]
    return int(subprocess.run(command, cwd=source.parent, env=environment, capture_output=True, check=True).stdout)


@pytest.mark.parametrize("writes", [True, False])
def test_the_source_that_is_there_runs(module, monkeypatch, writes):
    monkeypatch.setattr(sys, "dont_write_bytecode", not writes)
    assert runs(module) == 1, "Python took the former version, which is what this is about"
    bytecode.check_by_hash(module.parent)
    assert runs(module) == 2
    write(module, 3)
    assert runs(module) == 3
    write(module, 4)  # of the file that Python made again
    assert runs(module) == 4


def test_a_file_checked_by_its_hash_is_left_and_none_is_made_where_none_may(module, monkeypatch):
    bytecode.check_by_hash(module.parent)
    (compiled,) = module.parent.rglob("*.pyc")
    os.utime(compiled, (1, 1))
    bytecode.check_by_hash(module.parent)
    assert compiled.stat().st_mtime == 1
    compiled.unlink()
    monkeypatch.setattr(sys, "dont_write_bytecode", True)
    bytecode.check_by_hash(module.parent)
    assert not list(module.parent.rglob("*.pyc"))


def test_a_source_that_cannot_be_compiled_stops_nothing(module):
    module.write_text("VALUE = = 1\n")
    bytecode.check_by_hash(module.parent)
