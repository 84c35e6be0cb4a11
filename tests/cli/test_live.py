"""The command ``stream-dream live``: options, config files, what it prints and refuses."""

from __future__ import annotations

import json
import stat
import subprocess
import sys
import threading
import tomllib
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import synthetic
from commands import one_line

from stream_dream.automation.reaction import DEFAULT_REACTION, SHOW_REACTION
from stream_dream.cli.live import wait_for_the_end
from stream_dream.cli.live_looks import looks_in_a_show, reached_settings, show_dreams
from stream_dream.cli.options import with_optional_values
from stream_dream.cli.over_time import automation_of, in_a_show
from stream_dream.errors import SettingsError, SinkError
from stream_dream.live.control.controls import Controls
from stream_dream.live.control.show_state import parameters_of
from stream_dream.live.engine.live_dream import for_live
from stream_dream.live.engine.live_program import LiveProgram
from stream_dream.live.show_file import ShowFile, read_config, write_config
from stream_dream.networks.registry import find
from stream_dream.settings.automation import Automation
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import LiveSettings
from stream_dream.settings.presets import load_preset
from stream_dream.settings.validation import part

Run = Callable[..., tuple[int, str, str]]

TINY = ("--source", "test", "--network", "tiny", "--presets", "dogs", "--dream-size", "160")


@pytest.mark.slow
def test_a_headless_show_runs_for_the_given_time(run: Run, tmp_path: Path) -> None:
    synthetic.register_tiny()
    film, config = tmp_path / "show.mkv", tmp_path / "show.toml"
    kept = ("--record", str(film), "--write-config", str(config))
    code, out, err = run("live", *TINY, *kept, "--duration", "3", "--json", "--strength", "0.5")
    assert code == 0, err
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["event"] for line in (lines[0], lines[-1])] == ["started", "finished"]
    shown = [line for line in lines if line["event"] == "status"]
    assert len(shown) >= 2
    last = shown[-1]
    assert last["camera"] == "ok"
    assert last["dreamed"] > 5
    assert last["preset"] == "dogs"
    assert {"fps", "target_fps", "dream_size", "latency_ms", "captured", "dropped"} <= set(last)
    assert film.stat().st_size > 1000
    written = tomllib.loads(config.read_text())
    assert written["strength"] == 0.5
    assert written["source"] == "test"
    assert written["presets"] == ["dogs"]
    assert written["dream_size"] == 160  # a number, as a hand would write it
    # The written file can be loaded, and goes on to keep the show.
    to = (
        "--config",
        str(config),
        "--record",
        str(tmp_path / "b.mkv"),
        "--write-config",
        str(config),
    )
    code, _, err = run("live", *to)
    assert code == 2
    assert "exists already: choose another name or --overwrite" in one_line(err)
    code, _, err = run("live", *to, "--overwrite", "--strength", "0.75")
    assert code == 0, err
    assert (tmp_path / "b.mkv").exists()
    assert tomllib.loads(config.read_text()) == {
        **written,
        "strength": 0.75,
        "record": str(tmp_path / "b.mkv"),
    }


