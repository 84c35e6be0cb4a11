"""Adds the sound of the source to a finished picture."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
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
        ends_with_picture: True for sound of another file, which may be longer than the picture.
    """

    path: Path
    start: float = 0.0
    end: float | None = None
    ends_with_picture: bool = False

    def cut(self, seconds: float) -> Soundtrack:
        """Return its first ``seconds``."""
        end = self.start + seconds
        return replace(self, end=end if self.end is None else min(end, self.end))


class Way(NamedTuple):
    """ffmpeg's arguments for one way to add a soundtrack to a picture.

    Attributes:
        input_args: Arguments of the input.
        stream: Number of the sound stream in the input.
        output_args: Arguments of the output, without those that map the stream.
    """

    input_args: tuple[str, ...]
    stream: int
    output_args: tuple[str, ...]


def ways_to_add(track: Soundtrack | None, target_format: Format) -> list[Way]:
    """Return the ways to add a soundtrack to a film, the best one first.

    Sound stays in sync with the source's pictures to the sample: copied packets keep their time
    stamps. Copying begins with the first whole packet after ``start`` and may end one packet late
    (about 20 ms); neither shifts the sound.

    Args:
        track: The soundtrack; None for none.
        target_format: The format of the film.

    Returns:
        The ways; none without sound.

    Raises:
        SinkError: If the file of the soundtrack cannot be read any more.
    """
    if track is None or not target_format.film:
        return []
    source = probe(track.path)
    if not source.container:
        raise SinkError(f"{track.path} cannot be read any more, and so has no sound: bring it back")
    if source.audio is None:
        return []
    # ffmpeg counts from the file's first time stamp, we from its first picture.
    start = source.video_start + track.start
    given = ["-ss", f"{start:.6f}"] if start > 0 else []
    given += ["-t", f"{track.end - track.start:.6f}"] if track.end is not None else []
    given += ["-i", str(track.path.absolute())]
    # Without -copypriorss 0, packets from the key frame before the start are kept, and Matroska
    # delays the picture.
    copied = ("-c:a", "copy", *(("-copypriorss", "0") if start > 0 else ()))
    copies = [copied] if source.audio in target_format.copied_sound else []
    taken = [*copies, *target_format.sound_encoders]
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
    target_format = format_of(target)
    if track is None:
        return
    track = track.cut(_TRIED_SECONDS)
    ways = ways_to_add(track, target_format)
    if not ways:
        return
    end = ("-frames:a", str(_TRIED_PACKETS), "-f", target_format.muxer, "-y", os.devnull)
    try:
        first_that_works(
            track,
            ways,
            lambda way: run([*way.input_args, "-map", f"0:{way.stream}", *way.output_args, *end]),
        )
    except SinkError as error:
        raise SinkError(str(error), exit_code=2) from error
