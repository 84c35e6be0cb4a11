"""Pieces of a source for machines that lack it: the same frames, whatever it is."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace

import clips
import numpy as np
import pytest

from stream_dream.errors import SourceError
from stream_dream.film.cluster.segment import Segment, copy_packets, encode_losslessly
from stream_dream.film.cluster.sending import ByShipment
from stream_dream.film.plan import Chunk, make_plan
from stream_dream.film.reading import Excerpt, Mismatch, Reader
from stream_dream.frame import StreamInfo
from stream_dream.media.opening import probe_video
from stream_dream.media.source import VideoSource

B_FRAMES = ("-c:v", "libx264", "-bf", "3", "-g", "30")
OPEN = (*B_FRAMES, "-x264-params", "open-gop=1")


def planned(path: Path, **excerpt: float) -> tuple[Excerpt, StreamInfo, list[Chunk]]:
    with VideoSource(path, **excerpt) as source:
        plan = make_plan(source, 27, cuts=False)
        return Excerpt.of(source), source.info, list(plan.chunks)


def late(path: Path) -> Path:
    """Make a clip whose picture starts after its sound."""
    clips.make(path.with_name("picture.mp4"), *B_FRAMES, seconds=4)
    picture = ("-itsoffset", 1.3, "-i", path.with_name("picture.mp4"))
    mapped = ("-map", "0:v", "-map", "1:a", "-c:v", "copy")
    clips.ffmpeg(*picture, "-f", "lavfi", "-i", "sine=d=5", *mapped, path)
    return path


CLIPS: dict[str, Callable[[Path], Path]] = {
    "b-frames.mp4": lambda path: clips.make(path, *B_FRAMES, seconds=7),
    "open.mp4": lambda path: clips.make(path, *OPEN, seconds=7),
    "milliseconds.mkv": lambda path: clips.make(path, *B_FRAMES, fps="30000/1001", seconds=7),
    "untagged-hd.mp4": lambda path: clips.make(path, *OPEN, size="1280x720", seconds=2),
    "late.mp4": late,
}


@pytest.mark.real
@pytest.mark.parametrize("name", CLIPS)
@pytest.mark.parametrize("start", [0.0, 0.5])
def test_copied_packets_give_the_same_frames(tmp_path: Path, name: str, start: float) -> None:
    source = CLIPS[name](tmp_path / name)
    found = probe_video(source)
    excerpt, _, chunks = planned(source, start=start)
    part = tmp_path / "segment.part"
    for chunk in chunks:
        assert copy_packets(excerpt, chunk, part, starts_at=found.video_start)
        segment = Segment.find(part, chunk, excerpt, untagged_yuv=found.untagged_yuv)
        assert segment is not None
        here, there = (list(Reader(e).read(chunk)) for e in (excerpt, segment))
        for a, b in zip(here, there, strict=True):
            assert (a.index, a.time, a.cut) == (b.index, b.time, b.cut)
            assert np.array_equal(a.image, b.image)


@pytest.mark.real
@pytest.mark.parametrize("name", ["a.avi", "a.gif", "odd.mp4", "still.mp4"])
def test_what_is_encoded_without_loss_is_the_same(tmp_path: Path, name: str) -> None:
    odd = ("-c:v", "libx264", "-pix_fmt", "yuv444p") if name == "odd.mp4" else ()
    source = clips.make(tmp_path / name, *odd, size="65x49" if odd else "64x48", seconds=2)
    if name == "still.mp4":  # all frames look the same
        clips.ffmpeg("-f", "lavfi", "-i", "color=red:s=64x48:r=25:d=2", source)
    excerpt, info, chunks = planned(source)
    part = tmp_path / "segment.part"
    for chunk in chunks:
        encode_losslessly(excerpt, chunk, part, info)
        segment = Segment.find(part, chunk, excerpt, untagged_yuv=False)
        assert segment is not None
        assert segment.skipped == 0
        assert [f.index for f in Reader(segment).read(chunk)] == [
            chunk.first + place for place in range(chunk.frames)
        ]


@pytest.mark.real
def test_what_opencv_does_not_read_is_never_sent_as_packets(tmp_path: Path) -> None:
    interlaced = ("-c:v", "libx264", "-x264-params", "interlaced=1")
    excerpt, info, (chunk,) = planned(clips.make(tmp_path / "a.mp4", *interlaced, seconds=1))
    task = SimpleNamespace(source=excerpt, chunk=chunk, info=info)
    assert ByShipment()._order(task, None, lossless=False) is None  # type: ignore[arg-type]
    part = tmp_path / "segment.part"
    encode_losslessly(excerpt, chunk, part, info)
    segment = Segment.find(part, chunk, excerpt, untagged_yuv=False)
    assert segment is not None
    here, there = (list(Reader(e).read(chunk)) for e in (excerpt, segment))
    assert all(np.array_equal(a.image, b.image) for a, b in zip(here, there, strict=True))


def test_one_frame_is_a_segment(tmp_path: Path) -> None:
    excerpt, info, (chunk,) = planned(clips.make(tmp_path / "a.mp4", seconds=0.04))
    assert chunk.frames == 1
    encode_losslessly(excerpt, chunk, tmp_path / "part", info)
    segment = Segment.find(tmp_path / "part", chunk, excerpt, untagged_yuv=False)
    assert segment is not None
    assert len(list(Reader(segment).read(chunk))) == 1


def test_frames_that_are_not_there_are_not_found(tmp_path: Path) -> None:
    excerpt, info, chunks = planned(clips.make(tmp_path / "a.mp4", seconds=3))
    part = tmp_path / "part"
    encode_losslessly(excerpt, chunks[0], part, info)
    assert Segment.find(part, chunks[1], excerpt, untagged_yuv=False) is None
    segment = Segment.find(part, chunks[0], excerpt, untagged_yuv=False)
    assert segment is not None
    with pytest.raises(Mismatch):
        segment.open(chunks[1].first)
    assert not copy_packets(
        Excerpt(tmp_path / "none.mp4", 0, excerpt.fps, None), chunks[0], part, starts_at=0.0
    )


def test_another_source_is_noticed(tmp_path: Path) -> None:
    excerpt, info, chunks = planned(clips.make(tmp_path / "a.mp4", seconds=2))
    clips.ffmpeg("-f", "lavfi", "-i", "color=red:s=64x48:r=25:d=2", tmp_path / "a.mp4")
    with pytest.raises(SourceError, match=r"a\.mp4 is not what it was when the film was planned"):
        encode_losslessly(excerpt, chunks[1], tmp_path / "part", info)
