"""Adds the sound of the source to a finished picture."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from stream_dream.media.formats import Format
from stream_dream.media.probe import probe


@dataclass(frozen=True, slots=True)
class Soundtrack:
    """The sound of a file, from the moment that the picture starts with.

    Attributes:
        path: The file; its first sound stream is taken. A file without sound is fine.
        start: Seconds from the file's first picture.
        end: Seconds from the file's first picture; None for all of the sound.
    """

    path: Path
    start: float = 0.0
    end: float | None = None


def sound_arguments(
    track: Soundtrack | None, made: Format, longest: float | None
) -> tuple[list[str], list[str]]:
    """Return ffmpeg's arguments to read a soundtrack as its second input, and what to do with it.

    Sound stays where it was beside the source's pictures, to the sample: what is copied keeps its
    time stamps. Copying begins with the first whole packet behind ``start`` and may end one packet
    late (about 20 ms); neither shifts what is heard.

    Args:
        track: The soundtrack; None for none.
        made: The format of the result.
        longest: Seconds behind which the sound is cut; None to leave it whole.

    Returns:
        The arguments of the input and those of the output, both empty where there is no sound.
    """
    if track is None or not made.film:
        return [], []
    source = probe(track.path)
    if source.audio is None:
        return [], []
    # ffmpeg counts from the file's first time stamp, we from its first picture.
    start = source.video_start + track.start
    lengths = [longest, None if track.end is None else track.end - track.start]
    known = [length for length in lengths if length is not None]
    given = ["-ss", f"{start:.6f}"] if start > 0 else []
    given += ["-t", f"{min(known):.6f}"] if known else []
    copied = source.audio in made.copied_sound
    codec = ["-c:a", "copy"] if copied else [*made.sound_encoder]
    if copied and start > 0:
        # Else packets from the key frame before it are kept; Matroska would delay the picture.
        codec += ["-copypriorss", "0"]
    return [*given, "-i", str(track.path.absolute())], ["-map", "1:a:0", *codec]
