"""The command ``journey``: arguments, outputs, recipes, misuse."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path

import clips
import cv2
import pytest
import synthetic

from stream_dream.media.read.video import VideoSource

Run = Callable[..., tuple[int, str, str]]
OPTIONS = ("--network", "tiny", "--layer", "conv2", "--warm-up", "1")
SHORT = (*OPTIONS, "--seconds", "0.2", "--longer-side", "48")


@pytest.fixture(autouse=True)
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Work in a folder with a picture."""
    synthetic.register_tiny()
    monkeypatch.chdir(tmp_path)
    cv2.imwrite("cat.png", synthetic.photo((60, 40)))
    return tmp_path


def checksums(run: Run, *arguments: str) -> list[int]:
    """Run a journey with a report; return the checksums of its frames."""
    code, _, err = run("journey", *arguments, "--report", "r.json", "--overwrite", "-q")
    assert (code, err) == (0, "")
    found: list[int] = json.loads(Path("r.json").read_text())["checksums"]
    return found


@pytest.mark.slow
def test_a_journey_tells_what_it_has_made(run: Run) -> None:
    code, out, _ = run("journey", "cat.png", "out.mp4", *SHORT)
    assert code == 0
    assert out.startswith("out.mp4: 5 frames in ")
    with VideoSource(Path("out.mp4")) as made:
        assert made.info.size == (48, 32)


@pytest.mark.slow
def test_pieces_are_as_the_whole(run: Run) -> None:
    whole = checksums(run, "cat.png", "whole.mp4", *SHORT, "--zoom", "0:(1), 0.2s:(1.1)")
    pieces = checksums(
        run,
        "cat.png",
        "pieces.mp4",
        *SHORT,
        "--zoom",
        "0:(1), 0.2s:(1.1)",
        "--chunk-seconds",
        "0.04",
    )
    assert whole == pieces
    assert len(set(whole)) == 5


@pytest.mark.slow
@pytest.mark.parametrize("target", ["out.gif", "out.webp", "out.webm", "out-%02d.png"])
def test_it_writes_what_render_writes(run: Run, target: str) -> None:
    assert run("journey", target, "--from", "noise", *SHORT, "-q") == (0, "", "")
    with VideoSource(Path(target)) as made:
        assert sum(1 for _ in made) == 5


def test_events_and_the_film_do_not_share_standard_output(run: Run) -> None:
    code, _, err = run("journey", "-", "--from", "noise", *SHORT, "--json")
    assert code == 2
    assert "standard output gets the film: leave out --json" in err


@pytest.mark.slow
def test_a_recipe_repeats_a_journey(run: Run) -> None:
    more = ("--from", "noise", "--seed", "3", "--angle", "2", "--border", "wrap")
    first = checksums(run, "out.mp4", *SHORT, *more)
    assert first != checksums(run, "other.mp4", *SHORT, "--from", "noise")
    code, out, _ = run("recipe", "out.mp4")
    assert code == 0
    assert out.startswith("stream-dream journey out.mp4 ")
    assert "--from noise" in out
    assert checksums(run, "again.mp4", "--like", "out.mp4") == first


@pytest.mark.slow
def test_a_recipe_is_used_with_another_start(run: Run) -> None:
    assert run("journey", "noise.mp4", *SHORT, "--from", "noise", "--fps", "5", "-q")[0] == 0
    code, _, err = run("journey", "cat.png", "cat.mp4", "--like", "noise.mp4", "-q")
    assert (code, err) == (0, "")
    clips.make(Path("clip.mp4"), seconds=1)
    assert run("journey", "clip.mp4", "b.mp4", *SHORT, "--start", "0.5", "-q")[0] == 0
    assert run("journey", "cat.png", "c.mp4", "--like", "b.mp4", "-q") == (0, "", "")
    code, _, err = run("render", "clip.mp4", "d.mp4", "--like", "noise.mp4", "-q")
    assert code == 0
    assert "render has no" in err
    assert "--fps" in err


