"""Pictures are read upright and in their colours."""

from __future__ import annotations

import os
import struct
import zlib
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
from numpy.typing import NDArray
from pictures import ALPHA, NOISE, SRGB, corners
from PIL import Image

from stream_dream.errors import SourceError
from stream_dream.media.read.picture import (
    READABLE_PICTURES,
    Picture,
    is_animated,
    is_picture,
    read_picture,
    visible_image,
)

DEEP = np.array([[0, 1, 256, 300, 32768, 40000, 65534, 65535]], np.uint16)
EXACT = DEEP / 257


def saved(path: Path, image: Image.Image, **options: Any) -> Path:
    image.save(path, **options)
    return path


def make_profile(space: bytes, connection: bytes, tags: dict[bytes, bytes]) -> bytes:
    """Return an ICC profile (version 2) of a colour space."""
    white = struct.pack(">3i", 63190, 65536, 54061)  # D50
    tags = {b"wtpt": b"XYZ \0\0\0\0" + white, **tags}
    table, body = struct.pack(">I", len(tags)), b""
    for name, data in tags.items():
        start = 128 + 4 + 12 * len(tags) + len(body)
        table += name + struct.pack(">2I", start, len(data))
        body += data + b"\0" * (-len(data) % 4)
    head = struct.pack(
        ">4xI4s4s4s12x4s28x12s", 0x2400000, b"prtr", space, connection, b"acsp", white
    )
    head = head.ljust(124, b"\0")
    return struct.pack(">I", 4 + len(head + table + body)) + head + table + body


def linear_grey() -> bytes:
    return make_profile(b"GRAY", b"XYZ ", {b"kTRC": b"curv" + bytes(8)})


def odd_inks() -> bytes:
    """Return a CMYK profile whose cyan ink is red and whose other inks are white."""
    identity = struct.pack(">9i", 65536, 0, 0, 0, 65536, 0, 0, 0, 65536)
    ramp = bytes(range(256))
    inks = [(136, 208, 195) if corner == 0b1000 else (255, 128, 128) for corner in range(16)]
    table = b"mft1\0\0\0\0" + bytes([4, 3, 2, 0]) + identity + ramp * 4
    table += bytes(np.array(inks, np.uint8)) + ramp * 3
    return make_profile(b"CMYK", b"Lab ", {b"A2B0": table})


