"""Replaces rtmidi2 for a child process: ports and messages are files in the folder FAKE_MIDI.

``ports`` names the ports, a line each; a port called ``broken`` ends the process when it is opened,
as the real library does; ``busy`` cannot be opened; ``loop`` returns what is sent to it. Lines
added to ``in`` are received, lines of ``out`` were sent: a name and hexadecimal bytes.
"""

import os
from pathlib import Path

API_UNSPECIFIED, API_LINUX_ALSA = 0, 2
_FOLDER = Path(os.environ["FAKE_MIDI"])


class _Client:
    def __init__(self) -> None:
        if not (_FOLDER / "ports").exists():
            raise RuntimeError("MidiInAlsa::initialize: error creating\nALSA sequencer client.")
        self.name = ""

    @property
    def ports(self) -> list[str]:
        return (_FOLDER / "ports").read_text().splitlines()

    def open_port(self, place: int) -> None:
        if "broken" in self.ports[place]:
            os.abort()
        if "busy" in self.ports[place]:
            raise RuntimeError("it is busy")
        self.name = self.ports[place]

    def close_port(self) -> None:
        self.name = ""


class MidiIn(_Client):
    """An input."""

    def __init__(self, client: str, queue: int, api: int) -> None:
        """Open nothing."""
        super().__init__()
        self.taken = 0

    def ignore_types(self, sysex: bool, time: bool, sense: bool) -> None:
        """Check that the clock comes through."""
        assert not time

    def open_port(self, place: int) -> None:
        """Open the port of a number."""
        super().open_port(place)
        self.taken = len(self._lines())

    def get_message(self) -> list[int] | None:
        """Return the next message; None if there is none."""
        lines = self._lines()[self.taken :]
        if not lines:
            return None
        self.taken += 1
        name, message = lines[0].rsplit(maxsplit=1)
        return list(bytes.fromhex(message)) if name == self.name else self.get_message()

    def _lines(self) -> list[str]:
        path = _FOLDER / "in"
        return path.read_text().splitlines() if path.exists() else []


class MidiOut(_Client):
    """An output."""

    def __init__(self, client: str, api: int) -> None:
        """Open nothing."""
        super().__init__()

    def send_message(self, message: list[int]) -> None:
        """Send a message."""
        with (_FOLDER / "out").open("a") as file:
            file.write(f"{self.name} {bytes(message).hex()}\n")
        if "loop" in self.name:
            with (_FOLDER / "in").open("a") as file:
                file.write(f"{self.name} {bytes(message).hex()}\n")
