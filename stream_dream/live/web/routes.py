"""Routes of the web page: page, picture, controls, settings, recordings, health and metrics."""

from __future__ import annotations

import asyncio
import stat
import time
from collections.abc import AsyncIterator, Callable, Mapping
from email.utils import formatdate
from itertools import islice
from pathlib import Path

from starlette.applications import Starlette
from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import FileResponse, PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route, WebSocketRoute
from starlette.types import Receive, Scope, Send
from starlette.websockets import WebSocket

from stream_dream.errors import SettingsError
from stream_dream.live.control.midi_map import MidiMap
from stream_dream.live.control.osc_query import namespace
from stream_dream.live.control.surface import Surface
from stream_dream.live.web.auth import MOST_BYTES, TOO_LARGE, qr_picture
from stream_dream.live.web.camera_socket import CameraSocket
from stream_dream.live.web.frames import Pictures
from stream_dream.live.web.messages import change, dumps, loads, refusal
from stream_dream.live.web.metrics import metrics
from stream_dream.live.web.page_files import PAGE_FILES, page_file
from stream_dream.live.web.show_log import ShowLog
from stream_dream.live.web.websocket import WebSocketSession

MOST_STREAMS = 16
MOST_SOCKETS = 32
MOST_LISTED = 200
"""Newest recordings that are listed; months of them would be half a megabyte."""

ALIVE_SECONDS = 5.0
"""Age of the newest frame from which on the show counts as stalled."""

_MOTION_JPEG = "multipart/x-mixed-replace; boundary=frame"
# The last frame is repeated while no new one comes, so that a broken connection is noticed.
_REPEAT_SECONDS = 5.0
_PART = b"Content-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n"


class Json(Response):
    """JSON of ASCII characters and finite numbers."""

    media_type = "application/json"

    def render(self, content: object) -> bytes:
        """Return the bytes."""
        return dumps(content).encode()


class MotionJpeg(StreamingResponse):
    """The picture as a stream, until the client leaves."""

    def __init__(self, site: Routes) -> None:
        """Stream the frames of the site."""
        super().__init__(site.parts(), media_type=_MOTION_JPEG)
        self._site = site

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the stream, counted among the site's streams."""
        self._site.streams += 1
        try:
            await super().__call__(scope, receive, send)
        finally:
            self._site.streams -= 1


