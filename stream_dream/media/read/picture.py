"""Reads still pictures with Pillow: upright, 8 bits, in their colours."""

from __future__ import annotations

import io
import re
import warnings
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stream_dream.errors import SourceError
from stream_dream.frame import Image8
from stream_dream.image import Level
from stream_dream.media.read.input_paths import check_input

if TYPE_CHECKING:
    from PIL import Image


READABLE_PICTURES = (".jpg", ".jpeg", ".png", ".webp", ".tif", ".tiff", ".bmp")
"""Lower-case extensions of the pictures in a folder."""

_ANIMATED = ("GIF", "WEBP", "PNG", "AVIF", "FLI")
"""Formats whose frames are a film; those of TIFF are pages, those of MPO other views."""

_BITS, _COMPRESSION, _PHOTOMETRIC, _PLANES, _SAMPLE_FORMAT = 258, 259, 262, 284, 339
"""Tags of TIFF."""

_TIFF_STARTS = (b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")


@dataclass(frozen=True, slots=True, eq=False)
class Picture:
    """A still picture.

    Attributes:
        image: uint8 RGB, (height, width, 3), upright.
        alpha: Opacity, uint8, (height, width), 0 transparent to 255 opaque; None if all is opaque.
        icc_profile: The RGB profile that the values of ``image`` are in; None for sRGB.
    """

    image: Image8
    alpha: NDArray[np.uint8] | None = None
    icc_profile: bytes | None = None


def read_picture(path: Path | str) -> Picture:
    """Read a picture; of several pages the first.

    Values in an RGB profile are kept, with the profile; other colours are converted to sRGB.
    16-bit values are scaled to 8 bits, floats in [0, 1] by 255, others from their own range to
    0..255.

    Args:
        path: A file that Pillow reads, or a TIFF that only OpenCV reads.

    Raises:
        SourceError: If it cannot be read, is too large, or is an animation.
    """
    path = Path(path)
    check_input(path, "a picture")
    # Pillow warns of harmless oddities.
    with warnings.catch_warnings(action="ignore"):
        return _decoded(path)


def is_animated(path: Path) -> bool:
    """Return whether a file contains an animation: WebP, PNG, GIF or AVIF.

    False if it cannot be read: the function that reads it reports why.
    """
    from PIL import Image

    if not path.is_file():  # opening a pipe would block
        return False
    try:
        with warnings.catch_warnings(action="ignore"), Image.open(path) as file:
            return _is_film(file)
    except Exception:  # decoders fail with anything when bytes are wrong
        return False


def is_picture(path: Path) -> bool:
    """Return whether a file is a still picture: by its extension, and not animated."""
    return path.suffix.lower() in READABLE_PICTURES and not is_animated(path)


def visible_image(picture: Picture) -> Image8:
    """Compose a picture over the mean colour of its opaque part, mid-grey without one.

    Colours of transparent pixels are often garbage, and would be dreamed on.

    Returns:
        uint8 RGB, (height, width, 3); ``picture.image`` itself where nothing is transparent.
    """
    if picture.alpha is None:
        return picture.image
    if not picture.alpha.any():
        return np.full_like(picture.image, 128)
    pixels = picture.image.reshape(-1, 3)
    weights = picture.alpha.reshape(-1)
    red, green, blue = (np.average(pixels[:, channel], weights=weights) for channel in range(3))
    return over(picture.image, picture.alpha, (float(red), float(green), float(blue)))


def _decoded(path: Path) -> Picture:
    from PIL import Image, UnidentifiedImageError

    try:
        # Given the path, Pillow (13.0) maps an uncompressed TIFF into memory, and swaps width and
        # height of one that is stored on its side.
        with path.open("rb") as data, Image.open(data) as file:
            if _is_film(file):
                raise SourceError(f"{path} is an animation: use stream-dream render")
            _refuse_planes(file, path)
            file.load()
            return _converted(file)
    except SourceError:
        raise
    except UnidentifiedImageError as error:
        picture = _read_with_opencv(path)
        if picture is None:
            raise SourceError(_unknown(path)) from error
        return picture
    except Image.DecompressionBombError as error:
        raise SourceError(_too_large(path, str(error))) from error
    except Exception as error:  # decoders fail with anything when bytes are wrong
        reason = " ".join(str(error).split()) or type(error).__name__
        raise SourceError(
            f"{path} is cut short, damaged or of a rare kind ({reason}): "
            "copy it again or save it as PNG"
        ) from error


def _is_film(file: Image.Image) -> bool:
    return file.format in _ANIMATED and bool(getattr(file, "is_animated", False))


def _refuse_planes(file: Image.Image, path: Path) -> None:
    """Refuse the one kind of file that both Pillow (13.0) and OpenCV (5.0) read as noise."""
    tags = _tags(file)
    bits = tags.get(_BITS, ())
    apart = len(bits) > 1 and max(bits) > 8 and tags.get(_PLANES) == 2
    if apart and tags.get(_COMPRESSION, 1) == 1:
        raise SourceError(
            f"{path} keeps colours of 16 bits in separate planes, which cannot be read: "
            "save it interleaved or as PNG"
        )


def _too_large(path: Path, pillows: str) -> str:
    """Convert Pillow's message from pixels to megapixels."""
    counts = [round(int(count) / 1e6) for count in re.findall(r"\d+", pillows)[:2]]
    if len(counts) != 2:
        return f"{path} has too many pixels: make it smaller first"
    return f"{path} has {counts[0]} megapixels, at most {counts[1]} are read: make it smaller first"


def _unknown(path: Path) -> str:
    if _is_tiff(path):
        return f"{path} is cut short, damaged or of a rare kind: copy it again or save it as PNG"
    known = ", ".join(READABLE_PICTURES)
    return f"{path} is not a picture of a known kind, or its beginning is damaged: give {known}"


def _converted(file: Image.Image) -> Picture:
    """Convert a loaded picture to upright 8-bit RGB."""
    from PIL import ImageOps

    with suppress(Exception):  # broken EXIF data, which fails in many ways, is no reason to refuse
        ImageOps.exif_transpose(file, in_place=True)
    deep = file.mode == "F" or file.mode.startswith("I")
    colours, opacity = _scaled(file) if deep else _separated(file)
    colours, profile = _to_rgb(colours, file.info.get("icc_profile"))
    alpha = None if opacity is None else np.array(opacity)
    return Picture(np.array(colours), _if_seen(alpha), profile)


def _separated(file: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Split an 8-bit picture into its colours (L, RGB, CMYK or LAB) and its opacity (L)."""
    opacity = file.convert("RGBA").getchannel("A") if file.has_transparency_data else None
    kept = {"1": "L", "L": "L", "LA": "L", "CMYK": "CMYK", "LAB": "LAB"}
    return file.convert(kept.get(file.mode, "RGB")), opacity


def _scaled(file: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Scale a grey picture of more than 8 bits to 8 (L); also return its opacity (L)."""
    from PIL import Image

    values, tags = np.asarray(file), _tags(file)
    if file.mode == "I" and tags.get(_BITS) == (32,) and tags.get(_SAMPLE_FORMAT, (1,))[0] == 1:
        values = values.view(np.uint32)  # Pillow reads them as signed
    levels = _levels(values)
    if tags.get(_PHOTOMETRIC) == 0:  # 0 is white; Pillow inverts 8 bits only
        levels = 255 - levels
    opacity = None
    if "transparency" in file.info:
        shown = np.where(values == file.info["transparency"], 0, 255)
        opacity = Image.fromarray(shown.astype(np.uint8))
    return Image.fromarray(levels), opacity


def _levels(values: NDArray[Any]) -> NDArray[np.uint8]:
    """Scale values of any type to 0..255: from 0..65535 or 0..1, else from their own range."""
    if values.dtype == np.uint8:
        return values
    real = values.dtype.kind == "f"
    counted = values[np.isfinite(values)] if real else values
    low, high = (float(counted.min()), float(counted.max())) if counted.size else (0.0, 0.0)
    usual = 1.0 if real else 65535.0
    if low >= 0 and high <= usual:
        low, high = 0.0, usual
    scaled = (values.astype(np.float32) - low) * (255 / ((high - low) or 1.0))
    return np.asarray(np.rint(np.clip(np.nan_to_num(scaled), 0, 255)), np.uint8)


def _to_rgb(colours: Image.Image, profile: bytes | None) -> tuple[Image.Image, bytes | None]:
    """Convert to RGB; return the profile only if the values are still in it."""
    from PIL import ImageCms

    space = profile[16:20] if profile and profile[36:40] == b"acsp" else b""
    if space == b"RGB " and colours.mode in ("L", "RGB"):  # grey is equal values
        return colours.convert("RGB"), profile
    if profile and space == {"L": b"GRAY", "CMYK": b"CMYK"}.get(colours.mode):
        srgb = ImageCms.createProfile("sRGB")
        try:
            made = ImageCms.profileToProfile(colours, io.BytesIO(profile), srgb, outputMode="RGB")
        except ImageCms.PyCMSError:  # a broken profile is no reason to refuse the picture
            made = None
        if made is not None:
            return made, None
    return colours.convert("RGB"), None  # Pillow converts LAB


def _tags(file: Image.Image) -> Mapping[int, Any]:
    return getattr(file, "tag_v2", {})


def _if_seen(alpha: NDArray[np.uint8] | None) -> NDArray[np.uint8] | None:
    return None if alpha is None or alpha.min() == 255 else alpha


def _is_tiff(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in _TIFF_STARTS


def _read_with_opencv(path: Path) -> Picture | None:
    """Read a TIFF of floats or of more than 16 bits a colour; None if OpenCV cannot either.

    Other formats are left to Pillow: OpenCV reads truncated files without an error.
    """
    if not _is_tiff(path):
        return None
    import cv2

    from stream_dream.media.read.opencv_decoder import quiet_decoder

    quiet_decoder()
    data = np.frombuffer(path.read_bytes(), np.uint8)
    try:
        values = cv2.imdecode(data, cv2.IMREAD_UNCHANGED)
    except cv2.error:
        return None
    if values is None:
        return None
    if values.ndim == 2:
        values = values[..., np.newaxis]
    colours = np.repeat(values, 3, 2) if values.shape[2] == 1 else values[..., 2::-1]
    alpha = _levels(values[..., 3]) if values.shape[2] == 4 else None
    return Picture(np.ascontiguousarray(_levels(colours)), _if_seen(alpha))


def over(
    image: NDArray[Level], alpha: NDArray[Level], colour: tuple[float, float, float]
) -> NDArray[Level]:
    """Compose an image over one colour, 0..255; where it is opaque it stays exact.

    ``alpha``, (height, width), has as many bits as the image.
    """
    white = np.iinfo(image.dtype).max
    share = alpha.astype(np.float32) / np.float32(white)
    made = np.empty_like(image)
    for channel, behind in enumerate(np.asarray(colour, np.float32) * np.float32(white / 255)):
        made[..., channel] = np.rint((image[..., channel] - behind) * share + behind)
    return made
