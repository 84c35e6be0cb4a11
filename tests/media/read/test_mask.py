"""Masks: where the dream shows, and which mask each frame gets."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from fractions import Fraction
from itertools import islice, pairwise
from math import floor
from pathlib import Path

import clips
import cv2
import films
import numpy as np
import pytest
import synthetic

from stream_dream.errors import SinkError, SourceError
from stream_dream.film import one_piece as rendering
from stream_dream.film.in_chunks import render_film
from stream_dream.film.one_piece import render
from stream_dream.frame import FrameReport, Image8
from stream_dream.image import add_residual
from stream_dream.media.read.mask import Mask, mask_levels
from stream_dream.media.read.picture import Picture
from stream_dream.media.write.picture import write_picture
from stream_dream.media.write.video import VideoSink
from stream_dream.settings.dream import DreamSettings
from stream_dream.settings.film import FilmSettings
from stream_dream.settings.output import OutputSettings
from stream_dream.settings.validation import validated

Make = Callable[..., DreamSettings]
Run = Callable[..., tuple[int, str, str]]
SIZE = (64, 48)
FILM = 25
"""Frames per second of the source that most masks here are for."""


def output(mask: Path, **values: object) -> OutputSettings:
    return validated(OutputSettings, {"mask": mask, **values})


def plain(level: int, size: tuple[int, int] = SIZE) -> Image8:
    return np.full((size[1], size[0], 3), level, np.uint8)


def picture(path: Path, image: Image8, alpha: np.ndarray | None = None) -> Path:
    return write_picture(Picture(image, alpha), path)


def half(size: tuple[int, int] = (160, 120)) -> Image8:
    """Return a mask whose right half is white."""
    image = plain(0, size)
    image[:, size[0] // 2 :] = 255
    return image


def clip_of(path: Path, images: Sequence[Image8], fps: str, *options: object) -> Path:
    """Write a clip, lossless by default."""
    height, width = images[0].shape[:2]
    raw = b"".join(image.tobytes() for image in images)
    taken = ("-f", "rawvideo", "-pix_fmt", "rgb24", "-s", f"{width}x{height}", "-r", fps, "-i", "-")
    clips.ffmpeg(*taken, *(options or ("-c:v", "ffv1", "-pix_fmt", "gbrp")), path, stdin=raw)
    return path


def counting(count: int) -> list[Image8]:
    """Return masks whose level is their number, up to 200."""
    return [plain(20 + number, (16, 16)) for number in range(count)]


def numbers(mask: Mask, count: int) -> list[int]:
    """Read the numbers of the next ``counting`` masks."""
    table = [int(mask_levels(image, (1, 1), 0)[0, 0]) for image in counting(200)]
    return [table.index(int(levels[0, 0])) for levels in islice(mask, count)]


def written(pattern: Path) -> list[Image8]:
    return [
        cv2.cvtColor(cv2.imread(str(path)), cv2.COLOR_BGR2RGB).astype(np.uint8)
        for path in sorted(pattern.parent.glob(pattern.name.replace("%02d", "??")))
    ]


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a clip of 12 frames: a pan over a photo."""
    return synthetic.make_pan(tmp_path_factory.mktemp("clips") / "pan.mp4", Fraction(FILM))


# Images


def test_white_is_all_of_the_residual_and_black_nothing() -> None:
    rng = np.random.default_rng(0)
    image = rng.integers(0, 256, (48, 64, 3), np.uint8)
    residual = rng.uniform(-1, 1, (24, 32, 3)).astype(np.float32)
    dream = add_residual(image, residual)
    white, black = np.full((48, 64), 255, np.uint8), np.zeros((48, 64), np.uint8)
    np.testing.assert_array_equal(add_residual(image, residual, white), dream)
    np.testing.assert_array_equal(add_residual(image, residual, black), image)


def test_grey_mixes() -> None:
    image = np.full((4, 4, 3), 100, np.uint8)
    residual = np.full((4, 4, 3), 0.4, np.float32)  # 102 levels
    mask = np.array([[0, 51, 127, 255]] * 4, np.uint8)
    mixed = add_residual(image, residual, mask)[0, :, 0]
    np.testing.assert_array_equal(mixed, [100, 120, 151, 202])


@pytest.mark.parametrize("softness", [0, 1, 8, 30])
def test_edges_are_soft_within_the_white_alone(softness: int) -> None:
    levels = mask_levels(half(), (160, 120), softness)
    assert (levels[:, :80] == 0).all()
    assert (levels[:, 80 + softness + 1 :] == 255).all()
    edge = levels[60, 80 : 80 + softness].astype(int)
    assert (edge > 0).all() or softness == 30  # its first pixel rounds to nothing
    assert (edge < 255).all()
    assert (np.diff(edge) >= 0).all()


