"""OSC over UDP (TouchOSC, Max, a lighting desk) for the controls.

python-osc parses single messages. Its server is not used: in 1.10.2 a bundle element of size -4
loops for ever, and an address of 20 asterisks blocks its dispatcher for seconds, each further one
half as long again.
"""

from __future__ import annotations

import difflib
import logging
import math
import socket
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

from stream_dream.errors import SettingsError
from stream_dream.live.control.controls import ACTIONS, Controls
from stream_dream.live.listening import bound
from stream_dream.settings.live import LiveParameters, parameter_range

_LOG = logging.getLogger("stream_dream.live")

_PREFIX = "/stream_dream/"
_ADDRESSES = (
    *(_PREFIX + name for name in (*LiveParameters.model_fields, "preset", *ACTIONS)),
    *("/" + name for name in ("preset", *ACTIONS)),
)
# Integers, floats, strings and booleans, the types of all parameters; python-osc writes to the root
# log for each type that it does not know.
_TYPES = frozenset("ihfdsTF")
_BUNDLE, _BUNDLE_HEAD = b"#bundle\0", 16
# Relative error of a float32: 0.995 arrives as 0.99500000477.
_ROUNDING = 1e-6
_POLL_SECONDS = 0.1
_LINES_A_SECOND = 10
_LONGEST_LINE = 240


class OscControl:
    """An OSC server.

    ``/stream_dream/PARAMETER value`` changes a live parameter. ``/stream_dream/preset name`` and
    ``/preset name`` change the look. ``/stream_dream/ACTION`` and ``/ACTION`` act like a key; a
    number after it is a button's state: ``freeze`` holds the picture at 1 and releases it at 0, the
    others act at 1 (pressed) and not at 0 (released). Dashes count as underscores.

    Messages of a bundle are executed at once, in order: time tags are ignored. All else is refused
    with a line in the log, and changes nothing.
    """

    def __init__(self, host: str, port: int, controls: Controls) -> None:
        """Start to listen, in a thread.

        Args:
            host: Name or address of this machine to listen at: 127.0.0.1 for this machine alone,
                0.0.0.0 for every network.
            port: UDP port; 0 for any that is free.
            controls: Controls to change.

        Raises:
            SettingsError: python-osc is missing, or the address cannot be listened at.
        """
        try:
            import pythonosc.osc_message  # noqa: F401
        except ImportError:
            raise SettingsError(
                "--osc needs the extra live: pip install 'stream-dream[live]'"
            ) from None
        self._controls = controls
        self._refusals = Refusals(_LOG)
        self._socket = bound("--osc", host, port, socket.SOCK_DGRAM)
        self._socket.settimeout(_POLL_SECONDS)
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._serve, name="osc", daemon=True)
        self._thread.start()

    @property
    def port(self) -> int:
        """UDP port that it listens at."""
        return int(self._socket.getsockname()[1])

    def close(self) -> None:
        """Stop listening; calling it again does nothing."""
        self._closed.set()
        self._thread.join(2.0)
        self._socket.close()

    def _serve(self) -> None:
        while not self._closed.is_set():
            self._refusals.sum_up()
            try:
                data, sender = self._socket.recvfrom(65535)
            except OSError:  # a timeout; on Windows also an undelivered packet
                continue
            self._take(data, f"osc from {sender[0]}")

    def _take(self, data: bytes, origin: str) -> None:
        with self._refusing(data, origin):
            for message in _messages(data):
                with self._refusing(message, origin):
                    _play(*_read(message), self._controls, origin)

    @contextmanager
    def _refusing(self, data: bytes, origin: str) -> Iterator[None]:
        try:
            yield
        except SettingsError as error:
            line = str(error)
            self._refusals.say(line if line.startswith(origin) else f"{origin}: {line}")
        except Exception:
            # An unexpected error must not end the thread.
            self._refusals.say(f"{origin}: {data[:60]!r} could not be read", trace=True)


def _messages(data: bytes) -> list[bytes]:
    """Return the messages of a packet in order, including those of nested bundles.

    Raises ``SettingsError`` if a bundle is truncated.
    """
    if not data.startswith(_BUNDLE):
        return [data]
    messages, at = [], _BUNDLE_HEAD
    while at < len(data):
        size = int.from_bytes(data[at : at + 4], "big")
        at += 4
        if size > len(data) - at:
            raise SettingsError("a bundle is broken: its end is missing")
        if data.startswith(_BUNDLE, at):  # its elements come next
            at += _BUNDLE_HEAD
        else:
            messages.append(data[at : at + size])
            at += size
    return messages


