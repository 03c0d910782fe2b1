"""The import graph of refold, of files and of rooms, held against the table of floors in CONTRIBUTING.md."""

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
PACKAGE = ROOT / "workflow/refold"


def floors() -> dict[str, int]:
    """The floor of each room, counted from the ground: the rows of the table."""
    text = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8").partition("## Floors")[2]
    rows = re.findall(r"^\| (\d+) \| (.+?) \|", text, re.MULTILINE)
    return {room: int(number) for number, rooms in rows for room in re.findall(r"`(\w+)/`", rooms)}


def name(path: Path) -> str:
    parts = path.relative_to(PACKAGE.parent).with_suffix("").parts
    return ".".join(parts[:-1] if parts[-1] == "__init__" else parts)


MODULES = {name(path): path for path in sorted(PACKAGE.rglob("*.py"))}


def imported(node: ast.AST) -> Iterator[str]:
    """Modules of refold that a file imports, within functions too; those for types alone left out."""
    for child in ast.iter_child_nodes(node):
        if isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names if alias.name in MODULES)
        elif isinstance(child, ast.ImportFrom):
            assert child.level == 0, "imports of refold are absolute"
            for alias in child.names:
                inner = f"{child.module}.{alias.name}"
                if inner in MODULES or child.module in MODULES:
                    yield inner if inner in MODULES else child.module
        yield from imported(child)


GRAPH = {module: set(imported(ast.parse(path.read_text(encoding="utf-8")))) for module, path in MODULES.items()}


def room(module: str) -> str | None:
    return module.split(".")[1] if "." in module else None


def circles(graph: dict[str, set[str]]) -> list[list[str]]:
    """What imports itself by way of others: the strongly connected parts of over one member."""
    reach: dict[str, set[str]] = {}
    for start in graph:
        seen, todo = set(), [start]
        while todo:
            for after in graph.get(todo.pop(), ()):
                if after not in seen:
                    seen.add(after)
                    todo.append(after)
        reach[start] = seen
    groups = {frozenset({a, *(b for b in reach[a] if a in reach[b])}) for a in graph if a in reach[a]}
    return sorted(sorted(group) for group in groups if len(group) > 1)


def test_every_room_has_a_floor():
    rooms = {path.parent.name for path in PACKAGE.glob("*/__init__.py")}
    assert set(floors()) == rooms


@pytest.mark.parametrize("module", MODULES)
def test_nothing_imports_upwards(module):
    """But commands, which tie all together, and `refold` itself, which sees to the processor before NumPy is there."""
    if module == "refold" or module.endswith("__main__"):
        return
    floor = floors()
    up = [m for m in GRAPH[module] if room(m) not in (None, room(module)) and floor[room(m)] >= floor[room(module)]]
    assert not up, f"{module} imports {', '.join(up)}, which lies no lower"


def test_nothing_imports_a_command_or_a_test():
    users = [(m, used) for m, all_ in GRAPH.items() for used in all_ if used.endswith("__main__")]
    assert not users
    text = {m: path.read_text(encoding="utf-8") for m, path in MODULES.items()}
    assert not [m for m, code in text.items() if re.search(r"^\s*(from|import) tests\b", code, re.MULTILINE)]


def test_no_circle_of_files():
    assert circles(GRAPH) == []


def test_no_circle_of_rooms():
    rooms: dict[str, set[str]] = {}
    for module, all_ in GRAPH.items():
        if room(module) and not module.endswith("__main__"):
            rooms.setdefault(room(module), set()).update(r for m in all_ if (r := room(m)) and r != room(module))
    assert circles(rooms) == []


def test_the_underscore_is_gettexts_alone():
    """Where `_` translates, it never is a name for what is thrown away."""
    bound = []
    for module, path in MODULES.items():
        tree = ast.parse(path.read_text(encoding="utf-8"))
        imports = [node for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)]
        if not any(i.module == "refold.core.language" and "_" in {a.name for a in i.names} for i in imports):
            continue
        for node in ast.walk(tree):
            name = node.arg if isinstance(node, ast.arg) else node.id if isinstance(node, ast.Name) else ""
            if name == "_" and not isinstance(getattr(node, "ctx", None), ast.Load):
                bound.append(f"{module}:{node.lineno}")
    assert not bound


def test_a_circle_is_found():
    assert circles({"a": {"b"}, "b": {"c"}, "c": {"a"}, "d": {"a"}}) == [["a", "b", "c"]]
    assert circles({"a": {"b"}, "b": set()}) == []
