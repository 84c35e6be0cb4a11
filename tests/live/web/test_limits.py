"""Clients that are too many, slow, idle or hostile, through real sockets."""

from __future__ import annotations

import socket
import threading
import time
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import numpy as np
import pytest
import shows
from waiting import SECONDS, wait_for
from web_clients import address, hang, talk, told

from stream_dream.live.control.controls import Controls
from stream_dream.live.control.surface import Surface
from stream_dream.live.web import places, routes, server
from stream_dream.live.web import view as view_module
from stream_dream.live.web.view import WebView


@pytest.mark.stops
def test_a_stream_too_many_is_refused(view: WebView, client: httpx.Client) -> None:
    with ExitStack() as stack:
        for _ in range(routes.MOST_STREAMS):
            stack.enter_context(hang(view))
        wait_for(lambda: view._site.streams == routes.MOST_STREAMS)
        answer = client.get("/stream.mjpeg")
        assert answer.status_code == 503
        assert "watch already" in answer.text
        assert client.head("/stream.mjpeg").status_code == 503  # as the page asks
        # No frame was shown, but the server answers.
        assert client.get("/healthz").status_code == 503
    wait_for(lambda: view._site.streams == 0)


@pytest.mark.slow
@pytest.mark.stops
@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the system cannot")
def test_clients_that_never_read_are_cut_off(
    controls: Controls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_module, "STALLED_SECONDS", 0.3)
    view = WebView(("127.0.0.1", 0), Surface(controls), token=None, recordings=tmp_path)
    noise = np.random.default_rng(1).integers(0, 256, (480, 640, 3), np.uint8)
    ended = threading.Event()

    def play() -> None:
        while not ended.wait(0.01):
            view.show(noise, shows.STATUS)

    thread = threading.Thread(target=play, daemon=True)
    with ExitStack() as stack:
        for _ in range(10):
            stack.enter_context(hang(view))
        wait_for(lambda: view._site.streams == 10)
        thread.start()
        assert httpx.get(view.link + "healthz").status_code in (200, 503)
        wait_for(lambda: view._site.streams == 0)
        wait_for(lambda: not view._server.server_state.connections)
        ended.set()
        thread.join()
    view.close()
    assert view.problem is None


HEAD = b"GET /settings HTTP/1.1\r\nHost: localhost\r\n\r\n"
PUT = b"PUT /settings HTTP/1.1\r\nHost: localhost\r\nContent-Length: 20\r\n\r\n"


