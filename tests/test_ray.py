"""Films on a Ray cluster: the same frames, whoever vanishes, and nobody left behind."""

from __future__ import annotations

import json
import os
import pickle
import re
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import clips
import films
import pytest

from stream_dream.errors import SettingsError, SourceError
from stream_dream.film.cluster.connection import Cluster, ClusterLost
from stream_dream.film.cluster.sending import ByPath, unseen
from stream_dream.film.cluster.shipping import Packer
from stream_dream.film.film import FilmSummary, Watcher, render_film
from stream_dream.film.foreman import ChunkFailed, Progress
from stream_dream.film_settings import FilmSettings
from stream_dream.settings import DreamSettings, OutputSettings, validated

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
ray = pytest.importorskip("ray", reason="Ray is not installed: it is in the extra test")
# Each test starts clusters of its own: beside other tests their start takes too long.
pytestmark = [
    pytest.mark.real,
    pytest.mark.skipif(
        "STREAM_DREAM_TEST_RAY" not in os.environ,
        reason="needs the machine for itself: STREAM_DREAM_TEST_RAY=1 scripts/test -n 0 -k ray",
    ),
]

CHUNK = 30
# Long enough to be killed in the middle of a chunk, and to be seen there.
SLOW = 120


class Film:
    """A small film, and how it is dreamed."""

    def __init__(self, folder: Path) -> None:
        """Make it."""
        self.folder = folder
        self.source = films.make_film(folder / "film.mp4", (2 * CHUNK, 2 * CHUNK), sound=False)
        self.network = films.make_network(folder / "tiny.keras")
        self._known: dict[Any, list[int]] = {}

    def dream(self, **values: Any) -> DreamSettings:
        """Return settings with all that a state must carry on."""
        small = {"network": str(self.network), "layer": ["conv1"], "octaves": 2, "warm_up": 2}
        return validated(DreamSettings, {**small, "schedule": "rotate", "jitter": 8, **values})

    def here(self, source: Path, dream: DreamSettings, output: OutputSettings) -> list[int]:
        """Return the checksums of the frames as this process dreams them."""
        key = (source, dream.model_dump_json(), output.model_dump_json())
        if key not in self._known:
            target = self.folder / f"here{len(self._known)}.mp4"
            self._known[key] = checksums(render_film(source, target, dream, output, PIECES))
        return self._known[key]


PIECES = FilmSettings(chunk_seconds=CHUNK / 25)


def checksums(summary: FilmSummary) -> list[int]:
    return [checksum for record in summary.records for checksum in record.checksums]


