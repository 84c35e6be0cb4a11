"""The controllers of this machine: found whenever they are plugged in, read by a child process."""

from __future__ import annotations

import importlib.util
import json
import logging
import subprocess
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

from stream_dream.errors import SettingsError, SourceError
from stream_dream.live.control.midi_map import Lamps, MidiMap
from stream_dream.runtime.child_process import end_process
from stream_dream.runtime.limited_log import LimitedLog
from stream_dream.runtime.quiet import debugging

log = logging.getLogger("stream_dream.live")

LIST = "list"
"""Name that lists the ports instead of opening one."""

_PROGRAM = Path(__file__).with_name("midi_program.py")
_BEGIN_SECONDS = 10.0
_CLOSE_SECONDS = 2.0
_AGAIN_SECONDS = 2.0
_LAMP_SECONDS = 0.02


class MidiPorts:
    """Connects controllers with a map, for as long as they are plugged in."""

    def __init__(self, midi: MidiMap, wanted: str = "") -> None:
        """Open the ports that are there now, and wait for others in a thread.

        Args:
            midi: What plays the messages.
            wanted: Part of the names of the inputs to open; "" for all.

        Raises:
            SettingsError: rtmidi2 is not installed.
            SourceError: The system has no MIDI.
        """
        self._midi, self._wanted = midi, wanted
        self._lamps: dict[str, Lamps] = {}
        self._refused: set[str] = set()
        self._opening: str | None = None
        self._told = ""
        self._problems = LimitedLog(log, "midi: lamps", seconds=60.0)
        self._closed = threading.Event()
        self._program = _Program(wanted, "[]")
        try:
            self._begin()
        except BaseException:
            self._program.close()
            raise
        self._threads = [
            threading.Thread(target=work, name="midi", daemon=True)
            for work in (self._listen, self._light)
        ]
        for thread in self._threads:
            thread.start()

    @property
    def open_ports(self) -> tuple[str, ...]:
        """Names of the inputs that are open now."""
        return tuple(self._lamps)

    def close(self) -> None:
        """Close all ports; calling it again does nothing."""
        self._closed.set()
        self._program.close()
        for thread in self._threads:
            thread.join(_CLOSE_SECONDS)

    def _begin(self) -> None:
        """Read the messages of the program until it has started. Raises ``SourceError``."""
        inputs: list[str] = []
        with self._program.in_time():
            for message in self._program.messages():
                inputs = message.get("inputs", inputs)
                self._take(message)
                if "begun" in message:
                    break
            else:
                if self._opening is not None:  # that port has ended it: see below
                    return
                raise SourceError("--midi: the program for MIDI ports does not begin")
        if not self._lamps:
            called = "" if self._wanted == "" else f" called {self._wanted!r}"
            there = ", ".join(inputs) or "none"
            self._tell(f"midi: no input{called} yet: it is waited for; there are: {there}")

    def _listen(self) -> None:
        """Play what comes; start the program again whenever it has ended."""
        while True:
            problem = "the program for MIDI ports has ended"
            try:
                for message in self._program.messages():
                    self._take(message)
            except SourceError as error:
                problem = str(error)
            self._program.close()
            self._lamps = {}
            if self._opening is not None:
                self._refuse(self._opening)
            elif not self._closed.is_set():
                self._tell(f"midi: {problem}: it is tried again")
                self._closed.wait(_AGAIN_SECONDS)
            if self._closed.is_set():
                return
            with suppress(SourceError):  # it is as if it had ended at once
                self._program = _Program(self._wanted, json.dumps(sorted(self._refused)))
            if self._closed.is_set():
                self._program.close()

    def _take(self, message: dict[str, Any]) -> None:
        """Handle a message of the program. Raises ``SourceError`` if it has a problem."""
        if "midi" in message:
            self._play(message["port"], bytes.fromhex(message["midi"]))
        elif "opening" in message:
            self._opening = message["opening"]
        elif "open" in message:
            self._opening = None
            for name in set(message["refused"]) - self._refused:
                self._refuse(name)
            self._refused = set(message["refused"])
            before, names = self._lamps, message["open"]
            self._lamps = {name: before.get(name) or Lamps(self._midi) for name in names}
            for name in before:
                if name not in names:
                    self._tell(f"midi: {name} is gone: it is waited for")
            for name in names:
                if name not in before:
                    self._tell(f"midi: {name} is there", logging.INFO)
        elif "problem" in message:
            raise SourceError(_no_midi(message["problem"]))

    def _play(self, port: str, message: bytes) -> None:
        """Play a message of a port, unless it is one of ours that comes back."""
        lamps = self._lamps.get(port)
        if lamps is None or not lamps.sent_just_now(message):
            self._midi.receive(message, port)

    def _refuse(self, name: str) -> None:
        """Leave a port alone that cannot be opened, until it is plugged in again."""
        self._opening = None
        self._refused.add(name)
        hint = "does another program hold it? Plug it in again to retry"
        self._tell(f"midi: {name} does not open: {hint}")

    def _light(self) -> None:
        """Send what lamps and motor faders are to show."""
        while not self._closed.wait(_LAMP_SECONDS):
            try:
                for name, lamps in self._lamps.items():
                    for lamp in lamps.changed():
                        self._program.send(name, lamp)
            except Exception:  # an unexpected error must not end the thread
                self._problems.warn("midi: lamps could not be lit", trace=True)

    def _tell(self, line: str, level: int = logging.WARNING) -> None:
        if line != self._told:  # a machine without MIDI is asked every two seconds
            self._told = line
            log.log(level, "%s", line)


