"""OSC feedback: every change is sent to those who want to know."""

from __future__ import annotations

import logging
import math
import socket
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any, TypeAlias

from stream_dream.errors import SettingsError, first_line
from stream_dream.live.control.catalogue import Control
from stream_dream.live.control.surface import Surface

log = logging.getLogger("stream_dream.live")

Value: TypeAlias = float | int | str
Receiver: TypeAlias = tuple[str, int]

TOLD_ONLY = ("beat", "tempo", "recording")
"""Addresses that are told and cannot be set."""
NORMAL = "normal/"
"""Before the address of what is set, and told, as a share of its range."""

# A subscription ends by itself, unless it is renewed: desks are switched off without a word.
_SUBSCRIBED_SECONDS = 60.0
_MOST_SUBSCRIBERS = 16
# A motor fader must not be moved while a hand moves it.
_ECHO_SECONDS = 0.5
_TELL_SECONDS = 0.02
_MOST_MESSAGES = 50
# Without a change by operators: the tempo that is heard, and whether a film is recorded.
_FRESH_SECONDS = 0.25
# What a show or desk that mirrors this one must not send back: each press changes the state, and
# a tempo that was set is followed no more.
_NOT_TOLD = ("undo", "redo", "record", "fade_to_black", "bpm")
# Values travel as 32-bit floats.
_ROUNDING = 1e-6


@dataclass(slots=True)
class _Subscriber:
    """Whom changes are sent to.

    Attributes:
        socket: What sends them.
        until: When the subscription ends, in seconds.
        source: Where its own messages come from; None where that is unknown.
        sent: The values that it knows, by address.
        heard: What it set, or may have set, and when, in seconds, by address.
        shares: Addresses of the shares that it set.
        failed: True once sending has failed.
    """

    socket: socket.socket
    until: float
    source: Receiver | None = None
    sent: dict[str, Value] = field(default_factory=dict)
    heard: dict[str, tuple[Any, float]] = field(default_factory=dict)
    shares: set[str] = field(default_factory=set)
    failed: bool = False


