"""Pictures are written whole or not at all."""

from __future__ import annotations

import os
import resource
from collections.abc import Callable, Iterator
from pathlib import Path

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import ALPHA, NOISE, SRGB, corners
from PIL import Image, JpegImagePlugin

from stream_dream.errors import SinkError
from stream_dream.media.read.picture import (
    Picture,
    read_picture,
    visible_image,
)
from stream_dream.media.write.picture import (
    PICTURE_FORMATS,
    check_picture_size,
    check_picture_target,
    write_picture,
)


@pytest.fixture(autouse=True)
def _nothing_stays_behind(tmp_path: Path) -> Iterator[None]:
    yield
    assert not [path for path in tmp_path.iterdir() if ".part" in path.name]


@pytest.mark.parametrize("suffix", PICTURE_FORMATS)
@pytest.mark.parametrize("alpha", [None, ALPHA])
def test_round_trip(tmp_path: Path, suffix: str, alpha: NDArray[np.uint8] | None) -> None:
    smooth = cv2.resize(corners(), (14, 9), interpolation=cv2.INTER_LINEAR).astype(np.uint8)
    lossy = suffix not in (".png", ".tif", ".tiff")
    image = smooth if lossy else NOISE
    path = tmp_path / f"a{suffix.upper()}"
    assert write_picture(Picture(image, alpha, SRGB), path) == path
    back = read_picture(path)
    assert back.icc_profile == SRGB
    if suffix in (".jpg", ".jpeg"):
        assert back.alpha is None
        share = np.ones((9, 14, 1)) if alpha is None else alpha[..., np.newaxis] / 255
        image = np.rint(image * share + 255 * (1 - share)).astype(np.uint8)
    elif alpha is None:
        assert back.alpha is None
    else:
        np.testing.assert_array_equal(back.alpha, alpha)
    if lossy:
        seen = np.s_[3:] if back.alpha is not None else np.s_[:]  # WebP clears hidden colours
        difference = np.abs(back.image.astype(int) - image)[seen]
        assert difference.mean() < 10
    else:
        np.testing.assert_array_equal(back.image, image)


def test_jpeg_keeps_fine_colours_and_obeys_quality(tmp_path: Path) -> None:
    sizes = []
    for quality in (50, 95):
        path = write_picture(Picture(NOISE), tmp_path / f"{quality}.jpg", quality=quality)
        with Image.open(path) as file:
            assert JpegImagePlugin.get_sampling(file) == 0  # 4:4:4
        sizes.append(path.stat().st_size)
    webp = write_picture(Picture(NOISE), tmp_path / "a.webp", quality=50).stat().st_size
    assert sizes[0] < sizes[1]
    assert webp < write_picture(Picture(NOISE), tmp_path / "b.webp").stat().st_size


def test_without_a_profile_none_is_written(tmp_path: Path) -> None:
    for suffix in PICTURE_FORMATS:
        with Image.open(write_picture(Picture(NOISE), tmp_path / f"a{suffix}")) as file:
            assert not file.info.get("icc_profile")


def test_nothing_is_overwritten_by_surprise(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    path.write_text("mine")
    assert write_picture(Picture(NOISE), path) == tmp_path / "a.2.png"
    assert path.read_text() == "mine"
    assert write_picture(Picture(NOISE), path, overwrite=True) == path
    np.testing.assert_array_equal(read_picture(path).image, NOISE)
    assert sorted(file.name for file in tmp_path.iterdir()) == ["a.2.png", "a.png"]


def test_leftovers_of_a_crash_are_not_touched(tmp_path: Path) -> None:
    left = tmp_path / "a.png.part"
    left.write_text("a night's work")
    write_picture(Picture(NOISE), tmp_path / "a.png")
    assert left.read_text() == "a night's work"
    left.unlink()


@pytest.mark.parametrize("suffix", PICTURE_FORMATS)
def test_full_disk(tmp_path: Path, suffix: str) -> None:
    image = np.random.default_rng(0).integers(0, 256, (99, 99, 3), dtype=np.uint8)
    path = tmp_path / f"a{suffix}"
    path.write_text("old")
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (1000, before[1]))
    try:
        with pytest.raises(SinkError, match="could not be written: File too large") as caught:
            write_picture(Picture(image), path, overwrite=True)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
    assert caught.value.exit_code == 1
    assert path.read_text() == "old"


