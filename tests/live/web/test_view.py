"""The web page's server, through real sockets."""

from __future__ import annotations

import asyncio
import json
import random
import re
import socket
import string
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from dataclasses import replace
from pathlib import Path
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
import shows
from waiting import SECONDS, wait_for
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from stream_dream.errors import SettingsError
from stream_dream.frame import Image8
from stream_dream.live.control.controls import Controls
from stream_dream.live.web import frames as module
from stream_dream.live.web import routes, server, websocket
from stream_dream.live.web import view as view_module
from stream_dream.live.web.frames import Pictures
from stream_dream.live.web.messages import form
from stream_dream.live.web.view import WebView
from stream_dream.settings.live import LiveParameters, parameter_range


@pytest.fixture
def controls() -> Controls:
    return shows.make_controls()


@pytest.fixture
def view(controls: Controls, tmp_path: Path) -> Iterator[WebView]:
    view = WebView(("127.0.0.1", 0), controls, token=None, recordings=tmp_path / "recordings")
    yield view
    view.close()
    assert view.problem is None


@pytest.fixture
def client(view: WebView) -> Iterator[httpx.Client]:
    with httpx.Client(base_url=view.link, timeout=SECONDS) as client:
        yield client


def talk(view: WebView) -> ClientConnection:
    return connect(view.link.replace("http", "ws") + "control")


def told(talking: ClientConnection, key: str, want: Callable[[Any], bool] = bool) -> Any:
    """Return the first message with a key that is wanted."""
    while True:
        message = json.loads(talking.recv(timeout=SECONDS))
        if key in message and want(message[key]):
            return message


def address(view: WebView) -> tuple[str, int]:
    url = httpx.URL(view.link)
    assert url.port is not None
    return url.host, url.port


def hang(view: WebView) -> socket.socket:
    """Ask for the picture and read nothing."""
    client = socket.create_connection(address(view))
    client.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    client.sendall(b"GET /stream.mjpeg HTTP/1.1\r\nHost: localhost\r\n\r\n")
    return client


def names_of_threads() -> list[str]:
    return [thread.name for thread in threading.enumerate()]


def test_the_page_is_whole(client: httpx.Client) -> None:
    page = client.get("/")
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    for name, kind in (("page.css", "text/css"), ("page.js", "text/javascript")):
        assert f'"{name}"' in page.text
        part = client.get(f"/{name}")
        assert part.headers["content-type"] == f"{kind}; charset=utf-8"
        assert "http://" not in part.text
    assert "http://" not in page.text.replace("http://www.w3.org", "")


def test_the_page_runs_nothing_but_its_own_files(client: httpx.Client) -> None:
    page = client.get("/")
    policy = page.headers["content-security-policy"].split("; ")
    assert "default-src 'none'" in policy
    assert "script-src 'self'" in policy
    assert "style-src 'self'" in policy
    assert "unsafe" not in page.headers["content-security-policy"]
    assert not re.search(r"<style|\bstyle=|\bon\w+=|<script(?! src=\"page.js\")", page.text)


def test_files_of_the_page_are_sent_again_only_if_they_changed(client: httpx.Client) -> None:
    for path in ("/", "/page.css", "/page.js"):
        answer = client.get(path)
        assert answer.headers["cache-control"] == "no-cache"  # asked for each time
        tag = answer.headers["etag"]
        same = client.get(path, headers={"if-none-match": tag})
        assert (same.status_code, same.content, same.headers["etag"]) == (304, b"", tag)
        other = client.get(path, headers={"if-none-match": '"of an older version"'})
        assert (other.status_code, other.content) == (200, answer.content)


def test_the_stream_shows_the_newest_frame_in_its_colours(
    view: WebView, client: httpx.Client, controls: Controls
) -> None:
    view.show(shows.plain(0.4), shows.STATUS)
    view.show(shows.plain(1.5), shows.STATUS)
    with client.stream("GET", "/stream.mjpeg") as answer:
        assert answer.headers["content-type"] == "multipart/x-mixed-replace; boundary=frame"
        data = b""
        for piece in answer.iter_raw():
            data += piece
            if data.count(b"--frame") == 2:
                break
    part = data.split(b"--frame")[1]
    head, _, rest = part.strip(b"\r\n").partition(b"\r\n\r\n")
    assert b"Content-Type: image/jpeg" in head
    image = cv2.imdecode(np.frombuffer(rest, np.uint8), cv2.IMREAD_COLOR_RGB)
    assert image is not None
    np.testing.assert_allclose(image.mean((0, 1)), shows.plain(1.5)[0, 0], atol=6)


