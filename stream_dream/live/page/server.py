"""uvicorn, made safe against clients that connect and then do nothing."""

from __future__ import annotations

import asyncio
import logging
import socket
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

from stream_dream.live.page.access import MOST_BYTES, Application, Message, Receive, Scope, Send
from stream_dream.quiet import debugging

MOST_CONNECTIONS = 128
"""The files that a process may open are few, and the show needs some itself."""

STALLED_SECONDS = 10.0
"""Time after which a client that takes nothing is gone."""

_FIRST_REQUEST_SECONDS = 10.0


class Connection(H11Protocol):
    """A connection that the application can cut, and that is cut where nothing is asked."""

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
        """Accept a connection, if there is room."""
        # uvicorn hands this dictionary on as the scope's state. Closing a transport properly waits
        # until its buffer is read, which somebody who does not read prevents.
        self.app_state = {**self.app_state, "abort": transport.abort}
        super().connection_made(transport)
        # asyncio does so by itself where a socket knows its protocol, which ours, bound before, do
        # not: an answer in two pieces then waits 40 ms for the acknowledgement of the first.
        client = transport.get_extra_info("socket")
        client.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if len(self.connections) > MOST_CONNECTIONS:
            transport.abort()
        self.loop.call_later(_FIRST_REQUEST_SECONDS, self._cut_if_silent)

    def _cut_if_silent(self) -> None:
        if self.scope is None and self in self.connections:
            self.transport.abort()


class Patience:
    """An ASGI application around another: cuts off who reads nothing for a while.

    uvicorn lets an answer wait while more than 64 KiB of the last piece are unread, so that this is
    all that a client can make us keep.
    """

    def __init__(self, application: Application, seconds: float = STALLED_SECONDS) -> None:
        """Give each piece of an answer so many seconds."""
        self._application = application
        self._seconds = seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass a request on."""
        gone = False

        async def hurried(message: Message) -> None:
            nonlocal gone
            try:
                async with asyncio.timeout(self._seconds):
                    await send(message)
            except TimeoutError:
                gone = True
                scope["state"]["abort"]()
                raise ConnectionAbortedError("the client reads nothing") from None

        try:
            await self._application(scope, receive, hurried)
        except Exception:
            if not gone:
                raise
            await asyncio.sleep(0)  # lets uvicorn notice before it looks for the rest of the answer


def make_server(application: Application) -> uvicorn.Server:
    """Return a server for sockets that are bound already; it prints warnings only."""
    config = uvicorn.Config(
        Patience(application),
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


def cut_off(server: uvicorn.Server) -> None:
    """End all connections at once; called in the server's event loop."""
    for connection in list(server.server_state.connections):
        connection.transport.abort()


def _without_traceback(record: logging.LogRecord) -> bool:
    """Make one line of a record, unless debugging."""
    if record.exc_info and not debugging():
        error: Any = record.exc_info[1]
        record.msg = f"web page: {str(record.msg).strip()} ({type(error).__name__}: {error})"
        record.args, record.exc_info = None, None
    return True
