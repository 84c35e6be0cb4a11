"""Files sent to a machine are stored once for all workers and removed with the last of them."""

from __future__ import annotations

import subprocess
import sys
import tempfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from stream_dream.film.cluster import shipping
from stream_dream.film.cluster.shipping import NodeFolder, Shipped, sweep

_HOLD = """
import sys
from stream_dream.film.cluster.shipping import NodeFolder
print(NodeFolder("film").folder, flush=True)
sys.stdin.read()
"""


@pytest.fixture(autouse=True)
def temporary(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Set the folder for temporary files, also for child processes."""
    folder = tmp_path / "temporary"
    folder.mkdir()
    monkeypatch.setenv("TMPDIR", str(folder))
    monkeypatch.setattr(tempfile, "tempdir", None)
    return folder


def sent(path: Path, size: int, monkeypatch: pytest.MonkeyPatch) -> tuple[Shipped, list[bytes]]:
    """Send a file in parts of four bytes; return it, and its parts."""
    monkeypatch.setattr(shipping, "_PART", 4)
    path.write_bytes(bytes(range(size)))
    parts: list[bytes] = []

    def put(part: bytes) -> int:
        parts.append(part)
        return len(parts) - 1

    return Shipped.of(path, put), parts


@pytest.mark.parametrize("size", [0, 3, 4, 9])
def test_a_file_arrives_as_it_was(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, size: int
) -> None:
    file, parts = sent(tmp_path / "a.mp4", size, monkeypatch)
    assert max(map(len, parts), default=0) <= 4
    there = tmp_path / "there"
    there.mkdir()
    path = file.write(there, parts.__getitem__)
    assert path == there / "a.mp4"
    assert path.read_bytes() == bytes(range(size))
    assert list(there.iterdir()) == [path]


def test_a_failed_transfer_leaves_nothing(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file, parts = sent(tmp_path / "a.mp4", 9, monkeypatch)
    parts.pop()
    there = tmp_path / "there"
    there.mkdir()
    with pytest.raises(IndexError):
        file.write(there, parts.__getitem__)
    assert not list(there.iterdir())


def test_a_file_is_fetched_once_for_all_workers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file, parts = sent(tmp_path / "a.mp4", 9, monkeypatch)
    fetched: list[Any] = []

    def get(part: int) -> bytes:
        fetched.append(part)
        return parts[part]

    node_folder = NodeFolder("film")
    with ThreadPoolExecutor(4) as pool:
        paths = set(pool.map(lambda _: node_folder.keep("source", file, get), range(8)))
    assert len(paths) == 1
    assert paths.pop().read_bytes() == bytes(range(9))
    assert fetched == [0, 1, 2]
    node_folder.close()
    assert not node_folder.folder.exists()


@pytest.mark.slow
@pytest.mark.parametrize("killed", [False, True])
def test_a_folder_goes_with_the_last_process_that_holds_it(killed: bool) -> None:
    node_folder = NodeFolder("film")
    pipes: Any = {"stdin": subprocess.PIPE, "stdout": subprocess.PIPE, "text": True}
    with subprocess.Popen([sys.executable, "-c", _HOLD], **pipes) as other:
        assert other.stdout is not None
        assert other.stdout.readline().strip() == str(node_folder.folder)
        node_folder.close()
        assert node_folder.folder.exists()
        if killed:
            other.kill()
    assert node_folder.folder.exists() == killed
    sweep()
    assert not node_folder.folder.exists()
