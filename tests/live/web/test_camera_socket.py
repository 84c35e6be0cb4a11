"""A phone as the camera, through real sockets."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import httpx
import pytest
import shows
from waiting import SECONDS, wait_for
from websockets.exceptions import ConnectionClosed
from websockets.sync.client import ClientConnection, connect

from stream_dream.errors import SourceError
from stream_dream.live.capture.pushed_feed import LARGEST_BYTES
from stream_dream.live.control.controls import Controls
from stream_dream.live.control.surface import Surface
from stream_dream.live.web import camera_socket
from stream_dream.live.web.frames import encode
from stream_dream.live.web.view import WebView

JPEG = encode(".jpg", shows.plain(1))


@pytest.fixture
def pushed() -> list[bytes]:
    return []


@pytest.fixture
def view(controls: Controls, tmp_path: Path, pushed: list[bytes]) -> Iterator[WebView]:
    view = WebView(("127.0.0.1", 0), Surface(controls), recordings=tmp_path, push=pushed.append)
    yield view
    view.close()
    assert view.problem is None


def dial(view: WebView) -> ClientConnection:
    return connect(view.link.replace("http", "ws") + "camera")


def answer(phone: ClientConnection) -> dict[str, object]:
    told: dict[str, object] = json.loads(phone.recv(timeout=SECONDS))
    return told


def test_pictures_are_passed_on_and_acknowledged(view: WebView, pushed: list[bytes]) -> None:
    large = JPEG + bytes(3_000_000)
    with dial(view) as phone:
        phone.send(JPEG)
        assert answer(phone) == {"taken": 1}
        phone.send(large)
        assert answer(phone) == {"taken": 2}
    wait_for(lambda: pushed == [JPEG, large, b""])  # it has left


def test_what_is_no_picture_is_refused(view: WebView, pushed: list[bytes]) -> None:
    with dial(view) as phone:
        for message in ("text", b"", b"GIF89a"):
            phone.send(message)
            assert "JPEG" in str(answer(phone)["error"])
        phone.send(JPEG)
        assert answer(phone) == {"taken": 4}
        assert pushed == [JPEG]


def test_a_picture_that_is_too_large_ends_the_connection(
    view: WebView, pushed: list[bytes]
) -> None:
    with dial(view) as phone:
        with suppress(ConnectionClosed):  # while it is sent
            phone.send(JPEG + bytes(LARGEST_BYTES))
        with pytest.raises(ConnectionClosed):
            answer(phone)
    wait_for(lambda: pushed == [b""])


def test_a_second_phone_is_told_and_may_follow_the_first(view: WebView) -> None:
    with dial(view) as phone:
        phone.send(JPEG)
        answer(phone)
        with dial(view) as other:
            assert "another device" in str(answer(other)["error"])
            with pytest.raises(ConnectionClosed, match="4001"):
                answer(other)
    wait_for(lambda: not view._site._camera._device)
    with dial(view) as other:
        other.send(JPEG)
        assert answer(other) == {"taken": 1}


def test_a_phone_that_lost_its_network_returns(
    view: WebView, pushed: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = shows.Clock()
    monkeypatch.setattr(camera_socket, "time", clock)
    with dial(view) as phone, dial(view) as early:
        assert "another device" in str(answer(early)["error"])
        clock.now += 1.9
        phone.send(JPEG)
        assert answer(phone) == {"taken": 1}
        clock.now += 1.9
        with dial(view) as early:
            assert "another device" in str(answer(early)["error"])
        clock.now += 0.1  # it is silent, but nobody has closed the connection
        with dial(view) as back:
            back.send(JPEG)
            assert answer(back) == {"taken": 1}
            phone.send(JPEG)
            assert "another device" in str(answer(phone)["error"])
            with pytest.raises(ConnectionClosed, match="4001"):
                answer(phone)
            back.send(JPEG)
            assert answer(back) == {"taken": 2}
            assert pushed == [JPEG] * 3  # the place was not left meanwhile


def test_a_show_without_a_phone_says_so(controls: Controls, tmp_path: Path) -> None:
    view = WebView(("127.0.0.1", 0), Surface(controls), recordings=tmp_path)
    with dial(view) as phone:
        assert "no phone" in str(answer(phone)["error"])
        with pytest.raises(ConnectionClosed, match="4000"):
            answer(phone)
    assert httpx.get(f"{view.link}camera.svg").status_code == 404
    view.close()


def test_a_silent_phone_loses_its_place(view: WebView, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(camera_socket, "SILENT_SECONDS", 0.05)
    with dial(view) as phone:
        assert "no picture came" in str(answer(phone)["error"])
        with pytest.raises(ConnectionClosed, match="4002"):
            answer(phone)
    wait_for(lambda: not view._site._camera._device)


def test_pictures_beyond_the_rate_are_dropped(
    view: WebView, pushed: list[bytes], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(camera_socket, "MOST_PICTURES", 1)
    with dial(view) as phone:
        for count in range(1, 4):
            phone.send(JPEG)
            assert answer(phone) == {"taken": count}
    assert len(pushed) < 3


def test_a_failing_feed_is_told_to_the_phone(
    view: WebView, monkeypatch: pytest.MonkeyPatch
) -> None:
    def push(jpeg: bytes) -> None:
        raise SourceError("this picture is damaged")

    monkeypatch.setattr(view._site._camera, "_push", push)
    with dial(view) as phone:
        phone.send(JPEG)
        assert answer(phone) == {"taken": 1, "error": "this picture is damaged"}


def test_the_page_has_a_code_for_the_phone(view: WebView) -> None:
    code = httpx.get(f"{view.link}camera.svg")
    assert code.headers["content-type"].startswith("image/svg+xml")
    assert b"<svg" in code.content
