"""Joins the encoded chunks of a film without encoding them again."""

from __future__ import annotations

import os
from fractions import Fraction

from stream_dream.film.job.job_folder import JobFolder
from stream_dream.film.plan.plan import Plan
from stream_dream.media.write.formats import Format
from stream_dream.media.write.mux import EncodedVideo


def joined(folder: JobFolder, plan: Plan, made: Format, fps: Fraction) -> EncodedVideo:
    """Make ffmpeg read all chunks of a folder as one picture.

    Each was encoded by itself, so it begins with a key frame and refers to no other. Chunks are put
    in their places by their durations, which ffmpeg rounds to microseconds; rounding the time
    stamps to whole frames afterwards makes them exact again, in films of any length.

    Args:
        folder: Where they lie; the list of them is written there.
        plan: Which they are.
        made: The format of the film.
        fps: Its rate.
    """
    lines = ["ffconcat version 1.0"]
    for chunk in plan.chunks:
        # Relative names would be taken apart as those of a URL, and "#" and "?" cut off.
        picture = str(folder.chunk(chunk.number).picture.absolute())
        escaped = picture.replace("'", "'\\''")
        lines.append(f"file 'file:{escaped}'")
        lines.append(f"duration {float(chunk.frames / fps):.6f}")
    path = folder.chunk_list.absolute()
    path.write_bytes(os.fsencode("\n".join(lines) + "\n"))  # names as the disk has them
    given = ("-f", "concat", "-safe", "0", "-i", str(path))
    frame = f"(1/({fps}*TB))"
    # Packets come in the order of decoding, each at most so many frames before it is shown.
    decoded = f"round((N-{made.reordered})*{frame})"
    stamps = f"setts=pts=round(round(PTS/{frame})*{frame}):dts={decoded}"
    return EncodedVideo(given, ("-c:v", "copy", "-bsf:v", stamps))
