"""The command ``stream-dream plan``."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

import films
import numpy as np
import pytest
import sounds

from stream_dream.film.curves.chart import WIDTH
from stream_dream.media.read.picture import read_picture

Run = Callable[..., tuple[int, str, str]]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a film of 43 frames in 3 shots without sound."""
    folder = tmp_path_factory.mktemp("clip")
    films.make_film(folder / "film.mp4")
    films.clips.ffmpeg("-i", folder / "film.mp4", "-an", "-c", "copy", folder / "mute.mp4")
    return folder / "mute.mp4"


@pytest.fixture(scope="module")
def drums(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return sounds.write(
        tmp_path_factory.mktemp("sound") / "drums.wav", sounds.drums(120, 12, start=0.1)
    )


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a tiny network; TensorFlow's greetings are not those of the command."""
    return films.make_network(tmp_path_factory.mktemp("network") / "tiny.keras")


@pytest.mark.slow
def test_the_plan_is_printed_and_drawn(network: Path, run: Run, tmp_path: Path) -> None:
    source = films.make_film(tmp_path / "film.mp4")
    sheet = tmp_path / "shots.png"
    options = ("--network", str(network), "--layer", "conv1", "--chunk-seconds", "0.4")
    code, out, err = run("plan", str(source), *options, "--contact-sheet", str(sheet))
    assert (code, err) == (0, "")
    assert "43 frames (0:01.7), shots: 3, chunks: 5" in out
    assert "with one worker here" in out
    assert read_picture(sheet).image.shape[1] > 3 * 90
    code, out, _ = run("plan", str(source), *options, "--no-estimate", "--json")
    assert code == 0
    assert [chunk["frames"] for chunk in json.loads(out)["chunks"]] == [7, 7, 9, 10, 10]
    code, _, err = run("plan", str(source), "--contact-sheet", str(sheet))
    assert code == 2
    assert "exists already" in err
    code, _, err = run("plan", str(tmp_path / "nothing.mp4"))
    assert (code, "does not exist" in err) == (2, True)


@pytest.mark.slow
def test_what_changes_is_estimated_too(network: Path, run: Run, clip: Path) -> None:
    options = ("--network", str(network), "--layer", "conv1=0:(1), 1s:(0.5)")
    moving = ("--octaves", "0:(1), 10:(3)@step", "--preset", "0:dogs, 12:eyes~10")
    code, out, err = run("plan", str(clip), *options, *moving)
    assert (code, err) == (0, "")
    assert "with one worker here" in out


@pytest.mark.slow
def test_curves_are_drawn_without_dreaming(run: Run, clip: Path, tmp_path: Path) -> None:
    sheet, score = tmp_path / "curves.png", tmp_path / "score.toml"
    (tmp_path / "swell.csv").write_text("time,value\n0,0\n1,1\n")
    score.write_text(
        'preset = "0:dogs, shot 2:eyes~5"\nstep_size = "0.02+swell/20"\n'
        '[layer]\nblock10 = "0:(0), 50%:(1)"\n[curves]\nswell = "swell.csv"\n'
    )
    options = ("--no-estimate", "--score", str(score), "--strength", "0:(0), 1s:(3)")
    code, out, err = run("plan", str(clip), *options, "--curves", str(sheet))
    assert code == 0
    assert "43 frames (0:01.7), shots: 3" in out
    assert "tempo" not in out
    assert "values beyond the range of strength were clipped to it" in err
    image = read_picture(sheet).image
    # The curve of a file, and those of three settings.
    assert image.shape[1] == WIDTH
    lines = (image == (120, 200, 245)).all(axis=2).sum(axis=1) > 0
    assert np.count_nonzero(np.diff(lines.astype(int)) == 1) >= 3
    assert (image == (150, 205, 140)).all(axis=2).sum() > 500


@pytest.mark.slow
def test_sound_is_drawn_and_its_tempo_told(
    run: Run, clip: Path, drums: Path, tmp_path: Path
) -> None:
    sheet = tmp_path / "curves.png"
    options = ("--no-estimate", "--react", "--soundtrack", str(drums), "--curves", str(sheet))
    code, out, _ = run("plan", str(clip), *options)
    assert code == 0
    assert "tempo 12" in out.replace("tempo 119.", "tempo 12")
    assert "(confidence 0.9" in out or "(confidence 1.0" in out
    assert ", 4 beats" in out or ", 3 beats" in out
    bass = (235, 110, 105)
    assert (read_picture(sheet).image == bass).all(axis=2).sum() > 500
    code, out, _ = run("plan", str(clip), *options[:-2], "--json")
    found = json.loads(out)
    assert (code, found["tempo"]) == (0, pytest.approx(120, abs=1))
    assert found["confidence"] > 0.8
    assert np.diff(found["beats"]) == pytest.approx(0.5, abs=0.04)


@pytest.mark.slow
def test_without_a_clear_beat_one_is_asked_for(run: Run, clip: Path, tmp_path: Path) -> None:
    hiss = sounds.write(tmp_path / "hiss.wav", sounds.noise(8))
    code, out, _ = run("plan", str(clip), "--no-estimate", "--react", "--soundtrack", str(hiss))
    assert code == 0
    assert "no clear beat: give --bpm or --beats" in out


@pytest.mark.slow
def test_given_beats_come_before_those_of_the_sound(
    run: Run, clip: Path, drums: Path, tmp_path: Path
) -> None:
    react = ("--no-estimate", "--react", "--soundtrack", str(drums))
    code, out, _ = run("plan", str(clip), *react, "--bpm", "60", "--offset", "0.5")
    assert code == 0
    assert "tempo 60.0 BPM (as given), 2 beats" in out
    beats = tmp_path / "beats.txt"
    beats.write_text("0.1\n0.35\n0.6\n0.85\n")
    code, out, _ = run("plan", str(clip), *react, "--beats", str(beats))
    assert "tempo 240.0 BPM (from beats.txt), 7 beats" in out
    code, out, _ = run("plan", str(clip), "--no-estimate", "--bpm", "60", "--json")
    found = json.loads(out)
    code, out, _ = run(
        "plan", str(clip), "--no-estimate", "--bpm", "60", "--json", "--start", "0.4"
    )
    assert json.loads(out)["bars"] == []  # beats are those of the sound, which began before
    assert json.loads(out)["beats"] == [0.6]
    assert (found["beats"], found["bars"], found["confidence"]) == ([0, 1], [0], None)


@pytest.mark.slow
def test_a_check_says_that_all_is_well(run: Run, clip: Path, drums: Path, tmp_path: Path) -> None:
    (tmp_path / "swell.csv").write_text("0,0\n1,1\n")
    score = tmp_path / "score.toml"
    score.write_text('preset = "0:dogs, shot 2:eyes"\n[curves]\nswell = "swell.csv"\n')
    tracks = ("--strength", "0:(bass), 1s:(5)", "--class", "tabby cat=swell")
    sound = ("--soundtrack", str(drums))
    code, out, err = run("plan", str(clip), "--check", "--score", str(score), *tracks, *sound)
    assert (code, out) == (
        0,
        "all is well: 2 settings over time, 2 looks, 1 curve, 3 shots, 43 frames\n",
    )
    assert err == "stream-dream: warning: values beyond the range of strength were clipped to it\n"
    assert run("plan", str(clip), "--check") == (
        0,
        "all is well: 0 settings over time, 1 look, 3 shots, 43 frames\n",
        "",
    )


def test_keys_after_the_end_are_named(run: Run, clip: Path) -> None:
    tracks = ("--strength", "0:(0), 43:(1), 44:(0)", "--preset", "0:dogs, 30s:eyes")
    code, _, err = run("plan", str(clip), "--check", *tracks)
    assert code == 0
    assert err.splitlines() == [
        f"stream-dream: warning: {line} comes after the end of the film"
        for line in ("strength: key 44", "preset: key 30s")
    ]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--react"], "has no sound: give --soundtrack"),
        (
            ["--strength", "0:(0), shot 9:(1)"],
            "strength: key shot 9: there is no shot 9: this film",
        ),
        (["--preset", "0:dogs, shot 9:eyes"], "preset: key shot 9: there is no shot 9"),
        (["--preset", "0:dogs, 4:nothing"], "there is no preset 'nothing'"),
        (["--layer", "blok10=0:(1), 9:(2)"], "no layer 'blok10': did you mean block10"),
        (["--class", "tabbby=0:(1), 9:(2)"], "no ImageNet class 'tabbby'"),
        (["--network", "no"], "there is no network 'no'"),
        (["--strength", "1/(t-40)"], "at frame 40"),
        (["--strength", "0:(foo(1))"], "--strength: key 0, column 4: there is no 'foo'"),
        (["--strength", "0:(0), 4b:(1)"], "has no sound with beats: give --bpm or --soundtrack"),
        (["--strength", "bass"], "has no sound: give --soundtrack"),
        (["--soundtrack", "nothing.mp3"], "nothing.mp3 does not exist"),
        (["--beats", "nothing.txt"], "nothing.txt cannot be read"),
        (["--guide", "nothing.jpg"], "nothing.jpg"),
        (["--score", "nothing.toml"], "nothing.toml cannot be read"),
        (["--score", "{folder}/gone.toml"], "gone.csv cannot be read"),
        (
            ["--score", "{folder}/wrong.toml"],
            "wrong.toml: strength: key 8s, column 12: there is no",
        ),
        (["--score", "{folder}/curve.toml"], "curve.csv: line 2: 'x,1' is not time,value"),
        (["--curves", "curves.png"], "--check writes nothing: leave out --curves"),
    ],
)
def test_a_check_names_what_is_wrong(
    run: Run, clip: Path, tmp_path: Path, options: list[str], message: str
) -> None:
    (tmp_path / "gone.toml").write_text('[curves]\nswell = "gone.csv"\n')
    (tmp_path / "wrong.toml").write_text('strength = "0:(0), 8s:(foo(1))"\n')
    (tmp_path / "curve.toml").write_text('[curves]\nswell = "curve.csv"\n')
    (tmp_path / "curve.csv").write_text("0,0\nx,1\n")
    given = [option.format(folder=tmp_path) for option in options]
    code, out, err = run("plan", str(clip), "--check", *given)
    assert (code, out) == (2, "")
    assert err.count("\n") == 1
    assert message in err


