"""Chooses the encoder of a film: a hardware encoder, if it works here, or software."""

from __future__ import annotations

import math
import time
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

from stream_dream.errors import SinkError
from stream_dream.media.ffmpeg import FFmpeg, run
from stream_dream.media.write.encoder_arguments import encoder_arguments
from stream_dream.media.write.formats import Encoding
from stream_dream.media.write.hardware_encoders import automatic_encoders
from stream_dream.settings.values import EncoderName

# The first use of a driver takes seconds; several of these pass where "auto" tries several.
TRIAL_SECONDS = 10.0
"""Time limit of the trial of one encoder."""

_TRIAL_FRAMES = 5


def choose_encoder(
    wanted: EncoderName,
    encoding: Encoding,
    *,
    size: tuple[int, int],
    fps: Fraction,
    pixel_aspect: Fraction = Fraction(1),
    crf: int = 18,
) -> tuple[EncoderName, str | None]:
    """Choose the encoder of a film by trial.

    Args:
        wanted: The encoder, or ``auto`` for the first one that works.
        encoding: Codec and bits of the film.
        size: (width, height) of the images.
        fps: Frames per second.
        pixel_aspect: Width of a pixel divided by its height.
        crf: Quality on x264's scale: 0 (best) to 51.

    Returns:
        The encoder, never ``auto``; and why it is not the one that was named, in one line, or None.
    """
    if wanted == "software":
        return wanted, None
    problem: str | None = None
    for name in automatic_encoders() if wanted == "auto" else (wanted,):
        problem = encoder_problem(
            name, encoding, size=size, fps=fps, pixel_aspect=pixel_aspect, crf=crf
        )
        if problem is None:
            return name, None
    note = f"{wanted} {problem}: encoded in software instead"
    return "software", None if wanted == "auto" else note


def encoder_problem(
    name: EncoderName,
    encoding: Encoding,
    *,
    size: tuple[int, int],
    fps: Fraction,
    pixel_aspect: Fraction = Fraction(1),
    crf: int = 18,
) -> str | None:
    """Return why a hardware encoder cannot encode a film here; None if it can.

    It encodes a few frames with the film's own arguments: what ffmpeg lists, the processor or its
    driver may lack. For the arguments see ``choose_encoder``.
    """
    tried = encoding.encoded_by(name)
    if tried.hardware is None:
        codec = encoding.codec_name
        what = "such files" if codec is None else f"{codec} of {encoding.bits} bits"
        what += " with an alpha channel" if encoding.alpha else ""
        return f"does not encode {what}"
    coded = tried.coded_size(size)
    arguments = encoder_arguments(tried, coded, fps, pixel_aspect, crf)
    image = bytes(math.prod(coded) * 3 * (2 if tried.deep else 1))
    try:
        _try(arguments, memoryview(image))
    except SinkError as error:
        return f"does not work here ({error})"
    return None


def _try(arguments: list[str], image: memoryview) -> None:
    """Encode an image several times, and decode it. Raises ``SinkError``."""
    end = time.monotonic() + TRIAL_SECONDS
    with TemporaryDirectory(prefix="stream-dream-") as folder:
        made = Path(folder) / "trial"
        process = FFmpeg([*arguments, "-y", str(made)], fed=True)
        try:
            for _ in range(_TRIAL_FRAMES):
                process.write(image, patience=_left(end))
            process.finish(_left(end))
        except BaseException:  # Ctrl-C included: it must not outlive us
            process.kill()
            raise
        run(["-xerror", "-i", str(made), "-f", "null", "-"], _left(end))


def _left(end: float) -> float:
    return max(0.1, end - time.monotonic())