def listed_ports() -> list[str]:
    """Return the names of the MIDI inputs of this machine.

    Raises:
        SettingsError: rtmidi2 is not installed.
        SourceError: The system has no MIDI.
    """
    program = _Program(LIST)
    try:
        with program.in_time():
            message = next(program.messages(), {"problem": "it does not answer"})
    finally:
        program.close()
    if "problem" in message:
        raise SourceError(_no_midi(message["problem"]))
    return list(message["inputs"])


def _no_midi(reason: str) -> str:
    hint = "; on Linux try: sudo modprobe snd-seq" if sys.platform == "linux" else ""
    return f"this machine has no MIDI ({reason.rstrip('.')}){hint}"


class _Program:
    """One run of ``midi_program``."""

    def __init__(self, *arguments: str) -> None:
        if importlib.util.find_spec("rtmidi2") is None:
            raise SettingsError("--midi needs the extra midi: pip install 'stream-dream[midi]'")
        try:
            self._process = subprocess.Popen(
                # -P: modules beside the program, or beside the user's films, are not the library's.
                [sys.executable, "-P", str(_PROGRAM), *arguments],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=None if debugging() else subprocess.DEVNULL,
            )
        except OSError as error:
            raise SourceError(f"the program for MIDI ports does not start: {error}") from error

    @contextmanager
    def in_time(self) -> Iterator[None]:
        """End the program if the block takes too long."""
        watchdog = threading.Timer(_BEGIN_SECONDS, self._process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            yield
        finally:
            watchdog.cancel()

    def messages(self) -> Iterator[dict[str, Any]]:
        """Yield what it says, until it ends."""
        assert self._process.stdout is not None
        with suppress(OSError, ValueError):  # closed by another thread
            for line in self._process.stdout:
                if not line.endswith(b"\n"):
                    return
                yield json.loads(line)

    def send(self, port: str, message: bytes) -> None:
        """Send a message to a port; nothing happens if the program has ended."""
        assert self._process.stdin is not None
        line = json.dumps({"port": port, "midi": message.hex()})
        with suppress(OSError, ValueError):  # the listener notices
            self._process.stdin.write(line.encode() + b"\n")
            self._process.stdin.flush()

    def close(self) -> None:
        """End the program and close its pipes; calling it again does nothing."""
        end_process(self._process)
