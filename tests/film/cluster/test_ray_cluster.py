"""Films on a running Ray cluster: lost workers and machines, shipped and missing files."""

from __future__ import annotations

import os
import shutil
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import clips
import films
import numpy as np
import pytest
from gates import Gate
from rays import CHUNK_FRAMES, SETTINGS, Film, only_ray
from waiting import SECONDS, wait_for

from stream_dream.film.cluster.connection import Cluster
from stream_dream.film.events import FilmEvents, FilmSummary
from stream_dream.film.execution.scheduler import ChunkFailed, FilmProgress
from stream_dream.film.in_chunks import render_film
from stream_dream.film.job.chunk_record import ChunkRecord
from stream_dream.film.plan.plan import Chunk
from stream_dream.media.read.picture import read_picture
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.validation import validated

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
pytest.importorskip("ray", reason="Ray is not installed: it is in the extra test")
pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def film(tmp_path_factory: pytest.TempPathFactory) -> Film:
    return Film(tmp_path_factory)


@pytest.fixture(scope="module")
def machines(film: Film, tmp_path_factory: pytest.TempPathFactory) -> Iterator[SimpleNamespace]:
    """Start a Ray cluster of two simulated machines, shared by all tests, and connect to it."""
    from ray.cluster_utils import Cluster as Simulated

    with only_ray(tmp_path_factory), pytest.MonkeyPatch.context() as patch:
        gate = Gate(tmp_path_factory.mktemp("gate"), patch)  # Ray's processes inherit it
        cluster = Simulated(initialize_head=True, head_node_args={"num_cpus": 1})
        second = cluster.add_node(num_cpus=1)
        connection = Cluster(cluster.address)
        yield SimpleNamespace(cluster=cluster, second=second, gate=gate)
        connection.close(wait=True)
        cluster.shutdown()


@pytest.fixture
def gate(machines: SimpleNamespace) -> Iterator[Gate]:
    """Return the gate of both machines; open it after the test."""
    yield machines.gate
    machines.gate.open()


def on_ray(
    source: Path,
    target: Path,
    dream: DreamSettings,
    output: OutputSettings | None = None,
    events: FilmEvents | None = None,
    **film: Any,
) -> FilmSummary:
    values = {"chunk_seconds": CHUNK_FRAMES / 25, "cluster": "auto", "workers": 2, **film}
    settings = validated(FilmSettings, values)
    return render_film(source, target, dream, output or OutputSettings(), settings, events=events)


def working(raylet: int | None = None) -> list[Any]:
    """Return the processes that dream chunks, on the machine with this raylet or on all."""
    import psutil

    found = []
    for process in psutil.Process(raylet).children(recursive=True):
        with suppress(psutil.Error, IndexError):
            if process.cmdline()[0].startswith("ray::RayWorker.dream"):
                found.append(process)
    return found


def pictures(folder: Path) -> list[Any]:
    """Return the frames of a folder as integers."""
    return [read_picture(path).image.astype(int) for path in sorted(folder.glob("*.png"))]


@pytest.mark.stops
def test_both_shots_of_a_killed_batch_are_dreamed_again(
    machines: SimpleNamespace, gate: Gate, film: Film, tmp_path: Path
) -> None:
    # Few and small steps: differences of rounding in a batch grow with each.
    dream = film.dream(octaves=1, warm_up=0, steps=1, step_size=0.001)
    batched, alone = tmp_path / "batched", tmp_path / "alone"
    notes = films.Notes()
    gate.hold(0, 2)  # the first chunk of each shot

    def kill(progress: FilmProgress) -> None:
        if gate.waiting == {0, 2} and not gate.is_open:
            (worker,) = working()
            worker.kill()
            worker.wait(SECONDS)
            gate.open()

    events = FilmEvents(progress=kill, note=notes)
    batched.mkdir()
    summary = on_ray(film.source, batched / "%03d.png", dream, events=events, workers=1, batch=2)
    assert summary.retries == 2
    for frames in ("0 to 29", "60 to 89"):
        assert f"frames {frames} are dreamed again: the worker on" in notes
    assert "was killed" in notes
    alone.mkdir()
    render_film(film.source, alone / "%03d.png", dream, OutputSettings(), SETTINGS)
    made = list(zip(pictures(batched), pictures(alone), strict=True))
    assert len(made) == 4 * CHUNK_FRAMES
    assert max(int(np.abs(a - b).max()) for a, b in made) <= 1


