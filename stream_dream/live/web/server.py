"""uvicorn, made safe against clients that connect and then ask for nothing."""

from __future__ import annotations

import asyncio
import logging
from typing import Any

import uvicorn
from starlette.types import ASGIApp
from uvicorn.protocols.http.h11_impl import H11Protocol

from stream_dream.live.web.auth import MOST_BYTES
from stream_dream.runtime.quiet import debugging

MOST_CONNECTIONS = 128
"""The files that a process may open are few, and the show needs some itself."""

_FIRST_REQUEST_SECONDS = 10.0


class Connection(H11Protocol):
    """A connection that is cut where there are too many, or where nothing is asked.

    uvicorn's ``limit_concurrency`` answers requests that are too many, but leaves open whatever
    asks for nothing; its ``timeout_keep_alive`` runs only from the first answer on.
    """

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection, if there is room."""
        super().connection_made(transport)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        self.loop.call_later(_FIRST_REQUEST_SECONDS, self._cut_if_silent)

    def _cut_if_silent(self) -> None:
        if self.scope is None:
            self.transport.abort()


def make_server(application: ASGIApp) -> uvicorn.Server:
    """Return a server for sockets that are bound already; it prints warnings only."""
    config = uvicorn.Config(
        application,
        loop="asyncio",
        http=Connection,
        # The one that its "websockets" is going to be; the one that it is, is deprecated.
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
    """Make one line of a record, unless debugging."""
    if record.exc_info and not debugging():
        error: Any = record.exc_info[1]
        record.msg = f"web page: {str(record.msg).strip()} ({type(error).__name__}: {error})"
        record.args, record.exc_info = None, None
    return True
