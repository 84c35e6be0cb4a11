"""A program of its own that reads and writes the MIDI ports of this machine.

rtmidi2 runs in a child process because its C++ side ends the process when a port cannot be opened
(1.5.0: another program holds it, or it has gone meanwhile). It needs nothing of this package.

Queues are read, as callbacks could wait for ever: a port is closed under Python's lock, and waits
for a callback that waits for that lock.

It writes lines of JSON: ``problem`` if the system has no MIDI; ``inputs`` and ``open`` (names) at
the start and whenever they change; ``opening`` (a name) before it opens a port; ``port`` and
``midi`` (hexadecimal) for each message. It reads lines of ``port`` and ``midi`` to send. It ends
with its standard input.

    midi_program.py PART_OF_NAMES '["NAME NOT TO OPEN", ...]'
    midi_program.py list
"""

from __future__ import annotations

import json
import os
import queue
import re
import signal
import sys
import threading
import time
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

_CLIENT = "stream_dream"
_QUEUE_MESSAGES = 4096
# A tick of a MIDI clock comes every 20 ms at 125 bpm; reading later shifts the beat.
_READ_SECONDS = 0.002
# Less than it takes to unplug a controller and plug it in again: it would look as before, but be
# connected no more.
_LOOK_SECONDS = 0.5
# One device must not keep the others waiting.
_MOST_AT_ONCE = 256
# No device, but all programs at once; opened where it is asked for.
_ECHO = "midi through"


class Ports:
    """The inputs that are open, each with its output, found again when they are plugged in."""

    def __init__(
        self, library: Any, wanted: str, refused: Sequence[str], say: Callable[..., None]
    ) -> None:
        """Open nothing yet.

        Args:
            library: rtmidi2.
            wanted: Part of the names of the inputs to open; "" for all.
            refused: Names that are not opened before they have been gone.
            say: Called with what is to be told.

        Raises:
            RuntimeError: The system has no MIDI.
        """
        self._library, self._wanted, self._say = library, wanted.casefold(), say
        self._refused = set(refused)
        self._client = _clients(library)[0]
        self._inputs: list[str] = []
        self._open: dict[str, tuple[Any, Any]] = {}

    def look(self) -> None:
        """Open inputs that have appeared, close those that are gone, and tell of any change."""
        before = self._inputs, list(self._open)
        self._inputs = _names(self._client)
        for name in [name for name in self._open if name not in self._inputs]:
            for client in self._open.pop(name):
                if client is not None:
                    client.close_port()
        self._refused &= set(self._inputs)
        for name in self._inputs:
            if self._is_wanted(name) and name not in self._open and name not in self._refused:
                self._say(opening=name)
                try:
                    self._open[name] = self._opened(name)
                except Exception:
                    self._refused.add(name)
        if before != (self._inputs, list(self._open)):
            self._say(inputs=self._inputs, open=list(self._open), refused=sorted(self._refused))

    def read(self) -> None:
        """Report all messages received."""
        for name, (source, _) in self._open.items():
            for _ in range(_MOST_AT_ONCE):
                message = source.get_message()
                if message is None:
                    break
                self._say(port=name, midi=bytes(message).hex())

    def send(self, name: str, message: bytes) -> None:
        """Send a message to the output of a device; nothing if it has none."""
        sink = self._open.get(name, (None, None))[1]
        if sink is not None:
            with suppress(Exception):  # it is gone: the next look tells
                sink.send_message(list(message))

    def _is_wanted(self, name: str) -> bool:
        if not self._wanted:
            return _ECHO not in name.casefold()
        return self._wanted in name.casefold()

    def _opened(self, name: str) -> tuple[Any, Any]:
        """Return an open input, and the output of the same device or None."""
        source, sink = _clients(self._library)
        source.ignore_types(True, False, True)  # system exclusive, not the clock, active sensing
        # Numbers change whenever a port is opened: ours are among them.
        source.open_port(_all_names(source).index(name))
        counterpart = _counterpart(name, _all_names(sink))
        if counterpart is None:
            return source, None
        sink.open_port(counterpart)
        return source, sink


def main() -> None:
    """Read and write until standard input ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the parent's matter
    out = os.fdopen(os.dup(1), "wb", buffering=0)
    os.dup2(2, 1)  # what a library prints

    def say(**message: Any) -> None:
        out.write(json.dumps(message).encode() + b"\n")

    requests: queue.SimpleQueue[tuple[str, bytes]] = queue.SimpleQueue()
    threading.Thread(target=_take_requests, args=(requests,), daemon=True).start()
    try:
        import rtmidi2

        if sys.argv[1:] == ["list"]:
            say(inputs=_names(_clients(rtmidi2)[0]))
            return
        ports = Ports(rtmidi2, sys.argv[1], json.loads(sys.argv[2]), say)
        ports.look()
    except Exception as error:
        say(problem=" ".join(str(error).split()))
        return
    say(begun=True)
    look_due = time.monotonic() + _LOOK_SECONDS
    while True:
        ports.read()
        with suppress(queue.Empty):
            while True:
                ports.send(*requests.get_nowait())
        if time.monotonic() >= look_due:
            look_due = time.monotonic() + _LOOK_SECONDS
            ports.look()
        time.sleep(_READ_SECONDS)


def _take_requests(requests: queue.SimpleQueue[tuple[str, bytes]]) -> None:
    """Read what is to be sent; end the process when standard input does."""
    for line in sys.stdin:
        request = json.loads(line)
        requests.put((request["port"], bytes.fromhex(request["midi"])))
    os._exit(0)


def _clients(library: Any) -> tuple[Any, Any]:
    """Return an input and an output, neither of them connected."""
    # Without a port the library would take JACK, and never see one that is plugged in.
    api = library.API_LINUX_ALSA if sys.platform == "linux" else library.API_UNSPECIFIED
    return library.MidiIn(_CLIENT, _QUEUE_MESSAGES, api), library.MidiOut(_CLIENT, api)


def _all_names(client: Any) -> list[str]:
    """Return the names of all ports; the second of a name gets (2) behind it."""
    names = [
        "".join(sign if sign.isprintable() else "?" for sign in name or "?")
        for name in client.ports
    ]
    counts = [names[:place].count(name) for place, name in enumerate(names)]
    return [f"{name} ({n + 1})" if n else name for name, n in zip(names, counts, strict=True)]


def _names(client: Any) -> list[str]:
    """Return the names of all ports of other programs: ALSA lists our outputs as inputs."""
    return [name for name in _all_names(client) if not name.startswith(f"{_CLIENT}:")]


def _counterpart(name: str, outputs: Sequence[str]) -> int | None:
    """Return the number of the output that belongs to an input; None if there is none.

    They have one name on Linux and macOS; on Windows the numbers at its end differ.
    """
    if _ECHO in name.casefold():
        return None
    if name in outputs:
        return outputs.index(name)
    stems = [_stem(output) for output in outputs]
    return stems.index(_stem(name)) if sys.platform == "win32" and _stem(name) in stems else None


def _stem(name: str) -> str:
    return re.sub(r"\s\d+$", "", name)


if __name__ == "__main__":
    main()
