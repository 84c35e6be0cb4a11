"""Verifies the chunks of an earlier run before a job is resumed."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from stream_dream.film.job.chunk_record import ChunkRecord
from stream_dream.film.job.durable_files import digest
from stream_dream.film.job.job_folder import JobFolder
from stream_dream.film.plan.plan import Chunk, Plan
from stream_dream.media.ffmpeg import FFmpeg
from stream_dream.runtime.scheduling import cores


def check(
    folder: JobFolder,
    plan: Plan,
    records: dict[int, ChunkRecord],
    *,
    on_checked: Callable[[int, int], None] = lambda chunks, total: None,
) -> tuple[dict[int, ChunkRecord], list[str]]:
    """Separate intact chunks from those to dream again.

    The encoded frames must match their checksum and decode completely. The state is checked only
    where the next chunk needs it. ``on_checked`` is called with the number of chunks checked so
    far, and their total.

    Returns:
        The records of intact chunks, by number, and one line on each of the others.
    """
    good: dict[int, ChunkRecord] = {}
    bad: list[str] = []
    chunks = [chunk for chunk in plan.chunks if chunk.number in records]
    with ThreadPoolExecutor(cores()) as pool:
        problems = pool.map(lambda c: _picture_problem(folder, c, records[c.number]), chunks)
        for count, (chunk, problem) in enumerate(zip(chunks, problems, strict=True), 1):
            on_checked(count, len(chunks))
            if problem is None:
                good[chunk.number] = records[chunk.number]
            else:
                bad.append(f"{problem}: {chunk} are dreamed again")
    for chunk in reversed(chunks):  # backwards: a dropped chunk needs the state before it
        if chunk.number not in good or not chunk.continued or chunk.number + 1 in good:
            continue
        state, expected = folder.chunk(chunk.number).state, good[chunk.number].state
        problem = _problem(state, expected)
        if problem is not None:
            del good[chunk.number]
            bad.append(f"{problem}: {chunk} are dreamed again")
    return good, bad


def _picture_problem(folder: JobFolder, chunk: Chunk, record: ChunkRecord) -> str | None:
    path = folder.chunk(chunk.number).picture
    problem = _problem(path, record.picture)
    if problem is not None:
        return problem
    frames = _decoded(path)
    if frames != chunk.frames:
        return f"{path.name} has {frames} frames instead of {chunk.frames}"
    return None


def _problem(path: Path, expected: str | None) -> str | None:
    try:
        return None if digest(path) == expected else f"{path.name} is damaged"
    except OSError:
        return f"{path.name} is missing"


def _decoded(path: Path) -> int:
    """Return the number of frames that can be decoded."""
    counted = ["-fps_mode", "passthrough", "-progress", "pipe:1", "-f", "null", os.devnull]
    process = FFmpeg(["-i", str(path.absolute()), "-map", "0:v:0", *counted], read=True)
    try:
        found = re.findall(rb"^frame=(\d+)", b"".join(process.output or ()), re.MULTILINE)
    finally:
        process.kill()
    return int(found[-1]) if found else 0


def missing(plan: Plan, records: Iterable[int]) -> list[Chunk]:
    """Return the unfinished chunks."""
    done = set(records)
    return [chunk for chunk in plan.chunks if chunk.number not in done]