def make_tiff(path: Path, values: NDArray[Any], planes: int = 1, white: int = 1) -> Path:
    """Write a TIFF of a kind that Pillow cannot write."""
    samples = values.shape[2] if values.ndim == 3 else 1
    data = np.moveaxis(values, -1, 0).tobytes() if planes == 2 else values.tobytes()
    count = samples if planes == 2 else 1
    lists = {
        258: [8 * values.itemsize] * samples,
        273: [8 + len(data) // count * strip for strip in range(count)],
        279: [len(data) // count] * count,
        339: [{"u": 1, "i": 2, "f": 3}[values.dtype.kind]] * samples,
    }
    lists |= {256: [values.shape[1]], 257: [values.shape[0]], 259: [1], 277: [samples]}
    lists |= {262: [white if samples == 1 else 2], 278: [values.shape[0]], 284: [planes]}
    entries = b""
    for tag, numbers in sorted(lists.items()):
        packed = struct.pack(f"<{len(numbers)}I", *numbers)
        if len(numbers) > 1:
            at = 8 + len(data)
            data, packed = data + packed, struct.pack("<I", at)
        entries += struct.pack("<HHI", tag, 4, len(numbers)) + packed
    start = struct.pack("<2sHI", b"II", 42, 8 + len(data))
    path.write_bytes(start + data + struct.pack("<H", len(lists)) + entries + bytes(4))
    return path


@pytest.mark.parametrize("suffix", READABLE_PICTURES)
@pytest.mark.parametrize("mode", ["RGB", "L", "1", "P"])
def test_every_kind_becomes_rgb(tmp_path: Path, suffix: str, mode: str) -> None:
    grey = np.zeros((16, 16, 3), np.uint8)
    grey[:, 8:] = 255
    options = {"lossless": True} if suffix == ".webp" else {}
    image = Image.fromarray(grey).convert("L" if suffix.startswith(".jp") else mode)
    picture = read_picture(saved(tmp_path / f"a{suffix}", image, **options))
    assert picture.image.dtype == np.uint8
    assert picture.image.flags.writeable
    np.testing.assert_allclose(picture.image, grey, atol=2)
    assert picture.alpha is None
    assert picture.icc_profile is None


@pytest.mark.parametrize("suffix", [".jpg", ".png", ".webp", ".tif", ".deflated.tif"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_every_orientation_becomes_upright(tmp_path: Path, suffix: str, orientation: int) -> None:
    upright = corners(16)
    opacity = (upright[..., 0] // 2 + 100).astype(np.uint8)
    stored = np.dstack([upright, opacity])
    if orientation >= 5:
        stored = stored.swapaxes(0, 1)
    if orientation in (3, 4, 6, 7):
        stored = stored[::-1]
    if orientation in (2, 3, 7, 8):
        stored = stored[:, ::-1]
    exif = Image.Exif()
    exif[0x0112] = orientation
    image = Image.fromarray(np.ascontiguousarray(stored))
    if suffix == ".jpg":
        image = image.convert("RGB")
    kinds: dict[str, dict[str, Any]] = {
        ".deflated.tif": {"compression": "tiff_deflate"},
        ".tif": {},
    }
    options = kinds.get(suffix, {"quality": 95})
    path = saved(tmp_path / f"a{suffix}", image, exif=exif, **options)
    picture = read_picture(path)
    assert picture.image.shape == upright.shape
    middles = (slice(8, None, 16), slice(8, None, 16))
    np.testing.assert_allclose(picture.image[middles], upright[middles], atol=6)
    if suffix != ".jpg":
        np.testing.assert_array_equal(picture.alpha, opacity)


@pytest.mark.parametrize("broken", [b"XXXX", b"MM", b"II+\0rubbish", b"MM\0*\xff\xff\xff\xff"])
def test_broken_exif_data_does_no_harm(tmp_path: Path, broken: bytes) -> None:
    path = saved(tmp_path / "a.png", Image.fromarray(NOISE), exif=b"Exif\0\0" + broken)
    np.testing.assert_array_equal(read_picture(path).image, NOISE)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_grey_of_16_bits(tmp_path: Path, suffix: str) -> None:
    picture = read_picture(saved(tmp_path / f"a{suffix}", Image.fromarray(DEEP)))
    np.testing.assert_allclose(picture.image, np.dstack([EXACT] * 3), atol=0.51)


@pytest.mark.parametrize("mode", ["I;16B", "I"])
def test_other_grey_of_16_bits(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(DEEP.astype(np.int32))
    if mode == "I;16B":
        image = Image.frombytes(mode, (DEEP.shape[1], 1), DEEP.astype(">u2").tobytes())
    path = saved(tmp_path / "a.tif", image)
    with Image.open(path) as file:
        assert file.mode == mode
    np.testing.assert_allclose(read_picture(path).image[..., 1], EXACT, atol=0.51)


@pytest.mark.parametrize("suffix", [".png", ".tif"])
def test_colours_of_16_bits(tmp_path: Path, suffix: str) -> None:
    colours = np.dstack([DEEP, DEEP[:, ::-1], np.roll(DEEP, 3)])
    expected = np.dstack([EXACT, EXACT[:, ::-1], np.roll(EXACT, 3)])
    for name, values in {"rgb": colours, "rgba": np.dstack([colours, DEEP])}.items():
        path = tmp_path / f"{name}{suffix}"
        cv2.imwrite(str(path), values[..., [2, 1, 0, 3][: values.shape[2]]])
        picture = read_picture(path)
        np.testing.assert_allclose(picture.image, expected, atol=1)
        if name == "rgba":
            assert picture.alpha is not None
            np.testing.assert_allclose(picture.alpha, EXACT, atol=1)


@pytest.mark.parametrize(
    ("values", "expected"),
    [
        (np.float32([[0, 0.2, 1]]), [0, 51, 255]),
        (np.float32([[0.2, 0.4, 0.6]]), [51, 102, 153]),
        (np.float32([[-20, 100, 280]]), [0, 102, 255]),
        (np.float32([[np.nan, 0, 0.6, 1, np.inf]]), [0, 0, 153, 255, 255]),
        (np.float32([[7, 7]]), [0, 0]),
        (np.float64([[0, 0.2, 1]]), [0, 51, 255]),  # only OpenCV reads this one
        (np.float32([[[0, 0.2, 1], [1, 0.4, 0]]]), [[0, 51, 255], [255, 102, 0]]),  # and this one
        (np.uint32([[0, 2**31, 2**32 - 1]]), [0, 128, 255]),
        (np.int16([[-32768, 0, 32767]]), [0, 128, 255]),
    ],
)
def test_numbers_of_other_kinds(tmp_path: Path, values: NDArray[Any], expected: Any) -> None:
    image = read_picture(make_tiff(tmp_path / "a.tif", values)).image
    expected = np.asarray(expected)
    colours = expected if expected.ndim == 2 else expected[:, np.newaxis].repeat(3, 1)
    np.testing.assert_array_equal(image[0], colours)


def test_tiffs_whose_0_is_white(tmp_path: Path) -> None:
    path = make_tiff(tmp_path / "a.tif", DEEP, white=0)
    np.testing.assert_allclose(read_picture(path).image[..., 0], 255 - EXACT, atol=0.51)


def test_separate_planes(tmp_path: Path) -> None:
    path = make_tiff(tmp_path / "a.tif", NOISE, planes=2)
    np.testing.assert_array_equal(read_picture(path).image, NOISE)
    path = make_tiff(tmp_path / "b.tif", NOISE.astype(np.uint16) * 257, planes=2)
    assert "interleaved" in refused(path)


@pytest.mark.parametrize("mode", ["RGBA", "LA", "P"])
def test_alpha_is_kept(tmp_path: Path, mode: str) -> None:
    grey = np.dstack([NOISE[..., :1].repeat(3, 2), ALPHA])
    image = Image.fromarray(grey)
    if mode == "LA":
        image = image.convert("LA")
    if mode == "P":
        image = Image.fromarray(grey[..., 0]).convert("P")
        image.info["transparency"] = bytes(255 - level for level in range(256))
        grey[..., 3] = 255 - grey[..., 0]
    picture = read_picture(saved(tmp_path / "a.png", image))
    np.testing.assert_array_equal(picture.image, grey[..., :3])
    np.testing.assert_array_equal(picture.alpha, grey[..., 3])


@pytest.mark.parametrize("mode", ["L", "I;16"])
def test_a_transparent_grey(tmp_path: Path, mode: str) -> None:
    values = np.array([[7, 200, 7]], np.uint8 if mode == "L" else np.uint16)
    picture = read_picture(saved(tmp_path / "a.png", Image.fromarray(values), transparency=7))
    assert picture.alpha is not None
    assert picture.alpha.tolist() == [[0, 255, 0]]


def test_alpha_that_hides_nothing_is_none(tmp_path: Path) -> None:
    image = Image.fromarray(np.dstack([NOISE, np.full_like(ALPHA, 255)]))
    assert read_picture(saved(tmp_path / "a.png", image)).alpha is None


@pytest.mark.parametrize("mode", ["RGB", "L", "P"])
def test_values_in_an_rgb_profile_are_kept_with_it(tmp_path: Path, mode: str) -> None:
    image = Image.fromarray(NOISE).convert(mode)
    picture = read_picture(saved(tmp_path / "a.png", image, icc_profile=SRGB))
    assert picture.icc_profile == SRGB
    np.testing.assert_array_equal(picture.image, np.asarray(image.convert("RGB")))


def test_grey_in_a_profile_becomes_srgb(tmp_path: Path) -> None:
    image = Image.fromarray(np.full((2, 2), 55, np.uint8))
    picture = read_picture(saved(tmp_path / "a.png", image, icc_profile=linear_grey()))
    assert picture.icc_profile is None
    np.testing.assert_allclose(picture.image, 128, atol=2)  # linear 0.2158, as sRGB 0.502


@pytest.mark.parametrize("suffix", [".jpg", ".tif"])
def test_cmyk_becomes_srgb(tmp_path: Path, suffix: str) -> None:
    cyan = Image.new("CMYK", (16, 16), (255, 0, 0, 0))
    plain = read_picture(saved(tmp_path / f"plain{suffix}", cyan))
    np.testing.assert_allclose(plain.image, np.full((16, 16, 3), (0, 255, 255)), atol=3)
    profile = odd_inks()
    in_profile = read_picture(saved(tmp_path / f"b{suffix}", cyan, icc_profile=profile))
    assert in_profile.icc_profile is None
    np.testing.assert_allclose(in_profile.image, np.full((16, 16, 3), (255, 0, 0)), atol=8)


def test_lab_becomes_srgb(tmp_path: Path) -> None:
    red = np.full((3, 3, 3), (136, 80, 67), np.uint8)
    path = saved(tmp_path / "a.tif", Image.frombytes("LAB", (3, 3), red.tobytes()))
    np.testing.assert_allclose(read_picture(path).image, np.full((3, 3, 3), (255, 0, 0)), atol=12)


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize(
    "broken", [b"no profile", odd_inks()[:140], SRGB[:16] + b"HSV " + SRGB[20:]]
)
def test_profiles_that_do_not_fit_are_dropped(tmp_path: Path, mode: str, broken: bytes) -> None:
    image = Image.new(mode, (8, 8))
    picture = read_picture(saved(tmp_path / "a.tif", image, icc_profile=broken))
    assert picture.icc_profile is None
    assert (picture.image == (255 if mode == "CMYK" else 0)).all()


def test_the_first_of_several_pages(tmp_path: Path) -> None:
    first, second = Image.fromarray(NOISE), Image.fromarray(255 - NOISE)
    for suffix, format_ in (("tif", "TIFF"), ("jpg", "MPO")):
        path = tmp_path / f"a.{suffix}"
        first.save(path, format_, save_all=True, append_images=[second], quality=100)
        with Image.open(path) as file:
            assert getattr(file, "n_frames", 1) == 2
        brightness = float(read_picture(path).image.mean())
        assert brightness == pytest.approx(float(NOISE.mean()), abs=1)


def test_colours_hidden_by_alpha_are_not_visible() -> None:
    image = np.full((4, 6, 3), (200, 100, 50), np.uint8)
    alpha = np.full((4, 6), 255, np.uint8)
    image[:2], alpha[:2] = NOISE[:2, :6], 0
    seen = visible_image(Picture(image, alpha))
    assert (seen == (200, 100, 50)).all()
    assert visible_image(Picture(image)) is image
    half = visible_image(Picture(corners(), np.full((4, 6), 51, np.uint8)))
    np.testing.assert_allclose(half, 0.2 * corners() + 0.8 * corners().mean((0, 1)), atol=0.51)
    hidden = visible_image(Picture(NOISE, np.zeros_like(ALPHA)))
    assert (hidden == 128).all()


def refused(path: Path) -> str:
    with pytest.raises(SourceError) as caught:
        read_picture(path)
    assert caught.value.exit_code == 2
    assert "\n" not in str(caught.value)
    assert str(caught.value).startswith(str(path))
    return str(caught.value)


def png_header(width: int, height: int) -> bytes:
    chunk = b"IHDR" + struct.pack(">2I5B", width, height, 8, 0, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + struct.pack(">I", 13) + chunk + struct.pack(">I", zlib.crc32(chunk))
    )


@pytest.mark.parametrize(
    ("contents", "message"),
    [
        (b"", "is empty"),
        (b"This is a letter.", "is not a picture of a known kind"),
        (b"II*\0\x08\0\0\0", "damaged or of a rare kind"),
        (png_header(5, 5), "its beginning is damaged"),
        (png_header(30000, 30000) + b"\0\0\0\0IDAT", "has 900 megapixels, at most 179"),
    ],
)
def test_files_that_are_no_pictures(tmp_path: Path, contents: bytes, message: str) -> None:
    path = tmp_path / "a.jpg"
    path.write_bytes(contents)
    assert message in refused(path)


@pytest.mark.parametrize("suffix", [*READABLE_PICTURES, ".gif"])
@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_truncated_files(tmp_path: Path, suffix: str, share: float) -> None:
    path = saved(tmp_path / f"a{suffix}", Image.fromarray(NOISE.repeat(5, 0).repeat(5, 1)))
    whole = path.read_bytes()
    path.write_bytes(whole[: int(share * len(whole))])
    message = refused(path)
    assert "cut short" in message or "its beginning is damaged" in message


@pytest.mark.parametrize("suffix", ["gif", "png", "webp", "avif"])
def test_animations_are_for_render(tmp_path: Path, suffix: str) -> None:
    images = [Image.fromarray(NOISE), Image.fromarray(255 - NOISE)]
    path = tmp_path / f"a.{suffix}"
    images[0].save(path, save_all=True, append_images=images[1:])
    assert refused(path).endswith(": use stream-dream render")
    assert is_animated(path)
    assert not is_picture(path)
    assert read_picture(saved(path, images[0])).image.shape == NOISE.shape
    assert not is_animated(path)
    assert is_picture(path) == (suffix in ("png", "webp"))


def test_a_file_that_cannot_be_read_is_no_animation(tmp_path: Path) -> None:
    path = tmp_path / "a.png"
    assert not is_animated(path)
    path.write_text("no picture")
    assert not is_animated(path)
    path.unlink()
    os.mkfifo(path)
    assert not is_animated(path)


def test_paths_that_are_no_files_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert "does not exist" in refused(tmp_path / "none.jpg")
    assert "too long" in refused(tmp_path / ("a" * 300))
    assert "null" in refused(tmp_path / "a\0b.jpg")
    assert "is a folder" in refused(tmp_path)
    pipe = tmp_path / "pipe.jpg"
    os.mkfifo(pipe)
    assert "is a pipe" in refused(pipe)
    path = saved(tmp_path / "a.png", Image.fromarray(NOISE))
    monkeypatch.setattr(os, "access", lambda *_: False)  # root can read everything
    assert "may not be read" in refused(path)
