"""A live show as a web page: the picture and its controls."""

from __future__ import annotations

import asyncio
import ipaddress
import logging
import secrets
import socket
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from functools import partial
from pathlib import Path
from urllib.parse import quote

from stream_dream.errors import SettingsError, first_line
from stream_dream.frame import Image8
from stream_dream.live.control.midi_map import MidiMap
from stream_dream.live.control.surface import Surface
from stream_dream.live.listening import bound
from stream_dream.live.status import LiveStatus
from stream_dream.live.web.frames import Pictures, ThumbnailMaker
from stream_dream.networks.download import cache_folder

log = logging.getLogger("stream_dream.live")

STALLED_SECONDS = 10.0
"""Time after which a client that reads nothing is disconnected."""

_START_SECONDS = 10.0
# Time for pending responses, of the two seconds that ``close`` may take.
_GRACE_SECONDS = 0.5
_CLOSE_SECONDS = 1.5


class WebView:
    """Serves a page with the picture and its controls, from a thread of its own.

    Loopback addresses are open to all users of this machine; others need a token.

    Attributes:
        link: The address to open, with the token if one is needed.
        token: Token of the page; None if it is open.
        problem: One line on why the page is gone; None while all is well.
    """

    def __init__(
        self,
        address: tuple[str, int],
        surface: Surface,
        *,
        token: str | None = None,
        recordings: Path,
        midi: MidiMap | None = None,
        push: Callable[[bytes], None] | None = None,
        descriptions: Mapping[str, str] | None = None,
        https: bool = False,
    ) -> None:
        """Bind to an address and start to serve.

        Args:
            address: Host and port; port 0 takes any that is free.
            surface: What the page controls.
            token: Token of the page; generated if it is needed and not given.
            recordings: Folder of films and snapshots to download; it need not exist yet.
            midi: What MIDI moves; None where there is none.
            push: Takes the JPEGs of a phone that is the camera, and ``b""`` when it leaves; None
                if the show takes none.
            descriptions: One line on looks, by name; those of the package are known.
            https: True to serve by HTTPS, with a certificate that the show makes itself.

        Raises:
            SettingsError: The extra ``live`` is missing, the address cannot be used, or the
                certificate cannot be kept.
        """
        try:
            from stream_dream.live.web.auth import Gate, is_loopback
            from stream_dream.live.web.certificate import https_context
            from stream_dream.live.web.places import Places
            from stream_dream.live.web.routes import Routes
            from stream_dream.live.web.server import make_server
            from stream_dream.live.web.show_log import ShowLog
        except ImportError as error:
            raise SettingsError(
                "--web needs the extra live: pip install 'stream-dream[live]'"
            ) from error
        host = address[0]
        context = https_context(cache_folder(), _names_of(_reachable(host))) if https else None
        self._socket = bound("--web", *address, socket.SOCK_STREAM)
        _set_options(self._socket)
        port: int = self._socket.getsockname()[1]
        if token is None and not is_loopback(host):
            token = secrets.token_urlsafe(16)
        self.token = token
        self._host, self._port, self._scheme = host, port, "https" if https else "http"
        self.link = self._link_to("")
        self.problem: str | None = None
        self._closed = False
        self._pictures = Pictures()
        self._log = ShowLog(log)
        self._site = Routes(
            surface,
            self._pictures,
            self._log,
            recordings,
            midi=midi,
            push=push,
            descriptions=descriptions,
            camera_link=partial(self._link_to, "camera"),
        )
        self._places = Places()
        gate = Gate(self._site.application, (host, port), token, self._places, secure=https)
        self._server = make_server(gate, self._places, context)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._started = threading.Event()
        self._thread = threading.Thread(target=self._run, name="web", daemon=True)
        self._thread.start()
        self._started.wait(_START_SECONDS)

    def offer(self, thumbnails: ThumbnailMaker) -> None:
        """Show thumbnails on the page from now on."""
        self._pictures.thumbnails = thumbnails

    def show(self, image: Image8, status: LiveStatus) -> None:
        """Accept a frame, uint8 RGB (height, width, 3), never modified afterwards."""
        self._pictures.put(image, status)

    def close(self) -> None:
        """End all connections and the thread, within two seconds."""
        if self._closed:
            return
        self._closed = True
        self._log.close()
        self._server.should_exit = True
        if self._loop is not None:
            with suppress(RuntimeError):  # the event loop has ended by itself
                self._loop.call_soon_threadsafe(self._end)
        self._thread.join(_CLOSE_SECONDS)
        self._pictures.close()
        self._socket.close()

    def _link_to(self, page: str) -> str:
        """Return the address of a page as it is now: networks come and go."""
        reached = _reachable(self._host)
        shown = f"[{reached}]" if ":" in reached else reached
        query = "" if self.token is None else f"?token={quote(self.token, safe='')}"
        return f"{self._scheme}://{shown}:{self._port}/{page}{query}"

    def _end(self) -> None:
        self._site.close()
        # uvicorn would wait for clients that read nothing.
        asyncio.get_running_loop().call_later(_GRACE_SECONDS, self._places.clear)

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except (Exception, SystemExit) as error:  # uvicorn exits where it cannot start
            if not self._closed:  # connections that end underway may raise
                self.problem = f"the web page ended: {first_line(error)}"
        finally:
            self._started.set()

    async def _serve(self) -> None:
        self._loop = asyncio.get_running_loop()
        self._pictures.attach(self._loop)
        self._started.set()
        await self._server.serve(sockets=[self._socket])


def _set_options(listener: socket.socket) -> None:
    """Set the options of a listening socket, which its connections inherit."""
    # A response in two pieces would otherwise wait 40 ms for the acknowledgement of the first.
    listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    # The system disconnects clients that read nothing; neither uvicorn nor Starlette does, and a
    # proper close of such a connection waits for ever. uvicorn pauses a response while more than
    # 64 KiB of the last piece are unread, which limits the memory that a client can hold.
    if hasattr(socket, "TCP_USER_TIMEOUT"):
        milliseconds = round(1000 * STALLED_SECONDS)
        listener.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, milliseconds)


def _reachable(host: str) -> str:
    """Return the host for a link; for the unspecified address, the one that others see."""
    try:
        given = ipaddress.ip_address(host)
    except ValueError:
        return host
    if given.is_unspecified:
        family, far = (
            (socket.AF_INET, "192.0.2.1") if given.version == 4 else (socket.AF_INET6, "2001:db8::")
        )
        with suppress(OSError), socket.socket(family, socket.SOCK_DGRAM) as probe:
            probe.connect((far, 9))  # sends nothing, but chooses the address to send from
            given = ipaddress.ip_address(probe.getsockname()[0])
    return str(given)


def _names_of(reached: str) -> set[str]:
    """Return what this machine may be called in a link: names and addresses."""
    name = socket.gethostname()
    names = {reached.partition("%")[0], "localhost", "127.0.0.1", "::1", name, f"{name}.local"}
    with suppress(OSError):
        found = socket.getaddrinfo(name, None)
        names.update(str(address[0]).partition("%")[0] for *_, address in found)
    # A certificate holds no others.
    return {name.lower() for name in names if name.isascii() and name.strip(".")}
