"""Scenes and MIDI bindings in the file of a show."""

from __future__ import annotations

import stat
import threading
from pathlib import Path

import pytest
from waiting import wait_for

from stream_dream.errors import SettingsError
from stream_dream.live.control.controls import Controls
from stream_dream.live.show_file import Keeper, KeptConfig, ShowFile, read_config, write_config
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import LiveParameters
from stream_dream.settings.scenes import Lfo

NAMES = ("intro", 'the "end"', "Überblendung 2.0", "a.b", "\\ '", "舞台", "=", "[x]", "1")


def played() -> Controls:
    looks = {name: DreamSettings() for name in ("dogs", "eyes")}
    controls = Controls(LiveParameters(), looks, "dogs")
    controls.use("eyes", "b")
    controls.change({"b/octaves": 2, "strength": 0.1, "fader": 0.25, "mirror": True})
    controls.modulate("b/step_size", Lfo(shape="random", unit="seconds", every=0.3))
    controls.modulate("strength", Lfo())
    return controls


def test_scenes_and_bindings_come_back(tmp_path: Path) -> None:
    controls = played()
    for place, name in enumerate(NAMES):
        controls.change({"strength": place / 7})
        controls.store(name)
    bindings = {"cc 1 7": "strength", "note 10 36": f"scene/{NAMES[1]}", "cc 16 127": "b/preset/ö"}
    path = tmp_path / "show.toml"
    write_config(path, ShowFile({"source": "test", "midi": "all"}, controls.scenes, bindings))
    read = read_config(path)
    assert read == ShowFile({"source": "test", "midi": "all"}, controls.scenes, bindings)
    assert tuple(read.scenes) == NAMES
    text = path.read_text("utf-8")
    assert '[midi_map]\n"cc 1 7" = "strength"' in text
    assert "[scenes.intro]" in text
    write_config(path, ShowFile(), overwrite=True)
    assert "[" not in path.read_text()


SCENE = '[scenes.intro]\nstrength = 0.5\na = {look = "dogs"}\nb = {look = "eyes"}\n'


def test_a_scene_is_short_by_hand(tmp_path: Path) -> None:
    path = tmp_path / "show.toml"
    path.write_text(SCENE)
    scene = read_config(path).scenes["intro"]
    assert (scene.strength, scene.a.look, scene.b.octaves) == (0.5, "dogs", 4)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (SCENE.replace("0.5", "9"), "scene 'intro': strength cannot be 9: give at most 2.0"),
        (SCENE.replace("strength", "strenght"), "scene 'intro': there is no setting 'strenght'"),
        (SCENE + "a.jitter = 1\n", "cannot be read: it is not valid TOML"),
        (SCENE.replace('a = {look = "dogs"}', ""), "scene 'intro': a: look is missing"),
        (SCENE.replace('{look = "dogs"}', "3"), "scene 'intro': a cannot be 3: give a section"),
        (
            SCENE.replace('"dogs"', "[]"),
            r"scene 'intro': a: look cannot be \[\]: give text in quotes",
        ),
        (SCENE.replace("scenes.intro", "scenes.'a/b'"), "a scene cannot be called 'a/b'"),
        (
            SCENE + "lfos.nope = {}\n",
            "scene 'intro': no LFO moves 'nope': choose one of .*strength",
        ),
        (
            SCENE + "lfos.strength = 2\n",
            "scene 'intro': LFO of strength cannot be 2: give a section",
        ),
        (SCENE + "lfos.strength.depth = 2\n", "LFO of strength: depth cannot be 2: give at most 1"),
        ("scenes = 3", "scenes cannot be 3: give a section"),
        ("[scenes]\nintro = 3", "scene 'intro' cannot be 3: give a section"),
        ("[scene.intro]", r"there is no section \[scene\]: did you mean \[scenes\]"),
        ("midi_map = 3", "midi_map cannot be 3: give a section"),
        ("[midi_map]\n'cc 0 7' = 'strength'", "midi_map: there is no MIDI control 'cc 0 7'"),
        ("[midi_map]\n'cc 1 7' = 3", "midi_map: 'cc 1 7' cannot be 3: give an address"),
    ],
)
def test_what_is_wrong_is_named(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "show.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=f"show.toml.*{message}") as error:
        read_config(path)
    assert "\n" not in str(error.value)


def test_too_many_scenes_are_refused(tmp_path: Path) -> None:
    path = tmp_path / "show.toml"
    path.write_text("".join(SCENE.replace("intro", f"s{number}") for number in range(201)))
    with pytest.raises(SettingsError, match="there are 201 scenes: at most 200"):
        read_config(path)


def test_the_name_of_a_look_that_is_not_utf_8_cannot_be_written(tmp_path: Path) -> None:
    scene = played().state.stored("it").scene("it")
    deck = scene.a.model_copy(update={"look": "\udcff"})
    scene = scene.model_copy(update={"a": deck})
    with pytest.raises(SettingsError, match="give a look another name"):
        write_config(tmp_path / "show.toml", ShowFile({}, {"intro": scene}))


def test_a_scene_is_written_at_once(tmp_path: Path) -> None:
    path, controls = tmp_path / "show.toml", played()
    threads: list[str] = []

    def reached() -> ShowFile:
        threads.append(threading.current_thread().name)
        return ShowFile({"source": "test"}, controls.scenes)

    keeper = Keeper(KeptConfig(path, overwrite=False), reached)
    controls.on_store = keeper.store
    controls.store("first")
    wait_for(path.exists)
    path.chmod(0o600)
    controls.store("second")
    wait_for(lambda: list(read_config(path).scenes) == ["first", "second"])
    controls.forget("first")
    keeper.close()
    assert list(read_config(path).scenes) == ["second"]
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert set(threads[:-1]) == {"config"}
    assert [file.name for file in tmp_path.iterdir()] == ["show.toml"]


def test_a_file_that_was_there_before_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "show.toml"
    path.write_text("strength = 0.5  # as I like it\n")
    kept = KeptConfig(path, overwrite=True)
    for strength in (0.75, 1.0):
        kept.write(ShowFile({"strength": strength, "osc": "9000"}))
    assert read_config(path).settings == {"strength": 1.0, "osc": 9000}
    KeptConfig(path, overwrite=True).write(ShowFile({"strength": 1.5}))  # the next show
    assert (tmp_path / "show.toml.bak").read_text() == "strength = 0.5  # as I like it\n"
    path.write_text("token = 'mine'\n")
    path.chmod(0o600)
    KeptConfig(path, overwrite=True).write(ShowFile())
    assert (tmp_path / "show.toml.bak").read_text() == "strength = 0.5  # as I like it\n"
    other = next(file for file in tmp_path.iterdir() if file.read_text() == "token = 'mine'\n")
    assert stat.S_IMODE(other.stat().st_mode) == 0o600


def test_a_file_that_cannot_be_written_is_told_and_tried_again(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder = tmp_path / "gone"
    keeper = Keeper(KeptConfig(folder / "show.toml", overwrite=False), ShowFile)
    keeper.store()
    wait_for(lambda: "not stored: " in caplog.text)
    folder.mkdir()
    keeper.store()
    wait_for((folder / "show.toml").exists)
    keeper.close()
