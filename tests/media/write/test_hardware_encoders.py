"""Films from hardware encoders: their arguments, and the trial that chooses one."""

from __future__ import annotations

import sys
from fractions import Fraction
from pathlib import Path

import clips
import encoders
import numpy as np
import pytest

from stream_dream.media.read.video import VideoSource
from stream_dream.media.write import encoder_choice
from stream_dream.media.write.encoder_choice import choose_encoder
from stream_dream.media.write.formats import encoding_of
from stream_dream.media.write.hardware_encoders import automatic_encoders
from stream_dream.media.write.video import VideoSink
from stream_dream.settings.values import EncoderName

RATE = Fraction(25)
SIZE = (128, 64)


def choose(
    wanted: EncoderName, name: str = "a.mp4", codec: str | None = None, bits: int | None = None
) -> tuple[str, str | None]:
    return choose_encoder(wanted, encoding_of(Path(name), codec, bits), size=SIZE, fps=RATE)


def write(path: Path, encoder: EncoderName, codec: str, bits: int, *, crf: int = 18) -> None:
    with VideoSink(
        path, size=SIZE, fps=RATE, codec=codec, bits=bits, encoder=encoder, crf=crf
    ) as sink:
        for _ in range(6):
            sink.write(clips.patch_image(*SIZE))


def after(arguments: list[str], option: str) -> str:
    return arguments[arguments.index(option) + 1]


@pytest.mark.parametrize("encoder", ["nvenc", "qsv", "vaapi", "videotoolbox"])
def test_an_encoder_that_this_machine_lacks_gives_way_to_software(encoder: EncoderName) -> None:
    chosen, note = choose(encoder)
    assert chosen == "software"
    assert note is not None
    assert note.startswith(f"{encoder} does not work here (ffmpeg: ")
    assert note.endswith("): encoded in software instead")
    assert "\n" not in note


def test_auto_takes_software_silently_where_nothing_works() -> None:
    assert choose("auto") == ("software", None)


