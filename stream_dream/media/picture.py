"""Reads and writes still pictures through Pillow: upright, 8 bits, in their colours."""

from __future__ import annotations

import io
import os
import re
import stat
import warnings
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from stream_dream.errors import SinkError, SourceError
from stream_dream.frame import Image8
from stream_dream.media.formats import FORMATS
from stream_dream.media.target import (
    existing,
    folder_problem,
    is_pattern,
    place,
    reserve,
    same_file,
)

if TYPE_CHECKING:
    from PIL import Image


@dataclass(frozen=True, slots=True)
class PictureFormat:
    """How a kind of picture is written.

    Attributes:
        name: Pillow's name.
        longest_side: Pixels a side may have; None where there is no limit to care about.
        alpha: True where transparency can be kept.
        lossy: True where a quality is chosen.
        options: Pillow's other options.
    """

    name: str
    longest_side: int | None = None
    alpha: bool = True
    lossy: bool = False
    options: Mapping[str, object] = field(default_factory=dict)


_JPEG = PictureFormat("JPEG", 65500, alpha=False, lossy=True, options={"subsampling": "4:4:4"})
_TIFF = PictureFormat("TIFF", options={"compression": "tiff_deflate"})

PICTURE_FORMATS: Mapping[str, PictureFormat] = {
    ".jpg": _JPEG,
    ".jpeg": _JPEG,
    ".png": PictureFormat("PNG", options={"compress_level": 6}),
    ".webp": PictureFormat("WEBP", 16383, lossy=True, options={"method": 4}),
    ".tif": _TIFF,
    ".tiff": _TIFF,
}
"""What can be written, by extension in small letters."""

READABLE_PICTURES = (*PICTURE_FORMATS, ".bmp")
"""Extensions, in small letters, by which the pictures in a folder are known."""

_ANIMATED = ("GIF", "WEBP", "PNG", "AVIF", "FLI")
"""Formats whose frames are a film; those of TIFF are pages, those of MPO other views."""

_ORIENTATION = 0x0112
_BITS, _COMPRESSION, _PHOTOMETRIC, _PLANES, _SAMPLE_FORMAT = 258, 259, 262, 284, 339
"""Tags of EXIF and TIFF."""

_WHITE = (255.0, 255.0, 255.0)

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
    Values of 16 bits are scaled to 8. Floats between 0 and 1 are scaled by 255, others so that
    the lowest becomes 0 and the highest 255.

    Args:
        path: A file that Pillow reads, or a TIFF that only OpenCV does.

    Raises:
        SourceError: If it cannot be read, is too large, or is an animation.
    """
    path = Path(path)
    _check_source(path)
    # Pillow warns of what is odd in a file but does no harm.
    with warnings.catch_warnings(action="ignore"):
        return _decoded(path)


def visible_image(picture: Picture) -> Image8:
    """Show the picture over the mean colour of its opaque part, mid-grey where there is none.

    What transparency hides is often garbage, and would be dreamed on.

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
    return _over(picture.image, picture.alpha, (float(red), float(green), float(blue)))


def check_picture_target(path: Path, *, overwrite: bool, sources: Iterable[Path] = ()) -> None:
    """Refuse, before any work is done, a target that cannot be written.

    Args:
        path: A file with an extension in ``PICTURE_FORMATS``.
        overwrite: True if what exists may be replaced.
        sources: What is going to be read; it is never replaced.

    Raises:
        SinkError: With ``exit_code`` 2 and the reason.
    """
    problem = _name_problem(path) or folder_problem(path)
    if problem:
        pass
    elif any(same_file(path, source) for source in sources):
        problem = "is one of the sources: choose another name"
    elif not overwrite and existing(path):
        problem = "exists already: choose another name or --overwrite"
    if problem:
        raise SinkError(f"{path} {problem}", exit_code=2)


def check_picture_size(path: Path, size: tuple[int, int]) -> None:
    """Refuse a (width, height) in pixels that the format of a name cannot hold.

    Raises:
        SinkError: With ``exit_code`` 2, also where the extension is none of ``PICTURE_FORMATS``.
    """
    problem = _name_problem(path)
    if problem:
        raise SinkError(f"{path} {problem}", exit_code=2)
    limit = PICTURE_FORMATS[path.suffix.lower()].longest_side
    if limit is not None and max(size) > limit:
        raise SinkError(
            f"{path} would have {size[0]}x{size[1]} pixels, its format holds {limit} a side: "
            "choose .png or .tif",
            exit_code=2,
        )