def _read(data: bytes) -> tuple[str, list[Any]]:
    """Return address and values of a message. Raises ``SettingsError`` if it is invalid."""
    from pythonosc.osc_message import OscMessage, ParseError
    from pythonosc.parsing import osc_types

    if not data.startswith(b"/"):
        raise SettingsError(f"{data[:20]!r} is no OSC message")
    try:
        address, index = osc_types.get_string(data, 0)
        types = osc_types.get_string(data, index)[0] if data[index:] else ","
        unknown = set(types[1:]) - _TYPES
        if unknown:
            raise SettingsError(
                f"{_shown(address)} came with a value of OSC type {_shown(min(unknown))}: send a "
                "number, a text or a switch"
            )
        return address, OscMessage(data).params
    except (ParseError, osc_types.ParseError, UnicodeDecodeError):
        raise SettingsError(f"{data[:20]!r}... is a broken OSC message") from None


def _play(address: str, values: list[Any], controls: Controls, origin: str) -> None:
    """Execute a message. Raises ``SettingsError`` if it cannot be done."""
    asked = address.replace("-", "_")
    if asked not in _ADDRESSES:
        nearest = difflib.get_close_matches(asked[:80], _ADDRESSES, n=1)
        hint = f": did you mean {nearest[0]}?" if nearest else ""
        raise SettingsError(f"there is nothing at {_shown(address)}{hint}")
    name = asked.rpartition("/")[2]
    if name in ACTIONS:
        _act(name, values, controls)
        return
    if len(values) != 1:
        raise SettingsError(f"{address} came with {len(values)} values: give 1")
    value = values[0]
    if name == "preset":
        if not isinstance(value, str):
            raise SettingsError(f"{address} cannot be {value!r}: give the name of a look")
        controls.use(value)
        return
    switch = isinstance(getattr(controls.target, name), bool)
    if isinstance(value, str) or (isinstance(value, bool) and not switch):
        wanted = "1 or 0" if switch else "a number"
        raise SettingsError(f"{address} cannot be {_shown(value)}: give {wanted}")
    controls.change({name: _within(name, value)}, origin=origin)


def _act(action: str, values: list[Any], controls: Controls) -> None:
    if len(values) > 1 or any(value not in (0, 1) for value in values):
        given = " ".join(map(_shown, values[:4]))
        raise SettingsError(f"{action} cannot be {given}: give 1, 0 or nothing")
    if action == "freeze" and values:
        wanted = controls.frozen != bool(values[0])
    else:
        wanted = not values or bool(values[0])
    if wanted:
        controls.press(action)


def _within(name: str, value: float) -> float:
    """Return the value, clipped if it exceeds a bound only by the rounding of a float32."""
    least, most = parameter_range(name)
    nearest = min(max(value, least), most)
    return nearest if math.isclose(value, nearest, rel_tol=_ROUNDING) else value


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


class Refusals:
    """Log of refused messages with a limit of lines a second, so that a flood fills no disk."""

    def __init__(self, log: logging.Logger, *, clock: Callable[[], float] = time.monotonic) -> None:
        """Write to ``log``; ``clock`` returns the time in seconds."""
        self._log = log
        self._clock = clock
        self._begun = -math.inf
        self._lines = 0
        self._left_out = 0

    def say(self, line: str, *, trace: bool = False) -> None:
        """Log a line, or count it above the limit; ``trace`` adds the exception being handled."""
        self.sum_up()
        now = self._clock()
        if now - self._begun >= 1:
            self._begun, self._lines = now, 0
        self._lines += 1
        if self._lines > _LINES_A_SECOND:
            self._left_out += 1
            return
        # One line, whatever it contains.
        line = "".join(sign if sign.isprintable() else "?" for sign in line[:_LONGEST_LINE])
        self._log.warning("%s", line, exc_info=trace)

    def sum_up(self) -> None:
        """Log how many lines were left out, once the second is over."""
        if self._left_out and self._clock() - self._begun >= 1:
            self._log.warning("osc: %d more messages were refused", self._left_out)
            self._left_out = 0