def test_options_that_do_nothing_are_told(run: Run, tmp_path: Path) -> None:
    idle = ("--fullscreen", "--osc-host", "0.0.0.0", "--mask-softness", "3", "--shuffle")
    more = ("--capture-fps", "30", "--every", "20", "--screen", "1", "--token", "a long secret")
    code, _, errors = run("live", "--source", "no.mp4", *idle, *more)
    assert code == 2
    for option, needed in (
        ("--fullscreen", "--window"),
        ("--screen", "--window"),
        ("--token", "--web"),
        ("--osc-host", "--osc"),
        ("--mask-softness", "--mask"),
        ("--every", "--cycle"),
        ("--shuffle", "a folder as --source"),
        ("--capture-fps", "a camera as --source"),
    ):
        assert f"{option} does nothing without {needed}\n" in errors
    used = ("--source", str(tmp_path), "--shuffle", "--every", "9", "--cycle", "dogs")
    code, _, errors = run("live", *used)  # it is empty
    assert (code, errors.count("\n")) == (2, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("--source", "no.mp4"), "no.mp4 does not exist"),
        (("--source", "test", "--record", "x.mp4"), "x.mp4 is no .mkv"),
        (("--source", "test", "--presets", "nope"), "there is no preset 'nope'"),
        (("--strength", "9"), "--strength cannot be '9': give at most 2.0"),
        (("--target-fps", "nan"), "give a finite number"),
        (("--crop", "1x"), "give WIDTHxHEIGHT+X+Y"),
        (("--web", "here"), "give HOST:PORT"),
        (("--rotate", "45"), "--rotate cannot be '45'"),
        (("--source", "test", "--osc-allow", "10.0.0.1"), "--osc-allow does nothing without --osc"),
        (("--source", "test", "--recordings", __file__), "is no folder"),
        (("--source", "test", "--https"), "--https does nothing without --web: add it"),
        (("--token", "short"), "--token cannot be 'short'"),
        (("--config", "no.toml"), "no.toml cannot be read"),
        (("--source", "test", "--react", "bass->strength*2"), "sound need --listen"),
        (("--source", "test", "--react", "bass->strength"), "--react: column 7: "),
        (("--source", "test", "--strength", "beat"), "need --bpm or --listen"),
        (("--source", "test", "--strength", "0:(1"), "--strength: column 3: this ( is never"),
        (("--source", "test", "--strength", "50%:(1)"), "a show has no length and no shots"),
        (("--source", "test", "--preset", "0:dogs, 2s:nope"), "there is no preset 'nope'"),
        (("--source", "test", "--score", "no.toml"), "no.toml cannot be read"),
        (("--bpm", "3"), "--bpm cannot be '3': give at least 20"),
    ],
)
def test_wrong_options_end_in_one_line(
    run: Run,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    arguments: tuple[str, ...],
    message: str,
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, err = run("live", *arguments)
    assert (code, out) == (2, "")
    assert message in one_line(err)


def test_a_config_replaces_nothing_that_a_show_reads(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    look, beats = tmp_path / "look.toml", tmp_path / "beats.toml"
    look.write_text("octaves = 2\n")
    beats.write_text("0\n0.5\n")
    (tmp_path / "score.toml").write_text('beats = "beats.toml"\npreset = "0:dogs, 2s:look.toml"\n')
    for file in (look, beats):
        kept = file.read_text()
        to = ("--write-config", file.name, "--overwrite")
        code, _, err = run("live", "--source", "test", "--score", "score.toml", *to)
        assert (code, file.read_text()) == (2, kept)
        assert "is one of the inputs" in one_line(err)


def test_a_show_says_that_it_plays_no_soundtrack(run: Run, tmp_path: Path) -> None:
    score = tmp_path / "score.toml"
    score.write_text('soundtrack = "song.mp3"\n')
    _, _, err = run("live", "--source", "test", "--score", str(score), "--presets", "nope")
    assert f"a show plays no soundtrack: play {tmp_path / 'song.mp3'} yourself" in err


def test_cameras_are_listed(run: Run) -> None:
    code, out, _ = run("live", "--list-cameras")
    assert code == 0
    assert out.strip()


def test_web_may_be_given_without_an_address() -> None:
    assert with_optional_values(["live", "--web"]) == ["live", "--web", "127.0.0.1:8000"]
    alone = with_optional_values(["live", "--web", "--loop"])
    assert alone == ["live", "--web", "127.0.0.1:8000", "--loop"]
    given = ["live", "--web", "0.0.0.0:80", "--loop"]
    assert with_optional_values(given) == given


def test_a_config_comes_back_as_it_was_written(tmp_path: Path) -> None:
    path = tmp_path / "show.toml"
    values = {
        "preset": "eyes",
        "source": 'rtsp://host/"quoted"',
        "loop": True,
        "target_fps": 30.0,
        "octaves": 3,
        "layer": ["block10", "block5=0.5"],
        "classes": ["281=0.1"],
    }
    write_config(path, ShowFile(values))
    assert read_config(path).settings == values
    assert "# Frames per second to hold." in path.read_text()


def test_a_config_keeps_what_changes_over_time(tmp_path: Path) -> None:
    path = tmp_path / "show.toml"
    values = {
        "preset": "0:dogs, 8b:eyes~2b",
        "listen": "hall",
        "react": "bass->step-size*2, bar/4->preset",
        "bpm": 128.0,
        "score": str(tmp_path / "score.toml"),
        "strength": "0:(0), 2s:(1)",
        "reactivity": 0.5,
        "layer": ["block10=0:(1), 4s:(0)", "block5"],
    }
    write_config(path, ShowFile(values))
    assert read_config(path).settings == values
    path.write_text('score = "score.toml"\nlayer = "block10=0.5+0.5*beat"\nbpm = 120\n')
    (tmp_path / "score.toml").write_text('preset = "0:eyes, 2s:wild"\nstrength = "beat"\n')
    read = read_config(path).settings
    assert read["score"] == str(tmp_path / "score.toml")
    _, automation, _ = automation_of(read)
    assert automation.tracks == {"strength": "beat", "layer.block10": "0.5+0.5*beat"}
    assert (automation.bpm, automation.look_track) == (120, "0:eyes, 2s:wild")


def test_files_of_looks_over_time_are_found_from_the_configs_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = tmp_path / "show.toml"
    mine = tmp_path / "my.toml"
    for text, found in (
        ("0:dogs, 16b:my.toml", f"0:dogs, 16b:{mine}"),
        ("0:my.toml~2s", f"0:{mine}~2s"),
        ("my.toml", str(mine)),
        ("dogs, my.toml", f"dogs,{mine}"),
    ):
        path.write_text(f'preset = "{text}"\n')
        read = read_config(path).settings
        assert read == {"preset": found}
        monkeypatch.chdir(tmp_path)
        for values in (read, {"preset": text}):
            write_config(path, ShowFile(values), overwrite=True)
            assert read_config(path).settings == {"preset": found}
        monkeypatch.chdir("/")


def test_the_look_to_begin_with_is_that_of_the_command_line_or_of_the_score() -> None:
    score = Automation(look_track="0:eyes, 2s:wild")
    settings, automation = in_a_show(LiveSettings(), score)
    assert (settings.preset, automation.look_track) == ("eyes", "0:eyes, 2s:wild")
    settings, automation = in_a_show(LiveSettings(preset="dogs"), score)
    assert (settings.preset, automation.look_track) == ("dogs", None)
    settings, automation = in_a_show(LiveSettings(preset="0:marbles, 3s:dogs~1s"), score)
    assert (settings.preset, automation.look_track) == ("marbles", "0:marbles, 3s:dogs~1s")


def test_several_looks_without_times_follow_each_other() -> None:
    score = Automation(look_track="dogs, eyes")
    for settings, automation in (
        in_a_show(LiveSettings(), score),
        in_a_show(LiveSettings(preset="dogs, eyes"), Automation()),
    ):
        assert (settings.preset, settings.cycle) == ("dogs", ("dogs", "eyes"))
        assert automation.look_track is None
    settings, _ = in_a_show(LiveSettings(cycle=("wild", "amber")), score)
    assert (settings.preset, settings.cycle) == ("dogs", ("wild", "amber"))
    settings, automation = in_a_show(LiveSettings(), Automation(look_track="eyes"))
    assert (settings.preset, settings.cycle, automation.look_track) == ("eyes", (), None)


def test_listening_alone_has_a_reaction() -> None:
    assert in_a_show(LiveSettings(), Automation())[1].react is None
    assert in_a_show(LiveSettings(listen="mic"), Automation())[1].react == SHOW_REACTION
    usual = Automation(react=DEFAULT_REACTION)  # of a score, or --react alone
    assert in_a_show(LiveSettings(listen="mic"), usual)[1].react == SHOW_REACTION
    own = Automation(react="bass->jitter+3")
    assert in_a_show(LiveSettings(listen="mic"), own)[1].react == "bass->jitter+3"


def reached(given: dict[str, Any], dreams: dict[str, Any], app: Any) -> dict[str, Any]:
    """Return what a show that began with these settings writes when it ends."""
    settings, automation = in_a_show(part(LiveSettings, given), automation_of(given)[1])
    return reached_settings(given, settings, automation, dreams, app)


def test_a_score_is_not_read_again_when_a_show_ends(tmp_path: Path) -> None:
    score = tmp_path / "score.toml"
    score.write_text('strength = "0:(0), 2s:(1)"\n')
    given = {"score": str(score)}
    settings, automation = in_a_show(LiveSettings(), automation_of(given)[1])
    score.unlink()
    dreams = {"dogs": load_preset("dogs").dream}
    looks = {"dogs": for_live(dreams["dogs"])}
    made: Any = SimpleNamespace(controls=Controls(parameters_of(looks["dogs"]), looks, "dogs"))
    kept = reached_settings(given, settings, automation, dreams, made)
    assert kept["score"] == str(score)
    assert "strength" not in kept


def test_what_a_score_moves_is_written_as_it_was_given(tmp_path: Path) -> None:
    dreams = {name: load_preset(name).dream for name in ("dogs", "eyes")}
    looks = {name: for_live(dream) for name, dream in dreams.items()}
    controls = Controls(parameters_of(looks["dogs"]), looks, "dogs")
    controls.use("eyes")
    controls.change({"reactivity": 1.5, "strength": 0.3})
    made: Any = SimpleNamespace(controls=controls)
    given = {"preset": "0:dogs, 8s:eyes", "strength": "0:(0), 2s:(1)", "step_size": "0.01*sine(2s)"}
    kept = reached(given, dreams, made)
    assert {name: kept[name] for name in given} == given
    assert kept["reactivity"] == 1.5


def test_looks_that_follow_each_other_are_written_as_a_cycle() -> None:
    dreams = {name: load_preset(name).dream for name in ("dogs", "eyes")}
    looks = {name: for_live(dream) for name, dream in dreams.items()}
    controls = Controls(parameters_of(looks["dogs"]), looks, "dogs")
    made: Any = SimpleNamespace(controls=controls)
    assert reached({"preset": "dogs, eyes"}, dreams, made)["preset"] == "dogs, eyes"
    controls.use("eyes")
    kept = reached({"preset": "dogs, eyes"}, dreams, made)
    assert (kept["preset"], kept["cycle"]) == ("eyes", ["dogs", "eyes"])


def test_the_current_state_is_written_as_options_that_recreate_it() -> None:
    dreams = {name: load_preset(name).dream for name in ("dogs", "eyes")}
    dreams["mine"] = dreams["dogs"].model_copy(update={"octaves": 4})
    looks = {name: for_live(dream) for name, dream in dreams.items()}
    controls = Controls(parameters_of(looks["dogs"]), looks, "dogs")
    made: Any = SimpleNamespace(controls=controls)
    given = {"layer": ["block5"], "presets": ["x/mine.toml,eyes"], "source": "test"}
    kept = reached(given, dreams, made)
    assert kept["layer"] == ["block5"]
    assert not {"step_size", "octaves", "persistence"} & kept.keys()
    controls.change({"step_size": looks["dogs"].step_size * 1.5})
    changed = reached(given, dreams, made)["step_size"]
    assert changed == pytest.approx(dreams["dogs"].step_size * 1.5)
    controls.use("mine")
    kept = reached(given, dreams, made)
    assert kept["preset"] == "x/mine.toml"
    assert "layer" not in kept
    assert "step_size" not in kept
    assert kept["source"] == "test"


@pytest.mark.parametrize(
    "changes", [{"octaves": 2, "step_size": 0.02}, {"octaves": 3}, {"step_size": 0.04}]
)
def test_steps_are_as_long_again_with_other_octaves(changes: dict[str, Any]) -> None:
    dreams = {"dogs": load_preset("dogs").dream}
    looks = {"dogs": for_live(dreams["dogs"])}
    controls = Controls(parameters_of(looks["dogs"]), looks, "dogs")
    controls.change(changes)
    made: Any = SimpleNamespace(controls=controls)
    kept = reached({}, dreams, made)
    written = {name: kept[name] for name in ("octaves", "step_size") if name in kept}
    again = parameters_of(for_live(dreams["dogs"].model_copy(update=written)))
    assert again.octaves == controls.target.octaves
    assert again.step_size == pytest.approx(controls.target.step_size)


def test_weights_of_a_networks_default_layers_may_change() -> None:
    dreams = {"plain": DreamSettings(), "dogs": load_preset("dogs").dream}
    assert looks_in_a_show(dreams, Automation())["plain"].layer == ()
    (name,) = find(dreams["plain"].network).default_layers()
    automation = Automation(tracks={f"layer.{name}": "0:(1), 2s:(0)"})
    looks = looks_in_a_show(dreams, automation)
    assert [target.name for target in looks["plain"].layer] == [name]
    controls = Controls(parameters_of(looks["plain"]), looks, "plain")
    assert LiveProgram(automation, looks, controls, None).varying == {"weights"}


def test_dream_size_and_seed_hold_for_every_look() -> None:
    settings = LiveSettings(preset="dogs", presets=("dogs", "eyes"), source="test")
    given = {"seed": "3", "dream_size": "320", "octaves": "2", "window": True}
    dreams = show_dreams(["dogs", "eyes"], settings, given, as_json=False, quiet=True)
    assert {name: dream.octaves for name, dream in dreams.items()} == {
        "dogs": 2,
        "eyes": load_preset("eyes").dream.octaves,
    }
    assert {(dream.seed, dream.dream_size) for dream in dreams.values()} == {(3, 320)}


def test_a_config_may_give_a_class_by_its_number(tmp_path: Path) -> None:
    path = tmp_path / "show.toml"
    for text in ("class = 281", "class = [281]"):
        path.write_text(f"{text}\n")
        rest, automation, _ = automation_of(read_config(path).settings)
        assert (rest["classes"], automation.tracks) == ([281], {})


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("layer = 3", "layer cannot be 3: give text in quotes"),
        ("sourc = 'test'", "there is no setting 'sourc': did you mean source"),
        ("[web]\nport = 1", r"no sections but \[scenes\], \[midi_map\]: write .* above \[web\]"),
        ("source = ", "cannot be read"),
        ("strength = 9", r"show.toml: strength cannot be 9: give at most 2.0$"),
        ("octaves = 'many'", r"show.toml: octaves cannot be 'many': give a whole number$"),
    ],
)
def test_a_broken_config_is_refused(tmp_path: Path, text: str, message: str) -> None:
    path = tmp_path / "show.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=message):
        read_config(path)


