"""OSC feedback: every change is sent to those who want to know."""

from __future__ import annotations

import math
import socket
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from stream_dream.errors import SettingsError
from stream_dream.live.control.surface import Surface

Value: TypeAlias = float | int | str

# A subscription ends by itself, unless it is renewed: desks are switched off without a word.
_SUBSCRIBED_SECONDS = 60.0
_MOST_SUBSCRIBERS = 16
# A motor fader must not be moved while a hand moves it.
_ECHO_SECONDS = 0.5
_TELL_SECONDS = 0.02
# Without a change by operators: the tempo that is heard, and whether a film is recorded.
_FRESH_SECONDS = 0.25
_MOST_MESSAGES = 50


@dataclass(slots=True)
class _Subscriber:
    """Whom changes are sent to.

    Attributes:
        until: When the subscription ends, in seconds.
        sent: The values that it knows, by address.
        heard: When it set what, in seconds.
    """

    until: float
    sent: dict[str, Value] = field(default_factory=dict)
    heard: dict[str, float] = field(default_factory=dict)


class OscFeedback:
    """Sends changes of what operators control as ``/ADDRESS value``.

    ``/subscribe`` sends them for a minute to where it came from, ``/subscribe PORT`` to that port
    of the same machine; ``/unsubscribe`` ends that, ``/sync`` sends everything once more. What a
    machine has set itself is not sent back to it. Numbers are those that were asked for: automation
    and LFOs send nothing. ``/beat`` counts.
    """

    def __init__(
        self,
        surface: Surface,
        sender: socket.socket,
        reply: tuple[str, int] | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Send by a socket.

        Args:
            surface: What is controlled.
            sender: A UDP socket.
            reply: Host and port of one that is always subscribed.
            clock: Returns the time in seconds.

        Raises:
            SettingsError: There is no such host.
        """
        self._surface, self._socket, self._clock = surface, sender, clock
        self._subscribers: dict[tuple[str, int], _Subscriber] = {}
        self._due = self._stale = 0.0
        self._revision = -1
        self._known: dict[str, Value] = {}
        if reply is not None:
            try:
                found = socket.getaddrinfo(*reply, family=sender.family, type=socket.SOCK_DGRAM)
            except (OSError, UnicodeError):
                raise SettingsError(f"--osc-reply: there is no host {reply[0]!r}") from None
            host, port = found[0][4][:2]
            self._subscribers[str(host), int(port)] = _Subscriber(math.inf)

    def obey(self, address: str, value: Any, sender: tuple[str, int]) -> bool:
        """Execute a message about subscriptions; return False if it is of another kind.

        Raises:
            SettingsError: The port is invalid, or there are too many subscribers.
        """
        if address not in ("subscribe", "unsubscribe", "sync"):
            return False
        port = sender[1] if value is None else value
        if not isinstance(port, int | float) or not 1 <= port <= 65535:
            raise SettingsError(f"/{address} cannot be {str(value)[:20]!r}: give a port or nothing")
        whom = sender[0], int(port)
        known = self._subscribers.get(whom)
        if address == "subscribe":
            if known is None and len(self._subscribers) >= _MOST_SUBSCRIBERS:
                raise SettingsError(f"{_MOST_SUBSCRIBERS} are subscribed already")
            until = self._clock() + _SUBSCRIBED_SECONDS
            self._subscribers[whom] = known or _Subscriber(until)
            self._subscribers[whom].until = max(until, self._subscribers[whom].until)
        elif address == "sync" and known is not None:
            known.sent.clear()
        elif address == "unsubscribe" and known is not None and known.until < math.inf:
            del self._subscribers[whom]
        return True

    def heard(self, address: str, sender: tuple[str, int]) -> None:
        """Remember that a machine has set something."""
        for (host, _), subscriber in self._subscribers.items():
            if host == sender[0]:
                subscriber.heard[address] = self._clock()

    def tell(self) -> None:
        """Send what has changed, if it is time."""
        now = self._clock()
        if not self._subscribers or now < self._due:
            return
        self._due = now + _TELL_SECONDS
        values = self._values(now)
        for whom, subscriber in list(self._subscribers.items()):
            if subscriber.until < now:
                del self._subscribers[whom]
            else:
                self._update(whom, subscriber, values, now)

    def _update(
        self,
        whom: tuple[str, int],
        subscriber: _Subscriber,
        values: Mapping[str, Value],
        now: float,
    ) -> None:
        left = _MOST_MESSAGES
        for address, value in values.items():
            if subscriber.sent.get(address) == value:
                continue
            if now - subscriber.heard.get(address, -math.inf) < _ECHO_SECONDS:
                continue  # once the hand has let go, it gets what has become of the value
            if not left:
                return
            left -= 1
            with suppress(OSError):  # nobody is there, or the network is full: next time
                self._socket.sendto(_message(address, value), whom)
                subscriber.sent[address] = value

    def _values(self, now: float) -> dict[str, Value]:
        """Return all values now, by address."""
        controls = self._surface.controls
        if controls.revision != self._revision or now >= self._stale:
            self._revision, self._stale = controls.revision, now + _FRESH_SECONDS
            self._known = self._looked_up()
        return {"beat": math.floor(controls.beats()), **self._known}

    def _looked_up(self) -> dict[str, Value]:
        values: dict[str, Value] = {}
        for control in self._surface.all():
            value = self._surface.value(control.address)
            if control.address == "bpm":
                value = round(value, 2)
            if value is not None:
                values[control.address] = int(value) if isinstance(value, bool) else value
        return values


def _message(address: str, value: Value) -> bytes:
    from pythonosc.osc_message_builder import OscMessageBuilder

    builder = OscMessageBuilder(f"/{address}")
    builder.add_arg(value)
    return bytes(builder.build().dgram)
