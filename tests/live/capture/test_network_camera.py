"""A network camera: an ffmpeg process that serves a real clip on loopback."""

from __future__ import annotations

import signal
import socket
import subprocess
import threading
from collections.abc import Iterator

import clips
import imageio_ffmpeg
import pytest
from waiting import SECONDS, wait_for

from stream_dream.live.capture.camera import Camera
from stream_dream.live.capture.feed import Feed
from stream_dream.live.capture.sources import feed_opener
from stream_dream.settings.live import LiveSettings

pytestmark = [pytest.mark.slow, pytest.mark.stops]


def free_port(kind: socket.SocketKind) -> int:
    with socket.socket(socket.AF_INET, kind) as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


class _Server:
    """Serves a clip in a loop until it is killed."""

    def __init__(self, protocol: str) -> None:
        self.protocol = protocol
        kind = socket.SOCK_DGRAM if protocol == "udp" else socket.SOCK_STREAM
        port = free_port(kind)
        path = "/cam.mjpeg" if protocol == "http" else ""
        self.address = f"{protocol}://127.0.0.1:{port}{path}"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self, size: tuple[int, int] = (320, 240)) -> None:
        self.size = size
        clip = clips.real_clip("bikes.mp4")
        command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "quiet", "-re", "-stream_loop", "-1"]
        command += ["-i", str(clip), "-an", "-vf", f"scale={size[0]}:{size[1]}", "-r", "25"]
        if self.protocol == "http":
            command += ["-c:v", "mjpeg", "-q:v", "5", "-f", "mpjpeg", "-listen", "1", self.address]
        else:
            command += ["-c:v", "libx264", "-preset", "ultrafast", "-tune", "zerolatency"]
            command += ["-g", "12", "-f", "mpegts", f"{self.address}?pkt_size=1316"]
        self.process = subprocess.Popen(command, stdin=subprocess.DEVNULL)

    def keep(self) -> None:
        """Restart ffmpeg if it has ended: over HTTP it ends with its client."""
        if self.process is not None and self.process.poll() is not None:
            self.start(self.size)

    def kill(self) -> None:
        if self.process is not None:
            self.process.kill()
            self.process.wait()

    def send(self, number: signal.Signals) -> None:
        assert self.process is not None
        self.process.send_signal(number)


@pytest.fixture(params=["http", "udp"])
def server(request: pytest.FixtureRequest) -> Iterator[_Server]:
    made = _Server(request.param)
    try:
        yield made
    finally:
        made.kill()


@pytest.mark.parametrize("container", ["mpjpeg", "mpegts"])
def test_a_camera_of_one_picture_a_second_is_there_at_once(container: str) -> None:
    address = f"http://127.0.0.1:{free_port(socket.SOCK_STREAM)}/cam"
    codec = ["libx264", "-preset", "ultrafast", "-tune", "zerolatency", "-g", "12"]
    command = [imageio_ffmpeg.get_ffmpeg_exe(), "-v", "quiet", "-re"]
    command += ["-f", "lavfi", "-i", "nullsrc=size=320x240:rate=1,geq=lum='20+15*N':cb=128:cr=128"]
    command += ["-c:v", *(codec if container == "mpegts" else ["mjpeg"]), "-flush_packets", "1"]
    with subprocess.Popen([*command, "-f", container, "-listen", "1", address]) as process:
        camera = Camera(feed_opener(LiveSettings(source=address)))
        try:
            first = camera.wait(0, SECONDS)
            assert first is not None
            # One of the first, not the next key frame eleven pictures later: they become brighter.
            assert first.image.mean() < 20 + 15 * 4
        finally:
            camera.close()
            process.kill()


def size_of(camera: Camera) -> tuple[int, int] | None:
    newest = camera.wait(camera.captured, 0.5)
    return None if newest is None else (newest.image.shape[1], newest.image.shape[0])


def works(server: _Server, camera: Camera, size: tuple[int, int] = (320, 240)) -> bool:
    """Return whether pictures of a size arrive while the server is kept running."""
    server.keep()
    return size_of(camera) == size


def test_the_camera_reconnects_every_time(server: _Server) -> None:
    before = threading.active_count()
    camera = Camera(feed_opener(LiveSettings(source=server.address)))
    try:
        server.start()
        wait_for(lambda: works(server, camera))
        for round_ in range(5):
            server.kill()
            wait_for(lambda: camera.state == "lost")
            size = (320, 240) if round_ % 2 else (176, 144)
            server.start(size)
            # UDP has no connections: the last pictures of the old camera may arrive first.
            wait_for(lambda size=size: works(server, camera, size))
        assert threading.active_count() < before + 6
    finally:
        camera.close()


def test_a_frozen_camera_comes_back_when_it_goes_on(server: _Server) -> None:
    tries: list[int] = []
    connect = feed_opener(LiveSettings(source=server.address))

    def counted() -> Feed:
        tries.append(1)
        return connect()

    camera = Camera(counted)
    try:
        server.start()
        wait_for(lambda: works(server, camera))
        before = len(tries)
        server.send(signal.SIGSTOP)
        wait_for(lambda: camera.state == "lost" and len(tries) > before)
        server.send(signal.SIGCONT)
        wait_for(lambda: works(server, camera))
        assert camera.state == "ok"
    finally:
        server.send(signal.SIGCONT)
        camera.close()
