"""The command ``stream-dream config``."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path

import pytest
from commands import one_line

from stream_dream.cli.help import page
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.fields import typed_name
from stream_dream.settings.presets import load_preset

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the user's folder, which is not there."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    monkeypatch.setenv("COLUMNS", "300")
    return tmp_path / "stream-dream"


def rows(table: str) -> dict[str, list[str]]:
    return {line.split()[0]: line.split()[1:] for line in table.splitlines() if line.strip()}


def test_nothing_is_set(run: Run, folder: Path) -> None:
    code, out, err = run("config")
    assert (code, err) == (0, "")
    assert f"{folder / 'config.toml'} (not there)" in out
    assert f"{folder / 'looks'} (none)" in out
    assert "nothing is set" in out
    assert not folder.exists()


def test_what_is_set_is_listed_with_where_and_for_what(run: Run, folder: Path) -> None:
    (folder / "looks").mkdir(parents=True)
    (folder / "looks" / "mine.toml").write_text('extends = "eyes"\n')
    (folder / "config.toml").write_text("octaves = 3\n[render]\ncrf = 25\n")
    code, out, _ = run("config")
    assert code == 0
    assert f"{folder / 'looks'} (mine)" in out
    path = "config.toml"
    assert rows(out)["octaves"] == ["3", path, "render,", "image,", "loop,", "journey,", "live"]
    assert rows(out)["crf"] == ["25", path, "[render]", "render"]


def test_every_setting_of_a_command_has_a_value_and_an_origin(run: Run, folder: Path) -> None:
    folder.mkdir()
    text = "preset = '0:eyes, 4s:dogs'\n[render]\noctaves = 3\nstrength = '0:(0), 9:(1)'\n"
    (folder / "config.toml").write_text(text)
    code, out, err = run("config", "render", "--json")
    assert (code, err) == (0, "")
    found = json.loads(one_line(out))
    assert (found["exists"], found["looks"]) == (True, [])
    settings, path = found["settings"]["render"], str(folder / "config.toml")
    assert {typed_name(DreamSettings, name) for name in DreamSettings.model_fields} < {*settings}
    assert settings["octaves"] == {"value": 3, "origin": f"{path} [render]"}
    assert settings["strength"] == {"value": "0:(0), 9:(1)", "origin": f"{path} [render]"}
    assert settings["preset"] == {"value": "0:eyes, 4s:dogs", "origin": path}
    eyes = [str(layer) for layer in load_preset("eyes").dream.layer]
    assert settings["layer"] == {"value": eyes, "origin": "preset eyes"}
    assert settings["jitter"] == {"value": DreamSettings().jitter, "origin": "default"}
    table = rows(run("config", "render")[1])
    assert table["octaves"] == ["3", "config.toml", "[render]"]
    assert table["jitter"] == [str(DreamSettings().jitter), "default"]


def test_all_commands_are_told_as_json(run: Run, folder: Path) -> None:
    found = json.loads(one_line(run("config", "--json")[1]))
    assert set(found["settings"]) == {"render", "image", "journey", "loop", "live", "plan"}
    assert found["settings"]["image"]["dream_size"]["value"] == 1536
    assert found["settings"]["live"]["target_fps"] == {"value": 25.0, "origin": "default"}


def test_secrets_are_not_shown(run: Run, folder: Path) -> None:
    folder.mkdir()
    (folder / "config.toml").write_text("[live]\ntoken = '12345678'\nout = ['rtmp://a/12345678']\n")
    for arguments in ((), ("live",), ("--json",)):
        code, out, _ = run("config", *arguments)
        assert (code, "12345678" in out, "(secret)" in out) == (0, False, True)


def test_the_example_of_the_manual_is_right(run: Run, folder: Path) -> None:
    folder.mkdir()
    text = re.findall(r"```toml\n(.*?)```", page("configuration"), re.DOTALL)[0]
    (folder / "config.toml").write_text(text)
    code, out, err = run("config")
    assert (code, err) == (0, "")
    assert {"preset", "crf", "quality", "motion", "web"} <= rows(out).keys()


def test_another_command_has_no_defaults(run: Run, folder: Path) -> None:
    code, _, err = run("config", "doctor")
    assert (code, "'doctor' has no defaults: choose one of render" in one_line(err)) == (2, True)
