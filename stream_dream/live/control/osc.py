"""OSC over UDP (TouchOSC, TouchDesigner, Max, a lighting desk) for the control surface.

python-osc parses single messages. Its server is not used: in 1.10.2 a bundle element of size -4
loops for ever, and an address of 20 asterisks blocks its dispatcher for seconds, each further one
half as long again.
"""

from __future__ import annotations

import logging
import socket
import threading
import time
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from ipaddress import IPv6Address, ip_address, ip_network
from typing import Any, TypeAlias
from urllib.parse import unquote

from stream_dream.errors import SettingsError
from stream_dream.live.control.catalogue import Control
from stream_dream.live.control.osc_feedback import NORMAL, TOLD_ONLY, OscFeedback
from stream_dream.live.control.surface import Surface
from stream_dream.live.listening import bound
from stream_dream.runtime.limited_log import LimitedLog

log = logging.getLogger("stream_dream.live")

Sender: TypeAlias = tuple[str, int]

_PREFIX = "stream_dream/"
# python-osc writes to the root log for each type that it does not know; an impulse, I, is one.
_TYPES = frozenset("ihfdsTFN")
_BUNDLE, _BUNDLE_HEAD = b"#bundle\0", 16
_POLL_SECONDS = 0.02
# In one packet: more than there are addresses on most surfaces.
_MOST_MESSAGES = 1000
# A button that is held sends more often; after as long, a release has been lost on the way.
_HELD_SECONDS = 1.0
_MOST_BUTTONS = 1000
# A neighbour that sends its own addresses here must not fill the log of a show of days.
_LOG_SECONDS = 60.0


