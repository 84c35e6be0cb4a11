"""The web page's server, through real sockets."""

from __future__ import annotations

import asyncio
import os
import re
import socket
import sys
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import cv2
import httpx
import numpy as np
import pytest
import shows
from web_clients import address, talk, told
from websockets.sync.client import connect

from stream_dream.errors import SettingsError
from stream_dream.frame import Image8
from stream_dream.live.control.controls import Controls
from stream_dream.live.control.surface import Surface
from stream_dream.live.web import frames as module
from stream_dream.live.web import page_files, routes
from stream_dream.live.web import view as view_module
from stream_dream.live.web.auth import qr_picture
from stream_dream.live.web.frames import Pictures
from stream_dream.live.web.page_files import PAGE_FILES
from stream_dream.live.web.view import WebView
from stream_dream.settings.live import LiveParameters

PATHS = tuple(f"/{path}" for path in PAGE_FILES)
KINDS = {".css": "text/css", ".js": "text/javascript"}


@pytest.mark.parametrize("path", ["/", "/view", "/camera"])
def test_the_pages_are_whole(client: httpx.Client, path: str) -> None:
    page = client.get(path)
    assert page.headers["content-type"] == "text/html; charset=utf-8"
    wanted = re.findall(r'(?:href|src)="([a-z]+\.(?:css|js))"', page.text)
    assert len(wanted) == 2
    while wanted:
        name = wanted.pop()
        part = client.get(f"/{name}")
        assert part.status_code == 200, name
        assert part.headers["content-type"] == f"{KINDS[Path(name).suffix]}; charset=utf-8"
        wanted += re.findall(r'^import .*"\./(\w+\.js)";$', part.text, re.MULTILINE)
        for text in (part.text, page.text):
            assert not re.search(r"https?://(?!www\.w3\.org)", text)


def test_every_file_of_the_pages_is_used() -> None:
    folder = Path(page_files.__file__).parent
    found = {file.name for file in folder.iterdir() if file.suffix in (".html", ".css", ".js")}
    assert found == set(PAGE_FILES.values())


def test_the_pages_run_nothing_but_their_own_files(client: httpx.Client) -> None:
    for path in PATHS:
        page = client.get(path)
        policy = page.headers["content-security-policy"].split("; ")
        assert "default-src 'none'" in policy
        assert "script-src 'self'" in policy
        assert "style-src 'self'" in policy
        assert "unsafe" not in page.headers["content-security-policy"]
        if page.headers["content-type"].startswith("text/html"):
            inline = r"<style|\bstyle=|\bon\w+=|<script(?! type=\"module\" src=\"\w+\.js\")"
            assert not re.search(inline, page.text)


@pytest.mark.slow
@pytest.mark.parametrize("path", PATHS)
def test_files_of_the_page_are_sent_again_only_if_they_changed(
    client: httpx.Client, path: str
) -> None:
    answer = client.get(path)
    assert answer.headers["cache-control"] == "no-cache"  # revalidated each time
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


