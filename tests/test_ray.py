"""Films on a Ray that the command starts: the same frames, and nobody left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from rays import CHUNK, PIECES, SECONDS, SLOW, Film, checksums, only_ray

from stream_dream.errors import SettingsError, SourceError
from stream_dream.film.cluster.connection import Cluster, ClusterLost
from stream_dream.film.cluster.sending import unseen
from stream_dream.film.film import render_film
from stream_dream.settings import OutputSettings

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
ray = pytest.importorskip("ray", reason="Ray is not installed: it is in the extra test")
pytestmark = pytest.mark.real


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    return Film(tmp_path_factory)


# A command that starts Ray by itself.


class Command:
    """The command line, in a session of its own so that its processes can be told from others."""

    def __init__(self, film: Film, target: Path, *more: str, **values: Any) -> None:
        """Start it."""
        dream = {"layer": "conv1", "octaves": 2, "warm-up": 2, "schedule": "rotate", "jitter": 8}
        spread = {"chunk-seconds": CHUNK / 25, "cluster": "local", "workers": 2}
        given = {"network": film.network, **dream, **spread, **values}
        options = [f"--{name}={value}" for name, value in given.items()] + ["--json"]
        self.process = subprocess.Popen(
            [sys.executable, "-m", "stream_dream", "render", film.source, target, *options, *more],
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )

    def wait_until(self, reached: Callable[[dict[str, Any]], bool]) -> None:
        """Return when the film has got so far."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            progress = json.loads(line)
            if "total" in progress and reached(progress):
                return
        raise AssertionError(self.process.communicate())

    def wait_until_dreaming(self) -> None:
        """Return when frames have been dreamed."""
        self.wait_until(lambda progress: bool(progress["frames"]))

    def processes(self) -> dict[int, str]:
        """Return what of it still runs."""
        listed = subprocess.run(
            ["ps", "-eo", "pid=,sid=,stat=,args="], capture_output=True, text=True, check=True
        ).stdout
        rows = (line.split(None, 3) for line in listed.splitlines())
        ours = str(self.process.pid)
        return {int(pid): args for pid, sid, stat, args in rows if sid == ours and stat[0] != "Z"}

    def left(self) -> dict[int, str]:
        """Return what of it goes on; one that is killed takes a moment to give its memory back."""
        late = time.monotonic() + 5
        while (left := self.processes()) and time.monotonic() < late:
            time.sleep(0.05)
        return left

    def end(self) -> None:
        """End what of it still runs, whatever a test has left."""
        for pid in self.processes():
            with suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.communicate()


@pytest.fixture
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Command]]:
    """Give what starts a command, which is the only one with a Ray."""
    commands: list[Command] = []

    def begin(*arguments: Any, **values: Any) -> Command:
        commands.append(Command(*arguments, **values))
        return commands[-1]

    with only_ray(tmp_path_factory):
        yield begin
        for command in commands:
            command.end()


def test_ray_on_this_machine_makes_the_same_film(
    start: Callable[..., Command], film: Film, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    command = start(film, tmp_path / "film.mp4", f"--report={report}")
    _, errors = command.process.communicate(timeout=SECONDS)
    assert (command.process.returncode, errors) == (0, "")
    assert command.left() == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "report.json"]
    made = json.loads(report.read_text())
    assert made["checksums"] == film.here(film.source, film.dream())
    assert not list(Path("/tmp/ray").glob(f"session_*_{command.process.pid}"))


def test_a_stopped_film_is_kept_and_goes_on_without_ray(
    start: Callable[..., Command], film: Film, tmp_path: Path
) -> None:
    target = tmp_path / "film.mp4"
    command = start(film, target, steps=SLOW)
    command.wait_until_dreaming()
    os.killpg(command.process.pid, signal.SIGTERM)  # as systemd and timeout do: Ray gets it, too
    _, errors = command.process.communicate(timeout=SECONDS)
    assert command.process.returncode == 130
    assert re.search(r"[234] of 4 chunks are done and kept in .*: continue with --resume", errors)
    assert "Traceback" not in errors
    assert len(errors.splitlines()) == 2
    assert command.left() == {}
    dream = film.dream(steps=SLOW)
    summary = render_film(film.source, target, dream, OutputSettings(), PIECES, resume=True)
    assert checksums(summary) == film.here(film.source, dream)


