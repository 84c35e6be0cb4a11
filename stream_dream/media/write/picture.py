"""Writes still pictures with Pillow, atomically."""

from __future__ import annotations

import io
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np

from stream_dream.errors import SinkError
from stream_dream.media.read.picture import Picture, over
from stream_dream.media.write.atomic import write_bytes
from stream_dream.media.write.formats import FORMATS
from stream_dream.media.write.output_paths import check_output, check_sides, is_pattern
from stream_dream.media.write.recipe_tags import fitting, pillow_options

_WHITE = (255.0, 255.0, 255.0)


@dataclass(frozen=True, slots=True)
class PictureFormat:
    """An output format of pictures.

    Attributes:
        name: Pillow's name.
        longest_side: Longest side in pixels; None for no relevant limit.
        alpha: True if transparency is kept.
        lossy: True if there is a quality to choose.
        options: Other options of Pillow.
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
"""Formats by lower-case extension."""


def check_picture_target(
    path: Path, *, overwrite: bool, inputs: Iterable[Path] = (), outputs: Iterable[Path] = ()
) -> None:
    """Refuse a picture that cannot be written in ``PICTURE_FORMATS``; see ``check_output``."""
    problem = _format_problem(path)
    check_output(path, overwrite=overwrite, inputs=inputs, outputs=outputs, format_problem=problem)


def check_picture_size(path: Path, size: tuple[int, int]) -> None:
    """Refuse a (width, height) that the format of a name cannot hold.

    Raises ``SinkError`` with ``exit_code`` 2, also for an extension not in ``PICTURE_FORMATS``.
    """
    problem = _format_problem(path)
    if problem:
        raise SinkError(f"{path} {problem}", exit_code=2)
    check_sides(path, size, PICTURE_FORMATS[path.suffix.lower()].longest_side)


def write_picture(
    picture: Picture,
    path: Path | str,
    *,
    overwrite: bool = False,
    quality: int = 95,
    recipe: str | None = None,
) -> Path:
    """Write a picture atomically, in the format of its extension.

    Alpha is kept; in a format without it, white shows through.

    Args:
        picture: The picture.
        path: A file with an extension in ``PICTURE_FORMATS``.
        overwrite: True if an existing file may be replaced; else it is kept and the picture gets a
            free name.
        quality: Quality of JPEG and WebP, 1 to 100 (best).
        recipe: Text in ASCII that the file carries; None for none. It is left out where the format
            cannot hold so much.

    Returns:
        The final name.

    Raises:
        SinkError: With ``exit_code`` 2 if the name, the picture or the quality is invalid, else if
            the disk or the encoder fails.
    """
    path = Path(path)
    if not 1 <= quality <= 100:
        raise SinkError(f"quality is {quality}: choose 1 to 100", exit_code=2)
    _check_pixels(picture, path)
    height, width = picture.image.shape[:2]
    check_picture_size(path, (width, height))
    carried = fitting(path, recipe)
    try:
        data = _encoded(picture, PICTURE_FORMATS[path.suffix.lower()], quality, carried)
    except OSError as error:
        raise SinkError(f"{path} could not be encoded: {error}") from error
    return write_bytes(path, data, overwrite=overwrite)


def _format_problem(path: Path) -> str | None:
    """Return why no picture can have this name; None if one can."""
    suffix, known = path.suffix.lower(), ", ".join(PICTURE_FORMATS)
    if suffix in PICTURE_FORMATS:
        return "would be a numbered sequence: leave out the %" if is_pattern(path) else None
    if suffix in FORMATS:
        return f"would be a film: choose {known} (image --out films how the dream emerges)"
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


def _encoded(picture: Picture, made: PictureFormat, quality: int, recipe: str | None) -> memoryview:
    """Encode in memory: Pillow hides why writing to a disk failed."""
    from PIL import Image

    image, alpha = picture.image, picture.alpha
    if alpha is not None:
        image = np.dstack([image, alpha]) if made.alpha else over(image, alpha, _WHITE)
    options = {**made.options, "icc_profile": picture.icc_profile}
    options |= pillow_options(made.name, recipe)
    if made.lossy:
        options["quality"] = quality
    buffer = io.BytesIO()
    Image.fromarray(image).save(buffer, made.name, **options)
    return buffer.getbuffer()
