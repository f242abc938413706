"""Which way dependencies go: read from the imports, the lazy and the type-only ones too."""

from __future__ import annotations

import ast
from collections.abc import Iterator
from graphlib import TopologicalSorter
from pathlib import Path

import dynaconf_k8s_reload

PACKAGE = Path(dynaconf_k8s_reload.__file__).parent
NAME = PACKAGE.name

# Each room with the rooms that it may import beside itself.
ROOMS = {
    "_model": set[str](),
    "_source": {"_model"},
    "_environ": {"_model", "_source"},
    "_dynaconf": {"_model", "_source", "_environ"},
    "_watch": {"_model", "_source"},
    "_reload": {"_model", "_source", "_environ", "_dynaconf", "_watch"},
}
PUBLIC = {
    *(
        "__init__",
        "__main__",
        "asgi",
        "loader",
        "prometheus",
        "pytest_plugin",
        "signals",
        "testing",
    ),
    *("cli", "django", "flask"),
}
FACES = ("_dynaconf", "_watch")
# What a framework needs beside the adapter's face, which must not import Flask or Django.
FRAMEWORKS = {"_dynaconf.flask", "_dynaconf.django"}


def modules() -> Iterator[tuple[str, Path]]:
    """Give each module by its dotted name within the package."""
    for path in sorted(PACKAGE.rglob("*.py")):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        yield ".".join(parts[:-1] if parts[-1] == "__init__" and len(parts) > 1 else parts), path


def imports(module: str, path: Path) -> Iterator[str]:
    """Give what of the package a module imports, wherever in it the statement stands."""
    known = dict(modules())
    package = module.split(".") if path.name == "__init__.py" else module.split(".")[:-1]
    package = [] if module == "__init__" else package
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            names = [alias.name.removeprefix(f"{NAME}.") for alias in node.names]
            yield from (name for name in names if name in known)
        elif isinstance(node, ast.ImportFrom):
            if node.level:
                base = package[: len(package) - node.level + 1]
            elif (node.module or "").split(".")[0] == NAME:
                base = []
            else:
                continue
            source = ".".join([*base, *([node.module] if node.module else [])])
            source = source.removeprefix(NAME).removeprefix(".")
            for alias in node.names:
                inner = f"{source}.{alias.name}".removeprefix(".")
                yield inner if inner in known else source or "__init__"


def room(module: str) -> str:
    return module.split(".", maxsplit=1)[0]


def test_each_room_imports_only_what_lies_beneath_it() -> None:
    """No private room knows the public modules, nor a room above its own."""
    found = 0
    for module, path in modules():
        for imported in imports(module, path):
            found += 1
            if room(module) in ROOMS:
                allowed = {room(module)} | ROOMS[room(module)]
                assert room(imported) in allowed, f"{module} imports {imported}"
    assert found > 100


def test_every_module_has_its_room() -> None:
    """At the top of the package is only what users import."""
    assert {room(module) for module, _ in modules()} == {*ROOMS, *PUBLIC}


def test_closed_rooms_are_entered_by_their_face() -> None:
    """What lies within the adapter and the watch is imported by these alone."""
    for module, path in modules():
        for imported in imports(module, path):
            if room(imported) in FACES and room(module) != room(imported):
                assert imported in {*FACES, *FRAMEWORKS}, f"{module} imports {imported}"


def test_modules_import_each_other_in_no_circle() -> None:
    """Beside a package and what it is made of, imports go one way."""
    graph = {
        module: {other for other in imports(module, path) if not module.startswith(f"{other}.")}
        for module, path in modules()
    }
    for module in FACES:  # its modules may name their own package; nobody else's face
        graph[module] = {other for other in graph[module] if not other.startswith(f"{module}.")}
    graph["__init__"] = set()  # imports a public name at its first use
    assert list(TopologicalSorter(graph).static_order())


def test_private_modules_say_nothing_of_publicity() -> None:
    """`__all__` stands in what users import and in the faces of the closed rooms."""
    for module, path in modules():
        for node in ast.parse(path.read_text()).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "__all__":
                assert room(module) not in ROOMS or module in FACES, module
