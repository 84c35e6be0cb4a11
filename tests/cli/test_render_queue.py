"""The command ``stream-dream render`` with several films."""

from __future__ import annotations

import json
import re
import shutil
import signal
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import clips
import films
import pytest
import synthetic
from commands import Command, one_line
from fake_render import FakeRender

from stream_dream.film import in_chunks
from stream_dream.media.read.recipe_text import read_recipe
from stream_dream.media.read.video import VideoSource

Run = Callable[..., tuple[int, str, str]]

TINY = ("--network", "tiny", "--layer", "conv2", "--octaves", "2", "--warm-up", "1")


@pytest.fixture
def inbox(tmp_path: Path) -> Path:
    """Return a folder with a film, a GIF, a text that is called a film, and a text."""
    synthetic.register_tiny()
    folder = tmp_path / "clips"
    folder.mkdir()
    clips.make(folder / "a.mp4", seconds=0.2)
    clips.make(folder / "b.gif", seconds=0.3, fps="10")
    (folder / "bad.mov").write_text("nothing")
    (folder / "notes.txt").write_text("nothing")
    return folder


@pytest.mark.slow
def test_a_folder_of_films_becomes_a_folder_of_dreams(run: Run, inbox: Path) -> None:
    more, dreams = clips.make(inbox.with_name("c.avi"), seconds=0.2), inbox.with_name("dreams")
    command = ("render", str(inbox), str(more), str(dreams), *TINY)
    code, out, err = run(*command)
    assert code == 1
    *lines, last = out.splitlines()
    assert [line.split(":")[0] for line in lines] == [
        str(dreams / name) for name in ("a.mp4", "b.gif", "c.mp4")
    ]
    assert re.fullmatch(rf"{dreams}: 3 films, 13 frames in [\d.]+ s; 1 failed", last)
    assert "warning: 1 left out that are no films by their names, such as" in err
    assert f"warning: {inbox / 'bad.mov'} is not a video" in err
    for name, source in (("a.mp4", "a.mp4"), ("b.gif", "b.gif"), ("c.mp4", "c.avi")):
        recipe = read_recipe(dreams / name)
        assert recipe.source == source
        assert recipe.options["octaves"] == "2"
    before = (dreams / "a.mp4").read_bytes()
    (inbox / "bad.mov").unlink()
    code, out, err = run(*command, "--quiet")
    assert (code, out) == (0, "")
    assert f"3 left as they are, such as {dreams / 'a.mp4'}: --overwrite" in err
    assert (dreams / "a.mp4").read_bytes() == before


@pytest.mark.slow
def test_one_film_goes_to_a_folder_under_its_name_and_in_the_format(run: Run, inbox: Path) -> None:
    dreams = inbox.with_name("dreams")
    code, out, err = run("render", str(inbox / "b.gif"), str(dreams), "--format", "mkv", *TINY)
    assert code == 0, err
    assert [path.name for path in dreams.iterdir()] == ["b.mkv"]
    assert out.splitlines()[-1].startswith(f"{dreams}: 1 film, 3 frames")


@pytest.mark.slow
def test_json_tells_of_films(run: Run, inbox: Path) -> None:
    dreams = inbox.with_name("dreams")
    dreams.mkdir()
    shutil.copy(inbox / "a.mp4", dreams)
    code, out, _ = run("render", str(inbox), str(dreams), "--json", *TINY)
    assert code == 1
    lines = [json.loads(line) for line in out.splitlines()]
    assert [line["schema"] for line in lines] == [1] * len(lines)
    begun, *events, ended = [
        line for line in lines if line["event"] not in ("frame", "progress", "warning", "note")
    ]
    assert (begun["event"], begun["items"]) == ("started", 3)
    assert begun["sources"] == [str(inbox)]
    assert [(event["event"], Path(event["source"]).name) for event in events] == [
        ("item_skipped", "notes.txt"),
        ("item_skipped", "a.mp4"),
        ("item_started", "b.gif"),
        ("item_finished", "b.gif"),
        ("item_started", "bad.mov"),
        ("item_failed", "bad.mov"),
    ]
    assert {event["kind"] for event in events} == {"film"}
    assert events[1]["target"] == str(dreams / "a.mp4")
    assert [event["number"] for event in events[2:]] == [1, 1, 2, 2]
    assert (events[2]["total"], events[3]["frames"]) == (2, 3)
    assert "is not a video" in events[5]["message"]
    assert events[5]["exit_code"] == 2
    assert (ended["event"], ended["targets"]) == ("finished", [str(dreams / "b.gif")])
    assert (ended["frames"], ended["failed"], ended["skipped"]) == (3, 1, 2)