def test_a_frame_is_encoded_once_and_only_for_clients(
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


def test_health_follows_the_frames(
    view: WebView, client: httpx.Client, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert client.get("/healthz").status_code == 503
    view.show(shows.plain(1), shows.STATUS)
    answer = client.get("/healthz")
    assert (answer.status_code, answer.json()) == (200, {"status": "ok"})
    view.show(shows.plain(1), replace(shows.STATUS, frozen=True))
    assert client.get("/healthz").status_code == 200
    monkeypatch.setattr(routes, "ALIVE_SECONDS", 0)
    assert client.get("/healthz").status_code == 503  # a frozen show repeats its picture


def test_metrics_are_prometheus_text(view: WebView, client: httpx.Client) -> None:
    view.show(shows.plain(1), replace(shows.STATUS, outputs={'hls:a"b': "sending"}))
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
        r'stream_dream_output_sending{output="hls:a\"b"} 1',
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
    answer = client.put("/settings", json={"b/jitter": 9, "quantize": "bar", "bpm": 90})
    assert answer.json()["b/jitter"] == 9
    assert answer.json()["quantize"] == "bar"
    assert controls.bpm() == 90
    assert controls.target.jitter != 9  # of the deck in front


def test_refused_settings_change_nothing(client: httpx.Client, controls: Controls) -> None:
    for body in (b"", b"{", b"[]", b'{"strength": 3}', b'{"glide": 1, "strength": NaN}', b"\xff"):
        answer = client.put("/settings", content=body)
        assert answer.status_code == 400
        assert len(answer.json()["error"].splitlines()) == 1
    many = (b"x" * 10000 for _ in range(10))  # without a Content-Length
    assert client.put("/settings", content=many).status_code == 413
    assert controls.target == LiveParameters(glide=0)


@pytest.mark.slow
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
def test_a_token_outside_this_machine(controls: Controls, tmp_path: Path) -> None:
    view = WebView(("0.0.0.0", 0), Surface(controls), token=None, recordings=tmp_path)
    try:
        assert view.token is not None
        assert f"?token={view.token}" in view.link
        assert "0.0.0.0" not in view.link
        _, port = address(view)
        here = f"127.0.0.1:{port}"
        for path in (*PATHS, "/camera.svg", "/settings", "/stream.mjpeg", "/recordings"):
            assert httpx.get(f"http://{here}{path}").status_code == 401
        with pytest.raises(Exception, match="401"):
            connect(f"ws://{here}/control")
        with httpx.Client(follow_redirects=True) as client:
            page = client.get(f"http://{here}/", params={"token": view.token})
            assert page.url.query == b""
            assert client.get(f"http://{here}/settings").status_code == 200
            view_page = client.get(
                f"http://{here}/view", params={"token": view.token}, headers={"accept": "text/html"}
            )
            assert view_page.url.path == "/view"
            assert view_page.url.query == b""
            assert client.get(f"http://{here}/camera.svg").status_code == 404  # no camera
        with connect(f"ws://{here}/control?token={view.token}") as talking:
            assert told(talking, "form")["form"]["camera"] is None
    finally:
        view.close()


@pytest.mark.parametrize(
    ("host", "reason"),
    [
        ("127.0.0.1", "another program listens there"),
        ("192.0.2.1", "no such address"),
        ("nowhere.invalid", "no such host"),
        ("a..b", "no such host"),
    ],
)
def test_an_address_that_cannot_be_served_ends_in_one_line(
    controls: Controls, tmp_path: Path, host: str, reason: str
) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(SettingsError, match=rf"--web .* {host}:{port}: .*{reason}") as refused:
            WebView((host, port), Surface(controls), token=None, recordings=tmp_path)
    assert len(str(refused.value).splitlines()) == 1


def test_a_missing_extra_is_named(
    controls: Controls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "uvicorn", None)
    monkeypatch.delitem(sys.modules, "stream_dream.live.web.server")
    with pytest.raises(SettingsError, match=r"pip install 'stream-dream\[live\]'"):
        WebView(("127.0.0.1", 0), Surface(controls), token=None, recordings=tmp_path)


def test_thumbnails_are_served_once_they_are_made(view: WebView, client: httpx.Client) -> None:
    class _Thumbnails:
        made: Mapping[str, Any] = {}
        wanted = 0

        def want(self) -> None:
            self.wanted += 1

    thumbnails = _Thumbnails()
    view.offer(thumbnails)
    assert client.get("/thumbnails/dogs.jpg").status_code == 404
    thumbnails.made = {"dogs": SimpleNamespace(revision=3, image=shows.plain(1))}
    answer = client.get("/thumbnails/dogs.jpg?3")
    assert answer.headers["content-type"] == "image/jpeg"
    assert cv2.imdecode(np.frombuffer(answer.content, np.uint8), 1).shape == (48, 64, 3)
    view.show(shows.plain(1), shows.STATUS)
    with talk(view) as talking:
        state = told(talking, "status", lambda status: status["thumbnails"])
        assert state["status"]["thumbnails"] == {"dogs": 3}
    assert thumbnails.wanted


def test_the_surface_is_described_for_osc_query(client: httpx.Client) -> None:
    found = client.get("/osc.json").json()
    assert found["CONTENTS"]["strength"]["RANGE"] == [{"MIN": 0, "MAX": 2}]
    assert found["CONTENTS"]["preset"]["VALUE"] == ["dogs"]


def test_only_the_newest_recordings_are_listed(client: httpx.Client, tmp_path: Path) -> None:
    folder = tmp_path / "recordings"
    folder.mkdir()
    for number in range(routes.MOST_LISTED + 3):
        (folder / f"{number}.mkv").touch()
        os.utime(folder / f"{number}.mkv", (number, number))
    names = [entry["name"] for entry in client.get("/recordings").json()]
    assert len(names) == routes.MOST_LISTED
    assert names[0] == f"{routes.MOST_LISTED + 2}.mkv"
    assert client.get("/recordings/0.mkv").status_code == 200


def test_the_code_for_a_phone_has_the_address_that_the_machine_has_now(
    controls: Controls, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(view_module, "_reachable", lambda host: host)  # there is no network yet
    view = WebView(("0.0.0.0", 0), Surface(controls), recordings=tmp_path, push=lambda jpeg: None)
    monkeypatch.setattr(view_module, "_reachable", lambda host: "192.168.1.9")
    try:
        port = httpx.URL(view.link).port
        bearer = {"authorization": f"Bearer {view.token}"}
        code = httpx.get(f"http://127.0.0.1:{port}/camera.svg", headers=bearer)
        assert code.content == qr_picture(f"http://192.168.1.9:{port}/camera?token={view.token}")
    finally:
        view.close()
