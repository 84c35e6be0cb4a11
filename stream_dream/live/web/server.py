"""uvicorn with places that silent and slow strangers cannot take, and with HTTPS."""

from __future__ import annotations

import asyncio
import copy
import logging
import ssl
from functools import partial
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol
from uvicorn.protocols.utils import get_remote_addr

from stream_dream.live.capture.pushed_feed import LARGEST_BYTES
from stream_dream.live.web.auth import LOG_SECONDS, MOST_BYTES
from stream_dream.live.web.places import Places
from stream_dream.runtime.limited_log import LimitedLog
from stream_dream.runtime.quiet import debugging

log = logging.getLogger("stream_dream.live")

# From the first byte of a request to its last, and from the connection to the first byte; for a
# TLS handshake, too.
_REQUEST_SECONDS = 10.0
# A page that does not answer a ping in this time is gone. Browsers answer for idle pages, too.
_PING_SECONDS = 10.0
# Connections that are accepted at a time, before any of them has a place.
_BACKLOG = 64
# What uvicorn logs about malformed requests, which are logged with their address, and about every
# refused WebSocket, which is no fault of the application.
_UNWORTHY = (
    "Invalid HTTP request received.",
    "ASGI callable returned without completing handshake.",
)


class Connection(H11Protocol):
    """A connection that is aborted if its request does not come.

    uvicorn's ``limit_concurrency`` refuses surplus requests but leaves idle connections open; its
    ``timeout_keep_alive`` runs only from the first response on, and until the next byte. Nor
    would it know of connections whose TLS handshake does not come.
    """

    def __init__(
        self,
        *given: Any,
        places: Places,
        refusals: LimitedLog,
        context: ssl.SSLContext | None,
        **named: Any,
    ) -> None:
        """Create a connection that takes one of the places, by HTTPS if there is a context."""
        super().__init__(*given, **named)
        self._places, self._refusals, self._context = places, refusals, context
        self._deadline: asyncio.TimerHandle | None = None
        self._early = bytearray()

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection, if there is room."""
        self.client = get_remote_addr(transport)
        self._places.enter(self.client or ("", 0), transport)
        if self._context is None:
            self._begin(transport)
        else:
            transport.pause_reading()
            self._securing = self.loop.create_task(self._secure(transport, self._context))

    def connection_lost(self, exc: Exception | None) -> None:
        """End the connection."""
        self._stop_watching()
        if self.flow is not None:
            super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        """Parse a part of a request."""
        if self.flow is None:  # it came together with the end of the handshake
            self._early += data
            return
        super().data_received(data)
        self._watch()

    def on_response_complete(self) -> None:
        """Go on with the next request, of which a part may have come already."""
        super().on_response_complete()
        self._watch()

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Hand the connection over to a WebSocket, which has pings of its own.

        A camera may send larger messages than a page.
        """
        self._stop_watching()
        if self.scope["path"] == "/camera":
            self.config = copy.copy(self.config)
            self.config.ws_max_size = LARGEST_BYTES
        super().handle_websocket_upgrade(event)

    def send_400_response(self, msg: str) -> None:
        """Refuse what is no HTTP."""
        self._refuse(msg.rstrip("."))
        super().send_400_response(msg)

    def _begin(self, transport: asyncio.Transport) -> None:
        super().connection_made(transport)
        self._watch()

    async def _secure(self, transport: asyncio.Transport, context: ssl.SSLContext) -> None:
        """Start HTTP after the TLS handshake; refuse what is no TLS."""
        try:
            secure = await self.loop.start_tls(
                transport, self, context, server_side=True, ssl_handshake_timeout=_REQUEST_SECONDS
            )
        except ssl.SSLError as error:
            reason = (error.reason or "unknown").replace("_", " ").lower()
            if "alert" not in reason:  # a browser sends one while it asks its user for trust
                self._refuse(f"no HTTPS ({reason})")
        except OSError:
            pass  # it has left, or its time is over
        else:
            if secure is not None and not secure.is_closing():
                self._begin(secure)
                if self._early:  # h11 takes nothing for the end
                    self.data_received(bytes(self._early))

    def _refuse(self, reason: str) -> None:
        host = self.client[0] if self.client else "?"
        self._refusals.warn(f"web page: {host}: {reason}")

    def _watch(self) -> None:
        """Abort the connection unless the request that has begun is complete in time."""
        if self not in self.connections:
            return  # it is a WebSocket's now, or lost
        begun = self.conn.their_state is h11.SEND_BODY or bool(self.conn.trailing_data[0])
        if self.transport.is_closing() or not (begun or self.scope is None):
            self._stop_watching()
        elif self._deadline is None:
            self._deadline = self.loop.call_later(_REQUEST_SECONDS, self.transport.abort)

    def _stop_watching(self) -> None:
        if self._deadline is not None:
            self._deadline.cancel()
            self._deadline = None


def make_server(
    application: ASGIApp, places: Places, context: ssl.SSLContext | None = None
) -> uvicorn.Server:
    """Return a server for bound sockets; it logs warnings only, and few of them.

    Args:
        application: What it serves.
        places: The places for its connections.
        context: Certificate and key for HTTPS; None for HTTP.
    """
    refusals = LimitedLog(log, "web page: requests", seconds=LOG_SECONDS)

    async def sum_up() -> None:
        refusals.sum_up()

    config = uvicorn.Config(
        application,
        loop="asyncio",
        http=partial(  # type: ignore[arg-type]
            Connection, places=places, refusals=refusals, context=context
        ),
        # The successor of uvicorn's deprecated "websockets".
        ws="websockets-sansio",
        ws_max_size=MOST_BYTES,
        ws_per_message_deflate=False,
        ws_ping_interval=_PING_SECONDS,
        ws_ping_timeout=_PING_SECONDS,
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
        backlog=_BACKLOG,
        callback_notify=sum_up,
        timeout_notify=1,
    )
    logger = logging.getLogger("uvicorn.error")
    for old in [old for old in logger.filters if isinstance(old, _Limited)]:
        logger.removeFilter(old)  # of a page before
    logger.addFilter(_Limited(refusals))
    return uvicorn.Server(config)


class _Limited(logging.Filter):
    """Passes uvicorn's warnings on as single lines, and few of them."""

    def __init__(self, lines: LimitedLog) -> None:
        super().__init__()
        self._lines = lines

    def filter(self, record: logging.LogRecord) -> bool:
        """Return False: what is worth a line has got one."""
        text = record.getMessage().strip()
        if record.exc_info and record.exc_info[1] is not None:
            error = record.exc_info[1]
            text = f"{text} ({type(error).__name__}: {error})"
        if text not in _UNWORTHY:
            self._lines.warn(f"web page: {text}", trace=debugging())
        return False
