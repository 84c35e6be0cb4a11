"""Films whose command or workers are stopped or killed."""

from __future__ import annotations

import json
import os
import signal
from collections.abc import Callable, Iterator
from pathlib import Path

import films
import pytest
from commands import Command
from gates import Gate

from stream_dream.errors import Interrupted
from stream_dream.film.events import FilmEvents
from stream_dream.film.in_chunks import render_film
from stream_dream.film.job.chunk_record import ChunkRecord
from stream_dream.film.plan.plan import Chunk
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.output import OutputSettings


def kill_other_worker(
    stopping: BaseException | None = None, note: Callable[[str], None] = print
) -> FilmEvents:
    """Kill the other worker when one has finished the first chunk."""
    killed: list[int] = []

    def done(chunk: Chunk, record: ChunkRecord) -> None:
        if not killed:
            killed.extend(films.worker_processes().keys() - {int(record.worker.rpartition(":")[2])})
            os.kill(killed[0], signal.SIGKILL)
            if stopping is not None:
                raise stopping

    return FilmEvents(done=done, note=note)


@pytest.mark.slow
@pytest.mark.stops
def test_a_killed_worker_is_replaced(
    gate: Gate, network: Path, source: Path, tmp_path: Path
) -> None:
    one = films.in_one_piece(source, tmp_path / "one.mp4", films.dream_of(network))
    notes = films.Notes()
    gate.hold(0)  # the worker that gets killed dreams it

    def note(line: str) -> None:
        notes(line)
        gate.open()

    summary = render_film(
        source,
        tmp_path / "film.mp4",
        films.dream_of(network),
        OutputSettings(),
        FilmSettings(chunk_seconds=0.24, workers=2),
        events=kill_other_worker(note=note),
    )
    assert films.checksums(summary) == one
    assert [record.attempts for record in summary.records] == [2] + [1] * 8
    assert notes.lines == [
        "frames 0 to 3 are dreamed again: its worker was ended from outside, perhaps for lack of "
        "memory"
    ]


@pytest.mark.slow
@pytest.mark.stops
def test_a_worker_killed_during_an_interrupt_is_not_replaced(
    gate: Gate, network: Path, source: Path, tmp_path: Path
) -> None:
    gate.hold(0)
    with pytest.raises(Interrupted, match=r"1 of 9 chunks are done"):
        render_film(
            source,
            tmp_path / "film.mp4",
            films.dream_of(network),
            OutputSettings(),
            FilmSettings(chunk_seconds=0.24, workers=2),
            events=kill_other_worker(KeyboardInterrupt()),
        )


def arguments(network: Path, source: Path, target: Path, *more: str) -> list[str]:
    options = ["--network", str(network), "--layer", "conv1", "--warm-up", "2"]
    chunks = ["--chunk-seconds", "0.24", "--workers", "2"]
    return ["render", str(source), str(target), *options, *chunks, *more]


@pytest.fixture
def start() -> Iterator[Callable[..., Command]]:
    """Return a function that starts a command, which ends with the test."""
    commands: list[Command] = []

    def begin(*given: str) -> Command:
        commands.append(Command(*given))
        return commands[-1]

    yield begin
    for command in commands:
        command.end()


@pytest.mark.slow
@pytest.mark.stops
def test_a_killed_command_can_be_resumed(
    gate: Gate, start: Callable[..., Command], network: Path, source: Path, tmp_path: Path
) -> None:
    one = films.in_one_piece(source, tmp_path / "one.mp4", films.dream_of(network))
    target, report = tmp_path / "film.mp4", tmp_path / "report.json"
    folder = tmp_path / "film.mp4.dream"
    gate.hold(0)
    command = start(*arguments(network, source, target, "--resume"))
    command.wait_until(lambda said: "chunk" in said)
    command.stop(signal.SIGKILL)
    assert command.ended() == (-signal.SIGKILL, "")
    assert command.left() == {}
    gate.open()
    done = {path.stem: json.loads(path.read_text()) for path in folder.glob("000*.json")}
    assert done
    assert not target.exists()
    again = start(*arguments(network, source, target, "--resume", "--report", str(report)))
    assert again.ended() == (0, "")
    made = json.loads(report.read_text())
    assert made["checksums"] == one
    for number, record in done.items():
        chunk = made["chunks"][int(number)]
        assert (chunk["worker"], chunk["seconds"]) == (
            record["worker"],
            round(record["seconds"], 3),
        )
    assert sorted(path.name for path in tmp_path.iterdir()) == [
        "film.mp4",
        "one.mp4",
        "report.json",
    ]


@pytest.mark.slow
@pytest.mark.stops
def test_workers_end_when_only_their_command_is_killed(
    gate: Gate, start: Callable[..., Command], network: Path, source: Path, tmp_path: Path
) -> None:
    gate.hold(0)
    command = start(*arguments(network, source, tmp_path / "film.mp4"))
    command.wait_until(lambda said: "chunk" in said)
    command.process.kill()
    assert command.ended() == (-signal.SIGKILL, "")
    assert command.left() == {}


@pytest.mark.slow
@pytest.mark.parametrize("twice", [False, True])
@pytest.mark.stops
def test_a_stopped_command_leaves_no_process(
    gate: Gate,
    start: Callable[..., Command],
    network: Path,
    source: Path,
    tmp_path: Path,
    twice: bool,
) -> None:
    gate.hold(0)
    command = start(*arguments(network, source, tmp_path / "film.mp4"))
    command.wait_until(lambda said: "chunk" in said)
    command.stop(signal.SIGINT)
    command.wait_until_stopping()
    if twice:
        command.stop(signal.SIGINT)
    else:
        gate.open()
    code, said = command.ended()
    assert code == 130
    ending = "stream-dream: stopped" if twice else "stream-dream: interrupted: "
    assert said.splitlines()[-1].startswith(ending)
    assert "Traceback" not in said
    assert command.left() == {}
    assert (tmp_path / "film.mp4.dream" / "job.json").exists()
