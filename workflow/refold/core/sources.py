"""Which of refold's own modules a command really imports: code is an input of a phase too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from functools import cache
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
# They begin and end a job and find out what it rests on; what it writes does not depend on them, and no job is due
# when they change.
HARNESS = frozenset({"refold.core.sources", "refold.run.command", "refold.run.life"})


def _path(module: str) -> Path | None:
    base = ROOT.joinpath(*module.split("."))
    for path in (base.with_suffix(".py"), base / "__init__.py"):
        if path.is_file():
            return path
    return None


def _statements(node: ast.AST) -> Iterator[ast.stmt]:
    """All statements within one; an expression holds no import, and most of a file is expressions."""
    if isinstance(node, ast.If) and isinstance(node.test, ast.Name) and node.test.id == "TYPE_CHECKING":
        return  # never runs
    for part in ("body", "orelse", "finalbody", "handlers", "cases"):
        for child in getattr(node, part, ()):
            yield child
            yield from _statements(child)


def kind(name: str) -> str:
    """The module of a kind of methods."""
    return f"refold.methods.{name}"


@cache
def _imports(module: str) -> frozenset[str]:
    found: set[str] = set()
    path = _path(module)
    assert path is not None, module
    package = module if path.name == "__init__.py" else module.rpartition(".")[0]
    for node in _statements(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = node.module or ""
            if node.level:
                parts = package.split(".")[: len(package.split(".")) - node.level + 1]
                base = ".".join([*parts, base] if base else parts)
            found.add(base)
            found.update(f"{base}.{alias.name}" for alias in node.names)
    found.update(m.rpartition(".")[0] for m in list(found))
    return frozenset(m for m in found if m.startswith("refold") and _path(m))


def closure(*modules: str) -> list[str]:
    """Files of all refold modules that ``modules`` import, directly or not, relative to the project root, sorted.

    Imports inside functions count as well: they run too. `HARNESS` does not count, nor what it alone imports.
    """
    todo, seen = list(modules), dict[str, Path]()
    while todo:
        module = todo.pop()
        if not module or module in seen or module in HARNESS or (path := _path(module)) is None:
            continue
        seen[module] = path
        # a package's __init__ runs before its modules
        todo += [*_imports(module), module.rpartition(".")[0]]
    files = set(seen.values())
    for module in modules:
        path = _path(module)
        assert path is not None, module
        files.update(p for p in path.parent.rglob("*") if p.suffix in {".j2", ".css", ".js", ".json"})
    return sorted(str(p.relative_to(ROOT.parent)) for p in files)