@pytest.mark.slow
def test_a_guide_by_a_relative_name_does_not_cost_another_network(
    run: Run, inbox: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stream_dream.dream import look_ascents
    from stream_dream.dream.ascent import Ascent

    built: list[object] = []

    def build(*arguments: Any, **more: Any) -> Ascent:
        built.append(arguments[0])
        return Ascent(*arguments, **more)

    monkeypatch.setattr(look_ascents, "Ascent", build)
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(in_chunks, "is_long", lambda request: request.source.name == "b.gif")
    clips.ffmpeg("-f", "lavfi", "-i", "testsrc2=s=64x48:d=1", "-frames:v", "1", "guide.png")
    code, _, err = run("render", "clips/a.mp4", "clips/b.gif", "out", *TINY, "--guide", "guide.png")
    assert (code, len(built)) == (0, 1), err


@pytest.mark.slow
@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("a.mp4",), "give the name of the dream as well, or a folder for several"),
        (("a.mp4", "b.mp4", "all.mp4"), "several films cannot become all.mp4: give a folder"),
        (("clips", "all.mp4"), "several films cannot become all.mp4: give a folder"),
        (("clips", "clips"), "is one of the inputs"),
        (("clips/a.mp4", "a.mp4", "new"), "would both become new/a.mp4"),
        (("a.mp4", "-", "new"), "- is one film"),
        (("a.mp4", "b.mp4", "-"), "- is one film"),
        (("a.mp4", "b.mp4", "new", "--report", "r.json"), "--report is for one film"),
        (("a.mp4", "new.mp4", "--format", "mov"), "--format is for several films"),
        (("a.mp4", "new", "--watch"), "--watch needs one folder, not a.mp4"),
        (("-", "new", "--watch"), "--watch needs one folder, not -"),
        (("clips", "clips", "--watch"), "is watched, and dreams would be dreamed again"),
        (("clips", "notes.txt"), "notes.txt is a file: give a folder"),
        (("clips", "new", "--format", "mp4", "--codec", "prores"), ".mp4 does not hold prores"),
        (("clips", "new", "--watch", "--codec", "hap", "--bits", "10"), "hap has 8 bits, not 10"),
        (("clips", "new", "--format", "exr"), "'exr' is not one of"),
    ],
)
def test_queues_are_refused_in_one_line(
    run: Run, inbox: Path, monkeypatch: pytest.MonkeyPatch, arguments: list[str], message: str
) -> None:
    monkeypatch.chdir(inbox.parent)
    for name in ("a.mp4", "b.mp4"):
        shutil.copy(inbox / "a.mp4", name)
    (inbox / "notes.txt").rename("notes.txt")
    before = sorted(inbox.parent.rglob("*"))
    code, out, err = run("render", *arguments)
    assert (code, out) == (2, "")
    assert message in one_line(err)
    assert sorted(inbox.parent.rglob("*")) == before


def test_a_wrong_layer_ends_all_at_once(run: Run, inbox: Path) -> None:
    code, _, err = run(
        "render", str(inbox), str(inbox.with_name("new")), *TINY[:2], "--layer", "conf2", "-q"
    )
    assert code == 2
    assert "did you mean conv2" in err.splitlines()[-1]
    assert len(err.splitlines()) == 2  # the first one is on what is left out