def test_a_config_that_cannot_be_written_is_reported(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="cannot be written"):
        write_config(tmp_path / "no" / "show.toml", ShowFile({"source": "test"}))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("command", "sent", "code"),
    [("live", "SIGTERM", 0), ("live", "SIGINT", 130), ("plan", "SIGTERM", 130)],
)
def test_a_show_that_is_stopped_while_it_begins_has_not_failed(
    command: str, sent: str, code: int
) -> None:
    program = (
        "import os, signal, sys, time, stream_dream.cli.app as app\n"
        "def stop(*_, **__):\n"
        f"    os.kill(os.getpid(), signal.{sent})\n"
        "    time.sleep(60)\n"
        f"import stream_dream.cli.{command} as module\n"
        "sys.modules['stream_dream.cli.live']._run = stop\n"
        "sys.modules['stream_dream.cli.plan'].part = stop\n"
        f"sys.argv = ['stream-dream', {command!r}, *sys.argv[1:]]\n"
        "app.main()\n"
    )
    arguments = ["clip.mp4"] if command == "plan" else []
    done = subprocess.run(
        [sys.executable, "-c", program, *arguments], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (code, "stream-dream: stopped\n")


def test_a_config_with_a_token_is_private(tmp_path: Path) -> None:
    path = tmp_path / "show.toml"
    write_config(path, ShowFile({"strength": 1.0}))
    path.chmod(0o644)
    write_config(path, ShowFile({"strength": 1.0}), overwrite=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o644
    write_config(path, ShowFile({"token": "a secret one"}), overwrite=True)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    other = tmp_path / "other.toml"
    write_config(other, ShowFile({"out": ["rtmp://live.example/app/key"]}))
    assert stat.S_IMODE(other.stat().st_mode) == 0o600


@pytest.mark.parametrize(
    ("text", "mode", "warned"),
    [
        ('token = "a secret one"', 0o644, True),
        ('token = "a secret one"', 0o640, True),
        ('token = "a secret one"', 0o600, False),
        ('out = ["rtmp://live.example/app/key of a secret"]', 0o644, True),
        ("strength = 1.0", 0o644, False),
    ],
)
def test_what_others_should_not_read_is_told(
    run: Run, tmp_path: Path, text: str, mode: int, warned: bool
) -> None:
    path = tmp_path / "show.toml"
    path.write_text(f'source = "no such file"\nweb = "127.0.0.1:8000"\n{text}\n')
    path.chmod(mode)
    _, _, err = run("live", "--config", str(path))
    assert (f"holds {text.split()[0]}, and others can read it" in err) == warned
    assert len(err.splitlines()) == 1 + warned
    assert "secret" not in err


def test_a_show_whose_only_view_is_a_window_that_failed_ends_with_its_reason() -> None:
    window = SimpleNamespace(problem="--window: the window failed", loop=lambda ended: None)

    def app(*views: object, recording: str | None = None) -> Any:
        ended = threading.Event()
        ended.set()
        status = SimpleNamespace(recording=recording)
        show = SimpleNamespace(ended=ended, views=[window, *views], status=status)
        return SimpleNamespace(show=show, window=window)

    with pytest.raises(SinkError, match="the window failed"):
        wait_for_the_end(app())
    wait_for_the_end(app("a page"))
    wait_for_the_end(app(recording="show.mkv"))
    window.problem = None
    wait_for_the_end(app())  # it was closed
