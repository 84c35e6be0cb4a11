"""uvicorn with a limit of connections, and without idle ones."""

from __future__ import annotations

import asyncio
import copy
import logging
from typing import Any

import h11
import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from stream_dream.live.web.auth import MOST_BYTES
from stream_dream.live.web.camera_socket import MOST_JPEG_BYTES
from stream_dream.runtime.quiet import debugging

MOST_CONNECTIONS = 128
"""A process may open few files, and the show needs some itself."""

_FIRST_REQUEST_SECONDS = 10.0


class Connection(H11Protocol):
    """A connection that is aborted if there are too many, or if it sends no request.

    uvicorn's ``limit_concurrency`` refuses surplus requests but leaves idle connections open; its
    ``timeout_keep_alive`` runs only from the first response on.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection, if there is room."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        self.loop.call_later(_FIRST_REQUEST_SECONDS, self._cut_if_silent)

    def handle_websocket_upgrade(self, event: h11.Request) -> None:
        """Accept larger messages from a camera than from a page."""
        if self.scope["path"] == "/camera":
            self.config = copy.copy(self.config)
            self.config.ws_max_size = MOST_JPEG_BYTES
        super().handle_websocket_upgrade(event)

    def _cut_if_silent(self) -> None:
        if self.scope is None:
            self.transport.abort()


def make_server(application: ASGIApp) -> uvicorn.Server:
    """Return a server for bound sockets; it logs warnings only."""
    config = uvicorn.Config(
        application,
        loop="asyncio",
        http=Connection,
        # The successor of uvicorn's deprecated "websockets".
        ws="websockets-sansio",
        ws_max_size=MOST_BYTES,
        ws_per_message_deflate=False,
        lifespan="off",
        log_config=None,
        log_level="warning",
        access_log=False,
        proxy_headers=False,
        server_header=False,
    )
    logging.getLogger("uvicorn.error").addFilter(_without_traceback)
    return uvicorn.Server(config)


def _without_traceback(record: logging.LogRecord) -> bool:
    """Reduce a record to one line, unless debugging."""
    if record.exc_info and not debugging():
        error: Any = record.exc_info[1]
        record.msg = f"web page: {str(record.msg).strip()} ({type(error).__name__}: {error})"
        record.args, record.exc_info = None, None
    return True
