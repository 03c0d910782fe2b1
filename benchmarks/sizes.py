"""What each job depends on, with all that it imports: files, their lines, and lines of code alone.

    PYTHONPATH=workflow python benchmarks/sizes.py

Of another commit: PYTHONPATH=<its clone>/workflow. Lines of code are those without blanks, comments and docstrings.
"""

from __future__ import annotations

import ast
import io
import tokenize
from pathlib import Path

from refold.core import sources

PHASES = ("data", "preprocess", "split")
KINDS = {
    "a U-Net": "unet", "a plain CNN": "cnn", "threshold": "threshold", "atlas": "atlas",
    "support vector machine": "svm", "graph cut": "graph_cut",
}  # fmt: skip
JOBS = {
    **{phase: [f"refold.{phase}.__main__"] for phase in PHASES},
    **{f"train, {words}": ["refold.train.__main__", f"refold.methods.{kind}"] for words, kind in KINDS.items()},
    "predict, without a kind": ["refold.predict.__main__"],
    "evaluate": ["refold.evaluate.__main__"],
    "report": ["refold.report.__main__"],
}
SILENT = {tokenize.COMMENT, tokenize.NL, tokenize.NEWLINE, tokenize.INDENT, tokenize.DEDENT, tokenize.ENDMARKER}


def code(text: str) -> int:
    """Lines that hold code."""
    documented: set[int] = set()
    for node in ast.walk(ast.parse(text)):
        if isinstance(node, (ast.Module, ast.ClassDef, ast.FunctionDef)) and ast.get_docstring(node) is not None:
            documented.update(range(node.body[0].lineno, (node.body[0].end_lineno or 0) + 1))
    lines: set[int] = set()
    for token in tokenize.generate_tokens(io.StringIO(text).readline):
        if token.type not in SILENT:
            lines.update(range(token.start[0], token.end[0] + 1))
    return len(lines - documented)


def main() -> None:
    print("| job | files | lines | of code |\n|---|---|---|---|")
    for job, modules in JOBS.items():
        files = [f for f in sources.closure(*modules) if f.endswith(".py")]  # no template or style of the report
        texts = [Path(sources.ROOT.parent, f).read_text(encoding="utf-8") for f in files]
        lines = sum(len(t.splitlines()) for t in texts)
        print(f"| {job} | {len(texts)} | {lines:,} | {sum(map(code, texts)):,} |")


if __name__ == "__main__":
    main()
