"""Plans films, and remembers the plans of those that were looked at before."""

from __future__ import annotations

import hashlib
import json
import platform
from collections.abc import Callable
from contextlib import closing, suppress
from importlib.metadata import version
from pathlib import Path
from typing import Any

import cv2

from stream_dream.errors import SourceError
from stream_dream.film.files import fingerprint, write_json
from stream_dream.film.plan import Plan, make_plan
from stream_dream.film.reading import Excerpt, Mismatch, Reader
from stream_dream.frame import Frame, StreamInfo
from stream_dream.media.ffmpeg import ffmpeg_program
from stream_dream.media.source import VideoSource
from stream_dream.networks.download import cache_folder

# Raise it when plans of the same film come out otherwise than before.
_VERSION = 1
_PLANS_KEPT = 50


def frames_in(seconds: float, info: StreamInfo) -> int:
    """Return the number of frames that a chunk of so many seconds has at the most."""
    return max(1, round(seconds * info.fps))


def plan_of(
    source: VideoSource,
    chunk_frames: int,
    *,
    cuts: bool,
    on_frame: Callable[[Frame], None] = lambda frame: None,
    anew: bool = False,
) -> Plan:
    """Return the plan of a film: from the user's cache or, at a first look, by reading it once.

    A plan from the cache is taken only where the frames are still decoded as they were: one that is
    not true any more would fail in the middle of the film.

    Args:
        source: The film.
        chunk_frames: Most frames of a chunk.
        cuts: True to look for cuts.
        on_frame: Called with each frame that is looked at.
        anew: True to read it in any case.

    Raises:
        SourceError: If it cannot be read.
    """
    path = cache_folder() / "plans" / f"{_key(source, chunk_frames, cuts=cuts)}.json"
    known = None if anew else _remembered(path)
    if known is not None and _is_true(known, source):
        return known
    plan = make_plan(source, chunk_frames, cuts=cuts, on_frame=on_frame)
    with suppress(OSError):  # a cache that cannot be written costs time only
        path.parent.mkdir(parents=True, exist_ok=True)
        write_json(path, plan.to_json())
        _forget(path.parent)
    return plan


def _remembered(path: Path) -> Plan | None:
    """Read a plan from the cache; None where there is none that can be read."""
    with suppress(OSError, ValueError, KeyError, TypeError):
        return Plan.from_json(json.loads(path.read_text("utf-8")))
    return None


def _is_true(plan: Plan, source: VideoSource) -> bool:
    """Return whether frames of a plan are decoded as they were when it was made.

    The first alone does not tell: it is black in many a film.
    """
    chunks, excerpt = plan.chunks, Excerpt.of(source)
    looked_at = {0}
    if excerpt.seekable:  # else it would take as long as planning
        looked_at |= {len(chunks) // 2, len(chunks) - 1}
    with closing(Reader(excerpt)) as reader:
        try:
            for number in sorted(looked_at):
                next(reader.read(chunks[number]))
        except (Mismatch, SourceError, StopIteration):
            return False
    return True


def _key(source: VideoSource, chunk_frames: int, *, cuts: bool) -> str:
    excerpt = Excerpt.of(source)
    known: dict[str, Any] = {
        "version": _VERSION,
        "file": _identity(source.path),
        "excerpt": [excerpt.first, str(excerpt.fps), excerpt.end, excerpt.background],
        "chunk_frames": chunk_frames,
        "cuts": cuts and version("scenedetect"),
        "decoder": _decoder(),
    }
    return hashlib.sha256(json.dumps(known, sort_keys=True).encode()).hexdigest()[:32]


def _identity(path: Path) -> list[Any]:
    """Return what identifies a file, and its state. Raises ``SourceError``."""
    try:
        return [fingerprint(path), path.stat().st_mtime_ns]
    except OSError as error:
        raise SourceError(f"{path} cannot be read: {error.strerror}") from error


def _decoder() -> list[str]:
    """Return what decoded frames depend on; how OpenCV was built includes its own FFmpeg."""
    build = cv2.getBuildInformation()
    return [cv2.__version__, build, ffmpeg_program(), platform.machine()]


def _forget(folder: Path) -> None:
    """Remove the oldest plans."""
    plans = sorted(folder.glob("*.json"), key=lambda path: path.stat().st_mtime)
    for path in plans[:-_PLANS_KEPT]:
        path.unlink(missing_ok=True)
