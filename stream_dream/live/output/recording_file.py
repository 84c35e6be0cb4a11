"""A file of a recording: constant rate from uneven frames, playable wherever it is cut off."""

from __future__ import annotations

import os
from datetime import UTC, datetime
from fractions import Fraction
from pathlib import Path

import numpy as np

from stream_dream.errors import SinkError
from stream_dream.frame import Image8
from stream_dream.image import pad
from stream_dream.media.ffmpeg import FFmpeg, playable
from stream_dream.media.write.atomic import place, reserve
from stream_dream.media.write.encoder_arguments import recording_arguments
from stream_dream.media.write.output_paths import dated_name, existing

# The quality of a render. A frame of 1280x720 costs 10 to 20 ms of one core, half of that if it is
# repeated; 480x270 costs 4 ms (measured).
_CRF = 18
_PLAYABLE_SECONDS = 5.0


class Film:
    """A Matroska file that is being written.

    The film is a row of slots of ``1 / fps`` seconds. Each shows the last image that came before
    its middle: surplus frames are left out, late ones replaced by the one before. So the rate is
    constant, and the film plays at the speed of the show.

    It is written as ``NAME.part`` and renamed as soon as a player can open it, within about the
    first second: a file that has the name of a film plays, and is never empty.

    One thread feeds it (``hold``, ``show``), another one looks after the file (``secure``); either
    completes it (``finish``) when the other is done.

    Attributes:
        path: Its name, or the one that it will get.
        named: True once it has its name.
        shape: (height, width, 3) of its images, before the padding to even sides.
        start: When it started, in seconds of the caller's clock.
    """

    def __init__(
        self, path: Path, image: Image8, start: float, fps: Fraction, *, dated: bool
    ) -> None:
        """Start the encoder with the first image.

        Args:
            path: The name; date and time are added if it is taken, or if ``dated``.
            image: uint8 RGB, (height, width, 3); all others have its shape.
            start: When it was shown, in seconds.
            fps: Slots per second.
            dated: True for all but the first file of a recording.

        Raises:
            SinkError: If the folder cannot be written or ffmpeg cannot be started.
        """
        self._base, self._dated, self._begun = path, dated, datetime.now()
        self.path, self.named = self._free_name(), False
        self.shape, self.start = image.shape, start
        self._fps, self._slots = fps, 0
        self._image = _bytes_of(image)
        self._part, self._seen = reserve(self.path), 0
        height, width = pad(image).shape[:2]
        arguments = recording_arguments((width, height), fps, _CRF)
        date = ["-metadata", f"creation_time={datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"]
        arguments += [*date, "-y", str(self._part)]
        try:
            self._encoder = FFmpeg(arguments, fed=True, stepping_back=False)
        except SinkError:
            self._part.unlink(missing_ok=True)
            raise

    def show(self, image: Image8, time: float) -> None:
        """Record an image that is shown from ``time`` on. Raises ``SinkError`` if ffmpeg fails."""
        self.hold(time)
        self._image = _bytes_of(image)

    def hold(self, until: float) -> None:
        """Fill the slots up to a time with the last image. Raises ``SinkError`` if ffmpeg fails."""
        for _ in range(self._due(until) - self._slots):
            self._encoder.write(self._image)
            self._slots += 1

    def behind(self, time: float) -> float:
        """Return how many seconds of film are missing up to a time."""
        return float((self._due(time) - self._slots) / self._fps)

    def end(self, time: float) -> None:
        """Fill the film up to a time; the last image gets at least one slot.

        Raises ``SinkError`` if ffmpeg fails.
        """
        self.hold(max(time, self.start + float((self._slots + 1) / self._fps)))

    def secure(self) -> None:
        """Name the file as soon as it plays, and sync it to the disk.

        A power cut then loses what came since, what a kill would lose, and what the drive falsely
        reported as stored.

        Raises:
            SinkError: If the file is gone.
            OSError: If the disk fails.
        """
        if not self.named:
            self._try_to_name()
            return
        try:
            with self.path.open("rb") as file:
                os.fsync(file.fileno())
        except FileNotFoundError as error:
            raise SinkError("it was moved or removed meanwhile") from error

    def finish(self, seconds: float) -> None:
        """Complete the file. One that holds nothing is removed, any other is kept.

        Args:
            seconds: How long ffmpeg may take.

        Raises:
            SinkError: If it could not be completed, or is gone.
            OSError: If the disk fails.
        """
        try:
            self._encoder.finish(seconds)
        finally:
            self._seen = 0
            self.secure()
            if not self.named:
                self._part.unlink(missing_ok=True)

    def give_up(self) -> None:
        """End ffmpeg at once, from any thread; feeding or completing the film then fails."""
        self._encoder.give_up()

    def _due(self, time: float) -> int:
        """Return how many slots have their middle before a time."""
        return round((time - self.start) * self._fps)

    def _try_to_name(self) -> None:
        try:
            size = self._part.stat().st_size
        except FileNotFoundError as error:
            raise SinkError("it was removed meanwhile") from error
        if size > self._seen and playable(self._part, _PLAYABLE_SECONDS):
            self.path = place(self._part, self._free_name(), overwrite=False)
            self.named = True
        self._seen = size

    def _free_name(self) -> Path:
        if self._dated or existing(self._base):
            return dated_name(self._base, self._begun)
        return self._base


def _bytes_of(image: Image8) -> memoryview:
    return np.ascontiguousarray(pad(image)).data.cast("B")
