"""The page by HTTPS, through real sockets."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Iterator
from contextlib import ExitStack, suppress
from pathlib import Path

import httpx
import pytest
from waiting import SECONDS, wait_for
from web_clients import address, told
from websockets.sync.client import connect

from stream_dream.live.control.controls import Controls
from stream_dream.live.control.surface import Surface
from stream_dream.live.web import places, server
from stream_dream.live.web.view import WebView


@pytest.fixture
def view(controls: Controls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[WebView]:
    monkeypatch.setenv("STREAM_DREAM_CACHE", str(tmp_path))
    view = WebView(
        ("127.0.0.1", 0), Surface(controls), token="a secret one", recordings=tmp_path, https=True
    )
    yield view
    view.close()
    assert view.problem is None


@pytest.fixture
def trust(view: WebView, tmp_path: Path) -> ssl.SSLContext:
    return ssl.create_default_context(cafile=tmp_path / "https.pem")


def test_page_and_controls_are_served(view: WebView, trust: ssl.SSLContext) -> None:
    assert view.link.startswith("https://127.0.0.1:")
    with httpx.Client(verify=trust, follow_redirects=True, timeout=SECONDS) as client:
        page = client.get(view.link)
        assert (page.status_code, page.url.query) == (200, b"")
        cookie = page.history[0].headers["set-cookie"]
        assert cookie.startswith("__Host-")
        assert "Secure" in cookie
        settings = httpx.URL(view.link).copy_with(path="/settings", query=None)
        assert client.put(settings, json={"strength": 0.5}).json()["strength"] == 0.5
    path, _, query = view.link.replace("https", "wss").partition("?")
    with connect(f"{path}control?{query}", ssl=trust) as talking:
        told(talking, "parameters")


def test_http_is_refused_in_one_line(
    view: WebView, trust: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    with socket.create_connection(address(view), SECONDS) as client, suppress(OSError):
        client.sendall(b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n")
        assert client.recv(9) == b""
    wait_for(lambda: caplog.records)
    assert caplog.messages == ["web page: 127.0.0.1: no HTTPS (http request)"]
    assert httpx.get(view.link, verify=trust).status_code == 303


def test_a_browser_that_does_not_trust_the_show_yet_is_no_fault(
    view: WebView, trust: ssl.SSLContext, caplog: pytest.LogCaptureFixture
) -> None:
    with pytest.raises(httpx.ConnectError, match="certificate verify failed"):
        httpx.get(view.link, timeout=SECONDS)
    assert httpx.get(view.link, verify=trust, timeout=SECONDS).status_code == 303
    assert caplog.messages == []


@pytest.mark.slow
@pytest.mark.stops
def test_a_handshake_that_does_not_come_is_cut_off(
    view: WebView, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "_REQUEST_SECONDS", 0.2)
    for begun in (b"", b"\x16\x03\x01"):
        with socket.create_connection(address(view), SECONDS) as silent, suppress(OSError):
            silent.sendall(begun)
            assert silent.recv(9) == b""


@pytest.mark.stops
def test_an_operator_gets_in_whoever_is_silent(view: WebView, trust: ssl.SSLContext) -> None:
    with ExitStack() as stack:
        for _ in range(3 * places.MOST_OF_STRANGERS):
            stack.enter_context(socket.create_connection(address(view), SECONDS))
        assert httpx.get(view.link, verify=trust, timeout=SECONDS).status_code == 303
        view.close()  # does not wait for them
    assert not view._thread.is_alive()
