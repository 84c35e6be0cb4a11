"""A written film is complete, in sync and in its colours; otherwise its name is not used."""

from __future__ import annotations

import os
import resource
import signal
import time
from collections.abc import Callable, Iterator
from fractions import Fraction
from pathlib import Path
from typing import Any

import clips
import numpy as np
import pytest
from PIL import Image
from waiting import wait_for

from stream_dream.errors import SinkError
from stream_dream.frame import Image8
from stream_dream.media import ffmpeg
from stream_dream.media.read.video import VideoSource
from stream_dream.media.write.formats import encoding_of
from stream_dream.media.write.output_paths import check_target, left_over
from stream_dream.media.write.sound import Soundtrack
from stream_dream.media.write.video import VideoSink

FILMS = ("mp4", "mov", "mkv", "webm")
NTSC = Fraction(30000, 1001)


@pytest.fixture(autouse=True)
def _nothing_stays_behind(tmp_path: Path) -> Iterator[None]:
    yield
    assert not [name for name in clips.children() if name.startswith("ffmpeg")]
    assert not [path for path in tmp_path.iterdir() if ".part" in path.name]


def write(path: Path, count: int, size: tuple[int, int] = (64, 48), **options: object) -> Path:
    options.setdefault("fps", NTSC)
    with VideoSink(path, size=size, **options) as sink:
        for index in range(count):
            sink.write(clips.counting_image(index, size))
    return path


def noise(seed: int = 0) -> Image8:
    return np.random.default_rng(seed).integers(0, 256, (240, 320, 3), dtype=np.uint8)


@pytest.mark.slow
@pytest.mark.parametrize("count", [1, 31])
@pytest.mark.parametrize("suffix", FILMS)
def test_films_have_every_frame_at_the_exact_rate(tmp_path: Path, suffix: str, count: int) -> None:
    path = write(tmp_path / f"a.{suffix}", count)
    with VideoSource(path) as source:
        frames = list(source)
    assert len(frames) == source.info.frame_count == count
    assert source.info.fps == NTSC
    for index, frame in enumerate(frames):
        difference = frame.image.astype(int) - clips.counting_image(index)
        assert np.abs(np.median(difference, (0, 1))).max() < 8
    if suffix in ("mp4", "mov"):
        assert clips.delays(path) == [1 / NTSC] * (count - 1)


@pytest.mark.parametrize("count", [1, 31])
@pytest.mark.parametrize("suffix", ["gif", "webp"])
def test_animations_keep_frames_and_duration(tmp_path: Path, suffix: str, count: int) -> None:
    path = write(tmp_path / f"a.{suffix}", count)
    durations = []
    with Image.open(path) as picture:
        assert getattr(picture, "n_frames", 1) == count
        for index in range(count):
            picture.seek(index)
            picture.load()
            durations.append(picture.info.get("duration", 0))
        if count > 1:
            assert picture.info["loop"] == 0
            assert sum(durations) / 1000 == pytest.approx(float(count / NTSC), abs=0.02)


def test_gif_is_no_faster_than_viewers_play(tmp_path: Path) -> None:
    path = write(tmp_path / "a.gif", 30, fps=Fraction(60))
    assert set(clips.delays(path)) == {Fraction(1, 50)}


@pytest.mark.parametrize("count", [1, 31])
def test_numbered_pictures(tmp_path: Path, count: int) -> None:
    write(tmp_path / "100%-%04d.png", count)
    names = sorted(path.name for path in tmp_path.iterdir())
    assert names == [f"100%-{number:04d}.png" for number in range(1, count + 1)]
    with Image.open(tmp_path / names[-1]) as picture:
        assert np.array_equal(np.asarray(picture), clips.counting_image(count - 1))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["mp4", "webm", "gif"])
@pytest.mark.parametrize("size", [(1, 1), (65, 47)])
def test_odd_sizes_gain_one_edge_pixel_at_most(
    tmp_path: Path, suffix: str, size: tuple[int, int]
) -> None:
    with VideoSource(write(tmp_path / f"a.{suffix}", 2, size)) as source:
        image = next(iter(source)).image
    even = 0 if suffix == "gif" else 1
    assert source.info.size == (size[0] + even, size[1] + even)
    assert np.abs(image[-1, -1].astype(int) - image[-2 if even else -1, -1]).max() <= 2


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["mp4", "mov", "mkv", "webm", "gif"])
def test_display_shape_is_kept(tmp_path: Path, suffix: str) -> None:
    path = write(tmp_path / f"a.{suffix}", 2, (176, 144), pixel_aspect=Fraction(128, 117))
    with VideoSource(path) as source:
        width, height = source.info.display_size
    assert width / height == pytest.approx(1408 / 1053, rel=0.003)
    if suffix == "gif":
        assert source.info.size == (193, 144)