def test_flat_masks_stay_flat_at_any_softness() -> None:
    for level in (0, 64, 128, 255):
        levels = mask_levels(plain(level), (160, 120), 16)
        assert np.ptp(levels) == 0
        assert abs(int(levels[0, 0]) - level) <= 5


def test_the_noise_of_codecs_is_black_or_white(tmp_path: Path) -> None:
    path = clip_of(tmp_path / "m.mp4", [half()] * 3, "25", "-c:v", "libx264", "-crf", "28")
    with Mask(path, size=(160, 120), fps=Fraction(FILM)) as mask:
        levels = next(mask)
    assert (levels[:, :70] == 0).all()
    assert (levels[:, 90:] == 255).all()


@pytest.mark.parametrize("size", [(160, 120), (37, 21), (640, 100), (3, 2)])
def test_a_mask_of_any_size_is_stretched(size: tuple[int, int]) -> None:
    for drawn in (half((40, 30)), half((401, 301))):
        levels = mask_levels(drawn, size, 0)
        assert levels.shape == (size[1], size[0])
        assert levels[0, 0] == 0
        assert levels[-1, -1] == 255


def test_colours_count_by_brightness_and_what_is_transparent_is_black(tmp_path: Path) -> None:
    image = plain(255, (8, 2))
    image[:, :4] = (0, 255, 0)
    alpha = np.array([[255, 255, 0, 0] * 2] * 2, np.uint8)
    path = picture(tmp_path / "m.png", image, alpha)
    with Mask(path, size=(8, 2), fps=Fraction(FILM)) as mask:
        levels = next(mask)
    assert (levels[:, 4:6] == 255).all()
    assert (levels[:, [2, 3, 6, 7]] == 0).all()
    assert ((levels[:, :2] > 130) & (levels[:, :2] < 170)).all()


# Which mask a frame gets


@pytest.mark.parametrize(
    ("film", "fps"),
    [("25", "25"), ("25", "30000/1001"), ("60", "24"), ("12", "50"), ("30000/1001", "10")],
)
def test_a_frame_gets_the_mask_of_its_time(tmp_path: Path, film: str, fps: str) -> None:
    path = clip_of(tmp_path / "m.mkv", counting(60), fps)
    count = floor(60 / Fraction(fps) * Fraction(film))
    expected = [floor(number / Fraction(film) * Fraction(fps)) for number in range(count)]
    with Mask(path, size=(4, 3), fps=Fraction(film)) as mask:
        assert numbers(mask, count) == expected


def test_a_slow_mask_changes_on_time(tmp_path: Path) -> None:
    path = tmp_path / "slow.mkv"
    slow = ("-vf", "settb=1/1000,setpts='N*1000+mod(N,3)*400'", "-fps_mode", "passthrough")
    clip_of(path, counting(9), "25", *slow, "-c:v", "ffv1", "-pix_fmt", "gbrp")
    stamps = [number + number % 3 * 0.4 for number in range(9)]
    with Mask(path, size=(4, 3), fps=Fraction(FILM)) as mask:
        seen = numbers(mask, 9 * FILM)
    for number, stamp in enumerate(stamps):
        assert abs(seen.index(number) / FILM - stamp) <= 1 / FILM


IRREGULAR = ("-vf", "settb=1/1000,setpts='N*33+mod(N*N*7,23)'", "-fps_mode", "passthrough")
SLIDES = ("-vf", "settb=1/1000,setpts='N*1700'", "-fps_mode", "passthrough")
H264 = ("-c:v", "libx264", "-pix_fmt", "yuv420p", "-g", "60", "-bf", "2")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "count", "options"),
    [
        ("regular.mp4", 240, H264),
        ("irregular.mkv", 240, (*IRREGULAR, *H264)),
        ("slides.mkv", 6, (*SLIDES, *H264)),
        ("rounded.gif", 240, ("-r", "30")),
        ("old.avi", 240, ("-c:v", "mpeg4", "-bf", "2")),
        ("raw.h264", 240, H264),
    ],
)
def test_the_mask_of_a_frame_is_the_same_wherever_the_reading_begins(
    tmp_path: Path, name: str, count: int, options: tuple[str, ...]
) -> None:
    images = [clips.counting_image(number) for number in range(count)]
    path = clip_of(tmp_path / name, images, "30", *options)
    total, fps = 290, Fraction(30)  # 9.7 s: longer than the clips of 8 s
    with Mask(path, size=(32, 24), fps=fps) as mask:
        whole = list(islice(mask, total))
    # GIF rounds to 10 ms: some pictures come slightly after their frame.
    assert sum(not np.array_equal(*pair) for pair in pairwise(whole)) >= 0.8 * (count - 1)
    for first in (1, 100, 163, 180, 201, 238, 239, 241, 280):
        with Mask(path, size=(32, 24), fps=fps, first=first) as mask:
            for number, levels in enumerate(islice(mask, 12), first):
                if number < total:
                    np.testing.assert_array_equal(levels, whole[number])


