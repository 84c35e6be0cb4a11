"""Events of ``--json``: what every command prints is what is defined and documented."""

from __future__ import annotations

import contextlib
import importlib.util
import json
import math
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Callable, Iterator
from dataclasses import fields
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import clips
import cv2
import pytest
import synthetic
import typer
from commands import Command
from fake_render import FakeRender
from pydantic import TypeAdapter
from waiting import SECONDS

from stream_dream.cli import doctor, json_lines
from stream_dream.cli.answers import ANSWERS
from stream_dream.cli.app import app
from stream_dream.cli.doctor import Finding
from stream_dream.cli.events import (
    EVENTS,
    SCHEMA,
    FrameEvent,
    ItemFinishedEvent,
    NoteEvent,
    ProgressEvent,
    StatusEvent,
)
from stream_dream.cli.help import page
from stream_dream.errors import Interrupted, SettingsError, SinkError
from stream_dream.frame import FrameReport
from stream_dream.live.status import LiveStatus

Run = Callable[..., tuple[int, str, str]]
DEFINITIONS = EVENTS | ANSWERS
ROOT = Path(__file__).parents[2]
TINY = ("--network", "tiny", "--layer", "conv2", "--dream-size", "32", "--warm-up", "1")
SHOW = ("--network", "tiny", "--presets", "dogs", "--dream-size", "160", "--source", "test")

# Of each command, command lines that end well, and the last event of each.
RUNS: dict[str, list[tuple[tuple[str, ...], str]]] = {
    "render": [
        (("a.mp4", "one.mp4", *TINY), "finished"),
        (("a.mp4", "film.mp4", *TINY, "--chunk-seconds", "0.04"), "finished"),
    ],
    "image": [
        (("a.png", "dream.png", *TINY, "--octaves", "1"), "finished"),
        (("a.png", "b.png", "many", *TINY, "--octaves", "1"), "finished"),
        (("a.png", "b.png", "many", *TINY, "--octaves", "1"), "finished"),
    ],
    "loop": [(("a.png", "loop.gif", *TINY, "--frames", "5"), "finished")],
    "journey": [
        (("a.png", "journey.mp4", *TINY, "--longer-side", "32", "--seconds", "0.2"), "finished"),
        (
            (
                "clouds.mp4",
                "--from",
                "noise",
                *TINY,
                "--draft",
                "--seconds",
                "0.2",
                "--chunk-seconds",
                "0.08",
            ),
            "finished",
        ),
    ],
    "live": [((*SHOW, "--duration", "2"), "finished"), (("--list-cameras",), "devices")],
    "plan": [(("a.mp4", "--no-estimate", "--contact-sheet", "plan.png"), "plan")],
    "recipe": [(("dream.png",), "recipe")],
    "looks": [(("a.png", "sheet.png", "--only", "dogs", "--dream-size", "32"), "finished")],
    "presets": [((), "presets"), (("dogs",), "look")],
    "config": [((), "config"), (("live",), "config")],
    "networks": [
        ((), "networks"),
        (("tiny",), "layers"),
        (("tiny", "--measure"), "networks"),
        (("tiny", "--show", "conv2", "--out", "channels.png"), "finished"),
    ],
    "demo": [(("demo.mp4", *TINY, "--end", "0.08", "--size", "32x18"), "finished")],
    "doctor": [((), "doctor")],
    "help": [((), "manual"), (("films",), "manual")],
}


def commands() -> Iterator[tuple[str, Any]]:
    """Yield each command of the program, those of groups as well, with its name."""

    def inside(group: Any, before: str) -> Iterator[tuple[str, Any]]:
        for name, command in group.commands.items():
            if hasattr(command, "commands"):
                yield from inside(command, f"{before}{name} ")
            else:
                yield f"{before}{name}", command

    return inside(typer.main.get_command(app), "")


def events_in(out: str) -> list[dict[str, Any]]:
    """Return the events of standard output; nothing else may be there."""
    return [checked(json.loads(line, parse_constant=pytest.fail)) for line in out.splitlines()]


def checked(event: dict[str, Any]) -> dict[str, Any]:
    """Return an event that is as it is defined."""
    assert list(event)[:2] == ["schema", "event"]
    assert event["schema"] == SCHEMA == 1
    definition = DEFINITIONS[event["event"]]
    values = {name: value for name, value in event.items() if name not in ("schema", "event")}
    assert list(values) == [field.name for field in fields(definition)]
    TypeAdapter(definition).validate_json(json.dumps(values), strict=True)
    return event


