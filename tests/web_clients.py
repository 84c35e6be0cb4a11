"""Clients of the web page: its WebSocket, and connections that misbehave."""

from __future__ import annotations

import json
import socket
import time
from collections.abc import Callable
from typing import Any

import httpx
from waiting import SECONDS
from websockets.sync.client import ClientConnection, connect

from stream_dream.live.web.view import WebView


def talk(view: WebView) -> ClientConnection:
    return connect(view.link.replace("http", "ws") + "control")


def told(talking: ClientConnection, key: str, want: Callable[[Any], bool] = bool) -> Any:
    """Wait for a message whose value at ``key`` meets the condition; return the message."""
    late = time.monotonic() + SECONDS
    while time.monotonic() < late:
        message = json.loads(talking.recv(timeout=SECONDS))
        if key in message and want(message[key]):
            return message
    raise AssertionError(f"no such {key} was told")


def address(view: WebView) -> tuple[str, int]:
    url = httpx.URL(view.link)
    assert url.port is not None
    return url.host, url.port


def hang(view: WebView) -> socket.socket:
    """Request the stream and read nothing."""
    client = socket.create_connection(address(view))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.sendall(b"GET /stream.mjpeg HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return client
