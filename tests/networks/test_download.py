"""Downloads from a real server on this machine."""

from __future__ import annotations

import hashlib
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from stream_dream.errors import NetworkError
from stream_dream.networks.download import Download, cache_folder, fetch
from stream_dream.networks.registry import find

GOOD = b"weights" * 40_000
MD5 = f"md5:{hashlib.md5(GOOD).hexdigest()}"


class Handler(BaseHTTPRequestHandler):
    """Serves good, wrong and broken files."""

    served: list[str]

    def do_GET(self) -> None:
        """Answer depending on the path."""
        type(self).served.append(self.path)
        if self.path == "/missing":
            self.send_error(404)
            return
        data = b"something else" if self.path == "/wrong" else GOOD
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data[: len(data) // 2] if self.path == "/broken" else data)

    def log_message(self, *arguments: Any) -> None:
        """Log nothing."""


@pytest.fixture
def server(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    for variable in ("NO_PROXY", "no_proxy"):
        monkeypatch.setenv(variable, "127.0.0.1")
    monkeypatch.setenv("STREAM_DREAM_CACHE", str(tmp_path / "cache"))
    Handler.served = []
    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as listening:
        threading.Thread(target=listening.serve_forever, args=[0.01], daemon=True).start()
        yield f"http://127.0.0.1:{listening.server_port}"
        listening.shutdown()


def left() -> list[str]:
    folder = cache_folder()
    return sorted(path.name for path in folder.iterdir()) if folder.is_dir() else []


def test_a_file_is_downloaded_once_and_shown(server: str) -> None:
    told: list[tuple[str, int, int]] = []
    source = Download(f"{server}/good", MD5, "a.h5")
    path = fetch("net", [source], lambda *event: told.append(event))
    assert path.read_bytes() == GOOD
    assert told[-1] == ("a.h5", len(GOOD), len(GOOD))
    assert [done for _, done, _ in told] == sorted(done for _, done, _ in told)
    assert fetch("net", [source]) == path
    assert Handler.served == ["/good"]
    assert left() == ["a.h5"]


@pytest.mark.parametrize("first", ["wrong", "missing", "broken"])
def test_the_next_source_is_tried(server: str, first: str) -> None:
    sources = [Download(f"{server}/{first}", MD5, "a.h5"), Download(f"{server}/good", None, "b.gz")]
    assert fetch("net", sources).read_bytes() == GOOD
    assert left() == ["b.gz"]


@pytest.mark.parametrize(
    ("path", "reason"),
    [
        ("wrong", "delivers another file than expected, deleted again"),
        ("missing", "answers 404"),
        ("broken", "broke off"),
    ],
)
def test_a_failed_download_is_one_line(server: str, path: str, reason: str) -> None:
    with pytest.raises(NetworkError) as caught:
        fetch("net", [Download(f"{server}/{path}", MD5, "a.h5")])
    message = str(caught.value)
    assert f"the weights of net cannot be downloaded: fetch {server}/{path} ({reason}" in message
    assert message.endswith(f"put it into {cache_folder()}, or give it with --weights FILE")
    assert "\n" not in message
    assert left() == []


def test_without_internet_all_sources_are_named(server: str) -> None:
    nowhere = [Download(f"http://127.0.0.1:9/{name}", MD5, name) for name in ("a", "b")]
    expected = r"fetch http://127.0.0.1:9/a \(does not answer\) or http://127.0.0.1:9/b \(does not"
    with pytest.raises(NetworkError, match=expected):
        fetch("net", nowhere)


def test_a_damaged_file_is_fetched_again(server: str) -> None:
    source = Download(f"{server}/good", MD5, "a.h5")
    path = fetch("net", [source])
    path.write_bytes(GOOD[:-1])
    assert fetch("net", [source]).read_bytes() == GOOD


def test_a_cache_that_cannot_be_written_is_named(server: str, tmp_path: Path) -> None:
    (tmp_path / "cache").write_text("in the way")
    with pytest.raises(NetworkError, match=r"cache cannot be written .*STREAM_DREAM_CACHE"):
        fetch("net", [Download(f"{server}/good", MD5, "a.h5")])


def test_a_failing_download_of_keras_says_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    address = "http://127.0.0.1:9/vgg16_notop.h5"

    def fail(**_: object) -> None:
        raise Exception(f"URL fetch failure on {address}: None -- [Errno 111] Connection refused")

    monkeypatch.setattr("keras.applications.VGG16", fail)
    expected = rf"vgg16 cannot be downloaded .*: fetch {address} and put it into \S+models, or give"
    with pytest.raises(NetworkError, match=expected):
        find("vgg16").build(["block5_conv3"])
