"""Looks in the user's folder, by name."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest
from commands import one_line
from packages import make_night, with_packages

from stream_dream.errors import SettingsError
from stream_dream.runtime import plugins
from stream_dream.settings.presets import load_preset, preset_files, preset_names

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def looks(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the user's folder of looks, which is empty."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path))
    made = tmp_path / "stream-dream" / "looks"
    made.mkdir(parents=True)
    plugins.warn.cache_clear()
    return made


def test_a_look_has_a_name_and_its_files_a_folder(looks: Path) -> None:
    (looks / "mine.toml").write_text('description = "Owls"\nguide = "owl.png"\nextends = "eyes"\n')
    (looks / "notes.txt").write_text("no look")
    mine = load_preset("mine")
    assert (mine.name, mine.description, mine.provider) == ("mine", "Owls", "yours")
    assert mine.dream.guide == looks / "owl.png"
    assert {"mine", "dogs"} < set(preset_names())
    assert preset_files("mine", "dogs", "surprise", "other.toml") == [
        Path("other.toml"),
        looks / "mine.toml",
    ]
    (looks / "more.toml").write_text('extends = "mine"\noctaves = 2\n')
    assert load_preset("more").dream.guide == looks / "owl.png"
    with pytest.raises(SettingsError, match=r"did you mean more\?"):
        load_preset("mroe")


def test_looks_are_listed_as_yours(run: Run, looks: Path) -> None:
    (looks / "mine.toml").write_text('description = "Owls"\n')
    code, out, err = run("presets")
    assert (code, err) == (0, "")
    assert "Owls (yours)" in out


def test_the_shipped_look_keeps_its_name_and_says_so(run: Run, looks: Path) -> None:
    (looks / "dogs.toml").write_text("octaves = 2\n")
    for arguments in (("presets", "dogs"), ("presets",)):
        plugins.warn.cache_clear()
        code, out, err = run(*arguments)
        assert code == 0
        assert "Dogs and their kin" in out
        assert f"{looks / 'dogs.toml'}: left out: a shipped look has that name" in one_line(err)


@pytest.mark.parametrize(
    ("name", "text", "told"),
    [
        ("bad.toml", "octavs = 3", "did you mean octaves"),
        ("bad.toml", "octaves =", "not valid TOML"),
        ("a b.toml", "", "letters, digits, _ and - alone"),
        ("surprise.toml", "", "the look that chance makes"),
    ],
)
def test_a_look_that_cannot_be_used_leaves_the_others(
    run: Run, looks: Path, name: str, text: str, told: str
) -> None:
    (looks / name).write_text(text)
    (looks / "good.toml").write_text('description = "Owls"\n')
    code, out, err = run("presets")
    assert code == 0
    assert "Owls" in out
    assert str(looks / name) in one_line(err)
    assert told in err


def test_a_look_without_its_network_leaves_the_others(run: Run, looks: Path) -> None:
    (looks / "bad.toml").write_text('network = "nothing"\n')
    code, _, err = run("looks", "nothing.png", "sheet.png")
    told, ended = err.splitlines()
    assert told.startswith("stream-dream: warning: bad (yours) is left out: there is no network")
    assert (code, "nothing.png" in ended) == (2, True)


def test_what_you_have_comes_before_a_plugin(looks: Path, tmp_path: Path) -> None:
    make_night(tmp_path / "lib")
    (looks / "night.toml").write_text('description = "Bats"\n')
    done = with_packages(tmp_path / "lib", "presets")
    assert "Bats (yours)" in done.stdout
    told = "the look 'night' of the plug-in owl-dreams 1.2: left out: one of that name is yours"
    assert told in one_line(done.stderr)
