"""Concatenates the encoded chunks of a film without encoding them again."""

from __future__ import annotations

import os
from fractions import Fraction

from stream_dream.film.job.job_folder import CHUNK_LIST, JobFolder
from stream_dream.film.plan.plan import Plan
from stream_dream.media.write.codecs import Codec
from stream_dream.media.write.mux import EncodedVideo


def joined(folder: JobFolder, plan: Plan, codec: Codec, fps: Fraction) -> EncodedVideo:
    """Return the arguments with which ffmpeg reads all chunks as one stream.

    Each chunk was encoded separately, so it starts with a key frame and refers to no other chunk.
    ffmpeg offsets chunks by their durations, which it rounds to microseconds; rounding the time
    stamps to whole frames afterwards makes them exact in films of any length.
    """
    lines = ["ffconcat version 1.0"]
    for chunk in plan.chunks:
        # ffmpeg parses relative names as URLs and cuts them at "#" and "?".
        picture = str(folder.chunk(chunk.number).picture.absolute())
        escaped = picture.replace("'", "'\\''")
        lines.append(f"file 'file:{escaped}'")
        lines.append(f"duration {float(chunk.frames / fps):.6f}")
    path = (folder.path / CHUNK_LIST).absolute()
    path.write_bytes(os.fsencode("\n".join(lines) + "\n"))  # names may not be valid UTF-8
    input_args = ("-f", "concat", "-safe", "0", "-i", str(path))
    frame = f"(1/({fps}*TB))"
    # Packets come in decoding order, each at most `reordered` frames before it is shown.
    decoded = f"round((N-{codec.reordered})*{frame})"
    stamps = f"setts=pts=round(round(PTS/{frame})*{frame}):dts={decoded}"
    return EncodedVideo(input_args, ("-bsf:v", stamps))