def test_a_second_ctrl_c_leaves_no_process(
    start: Callable[..., Command], film: Film, tmp_path: Path
) -> None:
    command = start(film, tmp_path / "film.mp4", steps=SLOW, workers=1, batch=2)
    command.wait_until_dreaming()
    command.process.send_signal(signal.SIGINT)
    command.wait_until(lambda progress: bool(progress["stopping"]))
    command.process.send_signal(signal.SIGINT)
    command.process.communicate(timeout=SECONDS)
    assert command.process.returncode == 130
    assert command.left() == {}


def test_workers_end_with_a_render_that_is_killed(
    start: Callable[..., Command], film: Film, tmp_path: Path
) -> None:
    command = start(film, tmp_path / "film.mp4", steps=SLOW, workers=1)
    command.wait_until_dreaming()
    command.process.kill()
    command.process.communicate()
    deadline = time.monotonic() + SECONDS
    # Two idle processes of Ray's own wait a minute for one that is gone, too.
    while working := [args for args in command.processes().values() if "Agent" not in args]:
        assert time.monotonic() < deadline, working
        time.sleep(0.2)


# What needs no cluster.


@pytest.mark.parametrize(
    ("address", "message"),
    [
        (
            "127.0.0.1:1",
            "no Ray cluster answers at 127.0.0.1:1 (Connection refused): check the address, and",
        ),
        ("ray://127.0.0.1:1", "no Ray cluster answers at ray://127.0.0.1:1 (Connection refused)"),
        ("nonsense", "no Ray cluster answers at nonsense (Invalid address format: nonsense)"),
    ],
)
def test_a_wrong_address_is_refused(
    run: Callable[..., tuple[int, str, str]],
    film: Film,
    tmp_path: Path,
    address: str,
    message: str,
) -> None:
    assert not ray.is_initialized()
    target = tmp_path / "film.mp4"
    network = ("--network", str(film.network), "--layer", "conv1")
    arguments = (str(film.source), str(target), *network, "--cluster", address)
    code, _, errors = run("render", *arguments)
    assert (code, len(errors.splitlines())) == (2, 1)
    assert message in errors
    assert not list(tmp_path.iterdir())


def test_without_ray_its_extra_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    with pytest.raises(SettingsError, match=r"pip install 'stream-dream\[cluster\]'"):
        Cluster("auto")


def test_what_went_wrong_is_said_in_a_line() -> None:
    from ray import exceptions as raised

    from stream_dream.film.cluster.errors import WorkerLost, explained

    def said(error: BaseException, *, local: bool = False) -> tuple[type, str]:
        found = explained(error, "host", local=local)
        assert len(str(found).splitlines()) == 1
        return type(found), str(found)

    task = raised.RayTaskError("dream", "traceback", SourceError("gone"))
    assert said(task) == (SourceError, "gone")
    missing = raised.RayTaskError("dream", "", ModuleNotFoundError("No module named 'keras'"))
    assert said(missing)[0] is SettingsError
    assert "install the same stream_dream" in said(missing)[1]
    assert said(raised.WorkerCrashedError()) == (WorkerLost, "the worker on host was killed")
    assert said(raised.OutOfMemoryError("lines\nof it"))[0] is WorkerLost
    assert said(raised.NodeDiedError("lines\nof it"))[0] is WorkerLost
    assert said(raised.NodeDiedError("lines\nof it"), local=True)[0] is ClusterLost
    assert said(SystemExit(0))[0] is ClusterLost
    assert said(SourceError("gone")) == (SourceError, "gone")


def test_where_a_file_is_missing_is_told(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    assert "does not exist any more" in str(unseen(path, "host", 3))
    path.write_bytes(b"123")
    assert "host does not see" in str(unseen(path, "host", 3))
    assert "has changed" in str(unseen(path, "host", 4))
