"""The WebSocket of a phone that is the camera of the show."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from contextlib import suppress

from starlette.concurrency import run_in_threadpool
from starlette.websockets import WebSocket, WebSocketDisconnect

from stream_dream.errors import StreamDreamError
from stream_dream.live.web.messages import dumps, refusal
from stream_dream.live.web.websocket import Allowance

MOST_PICTURES = 60
"""Pictures a second that are passed on; those beyond are dropped."""

SILENT_SECONDS = 10.0
"""Time without a picture after which a camera loses its place."""

QUIET_SECONDS = 2.0
"""Time without a picture after which another device may take the place: the camera itself, as a
rule, which is back while its last connection has not been found dead yet."""

# Codes of a close, for programs; the page reads them.
NO_CAMERA, BUSY, SILENT = 4000, 4001, 4002
_REASONS = {
    NO_CAMERA: "this show takes no phone as its camera",
    BUSY: "another device is the camera already: stop it there",
    SILENT: "no picture came for a while",
}
_JPEG = b"\xff\xd8\xff"


class CameraSocket:
    """Takes pictures of one device at a time.

    Each binary message is a JPEG. The answer is ``{"taken": COUNT}``, for which a device that
    sends no more than two pictures ahead waits, or ``{"error": LINE}``.
    """

    def __init__(self, push: Callable[[bytes], None] | None) -> None:
        """Pass pictures on to ``push``, and ``b""`` when a device leaves; None refuses all."""
        self._push = push
        self._device: WebSocket | None = None
        self._heard_at = 0.0

    async def serve(self, socket: WebSocket) -> None:
        """Receive the pictures of a device until it leaves, or another one follows it."""
        await socket.accept()
        if self._push is None:
            await _close(socket, NO_CAMERA)
            return
        now = time.monotonic()
        if self._device is not None and now - self._heard_at < QUIET_SECONDS:
            await _close(socket, BUSY)
            return
        self._device, self._heard_at = socket, now
        try:
            with suppress(WebSocketDisconnect, RuntimeError):  # it left while it was answered
                await self._take(socket, self._push)
        finally:
            if self._device is socket:
                self._device = None
                self._push(b"")

    async def _take(self, socket: WebSocket, push: Callable[[bytes], None]) -> None:
        allowance, taken = Allowance(MOST_PICTURES), 0
        while True:
            try:
                async with asyncio.timeout(SILENT_SECONDS):
                    message = await socket.receive()
            except TimeoutError:
                await _close(socket, SILENT)
                return
            if message["type"] != "websocket.receive":
                return
            if self._device is not socket:
                await _close(socket, BUSY)
                return
            self._heard_at = time.monotonic()
            picture = message.get("bytes") or b""
            taken += 1
            answer: dict[str, object] = {"taken": taken}
            if not picture.startswith(_JPEG):
                answer["error"] = "a picture is a JPEG in one binary message"
            elif allowance.take():
                try:
                    await run_in_threadpool(push, picture)
                except StreamDreamError as error:
                    answer |= refusal(error)
            await socket.send_text(dumps(answer))


async def _close(socket: WebSocket, code: int) -> None:
    await socket.send_text(dumps({"error": _REASONS[code]}))
    await socket.close(code)