@pytest.mark.slow
def test_looks_travel_by_the_clock(run: Run) -> None:
    wild, calm = Path("wild.toml"), Path("calm.toml")
    network = 'network = "tiny"\nlayer = ["conv2"]\nwarm_up = 1\n'
    wild.write_text(f"{network}step_size = 0.05\n")
    calm.write_text(f"{network}step_size = 0.0\n")
    options = ("--seconds", "0.4", "--longer-side", "48", "--chunk-seconds", "0.08")
    several = checksums(
        run, "cat.png", "a.mp4", *options, "--presets", "calm.toml,wild.toml", "--every", "0.1"
    )
    calm_alone = checksums(run, "cat.png", "b.mp4", *options, "--preset", "calm.toml")
    assert several[0] == calm_alone[0]
    assert several != calm_alone


@pytest.mark.slow
def test_what_does_nothing_is_told(run: Run) -> None:
    for options in (("--every", "2"), ("--depth-map", "cat.png")):
        code, _, err = run("journey", "cat.png", "out.mp4", *SHORT, *options, "--overwrite")
        assert code == 0
        assert f"warning: {options[0]} does nothing without" in err
    code, _, err = run(
        "journey", "cat.png", "b.mp4", *SHORT, "--depth-map", "cat.png", "--depth", "0.5"
    )
    assert (code, "warning" in err) == (0, False)


@pytest.mark.slow
def test_a_soundtrack_is_followed(run: Run) -> None:
    clips.ffmpeg("-f", "lavfi", "-i", "sine=f=60:d=2", "tone.wav")
    still = checksums(run, "cat.png", "a.mp4", *SHORT)
    moved = checksums(
        run, "cat.png", "b.mp4", *SHORT, "--soundtrack", "tone.wav", "--react", "level->zoom+0.2"
    )
    assert still != moved
    assert "Audio:" in clips.report(Path("b.mp4"))


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "told"),
    [
        (("cat.png",), "give what the journey begins with and the name of its film"),
        (("a.png", "b.png", "c.mp4"), "give what the journey begins with"),
        (("cat.png", "x.mp4", "--from", "noise"), "give the name of its film alone"),
        (("missing.png", "x.mp4"), "missing.png does not exist"),
        (("cat.png", "cat.png"), "cat.png"),
        (("cat.png", "no/x.mp4"), "lies in a folder that does not exist"),
        (("cat.png", "x.mp4", "--zoom", "0"), "--zoom cannot be '0'"),
        (("cat.png", "x.mp4", "--angle", "nan"), "--angle cannot be 'nan'"),
        (("cat.png", "x.mp4", "--size", "8x8"), "--size 8x8 is too small"),
        (("cat.png", "x.mp4", "--start", "1"), "--start is a moment of a clip"),
        (("cat.png", "x.mp4", "--cuts"), "--cuts has no meaning in a journey"),
        (("cat.png", "x.mp4", "--persistence", "0"), "--persistence has no meaning in a journey"),
        (("cat.png", "x.mp4", "--zoom", "0:(1.3/s), 1s:(1)"), "per second is said once"),
        (("cat.png", "x.mp4", "--pan", "0.1/s, 0.2"), "per second is said once"),
        (("cat.png", "x.mp4", "--enlarge", "2"), "--enlarge has no meaning in a journey"),
        (("cat.png", "x.mp4", "--preset", "dogs", "--presets", "eyes"), "give one of the two"),
        (("cat.png", "x.mp4", "--react"), "a journey has no sound: give --soundtrack"),
        (("cat.png", "x.mp4", "--chunk-seconds", "0"), "--chunk-seconds cannot be '0': give"),
        (("-", "x.mp4"), "give a file, or --from noise"),
        (("cat.png", "x.mp4", "--compare"), "No such option: --compare"),
    ],
)
def test_misuse_is_one_line(run: Run, arguments: tuple[str, ...], told: str) -> None:
    before = Path("cat.png").read_bytes()
    code, out, err = run("journey", *arguments)
    assert (code, out) == (2, "")
    assert told in err
    assert err.count("\n") == 1
    assert Path("cat.png").read_bytes() == before
    assert [path.name for path in Path().iterdir()] == ["cat.png"]
