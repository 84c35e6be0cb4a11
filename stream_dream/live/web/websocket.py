"""The WebSocket between an open page and the show."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from stream_dream.errors import SettingsError
from stream_dream.live.control.controls import Controls
from stream_dream.live.web.frames import Pictures
from stream_dream.live.web.messages import dumps, form, loads, obey, refusal, state

MOST_MESSAGES = 100
"""Messages a second that are accepted from a page."""

_TELL_SECONDS = 0.25
# Interval of polling, as other views do not report their changes.
_LOOK_SECONDS = 0.05
_GOING_AWAY = 1001


class Allowance:
    """Limit of ``rate`` messages a second, with bursts of a second's worth after a pause."""

    def __init__(self, rate: float) -> None:
        """Start with a full second's worth."""
        self._rate = self._left = rate
        self._time = time.monotonic()

    def take(self) -> bool:
        """Use one up; return False if there is none."""
        now = time.monotonic()
        self._left = min(self._rate, self._left + (now - self._time) * self._rate)
        self._time = now
        if self._left < 1:
            return False
        self._left -= 1
        return True


class WebSocketSession:
    """Executes a page's messages and sends it the show's state.

    The page gets ``{"form": ...}`` once, then the state four times a second and right after every
    change, and ``{"error": LINE}`` for each refused message.
    """

    def __init__(self, socket: WebSocket, controls: Controls, pictures: Pictures) -> None:
        """Use an accepted socket."""
        self._socket = socket
        self._controls = controls
        self._pictures = pictures
        # Bounded, for pages that send invalid messages and never read the errors.
        self._errors: deque[str] = deque(maxlen=2 * MOST_MESSAGES)
        self._news = asyncio.Event()

    async def run(self, closing: asyncio.Event) -> None:
        """Serve the page until it leaves or ``closing`` is set."""
        telling = asyncio.create_task(self._tell(closing))
        try:
            await self._listen()
        finally:
            telling.cancel()
            with suppress(asyncio.CancelledError):
                await telling

    async def _listen(self) -> None:
        allowance = Allowance(MOST_MESSAGES)
        slowed = False
        while (message := await self._socket.receive())["type"] == "websocket.receive":
            if allowance.take():
                slowed = False
                self._obey(message.get("text"))
            elif not slowed:
                slowed = True  # one error for all that are left out
                self._refuse(SettingsError(f"more than {MOST_MESSAGES} messages a second: slow"))

    def _obey(self, text: str | None) -> None:
        try:
            if text is None:
                raise SettingsError("binary messages mean nothing here: send JSON as text")
            obey(self._controls, loads(text))
        except SettingsError as error:
            self._refuse(error)
        self._news.set()

    def _refuse(self, error: SettingsError) -> None:
        self._errors.append(dumps(refusal(error)))
        self._news.set()

    async def _tell(self, closing: asyncio.Event) -> None:
        """Send form, states and errors; only this task writes to the socket."""
        with suppress(WebSocketDisconnect, RuntimeError):  # the listener ends, too
            await self._socket.send_text(dumps({"form": form(self._controls)}))
            seen, told, due = 0, -1, 0.0
            while not closing.is_set():
                while self._errors:
                    await self._socket.send_text(self._errors.popleft())
                revision = self._controls.revision
                if revision != told or time.monotonic() >= due:
                    seen = await self._send_state(seen)
                    told, due = revision, time.monotonic() + _TELL_SECONDS
                with suppress(TimeoutError):
                    async with asyncio.timeout(_LOOK_SECONDS):
                        await self._news.wait()
                self._news.clear()
            await self._socket.close(_GOING_AWAY)

    async def _send_state(self, seen: int) -> int:
        newest = self._pictures.newest
        frames = self._pictures.frame_times(seen)
        told = {**state(self._controls, newest.status), "frames": frames}
        await self._socket.send_text(dumps(told))
        return newest.number