def test_the_last_mask_stays_after_the_end_of_the_clip(tmp_path: Path) -> None:
    path = clip_of(tmp_path / "m.mkv", counting(5), "25")
    with Mask(path, size=(4, 3), fps=Fraction(FILM)) as mask:
        assert numbers(mask, 8) == [0, 1, 2, 3, 4, 4, 4, 4]
    with Mask(path, size=(4, 3), fps=Fraction(FILM), first=10**6) as mask:
        assert numbers(mask, 3) == [4, 4, 4]


def test_a_clip_that_breaks_off_is_read_from_its_beginning(tmp_path: Path) -> None:
    whole = clip_of(tmp_path / "whole.mkv", counting(180), "25")
    data = whole.read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(data[: len(data) // 6])
    with Mask(cut, size=(4, 3), fps=Fraction(FILM), first=10) as mask:
        held = numbers(mask, 170)[-1]
    assert 10 < held < 60
    with Mask(cut, size=(4, 3), fps=Fraction(FILM), first=170) as mask:
        assert numbers(mask, 1) == [held]


# Renders


@pytest.mark.slow
def test_black_is_the_source_exactly_and_white_the_whole_dream(
    tiny: Make, clip: Path, tmp_path: Path
) -> None:
    dreams = {}
    for name, image in (("black", plain(0)), ("white", plain(255)), ("half", half())):
        mask = picture(tmp_path / f"{name}.png", image)
        render(clip, tmp_path / f"{name}-%02d.png", tiny(), output(mask))
        dreams[name] = written(tmp_path / f"{name}-%02d.png")
    render(clip, tmp_path / "all-%02d.png", tiny(), OutputSettings())
    source, whole = synthetic.images_of(clip), written(tmp_path / "all-%02d.png")
    np.testing.assert_array_equal(dreams["black"], source)
    np.testing.assert_array_equal(dreams["white"], whole)
    mixed = np.array(dreams["half"])
    np.testing.assert_array_equal(mixed[:, :, :80], np.array(source)[:, :, :80])
    np.testing.assert_array_equal(mixed[:, :, 97:], np.array(whole)[:, :, 97:])
    assert (mixed[:, :, 97:] != np.array(source)[:, :, 97:]).mean() > 0.5


@pytest.mark.slow
def test_a_moving_mask_uncovers_a_grown_dream(tiny: Make, clip: Path, tmp_path: Path) -> None:
    # Twice the film's rate: white from frame 5 of the film.
    images = [plain(0)] * 10 + [plain(255)] * 4
    mask = clip_of(tmp_path / "m.mkv", images, "50")
    render(clip, tmp_path / "a-%02d.png", tiny(), output(mask))
    render(clip, tmp_path / "b-%02d.png", tiny(), OutputSettings())
    masked, whole = written(tmp_path / "a-%02d.png"), written(tmp_path / "b-%02d.png")
    np.testing.assert_array_equal(masked[:5], synthetic.images_of(clip)[:5])
    np.testing.assert_array_equal(masked[5:], whole[5:])


@pytest.mark.slow
def test_a_part_of_a_film_has_its_part_of_the_mask(tiny: Make, clip: Path, tmp_path: Path) -> None:
    mask = clip_of(tmp_path / "m.mkv", [plain(0)] * 7 + [plain(255)] * 5, "25")
    chosen = output(mask, start=0.2, end=0.4)  # frames 5 to 9
    render(clip, tmp_path / "%02d.png", tiny(), chosen)
    same = [
        np.array_equal(image, source)
        for image, source in zip(
            written(tmp_path / "%02d.png"), synthetic.images_of(clip)[5:10], strict=True
        )
    ]
    assert same == [True, True, False, False, False]


@pytest.mark.slow
def test_a_film_in_chunks_has_the_same_masks(tiny: Make, tmp_path: Path) -> None:
    source = films.make_film(tmp_path / "film.mp4", sound=False)
    images = [np.roll(half((48, 32)), number, axis=1) for number in range(20)]
    mask = clip_of(tmp_path / "m.mkv", images, "15")
    chosen = output(mask, start=0.12, mask_softness=4)
    reports: list[FrameReport] = []
    target = tmp_path / "one.mp4"
    render(source, target, tiny(), chosen, checksums=True, on_report=reports.append)
    pieces = FilmSettings(chunk_seconds=0.2)
    summary = render_film(source, tmp_path / "pieces.mp4", tiny(), chosen, pieces)
    made = [checksum for record in summary.records for checksum in record.checksums]
    assert len(summary.records) > 7
    assert made == [report.checksum for report in reports]


def test_a_film_refuses_a_wrong_mask_before_it_begins(
    tiny: Make, clip: Path, tmp_path: Path
) -> None:
    target = tmp_path / "film.mp4"
    with pytest.raises(SourceError, match=r"^--mask: "):
        render_film(clip, target, tiny(), output(tmp_path / "no.png"), FilmSettings())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.slow
def test_masks_go_with_size_and_compare(tiny: Make, clip: Path, tmp_path: Path) -> None:
    mask = picture(tmp_path / "m.png", half((31, 7)))
    chosen = output(mask, size="81x63", compare=True, mask_softness=0)
    render(clip, tmp_path / "%02d.png", tiny(), chosen)
    image = written(tmp_path / "%02d.png")[-1]
    assert image.shape == (63, 162, 3)
    left, right = image[:, :81], image[:, 81:]
    np.testing.assert_array_equal(left[:, :38], right[:, :38])
    assert (left[:, 44:] != right[:, 44:]).mean() > 0.5


@pytest.mark.slow
@pytest.mark.parametrize("turned", [False, True])
def test_the_mask_is_stretched_to_the_upright_stored_frame(
    tiny: Make, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, turned: bool
) -> None:
    odd = ("-vf", "format=yuv444p,scale=97:49,setsar=4/3")
    film = clips.make(tmp_path / "s.mp4", *odd, seconds=0.08)
    if turned:
        lying, film = film, tmp_path / "turned.mp4"
        clips.ffmpeg("-display_rotation", "90", "-i", lying, "-c", "copy", film)
    source = synthetic.images_of(film)
    dreams: list[Image8] = []
    monkeypatch.setattr(VideoSink, "write", lambda sink, image: dreams.append(image))
    mask = picture(tmp_path / "m.png", half((8, 8)))
    with pytest.raises(SinkError):  # no frame was written
        render(film, tmp_path / "d.mkv", tiny(), output(mask, mask_softness=0))
    assert dreams[0].shape == source[0].shape == ((97, 49, 3) if turned else (49, 97, 3))
    middle, edge = source[0].shape[1] // 2, 8
    assert len(dreams) == 2
    for dream, frame in zip(dreams, source, strict=True):
        np.testing.assert_array_equal(dream[:, : middle - edge], frame[:, : middle - edge])
        assert (dream[:, middle + edge :] != frame[:, middle + edge :]).mean() > 0.5


# Refusals


@pytest.mark.slow
@pytest.mark.parametrize(
    ("name", "content", "message"),
    [
        ("missing.png", None, "check the name"),
        ("missing.mp4", None, "check the name"),
        ("text.png", b"white on the left", "is not a picture"),
        ("text.mp4", b"white on the left", "is not a video"),
        ("empty.mov", b"", "is empty"),
        ("folder", "", "is a folder: give a picture or a video"),
        ("folder.png", "", "is a folder: give a picture or a video"),
    ],
)
def test_a_wrong_mask_ends_in_one_line_before_the_network_is_built(
    run: Run,
    clip: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    name: str,
    content: bytes | str | None,
    message: str,
) -> None:
    path = tmp_path / name
    if isinstance(content, bytes):
        path.write_bytes(content)
    elif content is not None:
        path.mkdir()
    monkeypatch.setattr(rendering, "make_ascents", lambda program: pytest.fail("too late"))
    code, out, err = run("render", str(clip), str(tmp_path / "d.mp4"), "--mask", str(path))
    assert (code, out) == (2, "")
    assert err.startswith(f"stream-dream: error: --mask: {path} ")
    assert message in err
    assert err.count("\n") == 1
    assert not (tmp_path / "d.mp4").exists()


def test_a_broken_clip_is_refused(tmp_path: Path) -> None:
    whole = clip_of(tmp_path / "m.mp4", [half()] * 9, "25", "-c:v", "libx264")
    broken = tmp_path / "broken.mp4"
    broken.write_bytes(whole.read_bytes()[:-400])  # its index is gone
    with pytest.raises(SourceError, match=r"^--mask: .*broken\.mp4 is not a video"):
        Mask(broken, size=SIZE, fps=Fraction(FILM))


def test_the_mask_is_not_overwritten(tiny: Make, clip: Path, tmp_path: Path) -> None:
    mask = clip_of(tmp_path / "m.mkv", counting(2), "25")
    before = mask.read_bytes()
    with pytest.raises(SinkError, match="is one of the inputs") as caught:
        render(clip, mask, tiny(), output(mask), overwrite=True)
    assert caught.value.exit_code == 2
    assert mask.read_bytes() == before