def write_picture(
    picture: Picture, path: Path | str, *, overwrite: bool = False, quality: int = 95
) -> Path:
    """Write a picture in the format of its extension; the name appears when it is complete.

    Alpha is kept; where the format has none, white shows through.

    Args:
        picture: What to write.
        path: A file with an extension in ``PICTURE_FORMATS``.
        overwrite: True if what exists under this name may be replaced. Otherwise it is kept, and
            the picture gets a free name.
        quality: Of JPEG and WebP: 1 to 100 (best).

    Returns:
        The name it has got.

    Raises:
        SinkError: With ``exit_code`` 2 if the name, the picture or the quality cannot be used,
            else because the disk or the encoder failed.
    """
    path = Path(path)
    if not 1 <= quality <= 100:
        raise SinkError(f"quality is {quality}: choose 1 to 100", exit_code=2)
    _check_pixels(picture, path)
    height, width = picture.image.shape[:2]
    check_picture_size(path, (width, height))
    part = reserve(path)
    try:
        part.write_bytes(_encoded(picture, PICTURE_FORMATS[path.suffix.lower()], quality))
        return place(part, path, overwrite=overwrite)
    except BaseException as error:
        part.unlink(missing_ok=True)
        if isinstance(error, OSError):
            reason = error.strerror or error
            raise SinkError(f"{path} could not be written: {reason}") from error
        raise


def _check_source(path: Path) -> None:
    """Refuse what cannot be opened at all; a pipe would be waited for without end."""
    try:
        found = path.stat()
    except OSError as error:
        raise SourceError(f"{path} cannot be opened ({error.strerror}): check the name") from error
    problem = None
    if stat.S_ISDIR(found.st_mode):
        problem = "is a folder: give a picture"
    elif not stat.S_ISREG(found.st_mode):
        problem = "is not an ordinary file: give a picture"
    elif not os.access(path, os.R_OK):
        problem = "may not be read: check its permissions"
    elif found.st_size == 0:
        problem = "is empty: was it copied completely?"
    if problem:
        raise SourceError(f"{path} {problem}")


def _decoded(path: Path) -> Picture:
    from PIL import Image, UnidentifiedImageError

    try:
        # Given the path, Pillow (13.0) would exchange width and height of an uncompressed TIFF that
        # is stored on its side: it maps the file into memory then.
        with path.open("rb") as data, Image.open(data) as file:
            _refuse_film(file, path)
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


def _refuse_film(file: Image.Image, path: Path) -> None:
    if file.format in _ANIMATED and getattr(file, "is_animated", False):
        first = "" if file.format in ("GIF", "PNG") else "convert it to .mp4 and "
        raise SourceError(f"{path} is an animation: {first}use stream-dream render")


def _refuse_planes(file: Image.Image, path: Path) -> None:
    """Refuse the one kind of file that Pillow (13.0) and OpenCV (5.0) both read as noise."""
    tags = _tags(file)
    bits = tags.get(_BITS, ())
    apart = len(bits) > 1 and max(bits) > 8 and tags.get(_PLANES) == 2
    if apart and tags.get(_COMPRESSION, 1) == 1:
        raise SourceError(
            f"{path} keeps colours of 16 bits in separate planes, which cannot be read: "
            "save it interleaved or as PNG"
        )


def _too_large(path: Path, pillows: str) -> str:
    """Say in megapixels what Pillow says in pixels."""
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
    """Convert what Pillow has loaded to upright RGB of 8 bits."""
    deep = file.mode == "F" or file.mode.startswith("I")
    colours, opacity = _scaled(file) if deep else _separated(file)
    colours, profile = _to_rgb(colours, file.info.get("icc_profile"))
    turn = _turn(file)
    if turn is not None:
        colours = colours.transpose(turn)
        opacity = None if opacity is None else opacity.transpose(turn)
    alpha = None if opacity is None else np.array(opacity)
    return Picture(np.array(colours), _if_seen(alpha), profile)


