"""Adds the sound of the source to a finished picture."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from stream_dream.errors import ConversionError, SinkError
from stream_dream.media.ffmpeg import run
from stream_dream.media.read.probe import probe
from stream_dream.media.write.formats import Format, format_of

# A second or two of most codecs; fewer if the seconds below hold no more.
_TRIED_PACKETS = 100
_TRIED_SECONDS = 300.0
# Damage leaves gaps, as in any player. ffmpeg's default is to fail where most of the sound is
# damaged; this fails only where next to nothing can be decoded.
_PATIENT = ("-max_error_rate", "0.99")


@dataclass(frozen=True, slots=True)
class Soundtrack:
    """A section of a file's sound.

    Attributes:
        path: The file; its default sound stream is used. A file without sound is fine.
        start: Seconds from the file's first picture.
        end: Seconds from the file's first picture; None for all of the sound.
    """

    path: Path
    start: float = 0.0
    end: float | None = None


class Way(NamedTuple):
    """ffmpeg's arguments for one way to add a soundtrack to a picture.

    Attributes:
        given: Arguments of the input.
        stream: Number of the sound stream in the input.
        taken: Arguments of the output, without those that map the stream.
    """

    given: tuple[str, ...]
    stream: int
    taken: tuple[str, ...]


def ways_to_add(track: Soundtrack | None, made: Format, longest: float | None) -> list[Way]:
    """Return the ways to add a soundtrack to a film, the best one first.

    Sound stays in sync with the source's pictures to the sample: copied packets keep their time
    stamps. Copying begins with the first whole packet after ``start`` and may end one packet late
    (about 20 ms); neither shifts the sound.

    Args:
        track: The soundtrack; None for none.
        made: The format of the film.
        longest: Seconds after which the sound is cut; None to keep all of it.

    Returns:
        The ways; none without sound.

    Raises:
        SinkError: If the file of the soundtrack cannot be read any more.
    """
    if track is None or not made.film:
        return []
    source = probe(track.path)
    if not source.container:
        raise SinkError(f"{track.path} cannot be read any more, and so has no sound: bring it back")
    if source.audio is None:
        return []
    # ffmpeg counts from the file's first time stamp, we from its first picture.
    start = source.video_start + track.start
    lengths = [longest, None if track.end is None else track.end - track.start]
    known = [length for length in lengths if length is not None]
    given = ["-ss", f"{start:.6f}"] if start > 0 else []
    given += ["-t", f"{min(known):.6f}"] if known else []
    given += ["-i", str(track.path.absolute())]
    # Without -copypriorss 0, packets from the key frame before the start are kept, and Matroska
    # delays the picture.
    copied = ("-c:a", "copy", *(("-copypriorss", "0") if start > 0 else ()))
    copies = [copied] if source.audio in made.copied_sound else []
    taken = [*copies, *made.sound_encoders]
    return [Way(tuple(given), source.audio_stream, (*_PATIENT, *way)) for way in taken]


def first_that_works(
    track: Soundtrack, ways: Sequence[Way], attempt: Callable[[Way], None]
) -> None:
    """Attempt the ways (at least one) to add a soundtrack in order, until one works.

    ``attempt`` raises ``ConversionError`` where another way may work.

    Raises:
        SinkError: If none works, or the disk fails.
    """
    failures = []
    for way in ways:
        try:
            return attempt(way)
        except ConversionError as error:
            failures.append(error)
    raise SinkError(
        f"the sound of {track.path} can be neither copied nor converted ({failures[0]}): leave it "
        "out with --no-audio"
    ) from failures[0]


def check_sound(track: Soundtrack | None, target: Path) -> None:
    """Check, with a few packets, that a soundtrack can be added to a film before it is made.

    Raises ``SinkError`` with ``exit_code`` 2 if it cannot.
    """
    made = format_of(target)
    ways = ways_to_add(track, made, _TRIED_SECONDS)
    if track is None or not ways:
        return
    end = ("-frames:a", str(_TRIED_PACKETS), "-f", made.muxer, "-y", os.devnull)
    try:
        first_that_works(
            track, ways, lambda way: run([*way.given, "-map", f"0:{way.stream}", *way.taken, *end])
        )
    except SinkError as error:
        raise SinkError(str(error), exit_code=2) from error
