"""Where the user's own folder is."""

from __future__ import annotations

import sys
from pathlib import Path

import pytest

from stream_dream.settings.user_folder import config_exists, config_file, looks_folder, user_folder


def test_the_folder_of_configs_may_be_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    assert user_folder() == tmp_path / "stream-dream"
    assert looks_folder() == tmp_path / "stream-dream" / "looks"
    assert config_file() == tmp_path / "stream-dream" / "config.toml"
    assert not config_exists()
    monkeypatch.setenv("STREAM_DREAM_CONFIG", "other.toml")
    assert config_file() == Path("other.toml")
    assert config_exists()  # one that is named must be there


@pytest.mark.skipif(sys.platform != "linux", reason="elsewhere it is another")
@pytest.mark.parametrize("configured", ["", None])
def test_it_is_in_the_home_otherwise(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, configured: str | None
) -> None:
    monkeypatch.setenv("HOME", str(tmp_path))
    monkeypatch.setenv("XDG_CONFIG_HOME", configured or "")
    if configured is None:
        monkeypatch.delenv("XDG_CONFIG_HOME")
    assert user_folder() == tmp_path / ".config" / "stream-dream"
    assert not user_folder().exists()