def _separated(file: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Split a picture of 8 bits into its colours (L, RGB, CMYK or LAB) and its opacity (L)."""
    opacity = file.convert("RGBA").getchannel("A") if file.has_transparency_data else None
    kept = {"1": "L", "L": "L", "LA": "L", "CMYK": "CMYK", "LAB": "LAB"}
    return file.convert(kept.get(file.mode, "RGB")), opacity


def _scaled(file: Image.Image) -> tuple[Image.Image, Image.Image | None]:
    """Make a grey picture of 8 bits (L), and its opacity (L), of one that has more."""
    from PIL import Image

    values, tags = np.asarray(file), _tags(file)
    if file.mode == "I" and tags.get(_BITS) == (32,) and tags.get(_SAMPLE_FORMAT, (1,))[0] == 1:
        values = values.view(np.uint32)  # Pillow takes them for signed
    levels = _levels(values)
    if tags.get(_PHOTOMETRIC) == 0:  # 0 is white; Pillow minds that with 8 bits only
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
    """Convert to RGB; the profile comes back where the values are still in it."""
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
    return colours.convert("RGB"), None  # Pillow knows what LAB means


def _turn(file: Image.Image) -> Image.Transpose | None:
    """Look up what makes a loaded picture upright; Pillow has turned a TIFF already."""
    from PIL import Image

    try:
        orientation = file.getexif().get(_ORIENTATION, 1)
    except Exception:  # broken EXIF data, which fails in many ways, is no reason to refuse
        return None
    turns = {
        2: Image.Transpose.FLIP_LEFT_RIGHT,
        3: Image.Transpose.ROTATE_180,
        4: Image.Transpose.FLIP_TOP_BOTTOM,
        5: Image.Transpose.TRANSPOSE,
        6: Image.Transpose.ROTATE_270,
        7: Image.Transpose.TRANSVERSE,
        8: Image.Transpose.ROTATE_90,
    }
    return turns.get(orientation)


def _tags(file: Image.Image) -> Mapping[int, Any]:
    return getattr(file, "tag_v2", {})


def _if_seen(alpha: NDArray[np.uint8] | None) -> NDArray[np.uint8] | None:
    return None if alpha is None or alpha.min() == 255 else alpha


def _is_tiff(path: Path) -> bool:
    with path.open("rb") as file:
        return file.read(4) in _TIFF_STARTS


def _read_with_opencv(path: Path) -> Picture | None:
    """Read a TIFF of floats or of more than 16 bits a colour; None if OpenCV cannot either.

    Other formats are left to Pillow: OpenCV makes a picture of a truncated file without a word.
    """
    if not _is_tiff(path):
        return None
    import cv2

    from stream_dream.media.opening import quiet_decoder

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


def _over(image: Image8, alpha: NDArray[np.uint8], colour: tuple[float, float, float]) -> Image8:
    """Compose an image over one colour; where alpha is 255 it stays exactly as it is."""
    share = alpha.astype(np.float32) / np.float32(255)
    made = np.empty_like(image)
    for channel, behind in enumerate(np.asarray(colour, np.float32)):
        made[..., channel] = np.rint((image[..., channel] - behind) * share + behind)
    return made


def _name_problem(path: Path) -> str | None:
    """Say why no picture can have that name; None if it can."""
    suffix, known = path.suffix.lower(), ", ".join(PICTURE_FORMATS)
    if suffix in PICTURE_FORMATS:
        return "would be a numbered sequence: leave out the %" if is_pattern(path) else None
    if suffix in FORMATS:
        return f"would be a film: choose {known}, or --out, which shows the dream emerging"
    return f"has no extension that can be written: choose {known}"


def _check_pixels(picture: Picture, path: Path) -> None:
    image, alpha = picture.image, picture.alpha
    if image.dtype != np.uint8 or image.ndim != 3 or image.shape[2] != 3 or not image.size:
        problem = f"an image is {image.dtype} {image.shape}: {path} takes uint8 (height, width, 3)"
    elif alpha is not None and (alpha.dtype != np.uint8 or alpha.shape != image.shape[:2]):
        problem = f"alpha is {alpha.dtype} {alpha.shape}: {path} takes uint8 {image.shape[:2]}"
    else:
        return
    raise SinkError(problem, exit_code=2)


def _encoded(picture: Picture, made: PictureFormat, quality: int) -> memoryview:
    """Encode in memory: Pillow hides why it failed where it writes to a disk."""
    from PIL import Image

    image, alpha = picture.image, picture.alpha
    if alpha is not None:
        image = np.dstack([image, alpha]) if made.alpha else _over(image, alpha, _WHITE)
    options = {**made.options, "icc_profile": picture.icc_profile}
    if made.lossy:
        options["quality"] = quality
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, made.name, **options)
    return buffer.getbuffer()
