"""Messages to systemd, through real sockets."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from stream_dream.live.status import LiveStatus
from stream_dream.live.systemd import ServiceManager

pytestmark = pytest.mark.skipif(not hasattr(socket, "AF_UNIX"), reason="no Unix sockets")


class _Manager:
    """Listens to notifications like systemd."""

    def __init__(self, address: str) -> None:
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self._socket.bind("\0" + address[1:] if address.startswith("@") else address)
        self._socket.setblocking(False)

    def heard(self) -> list[str]:
        messages = []
        while True:
            try:
                messages.append(self._socket.recv(4096).decode())
            except BlockingIOError:
                return messages

    def close(self) -> None:
        self._socket.close()


@pytest.fixture(params=["path", "abstract"])
def address(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    if request.param == "path":
        return str(tmp_path / "notify")
    if not Path("/proc/net/unix").exists():
        pytest.skip("abstract sockets are Linux's")
    return f"@stream-dream-{os.getpid()}"


@pytest.fixture
def manager(address: str) -> Iterator[_Manager]:
    manager = _Manager(address)
    yield manager
    manager.close()


def test_start_and_end_are_reported(manager: _Manager, address: str) -> None:
    service = ServiceManager({"NOTIFY_SOCKET": address})
    service(LiveStatus())  # nothing dreamed yet
    assert manager.heard() == []
    service(LiveStatus(dreamed=1))
    service(LiveStatus(dreamed=2))  # no watchdog is set
    service.stopping()
    assert manager.heard() == ["READY=1", "STOPPING=1"]


def test_the_watchdog_hears_of_frames_at_most_every_half_of_its_time(
    manager: _Manager, address: str
) -> None:
    now = 100.0
    environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "4000000"}
    environment["WATCHDOG_PID"] = str(os.getpid())
    service = ServiceManager(environment, clock=lambda: now)
    assert manager.heard() == []  # only frames count
    heard = []
    for tenth in range(50):
        now = 100 + tenth / 10
        service(LiveStatus(dreamed=tenth + 1))
        heard += [(tenth / 10, message) for message in manager.heard()]
    assert heard.pop(0) == (0.0, "READY=1")
    assert heard == [(0.0, "WATCHDOG=1"), (2.0, "WATCHDOG=1"), (4.0, "WATCHDOG=1")]


def test_the_watchdog_hears_nothing_of_a_show_that_is_stuck(
    manager: _Manager, address: str
) -> None:
    now = 100.0
    environment = {"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "4000000"}
    service = ServiceManager(environment, clock=lambda: now)
    service(LiveStatus(dreamed=7))
    assert manager.heard() == ["READY=1", "WATCHDOG=1"]
    now = 110.0
    service(LiveStatus(dreamed=7))
    assert manager.heard() == []
    service(LiveStatus(dreamed=7, frozen=True))
    assert manager.heard() == ["WATCHDOG=1"]


@pytest.mark.parametrize(
    "watchdog",
    [
        {"WATCHDOG_USEC": "0"},
        {"WATCHDOG_USEC": "soon"},
        {"WATCHDOG_USEC": "1000", "WATCHDOG_PID": "1"},
    ],
)
def test_a_watchdog_that_is_not_ours_hears_nothing(
    manager: _Manager, address: str, watchdog: dict[str, str]
) -> None:
    ServiceManager({"NOTIFY_SOCKET": address, **watchdog})(LiveStatus(dreamed=1))
    assert manager.heard() == ["READY=1"]


def test_what_the_manager_could_not_hear_is_said_again(tmp_path: Path) -> None:
    address = str(tmp_path / "late")
    service = ServiceManager({"NOTIFY_SOCKET": address, "WATCHDOG_USEC": "9000000"})
    service(LiveStatus(dreamed=1))
    manager = _Manager(address)
    service(LiveStatus(dreamed=2))
    assert manager.heard() == ["READY=1", "WATCHDOG=1"]
    manager.close()


def test_a_busy_manager_does_not_hold_up_the_show(tmp_path: Path) -> None:
    manager = _Manager(str(tmp_path / "busy"))
    service = ServiceManager({"NOTIFY_SOCKET": str(tmp_path / "busy")})
    for _ in range(2000):  # more than the socket buffers
        service.stopping()
    assert manager.heard()[0] == "STOPPING=1"
    manager.close()


@pytest.mark.parametrize("socket_name", [None, "", "relative", "vsock:2:1", "/no/such", "@", "/\0"])
def test_a_missing_manager_is_no_error(socket_name: str | None) -> None:
    environment = {"WATCHDOG_USEC": "1000"}
    if socket_name is not None:
        environment["NOTIFY_SOCKET"] = socket_name
    open_files = len(os.listdir("/dev/fd"))
    service = ServiceManager(environment)
    service(LiveStatus(dreamed=1))
    service.stopping()
    del service
    assert len(os.listdir("/dev/fd")) == open_files