def test_inputs_are_never_overwritten(run: Run, clip: Path, tmp_path: Path) -> None:
    (tmp_path / "c.png").write_text("time,value\n0,0\n1,1\n")
    (tmp_path / "b.png").write_text("0\n1\n")
    (tmp_path / "s.png").write_text('strength = "c"\n[curves]\nc = "c.png"\n')
    score, beats = tmp_path / "s.png", tmp_path / "b.png"
    given = ("plan", str(clip), "--no-estimate", "--score", str(score), "--beats", str(beats))
    for name in ("c.png", "b.png", "s.png"):
        path = tmp_path / name
        before = path.read_bytes()
        for option in ("--curves", "--contact-sheet"):
            code, _, err = run(*given, option, str(path), "--overwrite")
            assert code == 2
            assert "is one of the inputs" in err
        assert path.read_bytes() == before


def test_targets_that_cannot_be_written_are_refused(run: Run, clip: Path, tmp_path: Path) -> None:
    there = tmp_path / "there.png"
    there.write_bytes(b"")
    locked = tmp_path / "locked"
    locked.mkdir(mode=0o500)
    refused = [
        (there, "exists already"),
        (tmp_path / "no" / "c.png", "lies in a folder that does not exist"),
        (tmp_path / "c.txt", "no extension that can be written"),
    ]
    if os.geteuid():
        refused.append((locked / "c.png", "may not be written"))
    for path, message in refused:
        code, _, err = run("plan", str(clip), "--no-estimate", "--curves", str(path))
        assert code == 2
        assert message in err
    both = str(tmp_path / "both.png")
    code, _, err = run(
        "plan", str(clip), "--no-estimate", "--curves", both, "--contact-sheet", both
    )
    assert (code, "two things at once" in err) == (2, True)


@pytest.mark.slow
@pytest.mark.parametrize("options", [["--check"], ["--curves"]])
def test_tensorflow_is_not_imported(clip: Path, tmp_path: Path, options: list[str]) -> None:
    given = [*options, str(tmp_path / "c.png")] if "--curves" in options else options
    arguments = ["stream-dream", "plan", str(clip), "--strength", "0:(0), 9:(1)", *given]
    code = (
        f"import atexit, os, sys; sys.argv = {arguments};"
        "atexit.register(lambda: os._exit(3) if 'tensorflow' in sys.modules else None);"
        "from stream_dream.cli.app import main; main()"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "")