@pytest.mark.slow
@pytest.mark.stops
@pytest.mark.parametrize(
    "sent",
    [
        b"",
        b"GET / HTTP/1.1\r\nHost: loc",
        HEAD + b"GET / HTT",
        PUT,
        PUT + b'{"strength":',
        b"PUT /settings HTTP/1.1\r\nHost: localhost\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{",
    ],
)
def test_requests_that_do_not_come_are_cut_off(
    view: WebView, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    with talk(view) as talking:
        monkeypatch.setattr(server, "_REQUEST_SECONDS", 0.3)
        silent = socket.create_connection(address(view), SECONDS)
        silent.sendall(sent)
        with silent, suppress(ConnectionResetError):
            while silent.recv(9999):
                pass
        told(talking, "parameters")  # other clients stay connected


@pytest.mark.slow
@pytest.mark.stops
def test_a_request_byte_by_byte_has_no_more_time(
    view: WebView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_REQUEST_SECONDS", 0.5)
    with socket.create_connection(address(view), SECONDS) as slow, suppress(OSError):
        for byte in PUT * 1000:
            slow.sendall(bytes([byte]))
            time.sleep(0.02)
    wait_for(lambda: not view._server.server_state.connections)


@pytest.mark.stops
def test_an_operator_gets_in_whoever_is_silent(
    view: WebView, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    with ExitStack() as stack, talk(view) as talking:
        for _ in range(3 * places.MOST_OF_STRANGERS):
            stack.enter_context(socket.create_connection(address(view)))
        assert client.get("/settings").status_code == 200
        told(talking, "parameters")
        connections = view._server.server_state.connections
        wait_for(lambda: len(connections) <= places.MOST_OF_STRANGERS + 2)
    assert client.get("/settings").status_code == 200


def test_malformed_requests_are_one_limited_line_each(
    view: WebView, caplog: pytest.LogCaptureFixture
) -> None:
    for _ in range(100):
        with socket.create_connection(address(view), SECONDS) as stranger, suppress(OSError):
            stranger.sendall(b"GET / HTTP/9\r\n\r\n")
            while stranger.recv(9999):
                pass
    lines = [record.getMessage() for record in caplog.records]
    assert lines[0] == "web page: 127.0.0.1: Invalid HTTP request received"
    per_second = [line for line in lines if "Invalid" in line]
    assert len(per_second) < 100
    assert {record.name for record in caplog.records} == {"stream_dream.live"}


HANDSHAKE = (
    b"GET /control HTTP/1.1\r\nHost: localhost\r\nConnection: Upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: AAAAAAAAAAAAAAAAAAAAAA==\r\n"
)


@pytest.mark.stops
@pytest.mark.parametrize("sent", [PUT + b"{", HANDSHAKE + b"Origin: http://evil.com\r\n\r\n"])
def test_half_bodies_and_refused_sockets_are_no_faults(
    view: WebView, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, sent: bytes
) -> None:
    monkeypatch.setattr(server, "_REQUEST_SECONDS", 0.2)
    with socket.create_connection(address(view), SECONDS) as stranger, suppress(OSError):
        stranger.sendall(sent)
        while stranger.recv(9999):
            pass
    wait_for(lambda: not view._server.server_state.tasks)
    assert caplog.messages == []


@pytest.mark.slow
@pytest.mark.stops
def test_a_page_that_is_gone_loses_its_socket_and_an_idle_one_stays(
    controls: Controls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_PING_SECONDS", 2.0)
    view = WebView(("127.0.0.1", 0), Surface(controls), token=None, recordings=tmp_path)
    with talk(view) as idle, socket.create_connection(address(view), SECONDS) as gone:
        gone.sendall(HANDSHAKE + b"\r\n")
        wait_for(lambda: view._site.sockets == 2)
        wait_for(lambda: view._site.sockets == 1)  # it never answers a ping
        told(idle, "parameters")
    view.close()


def test_garbage_is_answered_and_forgotten(
    view: WebView, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    for garbage in (
        b"\x16\x03\x01" * 20 + b"\r\n\r\n",
        b"GET / HTTP/9\r\n\r\n",
        b"\r\n" * 9,
        b"GE",
    ):
        with socket.create_connection(address(view)) as stranger:
            stranger.sendall(garbage)
    assert client.get("/settings").status_code == 200
    assert client.post("/settings").status_code == 405
    assert client.get("/nothing").status_code == 404
    wait_for(lambda: len(view._server.server_state.connections) <= 1)


def names_of_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


@pytest.mark.stops
def test_closing_ends_streams_pages_and_threads(controls: Controls, tmp_path: Path) -> None:
    view = WebView(("127.0.0.1", 0), Surface(controls), token=None, recordings=tmp_path)
    view.show(shows.plain(1), shows.STATUS)
    with hang(view), talk(view) as talking:
        told(talking, "parameters")
        wait_for(lambda: view._site.streams == 1)
        view.close()
        with pytest.raises(Exception, match=r"1001|1012|1006"):
            told(talking, "never")
    view.close()
    view.show(shows.plain(1), shows.STATUS)
    assert not view._thread.is_alive()
    wait_for(lambda: not any(name.startswith("web") for name in names_of_threads()))
    with pytest.raises(OSError, match="refused"):
        socket.create_connection(address(view))
