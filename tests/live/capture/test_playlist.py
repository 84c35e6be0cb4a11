"""A folder of clips and pictures: their order, their fades, and what goes wrong."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest

from stream_dream.errors import SourceError
from stream_dream.frame import Image8
from stream_dream.live.capture import pace, playlist
from stream_dream.live.capture.playlist import PlaylistFeed
from stream_dream.live.capture.sources import feed_opener
from stream_dream.settings.live import LiveSettings

SECONDS = 1.0


@pytest.fixture(autouse=True)
def _without_waiting(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pace.Pace, "wait", lambda self, interval: None)
    monkeypatch.setattr(playlist, "_PICTURE_SECONDS", SECONDS)


def picture(path: Path, level: int, size: tuple[int, int] = (64, 48)) -> None:
    assert cv2.imwrite(str(path), np.full((size[1], size[0], 3), level, np.uint8))


def clip(path: Path, level: int, *, frames: int = 20, fps: float = 20) -> None:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), fps, (64, 48))
    for _ in range(frames):
        writer.write(np.full((48, 64, 3), level, np.uint8))
    writer.release()


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    picture(tmp_path / "10.png", 200)
    picture(tmp_path / "9.png", 100)
    clip(tmp_path / "a2.avi", 40)
    return tmp_path


def images(feed: PlaylistFeed, count: int) -> list[Image8]:
    try:
        return [feed.read() for _ in range(count)]
    finally:
        feed.close()


def levels(feed: PlaylistFeed, count: int) -> list[int]:
    """Return the brightness of frames, in tens, one for each run of equal ones."""
    found: list[int] = []
    for image in images(feed, count):
        level = 10 * round(float(image.mean()) / 10)
        if found[-1:] != [level]:
            found.append(level)
    return found


def test_files_follow_in_the_order_of_the_numbers_in_their_names(folder: Path) -> None:
    assert levels(PlaylistFeed(folder, fade=0), 115) == [100, 200, 40, 100, 200]


def test_clips_fade_into_each_other(folder: Path) -> None:
    (folder / "a2.avi").unlink()
    shown = [int(image.mean().round()) for image in images(PlaylistFeed(folder, fade=0.4), 40)]
    assert shown[:15] == [100] * 15
    assert shown[15:26] == pytest.approx(np.linspace(100, 200, 11), abs=2)
    assert shown[26:30] == [200] * 4


def test_a_fade_takes_half_of_a_short_clip(folder: Path) -> None:
    shown = [int(image.mean().round()) for image in images(PlaylistFeed(folder, fade=10), 200)]
    assert max(shown) == pytest.approx(200, abs=3)
    steps = np.abs(np.diff(shown))
    assert steps.max() < 30


def test_other_sizes_are_cropped_to_that_of_the_first(folder: Path) -> None:
    picture(folder / "10.png", 200, (300, 100))
    shapes = {image.shape for image in images(PlaylistFeed(folder), 70)}
    assert shapes == {(48, 64, 3)}


def test_what_cannot_be_read_is_left_out_and_named_once(
    folder: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (folder / "1.mp4").write_text("no film")
    (folder / ".hidden").write_text("nothing")
    (folder / "more").mkdir()
    assert levels(PlaylistFeed(folder, fade=0), 280) == [100, 200, 40] * 4
    assert caplog.text.count("1.mp4") == 1
    assert "hidden" not in caplog.text


def test_a_file_that_cannot_be_looked_at_is_left_out(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    is_file = Path.is_file

    def refused(path: Path) -> bool:
        if path.name == "9.png":
            raise PermissionError(13, "Permission denied")
        return is_file(path)

    monkeypatch.setattr(Path, "is_file", refused)
    assert levels(PlaylistFeed(folder, fade=0), 85) == [200, 40] * 2


def test_what_is_added_is_found_in_the_next_round(folder: Path) -> None:
    (folder / "a2.avi").unlink()

    class _Added(PlaylistFeed):
        def read(self) -> Image8:
            image = super().read()
            if not (folder / "0.png").exists():
                picture(folder / "0.png", 250)
            return image

    assert levels(_Added(folder, fade=0), 125)[:5] == [100, 200, 250, 100, 200]


def test_a_clip_that_vanishes_is_left_out(folder: Path) -> None:
    feed = PlaylistFeed(folder, fade=0)
    for path in ("10.png", "9.png"):
        (folder / path).unlink()
    assert levels(feed, 100)[-1] == 40


def test_shuffling_plays_all_and_none_twice_in_a_row(folder: Path) -> None:
    for number in range(4):
        picture(folder / f"b{number}.png", 10 + 20 * number)
    rounds = levels(PlaylistFeed(folder, fade=0, shuffle=True), 25 * 6 * 8)
    assert len(set(rounds)) == 7
    assert rounds[:7] != rounds[7:14] or rounds[7:14] != rounds[14:21]


def test_a_large_photo_is_made_smaller_once(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    picture(tmp_path / "1.png", 80)
    picture(tmp_path / "2.png", 160, (640, 300))
    widths, resize = [], playlist.resize

    def counted(image: Image8, size: tuple[int, int]) -> Image8:
        widths.append(image.shape[1])
        return resize(image, size)

    monkeypatch.setattr(playlist, "resize", counted)
    assert levels(PlaylistFeed(tmp_path, fade=0), 45) == [80, 160]
    assert len([width for width in widths if width > 64]) == 1


def test_a_single_picture_is_shown_for_ever(tmp_path: Path) -> None:
    picture(tmp_path / "a.png", 80)
    assert levels(PlaylistFeed(tmp_path), 100) == [80]


def test_the_first_frame_is_held_until_the_show_begins(folder: Path) -> None:
    held: Iterator[bool] = iter([False] * 100)
    feed = PlaylistFeed(folder, fade=0, begun=lambda: next(held, True))
    assert levels(feed, 120) == [100]


@pytest.mark.parametrize("unreadable", [False, True])
def test_a_folder_without_clips_is_refused(tmp_path: Path, unreadable: bool) -> None:
    if unreadable:
        (tmp_path / "notes.txt").write_text("no clip")
    with pytest.raises(SourceError, match=r"no clip or picture in .* can be read: put some there"):
        feed_opener(LiveSettings(source=str(tmp_path)))


def test_a_folder_that_is_removed_is_reported(folder: Path) -> None:
    feed = PlaylistFeed(folder, fade=0)
    shutil.rmtree(folder)
    with pytest.raises(SourceError, match="cannot be read"):
        images(feed, 500)


def test_a_folder_is_a_source(folder: Path) -> None:
    connect = feed_opener(LiveSettings(source=str(folder), shuffle=False, source_fade=0))
    feed = connect()
    assert isinstance(feed, PlaylistFeed)
    assert levels(feed, 60) == [100, 200, 40]