@pytest.fixture(autouse=True)
def cache(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("STREAM_DREAM_CACHE", str(tmp_path_factory.getbasetemp() / "cache"))


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    return Film(tmp_path_factory.mktemp("ray"))


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

    def wait_until_dreaming(self) -> None:
        """Return when frames have been dreamed."""
        assert self.process.stdout is not None
        for line in self.process.stdout:
            progress = json.loads(line)
            if "total" in progress and progress["frames"] > 0:
                return
        raise AssertionError(self.process.communicate())

    def processes(self) -> list[str]:
        """Return what of it still runs."""
        listed = subprocess.run(
            ["ps", "-eo", "sid=,stat=,args="], capture_output=True, text=True, check=True
        ).stdout
        rows = (line.split(None, 2) for line in listed.splitlines())
        return [args for sid, stat, args in rows if int(sid) == self.process.pid and stat[0] != "Z"]


def test_ray_on_this_machine_makes_the_same_film(film: Film, tmp_path: Path) -> None:
    report = tmp_path / "report.json"
    command = Command(film, tmp_path / "film.mp4", f"--report={report}")
    _, errors = command.process.communicate(timeout=120)
    assert (command.process.returncode, errors) == (0, "")
    assert command.processes() == []
    assert sorted(path.name for path in tmp_path.iterdir()) == ["film.mp4", "report.json"]
    made = json.loads(report.read_text())
    assert made["checksums"] == film.here(film.source, film.dream(), OutputSettings())
    assert len({chunk["worker"] for chunk in made["chunks"]}) == 2
    assert not list(Path("/tmp/ray").glob(f"session_*_{command.process.pid}"))


def test_a_stopped_film_is_kept_and_goes_on_without_ray(film: Film, tmp_path: Path) -> None:
    target = tmp_path / "film.mp4"
    command = Command(film, target, **{"steps": SLOW})
    command.wait_until_dreaming()
    os.killpg(command.process.pid, signal.SIGTERM)  # as systemd and timeout do: Ray gets it, too
    _, errors = command.process.communicate(timeout=60)
    assert command.process.returncode == 130
    assert re.search(r"[234] of 4 chunks are done and kept in .*: continue with --resume", errors)
    assert "Traceback" not in errors
    assert len(errors.splitlines()) == 2
    assert command.processes() == []
    dream = film.dream(steps=SLOW)
    summary = render_film(film.source, target, dream, OutputSettings(), PIECES, resume=True)
    assert checksums(summary) == film.here(film.source, dream, OutputSettings())


def test_a_second_ctrl_c_leaves_no_process(film: Film, tmp_path: Path) -> None:
    command = Command(film, tmp_path / "film.mp4", **{"steps": SLOW})
    command.wait_until_dreaming()
    command.process.send_signal(signal.SIGINT)
    time.sleep(0.5)
    command.process.send_signal(signal.SIGINT)
    command.process.communicate(timeout=20)
    assert command.process.returncode == 130
    assert command.processes() == []


def test_workers_end_with_a_render_that_is_killed(film: Film, tmp_path: Path) -> None:
    command = Command(film, tmp_path / "film.mp4", **{"steps": SLOW})
    command.wait_until_dreaming()
    command.process.kill()
    command.process.communicate()
    # Two idle processes of Ray's own wait a minute for one that is gone, too.
    working = lambda: [args for args in command.processes() if "Agent" not in args]  # noqa: E731
    for _ in range(100):
        if not working():
            break
        time.sleep(0.2)
    assert working() == []


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
    assert ByPath  # the way on which it is looked for


# A cluster of two machines, whose workers all other tests share.


@pytest.fixture(scope="module")
def machines(film: Film) -> Iterator[SimpleNamespace]:
    """Start Ray as two machines would, and connect to it."""
    from ray.cluster_utils import Cluster as Simulated

    cluster = Simulated(initialize_head=True, head_node_args={"num_cpus": 1})
    second = cluster.add_node(num_cpus=1)
    connection = Cluster(cluster.address)
    yield SimpleNamespace(cluster=cluster, second=second)
    connection.close(wait=True)
    cluster.shutdown()


def on_ray(
    source: Path,
    target: Path,
    dream: DreamSettings,
    output: OutputSettings | None = None,
    watcher: Watcher | None = None,
    **film: Any,
) -> FilmSummary:
    settings = FilmSettings(chunk_seconds=CHUNK / 25, cluster="auto", workers=2, **film)
    return render_film(source, target, dream, output or OutputSettings(), settings, watcher=watcher)


def working(raylet: int | None = None) -> list[Any]:
    """Return the processes that dream chunks, on the machine with this raylet or on all."""
    import psutil

    found = []
    for process in psutil.Process(raylet).children(recursive=True):
        with suppress(psutil.Error, IndexError):
            if process.cmdline()[0].startswith("ray::Worker.dream"):
                found.append(process)
    return found


def in_mid_chunk(act: Callable[[], None]) -> Callable[[Progress], None]:
    """Do something once, while the second chunks of two shots are being dreamed."""
    done: list[bool] = []

    def look(progress: Progress) -> None:
        begun = progress.chunks_done == 2 and progress.frames > 2 * CHUNK
        if not done and begun and len(working()) == 2:
            done.append(True)
            act()

    return look


def test_a_worker_that_is_killed_is_replaced(
    machines: SimpleNamespace, film: Film, tmp_path: Path
) -> None:
    notes, dream = films.Notes(), film.dream(steps=SLOW)
    watcher = Watcher(progress=in_mid_chunk(lambda: working()[0].kill()), note=notes)
    summary = on_ray(film.source, tmp_path / "film.mp4", dream, watcher=watcher)
    assert checksums(summary) == film.here(film.source, dream, OutputSettings())
    assert summary.retries == 1
    assert "are dreamed again: the worker on" in notes
    assert "was killed" in notes


def b_frames(folder: Path, film: Film) -> Path:
    """Make an MP4 whose groups of pictures are open."""
    source = folder / "open.mp4"
    codec = ("-c:v", "libx264", "-bf", "3", "-x264-params", "open-gop=1:keyint=12")
    clips.ffmpeg("-i", film.source, *codec, source)
    return source


def milliseconds(folder: Path, film: Film) -> Path:
    """Make a Matroska file, which rounds time stamps."""
    rate = ("-r", "30000/1001", "-i", film.source)
    clips.ffmpeg(*rate, "-c:v", "libx264", "-bf", "2", folder / "stamps.mkv")
    return folder / "stamps.mkv"


def untagged(folder: Path, film: Film) -> Path:
    """Make HD that does not tell its colours."""
    source = folder / "untagged.mp4"
    filters = "scale=1280:720,setparams=colorspace=unknown"
    clips.ffmpeg("-i", film.source, "-vf", filters, "-c:v", "libx264", "-t", "2.8", source)
    return source


def incopyable(folder: Path, film: Film) -> Path:
    """Make a clip that repeats pictures: a frame is not the picture in its place."""
    source = folder / "vary.mkv"
    filters = "select='lt(n,40)+not(mod(n,3))'"
    clips.ffmpeg("-i", film.source, "-vf", filters, "-fps_mode", "vfr", source)
    return source


@pytest.mark.parametrize("make", [b_frames, milliseconds, untagged, incopyable])
def test_what_is_shipped_gives_the_same_film(
    machines: SimpleNamespace,
    film: Film,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    make: Callable[[Path, Film], Path],
) -> None:
    packed: list[bytes] = []
    pack = Packer.pack

    def spy(*arguments: Any, **options: Any) -> Any:
        shipment = pack(*arguments, **options)
        packed.append(shipment.task)
        return shipment

    monkeypatch.setattr(Packer, "pack", spy)
    source = make(tmp_path, film)
    mask = tmp_path / "mask.mp4"
    clips.ffmpeg("-f", "lavfi", "-i", "gradients=s=64x48:r=25:d=5", "-pix_fmt", "gray", mask)
    output = validated(OutputSettings, {"start": 0.4, "mask": mask})
    dream = film.dream(dream_size=96)
    summary = on_ray(source, tmp_path / "film.mp4", dream, output, ship=True)
    assert checksums(summary) == film.here(source, dream, output)
    assert summary.retries == 0
    chunks = len(summary.plan.chunks)
    assert len(packed) == chunks if make is not incopyable else len(packed) > chunks
    for task in packed:  # nothing that a worker could read but what it was sent
        assert not any(str(path).encode() in task for path in (tmp_path, film.folder, Path.cwd()))
        assert pickle.loads(task).source.path == Path(source.name)
    assert [path.name for path in tmp_path.glob("film*")] == ["film.mp4"]


def test_a_source_that_vanishes_ends_the_work(
    machines: SimpleNamespace, film: Film, tmp_path: Path
) -> None:
    source = tmp_path / "source.mp4"
    source.write_bytes(film.source.read_bytes())
    watcher = Watcher(done=lambda chunk, record: source.unlink(missing_ok=True))
    with pytest.raises(ChunkFailed, match=r"3 times: .*source\.mp4 cannot be read.*are? done and"):
        on_ray(source, tmp_path / "film.mp4", film.dream(), watcher=watcher)


def test_a_file_that_a_worker_does_not_see_is_named(
    machines: SimpleNamespace, film: Film, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stream_dream.film.cluster import crew, sending

    nowhere = tmp_path / "nowhere.mp4"
    monkeypatch.setattr(sending, "_sizes", lambda task: {str(nowhere): 5})
    look = unseen

    def here(path: Path, machine: str, size: int) -> Exception:
        nowhere.write_bytes(b"12345")  # only now: so the worker has not seen it
        return look(path, machine, size)

    monkeypatch.setattr(crew, "unseen", here)
    with pytest.raises(ChunkFailed, match=r"does not see .*nowhere\.mp4 .* or give --ship") as seen:
        on_ray(film.source, tmp_path / "film.mp4", film.dream())
    assert "times" not in str(seen.value)


def test_a_machine_that_dies_is_done_without(
    machines: SimpleNamespace, film: Film, tmp_path: Path
) -> None:
    raylet = machines.second.all_processes["raylet"][0].process.pid
    notes, dream = films.Notes(), film.dream(steps=SLOW)

    def die() -> None:
        assert len(working(raylet)) == 1
        machines.cluster.remove_node(machines.second, allow_graceful=False)

    watcher = Watcher(progress=in_mid_chunk(die), note=notes)
    summary = on_ray(film.source, tmp_path / "film.mp4", dream, watcher=watcher)
    assert checksums(summary) == film.here(film.source, dream, OutputSettings())
    assert summary.retries == 1
    assert "are dreamed again: " in notes