class OscFeedback:
    """Sends changes of what operators control as ``/ADDRESS value``, looks before parameters.

    ``/subscribe`` sends them for a minute to where it came from, ``/subscribe PORT`` to that port
    of the same machine; ``/unsubscribe`` ends that, ``/sync`` sends everything once more. What a
    program has set itself is not sent back to it, unless something else has become of it; where the
    port that it sends from is unknown, all is, once it is at rest. Those who set
    ``/normal/ADDRESS`` are told it too. Numbers are those that were asked for: automation and LFOs
    send nothing. ``/beat`` counts, ``/tempo`` is the pace of the beat, ``/recording`` is 1
    while a film is recorded.
    """

    def __init__(
        self,
        surface: Surface,
        listener: socket.socket,
        reply: Receiver | None = None,
        *,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Send to subscribers by the socket that hears them.

        Args:
            surface: What is controlled.
            listener: A UDP socket.
            reply: Host and port of one that is always subscribed.
            clock: Returns the time in seconds.

        Raises:
            SettingsError: There is no such host.
        """
        self._surface, self._listener, self._clock = surface, listener, clock
        self._subscribers: dict[Receiver, _Subscriber] = {}
        self._due = self._stale = 0.0
        self._revision = -1
        self._known: dict[str, Value] = {}
        self._reply: socket.socket | None = None
        if reply is not None:
            try:
                found = socket.getaddrinfo(*reply, type=socket.SOCK_DGRAM)
            except (OSError, UnicodeError):
                raise SettingsError(f"--osc-reply: there is no host {reply[0]!r}") from None
            # What a desk of that name sends comes from an address of the listener's family.
            family, kind, _, _, address = min(found, key=lambda entry: entry[0] != listener.family)
            # One of its own: the listener may be bound to this machine alone.
            self._reply = socket.socket(family, kind)
            self._reply.setblocking(False)
            self._reply.setsockopt(socket.SOL_SOCKET, socket.SO_BROADCAST, 1)
            whom = str(address[0]), int(address[1])
            self._subscribers[whom] = _Subscriber(self._reply, math.inf)

    def close(self) -> None:
        """Stop sending."""
        if self._reply is not None:
            self._reply.close()

    def obey(self, address: str, value: Any, sender: Receiver) -> bool:
        """Execute a message about subscriptions; return False if it is of another kind.

        Raises:
            SettingsError: The port is invalid, or there are too many subscribers.
        """
        if address not in ("subscribe", "unsubscribe", "sync"):
            return False
        if value is not None and value == 0:
            return True  # a button is released
        port = sender[1] if value is None or value == 1 else value  # 1: it comes from a button
        if not isinstance(port, int | float) or not 1 < port <= 65535:
            raise SettingsError(f"/{address} cannot be {str(value)[:20]!r}: give a port or nothing")
        whom = sender[0], int(port)
        known = self._subscribers.get(whom)
        if address == "subscribe":
            if known is None and len(self._subscribers) >= _MOST_SUBSCRIBERS:
                raise SettingsError(f"{_MOST_SUBSCRIBERS} are subscribed already")
            until = self._clock() + _SUBSCRIBED_SECONDS
            self._subscribers[whom] = known or _Subscriber(self._listener, until)
            self._subscribers[whom].until = max(until, self._subscribers[whom].until)
            self._subscribers[whom].source = sender
        elif address == "unsubscribe" and known is not None and known.until < math.inf:
            del self._subscribers[whom]
        if address != "unsubscribe":
            for receiver, subscriber in self._subscribers.items():
                if _machine(receiver) == _machine(sender):
                    subscriber.sent.clear()
        return True

    def heard(self, address: str, value: Any, sender: Receiver, *, by_share: bool = False) -> None:
        """Remember that a program has set something.

        Args:
            address: What was set.
            value: The value that was given.
            sender: Host and port that it came from.
            by_share: True if it is a share of the range.
        """
        control = self._surface.known().get(address)
        if control is None:
            return
        asked = NORMAL + address if by_share else address
        now = self._share(control) if by_share else self._sendable(control)
        for whom, subscriber in self._subscribers.items():
            is_sender = sender in (whom, subscriber.source)
            elsewhere = _machine(whom) != _machine(sender) or subscriber.source == whom
            if elsewhere and not is_sender:
                continue
            if by_share:
                subscriber.shares.add(asked)
            # A value that is sent all the time must not put off for ever what is to be told.
            before = subscriber.heard.get(asked)
            if before is None or before[0] != value or subscriber.sent.get(asked) == now:
                subscriber.heard[asked] = subscriber.heard[address] = value, self._clock()
            if now is not None and _same(now, value):
                if is_sender:
                    subscriber.sent[asked] = now
            elif not self._surface.controls.waiting:  # else it may become so on the beat
                subscriber.sent.pop(asked, None)

    def tell(self) -> None:
        """Send what has changed, if it is time."""
        now = self._clock()
        if not self._subscribers or now < self._due:
            return
        self._due = now + _TELL_SECONDS
        values, left = self._values(now), _MOST_MESSAGES
        for whom, subscriber in list(self._subscribers.items()):
            if subscriber.until < now:
                del self._subscribers[whom]
                continue
            left = self._update(whom, subscriber, values, now, left)
            if not left:  # the others come first the next time
                self._subscribers[whom] = self._subscribers.pop(whom)
                return

    def _update(
        self,
        whom: Receiver,
        subscriber: _Subscriber,
        values: Mapping[str, Value],
        now: float,
        left: int,
    ) -> int:
        """Send what a subscriber does not know; return how many messages are left."""
        for address, value in values.items():
            if not left:
                break
            if subscriber.sent.get(address) == value:
                continue
            if address.startswith(NORMAL) and address not in subscriber.shares:
                continue
            if now - subscriber.heard.get(address, (None, -math.inf))[1] < _ECHO_SECONDS:
                continue  # once the hand has let go, it gets what has become of the value
            left -= 1
            try:
                subscriber.socket.sendto(_message(address, value), whom)
            except OSError as error:  # there is no way, or the network is full: it is tried again
                if not subscriber.failed:
                    reason = error.strerror or first_line(error)
                    log.warning("osc: cannot send to %s:%d: %s", *whom, reason)
                subscriber.failed = True
                break
            subscriber.sent[address] = value
        return left

    def _values(self, now: float) -> dict[str, Value]:
        """Return all values now, by address."""
        controls = self._surface.controls
        if controls.revision != self._revision or now >= self._stale:
            self._revision, self._stale = controls.revision, now + _FRESH_SECONDS
            self._known = self._looked_up()
        return {"beat": math.floor(controls.beats()), **self._known}

    def _looked_up(self) -> dict[str, Value]:
        values: dict[str, Value] = {}
        shares = set[str]().union(*(who.shares for who in self._subscribers.values()))
        # A look sets parameters: it comes before them.
        for control in sorted(self._surface.known().values(), key=_after_looks):
            value = self._sendable(control)
            if value is not None:
                values[control.address] = value
            share = self._share(control) if NORMAL + control.address in shares else None
            if share is not None:
                values[NORMAL + control.address] = share
        values["tempo"] = round(self._surface.controls.bpm(), 2)
        values["recording"] = int(self._surface.value("record"))
        return values

    def _sendable(self, control: Control) -> Value | None:
        if control.address in _NOT_TOLD:
            return None
        value: Value | None = self._surface.value_of(control)
        return int(value) if isinstance(value, bool) else value

    def _share(self, control: Control) -> Value | None:
        return None if self._sendable(control) is None else self._surface.share_of(control)


def _after_looks(control: Control) -> bool:
    return "preset" not in control.address.split("/")


def _machine(address: Receiver) -> str:
    # A listener of IPv6 hears IPv4 by addresses of its own.
    return address[0].removeprefix("::ffff:")


def _same(value: Value, given: Any) -> bool:
    if isinstance(value, str) or not isinstance(given, int | float):
        return bool(value == given)
    return math.isclose(value, given, rel_tol=_ROUNDING)


def _message(address: str, value: Value) -> bytes:
    from pythonosc.osc_message_builder import OscMessageBuilder

    builder = OscMessageBuilder(f"/{address}")
    builder.add_arg(value)
    return bytes(builder.build().dgram)