@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm"])
def test_colours_survive_and_are_tagged(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"a.{suffix}"
    with VideoSink(path, size=(128, 64), fps=Fraction(25)) as sink:
        for _ in range(3):
            sink.write(clips.patch_image())
    assert "yuv420p(tv, bt709, progressive)" in clips.report(path)
    with VideoSource(path) as source:
        for frame in source:
            assert np.abs(clips.patch_colours(frame.image) - clips.PATCHES).max() <= 3


def identity(source: Path, target: Path, **span: float) -> Path:
    """Copy a clip through source and sink, with its sound."""
    with VideoSource(source, **span) as video:
        sound = Soundtrack(source, video.start, video.end)
        with VideoSink(target, size=video.info.size, fps=video.info.fps, sound=sound) as sink:
            for frame in video:
                sink.write(frame.image)
    return target


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm"])
@pytest.mark.parametrize(
    ("late", "start"), [(None, 0), (None, 0.48), ("sound", 0.2), ("picture", 0.2)]
)
def test_sound_stays_in_sync(tmp_path: Path, suffix: str, late: str | None, start: float) -> None:
    clip = clips.make_beep(tmp_path / "beep.mp4")
    heard = 1.0 - start
    if late is not None:
        shifted = tmp_path / "late.mp4"
        streams = ("1:v", "0:a") if late == "picture" else ("0:v", "1:a")
        inputs = ("-i", clip, "-itsoffset", 0.4, "-i", clip)
        clips.ffmpeg(*inputs, "-map", streams[0], "-map", streams[1], "-c", "copy", shifted)
        clip, heard = shifted, heard + (0.4 if late == "sound" else -0.4)
    path = identity(clip, tmp_path / f"out.{suffix}", start=start)
    assert clips.beep_onset(path) == pytest.approx(heard, abs=0.005)
    assert "start: 0.000000" in clips.report(path)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["mp4", "mkv", "webm"])
def test_longer_sound_is_kept_unless_an_end_is_given(tmp_path: Path, suffix: str) -> None:
    clip = clips.make_beep(tmp_path / "beep.mp4")
    whole = identity(clip, tmp_path / f"whole.{suffix}")
    assert clips.sound_length(whole) == pytest.approx(3, abs=0.05)
    part = identity(clip, tmp_path / f"part.{suffix}", start=0.2, end=1.2)
    assert clips.sound_length(part) == pytest.approx(1, abs=0.05)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("source", "target", "codec"),
    [
        (("-c:a", "aac"), "mp4", "aac (LC)"),
        (("-c:a", "libvorbis"), "mp4", "aac (LC)"),
        (("-c:a", "pcm_s16le"), "mov", "pcm_s16le"),
        (("-c:a", "libvorbis"), "webm", "vorbis"),
        (("-c:a", "libmp3lame"), "mkv", "mp3"),
        (("-c:a", "flac"), "webm", "opus"),
        (("-c:a", "pcm_s8"), "mkv", "flac"),
    ],
)
def test_sound_is_copied_where_the_container_takes_it(
    tmp_path: Path, source: tuple[str, str], target: str, codec: str
) -> None:
    container = "mov" if "pcm_s8" in source else "mkv"  # Matroska does not hold it
    clip = clips.make_beep(tmp_path / f"beep.{container}", *source)
    assert f"Audio: {codec}" in clips.report(identity(clip, tmp_path / f"out.{target}"))


@pytest.mark.slow
@pytest.mark.parametrize(("suffix", "codec"), [("mp4", "aac (LC)"), ("webm", "opus")])
def test_surround_sound_stays_surround(tmp_path: Path, suffix: str, codec: str) -> None:
    sound = Soundtrack(clips.real_clip("bigbuckbunny.mp4"))
    report = clips.report(write(tmp_path / f"a.{suffix}", 2, sound=sound))
    assert f"Audio: {codec}" in report
    assert "5.1" in report


