"""The examples in docstrings hold, and need no TensorFlow."""

import subprocess
import sys

from refold.core import sources

RUN = """
import doctest, importlib, sys
finder, count = doctest.DocTestFinder(exclude_empty=True), 0
for name in sys.argv[1:]:
    module = importlib.import_module(name)
    count += sum(bool(found.examples) for found in finder.find(module))
    doctest.testmod(module)
print(count, "tensorflow" in sys.modules)
"""


def test_examples_in_docstrings_hold():
    files = sorted(p for p in (sources.ROOT / "refold").rglob("*.py") if ">>> " in p.read_text(encoding="utf-8"))
    names = [".".join(p.relative_to(sources.ROOT).with_suffix("").parts) for p in files]
    run = subprocess.run([sys.executable, "-c", RUN, *names], capture_output=True, text=True, cwd=sources.ROOT)
    assert run.returncode == 0, run.stderr
    count, tensorflow = run.stdout.split()  # a failed example is told here too
    assert int(count) >= 20
    assert tensorflow == "False"