def test_shipped_files_give_the_same_film(
    machines: SimpleNamespace, film: Film, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stream_dream.film.cluster import ray_workers, shipping

    source, mask = tmp_path / "vary.mkv", tmp_path / "mask.mp4"
    filters = "select='lt(n,40)+not(mod(n,3))'"
    clips.ffmpeg("-i", film.source, "-vf", filters, "-fps_mode", "vfr", source)
    clips.ffmpeg("-f", "lavfi", "-i", "gradients=s=64x48:r=25:d=5", "-pix_fmt", "gray", mask)
    network = Path(shutil.copy(film.network, tmp_path))
    output = validated(OutputSettings, {"start": 0.4, "mask": mask, "audio": False})
    dream = film.dream(dream_size=96, network=str(network))
    expected = film.here(source, dream, output)

    # A folder of its own name, and several parts of each file.
    name = f"{os.getpid()}-{time.monotonic_ns()}"
    monkeypatch.setattr(
        ray_workers, "uuid", SimpleNamespace(uuid4=lambda: SimpleNamespace(hex=name))
    )
    monkeypatch.setattr(shipping, "_PART", 4096)
    kept = Path(tempfile.gettempdir(), f"stream-dream-{os.getuid()}", name)
    found: set[str] = set()

    def hide(chunk: Chunk, record: ChunkRecord) -> None:
        found.update(path.relative_to(kept).as_posix() for path in kept.glob("*/*"))
        for path in (source, mask, network):  # workers read only what was sent
            path.unlink(missing_ok=True)

    summary = on_ray(
        source, tmp_path / "film.mp4", dream, output, ship=True, events=FilmEvents(done=hide)
    )
    assert films.checksums(summary) == expected
    assert summary.retries == 0
    assert {"source/vary.mkv", "mask/mask.mp4", "network of look 1/tiny.keras"} <= found
    wait_for(lambda: not kept.exists())  # its workers end a moment after the film
    assert [path.name for path in tmp_path.iterdir()] == ["film.mp4"]


@pytest.mark.stops
def test_a_source_that_vanishes_ends_the_work(
    machines: SimpleNamespace, film: Film, tmp_path: Path
) -> None:
    source = tmp_path / "source.mp4"
    source.write_bytes(film.source.read_bytes())
    events = FilmEvents(done=lambda chunk, record: source.unlink(missing_ok=True))
    with pytest.raises(ChunkFailed, match=r"3 times: .*source\.mp4 cannot be read.*are? done and"):
        on_ray(source, tmp_path / "film.mp4", film.dream(), events=events)


def test_a_file_missing_on_a_workers_machine_is_named(
    machines: SimpleNamespace, film: Film, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from stream_dream.film.cluster import error_lines, ray_workers

    nowhere = tmp_path / "nowhere.mp4"
    monkeypatch.setattr(ray_workers, "sizes", lambda task: {str(nowhere): 5})
    look = error_lines.unseen

    def here(path: Path, machine: str, size: int) -> Exception:
        nowhere.write_bytes(b"12345")  # only now, so that the worker has not seen it
        return look(path, machine, size)

    monkeypatch.setattr(error_lines, "unseen", here)
    with pytest.raises(ChunkFailed, match=r"does not see .*nowhere\.mp4 .* or give --ship") as seen:
        on_ray(film.source, tmp_path / "film.mp4", film.dream())
    assert "times" not in str(seen.value)


@pytest.mark.stops
def test_a_film_is_finished_without_a_machine_that_died(
    machines: SimpleNamespace, gate: Gate, film: Film, tmp_path: Path
) -> None:
    raylet = machines.second.all_processes["raylet"][0].process.pid
    notes, dream = films.Notes(), film.dream()
    gate.hold(0, 2)

    def die(progress: FilmProgress) -> None:
        if gate.waiting == {0, 2} and not gate.is_open:  # one on each machine
            (worker,) = working(raylet)
            machines.cluster.remove_node(machines.second, allow_graceful=False)
            worker.wait(SECONDS)  # it notices that its machine is gone
            gate.open()

    events = FilmEvents(progress=die, note=notes)
    summary = on_ray(film.source, tmp_path / "film.mp4", dream, events=events)
    assert films.checksums(summary) == film.here(film.source, dream)
    assert summary.retries == 1
    assert "are dreamed again: " in notes
    assert "has died" in notes