def test_every_command_takes_json() -> None:
    names = dict(commands())
    assert set(RUNS) == set(names)
    for name, command in names.items():
        options = [option for param in command.params for option in param.opts]
        assert "--json" in options, name


@pytest.fixture
def inputs(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Work in a folder with a clip and two pictures, with the tiny network."""
    synthetic.register_tiny()
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(doctor, "_speed", lambda: Finding("speed", "good"))
    clips.make(Path("a.mp4"), seconds=0.2)
    for name in ("a.png", "b.png"):
        cv2.imwrite(name, synthetic.photo((48, 32)))


@pytest.mark.slow
def test_every_command_prints_what_is_defined(run: Run, inputs: None) -> None:
    seen: set[str] = set()
    for command, runs in RUNS.items():
        for given, last in runs:
            code, out, err = run(command, *given, "--json")
            assert code == 0, (command, err)
            events = events_in(out)
            assert events[-1]["event"] == last, (command, given)
            if last == "finished":
                assert [event["event"] for event in events].count("finished") == 1
                assert events[-1]["command"] == command
                assert all(Path(target).exists() for target in events[-1]["targets"])
                assert events[-1]["targets"] or command in ("live", "image")
            seen |= {event["event"] for event in events}
    assert set(DEFINITIONS) - seen == {"error", "item_failed"}  # each has a test of its own


@pytest.mark.slow
def test_a_film_tells_how_far_it_is(run: Run, inputs: None) -> None:
    events = events_in(run("render", "a.mp4", "b.mp4", *TINY, "--json")[1])
    assert [event["event"] for event in events if event["event"] != "progress"] == [
        "started",
        *["frame"] * 5,
        "finished",
    ]
    begun = {"sources": ["a.mp4"], "target": "b.mp4", "size": [64, 48], "fps": 25, "frames": 5}
    assert begun.items() <= events[0].items()
    progress = [event for event in events if event["event"] == "progress"]
    assert (progress[0]["done"], progress[-1]["done"], progress[-1]["total"]) == (1, 5, 5)
    assert (events[-1]["targets"], events[-1]["frames"]) == (["b.mp4"], 5)


@pytest.mark.slow
def test_a_picture_that_fails_is_told_and_the_others_go_on(run: Run, inputs: None) -> None:
    Path("b.png").write_text("no picture")
    Path("many").mkdir()
    code, out, err = run("image", "a.png", "b.png", "many", *TINY, "--octaves", "1", "--json")
    events = events_in(out)
    assert code == 1
    assert (events[-1]["event"], events[-1]["failed"]) == ("finished", 1)
    assert events[-1]["targets"] == ["many/a.png"]
    (failed,) = (event for event in events if event["event"] == "item_failed")
    assert (failed["source"], failed["exit_code"]) == ("b.png", 2)
    assert failed["message"] in events[-1]["warnings"]
    assert f"warning: {failed['message']}" in err
    progress = [event for event in events if event["event"] == "progress"]
    assert progress[-1]["done"] == progress[-1]["total"] == 2


def test_a_single_picture_that_fails_begins_and_ends(
    run: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    code, out, _ = run("image", "none.png", "dream.png", "--json")
    events = events_in(out)
    names = [event["event"] for event in events if event["event"] != "progress"]
    assert (code, names) == (2, ["started", "item_started", "item_failed", "error"])
    assert events[-2]["message"] == events[-1]["message"]


@pytest.fixture
def printed(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> Iterator[Callable[[], list[dict[str, Any]]]]:
    """Begin a command with events while the clock stands still; return what returns them."""
    monkeypatch.setattr(json_lines, "time", SimpleNamespace(monotonic=lambda: 0.0))
    json_lines.begin(["render", "--json"])
    yield lambda: events_in(capsys.readouterr().out)
    json_lines.begin(())


def progress(stage: Any, done: float, total: int | None) -> None:
    json_lines.progress(ProgressEvent(stage=stage, unit="frames", done=done, total=total))


def test_progress_is_told_at_begin_and_end_of_each_stage_and_item(
    printed: Callable[[], list[dict[str, Any]]],
) -> None:
    item: dict[str, Any] = {"kind": "film", "number": 1, "name": "", "source": "", "seconds": 1}
    for frame in range(1, 6):
        progress("planning", frame, 5)
    for frame in range(4):
        progress("checking", frame, 9)  # fewer than was expected
    for _ in range(2):
        for frame in range(1, 4):
            progress("dreaming", frame, None)
        json_lines.emit(ItemFinishedEvent(**item))
    for frame in range(1, 3):
        progress("dreaming", frame, None)
    json_lines.finish()
    told = [(event.get("stage"), event.get("done")) for event in printed()]
    film = [("dreaming", 1), ("dreaming", 3), (None, None)]
    assert told == [
        *(("planning", 1), ("planning", 5), ("checking", 0), ("checking", 3)),
        *(*film, *film),
        *(("dreaming", 1), ("dreaming", 2), (None, None)),
    ]


def test_nothing_comes_after_the_last_line_and_each_is_written_at_once(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    late = threading.Thread(target=lambda: json_lines.emit(NoteEvent(text="late")))

    class Output:
        def __init__(self) -> None:
            self.written: list[str] = []

        def write(self, text: str) -> int:
            self.written.append(text)
            if "finished" in text:
                late.start()
            return len(text)

        def flush(self) -> None:
            pass

    output = Output()
    json_lines.begin(["render", "--json"])
    monkeypatch.setattr(sys, "stdout", output)
    json_lines.emit(NoteEvent(text="early"))
    json_lines.finish()
    late.join(SECONDS)
    monkeypatch.undo()
    json_lines.begin(())
    assert all(line.endswith("}\n") for line in output.written)
    assert [json.loads(line)["event"] for line in output.written] == ["note", "finished"]


def test_json_as_the_value_of_an_option_asks_for_no_events(
    run: Run, inputs: None, fake: FakeRender
) -> None:
    code, out, _ = run("render", "a.mp4", "b.mp4", "--report", "--json")
    assert (code, out.count("\n")) == (0, 1)
    assert out.startswith("b.mp4: ")
    assert json.loads(Path("--json").read_text())


@pytest.mark.parametrize("command", RUNS)
def test_a_bad_option_of_any_command_is_an_error(run: Run, command: str) -> None:
    code, out, err = run(command, "--nonsense", "--json")
    (event,) = events_in(out)
    assert (code, event["event"], event["exit_code"]) == (2, "error", 2)
    assert err == f"stream-dream: error: {event['message']}\n"


def test_after_two_dashes_json_is_a_name(run: Run) -> None:
    code, out, err = run("recipe", "--", "--json")
    assert (code, out) == (2, "")
    assert "--json" in err


@pytest.mark.parametrize(
    ("error", "code", "mark"),
    [
        (SettingsError("there is\nno such look"), 2, "error: "),
        (SinkError("the disk is full"), 1, "error: "),
        (RuntimeError("a bug"), 1, "error: "),
        (Interrupted("interrupted: the first 3 frames are in b.mp4"), 130, ""),
    ],
)
def test_a_failure_is_the_last_event(
    run: Run, fake: FakeRender, error: Exception, code: int, mark: str
) -> None:
    fake.error = error
    ended, out, err = run("render", "a.mp4", "b.mp4", "--json")
    (event,) = events_in(out)
    assert (ended, event["event"], event["exit_code"]) == (code, "error", code)
    assert err == f"stream-dream: {mark}{event['message']}\n"


def test_ctrl_c_before_the_work_is_an_error(run: Run, fake: FakeRender) -> None:
    fake.error = KeyboardInterrupt()
    code, out, err = run("render", "a.mp4", "b.mp4", "--json")
    assert (code, err) == (130, "stream-dream: stopped\n")
    (event,) = events_in(out)
    assert (event["event"], event["exit_code"]) == ("error", 130)


@pytest.mark.slow
@pytest.mark.stops
def test_ctrl_c_ends_a_render_with_an_error_that_names_what_is_kept(tmp_path: Path) -> None:
    source = clips.make(tmp_path / "a.mp4", seconds=60)
    command = Command("render", source, tmp_path / "b.mp4", "--dream-size", "32", "--keep-chunks")
    try:
        command.wait_until_dreaming()
        command.stop(signal.SIGINT)
        out, err = command.process.communicate(timeout=SECONDS)
    finally:
        command.end()
    last = events_in(out)[-1]
    assert (command.process.returncode, last["event"], last["exit_code"]) == (130, "error", 130)
    assert "--resume" in last["message"]
    assert err.endswith(f"stream-dream: {last['message']}\n")


def test_warnings_and_notes_are_events_too(run: Run, fake: FakeRender) -> None:
    fake.warning = "a.mp4 ends early"
    code, out, err = run("render", "a.mp4", "b.mp4", "--iterations", "2", "--json")
    events = events_in(out)
    assert code == 0
    assert {"event": "warning", "text": fake.warning}.items() <= events[-2].items()
    assert events[-1]["warnings"] == [fake.warning]
    assert events[0]["event"] == "note"
    assert "--steps" in events[0]["text"]
    assert f"stream-dream: warning: {fake.warning}\n" in err


def test_lines_of_standard_error_are_told_by_their_begin(
    capsys: pytest.CaptureFixture[str],
) -> None:
    json_lines.begin(["render", "--json"])
    for line in ("error: a.mp4 is no film", "warning: it ends early", "2 workers"):
        json_lines.tell(line)
    json_lines.begin(())
    told = [(event["event"], event["text"]) for event in events_in(capsys.readouterr().out)]
    assert told == [
        ("warning", "a.mp4 is no film"),
        ("warning", "it ends early"),
        ("note", "2 workers"),
    ]


def test_what_is_no_number_is_null(capsys: pytest.CaptureFixture[str]) -> None:
    json_lines.begin(["render", "--json"])
    values: dict[str, Any] = {"index": 0, "visible_share": math.nan, "cut": False, "checksum": None}
    json_lines.emit(FrameEvent(seconds={"flow": math.inf}, loss=-math.inf, **values))
    json_lines.emit(ProgressEvent(stage="dreaming", unit="frames", done=math.nan, total=None))
    json_lines.begin(())
    frame, progress = (
        json.loads(line, parse_constant=pytest.fail)
        for line in capsys.readouterr().out.splitlines()
    )
    assert (frame["visible_share"], frame["loss"], frame["seconds"]) == (None, None, {"flow": None})
    assert progress["done"] is None


def test_nothing_is_printed_without_json(run: Run, fake: FakeRender) -> None:
    fake.warning = "a.mp4 ends early"
    assert run("render", "a.mp4", "b.mp4", "--quiet")[1] == ""


def test_reports_and_their_events_have_the_same_fields() -> None:
    for report, event in ((FrameReport, FrameEvent), (LiveStatus, StatusEvent)):
        assert [item.name for item in fields(report)] == [item.name for item in fields(event)]


def test_the_manual_has_every_event_and_field() -> None:
    spec = importlib.util.spec_from_file_location("table", ROOT / "scripts" / "events_table.py")
    assert spec is not None
    assert spec.loader is not None
    table = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(table)
    text = page("pipelines")
    assert table.filled(text) == text, "run scripts/events_table.py"
    for name, definition in DEFINITIONS.items():
        _, _, section = text.partition(f"\n### {name}\n")
        section = section.partition("\n### ")[0]
        for field in fields(definition):
            assert f"\n| `{field.name}` | " in section, (name, field.name)


@pytest.mark.slow
@pytest.mark.parametrize("command", [("presets",), ("networks",), ("help", "films"), ("config",)])
def test_a_reader_that_leaves_is_no_failure(command: tuple[str, ...]) -> None:
    reader, writer = os.pipe()
    os.close(reader)
    words = [sys.executable, "-m", "stream_dream", *command, "--json"]
    done = subprocess.run(words, stdout=writer, stderr=subprocess.PIPE, timeout=SECONDS)
    os.close(writer)
    assert (done.returncode, done.stderr) == (0, b"")


@pytest.mark.slow
@pytest.mark.stops
def test_a_show_ends_though_its_reader_has_stopped_reading() -> None:
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    with contextlib.suppress(BlockingIOError):
        while True:
            os.write(writer, b" ")
    os.set_blocking(writer, True)
    words = ["live", "--source", "test", "--duration", "1", "--dream-size", "160", "--json"]
    with subprocess.Popen(
        [sys.executable, "-m", "stream_dream", *words], stdout=writer, stderr=subprocess.PIPE
    ) as process:
        assert process.wait(SECONDS) == 0
    os.close(reader)
    os.close(writer)


@pytest.mark.slow
@pytest.mark.skipif(not Path("/dev/full").exists(), reason="no full device")
@pytest.mark.parametrize("command", [("presets",), ("networks",), ("config",), ("help",)])
def test_a_full_disk_fails_what_only_prints(command: tuple[str, ...]) -> None:
    words = [sys.executable, "-m", "stream_dream", *command, "--json"]
    with Path("/dev/full").open("wb") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, timeout=SECONDS)
    assert done.returncode == 1
    assert done.stderr.count(b"\n") == 1