def test_a_frame_is_encoded_once_for_all_and_only_if_somebody_looks(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    encoded = []

    def encode(suffix: str, image: Image8) -> bytes:
        encoded.append(image)
        return b"jpeg"

    monkeypatch.setattr(module, "encode", encode)

    async def watch() -> None:
        pictures = Pictures()
        pictures.attach(asyncio.get_running_loop())
        for number in range(20):
            pictures.put(shows.plain(number / 10), shows.STATUS)
        assert not encoded
        got = await asyncio.gather(*(pictures.jpeg() for _ in range(9)))
        assert got == [(20, b"jpeg")] * 9
        pictures.close()

    asyncio.run(watch())
    assert len(encoded) == 1


def test_the_snapshot_is_exact(view: WebView, client: httpx.Client) -> None:
    assert client.get("/snapshot.png").status_code == 503
    image = np.random.default_rng(1).integers(0, 256, (20, 30, 3), np.uint8)
    view.show(image, shows.STATUS)
    answer = client.get("/snapshot.png")
    assert answer.headers["content-type"] == "image/png"
    read = cv2.imdecode(np.frombuffer(answer.content, np.uint8), cv2.IMREAD_COLOR_RGB)
    np.testing.assert_array_equal(read, image)


@pytest.mark.stops
def test_the_seventeenth_who_watches_is_told(view: WebView, client: httpx.Client) -> None:
    with ExitStack() as stack:
        for _ in range(routes.MOST_STREAMS):
            stack.enter_context(hang(view))
        wait_for(lambda: view._site.streams == routes.MOST_STREAMS)
        answer = client.get("/stream.mjpeg")
        assert answer.status_code == 503
        assert "watch already" in answer.text
        assert client.head("/stream.mjpeg").status_code == 503  # as the page asks
        assert client.get("/healthz").status_code == 503  # nothing was shown, but it answers
    wait_for(lambda: view._site.streams == 0)


def test_health_follows_the_frames(
    view: WebView, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/healthz").status_code == 503
    view.show(shows.plain(1), shows.STATUS)
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    monkeypatch.setattr(routes, "ALIVE_SECONDS", 0)
    assert client.get("/healthz").status_code == 503
    view.show(shows.plain(1), replace(shows.STATUS, frozen=True))
    assert client.get("/healthz").status_code == 200


def test_metrics_are_prometheus_text(view: WebView, client: httpx.Client) -> None:
    view.show(shows.plain(1), shows.STATUS)
    answer = client.get("/metrics")
    assert answer.headers["content-type"].startswith("text/plain; version=0.0.4")
    lines = answer.text.splitlines()
    for line in (
        "stream_dream_fps 24.5",
        "stream_dream_latency_seconds 0.08",
        "stream_dream_frames_dropped_total 20",
        'stream_dream_camera_state{state="ok"} 1',
        'stream_dream_camera_state{state="lost"} 0',
        'stream_dream_clients{kind="stream"} 0',
        "stream_dream_dream_size_pixels 480",
        "stream_dream_uptime_seconds 4",
    ):
        assert line in lines
    for name in {line.split("{")[0].split()[0] for line in lines if line[0] != "#"}:
        assert any(line.startswith(f"# HELP {name} ") for line in lines)
        kind = "counter" if name.endswith("_total") else "gauge"
        assert f"# TYPE {name} {kind}" in lines


def test_settings_are_read_and_changed(client: httpx.Client, controls: Controls) -> None:
    assert client.get("/settings").json()["strength"] == 1.0
    answer = client.put("/settings", json={"strength": 0.5, "mirror": True})
    assert answer.status_code == 200
    assert answer.json()["mirror"] is True
    assert controls.target.strength == 0.5


def test_refused_settings_change_nothing(client: httpx.Client, controls: Controls) -> None:
    for body in (b"", b"{", b"[]", b'{"strength": 3}', b'{"glide": 1, "strength": NaN}', b"\xff"):
        answer = client.put("/settings", content=body)
        assert answer.status_code == 400
        assert len(answer.json()["error"].splitlines()) == 1
    many = (b"x" * 10000 for _ in range(10))  # of a length that is not told beforehand
    assert client.put("/settings", content=many).status_code == 413
    assert controls.target == LiveParameters(glide=0)


def test_recordings_are_listed_and_served(client: httpx.Client, tmp_path: Path) -> None:
    assert client.get("/recordings").json() == []
    folder = tmp_path / "recordings"
    (folder / "below").mkdir(parents=True)
    (tmp_path / "secret.txt").write_text("secret")
    (folder / "a film.mkv").write_bytes(b"film")
    for name in (".hidden", "now.mkv.part", "below/deep.png"):
        (folder / name).write_bytes(b"secret")
    (folder / "link.txt").symlink_to(tmp_path / "secret.txt")
    [entry] = client.get("/recordings").json()
    assert (entry["name"], entry["bytes"]) == ("a film.mkv", 4)
    answer = client.get("/recordings/a%20film.mkv")
    assert answer.content == b"film"
    assert answer.headers["content-disposition"].startswith("attachment")
    for name in (
        "link.txt",
        ".hidden",
        "now.mkv.part",
        "below",
        "below/deep.png",
        "..%2fsecret.txt",
        "%2e%2e/secret.txt",
        "..%5csecret.txt",
        "%00",
        "",
    ):
        assert client.get(f"/recordings/{name}").status_code in (404, 307), name
    raw = httpx.URL(client.base_url, raw_path=b"/recordings/../secret.txt")
    assert client.get(raw).status_code == 404


@pytest.mark.slow
def test_what_is_said_takes_effect_on_every_page(view: WebView, controls: Controls) -> None:
    with shows.playing(view, controls), talk(view) as one, talk(view) as two:
        made = told(one, "form")["form"]
        assert made["looks"] == list(controls.looks)
        one.send(json.dumps({"set": {"strength": 0.25}}))
        told(two, "parameters", lambda values: values["strength"] == 0.25)
        two.send(json.dumps({"preset": "wild"}))
        told(one, "look", lambda look: look == "wild")
        one.send(json.dumps({"press": "freeze"}))
        told(two, "frozen")
        status = told(two, "status", lambda status: status["frozen"])["status"]
        assert status["camera"] == "ok"
        assert status["ready"] == ["dogs", "eyes"]
        controls.change({"strength": 2})  # by another view
        told(one, "parameters", lambda values: values["strength"] == 2)
        told(one, "frames")
    assert controls.look().name == "wild"


def test_every_parameter_has_a_control() -> None:
    knobs = {knob["name"]: knob for knob in form(shows.make_controls())["knobs"]}
    assert list(knobs) == list(LiveParameters.model_fields)
    assert knobs["mirror"]["kind"] == "switch"
    assert parameter_range("persistence") == (0, 0.995)
    assert knobs["persistence"]["step"] <= 0.001
    assert knobs["octaves"]["step"] == 1
    for name, knob in knobs.items():
        assert knob["help"]
        if knob["kind"] == "slider":
            for end in (knob["low"], knob["high"]):
                LiveParameters.model_validate({name: end})
            steps = (knob["default"] - knob["low"]) / knob["step"]
            assert steps == pytest.approx(round(steps))


HOSTILE = (
    "",
    "null",
    "[]",
    "{}",
    '"set"',
    "{",
    "NaN",
    "[" * 50000,
    '{"a":' * 10000,
    "1" * 60000,
    '{"set": null}',
    '{"set": []}',
    '{"set": {"strength": NaN}}',
    '{"set": {"strength": Infinity}}',
    '{"set": {"strength": 1e999}}',
    '{"set": {"strength": -1e308}}',
    '{"set": {"strength": 1' + "0" * 4000 + "}}",
    '{"set": {"jitter": 9' + "9" * 400 + "}}",
    '{"set": {"jitter": 1.5}}',
    '{"set": {"strength": true}}',
    '{"set": {"strength": "1"}}',
    '{"set": {"strength": [1]}}',
    '{"set": {"strength": {"a": 1}}}',
    '{"set": {"mirror": 1}}',
    '{"set": {"mirror": "yes"}}',
    '{"set": {"unknown": 1}}',
    '{"set": {"__class__": 1}}',
    '{"set": {"\\ud800": 1}}',
    '{"set": {"' + "x" * 60000 + '": 1}}',
    '{"set": {"strength": "' + "x" * 60000 + '"}}',
    '{"set": {"strength": 0.5, "persistence": 2}}',
    '{"set": {"strength": 1}, "press": "reset"}',
    '{"preset": "none"}',
    '{"preset": ["dogs"]}',
    '{"preset": {}}',
    '{"preset": "\\ud800\\n"}',
    '{"press": "explode"}',
    '{"press": 1}',
    '{"jump": 1}',
    '{"\\n": 1}',
    b"\x00\xff",
    b'{"set": {"strength": 0.5}}',
)


def test_what_cannot_be_is_refused_with_a_line(view: WebView, controls: Controls) -> None:
    before = controls.target
    with talk(view) as talking:
        for message in HOSTILE:
            talking.send(message)
            line = told(talking, "error")["error"]
            assert 5 < len(line) <= 300, message[:80]
            assert len(line.splitlines()) == 1
        assert controls.target == before
        assert controls.revision == 0
        talking.send('{"set": {"strength": 1.5}}')
        told(talking, "parameters", lambda values: values["strength"] == 1.5)


def any_json(chance: random.Random, depth: int = 0) -> Any:
    """Return something that JSON can say, often nearly a message."""
    names = [*LiveParameters.model_fields, "set", "preset", "press", "dogs", "freeze", "", "x\n"]
    kind = chance.randrange(9 if depth < 4 else 7)
    if kind < 2:
        return chance.choice([0, -1, 0.5, 1, 2, 3.7, 60, 1e9, -1e300, 10**30, 1e-320])
    if kind < 5:
        return chance.choice(names)
    if kind < 7:
        return chance.choice([True, False, None, "".join(chance.choices(string.printable, k=9))])
    if kind == 7:
        return [any_json(chance, depth + 1) for _ in range(chance.randrange(4))]
    return {
        chance.choice(names): any_json(chance, depth + 1) for _ in range(1 + chance.randrange(3))
    }


def test_no_message_breaks_anything(
    view: WebView,
    client: httpx.Client,
    controls: Controls,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("stream_dream.live.web.websocket.MOST_MESSAGES", 10**6)
    chance = random.Random(7)
    with shows.playing(view, controls), talk(view) as talking:
        for _ in range(300):
            kind = chance.choice(["set", "set", "set", "preset", "press", "any"])
            value = any_json(chance)
            text = json.dumps(value if kind == "any" else {kind: value})
            if chance.random() < 0.2:  # a byte is lost or changed on the way
                place = chance.randrange(len(text))
                text = text[:place] + chance.choice(["", "\0", '"', "}"]) + text[place + 1 :]
            talking.send(text)
        for _ in range(100):
            answer = client.put("/settings", content=json.dumps(any_json(chance)).encode())
            assert answer.status_code in (200, 400)
            assert (answer.status_code == 400) == ("error" in answer.json())
        talking.send('{"the": "end"}')
        told(talking, "error", lambda line: "'the'" in line)
        LiveParameters.model_validate(controls.target.model_dump())
        LiveParameters.model_validate(controls.parameters().model_dump())
        assert controls.look().name in controls.looks
        talking.send('{"set": {"strength": 1.25}}')
        told(talking, "parameters", lambda values: values["strength"] == 1.25)
        assert client.get("/healthz").status_code == 200


@pytest.mark.stops
def test_too_many_messages_are_answered_once(
    view: WebView, controls: Controls, monkeypatch: pytest.MonkeyPatch
) -> None:
    clock = shows.Clock()
    monkeypatch.setattr(websocket, "time", clock)
    take, asked = websocket.Allowance.take, []

    def counted(self: websocket.Allowance) -> bool:
        asked.append(1)
        return take(self)

    monkeypatch.setattr(websocket.Allowance, "take", counted)
    with talk(view) as talking:
        for _ in range(600):
            talking.send('{"set": {"strength": 0.75}}')
        told(talking, "error", lambda line: "a second" in line)
        wait_for(lambda: len(asked) == 600)
        clock.now += 0.5  # some are allowed again
        talking.send('{"preset": "nothing"}')
        told(talking, "error", lambda line: "'nothing'" in line)
    assert controls.revision < 600


def test_a_message_that_is_too_long_ends_that_page_alone(view: WebView) -> None:
    with talk(view) as other:
        with talk(view) as talking:
            talking.send("x" * 70000)
            with pytest.raises(Exception, match="1009"):
                told(talking, "never")
        told(other, "parameters")


@pytest.mark.slow
@pytest.mark.stops
@pytest.mark.skipif(not hasattr(socket, "TCP_USER_TIMEOUT"), reason="the system cannot")
def test_clients_that_never_read_are_cut_off(
    controls: Controls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_module, "STALLED_SECONDS", 0.3)
    view = WebView(("127.0.0.1", 0), controls, token=None, recordings=tmp_path)
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


@pytest.mark.stops
@pytest.mark.parametrize("sent", [b"", b"GET / HTTP/1.1\r\nHost: loc"])
def test_who_asks_for_nothing_is_cut_off(
    view: WebView, monkeypatch: pytest.MonkeyPatch, sent: bytes
) -> None:
    with talk(view) as talking:
        monkeypatch.setattr(server, "_FIRST_REQUEST_SECONDS", 0.2)
        silent = socket.create_connection(address(view), SECONDS)
        silent.sendall(sent)
        with silent, suppress(ConnectionResetError):
            assert silent.recv(1) == b""
        told(talking, "parameters")  # the others stay


@pytest.mark.stops
def test_too_many_connections_are_cut_off_and_room_comes_back(
    view: WebView, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(server, "MOST_CONNECTIONS", 3)
    with ExitStack() as stack:
        for _ in range(3):
            stack.enter_context(socket.create_connection(address(view)))
        wait_for(lambda: len(view._server.server_state.connections) == 3)
        with pytest.raises(httpx.TransportError):
            client.get("/settings")
    wait_for(lambda: not view._server.server_state.connections)
    assert client.get("/settings").status_code == 200


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


@pytest.mark.stops
def test_closing_ends_streams_pages_and_threads(controls: Controls, tmp_path: Path) -> None:
    view = WebView(("127.0.0.1", 0), controls, token=None, recordings=tmp_path)
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


def test_a_token_outside_this_machine(controls: Controls, tmp_path: Path) -> None:
    view = WebView(("0.0.0.0", 0), controls, token=None, recordings=tmp_path)
    try:
        assert view.token is not None
        assert f"?token={view.token}" in view.link
        assert "0.0.0.0" not in view.link
        _, port = address(view)
        here = f"127.0.0.1:{port}"
        for path in ("", "page.css", "page.js", "settings", "stream.mjpeg", "recordings"):
            assert httpx.get(f"http://{here}/{path}").status_code == 401
        with pytest.raises(Exception, match="401"):
            connect(f"ws://{here}/control")
        with httpx.Client(follow_redirects=True) as client:
            page = client.get(f"http://{here}/", params={"token": view.token})
            assert page.url.query == b""
            assert client.get(f"http://{here}/settings").status_code == 200
        with connect(f"ws://{here}/control?token={view.token}") as talking:
            told(talking, "form")
    finally:
        view.close()


def test_other_pages_cannot_talk(view: WebView) -> None:
    with pytest.raises(Exception, match="403"):
        connect(view.link.replace("http", "ws") + "control", origin=Origin("http://evil.com"))


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("127.0.0.1", "port is in use"),
        ("192.0.2.1", "no such address"),
        ("nowhere.invalid", "host"),
    ],
)
def test_an_address_that_cannot_be_served(
    controls: Controls, tmp_path: Path, host: str, reason: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"--web {host}:{port}: .*{reason}") as refused:
            WebView((host, port), controls, token=None, recordings=tmp_path)
    assert len(str(refused.value).splitlines()) == 1


def test_a_missing_extra_is_named(
    controls: Controls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "stream_dream.live.web.server")
    with pytest.raises(SettingsError, match=r"pip install 'stream-dream\[live\]'"):
        WebView(("127.0.0.1", 0), controls, token=None, recordings=tmp_path)