class Routes:
    """Handlers of all routes.

    Attributes:
        application: The ASGI application.
        streams: Number of clients of the stream.
        sockets: Number of connected pages.
        closing: Set, in the event loop, to end streams and WebSockets.
    """

    def __init__(
        self,
        surface: Surface,
        pictures: Pictures,
        log: ShowLog,
        recordings: Path,
        *,
        midi: MidiMap | None = None,
        push: Callable[[bytes], None] | None = None,
        descriptions: Mapping[str, str] | None = None,
        camera_link: Callable[[], str] | None = None,
    ) -> None:
        """Create the routes.

        Args:
            surface: What can be controlled.
            pictures: The frames of the show.
            log: Its log.
            recordings: Folder of films and snapshots, which need not exist yet.
            midi: What MIDI moves; None where there is none.
            push: Takes the JPEGs of a phone that is the camera, and ``b""`` when it leaves; None
                if the show takes none.
            descriptions: One line on looks, by name.
            camera_link: Returns where a phone opens the page that is a camera now.
        """
        self._surface = surface
        self._pictures = pictures
        self._log = log
        self._recordings = recordings
        self._midi = midi
        self._camera = CameraSocket(push)
        self._descriptions = descriptions
        self._camera_link = camera_link if push is not None else None
        self.streams = 0
        self.sockets = 0
        self.closing = asyncio.Event()
        self.application = Starlette(
            routes=[
                *(Route(f"/{path}", page_file(name)) for path, name in PAGE_FILES.items()),
                Route("/camera.svg", self._camera_code),
                Route("/osc.json", self._osc_query),
                Route("/thumbnails/{look}.jpg", self._thumbnail),
                Route("/stream.mjpeg", self._stream),
                Route("/snapshot.png", self._snapshot),
                Route("/settings", self._settings, methods=["GET", "PUT"]),
                Route("/recordings", self._list_recordings),
                Route("/recordings/{name}", self._recording),
                Route("/healthz", self._health),
                Route("/metrics", self._metrics),
                WebSocketRoute("/control", self._control),
                WebSocketRoute("/camera", self._camera.serve),
            ]
        )

    def close(self) -> None:
        """End streams and WebSockets."""
        self.closing.set()
        self._pictures.announce()

    async def parts(self) -> AsyncIterator[bytes]:
        """Yield the parts of the stream, always of the newest frame."""
        yield b"--frame\r\n"
        seen = 0
        while not self.closing.is_set():
            await self._pictures.wait(seen, _REPEAT_SECONDS)
            if not self._pictures.newest.number:
                continue
            seen, jpeg = await self._pictures.jpeg()
            # The closing boundary goes with the part: browsers show a frame when they see it.
            yield b"".join((_PART % len(jpeg), jpeg, b"\r\n--frame\r\n"))

    async def _stream(self, request: Request) -> Response:
        if self.streams >= MOST_STREAMS:
            line = f"{MOST_STREAMS} watch already: close a page that shows the picture"
            return PlainTextResponse(f"{line}\n", 503)
        if request.method == "HEAD":
            return Response(media_type=_MOTION_JPEG)
        return MotionJpeg(self)

    async def _snapshot(self, request: Request) -> Response:
        if not self._pictures.newest.number:
            return PlainTextResponse("there is no picture yet: try again in a moment\n", 503)
        return Response(await self._pictures.png(), media_type="image/png")

    async def _thumbnail(self, request: Request) -> Response:
        image = await self._pictures.thumbnail(request.path_params["look"])
        if image is None:
            return PlainTextResponse("there is no thumbnail of that look yet\n", 404)
        return Response(image, media_type="image/jpeg")

    async def _osc_query(self, request: Request) -> Response:
        return Json(namespace(self._surface))

    async def _settings(self, request: Request) -> Response:
        if request.method == "PUT":
            body = bytearray()
            try:
                async for piece in request.stream():
                    body += piece
                    if len(body) > MOST_BYTES:
                        return Json({"error": TOO_LARGE}, 413, {"connection": "close"})
                change(self._surface, loads(bytes(body)))
            except ClientDisconnect:  # it has left, or was cut off
                return Response(status_code=400)
            except SettingsError as error:
                return Json(refusal(error), 400)
        controls = self._surface.controls
        return Json({**controls.target.model_dump(), **controls.state.flat()})

    async def _list_recordings(self, request: Request) -> Response:
        found = await run_in_threadpool(recordings_in, self._recordings)
        newest = islice(found.items(), MOST_LISTED)
        return Json(
            [
                {"name": name, "bytes": size, "modified": formatdate(modified, usegmt=True)}
                for name, (size, modified) in newest
            ]
        )

    async def _recording(self, request: Request) -> Response:
        # Only listed files are served: no name can lead anywhere else.
        name = request.path_params["name"]
        if name not in await run_in_threadpool(recordings_in, self._recordings):
            return PlainTextResponse("there is no such recording: see /recordings\n", 404)
        return FileResponse(self._recordings / name, filename=name)

    async def _health(self, request: Request) -> Response:
        newest = self._pictures.newest
        if not newest.number:
            return Json({"status": "starting", "error": "no frame was shown yet"}, 503)
        age = time.monotonic() - newest.time
        if age < ALIVE_SECONDS:  # a frozen show repeats its picture
            return Json({"status": "ok"})
        return Json({"status": "stalled", "error": f"the newest frame is {age:.0f} s old"}, 503)

    async def _metrics(self, request: Request) -> Response:
        clients = {"stream": self.streams, "control": self.sockets}
        text = metrics(self._pictures.newest.status, clients)
        return Response(text, media_type="text/plain; version=0.0.4")

    async def _control(self, socket: WebSocket) -> None:
        if self.sockets >= MOST_SOCKETS:
            line = f"{MOST_SOCKETS} pages are open already: close one\n"
            await socket.send_denial_response(PlainTextResponse(line, 503))
            return
        self.sockets += 1
        try:
            await socket.accept()
            session = WebSocketSession(
                socket,
                self._surface,
                self._pictures,
                self._log,
                midi=self._midi,
                descriptions=self._descriptions,
                camera_link=self._camera_link,
            )
            await session.run(self.closing)
        finally:
            self.sockets -= 1

    async def _camera_code(self, request: Request) -> Response:
        """Return the QR code of the page that makes a phone the camera."""
        if self._camera_link is None:
            return PlainTextResponse("this show takes no phone as its camera\n", 404)
        return Response(qr_picture(self._camera_link()), media_type="image/svg+xml")


def recordings_in(folder: Path) -> dict[str, tuple[int, float]]:
    """Return size (bytes) and time (s since 1970) of finished films and pictures, newest first.

    Regular files only: no links, hidden or unfinished files.
    """
    found = {}
    try:
        entries = list(folder.iterdir())
    except OSError:
        return {}
    for entry in entries:
        name = entry.name
        # Names that are no valid text are not printable either.
        if name.startswith(".") or name.endswith(".part") or not name.isprintable():
            continue
        try:
            about = entry.lstat()
        except OSError:  # gone in the meantime
            continue
        if stat.S_ISREG(about.st_mode):
            found[name] = about.st_size, about.st_mtime
    return dict(sorted(found.items(), key=lambda item: item[1][1], reverse=True))
