"""A small film with cuts and sound, and helpers that dream it in chunks of 0.24 s."""

from __future__ import annotations

import multiprocessing
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from multiprocessing.process import BaseProcess
from pathlib import Path
from typing import Any

import clips
import numpy as np
import pytest
import synthetic
from skimage import data

from stream_dream.errors import Interrupted
from stream_dream.film.events import FilmEvents, FilmSummary
from stream_dream.film.execution.scheduler import FilmProgress
from stream_dream.film.in_chunks import render_film
from stream_dream.film.one_piece import render
from stream_dream.film.plan.plan import Chunk, Plan
from stream_dream.film.request import RenderRequest
from stream_dream.frame import FrameReport, Image8
from stream_dream.media.read.video import VideoSource
from stream_dream.media.write.video import VideoSink
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.validation import validated

SHOTS = (14, 9, 20)
"""Frames of each shot of ``make_film``."""

SHORT_CHUNKS = FilmSettings(chunk_seconds=0.24)
"""Settings that divide ``make_film`` into 9 chunks."""


def film_images(shots: Sequence[int] = SHOTS, size: tuple[int, int] = (96, 64)) -> list[Image8]:
    """Return the frames of shots that look nothing like each other."""
    images: list[Image8] = []
    for number, count in enumerate(shots):
        frames, _ = synthetic.pan(count, size=size)
        image = data.astronaut()[: size[1], : size[0]]
        for frame in frames:
            kind = number % 3
            images.append(
                frame.image if kind == 0 else 255 - frame.image if kind == 1 else image.copy()
            )
            image = np.roll(image, 2, axis=1)
    return images


def make_film(
    path: Path,
    shots: Sequence[int] = SHOTS,
    size: tuple[int, int] = (96, 64),
    *,
    sound: bool = True,
) -> Path:
    """Write a film at 25 frames a second."""
    images = film_images(shots, size)
    silent = path.with_name(f"silent-{path.name}")
    with VideoSink(silent, size=size, fps=Fraction(25), crf=8) as sink:
        for image in images:
            sink.write(image)
    tone = ("-f", "lavfi", "-i", f"sine=d={len(images) / 25}")
    clips.ffmpeg("-i", silent, *tone, "-c:v", "copy", "-c:a", "aac", path)
    silent.unlink()
    return path


def make_network(path: Path) -> Path:
    """Write a tiny Keras model: worker processes do not know networks registered in tests."""
    import keras

    keras.utils.set_random_seed(7)
    image = keras.Input((None, None, 3))
    x = keras.layers.Conv2D(8, 3, padding="same", activation="relu", name="conv0")(image)
    x = keras.layers.Conv2D(12, 3, 2, padding="same", activation="relu", name="conv1")(x)
    keras.Model(image, x).save(path)
    return path


def plan_with(*shots: Sequence[int]) -> Plan:
    """Make a plan from the lengths of each shot's chunks."""
    chunks: list[Chunk] = []
    for shot, lengths in enumerate(shots):
        for position, frames in enumerate(lengths):
            before = chunks[-1] if chunks else None
            chunks.append(
                Chunk(
                    number=len(chunks),
                    shot=shot,
                    first=before.first + before.frames if before else 0,
                    frames=frames,
                    source=None,
                    begins=0,
                    continues=position > 0,
                    continued=position + 1 < len(lengths),
                )
            )
    return Plan(tuple(chunks))


@dataclass
class Notes:
    """The notes of a render, line by line."""

    lines: list[str] = field(default_factory=list)

    def __call__(self, line: str) -> None:
        """Record a line."""
        self.lines.append(line)

    def __contains__(self, text: str) -> bool:
        """Return whether a line contains the text."""
        return any(text in line for line in self.lines)


def dream_of(network: Path) -> DreamSettings:
    """Return settings for ``make_network``."""
    return validated(DreamSettings, {"network": str(network), "layer": ["conv1"], "warm_up": 2})


def request_for(source: Path, output: OutputSettings, film: FilmSettings) -> RenderRequest:
    return RenderRequest(source, Path("film.mp4"), DreamSettings(), output, film)


def frames_of(path: Path) -> list[Image8]:
    with VideoSource(path) as opened:
        return [frame.image for frame in opened]


def in_one_piece(source: Path, target: Path, dream: DreamSettings, **output: Any) -> list[int]:
    """Render without chunks; return the checksums of the frames."""
    reports: list[FrameReport] = []
    settings = validated(OutputSettings, output)
    render(source, target, dream, settings, checksums=True, on_report=reports.append)
    return [report.checksum or 0 for report in reports]


def checksums(summary: FilmSummary) -> list[int]:
    """Return the checksums of all frames of a film in chunks."""
    return [checksum for record in summary.records for checksum in record.checksums]


def interrupted_job(
    source: Path, target: Path, dream: DreamSettings, chunks: int, **output: Any
) -> Path:
    """Start a film and press Ctrl-C when ``chunks`` chunks are done; return the job folder."""

    def interrupt(progress: FilmProgress) -> None:
        if progress.chunks_done >= chunks and not progress.stopping:
            raise KeyboardInterrupt

    settings, events = validated(OutputSettings, output), FilmEvents(progress=interrupt)
    with pytest.raises(Interrupted, match=r"chunks are done and kept .* with --resume"):
        render_film(source, target, dream, settings, SHORT_CHUNKS, events=events)
    assert not target.exists()
    return target.with_name(f"{target.name}.dream")


def resume(source: Path, target: Path, dream: DreamSettings, **output: Any) -> FilmSummary:
    settings = validated(OutputSettings, output)
    return render_film(source, target, dream, settings, SHORT_CHUNKS, resume=True)


def worker_processes() -> dict[int, BaseProcess]:
    """Return the processes that dream for this one, by process id."""
    return {process.pid or 0: process for process in multiprocessing.active_children()}
