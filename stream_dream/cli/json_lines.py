"""Prints the events of ``--json`` as lines on standard output."""

from __future__ import annotations

import json
import math
import queue
import sys
import threading
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import fields, is_dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Any

from stream_dream.cli.answers import ANSWERS
from stream_dream.cli.events import (
    EVENTS,
    SCHEMA,
    ErrorEvent,
    FinishedEvent,
    ItemFailedEvent,
    ItemFinishedEvent,
    NoteEvent,
    ProgressEvent,
    StartedEvent,
    WarningEvent,
)

_NAMES = {definition: name for name, definition in (EVENTS | ANSWERS).items()}
# How long the end of a command waits for a reader that has stopped reading.
_PATIENCE_SECONDS = 1.0
_TURN_SECONDS = 1.0
_ITEM_ENDS = (ItemFinishedEvent, ItemFailedEvent)
# Lines that wait for a reader of a show's events; more of them are dropped.
_MOST_WAITING = 100


class _Background:
    """Prints lines in a thread: a show goes on when the reader of its events stops reading."""

    def __init__(self) -> None:
        self._lines: queue.Queue[str | None] = queue.Queue(_MOST_WAITING)
        self._thread = threading.Thread(target=self._work, name="events", daemon=True)
        self._thread.start()

    def put(self, line: str) -> None:
        with suppress(queue.Full):
            self._lines.put_nowait(line)

    def close(self) -> None:
        """Print what waits, but do not wait long for it."""
        with suppress(queue.Full):
            self._lines.put(None, timeout=_PATIENCE_SECONDS)
        self._thread.join(_PATIENCE_SECONDS)

    @property
    def is_stuck(self) -> bool:
        return self._thread.is_alive()

    def _work(self) -> None:
        while (line := self._lines.get()) is not None:
            _write(line)


class _Run:
    """The command that runs."""

    def __init__(self, arguments: Sequence[str]) -> None:
        given = arguments[: arguments.index("--")] if "--" in arguments else arguments
        self.wanted = "--json" in given
        self.command = next((word for word in arguments if not word.startswith("-")), "")
        self.begun = time.monotonic()
        self.warnings: list[str] = []
        self.started = False
        self.exit_code: int | None = None
        self.background: _Background | None = None
        self.held: ProgressEvent | None = None
        self.stage = ""
        self.told = -math.inf


_run = _Run(())
_printing = threading.RLock()


def begin(arguments: Sequence[str]) -> None:
    """Start printing events for a command if ``--json`` is among its arguments.

    ``parsed`` corrects this once it is known which of them are options.
    """
    global _run
    _run = _Run(arguments)


def parsed(*, as_json: bool) -> None:
    """Print events as the option says; the word ``--json`` may have been the value of another."""
    _run.wanted = as_json


def print_in_background() -> None:
    """Print what follows in a thread: nothing waits for whoever reads it."""
    if _run.wanted:
        _run.background = _Background()


def wanted() -> bool:
    """Return whether the command prints events."""
    return _run.wanted


def emit(event: object) -> None:
    """Print an event if they are wanted; after the last one nothing more is printed."""
    run = _run
    with _printing:
        if not run.wanted or run.exit_code is not None:
            return
        if isinstance(event, _ITEM_ENDS):
            _print_held(run)
            run.stage = ""  # the next progress is that of another item
        _print(run, event)


def progress(event: ProgressEvent) -> None:
    """Print how far the work is: at the begin and end of a stage, and about once a second."""
    run = _run
    with _printing:
        now, begins = time.monotonic(), event.stage != run.stage
        if begins:
            _print_held(run)
        if begins or event.done == event.total or now - run.told >= _TURN_SECONDS:
            run.held, run.stage, run.told = None, event.stage, now
            emit(event)
        else:
            run.held = event


def _print_held(run: _Run) -> None:
    held, run.held = run.held, None
    if held is not None:
        emit(held)


def _print(run: _Run, event: object) -> None:
    line = json.dumps(
        {"schema": SCHEMA, "event": _NAMES[type(event)], **_plain(event)}, allow_nan=False
    )
    if run.background is not None:
        run.background.put(line)
    else:
        _write(line)


def _write(line: str) -> None:
    sys.stdout.write(f"{line}\n")  # in one piece, which no other thread divides
    sys.stdout.flush()


def start(sources: Sequence[Path | str], target: Path | str | None = None, **known: Any) -> None:
    """Print ``started``, once; ``known`` are its other fields."""
    run = _run
    if not run.started:
        run.started = True
        known |= {"command": run.command, "version": version("stream-dream")}
        texts = tuple(map(str, sources))
        emit(StartedEvent(sources=texts, target=None if target is None else str(target), **known))


def finish(targets: Sequence[Path | str] = (), **known: Any) -> None:
    """Print ``finished``; ``known`` are its other fields."""
    run = _run
    known.setdefault("seconds", time.monotonic() - run.begun)
    known |= {"command": run.command, "warnings": tuple(run.warnings)}
    code = 1 if known.get("failed") else 0
    _end(FinishedEvent(targets=tuple(map(str, targets)), **known), code)


def fail(message: str, exit_code: int) -> None:
    """Print ``error``, unless the command has ended."""
    _end(ErrorEvent(message=message, exit_code=exit_code), exit_code)


def _end(event: object, exit_code: int) -> None:
    """Print the last event, unless the command has ended."""
    run = _run
    with _printing:
        if run.exit_code is not None:
            return
        _print_held(run)
        run.exit_code = exit_code  # from here on no signal divides or follows the line
        if run.wanted:
            _print(run, event)
    if run.background is not None:
        run.background.close()


def exit_code() -> int | None:
    """Return the exit code of a command that has told its end; None before."""
    return _run.exit_code


def is_stuck() -> bool:
    """Return whether nobody reads what is printed in the background: an exit would wait."""
    return _run.background is not None and _run.background.is_stuck


def tell(line: str) -> None:
    """Print a line of standard error as an event: a warning or error by its begin, else a note."""
    text = line.removeprefix("warning: ").removeprefix("error: ")
    if text == line:
        emit(NoteEvent(text=text))
    else:
        _run.warnings.append(text)
        emit(WarningEvent(text=text))


def _plain(value: Any) -> Any:
    """Return a value as JSON has it: no NaN or infinity, which it lacks, but null."""
    if is_dataclass(value) and not isinstance(value, type):
        return {item.name: _plain(getattr(value, item.name)) for item in fields(value)}
    if isinstance(value, Mapping):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Path):
        return str(value)
    number = float(value)
    return number if math.isfinite(number) else None
