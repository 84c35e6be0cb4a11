"""The user's defaults of options: what comes before what, and what is wrong with a file."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import films
import pytest
from commands import one_line
from fake_render import FakeRender
from films import interrupted_job

from stream_dream.cli import live
from stream_dream.cli.defaults import SECTIONS, user_defaults
from stream_dream.cli.options import SETTINGS
from stream_dream.errors import SettingsError
from stream_dream.live.show_file import ShowFile
from stream_dream.settings.automation import Automation
from stream_dream.settings.live import LiveSettings
from stream_dream.settings.presets import load_preset

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Return the user's folder, which is empty."""
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    made = tmp_path / "config" / "stream-dream"
    (made / "looks").mkdir(parents=True)
    return made


@pytest.fixture
def asked(monkeypatch: pytest.MonkeyPatch) -> dict[str, Any]:
    """Return what a show is asked for, which is not played."""
    found: dict[str, Any] = {}

    def play(begun: ShowFile, kept: object, **rest: Any) -> None:
        found.update(begun.settings)

    monkeypatch.setattr(live, "_run", play)
    return found


def test_options_come_before_defaults_and_these_before_the_preset(
    run: Run, fake: FakeRender, folder: Path
) -> None:
    (folder / "config.toml").write_text(
        'preset = "wild"\noctaves = 3\njitter = 7\ncrf = 30\nstrength = 0.5\n'
        "[render]\ncrf = 25\naudio = false\n[loop]\ncrf = 40\n"
    )
    assert run("render", "a.mp4", "b.mp4", "--jitter", "9")[0] == 0
    dream, output = fake.asked["dream"], fake.asked["output"]
    wild = load_preset("wild").dream
    assert dream == wild.model_copy(update={"octaves": 3, "jitter": 9})
    assert (output.crf, output.audio, output.strength) == (25, False, 0.5)
    run("render", "a.mp4", "b.mp4", "--preset", "eyes", "--audio")
    assert fake.asked["dream"].layer == load_preset("eyes").dream.layer
    assert fake.asked["dream"].octaves == 3
    assert fake.asked["output"].audio is True


def test_defaults_are_forgotten_after_the_command(run: Run, fake: FakeRender, folder: Path) -> None:
    (folder / "config.toml").write_text("octaves = 3\n")
    run("render", "a.mp4", "b.mp4")
    (folder / "config.toml").unlink()
    run("render", "a.mp4", "b.mp4")
    assert fake.asked["dream"] == load_preset("dogs").dream


def test_a_default_may_change_over_time(run: Run, fake: FakeRender, folder: Path) -> None:
    (folder / "config.toml").write_text("strength = '0:(0), 2s:(1)'\n")
    assert run("render", "a.mp4", "b.mp4")[0] == 0
    assert fake.asked["automation"].tracks == {"strength": "0:(0), 2s:(1)"}


def test_a_score_comes_before_defaults(run: Run, fake: FakeRender, folder: Path) -> None:
    score = folder / "my.toml"
    score.write_text("preset = '0:dogs, 1s:eyes'\nstrength = '0:(0), 2s:(1)'\nbeats = 'b.txt'\n")
    (folder / "b.txt").write_text("0\n1\n")
    (folder / "config.toml").write_text(
        "preset = 'wild'\nstrength = 0.5\nbpm = 120\noffset = 1\noctaves = 3\n"
    )
    assert run("render", "a.mp4", "b.mp4", "--score", str(score))[0] == 0
    automation = fake.asked["automation"]
    assert automation.look_track == "0:dogs, 1s:eyes"
    assert set(automation.tracks) == {"strength"}
    assert (automation.bpm, automation.beats) == (None, folder / "b.txt")
    assert [look.octaves for look in automation.looks] == [3, 3]
    run("render", "a.mp4", "b.mp4", "--score", str(score), "--strength", "0.2")
    assert fake.asked["automation"].tracks == {}


@pytest.mark.parametrize(
    ("text", "options", "kept"),
    [
        ("bpm = 90", ["--beats", "b.txt"], False),
        ("bpm = 90", ["--offset", "1"], True),
        ("offset = 1", [], False),
        ("beats = 'b.txt'", ["--bpm", "90"], False),
    ],
)
def test_an_option_drops_what_contradicts_it(
    run: Run, fake: FakeRender, folder: Path, text: str, options: list[str], kept: bool
) -> None:
    (folder / "config.toml").write_text(text)
    assert run("render", "a.mp4", "b.mp4", *options)[0] == 0
    name = text.split()[0]
    assert (getattr(fake.asked["automation"], name) is not None) == kept