class OscControl:
    """An OSC server for everything on the control surface.

    ``/ADDRESS value`` sets it, ``/normal/ADDRESS share`` to a share of its range, 0..1; for the
    addresses see ``Surface``. ``/stream_dream/`` may stand before both. Any value but 0, and none,
    presses a button; one that has sent 0 is held while it repeats a value. Dashes count as
    underscores, save in the names of looks and scenes, which may be percent-encoded.
    ``/subscribe``, ``/unsubscribe`` and ``/sync``: see ``OscFeedback``.

    Messages of a bundle are executed at once, in order: time tags are ignored. All else is refused
    with a line in the log, and changes nothing.
    """

    def __init__(
        self,
        host: str,
        port: int,
        surface: Surface,
        *,
        allow: Collection[str] = (),
        reply: tuple[str, int] | None = None,
    ) -> None:
        """Start to listen, in a thread.

        Args:
            host: Name or address of this machine to listen at: 127.0.0.1 for this machine alone,
                0.0.0.0 for every network.
            port: UDP port; 0 for any that is free.
            surface: What is controlled.
            allow: Addresses or networks that messages are taken from; all if there are none.
            reply: Host and port that every change is sent to; None for subscribers alone.

        Raises:
            SettingsError: python-osc is missing, an address is invalid or cannot be listened at.
        """
        try:
            import pythonosc.osc_message  # noqa: F401
        except ImportError:
            raise SettingsError(
                "--osc needs the extra live: pip install 'stream-dream[live]'"
            ) from None
        self._allowed = [_network(text) for text in allow]
        self._surface = surface
        self._refusals = LimitedLog(log, "osc: messages", seconds=_LOG_SECONDS)
        self._buttons: dict[tuple[Sender, str], tuple[Any, float]] = {}
        self._socket = bound("--osc", host, port, socket.SOCK_DGRAM)
        self._socket.settimeout(_POLL_SECONDS)
        try:
            self._feedback = OscFeedback(surface, self._socket, reply)
        except BaseException:
            self._socket.close()
            raise
        if not self._allowed and not ip_address(self._socket.getsockname()[0]).is_loopback:
            log.warning(
                "osc: whoever reaches port %d controls the show: lock it by --osc-allow ADDRESS",
                self.port,
            )
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
        self._feedback.close()
        self._socket.close()

    def _serve(self) -> None:
        while not self._closed.is_set():
            self._refusals.sum_up()
            with self._refusing(b"feedback", "osc"):
                self._feedback.tell()
            try:
                data, sender = self._socket.recvfrom(65535)
            except OSError:  # a timeout; on Windows also an undelivered packet
                continue
            self._take(data, (str(sender[0]), int(sender[1])))

    def _take(self, data: bytes, sender: Sender) -> None:
        origin = f"osc from {_plain(sender[0])}"
        if self._allowed and not any(_plain(sender[0]) in network for network in self._allowed):
            self._refusals.warn(f"{origin}: refused, as --osc-allow does not name it")
            return
        with self._refusing(data, origin):
            messages = _messages(data)
            if len(messages) > _MOST_MESSAGES:
                raise SettingsError(f"a bundle of {len(messages)} messages: send {_MOST_MESSAGES}")
            for message in messages:
                with self._refusing(message, origin):
                    self._play(*_read(message), sender, origin)

    @contextmanager
    def _refusing(self, data: bytes, origin: str) -> Iterator[None]:
        try:
            yield
        except SettingsError as error:
            line = str(error)
            self._refusals.warn(line if line.startswith(origin) else f"{origin}: {line}")
        except Exception:
            # An unexpected error must not end the thread.
            self._refusals.warn(f"{origin}: {data[:60]!r} could not be read", trace=True)

    def _play(self, address: str, values: list[Any], sender: Sender, origin: str) -> None:
        """Execute a message. Raises ``SettingsError`` if it cannot be done."""
        asked = address.removeprefix("/").replace("stream-dream/", _PREFIX, 1)
        asked = asked.removeprefix(_PREFIX).rstrip("/")
        if asked in TOLD_ONLY:
            return  # feedback of another show
        if len(values) > 1:
            raise SettingsError(f"{_shown(address)} came with {len(values)} values: give 1")
        value = values[0] if values else None
        if self._feedback.obey(asked, value, sender):
            return
        by_share = asked.startswith(NORMAL)
        control = self._known(asked.removeprefix(NORMAL))
        asked = control.address
        if control.kind == "button" and self._is_held(asked, value, sender):
            return
        if not by_share or value is None:
            self._surface.set(asked, value, origin=origin)
        elif isinstance(value, bool | int | float) and value == value:
            self._surface.set_share(asked, float(value), origin=origin)
        else:
            raise SettingsError(f"{_shown(address)} cannot be {_shown(value)}: give 0 to 1")
        self._feedback.heard(asked, value, sender, by_share=by_share)

    def _is_held(self, address: str, value: Any, sender: Sender) -> bool:
        """Return whether a value only repeats that a button is down.

        Some programs send the state of a button all the time. Those that never send 0 press anew
        by each message.
        """
        key = sender, address
        if not isinstance(value, int | float) or (value != 0 and key not in self._buttons):
            return False
        before, at = self._buttons.pop(key, (None, 0.0))
        now = time.monotonic()
        self._buttons[key] = value, now
        if len(self._buttons) > _MOST_BUTTONS:
            del self._buttons[next(iter(self._buttons))]
        return bool(value != 0 and value == before and now - at < _HELD_SECONDS)

    def _known(self, address: str) -> Control:
        """Return what is meant on the surface. Raises ``SettingsError`` if it is not there."""
        known = self._surface.known()
        for text in (address, unquote(address), address.replace("-", "_")):
            if text in known:
                return known[text]
        return self._surface.find(address, hint=self._refusals.has_room)


def _network(text: str) -> Any:
    try:
        return ip_network(text, strict=False)
    except ValueError:
        reason = "give addresses or networks, such as 192.168.1.20 or 192.168.1.0/24"
        raise SettingsError(f"--osc-allow cannot be {text!r}: {reason}") from None


def _plain(address: str) -> Any:
    """Return an address; that of IPv4 where it comes through a socket of IPv6."""
    found = ip_address(address.partition("%")[0])
    mapped = found.ipv4_mapped if isinstance(found, IPv6Address) else None
    return mapped or found


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
        if types == ",I":
            return address, []
        if unknown := set(types[1:]) - _TYPES:
            raise SettingsError(
                f"{_shown(address)} came with a value of OSC type {_shown(min(unknown))}: send a "
                "number, a text or a switch"
            )
        return address, OscMessage(data).params
    except (ParseError, osc_types.ParseError, UnicodeDecodeError):
        raise SettingsError(f"{data[:20]!r}... is a broken OSC message") from None


def _shown(value: object) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."
