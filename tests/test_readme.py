"""What the README promises."""

from __future__ import annotations

import importlib.util
import re
import subprocess
import sys
from pathlib import Path

import pytest

from stream_dream.media.read.video import VideoSource
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.presets import presets

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_table_of_settings_is_the_models() -> None:
    spec = importlib.util.spec_from_file_location("table", ROOT / "scripts" / "settings_table.py")
    assert spec is not None
    assert spec.loader is not None
    table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(table)
    assert table.filled(README) == README, "run scripts/settings_table.py"
    assert "--octave-scale" in README


def test_pictures_and_links_exist() -> None:
    links = [link for link in re.findall(r"\]\(([^)]+)\)", README) if "://" not in link]
    assert links
    for link in links:
        assert (ROOT / link).is_file(), link


def test_all_looks_are_listed() -> None:
    for look in presets():
        assert f"`{look.name}`" in README
        if look.dream.network == DreamSettings().network and look.dream.limit:
            assert f"| `{look.name}` | {look.description} | {look.suits} |\n" in README


@pytest.mark.real
def test_the_python_example_runs(tmp_path: Path) -> None:
    code = re.findall(r"```python\n(.*?)```", README, re.DOTALL)[0]
    with VideoSource(ROOT / "scripts" / "demo_clip.mp4", end=0.12) as source:
        assert source.info.frame_count == 3
    short = tmp_path / "in.mp4"
    command = [sys.executable, "-m", "stream_dream", "render", str(ROOT / "scripts/demo_clip.mp4")]
    command += [str(short), "--end", "0.12", "--step-size", "0", "--size", "128x72"]
    subprocess.run(command, check=True, capture_output=True, timeout=300)
    subprocess.run([sys.executable, "-c", code], check=True, cwd=tmp_path, timeout=300)
    with VideoSource(tmp_path / "out.mp4") as dream:
        assert dream.info.size == (128, 72)
        assert sum(1 for _ in dream) == 3
