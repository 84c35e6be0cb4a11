"""Concatenates the encoded chunks of a film without encoding them again."""

from __future__ import annotations

from fractions import Fraction

from stream_dream.film.job.job_folder import CHUNK_LIST, JobFolder
from stream_dream.film.plan.plan import Plan
from stream_dream.media.concat import concat_list
from stream_dream.media.write.codecs import Codec
from stream_dream.media.write.mux import EncodedVideo


def joined(folder: JobFolder, plan: Plan, codec: Codec, fps: Fraction) -> EncodedVideo:
    """Return the arguments with which ffmpeg reads all chunks as one stream.

    Each chunk was encoded separately, so it starts with a key frame and refers to no other chunk.
    ffmpeg offsets chunks by their durations, which it rounds to microseconds; rounding the time
    stamps to whole frames afterwards makes them exact in films of any length.
    """
    path = (folder.path / CHUNK_LIST).absolute()
    path.write_bytes(
        concat_list(
            (folder.chunk(chunk.number).picture, float(chunk.frames / fps)) for chunk in plan.chunks
        )
    )
    input_args = ("-f", "concat", "-safe", "0", "-i", str(path))
    frame = f"(1/({fps}*TB))"
    # Packets come in decoding order, each at most `reordered` frames before it is shown.
    decoded = f"round((N-{codec.reordered})*{frame})"
    stamps = f"setts=pts=round(round(PTS/{frame})*{frame}):dts={decoded}"
    return EncodedVideo(input_args, ("-bsf:v", stamps))
