"""Streams a show through ffmpeg, and again whenever the receiver is back."""

from __future__ import annotations

import logging
import threading
import time
from contextlib import suppress
from fractions import Fraction

import numpy as np

from stream_dream.errors import SinkError, first_line
from stream_dream.frame import Image8
from stream_dream.image import pad_even
from stream_dream.live.output.stream_target import StreamTarget
from stream_dream.live.status import LiveStatus
from stream_dream.media.ffmpeg import FFmpeg
from stream_dream.media.write.formats import raw_arguments, streaming_arguments
from stream_dream.runtime.scheduling import step_back

log = logging.getLogger("stream_dream.live")

_FPS_RANGE = (5, 60)
# A receiver that takes nothing for this long is given up, and tried again after a pause.
_STALLED_SECONDS = 5.0
_FIRST_PAUSE, _LONGEST_PAUSE = 1.0, 10.0
# A connection that lasts this long works.
_WORKS_AFTER = 2.0
# Further behind, the stream skips instead of catching up.
_MOST_BEHIND = 0.5
_FINISH_SECONDS = 0.3
# A caller that finds nobody gives up after three seconds (libsrt).
_LISTENING_PAUSE = 0.1


class StreamOutput:
    """A view whose thread sends the newest frame at a constant rate.

    A frame that comes late is replaced by a repetition, one too many is left out. Whatever happens
    to the receiver, the show is not held up: only this thread waits for it.

    Attributes:
        name: Name of the receiver, without secrets.
        state: ``connecting``, ``sending`` or ``waiting`` for the receiver to come back.
        problem: None: a receiver is waited for as long as it takes.
    """

    problem: str | None = None

    def __init__(self, target: StreamTarget) -> None:
        """Start the thread; the stream begins with the first frame."""
        self.name, self._target = target.shown, target
        self.state = "connecting"
        self._newest: tuple[Image8, float] | None = None
        self._ffmpeg: FFmpeg | None = None
        self._fed = 0.0
        self._told = ""
        self._closed = threading.Event()
        self._thread = threading.Thread(target=self._work, name="stream", daemon=True)
        self._thread.start()

    def show(self, image: Image8, status: LiveStatus) -> None:
        """Accept a frame, uint8 RGB (height, width, 3), in place of the one before."""
        self._newest = image, status.target_fps
        ffmpeg = self._ffmpeg
        if ffmpeg is not None and time.monotonic() - self._fed > _STALLED_SECONDS:
            ffmpeg.give_up()

    def close(self) -> None:
        """End the stream; calling it again does nothing."""
        self._closed.set()
        self._thread.join(0.5)
        ffmpeg = self._ffmpeg
        if ffmpeg is not None:  # it waits for its receiver
            ffmpeg.give_up()
        self._thread.join(1.0)

    def _work(self) -> None:
        step_back()
        pause = _FIRST_PAUSE
        while not self._closed.is_set():
            newest = self._newest
            if newest is None:
                self._closed.wait(0.05)
                continue
            begun = time.monotonic()
            problem = self._stream(*newest)
            if problem is None:
                continue  # another size: begin anew at once
            if time.monotonic() - begun > _STALLED_SECONDS + _WORKS_AFTER:
                pause = _FIRST_PAUSE
            self._tell("waiting", problem)
            self._closed.wait(_LISTENING_PAUSE if self._target.listens else pause)
            pause = min(2 * pause, _LONGEST_PAUSE)

    def _stream(self, image: Image8, target_fps: float) -> str | None:
        """Send frames until something fails, and return what; None for another size of picture."""
        least, most = _FPS_RANGE
        fps = Fraction(min(max(round(target_fps), least), most))
        height, width = pad_even(image).shape[:2]
        arguments = raw_arguments if self._target.raw else streaming_arguments
        self._fed = time.monotonic()
        try:
            self._ffmpeg = ffmpeg = FFmpeg(
                [*arguments((width, height), fps), *self._target.muxer, "-y", self._target.url],
                fed=True,
            )
        except SinkError as error:
            return first_line(error)
        try:
            return self._feed(ffmpeg, image.shape, float(1 / fps))
        except SinkError as error:
            return self._reason(error)
        finally:
            self._ffmpeg = None
            ffmpeg.kill()

    def _feed(self, ffmpeg: FFmpeg, shape: tuple[int, ...], period: float) -> str | None:
        begun = due = time.monotonic()
        data, shown = memoryview(b""), None
        while not self._closed.wait(max(0.0, due - time.monotonic())):
            newest = self._newest
            assert newest is not None
            image = newest[0]
            if image.shape != shape:
                with suppress(SinkError):
                    ffmpeg.finish(_FINISH_SECONDS)  # else HLS forgets a segment in the folder
                return None
            if image is not shown:
                data, shown = np.ascontiguousarray(pad_even(image)).data.cast("B"), image
            ffmpeg.write(data)
            now = self._fed = time.monotonic()
            due = due + period if now - due < _MOST_BEHIND else now
            if now - begun > _WORKS_AFTER:
                self._tell("sending", "")
        ffmpeg.finish(_FINISH_SECONDS)
        return "closed"

    def _reason(self, error: SinkError) -> str:
        """Return why a stream ended, without the address, which may hold a password or a key."""
        if time.monotonic() - self._fed > _STALLED_SECONDS:
            return "nobody calls" if self._target.listens else "the receiver takes nothing"
        text = first_line(error).replace(self._target.url, self.name)
        return text.rpartition(": ")[2]

    def _tell(self, state: str, problem: str) -> None:
        """Set the state, and log what has changed."""
        self.state = state
        line = f"{self.name}: {problem or state}"
        if line != self._told and not self._closed.is_set():
            self._told = line
            log.log(logging.WARNING if problem else logging.INFO, "out %s", line)
