"""README, manual and CONTRIBUTING agree with the code."""

from __future__ import annotations

import ast
import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

import stream_dream
from stream_dream.cli.help import TOPICS, page
from stream_dream.media.read.video import VideoSource
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.presets import presets

ROOT = Path(__file__).parents[1]
MANUAL = ROOT / "stream_dream" / "manual"
README = (ROOT / "README.md").read_text(encoding="utf-8")
TEXTS = [ROOT / "README.md", ROOT / "CONTRIBUTING.md", *MANUAL.glob("*.md")]


def test_the_table_of_settings_is_the_models() -> None:
    spec = importlib.util.spec_from_file_location("table", ROOT / "scripts" / "settings_table.py")
    assert spec is not None
    assert spec.loader is not None
    table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(table)
    settings = page("settings")
    assert table.filled(settings) == settings, "run scripts/settings_table.py"
    assert "--octave-scale" in settings


@pytest.mark.parametrize("text", TEXTS, ids=lambda path: path.name)
def test_pictures_and_links_exist(text: Path) -> None:
    content = re.sub(r"```.*?```|`[^`]*`", "", text.read_text(encoding="utf-8"), flags=re.DOTALL)
    for link in re.findall(r"\]\(([^)]+)\)", content):
        assert "://" in link or (text.parent / link).is_file(), link


def test_every_page_of_the_manual_is_a_topic_with_a_title() -> None:
    assert {path.stem for path in MANUAL.glob("*.md")} == set(TOPICS)
    for topic in TOPICS:
        assert page(topic).startswith("# ")
        assert f"stream_dream/manual/{topic}.md" in README


def test_every_environment_variable_is_in_the_manual() -> None:
    tables = "".join(re.findall(r"^\| (`.*?) \|", page("configuration"), re.MULTILINE))
    assert _variables() == set(re.findall(r"`(\w+)`", tables))


def _variables() -> set[str]:
    """Return the environment variables that the package names.

    That is what has an underscore in its name, and what is looked up.
    """
    looked_up = re.compile(r"os\.environ\.\w+")
    form = re.compile(r"_?[A-Z][A-Z0-9]*(_[A-Z0-9]+)+")
    found: set[str] = set()
    for path in (ROOT / "stream_dream").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Constant) and isinstance(node.value, str):
                found |= {node.value} if form.fullmatch(node.value) else set()
            elif isinstance(node, ast.Call) and looked_up.fullmatch(ast.unparse(node.func)):
                names = [arg.value for arg in node.args[:1] if isinstance(arg, ast.Constant)]
                found |= {str(name) for name in names}
    # Of sockets, and of OSCQuery.
    return found - {"AF_UNIX", "TCP_USER_TIMEOUT", "FULL_PATH"}


def test_the_readme_is_short() -> None:
    assert len(README.splitlines()) <= 200


def test_all_looks_are_listed() -> None:
    text = page("pictures") + page("networks")
    for look in presets():
        assert f"`{look.name}`" in text
        if look.dream.network == DreamSettings().network and look.dream.limit:
            assert f"| `{look.name}` | {look.description} | {look.suits} |\n" in text


def test_what_the_manual_names_is_exported() -> None:
    named = re.findall(r"`(\w+)`", re.findall(r"\| name \|.*?\n\n", page("python"), re.DOTALL)[0])
    assert len(named) > 15
    for name in named:
        assert getattr(stream_dream, name), name
    assert set(named) >= set(stream_dream.__all__) - {"Frame"}


@pytest.mark.slow
@pytest.mark.parametrize("number", [0, 2])
def test_the_python_examples_run(tmp_path: Path, number: int) -> None:
    code = re.findall(r"```python\n(.*?)```", page("python"), re.DOTALL)[number]
    short = tmp_path / "in.mp4"
    command = [sys.executable, "-m", "stream_dream", "demo", str(short)]
    command += ["--end", "0.12", "--step-size", "0", "--size", "128x72"]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, timeout=300)
    with VideoSource(tmp_path / "out.mp4") as dream:
        assert dream.info.size == (128, 72)
        assert sum(1 for _ in dream) == 3
