"""Every kind of input becomes every kind of output: frames, length, sound, colours and tags."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator
from contextlib import ExitStack, closing, contextmanager
from fractions import Fraction
from pathlib import Path

import cv2
import numpy as np
import pytest
import synthetic
from format_table import SOURCES, TARGETS, Source, Target
from painted_clips import FRAMES, HEIGHT, RATE, WIDTH, Clip, bt1886, patches, read, srgb
from PIL import Image, ImageSequence

from stream_dream.film.ascent_cache import AscentCache
from stream_dream.film.one_piece import render
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.validation import validated

av = pytest.importorskip("av", reason="PyAV is not installed: it is in the extra test")

SECONDS = FRAMES / RATE
CELLS = [
    pytest.param(source, target, id=f"{source} -> {target}")
    for source in SOURCES
    for target in TARGETS
]
# OpenCV, which reads these two, converts YUV to RGB less exactly than ffmpeg.
READ_BY_OPENCV, LESS_EXACT = ("h264", "vp9"), 2.4
PLAIN = {"octaves": 1, "steps": 1, "warm_up": 0, "step_size": 0, "dream_size": 64, "enlarge": 1}


@pytest.fixture(scope="module")
def dream() -> DreamSettings:
    """Return settings that change nothing."""
    synthetic.register_tiny()
    network = {"network": synthetic.TINY, "layer": ["conv0"], "cuts": False}
    return validated(DreamSettings, network | PLAIN)


@pytest.fixture(scope="module")
def networks() -> Iterator[AscentCache]:
    """Return what keeps one network for all renders."""
    with closing(AscentCache()) as kept:
        yield kept


@pytest.fixture(scope="module")
def source_of(tmp_path_factory: pytest.TempPathFactory) -> Callable[[str], tuple[Source, Clip]]:
    """Return a function that makes a clip once, and reads it."""
    folder, made = tmp_path_factory.mktemp("sources"), dict[str, tuple[Source, Clip]]()

    def make(name: str) -> tuple[Source, Clip]:
        if name not in made:
            source = SOURCES[name](folder)
            raw = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{WIDTH}x{HEIGHT}", "-r", RATE)
            made[name] = source, read(source.path, *(raw if name == "raw" else ()))
        return made[name]

    return make


@contextmanager
def streams(source: Source, written: Path | None) -> Iterator[None]:
    """Send a clip to standard input, or standard output to a file."""
    with ExitStack() as stack:

        def direct(stream: int, path: Path, flags: int) -> None:
            before, opened = os.dup(stream), os.open(path, flags)
            stack.callback(os.close, before)
            stack.callback(os.dup2, before, stream)
            os.dup2(opened, stream)
            os.close(opened)

        if source.piped is not None:
            direct(0, source.path, os.O_RDONLY)
        if written is not None:
            direct(1, written, os.O_WRONLY | os.O_CREAT)
        yield


def rendered(
    source: Source, target: Target, dream: DreamSettings, networks: AscentCache, folder: Path
) -> Path:
    """Render a clip; return the path of what was written."""
    standard = target.name == "-"
    path = folder / ("a.y4m" if standard else target.name)
    given = Path("-") if source.piped is not None else source.path
    output = validated(OutputSettings, target.settings | (source.piped or {}))
    with streams(source, path if standard else None):
        done = render(given, Path("-") if standard else path, dream, output, ascents=networks)
    assert done.frames == FRAMES
    lost = source.hdr and not stays_hdr(source, target)
    assert (done.warning is not None) == lost, done.warning
    return path


def stays_hdr(source: Source, target: Target) -> bool:
    deep_film = target.film and target.deep_for(source)
    return source.hdr and (deep_film or target.name.endswith(".exr"))


def size_for(source: Source, target: Target) -> tuple[int, int]:
    """Return the size of an output: what is no film has square pixels."""
    squared = source.wide and not target.film and target.name != "-"
    return (round(WIDTH * 4 / 3) if squared else WIDTH), HEIGHT


def tags_for(source: Source, target: Target) -> str:
    """Return what ffmpeg tells in brackets behind a pixel format: range and colours."""
    pixels = target.pixels_for(source)
    hdr = stays_hdr(source, target)
    if pixels.startswith("yuv") and target.film:
        return f"{pixels}(tv, {'bt2020nc/bt2020/smpte2084' if hdr else 'bt709'}"
    if pixels.startswith("yuv"):
        return f"{pixels}(tv"
    return f"{pixels}(gbr/bt2020/smpte2084" if hdr and target.film else pixels


@pytest.mark.slow
@pytest.mark.parametrize(("source_name", "target_name"), CELLS)
def test_a_clip_comes_out_as_it_went_in(
    dream: DreamSettings,
    networks: AscentCache,
    source_of: Callable[[str], tuple[Source, Clip]],
    tmp_path: Path,
    source_name: str,
    target_name: str,
) -> None:
    (source, before), target = source_of(source_name), TARGETS[target_name]
    path = rendered(source, target, dream, networks, tmp_path)
    after = read(path)
    check_report(after.report, source, target)
    check_colours(source_name, before, after, source, target)
    if target.sequence:
        check_pictures(tmp_path, source, target)
    elif target.film:
        check_film(path, source, target)
    elif target.name == "-":
        check_y4m(path, source)
    else:
        check_animation(path, source, target)


def check_report(report: str, source: Source, target: Target) -> None:
    """Check what ffmpeg says about an output."""
    video = next(line for line in report.splitlines() if "Video:" in line)
    width, height = size_for(source, target)
    assert f"Video: {target.codec}" in video
    assert f", {tags_for(source, target)}" in video
    assert f", {width}x{height}" in video
    assert not target.tag or f"({target.tag} / " in video
    assert f", {RATE} fps, " in video
    aspects = re.findall(r"SAR (\d+):(\d+)", video)  # the container's is the last
    shown = Fraction(*map(int, aspects[-1])) if aspects else Fraction(1)
    wide = source.wide and (target.film or target.name == "-")
    assert float(shown) == pytest.approx(4 / 3 if wide else 1, abs=0.002)
    assert ("Audio:" in report) == (source.sound and target.film)
    length = re.search(r"Duration: 00:00:(\S+),", report)
    if length is not None:  # of WebP and APNG it does not tell one
        assert float(length[1]) == pytest.approx(SECONDS, abs=1 / RATE)


def check_colours(name: str, before: Clip, after: Clip, source: Source, target: Target) -> None:
    """Check the order of the frames and the colours of the patches."""
    assert len(after.mark) == FRAMES
    assert np.abs(after.mark - np.arange(FRAMES)).max() < 0.1
    linear = target.name.endswith(".exr")
    truth = srgb(before.colours) if name.startswith("exr") else before.colours
    found = srgb(after.colours) if linear else after.colours
    allowed = target.allowed + LESS_EXACT * (name in READ_BY_OPENCV)
    shallow = source.bits == 8 or not target.deep_for(source)
    if source.hdr and (linear or not stays_hdr(source, target)):
        truth, allowed, shallow = patches()[None], 4 + target.allowed, True
        found = bt1886(after.colours) if linear else found
    difference = np.abs(found - truth[:1]).max() * (255 if shallow else 1023)
    assert difference <= allowed


def check_film(path: Path, source: Source, target: Target) -> None:
    """Check a film with PyAV."""
    pixels = target.pixels_for(source)
    with av.open(str(path)) as film:
        video = film.streams.video[0]
        context = video.codec_context
        assert (context.width, context.height) == (WIDTH, HEIGHT)
        assert video.average_rate == RATE
        shape = video.sample_aspect_ratio or Fraction(1)
        assert float(shape) == pytest.approx(4 / 3 if source.wide else 1, abs=0.002)
        assert len(film.streams.audio) == (source.sound and target.film)
        if pixels.startswith("yuv"):
            hdr = stays_hdr(source, target)
            colours = context.color_primaries, context.color_trc, context.colorspace
            assert tuple(map(int, colours)) == ((9, 16, 9) if hdr else (1, 1, 1))
            assert int(context.color_range) == 1
        frames = list(film.decode(video))
    assert len(frames) == FRAMES
    assert {frame.format.name for frame in frames} == {pixels}
    stamps = [float(frame.time) for frame in frames]
    assert np.abs(np.diff(stamps) - 1 / RATE).max() < 0.0011  # Matroska rounds to milliseconds
    if source.sound:
        with av.open(str(path)) as film:
            sound = [frame for frame in film.decode(audio=0)]
        heard = sum(frame.samples / frame.sample_rate for frame in sound)
        assert heard == pytest.approx(SECONDS, abs=0.05)


def check_animation(path: Path, source: Source, target: Target) -> None:
    """Check a GIF, WebP or APNG with Pillow."""
    with Image.open(path) as found:
        assert found.size == size_for(source, target)
        lengths = []
        for frame in ImageSequence.Iterator(found):
            frame.load()
            lengths.append(frame.info["duration"])
    assert len(lengths) == FRAMES
    assert lengths == pytest.approx([1000 / RATE] * FRAMES)


def check_pictures(folder: Path, source: Source, target: Target) -> None:
    """Check numbered pictures with OpenCV, or EXRs with PyAV."""
    paths = sorted(folder.iterdir())
    assert [path.stem for path in paths] == [f"{number:03d}" for number in range(1, FRAMES + 1)]
    width, height = size_for(source, target)
    for path in (paths[0], paths[-1]):
        if path.suffix == ".exr":
            with av.open(str(path)) as film:
                frame = next(film.decode(video=0))
            assert (frame.width, frame.height) == (width, height)
        else:
            picture = cv2.imread(str(path), cv2.IMREAD_UNCHANGED)
            assert picture is not None
            assert picture.shape == (height, width, 3)
            assert picture.dtype == (np.uint16 if target.deep_for(source) else np.uint8)


def check_y4m(path: Path, source: Source) -> None:
    """Check the header and the length of a stream."""
    header, _, rest = path.read_bytes().partition(b"\n")
    words = header.decode().split()
    deep = source.bits > 8
    assert words[:4] == ["YUV4MPEG2", f"W{WIDTH}", f"H{HEIGHT}", f"F{RATE}:1"]
    assert ("C420p10" in words) == deep
    assert ("A4:3" in words) == source.wide
    image = WIDTH * HEIGHT * 3 // 2 * (2 if deep else 1)
    assert len(rest) == FRAMES * (len(b"FRAME\n") + image)


@pytest.mark.slow
@pytest.mark.parametrize("name", SOURCES)
def test_a_clip_holds_what_was_painted(
    source_of: Callable[[str], tuple[Source, Clip]], name: str
) -> None:
    source, clip = source_of(name)
    assert len(clip.mark) == FRAMES
    painted = patches(source.bits)
    if not source.hdr:
        found = srgb(clip.colours) if name.startswith("exr") else clip.colours
        assert np.abs(found - painted).max() < (2 / 255 if source.bits == 8 else 3 / 1023)
    assert ("Audio:" in clip.report) == source.sound
    assert ("SAR 4:3" in clip.report) == source.wide