@pytest.mark.slow
def test_no_sound_where_there_is_none(tmp_path: Path) -> None:
    silent = Soundtrack(clips.real_clip("bikes.mp4"))
    beyond = Soundtrack(clips.real_clip("bigbuckbunny.mp4"), start=60)
    for number, sound in enumerate((silent, beyond)):
        path = write(tmp_path / f"{number}.mp4", 2, sound=sound)
        with VideoSource(path) as source:
            assert len(list(source)) == 2
    assert "Audio" not in clips.report(write(tmp_path / "a.gif", 2, sound=beyond))


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.txt", "choose .mp4"),
        ("a", "choose .mp4"),
        ("a.png", "number them"),
        ("none/a.mp4", "does not exist"),
        ("folder.mp4", "is a folder"),
        ("there.mp4", "exists already"),
        ("there-%02d.png", "exists already"),
        ("there-%5d.png", "number them"),
    ],
)
def test_bad_targets_are_refused_first(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder.mp4").mkdir()
    (tmp_path / "there.mp4").touch()
    (tmp_path / "there-07.png").touch()
    with pytest.raises(SinkError, match=message) as caught:
        check_target(tmp_path / name, overwrite=False)
    assert caught.value.exit_code == 2


@pytest.mark.parametrize("name", ["a-07.png", "a-%02d.png", "link.mp4"])
def test_the_source_is_never_replaced(tmp_path: Path, name: str) -> None:
    source = tmp_path / "a-07.png"
    source.touch()
    (tmp_path / "link.mp4").symlink_to(source)
    target = tmp_path / name.replace("07", "%02d")
    with pytest.raises(SinkError, match="is one of the inputs"):
        check_target(target, overwrite=True, inputs=[source])
    check_target(target, overwrite=True, inputs=[tmp_path / "another.mp4"])


def test_leftovers_of_a_longer_sequence_are_reported(tmp_path: Path) -> None:
    pattern = tmp_path / "a%d.png"
    for number in range(1, 6):
        (tmp_path / f"a{number}.png").touch()
    assert left_over(pattern, 5) is None
    assert str(left_over(pattern, 3)).startswith(f"2 other files fit {pattern}")
    (tmp_path / "a.mp4").touch()
    assert left_over(tmp_path / "a.mp4", 0) is None


@pytest.mark.slow
@pytest.mark.parametrize("suffix", [".mp4", ".webm", ".gif", ".webp", ".apng"])
def test_the_longest_side_can_be_written_and_no_longer_one(tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"long{suffix}"
    side = encoding_of(path).longest_side
    for size in ((side, 2), (2, side)):
        with VideoSink(path, size=size, fps=Fraction(10), overwrite=True) as sink:
            sink.write(np.zeros((size[1], size[0], 3), np.uint8))
        with VideoSource(path) as source:
            assert source.info.size == size
        path.unlink()
    with pytest.raises(SinkError, match=f"{side + 1}x2 pixels, its format holds {side} a side"):
        VideoSink(path, size=(side + 1, 2), fps=Fraction(10))
    assert not os.listdir(tmp_path)


def test_overwriting_replaces_only_at_the_end(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    path.write_text("old")
    with VideoSink(path, size=(64, 48), fps=NTSC, overwrite=True) as sink:
        sink.write(clips.counting_image(0))
        assert path.read_text() == "old"
    assert path.stat().st_size > 100


def test_a_file_that_appears_meanwhile_is_kept(tmp_path: Path) -> None:
    path = tmp_path / "a.mp4"
    sink = VideoSink(path, size=(64, 48), fps=NTSC)
    sink.write(clips.counting_image(0))
    path.write_text("mine")
    with pytest.raises(SinkError, match=r"a\.2\.mp4"):
        sink.close()
    assert path.read_text() == "mine"
    assert (tmp_path / "a.2.mp4").exists()


def test_leftovers_of_a_crash_are_not_touched(tmp_path: Path) -> None:
    left = tmp_path / "a.mp4.part"
    left.write_text("a night's work")
    write(tmp_path / "a.mp4", 1)
    assert left.read_text() == "a night's work"
    left.unlink()


@pytest.mark.slow
@pytest.mark.stops
def test_the_partial_file_can_be_played_after_a_crash(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "a.mp4", size=(320, 240), fps=NTSC)
    for index in range(150):
        sink.write(noise(index))
    left = tmp_path / "a.mp4.part"

    def playable() -> int:
        with VideoSource(left) as source:
            return len(list(source))

    wait_for(lambda: left.stat().st_size > 10_000)  # the frames are being encoded
    wait_for(lambda: playable() >= 30)
    os.kill(sink._encoder._ffmpeg._process.pid, signal.SIGKILL)
    assert playable() >= 30
    with pytest.raises(SinkError, match=r"SIGKILL.*interrupted\.mp4"):
        sink.close()
    with VideoSource(tmp_path / "a.interrupted.mp4") as source:
        assert len(list(source)) >= 30


def test_without_a_frame_no_file_is_written(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="no frame"):
        write(tmp_path / "a.mp4", 0)
    assert not list(tmp_path.iterdir())


def test_an_error_in_the_block_discards(tmp_path: Path) -> None:
    sink = VideoSink(tmp_path / "a.mp4", size=(64, 48), fps=NTSC)
    sink.write(clips.counting_image(0))
    with pytest.raises(ZeroDivisionError), sink:
        _ = 1 / 0
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "image", [np.zeros((48, 65, 3), np.uint8), np.zeros((48, 64, 3), np.float32)]
)
def test_wrong_images_are_refused(tmp_path: Path, image: Image8) -> None:
    sink = VideoSink(tmp_path / "a.mp4", size=(64, 48), fps=NTSC)
    with pytest.raises(SinkError, match="takes uint8"), sink:
        sink.write(image)


def write_with_harm(path: Path, harm: Callable[[int], None]) -> None:
    """Write noise; meanwhile call ``harm`` with ffmpeg's process id."""
    with VideoSink(path, size=(320, 240), fps=NTSC) as sink:
        for index in range(60):
            sink.write(noise(index))
            if index == 3:
                harm(sink._encoder._ffmpeg._process.pid)


def fail(path: Path, harm: Callable[[int], None]) -> str:
    """Harm ffmpeg and return the message of the error."""
    with pytest.raises(SinkError) as caught:
        write_with_harm(path, harm)
    assert caught.value.exit_code == 1
    assert "\n" not in str(caught.value)
    assert not path.exists()
    return str(caught.value)


@pytest.mark.parametrize("suffix", ["mp4", "gif"])
@pytest.mark.stops
def test_killed_ffmpeg(tmp_path: Path, suffix: str) -> None:
    assert "SIGKILL" in fail(tmp_path / f"a.{suffix}", lambda pid: os.kill(pid, signal.SIGKILL))


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["mp4", "gif"])
def test_full_disk(tmp_path: Path, suffix: str) -> None:
    def fill(pid: int) -> None:  # the error path of ENOSPC, without a small disk
        resource.prlimit(pid, resource.RLIMIT_FSIZE, (900_000, 900_000))

    message = fail(tmp_path / f"a.{suffix}", fill)
    assert "File too large" in message
    kept = tmp_path / "a.interrupted.mp4"
    assert str(kept) in message
    with VideoSource(kept) as source:
        assert len(list(source)) >= 1


@pytest.mark.slow
@pytest.mark.stops
def test_hung_ffmpeg(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def freeze(pid: int) -> None:
        os.kill(pid, signal.SIGSTOP)
        monkeypatch.setattr(ffmpeg, "PATIENCE", 0.5)

    message = fail(tmp_path / "a.mp4", freeze)
    assert "no sign of life" in message


@pytest.mark.slow
@pytest.mark.parametrize("name", ["a.mp4", "a.webm", "a.gif", "a%02d.png"])
def test_interrupted_work_is_kept_under_another_name(tmp_path: Path, name: str) -> None:
    sound = Soundtrack(clips.real_clip("bigbuckbunny.mp4"))
    kept = []
    for _ in range(2):
        sink = VideoSink(tmp_path / name, size=(64, 48), fps=Fraction(25), sound=sound)
        for index in range(10):
            sink.write(clips.counting_image(index))
        kept += sink.keep_partial()
        assert not sink.keep_partial()
        sink.close()
    first, second = (Path(str(path).replace("%02d", "10")) for path in kept)
    assert first != second
    assert first.exists()
    assert second.exists()
    assert "interrupted" in first.name
    if name.endswith(("mp4", "webm")):
        assert clips.sound_length(first) == pytest.approx(0.4, abs=0.05)


def test_ctrl_c_while_ffmpeg_starts_leaves_nothing(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def interrupt(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(ffmpeg.subprocess, "Popen", interrupt)
    with pytest.raises(KeyboardInterrupt):
        VideoSink(tmp_path / "a.mp4", size=(32, 24), fps=Fraction(25))
    assert not list(tmp_path.iterdir())


def test_a_sink_without_frames_keeps_nothing(tmp_path: Path) -> None:
    assert VideoSink(tmp_path / "a.mp4", size=(64, 48), fps=NTSC).keep_partial() == []
    assert not list(tmp_path.iterdir())


@pytest.mark.stops
def test_ctrl_c_while_pictures_are_placed_leaves_no_mess(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    synchronise = os.fsync
    answered = []

    def interrupted(descriptor: int) -> None:
        if not answered:
            os.kill(os.getpid(), signal.SIGINT)
            while not answered:  # meanwhile the main thread waits
                time.sleep(0.001)
        synchronise(descriptor)

    def answer(*_: object) -> None:
        answered.append(True)
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupted)
    before = signal.signal(signal.SIGINT, answer)
    try:
        write(tmp_path / "a-%02d.png", 3)
    finally:
        signal.signal(signal.SIGINT, before)
    assert answered
    assert sorted(path.name for path in tmp_path.iterdir()) == [f"a-{n:02d}.png" for n in (1, 2, 3)]


@pytest.mark.parametrize("wrong", [{"size": (0, 48)}, {"fps": Fraction(0)}, {"crf": 99}])
def test_numbers_out_of_range_are_refused(tmp_path: Path, wrong: dict[str, Any]) -> None:
    numbers: dict[str, Any] = {"size": (64, 48), "fps": NTSC, "crf": 18}
    with pytest.raises(SinkError, match="above 0") as caught:
        VideoSink(tmp_path / "a.mp4", **{**numbers, **wrong})
    assert caught.value.exit_code == 2
    assert not list(tmp_path.iterdir())


def test_an_animated_png_is_lossless_and_loops(tmp_path: Path) -> None:
    target = write(tmp_path / "x.apng", 3, fps=Fraction(10))
    with Image.open(target) as film:
        assert film.format == "PNG"
        assert getattr(film, "n_frames", 1) == 3
        assert film.info["loop"] == 0
        for index in range(3):
            film.seek(index)
            assert film.info["duration"] == 100
            np.testing.assert_array_equal(film.convert("RGB"), clips.counting_image(index))


@pytest.mark.slow
def test_a_gif_has_the_colours_that_were_asked_for(tmp_path: Path) -> None:
    sizes = {}
    for dither in ("bayer", "sierra", "none"):
        for colors in (8, 256):
            target = tmp_path / f"{dither}-{colors}.gif"
            with VideoSink(
                target,
                size=(320, 240),
                fps=NTSC,
                colors=colors,
                dither=dither,  # type: ignore[arg-type]
            ) as sink:
                sink.write(noise())
            with Image.open(target) as film:
                used = np.unique(np.asarray(film.convert("RGB")).reshape(-1, 3), axis=0)
            assert len(used) <= colors
            assert len(used) > colors // 2
            sizes[dither, colors] = target.read_bytes()
    assert len(set(sizes.values())) == len(sizes)


@pytest.mark.slow
@pytest.mark.parametrize("suffix", ["gif", "webp", "apng", *FILMS])
def test_a_file_that_is_too_large_is_made_smaller_and_stays_whole(
    tmp_path: Path, suffix: str
) -> None:
    def made(name: str, limit: int | None) -> tuple[VideoSink, Path]:
        path = tmp_path / f"{name}.{suffix}"
        with VideoSink(path, size=(320, 240), fps=NTSC, max_bytes=limit) as sink:
            for seed in range(6):
                sink.write(noise(seed))
        return sink, path

    sink, free = made("free", None)
    assert sink.written_size == (320, 240)
    limit = free.stat().st_size // 4
    sink, small = made("small", limit)
    assert small.stat().st_size <= limit
    with Image.open(small) if suffix in ("gif", "webp", "apng") else VideoSource(small) as film:
        if isinstance(film, VideoSource):
            assert (sum(1 for _ in film), film.info.size) == (6, sink.written_size)
        else:
            assert (getattr(film, "n_frames", 1), film.size) == (6, sink.written_size)
