"""Films on a Ray cluster that the command starts: the same frames, and no process left behind."""

from __future__ import annotations

import json
import os
import re
import signal
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import films
import pytest
import sounds
from commands import Command
from gates import Gate
from rays import CHUNK_FRAMES, SETTINGS, Film, only_ray
from waiting import wait_for

from stream_dream.cli.over_time import over_time
from stream_dream.errors import SettingsError, SourceError
from stream_dream.film.cluster.connection import Cluster, ClusterLost
from stream_dream.film.in_chunks import render_film
from stream_dream.settings.output import OutputSettings

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
ray = pytest.importorskip("ray", reason="Ray is not installed: it is in the extra test")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    return Film(tmp_path_factory)


def rendering(film: Film, target: Path, *more: str, **values: Any) -> Command:
    """Start a command that renders a film on its own Ray cluster."""
    dream = {"layer": "conv1", "octaves": 2, "warm-up": 2, "schedule": "rotate", "jitter": 8}
    spread = {"chunk-seconds": CHUNK_FRAMES / 25, "cluster": "local", "workers": 2}
    given = {"network": film.network, **dream, **spread, **values}
    options = [f"--{name}={value}" for name, value in given.items()]
    return Command("render", film.source, target, *options, *more)


@pytest.fixture
def start(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[..., Command]]:
    """Return a function that starts a command; no other test runs Ray meanwhile."""
    commands: list[Command] = []

    def begin(*arguments: Any, **values: Any) -> Command:
        commands.append(rendering(*arguments, **values))
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
    assert command.ended() == (0, "")
    assert command.left() == {}
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "report.json"]
    made = json.loads(report.read_text())
    assert made["checksums"] == film.here(film.source, film.dream())
    assert not list(Path("/tmp/ray").glob(f"session_*_{command.process.pid}"))


def test_a_score_and_sound_make_the_same_film(
    start: Callable[..., Command], film: Film, tmp_path: Path
) -> None:
    report = tmp_path / "report.json"
    for layer in ("conv0", "conv1"):
        text = f'network = "{film.network}"\nlayer = ["{layer}"]\noctaves = 2\nwarm_up = 2\n'
        (tmp_path / f"{layer}.toml").write_text(text)
    sounds.write(tmp_path / "song.wav", sounds.song(length=8))
    score = tmp_path / "score.toml"
    score.write_text(
        'soundtrack = "song.wav"\npreset = "0:conv0.toml, shot 2:conv1.toml~1s"\n'
        'strength = "0:(0.3), max_f:(1)"\nreact = "onset->step_size*2, level->strength+0.2"\n'
        '[layer]\nconv0 = "1-bass"\n'
    )
    options = over_time(None, {"score": str(score)})
    dream, automation = options.with_dreams(quiet=True, as_json=False)
    arguments = (film.source, tmp_path / "here.mp4", dream, OutputSettings(), SETTINGS, automation)
    here = films.checksums(render_film(*arguments))
    own = Command(
        *("render", film.source, tmp_path / "film.mp4", "--score", score, "--report", report),
        *("--chunk-seconds", CHUNK_FRAMES / 25, "--cluster", "local", "--workers", 2),
    )
    try:
        assert own.ended() == (0, "")
        assert own.left() == {}
    finally:
        own.end()
    assert json.loads(report.read_text())["checksums"] == here


@pytest.mark.stops
def test_a_stopped_film_is_kept_and_goes_on_without_ray(
    start: Callable[..., Command], gate: Gate, film: Film, tmp_path: Path
) -> None:
    target = tmp_path / "film.mp4"
    gate.hold(0, 2)
    command = start(film, target)
    wait_for(lambda: gate.waiting == {0, 2})
    command.stop(signal.SIGTERM)  # as systemd and timeout do: Ray receives it, too
    command.wait_until_stopping()
    gate.open()
    code, errors = command.ended()
    assert code == 130
    assert re.search(r"2 of 4 chunks are done and kept in .*: continue with --resume", errors)
    assert "Traceback" not in errors
    assert len(errors.splitlines()) == 2
    assert command.left() == {}
    summary = render_film(
        film.source, target, film.dream(), OutputSettings(), SETTINGS, resume=True
    )
    assert films.checksums(summary) == film.here(film.source, film.dream())


@pytest.mark.stops
def test_a_second_ctrl_c_leaves_no_process(
    start: Callable[..., Command], gate: Gate, film: Film, tmp_path: Path
) -> None:
    gate.hold(0, 2)
    command = start(film, tmp_path / "film.mp4", workers=1, batch=2)
    wait_for(lambda: gate.waiting == {0, 2})
    command.process.send_signal(signal.SIGINT)
    command.wait_until_stopping()
    command.process.send_signal(signal.SIGINT)
    assert command.ended()[0] == 130
    assert command.left() == {}


@pytest.mark.stops
def test_workers_end_with_a_render_that_is_killed(
    start: Callable[..., Command], gate: Gate, film: Film, tmp_path: Path
) -> None:
    gate.hold(0)
    command = start(film, tmp_path / "film.mp4", workers=1)
    wait_for(lambda: gate.waiting == {0})
    command.process.kill()
    command.process.communicate()
    # Two idle processes of Ray wait a minute longer.
    wait_for(lambda: all("Agent" in args for args in command.processes().values()))


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


def test_errors_of_ray_are_explained_in_one_line() -> None:
    from ray import exceptions as raised

    from stream_dream.film.cluster.error_lines import WorkerLost, explained

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


def test_the_machine_that_lacks_a_file_is_named(tmp_path: Path) -> None:
    from stream_dream.film.cluster.error_lines import unseen

    path = tmp_path / "a.mp4"
    assert "does not exist any more" in str(unseen(path, "host", 3))
    path.write_bytes(b"123")
    assert "host does not see" in str(unseen(path, "host", 3))
    assert "has changed" in str(unseen(path, "host", 4))
