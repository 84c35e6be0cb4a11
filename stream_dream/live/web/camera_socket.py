"""The WebSocket of a phone that is the camera of the show."""

from __future__ import annotations

import asyncio
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
        """Pass pictures on to ``push``; None refuses all devices."""
        self._push = push
        self._busy = False

    async def serve(self, socket: WebSocket) -> None:
        """Receive the pictures of a device until it leaves."""
        await socket.accept()
        if self._push is None or self._busy:
            await _close(socket, BUSY if self._push else NO_CAMERA)
            return
        self._busy = True
        try:
            with suppress(WebSocketDisconnect, RuntimeError):  # it left while it was answered
                await self._take(socket, self._push)
        finally:
            self._busy = False

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