@pytest.mark.parametrize(
    ("error", "seen", "message"),
    [
        (OSError(28, "No space left on device"), SinkError, "No space left"),
        (OSError("encoder error -2"), SinkError, "encoder error -2"),
        (KeyboardInterrupt(), KeyboardInterrupt, None),
    ],
)
def test_a_failed_write_leaves_nothing(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    error: BaseException,
    seen: type[BaseException],
    message: str | None,
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise error

    monkeypatch.setattr(Image.Image, "save", fail)
    with pytest.raises(seen, match=message):
        write_picture(Picture(NOISE), tmp_path / "a.png")
    assert not list(tmp_path.iterdir())


def refused_target(refuse: Callable[[], object]) -> str:
    with pytest.raises(SinkError) as caught:
        refuse()
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("a.txt", "choose .jpg, .jpeg, .png, .webp, .tif, .tiff"),
        ("a", "choose .jpg"),
        ("a.bmp", "choose .jpg"),
        ("a.gif", "--out"),
        ("a.MP4", "--out"),
        ("a-%03d.png", "numbered sequence"),
        ("%d.tif", "numbered sequence"),
        ("none/a.png", "does not exist"),
        ("folder.png", "is a folder"),
        ("there.jpg", "exists already"),
    ],
)
def test_bad_targets_are_refused_first(tmp_path: Path, name: str, message: str) -> None:
    (tmp_path / "folder.png").mkdir()
    (tmp_path / "there.jpg").touch()
    path = tmp_path / name
    said = refused_target(lambda: check_picture_target(path, overwrite=False))
    assert message in said
    assert said.startswith(str(path))
    if "exists" in message:
        check_picture_target(path, overwrite=True)


@pytest.mark.parametrize("name", ["a.png", "A.JPG", "100%.png", "a.2.webp", "%d.jpg"])
def test_good_targets(tmp_path: Path, name: str) -> None:
    check_picture_target(tmp_path / name, overwrite=False, inputs=[tmp_path / "none.png"])
    assert write_picture(Picture(NOISE), tmp_path / name).name == name


def test_a_folder_that_may_not_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(os, "access", lambda *_: False)
    said = refused_target(lambda: check_picture_target(tmp_path / "a.png", overwrite=True))
    assert f"choose another than {tmp_path}" in said


@pytest.mark.parametrize("name", ["source.png", "link.png"])
def test_a_source_is_never_replaced(tmp_path: Path, name: str) -> None:
    source = tmp_path / "source.png"
    source.touch()
    (tmp_path / "link.png").symlink_to(source)
    sources = [tmp_path / "none.png", source]
    path = tmp_path / name
    said = refused_target(lambda: check_picture_target(path, overwrite=True, inputs=sources))
    assert "is one of the inputs" in said


@pytest.mark.parametrize(("suffix", "limit"), [(".webp", 16383), (".jpg", 65500)])
def test_too_many_pixels_for_a_format(tmp_path: Path, suffix: str, limit: int) -> None:
    path = tmp_path / f"a{suffix}"
    check_picture_size(path, (limit, limit))
    fits = Picture(np.zeros((1, limit, 3), np.uint8))
    assert write_picture(fits, path) == path
    for shape in ((1, limit + 1, 3), (limit + 1, 1, 3)):
        image = np.zeros(shape, np.uint8)
        said = refused_target(lambda image=image: write_picture(Picture(image), path))
        assert f"holds {limit} a side" in said
        write_picture(Picture(image), tmp_path / "a.png", overwrite=True)


@pytest.mark.parametrize(
    ("picture", "name", "quality"),
    [
        (Picture(NOISE), "a.bmp", 95),
        (Picture(NOISE), "a%d.png", 95),
        (Picture(NOISE), "a.jpg", 101),
        (Picture(NOISE), "a.jpg", 0),
        (Picture(NOISE.astype(np.float32)), "a.jpg", 95),
        (Picture(NOISE[..., 0]), "a.jpg", 95),
        (Picture(NOISE[:0]), "a.jpg", 95),
        (Picture(NOISE, ALPHA[1:]), "a.png", 95),
    ],
)
def test_wrong_pictures_names_and_qualities_are_refused(
    tmp_path: Path, picture: Picture, name: str, quality: int
) -> None:
    refused_target(lambda: write_picture(picture, tmp_path / name, quality=quality))
    assert not list(tmp_path.iterdir())


def test_a_folder_that_is_gone(tmp_path: Path) -> None:
    with pytest.raises(SinkError, match="cannot be written: No such file") as caught:
        write_picture(Picture(NOISE), tmp_path / "none" / "a.png")
    assert caught.value.exit_code == 1


def test_a_picture_in_memory_is_not_touched() -> None:
    image, alpha = NOISE.copy(), ALPHA.copy()
    visible_image(Picture(image, alpha))
    np.testing.assert_array_equal(image, NOISE)
    np.testing.assert_array_equal(alpha, ALPHA)
