"""The WebSocket between an open page and the show."""

from __future__ import annotations

import asyncio
import time
from collections import deque
from collections.abc import Callable, Mapping
from contextlib import suppress

from starlette.websockets import WebSocket, WebSocketDisconnect

from stream_dream.errors import SettingsError
from stream_dream.live.control.midi_map import Lamps, MidiMap
from stream_dream.live.control.surface import Surface
from stream_dream.live.web.frames import Pictures
from stream_dream.live.web.messages import Operator, dumps, loads, refusal
from stream_dream.live.web.page_state import form, state
from stream_dream.live.web.show_log import LogLine, ShowLog

MOST_MESSAGES = 150
"""Messages a second that are accepted from a page: sliders in motion, and a MIDI clock."""

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

    The page gets ``{"form": ...}``, again when looks change, then the state four times a
    second and right after every change; ``{"log": [[TIME, WARNS, LINE], ...]}`` with the last lines
    of the show's log and then with each new one; ``{"error": LINE}`` for each refused message,
    ``{"notice": LINE}`` for each key. After ``{"midi": []}`` it gets ``{"lamps": [BYTES, ...]}``,
    all of them and then those that change.
    """

    def __init__(
        self,
        socket: WebSocket,
        surface: Surface,
        pictures: Pictures,
        log: ShowLog,
        *,
        midi: MidiMap | None = None,
        descriptions: Mapping[str, str] | None = None,
        camera_link: Callable[[], str] | None = None,
    ) -> None:
        """Use an accepted socket.

        Args:
            socket: The socket.
            surface: What the page controls.
            pictures: The frames of the show.
            log: Its log.
            midi: What MIDI moves; None where there is none.
            descriptions: One line on looks, by name.
            camera_link: Returns where a phone is a camera of the show now; None if it takes none.
        """
        self._socket = socket
        self._surface = surface
        self._pictures = pictures
        self._log = log
        self._midi = midi
        self._descriptions = descriptions
        self._camera_link = camera_link
        self._operator = Operator(surface, midi)
        self._seen = 0  # the newest frame whose time the page knows
        self._logged: LogLine | None = None  # the last that the page knows
        self._form: object = None
        self._lamps: Lamps | None = None
        # Bounded, for pages that send invalid messages and never read the answers.
        self._answers: deque[str] = deque(maxlen=2 * MOST_MESSAGES)
        self._news = asyncio.Event()

    async def run(self, closing: asyncio.Event) -> None:
        """Serve the page until it leaves or ``closing`` is set.

        An unexpected error ends the connection, which the page opens again.
        """
        tasks = [asyncio.create_task(work) for work in (self._tell(closing), self._listen())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            ended = await asyncio.gather(*tasks, return_exceptions=True)
        for error in ended:
            if isinstance(error, Exception) and not isinstance(error, WebSocketDisconnect):
                raise error

    async def _listen(self) -> None:
        allowance = Allowance(MOST_MESSAGES)
        slowed = False
        while (message := await self._socket.receive())["type"] == "websocket.receive":
            if allowance.take():
                slowed = False
                self._obey(message.get("text"))
            elif not slowed:
                slowed = True  # one error for all that are left out
                self._answer(
                    refusal(SettingsError(f"more than {MOST_MESSAGES} messages a second: slow"))
                )

    def _obey(self, text: str | None) -> None:
        try:
            if text is None:
                raise SettingsError("binary messages mean nothing here: send JSON as text")
            message = loads(text)
            answer = self._operator.obey(message)
            if self._midi is not None and message == {"midi": []}:
                self._lamps = Lamps(self._midi)
        except SettingsError as error:
            answer = refusal(error)
        if answer is not None:
            self._answer(answer)
        self._news.set()

    def _answer(self, answer: Mapping[str, object]) -> None:
        self._answers.append(dumps(answer))
        self._news.set()

    async def _tell(self, closing: asyncio.Event) -> None:
        """Send forms, states and answers; only this task writes to the socket."""
        told, due = -1, 0.0
        while not closing.is_set():
            while self._answers:
                await self._socket.send_text(self._answers.popleft())
            revision = self._surface.controls.revision
            if revision != told or time.monotonic() >= due:
                await self._send_form()
                await self._send_log()
                await self._send_state()
                told, due = revision, time.monotonic() + _TELL_SECONDS
            await self._send_lamps()
            with suppress(TimeoutError):
                async with asyncio.timeout(_LOOK_SECONDS):
                    await self._news.wait()
            self._news.clear()
        await self._socket.close(_GOING_AWAY)

    async def _send_form(self) -> None:
        """Send the form if the page has none, or looks have gone."""
        controls = self._surface.controls
        present = controls.looks, controls.idle
        if present != self._form:
            self._form = present
            described = form(self._surface, self._descriptions)
            described["camera"] = self._camera_link and self._camera_link()
            await self._socket.send_text(dumps({"form": described}))

    async def _send_log(self) -> None:
        """Send the lines of the log that the page has not got."""
        lines = self._log.lines
        new = lines[lines.index(self._logged) + 1 :] if self._logged in lines else lines
        if new:
            self._logged = new[-1]
            await self._socket.send_text(dumps({"log": new}))

    async def _send_state(self) -> None:
        newest = self._pictures.newest
        told = state(self._surface, newest.status, self._midi)
        told["status"]["thumbnails"] = self._pictures.thumbnail_revisions()
        told["age"] = time.monotonic() - newest.time if newest.number else None
        told["frames"] = self._pictures.frame_times(self._seen)
        self._seen = newest.number
        await self._socket.send_text(dumps(told))

    async def _send_lamps(self) -> None:
        """Send the lamps that have changed, to a page that has greeted with MIDI."""
        if self._lamps is not None and (changed := self._lamps.changed()):
            await self._socket.send_text(dumps({"lamps": [list(lamp) for lamp in changed]}))