def test_none_leaves_a_default_out(run: Run, fake: FakeRender, folder: Path) -> None:
    text = "mask = 'm.png'\nlimit = 0.2\npreset = 'eyes'\nreact = 'bass->jitter*2'\n"
    (folder / "config.toml").write_text(text)
    options = ("--mask", "none", "--limit", "none", "--preset", "none", "--react", "none")
    code, _, err = run("render", "a.mp4", "b.mp4", *options)
    assert (code, err) == (0, "")
    assert fake.asked["output"].mask is None
    assert fake.asked["automation"].react is None
    assert fake.asked["dream"] == load_preset("dogs").dream.model_copy(update={"limit": None})


def test_files_are_looked_up_from_the_folder(run: Run, fake: FakeRender, folder: Path) -> None:
    (folder / "mine.toml").write_text("octaves = 2\n")
    (folder / "config.toml").write_text('preset = "mine.toml"\nmask = "mask.png"\n')
    run("render", "a.mp4", "b.mp4")
    assert fake.asked["dream"].octaves == 2
    assert fake.asked["output"].mask == folder / "mask.png"


def test_files_that_are_written_start_where_the_command_does(
    run: Run, asked: dict[str, Any], folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("HOME", str(folder))
    text = "record = 'a.mkv'\nrecordings = 'takes'\nmask = '~/m.png'\nsource = 'clip.mp4'\n"
    (folder / "config.toml").write_text(f"[live]\n{text}")
    assert run("live")[0] == 0
    assert asked == {
        "record": "a.mkv",
        "recordings": "takes",
        "mask": str(folder / "m.png"),
        "source": str(folder / "clip.mp4"),
    }


def test_a_show_takes_its_own_section_and_is_written_with_it(
    run: Run, asked: dict[str, Any], folder: Path
) -> None:
    (folder / "config.toml").write_text(
        "octaves = 3\ncrf = 30\n[live]\nweb = true\npresets = 'dogs,eyes'\nhttps = true\n"
    )
    assert run("live", "--octaves", "2")[0] == 0
    assert asked == {"octaves": "2", "web": True, "presets": ["dogs,eyes"], "https": True}
    asked.clear()
    (folder / "config.toml").write_text("[live]\nhttps = true\nosc_allow = '10.0.0.1'\n")
    assert run("live")[0] == 0
    assert asked == {}  # without --web and --osc they do nothing
    assert run("live", "--web")[0] == 0
    assert set(asked) == {"web", "https"}


def test_a_score_brings_its_looks_into_a_show(
    run: Run, folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "config.toml").write_text("preset = 'wild'\n")
    (folder / "my.toml").write_text("preset = '0:stripes, 1s:eyes'\n")
    seen: list[tuple[str, str | None]] = []

    def look(settings: LiveSettings, automation: Automation) -> list[str]:
        seen.append((settings.preset, automation.look_track))
        raise SettingsError("enough")

    monkeypatch.setattr(live, "looks_at_hand", look)
    run("live", "--score", str(folder / "my.toml"))
    run("live", "--score", str(folder / "my.toml"), "--preset", "amber")
    run("live")
    assert seen == [("stripes", "0:stripes, 1s:eyes"), ("amber", None), ("wild", None)]


def test_a_show_from_a_file_is_the_file(
    run: Run, asked: dict[str, Any], folder: Path, tmp_path: Path
) -> None:
    (folder / "config.toml").write_text("octaves = 3\n[live]\nweb = true\n")
    (tmp_path / "show.toml").write_text("jitter = 4\n")
    assert run("live", "--config", str(tmp_path / "show.toml"))[0] == 0
    assert asked == {"jitter": 4}


@pytest.mark.skipif(os.name != "posix", reason="no such permissions")
def test_a_secret_that_others_can_read_is_told(
    run: Run, asked: dict[str, Any], folder: Path
) -> None:
    path = folder / "config.toml"
    path.write_text("[live]\ntoken = '12345678'\n")
    for mode, told in ((0o644, True), (0o600, False)):
        path.chmod(mode)
        assert ("holds token, and others can read it" in run("live")[2]) == told


@pytest.mark.slow
@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("octavs = 3", "'octavs' cannot have a default: did you mean octaves?"),
        ("octaves = 99", "octaves cannot be 99: give at most 12"),
        ("crf = 'x'", "crf cannot be 'x'"),
        ("octaves =", "not valid TOML"),
        ("[rendr]\ncrf = 3", "no section [rendr]: did you mean [render]?"),
        ("[render]\nframes = 9", "[render]: 'frames' cannot have a default: it belongs to [loop]"),
        ("[render]\ncrf = 99", "[render]: crf cannot be 99"),
        ("[live]\ntarget_fps = 0", "[live]: target_fps cannot be 0"),
        ("layer = ['block5']", "it makes a look: write looks/NAME.toml"),
        ("class = [1]", "it makes a look"),
        ("overwrite = true", "'overwrite' cannot have a default"),
        ("preset = 3", "preset cannot be 3: give text in quotes"),
        ("render = 3", "'render' cannot have a default"),
        ("[render.x]\na = 1", "'x' cannot have a default"),
    ],
)
def test_what_is_wrong_is_one_line_that_names_the_file(
    run: Run, fake: FakeRender, folder: Path, text: str, told: str
) -> None:
    path = folder / "config.toml"
    path.write_text(text)
    for arguments in (("render", "a.mp4", "b.mp4"), ("config",)):
        code, _, err = run(*arguments)
        assert code == 2
        assert str(path) in one_line(err)
        assert told in err
    assert run("render", "--help")[0] == 0
    assert run("presets", "dogs")[0] == 0