def test_other_programs_names_of_files_work(run: Run, fake: FakeRender, tmp_path: Path) -> None:
    inputs = [tmp_path / "a.mp4", tmp_path / "b.mp4"]
    for path in inputs:
        path.touch()
    dreams = tmp_path / "dreams"
    code, _, err = run("render", "-i", str(inputs[0]), "-i", str(inputs[1]), "-o", str(dreams))
    assert code == 0, err
    assert (fake.asked["source"], fake.asked["target"]) == (inputs[1], dreams / "b.mp4")


# Signals


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Callable[..., Command]]:
    """Return a function that starts a render with a tiny network in a file."""
    network, started = films.make_network(tmp_path / "tiny.keras"), list[Command]()
    dream = ("--network", network, "--layer", "conv1", "--octaves", "2", "--warm-up", "1")

    def call(*arguments: object) -> Command:
        started.append(Command("render", *arguments, *dream))
        return started[-1]

    yield call
    for command in started:
        command.end()


@pytest.mark.slow
@pytest.mark.stops
def test_ctrl_c_in_a_queue_keeps_what_is_finished(
    start: Callable[..., Command], tmp_path: Path
) -> None:
    folder, dreams = tmp_path / "clips", tmp_path / "dreams"
    folder.mkdir()
    clips.make(folder / "a.mp4", seconds=0.2)
    for name in ("b.mp4", "c.mp4"):
        clips.make(folder / name, seconds=20)
    command = start(folder, dreams)
    command.wait_until(lambda said: said.get("number") == 2)
    command.wait_until(lambda said: said.get("index") == 3)
    command.stop(signal.SIGINT)
    code, errors = command.ended()
    assert code == 130
    assert "b.interrupted.mp4; 1 done, 1 not begun" in errors.splitlines()[-1]
    assert sorted(path.name for path in dreams.iterdir()) == ["a.mp4", "b.interrupted.mp4"]


@pytest.mark.slow
@pytest.mark.stops
def test_ctrl_c_ends_a_watch_that_waits(start: Callable[..., Command], tmp_path: Path) -> None:
    folder, dreams = tmp_path / "clips", tmp_path / "clips" / "dreams"
    folder.mkdir()
    clips.make(folder / "a.mp4", seconds=0.2)
    command = start(folder, dreams, "--watch")
    command.wait_until(lambda said: said.get("event") == "item_finished")
    clips.make(folder / "b.mp4", seconds=0.2)
    command.wait_until(lambda said: said.get("event") == "item_finished")
    command.stop(signal.SIGINT)
    code, errors = command.ended()
    assert (code, "Traceback" in errors) == (0, False)
    for name in ("a.mp4", "b.mp4"):
        with VideoSource(dreams / name) as film:
            assert len(list(film)) == 5


@pytest.mark.slow
@pytest.mark.stops
def test_a_watch_goes_on_with_what_an_earlier_one_left(
    start: Callable[..., Command], tmp_path: Path
) -> None:
    folder, dreams = tmp_path / "clips", tmp_path / "dreams"
    folder.mkdir()
    clips.make(folder / "a.mp4", seconds=3)
    command = start(folder, dreams, "--watch", "--chunk-seconds", "0.4")
    command.wait_until(lambda said: said.get("event") == "chunk")
    command.stop(signal.SIGINT)
    assert command.ended()[0] == 130
    assert (dreams / "a.mp4.dream").exists()
    command = start(folder, dreams, "--watch", "--chunk-seconds", "0.4")
    command.wait_until(lambda said: said.get("event") == "item_finished")
    command.stop(signal.SIGINT)
    assert command.ended()[0] == 0
    assert [path.name for path in dreams.iterdir()] == ["a.mp4"]
