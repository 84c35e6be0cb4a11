"""Which modules may import which, and where heavy libraries and printing belong."""

from __future__ import annotations

import ast
import subprocess
import sys
from collections.abc import Iterator
from functools import cache
from pathlib import Path

import pytest

import stream_dream

PACKAGE = Path(stream_dream.__file__).parent
# Imports point to lower levels; folders of one level do not import each other.
LEVELS = (
    ("__main__",),
    ("cli", "manual"),
    ("still", "film", "loop", "live"),
    ("dream", "temporal"),
    ("automation",),
    ("networks", "media"),
    ("tone", "hdr", "layer", "camera_move"),
    ("image", "lettering"),
    ("frame",),
    ("settings",),
    ("runtime",),
    ("errors",),
)
# The same within a folder.
INNER_LEVELS = {
    "film": (("cluster",), ("execution", "curves"), ("job",), ("plan",)),
    "live": (("engine", "web"), ("capture", "output", "sound"), ("control",)),
    "media": (("write",), ("read",)),
    "settings": (("presets",),),
}


@cache
def nodes(path: Path) -> list[ast.AST]:
    return list(ast.walk(ast.parse(path.read_text())))


def imports(path: Path) -> set[str]:
    found = set()
    for node in nodes(path):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found


def modules() -> Iterator[tuple[tuple[str, ...], Path]]:
    """Yield each module except the package itself: its path as names, and its file."""
    for path in PACKAGE.rglob("*.py"):
        parts = path.relative_to(PACKAGE).with_suffix("").parts
        if parts != ("__init__",):
            yield parts, path


def own_imports() -> Iterator[tuple[tuple[str, ...], tuple[str, ...]]]:
    """Yield pairs of importing and imported modules of the package."""
    for parts, path in modules():
        for module in imports(path):
            package, *imported = module.split(".")
            if package == "stream_dream" and imported:
                yield parts, tuple(imported)


def levels(rows: tuple[tuple[str, ...], ...]) -> dict[str, int]:
    return {name: level for level, row in enumerate(rows) for name in row}


def test_every_folder_has_its_level() -> None:
    assert {parts[0] for parts, _ in modules()} == set(levels(LEVELS))


def test_imports_point_downward() -> None:
    level, checked = levels(LEVELS), 0
    for importer, imported in own_imports():
        if importer[0] != imported[0]:
            checked += 1
            assert level[imported[0]] > level[importer[0]], (importer, imported)
    assert checked > 100


@pytest.mark.parametrize("folder", INNER_LEVELS)
def test_imports_point_downward_within_a_folder(folder: str) -> None:
    level, checked = levels(INNER_LEVELS[folder]), 0
    for importer, imported in own_imports():
        if importer[0] == imported[0] == folder and importer[1] in level and imported[1] in level:
            checked += 1
            downward = level[imported[1]] > level[importer[1]]
            assert downward or importer[1] == imported[1], (importer, imported)
    assert checked


def test_modules_do_not_import_each_other_in_circles() -> None:
    graph: dict[str, set[str]] = {}
    for importer, imported in own_imports():
        graph.setdefault(".".join(importer), set()).add(".".join(imported))
    done: set[str] = set()

    def visit(module: str, path: tuple[str, ...]) -> None:
        assert module not in path, " -> ".join((*path[path.index(module) :], module))
        if module not in done:
            for following in graph.get(module, ()):
                visit(following, (*path, module))
            done.add(module)

    for module in list(graph):
        visit(module, ())
    assert len(done) > 100


def test_tensorflow_stays_where_it_belongs() -> None:
    for _, path in modules():
        heavy = {name.split(".")[0] for name in imports(path)} & {"tensorflow", "keras"}
        assert not heavy or path.parent.name in {"dream", "networks"}, path


def test_only_commands_print_and_exit() -> None:
    for parts, path in modules():
        if parts[0] in ("cli", "__main__"):
            continue
        assert not {name.split(".")[0] for name in imports(path)} & {"typer", "rich"}, path
        called = {ast.unparse(node.func) for node in nodes(path) if isinstance(node, ast.Call)}
        assert not called & {"print", "exit", "sys.exit"}, path


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, stream_dream.cli.app as c; c.app(['render', '--help'], standalone_mode=False);"
        "heavy = {'cv2', 'tensorflow', 'keras', 'scenedetect', 'numpy'} & set(sys.modules);"
        "sys.exit(f'{heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--octave-scale" in done.stdout


@pytest.mark.slow
@pytest.mark.parametrize(
    "module", ["still.batch", "film.one_piece", "cli.progress", "networks.registry"]
)
def test_tensorflow_is_imported_only_when_dreaming_starts(module: str) -> None:
    code = f"import sys, stream_dream.{module}; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
