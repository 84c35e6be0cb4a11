"""The house rules: who may import whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

import stream_dream

PACKAGE = Path(stream_dream.__file__).parent
# Imports point downward only.
FLOORS = (
    ("__main__",),
    ("cli",),
    (
        "network_command",
        "looks_command",
        "loop_command",
        "live_command",
        "render_command",
        "plan_command",
    ),
    ("film_progress",),
    ("progress", "options"),
    ("render", "film", "stills", "still", "loop", "live"),
    ("emerging", "cycle", "stations", "dreaming"),
    ("pipeline",),
    ("temporal",),
    ("dream",),
    ("networks",),
    ("media",),
    ("tone",),
    ("image",),
    ("frame",),
    ("presets",),
    ("live_settings", "film_settings", "settings_file"),
    ("settings",),
    ("setting_errors",),
    ("setting_values",),
    ("fields",),
    ("quiet", "signals", "priority", "standard_streams"),
    ("errors",),
)
LEVEL = {name: level for level, floor in enumerate(FLOORS) for name in floor}


def imports(path: Path) -> set[str]:
    found = set()
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.ImportFrom) and node.module:
            found.add(node.module)
        elif isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
    return found


def test_imports_point_downward() -> None:
    checked = 0
    for path in PACKAGE.rglob("*.py"):
        part = path.relative_to(PACKAGE).with_suffix("").parts[0]
        if part == "__init__":
            continue
        for module in imports(path):
            names = module.split(".")
            if names[0] != "stream_dream" or names[1] == part:
                continue
            checked += 1
            assert LEVEL[names[1]] > LEVEL[part], f"{path.name} imports {module}"
    assert checked > 30


def test_tensorflow_stays_where_it_belongs() -> None:
    for path in PACKAGE.rglob("*.py"):
        heavy = {name.split(".")[0] for name in imports(path)} & {"tensorflow", "keras"}
        assert not heavy or path.parent.name in {"dream", "networks"}, path


def test_help_imports_nothing_heavy() -> None:
    code = (
        "import sys, stream_dream.cli as c; c.app(['render', '--help'], standalone_mode=False);"
        "heavy = {'cv2', 'tensorflow', 'keras', 'scenedetect', 'numpy'} & set(sys.modules);"
        "sys.exit(f'{heavy}' if heavy else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    assert "--octave-scale" in done.stdout


@pytest.mark.real
@pytest.mark.parametrize("module", ["stills", "render", "progress", "networks.registry"])
def test_tensorflow_is_imported_only_when_dreaming_starts(module: str) -> None:
    code = f"import sys, stream_dream.{module}; sys.exit('tensorflow' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