def test_software_is_not_tried(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("IMAGEIO_FFMPEG_EXE", "/nowhere/ffmpeg")
    assert choose("software") == ("software", None)


@pytest.mark.parametrize(
    ("encoder", "name", "codec", "bits", "what"),
    [
        ("nvenc", "a.webm", "vp9", 8, "vp9 of 8 bits"),
        ("nvenc", "a.mov", "prores", 10, "prores of 10 bits"),
        ("qsv", "a.mp4", "h264", 10, "h264 of 10 bits"),
        ("vaapi", "a.mp4", "h265", 12, "h265 of 12 bits"),
        ("videotoolbox", "a.mp4", "av1", 8, "av1 of 8 bits"),
        ("vaapi", "a.mkv", "ffv1", 8, "ffv1 of 8 bits"),
        ("nvenc", "a.gif", None, None, "such files"),
        ("nvenc", "%03d.png", None, None, "such files"),
    ],
)
def test_a_codec_that_an_encoder_lacks_is_encoded_in_software(
    encoder: EncoderName, name: str, codec: str | None, bits: int | None, what: str
) -> None:
    note = f"{encoder} does not encode {what}: encoded in software instead"
    assert choose(encoder, name, codec, bits) == ("software", note)


def test_auto_takes_the_first_encoder_that_works(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = encoders.stand_in(monkeypatch, tmp_path, "vaapi")
    monkeypatch.setattr(sys, "platform", "linux")
    assert choose("auto") == ("vaapi", None)
    tried = [after(run, "-c:v") for run in program.encodes()]
    assert tried == ["h264_nvenc", "h264_qsv", "h264_vaapi"]


@pytest.mark.parametrize(
    ("platform", "first"), [("linux", "nvenc"), ("win32", "nvenc"), ("darwin", "videotoolbox")]
)
def test_auto_tries_what_a_platform_may_have(
    monkeypatch: pytest.MonkeyPatch, platform: str, first: str
) -> None:
    monkeypatch.setattr(sys, "platform", platform)
    names = automatic_encoders()
    assert names[0] == first
    assert ("videotoolbox" in names) == (platform == "darwin")
    assert ("vaapi" in names) == (platform == "linux")


@pytest.mark.slow
def test_an_encoder_that_hangs_is_given_up(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    encoders.stand_in(monkeypatch, tmp_path, "nvenc", hangs=True)
    monkeypatch.setattr(encoder_choice, "TRIAL_SECONDS", 1.0)
    chosen, note = choose("nvenc")
    assert chosen == "software"
    assert "gave no sign of life" in str(note)
    assert clips.children() == []


def test_the_trial_has_the_size_depth_and_arguments_of_the_film(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    program = encoders.stand_in(monkeypatch, tmp_path, "nvenc")
    assert choose("nvenc", "a.mp4", "h265", 10) == ("nvenc", None)
    (trial,) = program.encodes()
    write(tmp_path / "a.mp4", "nvenc", "h265", 10)
    assert trial[:-1] == program.encodes()[1][:-1]  # but for the names of the files
    assert "128x64" in trial
    assert after(trial, "-pixel_format").startswith("rgb48")


_BOTH = ["-g", "250", "-bf", "0"]


@pytest.mark.slow
@pytest.mark.parametrize(
    ("encoder", "codec", "bits", "expected", "pixels"),
    [
        ("nvenc", "h264", 8, [*_BOTH, "-rc", "vbr", "-b:v", "0", "-cq", "18"], "nv12"),
        ("nvenc", "h265", 10, [*_BOTH, "-rc", "vbr", "-b:v", "0", "-cq", "18"], "p010le"),
        ("nvenc", "av1", 8, [*_BOTH, "-rc", "vbr", "-b:v", "0", "-cq", "22"], "nv12"),
        ("qsv", "h264", 8, [*_BOTH, "-global_quality", "18"], "nv12"),
        ("qsv", "h265", 10, [*_BOTH, "-global_quality", "18"], "p010le"),
        ("vaapi", "h264", 8, [*_BOTH, "-rc_mode", "CQP", "-qp", "18"], "nv12"),
        ("vaapi", "h265", 10, [*_BOTH, "-rc_mode", "CQP", "-qp", "18"], "p010le"),
        ("videotoolbox", "h264", 8, [*_BOTH, "-q:v", "65"], "nv12"),
        ("videotoolbox", "h265", 10, [*_BOTH, "-profile:v", "main10", "-q:v", "65"], "p010le"),
        ("videotoolbox", "prores", 10, ["-profile:v", "hq"], "p210le"),
        ("videotoolbox", "prores4444", 10, ["-profile:v", "4444"], "p410le"),
    ],
)
def test_an_encoder_gets_its_arguments_and_makes_a_film_with_the_same_tags(
    monkeypatch: pytest.MonkeyPatch,
    tmp_path: Path,
    encoder: EncoderName,
    codec: str,
    bits: int,
    expected: list[str],
    pixels: str,
) -> None:
    program = encoders.stand_in(monkeypatch, tmp_path, encoder)
    path = tmp_path / ("a.mov" if codec.startswith("prores") else "a.mp4")
    write(path, encoder, codec, bits)
    (run,) = program.encodes()
    start = run.index(expected[0])
    assert run[start : start + len(expected)] == expected
    filters = after(run, "-vf")
    assert f",format={pixels}" in filters
    assert "color_primaries=bt709:color_trc=bt709" in filters
    assert filters.endswith(",hwupload") == (encoder == "vaapi")
    assert ("vaapi=hardware" in run) == (encoder == "vaapi")
    report = clips.report(path)
    assert "bt709" in report
    assert ("hvc1" in report) == (codec == "h265")
    with VideoSource(path) as made:
        frames = [frame.image for frame in made]
    assert len(frames) == 6
    assert np.abs(clips.patch_colours(frames[-1]) - np.array(clips.PATCHES)).max() <= 6


@pytest.mark.parametrize(
    ("encoder", "codec", "option", "best", "worst"),
    [
        ("nvenc", "h264", "-cq", "1", "51"),
        ("nvenc", "av1", "-cq", "1", "63"),
        ("qsv", "vp9", "-global_quality", "1", "51"),
        ("vaapi", "h264", "-qp", "1", "51"),
        ("vaapi", "vp9", "-global_quality", "1", "255"),
        ("vaapi", "av1", "-global_quality", "1", "255"),
        ("videotoolbox", "h265", "-q:v", "100", "1"),
    ],
)
def test_the_scale_of_crf_spans_that_of_the_encoder(
    encoder: EncoderName, codec: str, option: str, best: str, worst: str
) -> None:
    hardware = encoding_of(Path("a.mkv"), codec).encoded_by(encoder).hardware
    assert hardware is not None
    assert after(hardware.picture_arguments(8, 0), option) == best
    assert after(hardware.picture_arguments(8, 51), option) == worst


def test_hdr_is_tagged(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    encoders.stand_in(monkeypatch, tmp_path, "nvenc")
    path = tmp_path / "a.mp4"
    with VideoSink(path, size=SIZE, fps=RATE, bits=10, hdr="pq", encoder="nvenc") as sink:
        for _ in range(3):
            sink.write(clips.patch_image(*SIZE))
    assert "tv, bt2020nc/bt2020/smpte2084" in clips.report(path)


def test_a_film_is_shrunk_in_software(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    program = encoders.stand_in(monkeypatch, tmp_path, "nvenc")
    rng = np.random.default_rng(1)
    path, limit = tmp_path / "a.mp4", 40_000
    with VideoSink(path, size=SIZE, fps=RATE, encoder="nvenc", crf=1, max_bytes=limit) as sink:
        for _ in range(6):
            sink.write(rng.integers(0, 255, (64, 128, 3), np.uint8))
    assert path.stat().st_size <= limit
    assert len(program.encodes()) == 1
    assert any("libx264" in run for run in program.runs())