def test_a_variable_names_another_file(
    run: Run, fake: FakeRender, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (folder / "config.toml").write_text("octaves = 3\n")
    (tmp_path / "other.toml").write_text("octaves = 2\n")
    for named, octaves in ((str(tmp_path / "other.toml"), 2), (os.devnull, 5), ("", 3)):
        monkeypatch.setenv("STREAM_DREAM_CONFIG", named)
        assert run("render", "a.mp4", "b.mp4")[0] == 0
        assert fake.asked["dream"].octaves == octaves
    monkeypatch.setenv("STREAM_DREAM_CONFIG", "nowhere.toml")
    code, _, err = run("render", "a.mp4", "b.mp4")
    assert (code, "nowhere.toml cannot be read: No such file" in one_line(err)) == (2, True)


def test_an_error_says_that_it_is_a_default(run: Run, fake: FakeRender, folder: Path) -> None:
    (folder / "config.toml").write_text('[render]\npreset = "nothing, dogs"\noctaves = 3\n')
    code, _, err = run("render", "a.mp4", "b.mp4", "--octaves", "99")
    assert (code, "config.toml" in one_line(err)) == (2, False)
    (folder / "config.toml").write_text("[render]\nbpm = 90\nbeats = 'b.txt'\n")
    code, _, err = run("render", "a.mp4", "b.mp4")
    assert one_line(err).endswith(f"(--bpm, --beats: set in {folder / 'config.toml'} [render])")


@pytest.mark.slow
def test_another_file_is_told_where_a_film_goes_on(run: Run, folder: Path, tmp_path: Path) -> None:
    source = films.make_film(tmp_path / "source.mp4", (14,))
    network = films.make_network(tmp_path / "tiny.keras")
    target, dream = tmp_path / "film.mp4", films.dream_of(network)
    job = interrupted_job(source, target, dream, 1)
    (folder / "config.toml").write_text("jitter = 3\n")
    options = ("--network", str(network), "--layer", "conv1", "--warm-up", "2")
    options = (*options, "--chunk-seconds", "0.24", "--resume")
    code, _, err = run("render", str(source), str(target), *options)
    assert code == 2
    line = err.splitlines()[-1]  # TensorFlow wrote before
    assert f"{job} was begun otherwise: jitter was 40, not 3." in line
    assert line.endswith(f"(--jitter: set in {folder / 'config.toml'})")


def test_every_command_of_a_section_has_settings() -> None:
    assert {*SECTIONS, "plan"} <= SETTINGS.keys()


def test_a_journey_may_begin_with_noise_by_default(folder: Path) -> None:
    (folder / "config.toml").write_text('[journey]\nfrom = "noise"\n')
    assert user_defaults("journey")["start_from"].value == "noise"
    assert user_defaults("render") == {}
